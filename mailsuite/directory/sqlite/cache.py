"""What is known of the accounts without asking the database."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from threading import Lock
from typing import Literal

import attrs

from mailsuite.directory.bounded import Bounded
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device

MAX_ACCOUNTS = 10_000
"""With a device or two, some 2 kB each: 20 MB."""
MAX_UNKNOWN = 10_000
"""Addresses of which nothing is kept have a room of their own, so that a stranger who guesses cannot empty
the other. At 320 octets each, 10 MB at worst."""


class Unsure(enum.Enum):
    """The answer of a cache that does not know."""

    UNSURE = "unsure"


UNSURE = Unsure.UNSURE


@attrs.frozen
class Kept:
    """All that the database keeps of one address. Without an account, what there is belongs to one that
    stands in the configuration file."""

    account: Account | None = None
    devices: tuple[Device, ...] = ()
    verifiers: bytes = attrs.field(default=b"", repr=False)
    alias: Alias | None = None


NOTHING = Kept()


@attrs.define(eq=False)
class AccountCache:
    """Written by the database's thread alone, right after each read or commit and so in their order: a
    read that began before a write can never put back what the write replaced, and a caller who was
    cancelled leaves nothing stale. Read by the reactor's thread.
    """

    _kept: Bounded[Address, Kept] = attrs.field(factory=lambda: Bounded(MAX_ACCOUNTS), init=False)
    _unknown: Bounded[Address, Literal[True]] = attrs.field(factory=lambda: Bounded(MAX_UNKNOWN), init=False)
    _domains: dict[str, Domain] | None = attrs.field(default=None, init=False)
    _lock: Lock = attrs.field(factory=Lock, init=False, repr=False)

    def kept(self, address: Address) -> Kept | Literal[Unsure.UNSURE]:
        """What is kept of that address, NOTHING for one that is nobody's, or UNSURE."""
        with self._lock:
            kept = self._kept.get(address)
            if kept is not None:
                return kept
            return NOTHING if self._unknown.get(address) else UNSURE

    def domain(self, name: str) -> Domain | Literal[Unsure.UNSURE] | None:
        """What is kept of that domain, None for one that is not ours, or UNSURE."""
        domains = self._domains
        return UNSURE if domains is None else domains.get(name)

    def learn(self, address: Address, kept: Kept) -> None:
        """This is what the database says now of that address."""
        with self._lock:
            if kept == NOTHING:
                self._kept.discard(address)
                self._unknown.put(address, True)
            else:
                self._unknown.discard(address)
                self._kept.put(address, kept)

    def learn_domains(self, domains: Iterable[Domain]) -> None:
        """These are all domains."""
        self._domains = {domain.name: domain for domain in domains}

    def forget(self) -> None:
        """Be sure of nothing any more: a write failed, and nobody knows how far it came."""
        with self._lock:
            self._kept.clear()
            self._unknown.clear()
            self._domains = None
