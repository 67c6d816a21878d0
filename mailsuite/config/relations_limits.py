"""Checks of limits that accounts and domains have of their own: those that come to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from mailsuite.config.look import Look
from mailsuite.config.measures import size_text
from mailsuite.config.people import DomainBlock
from mailsuite.config.problems import Problem
from mailsuite.config.schema import Lmtp, Smtp, Submission


def limit_relations(look: Look) -> Iterator[Problem]:
    """All that has no effect."""
    largest = max(
        (
            listener.settings.max_message
            for listener in look.config.listeners
            if listener.enabled and isinstance(listener.settings, Smtp | Submission | Lmtp)
        ),
        default=None,
    )
    domains = {domain.name: domain for domain in look.config.domains}
    for domain in look.config.domains:
        yield from _total(look, domain)
        yield from _maximum(look, f"domain.{domain.name}", domain.max_message, largest, "each listener takes")
    for account in look.config.accounts:
        block, own = f"account.{account.address}", account.max_message
        home = domains.get(account.address.domain)
        shared = None if home is None else home.max_message
        if own is not None and shared is not None and own > shared:
            yield from _maximum(look, block, own, shared, f"{account.address.domain} allows")
        else:
            yield from _maximum(look, block, own, largest, "each listener takes")


def _maximum(look: Look, block: str, own: int | None, limit: int | None, whose: str) -> Iterator[Problem]:
    key = f"{block}.max_message"
    if own is not None and limit is not None and own > limit and look.sound(key):
        above = f"it is above the {size_text(limit)} that {whose}"
        yield look.warning(f'max_message = "{size_text(own)}" has no effect: {above}', key)


def _total(look: Look, domain: DomainBlock) -> Iterator[Problem]:
    key = f"domain.{domain.name}.total_quota"
    if domain.same_as is not None and not domain.total_quota.is_unlimited and look.sound(key):
        yield look.warning(f"total_quota has no effect: {domain.name} shares that of {domain.same_as}", key)
