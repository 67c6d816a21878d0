"""Checks of where mail goes: domains that stand for others, aliases, catch-alls."""

from __future__ import annotations

from collections.abc import Iterator

from mailsuite.config.look import Look
from mailsuite.config.people import DomainBlock
from mailsuite.config.problems import Problem
from mailsuite.model.address import Address


def routing_relations(look: Look) -> Iterator[Problem]:
    """All that leads nowhere, or does not do what it looks like."""
    accounts = {account.address for account in look.config.accounts}
    ours = {domain.name: domain for domain in look.config.domains}
    names = set(ours) | {address.domain for address in accounts}
    for domain in look.config.domains:
        yield from _same_as(look, domain, ours, names)
        yield from _aliases(look, domain, accounts, names)
        yield from _catch_all(look, f"domain.{domain.name}.catch_all", domain.catch_all or (), names)
        yield from _catch_all(look, f"domain.{domain.name}.archive_to", domain.archive_to or (), names)
    yield from _catch_all(look, "delivery.unknown_user", look.config.delivery.unknown_user, names)
    yield from _catch_all(look, "delivery.archive_to", look.config.delivery.archive_to, names)
    for listener in look.config.listeners:
        key = f"listener.{listener.name}.recipient_delimiter"
        if look.is_given(key):
            yield look.error(
                "recipient_delimiter in a listener: an address is the same by every door; write it in [smtp] "
                "or in the [[domain]] it is for",
                key,
            )


def _same_as(
    look: Look, domain: DomainBlock, ours: dict[str, DomainBlock], names: set[str]
) -> Iterator[Problem]:
    key = f"domain.{domain.name}.same_as"
    if domain.same_as is None or not look.sound(key):
        return
    if domain.same_as == domain.name:
        yield look.error("same_as names the domain itself", key)
    elif (other := ours.get(domain.same_as)) is not None and other.same_as is not None:
        text = f"same_as: {other.name} itself stands for {other.same_as}"
        yield look.error(
            f'{text}; write same_as = "{other.same_as}"' if other.same_as != domain.name else text, key
        )
    elif domain.same_as not in names:
        yield look.warning(
            f"same_as: {_not_here(domain.same_as)}, {domain.name} has its own addresses alone", key
        )


def _not_here(domain: str) -> str:
    return f"{domain} is no domain of this file; unless mailsuite domain add made it ours"


def _aliases(look: Look, domain: DomainBlock, accounts: set[Address], names: set[str]) -> Iterator[Problem]:
    key = f"domain.{domain.name}.aliases"
    if not look.sound(key):
        return
    for alias in domain.aliases_in(domain.name):
        if alias.address in accounts:
            yield look.warning(
                f"aliases: {alias.address} is an account, which gets its mail itself; for others to get it, "
                'write state = "forward" there',
                key,
            )
        if alias.targets == (alias.address,):
            yield look.error(f"aliases: {alias.address} leads to itself", key)
        for target in alias.targets:
            if target.domain not in names:
                text = f"aliases: {alias.address} leads to {target}: {_not_here(target.domain)}"
                yield look.warning(
                    f"{text}, mail cannot go there, because none is sent to other servers yet", key
                )


def _catch_all(look: Look, key: str, targets: tuple[Address, ...], names: set[str]) -> Iterator[Problem]:
    """Mail that is for nobody is the worst to send on."""
    for target in targets:
        if target.domain not in names and look.sound(key):
            text = f"{key.rpartition('.')[2]}: {target}: {_not_here(target.domain)}, mail cannot go there"
            yield look.warning(f"{text}, because none is sent to other servers yet", key)
