"""A message file opened for reading."""

from __future__ import annotations

import os
from functools import partial

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IMessageBody, IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.message import MessageRef
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.store.maildir.descriptor import Descriptor
from mailsuite.store.maildir.files import temporary_failure
from mailsuite.store.maildir.names import parse
from mailsuite.store.maildir.scan import open_regular
from mailsuite.store.maildir.wireform import WireReader


@implementer(IMessageBody)
@attrs.define(eq=False)
class FileBody:
    """Read in a thread, a chunk at a time; the first chunk came with the opening."""

    size: int
    _threads: IThreads
    _file: Descriptor
    _reader: WireReader
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
            return await self._threads.run(partial(_read, self._file, self._reader))
        except OSError as error:
            raise temporary_failure(error) from error

    def close(self) -> None:
        self._first = b""
        self._file.close()


def _read(file: Descriptor, reader: WireReader) -> bytes:
    with file.borrowed() as number:
        return reader.read(number)


def open_body(path: str, ref: MessageRef, threads: IThreads) -> FileBody:
    """Open the file of *ref* and read its start. Blocks: for a thread.

    Raises OSError, and TemporaryFailure where the file's size is not what its name says.
    """
    number, status = open_regular(path)
    try:
        stored = parse(os.path.basename(path)).stored
        if stored is not None and stored != status.st_size:
            raise TemporaryFailure(STORE_UNAVAILABLE, f"{path} holds {status.st_size} octets")
        as_stored = stored == ref.size
        reader = WireReader(ref.size, convert=not as_stored)
        return FileBody(
            ref.size,
            threads,
            Descriptor(number),
            reader,
            reader.read(number),
            as_stored and _ends_a_line(number, ref.size),
        )
    except BaseException:
        os.close(number)
        raise


def _ends_a_line(descriptor: int, size: int) -> bool:
    return size == 0 or os.pread(descriptor, 2, max(0, size - 2)) == b"\r\n"
