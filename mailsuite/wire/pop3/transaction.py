"""The TRANSACTION state: the commands on messages (RFC 1939 sections 5 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import attrs

from mailsuite.model import response as say
from mailsuite.model.response import Response
from mailsuite.wire.pop3.commands import Keyword, parse_number
from mailsuite.wire.pop3.events import Listing, Retrieve
from mailsuite.wire.pop3.snapshot import LINES_PER_CHUNK, Snapshot


@attrs.define
class Transaction:
    """Answers from the snapshot. Methods take a command's arguments, in number already right."""

    snapshot: Snapshot

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
        return number if isinstance(number, Response) else Retrieve(self.snapshot[number])

    def top(self, arguments: tuple[bytes, ...]) -> Response | Retrieve:
        number = self.snapshot.find(arguments[0])
        if isinstance(number, Response):
            return number
        lines = parse_number(arguments[1])
        return say.NO_LINE_COUNT if lines is None else Retrieve(self.snapshot[number], lines)

    def dele(self, arguments: tuple[bytes, ...]) -> Response:
        number = self.snapshot.find(arguments[0])
        if isinstance(number, Response):
            return number
        self.snapshot.mark(number)
        return say.message_marked(number)

    def rset(self, arguments: tuple[bytes, ...]) -> Response:
        self.snapshot.reset()
        return self.summary

    def noop(self, arguments: tuple[bytes, ...]) -> Response:
        return say.DONE

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
}
"""What a client may say here, besides CAPA and QUIT."""
