"""Which ways to log in each listener offers, as the configuration says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from mailsuite.accounts.attempt import ApopPolicy, LoginRules
from mailsuite.config.mechanisms import PLAINTEXT, UNDER_TLS
from mailsuite.config.schema import Config, Listener, Pop3, Submission

SASL: Final = (
    "PLAIN",
    "LOGIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "CRAM-MD5",
    "NTLM",
)
MECHANISMS: Final = {"pop3": ("USER", "APOP", *SASL), "submission": SASL}
"""All that there is, by service."""


@attrs.frozen
class Offer:
    """What one listener offers to whoever comes the best way, which is under TLS where it has TLS."""

    listener: str
    mechanisms: frozenset[str]
    rules: LoginRules


def offers(config: Config, service: str) -> list[Offer]:
    """Those of all open listeners of a service."""
    decided = {block.name: block.apop for block in config.domains if block.apop}
    return [
        Offer(block.name, frozenset(_mechanisms(block, decided)), _rules(block, decided))
        for block in config.listeners
        if block.enabled and block.service == service
    ]


def _mechanisms(block: Listener, decided: dict[str, ApopPolicy]) -> Iterator[str]:
    settings = block.settings
    if not isinstance(settings, Pop3 | Submission):
        return
    names = set(settings.auth)
    clear = block.tls == "off"
    if clear:
        names -= UNDER_TLS
    if isinstance(settings, Pop3):
        if settings.apop == "require":
            names -= PLAINTEXT
        elif not clear or settings.trusted_networks:
            yield "USER"
        if settings.apop != "off" or any(policy != "off" for policy in decided.values()):
            yield "APOP"  # the stamp is shown where any domain wants it (docs/adr/0013)
    yield from (name.upper() for name in names)


def _rules(block: Listener, decided: dict[str, ApopPolicy]) -> LoginRules:
    settings = block.settings
    if not isinstance(settings, Pop3):
        return LoginRules()
    return LoginRules(apop=settings.apop, domain_apop=decided)
