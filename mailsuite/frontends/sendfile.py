"""Files to sockets without a way through this process: sendfile(2) on connections in clear.

Nothing of the file is in our memory, however slowly the client reads: what waits, waits in the kernel's
buffer of the socket. Over TLS it cannot be, since what goes to the socket there is made by the TLS session.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer, ISSLTransport
from twisted.internet.tcp import Connection
from zope.interface import implementer

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import STORE_UNAVAILABLE

LEAST_OCTETS = 64 * 1024
"""Below that, reading the file in the thread that opens it and one write are cheaper."""
SLICE_OCTETS = 256 * 1024
"""Sent at most before the other connections have their turn."""
READAHEAD_OCTETS = 1024 * 1024
"""What the disk is asked for beyond what is being sent, so that sendfile() need not wait for it."""

_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
"""The file system has no sendfile(), as some in user space."""
_GONE = {errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN, errno.ETIMEDOUT}

Copy = Callable[[int, int, int, int], int]
"""As os.sendfile(): to, from, at, octets; answers how many went."""


def can_send(transport: Any) -> bool:
    """Whether send_file() may write past *transport*: a TCP socket in clear.

    Judged by what it is, not by what it has: TLS passes on the descriptor of the socket beneath it, and
    octets that went there would be no part of the TLS session.
    """
    return isinstance(transport, Connection) and not ISSLTransport.providedBy(transport)


async def send_file(
    transport: Any,
    descriptor: int,
    size: int,
    progress: Callable[[int], None],
    copy: Copy = os.sendfile,
) -> bool:
    """Send the first *size* octets of a file behind all that was written to *transport*.

    *transport* has no producer, and nobody writes to it until this returns. *descriptor* stays open until
    then. *progress* is told of the octets that went to the kernel, as they go.

    False: the connection is gone. Raises TemporaryFailure where the file ends too early or cannot be read;
    then, and when it is cancelled, the client has a part of it, and the connection is of no more use.
    """
    if not can_send(transport):
        raise ValueError("no plain TCP connection")
    if not size:
        return True
    sending = _Sending(transport, descriptor, size, progress, copy)
    transport.registerProducer(sending, False)
    return await sending.done


@implementer(IPullProducer)
@attrs.define(eq=False)
class _Sending:
    """One file on its way. The transport asks for more when it has nothing left to write itself."""

    _transport: Any
    _descriptor: int
    _size: int
    _progress: Callable[[int], None]
    _copy: Copy
    _position: int = attrs.field(default=0, init=False)
    _asked_for: int = attrs.field(default=0, init=False)
    """What the disk was asked for ends here."""
    _registering: bool = attrs.field(default=True, init=False)
    done: Deferred[bool] = attrs.field(init=False)

    @done.default
    def _waiting(self) -> Deferred[bool]:
        return Deferred(lambda _: self._transport.unregisterProducer())

    def resumeProducing(self) -> None:
        """The first call is the registration's: what was written before may still wait in the transport."""
        if self._registering:
            self._registering = False
            self._transport.startWriting()
            return
        try:
            self._send_slice()
        except BlockingIOError:
            self._transport.startWriting()
        except OSError as error:
            self._failed(error)
        except Exception:
            self._end(self.done.errback)

    def stopProducing(self) -> None:
        """The connection is lost."""
        self.done.callback(False)

    def _send_slice(self) -> None:
        """Send what the socket takes; raises OSError."""
        self._read_ahead()
        octets = min(SLICE_OCTETS, self._size - self._position)
        sent = self._copy(self._transport.fileno(), self._descriptor, self._position, octets)
        if not sent:
            detail = f"the file ends after {self._position} of {self._size} octets"
            raise OSError(errno.EIO, detail)
        self._position += sent
        self._progress(sent)
        if self._position < self._size:
            self._transport.startWriting()
        else:
            self._end(lambda: self.done.callback(True))

    def _read_ahead(self) -> None:
        """Only a hint: it returns before the disk does. Linux has it, and not every other system."""
        if self._position + SLICE_OCTETS > self._asked_for < self._size and hasattr(os, "posix_fadvise"):
            ahead = self._position, SLICE_OCTETS + READAHEAD_OCTETS
            os.posix_fadvise(self._descriptor, *ahead, os.POSIX_FADV_WILLNEED)
            self._asked_for = sum(ahead)

    def _failed(self, error: OSError) -> None:
        if error.errno in _GONE:
            self._transport.abortConnection()
            self._end(lambda: self.done.callback(False))
        elif error.errno in _UNSUPPORTED and self._copy is not copy_through_memory:
            self._copy = copy_through_memory
            self._transport.startWriting()
        else:
            self._end(lambda: self.done.errback(TemporaryFailure(STORE_UNAVAILABLE, str(error))))

    def _end(self, tell: Callable[[], None]) -> None:
        self._transport.unregisterProducer()
        tell()


def copy_through_memory(to: int, source: int, position: int, octets: int) -> int:
    """What sendfile() does, where there is none."""
    return os.write(to, os.pread(source, min(octets, LEAST_OCTETS), position))
