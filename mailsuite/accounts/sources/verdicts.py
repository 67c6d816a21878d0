"""Remembers for a short while what a source has said."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

import attrs

from mailsuite.model.address import Address

MAX_ENTRIES = 10_000
"""Of either verdict: about 3 MB."""


@attrs.define(eq=False)
class _Side:
    """One verdict and the questions that had it, the oldest first."""

    life: float
    asked_at: OrderedDict[tuple[Address, bytes], float] = attrs.field(factory=OrderedDict)

    def forget_oldest(self, now: float, most: int) -> None:
        while self.asked_at:
            oldest = next(iter(self.asked_at.values()))
            if len(self.asked_at) <= most and 0 <= now - oldest < self.life:
                return
            self.asked_at.popitem(last=False)


@attrs.define(eq=False)
class Verdicts:
    """Answers of one source, by account and by digest of the password under a key that lives only in this
    process.

    Each ends *accepted* or *refused* seconds after the source was asked; a hit does not prolong it. The two
    are kept apart, so that no number of wrong passwords drives out a right one.
    """

    seconds: Callable[[], float]
    accepted: float
    refused: float
    max_entries: int = MAX_ENTRIES
    forgotten: int = attrs.field(default=0, init=False)
    """How often forget() was called: an answer to a question from before it is not worth keeping."""
    _key: bytes = attrs.field(factory=lambda: secrets.token_bytes(32), init=False, repr=False)
    _sides: dict[bool, _Side] = attrs.field(init=False, repr=False)

    @_sides.default
    def _make_sides(self) -> dict[bool, _Side]:
        return {True: _Side(self.accepted), False: _Side(self.refused)}

    def recall(self, account: Address, password: bytes) -> bool | None:
        """What the source said to this a short time ago; None where it must be asked."""
        question = account, self._digest(password)
        for verdict, side in self._sides.items():
            at = side.asked_at.get(question)
            if at is not None and 0 <= self.seconds() - at < side.life:  # below 0: the clock was set back
                return verdict
        return None

    def remember(self, account: Address, password: bytes, verdict: bool, forgotten: int) -> None:
        """The source said so just now; *forgotten* as it was when it was asked."""
        if forgotten != self.forgotten:
            return
        question = account, self._digest(password)
        self._sides[not verdict].asked_at.pop(question, None)
        side = self._sides[verdict]
        side.asked_at[question] = self.seconds()
        side.asked_at.move_to_end(question)
        side.forget_oldest(self.seconds(), self.max_entries)

    def forget(self, account: Address) -> None:
        """Nothing that was said about *account* holds any more, nor what is being asked now."""
        self.forgotten += 1
        for side in self._sides.values():
            for question in [one for one in side.asked_at if one[0] == account]:
                del side.asked_at[question]

    def __len__(self) -> int:
        return sum(len(side.asked_at) for side in self._sides.values())

    def _digest(self, password: bytes) -> bytes:
        return blake2b(password, key=self._key, digest_size=32).digest()
