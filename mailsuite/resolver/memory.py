"""A table in the place of the domain name system, for tests."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import IResolver
from mailsuite.model.account import IPAddress
from mailsuite.model.dns import Answer
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DNS_UNAVAILABLE
from mailsuite.resolver.lookups import Lookups
from mailsuite.resolver.question import Question, Type, reverse_name

Entry = Answer[Any] | Literal["silence", "trouble"]


@implementer(IResolver)
@attrs.define(eq=False)
class MemoryResolver(Lookups):
    """What set() said; every other name does not exist, and one that is known has no other records."""

    _table: dict[Question, Entry] = attrs.field(factory=dict, init=False)
    asked: list[Question] = attrs.field(factory=list, init=False)
    _waiting: list[Deferred[None]] = attrs.field(factory=list, init=False)

    def set(self, name: str | IPAddress, kind: Type, *records: Hashable, authentic: bool = False) -> None:
        """The records of a name, or the names of an address."""
        self._table[_question(name, kind)] = Answer(records, authentic=authentic)

    def trouble(self, name: str | IPAddress, kind: Type) -> None:
        """This cannot be known."""
        self._table[_question(name, kind)] = "trouble"

    def silence(self, name: str | IPAddress, kind: Type) -> None:
        """This is not answered."""
        self._table[_question(name, kind)] = "silence"

    def release(self) -> None:
        """All that were left waiting are told that it cannot be known."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:
                each.callback(None)

    async def find(self, question: Question) -> Answer[Any]:
        self.asked.append(question)
        entry = self._table.get(question)
        if entry is None:
            return Answer(exists=any(other.name == question.name for other in self._table))
        if entry == "silence":
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            await waiter
        if not isinstance(entry, Answer):
            raise TemporaryFailure(
                DNS_UNAVAILABLE, f"{question.name} {question.type.name}: as the test wants it"
            )
        return entry


def _question(name: str | IPAddress, kind: Type) -> Question:
    text = name if isinstance(name, str) else reverse_name(name)
    return Question(text.lower(), kind)
