"""The outbound queue: mail for other servers."""

from __future__ import annotations

from zope.interface import Attribute, Interface

from mailsuite.model.envelope import OutboundEnvelope


class IOutboundQueue(Interface):
    """Messages on their way to other servers."""

    def begin(envelope: OutboundEnvelope) -> IQueuing:
        """Begin to put one message into the queue. Nobody is sent anything before the commit."""


class IQueuing(Interface):
    """One message on its way into the queue: begin, write, prepare, commit or abort, as IDelivery."""

    envelope: OutboundEnvelope = Attribute("As it was begun with.")
    congested: bool = Attribute("True while the writer should wait for drained() before it writes on.")

    def write(data: bytes) -> None:
        """Take the next octets, CRLF line ends, no dot-stuffing. Never blocks. A failure to write is kept and
        raised by prepare()."""

    async def drained() -> None:
        """Return when more octets can be taken without growing beyond the bound."""

    async def prepare() -> None:
        """Make the message survive a crash, though nobody is sent it yet. Raises TemporaryFailure."""

    async def commit() -> None:
        """Put the prepared message into the queue, durably: from here on it is sent. Raises
        TemporaryFailure; then it is not in the queue."""

    async def abort() -> None:
        """Undo: nothing stays, not even after commit() where the process still runs and nothing was sent yet.
        Always safe, any number of times."""
