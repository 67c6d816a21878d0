"""One message between DATA and its end: through the header's filter, then to all who get it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from mailsuite.delivery.envelope import Envelope
from mailsuite.delivery.header import CRLF, HEADER_END, HeaderFilter
from mailsuite.delivery.transaction import Transaction
from mailsuite.model.address import Address
from mailsuite.model.facts import HeaderFacts
from mailsuite.model.notice import Level
from mailsuite.model.reply import Reply


@attrs.define(eq=False)
class Incoming:
    """Takes the octets as they come.

    At the end of the header it is ``pending``, and keeps what follows: whoever feeds it asks the rules, and
    then says go_on(). With a ``refusal`` nothing of it may be delivered; it is aborted then.
    """

    id: str
    """Ours, as in the reply and in the log."""
    envelope: Envelope
    transaction: Transaction
    _filter: HeaderFilter
    """One that holds."""
    apart: bool = False
    """Each recipient has a fate of their own."""
    room: int = 0
    """Octets of its beginning that are kept, for notices about it."""
    followed: Mapping[Address, Level] = attrs.field(factory=dict)
    """The accounts that get it and that somebody follows."""
    beginning: bytearray = attrs.field(factory=bytearray, init=False)
    refusal: Reply | None = attrs.field(default=None, init=False)

    def take(self, data: bytes) -> None:
        """Raises what the transaction raises."""
        self._pass_on(self._filter.feed(data))

    def finish(self) -> None:
        """There is no more. It may be pending after this. Raises as take() does."""
        self._pass_on(self._filter.finish())

    def go_on(self, sender: Address | None) -> None:
        """The rules have nothing against it; where they name a *sender* that is what Sender says (RFC 6409
        section 8.1). Raises as take() does."""
        released = self._filter.release() if sender is None else self._filter.replace_sender(sender)
        # Where there is no field the empty line is the first; behind it one belongs to the body.
        before, end, _ = (b"", CRLF, b"") if released.startswith(CRLF) else released.partition(HEADER_END)
        if end:
            self._pass_on(before + end)
            self.transaction.end_header()
            released = released[len(before + end) :]
        self._pass_on(released)

    def _pass_on(self, data: bytes) -> None:
        self.refusal = self._filter.defect
        if data:
            if self.room:
                kept = data[: self.room]
                self.beginning += kept
                self.room -= len(kept)
            self.transaction.write(data)

    @property
    def pending(self) -> bool:
        return self._filter.pending

    @property
    def header(self) -> HeaderFacts | None:
        """What the message says of itself; None until that is known."""
        return self._filter.facts

    @property
    def circling(self) -> frozenset[Address]:
        """The accounts in whose maildrops it has been before (RFC 9228)."""
        return frozenset(
            copy.account for copy in self.envelope.copies if self._filter.has_been_at(copy.recipient)
        )

    @property
    def congested(self) -> bool:
        """Whether the shell is to wait before it feeds more."""
        return self.pending or self.transaction.congested
