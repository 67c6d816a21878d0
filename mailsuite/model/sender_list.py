"""Lists of senders (features row S-I09: kill file, accept list)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from mailsuite.model.address import Address, AddressSyntaxError, normalise_domain

MAX_OWN_SENDERS: Final = 1000
"""Entries of one list of an account or a domain; our own limit. Larger ones are files of a listener."""


@attrs.frozen
class SenderEntry:
    """One sender, all of a domain, or all of the domains below one."""

    text: str
    """As it was written."""
    domain: str
    local: str | None = None
    """Canonical; None: everybody."""
    below: bool = False
    """The domains below ``domain`` are meant, and not that one."""


def parse_sender(text: str) -> SenderEntry:
    """``eve@example.org``, ``example.org``, or ``*.example.org`` for what is below it.

    Raises AddressSyntaxError.
    """
    written = text.strip()
    if "@" in written and not written.startswith("*@"):
        address = Address.parse(written).canonical
        return SenderEntry(written, address.domain, address.local)
    name = written.removeprefix("*@")
    below = name.startswith("*.")
    domain = normalise_domain(name.removeprefix("*."))
    if "." not in domain or domain.startswith("["):
        raise AddressSyntaxError("a domain with a dot in it is meant")
    return SenderEntry(written, domain, below=below)


@attrs.frozen
class SenderSet:
    """Entries made ready for quick answers, however many there are."""

    _addresses: frozenset[tuple[str, str]] = frozenset()
    _domains: frozenset[str] = frozenset()
    _parents: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[SenderEntry]) -> SenderSet:
        addresses, domains, parents = set[tuple[str, str]](), set[str](), set[str]()
        for entry in entries:
            if entry.local is not None:
                addresses.add((entry.local, entry.domain))
            else:
                (parents if entry.below else domains).add(entry.domain)
        return cls(frozenset(addresses), frozenset(domains), frozenset(parents))

    def __contains__(self, sender: Address) -> bool:
        plain = sender.canonical
        if (plain.local, plain.domain) in self._addresses or plain.domain in self._domains:
            return True
        labels = plain.domain.split(".")
        return any(".".join(labels[at:]) in self._parents for at in range(1, len(labels)))


@attrs.frozen
class SenderList:
    """Who is blocked, and who is accepted all the same."""

    block: SenderSet = SenderSet()
    accept: SenderSet = SenderSet()

    def blocks(self, sender: Address) -> bool | None:
        """Whether no mail is taken from *sender*; None where nothing is said of them."""
        if sender in self.accept:
            return False
        return True if sender in self.block else None


@attrs.frozen
class OwnSenders:
    """The lists of an account or a domain, as they were written."""

    block: tuple[SenderEntry, ...] = ()
    accept: tuple[SenderEntry, ...] = ()
    _ready: SenderList = attrs.field(init=False, eq=False, repr=False)

    @_ready.default
    def _made_ready(self) -> SenderList:
        return SenderList(SenderSet.of(self.block), SenderSet.of(self.accept))

    def blocks(self, sender: Address) -> bool | None:
        """As SenderList.blocks()."""
        return self._ready.blocks(sender)


NO_SENDERS: Final = OwnSenders()
"""Nothing is said of anybody."""
