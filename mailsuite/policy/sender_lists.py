"""Senders that no mail is taken from: kill files and accept lists (features row S-I09)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.reply import SENDER_BLOCKED
from mailsuite.model.sender_list import SenderEntry, SenderList, SenderSet


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


def compiled(rules: SenderRules, files: Mapping[Path, Iterable[SenderEntry]]) -> SenderList:
    """The list that *rules* mean, with the contents of their files."""

    def entries(inline: tuple[SenderEntry, ...], paths: tuple[Path, ...]) -> SenderSet:
        return SenderSet.of((*inline, *(entry for path in paths for entry in files[path])))

    return SenderList(entries(rules.block, rules.block_files), entries(rules.accept, rules.accept_files))


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
        refused = self.lists.list_of(self.rules).blocks(facts.sender)
        return Refuse(SENDER_BLOCKED) if refused else Accept()
