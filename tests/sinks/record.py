"""What a sink has seen: sessions, and the transactions in them. Values; whoever waits for one is woken."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

import attrs

PATIENCE = 30.0
"""Seconds that whoever waits does so at most."""

Ending = Literal["", "quit", "client", "sink"]
Reached = Literal["MAIL", "DATA", "END"]


@attrs.frozen
class Tls:
    """What was agreed on."""

    version: str
    cipher: str
    name: str = ""
    """The one that the client asked for (SNI)."""


@attrs.define(eq=False)
class Session:
    """One connection; its own thread changes it."""

    number: int
    """From 1, over all addresses of a sink."""
    peer: str
    port: int
    here: str
    """The address that was called."""
    began: float = attrs.field(factory=time.monotonic)
    """By the clock of time.monotonic()."""
    hello: str = ""
    """The latest: ``EHLO mail.example.test``."""
    tls: Tls | None = None
    login: str = ""
    """Who has logged in."""
    commands: list[str] = attrs.field(factory=list)
    """Whole lines, without what AUTH says behind its mechanism."""
    pipelined: int = 0
    """Commands behind which the client had said more already."""
    ended: Ending = ""
    """By whom; empty: not yet."""
    why: str = ""
    """How it failed, where it did."""


@attrs.frozen
class Recipient:
    address: str
    parameters: tuple[str, ...]
    code: int
    """What RCPT was told."""
    taken: bool = False
    """The message was taken for this recipient."""


@attrs.frozen
class Transaction:
    """One MAIL, and what came of it."""

    session: Session
    sender: str
    parameters: tuple[str, ...]
    recipients: tuple[Recipient, ...] = ()
    reached: Reached = "MAIL"
    """How far it came: END is a whole message."""
    chunked: bool = False
    body: bytes = b""
    """Without the final dot, the others unstuffed; what there is of it where the end was not reached."""
    replies: tuple[int, ...] = ()
    """Codes after the end: one, in LMTP one for each recipient; empty where nothing was said."""
    at: float = 0.0
    """When it was over, but for the answer; by the same clock."""
    answered: bool = False
    """The replies have gone out whole. What was taken and not answered is in the window of RFC 1047."""

    @property
    def taken_for(self) -> tuple[str, ...]:
        return tuple(each.address for each in self.recipients if each.taken)

    @property
    def name(self) -> str:
        return name_of(self.body)


_NAME = re.compile(rb"^X-Load: *(\S+)\r\n", re.MULTILINE | re.IGNORECASE)


def name_of(message: bytes) -> str:
    """What its field X-Load calls a message; a load of mail is counted by it."""
    found = _NAME.search(message)
    return found[1].decode() if found else ""


@attrs.define(eq=False)
class Record:
    """All that one sink, or several that share it, have seen. Any thread may write, read and wait."""

    _sessions: list[Session] = attrs.field(factory=list, init=False)
    _transactions: list[Transaction] = attrs.field(factory=list, init=False)
    _faults: list[str] = attrs.field(factory=list, init=False)
    _taken: int = attrs.field(default=0, init=False)
    _open: int = attrs.field(default=0, init=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False)

    # Reading

    @property
    def sessions(self) -> tuple[Session, ...]:
        with self._changed:
            return tuple(self._sessions)

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """In the order in which they ended."""
        with self._changed:
            return tuple(self._transactions)

    @property
    def messages(self) -> tuple[Transaction, ...]:
        """Those of them that were taken, for anybody."""
        return tuple(each for each in self.transactions if each.taken_for)

    @property
    def faults(self) -> tuple[str, ...]:
        """What clients have done that they may not."""
        with self._changed:
            return tuple(self._faults)

    def copies(self, name: Callable[[Transaction], str] = lambda each: each.name) -> Counter[tuple[str, str]]:
        """(message, recipient) -> how often it was taken."""
        return Counter((name(each), address) for each in self.messages for address in each.taken_for)

    # Waiting

    def until(self, condition: Callable[[Record], object], seconds: float = PATIENCE) -> None:
        """Return as soon as it holds. Raises AssertionError with what there is when the time is over."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), seconds), self.told()

    def until_taken(self, count: int, seconds: float = PATIENCE) -> tuple[Transaction, ...]:
        """So many messages, or more; those that there are."""
        self.until(lambda _: self._taken >= count, seconds)
        return self.messages

    def until_over(self, seconds: float = PATIENCE) -> None:
        """Until there was a session and none is open."""
        self.until(lambda _: self._sessions and not self._open, seconds)

    def told(self) -> str:
        """All of it, for somebody who wonders."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for session in self.sessions:
            ended = session.ended or "open"
            yield f"{session.number} {session.peer} -> {session.here}: {ended} {session.why}"
            yield from (f"    {line}" for line in session.commands)
        for each in self.transactions:
            yield f"{each.session.number} <{each.sender}> {each.reached} {each.recipients} {each.replies}"
        yield from self.faults

    # Writing

    def begin(self, peer: str, port: int, here: str) -> Session:
        with self._changed:
            session = Session(len(self._sessions) + 1, peer, port, here)
            self._sessions.append(session)
            self._open += 1
            self._changed.notify_all()
            return session

    def changed(self) -> None:
        """A session has."""
        with self._changed:
            self._changed.notify_all()

    def end(self, session: Session, ended: Ending, why: str = "") -> None:
        with self._changed:
            session.ended, session.why = ended, why
            self._open -= 1
            self._changed.notify_all()

    def add(self, transaction: Transaction) -> int:
        """One that is over, but for the answer; its place."""
        with self._changed:
            self._transactions.append(attrs.evolve(transaction, at=time.monotonic()))
            self._taken += bool(transaction.taken_for)
            self._changed.notify_all()
            return len(self._transactions) - 1

    def answered(self, place: int) -> None:
        with self._changed:
            self._transactions[place] = attrs.evolve(self._transactions[place], answered=True)
            self._changed.notify_all()

    def fault(self, text: str) -> None:
        with self._changed:
            self._faults.append(text)
            self._changed.notify_all()
