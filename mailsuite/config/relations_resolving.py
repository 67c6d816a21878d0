"""Checks of what is asked of the domain name system, and of what follows from its answers."""

from __future__ import annotations

from collections.abc import Iterator

from mailsuite.config.look import Look
from mailsuite.config.problems import Problem
from mailsuite.config.resolving import HelloNames, Resolving


def resolving_relations(look: Look, resolver: Resolving) -> Iterator[Problem]:
    """All that is worth a word."""
    key = "resolver.trust_ad"
    if resolver.trust_ad and not resolver.servers and look.sound(key, "resolver.servers"):
        yield look.warning(
            "trust_ad is for the servers that are named in servers; those of resolv.conf are believed where "
            'it says "options trust-ad", or where they are on this machine',
            key,
        )
    yield from _refusals(look, "smtp", look.config.smtp)
    for listener in look.config.listeners:
        if listener.enabled:
            yield from _refusals(look, f"listener.{listener.name}", listener.settings)


def _refusals(look: Look, table: str, settings: object) -> Iterator[Problem]:
    key = f"{table}.hello_mismatch"
    if isinstance(settings, HelloNames) and settings.hello_mismatch == "reject" and look.is_given(key):
        yield look.warning(
            'hello_mismatch = "reject" refuses honest servers, too, that are behind a NAT or set up '
            "carelessly; RFC 5321 section 4.1.4 forbids to refuse mail for that alone",
            key,
        )
