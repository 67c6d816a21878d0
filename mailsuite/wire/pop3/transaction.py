"""The TRANSACTION state: the commands on messages (RFC 1939 sections 5, 7, 8; LAST: RFC 1460 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import attrs

from mailsuite.model import response as say
from mailsuite.model.response import Response
from mailsuite.model.retention import Terms
from mailsuite.wire.pop3.commands import Keyword, parse_number
from mailsuite.wire.pop3.events import Listing, Quit, Retrieve
from mailsuite.wire.pop3.snapshot import LINES_PER_CHUNK, Snapshot

LEAST_LINE_OCTETS = 2
"""Of an empty line."""


@attrs.define
class Transaction:
    """Answers from the snapshot. Methods take a command's arguments, in number already right.

    Where the site lets nobody leave mail behind (``terms.expire`` is 0; RFC 1939 section 8), QUIT removes
    what RETR has sent to its end, marked or not, and TOP shows headers alone, so that nobody reads by TOP;
    but that a TOP of so many lines that it must be the whole message is that, and counts as a RETR: programs
    read by it and then send DELE.
    """

    snapshot: Snapshot
    terms: Terms
    _retrieved: set[int] = attrs.field(factory=set, init=False)
    _under_way: int = attrs.field(default=0, init=False)
    """The number that RETR was last asked for, until it is sent; 0: none."""
    _highest: int = attrs.field(default=0, init=False)
    """The "highest number accessed" of RFC 1460, by RETR and DELE, in this session alone."""

    @property
    def _leaves_nothing(self) -> bool:
        return self.terms.expire == 0

    @property
    def summary(self) -> Response:
        """What is in the maildrop, in words."""
        return say.maildrop_state(self.snapshot.count, self.snapshot.octets)

    def stat(self, arguments: tuple[bytes, ...]) -> Response:
        return say.drop_listing(self.snapshot.count, self.snapshot.octets)

    def list(self, arguments: tuple[bytes, ...]) -> Response | Listing:
        if not arguments:
            return self._listing(self.snapshot.sizes())
        number = self.snapshot.find(arguments[0])
        if isinstance(number, Response):
            return number
        return say.single_listing(number, self.snapshot[number].size)

    def uidl(self, arguments: tuple[bytes, ...]) -> Response | Listing:
        if not arguments:
            return self._listing(self.snapshot.unique_ids())
        number = self.snapshot.find(arguments[0])
        if isinstance(number, Response):
            return number
        return say.single_listing(number, self.snapshot[number].uidl)

    def retr(self, arguments: tuple[bytes, ...]) -> Response | Retrieve:
        number = self.snapshot.find(arguments[0])
        if isinstance(number, Response):
            return number
        self._under_way = number
        return Retrieve(self.snapshot[number])

    def top(self, arguments: tuple[bytes, ...]) -> Response | Retrieve:
        number = self.snapshot.find(arguments[0])
        if isinstance(number, Response):
            return number
        lines = parse_number(arguments[1])
        if lines is None:
            return say.NO_LINE_COUNT
        message = self.snapshot[number]
        is_whole = lines * LEAST_LINE_OCTETS >= message.size
        counts = is_whole and (self._leaves_nothing or self.terms.tops_count)
        self._under_way = number if counts else 0
        return Retrieve(message, 0 if self._leaves_nothing and not counts else lines)

    def sent(self) -> None:
        """What RETR or TOP asked for last has gone out to its end."""
        if self._under_way:
            self._retrieved.add(self._under_way)
            self._highest = max(self._highest, self._under_way)

    def dele(self, arguments: tuple[bytes, ...]) -> Response:
        number = self.snapshot.find(arguments[0])
        if isinstance(number, Response):
            return number
        self.snapshot.mark(number)
        self._highest = max(self._highest, number)
        return say.message_marked(number)

    def rset(self, arguments: tuple[bytes, ...]) -> Response:
        """RSET: what was retrieved stays so."""
        self.snapshot.reset()
        self._highest = 0
        return self.summary

    def noop(self, arguments: tuple[bytes, ...]) -> Response:
        return say.DONE

    def last(self, arguments: tuple[bytes, ...]) -> Response:
        return say.highest_accessed(self._highest)

    def update(self) -> Quit:
        """The session enters UPDATE (RFC 1939 section 6)."""
        removed = self.snapshot.marked | (self._retrieved if self._leaves_nothing else set())
        return Quit(self.snapshot.chosen(removed), self.snapshot.chosen(self._retrieved))

    def _listing(self, chunks: Iterator[bytes]) -> Listing:
        return Listing(self.summary, chunks, self.snapshot.count <= LINES_PER_CHUNK)


COMMANDS: Mapping[Keyword, Callable[[Transaction, tuple[bytes, ...]], Response | Listing | Retrieve]] = {
    Keyword.STAT: Transaction.stat,
    Keyword.LIST: Transaction.list,
    Keyword.UIDL: Transaction.uidl,
    Keyword.RETR: Transaction.retr,
    Keyword.TOP: Transaction.top,
    Keyword.DELE: Transaction.dele,
    Keyword.RSET: Transaction.rset,
    Keyword.NOOP: Transaction.noop,
    Keyword.LAST: Transaction.last,
}
"""What a client may say here, besides CAPA and QUIT."""
