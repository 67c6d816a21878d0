"""A message file opened for reading."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial

import attrs
from zope.interface import implementer

from mailsuite.durable.descriptor import Descriptor
from mailsuite.durable.files import temporary_failure
from mailsuite.interfaces import IMessageBody, IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.message import MessageRef
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.store.maildir.cached import open_regular_cached
from mailsuite.store.maildir.names import parse
from mailsuite.store.maildir.scan import open_regular
from mailsuite.store.maildir.wireform import (
    READ_OCTETS,
    ConvertingReader,
    PlainReader,
    Pread,
    SizeMismatch,
    pread_cached,
)

Reader = PlainReader | ConvertingReader

_OURS = re.compile(r"[^:]*,D=[01](?:[,:]|\Z)")
"""A name whose file we wrote: in wire form, if its sizes say so. Anybody may write S= and W=, and err."""
READAHEAD_OCTETS = 1 << 20
"""Of a file that is sent by sendfile, what the disk is asked for at opening."""


@implementer(IMessageBody)
@attrs.define(eq=False)
class FileBody:
    """Read a chunk at a time, in a thread where a disk may have to be waited for; the first chunk came with
    the opening, but for a large file that sendfile() may take.

    Where the size in a foreign name is wrong, ``size`` is right from the opening on for a message of one
    chunk, and for a larger one when it has been read to its end.
    """

    size: int
    _threads: IThreads
    _file: Descriptor
    _reader: Reader
    _first: bytes
    _sendable: bool

    @property
    def descriptor(self) -> int:
        return self._file.number if self._sendable and not self._file.closed else -1

    async def read(self) -> bytes:
        if self._file.closed:
            raise RuntimeError("read after close()")
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._reader.done:
            return b""
        try:
            chunk = self._read_cached() or await self._threads.run(partial(_read, self._file, self._reader))
        except OSError as error:
            raise temporary_failure(error) from error
        self._learn_size()
        return chunk

    def _learn_size(self) -> None:
        if self._reader.done:
            self.size = self._reader.answered

    def _read_cached(self) -> bytes:
        """What needs no thread because it is in memory; b"" where it does."""
        try:
            return self._reader.read(self._file.number, pread_cached)
        except SizeMismatch:
            raise
        except OSError:
            return b""

    def close(self) -> None:
        self._first = b""
        self._file.close()


def _read(file: Descriptor, reader: Reader) -> bytes:
    with file.borrowed() as number:
        return reader.read(number)


Opener = Callable[[str], tuple[int, os.stat_result]]
"""As scan.open_regular()."""


def open_body(path: str, ref: MessageRef, threads: IThreads) -> FileBody:
    """Open the file of *ref* and read its start. Blocks: for a thread.

    Raises OSError, and TemporaryFailure where the file's size is not what its name says.
    """
    return _open(path, ref, threads, open_regular, os.pread)


def open_body_cached(path: str, ref: MessageRef, threads: IThreads) -> FileBody | None:
    """The same for the reactor: what is in memory already; None where it is not, or where anything is
    unusual, which open_body() then tells."""
    try:
        return _open(path, ref, threads, open_regular_cached, pread_cached)
    except (OSError, TemporaryFailure):
        return None


def _open(path: str, ref: MessageRef, threads: IThreads, opener: Opener, pread: Pread) -> FileBody:
    number, status = opener(path)
    try:
        name = os.path.basename(path)
        stored = parse(name).stored
        if stored is not None and stored != status.st_size:
            raise TemporaryFailure(STORE_UNAVAILABLE, f"{path} holds {status.st_size} octets")
        plain = stored == ref.size and _OURS.match(name) is not None
        sendable = plain and _ends_a_line(number, status.st_size, pread)
        reader: Reader = PlainReader(ref.size) if plain else ConvertingReader(status.st_size, ref.size)
        if sendable and ref.size > READ_OCTETS:
            first = b""
            _read_ahead(number)
        else:
            first = reader.read(number, pread)
        size = reader.answered if reader.done else ref.size
        return FileBody(size, threads, Descriptor(number), reader, first, sendable)
    except BaseException:
        os.close(number)
        raise


def _read_ahead(descriptor: int) -> None:
    """Only a hint. Linux has it, and not every other system."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, READAHEAD_OCTETS, os.POSIX_FADV_WILLNEED)


def _ends_a_line(descriptor: int, size: int, pread: Pread) -> bool:
    return size == 0 or pread(descriptor, 2, max(0, size - 2)) == b"\r\n"
