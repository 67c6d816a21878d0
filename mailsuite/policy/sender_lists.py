"""Senders that no mail is taken from: kill files and accept lists (features row S-I09)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.reply import SENDER_BLOCKED
from mailsuite.model.sender_list import SenderEntry


@attrs.frozen
class SenderRules:
    """What the settings of a door say: entries, and files with more of them."""

    block: tuple[SenderEntry, ...] = ()
    block_files: tuple[Path, ...] = ()
    accept: tuple[SenderEntry, ...] = ()
    accept_files: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys((*self.block_files, *self.accept_files)))


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

    @classmethod
    def compiled(cls, rules: SenderRules, files: Mapping[Path, Iterable[SenderEntry]]) -> SenderList:
        """From *rules* and the contents of their files."""

        def entries(inline: tuple[SenderEntry, ...], paths: tuple[Path, ...]) -> SenderSet:
            return SenderSet.of((*inline, *(entry for path in paths for entry in files[path])))

        return cls(entries(rules.block, rules.block_files), entries(rules.accept, rules.accept_files))

    def refuses(self, sender: Address) -> bool:
        """Whether no mail is taken from *sender*."""
        return sender in self.block and sender not in self.accept


class Lists(Protocol):
    """Who keeps the lists: policy/sender_files.py."""

    def list_of(self, rules: SenderRules) -> SenderList:
        """The list of *rules* as it is now."""
        ...


@implementer(IPolicyRule)
@attrs.frozen
class BlockedSenders:
    """Refuses a reverse-path that is on the list of the moment. The null one is on none: notices of other
    servers have it (RFC 5321 section 4.5.5). Who has logged in is no stranger, and never blocked."""

    lists: Lists
    rules: SenderRules
    name: str = "blocked-senders"
    asked_at: ClassVar = frozenset({Stage.MAIL})

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.stage is not Stage.MAIL or facts.sender is None or facts.connection.account is not None:
            return Accept()
        refused = self.lists.list_of(self.rules).refuses(facts.sender)
        return Refuse(SENDER_BLOCKED) if refused else Accept()
