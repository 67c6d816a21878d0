"""The content of one message in the queue, read piece by piece in threads."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
from zope.interface import implementer

from mailsuite.durable.descriptor import Descriptor, run_owned
from mailsuite.durable.files import temporary_failure
from mailsuite.interfaces import IQueuedContent, IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import MESSAGE_GONE


@implementer(IQueuedContent)
@attrs.define(eq=False)
class SpooledContent:
    """Finds and opens the file when it is first read."""

    _find: Callable[[], Awaitable[tuple[str, int]]]
    """The path of the file, and how many octets were put; raises TemporaryFailure."""
    _threads: IThreads
    _descriptor: Descriptor | None = attrs.field(default=None, init=False)
    _position: int = attrs.field(default=0, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    async def read(self, octets: int) -> bytes:
        try:
            if self._descriptor is None:
                opened = await run_owned(self._threads, partial(_open, *await self._find()), Descriptor.close)
                self._descriptor = opened
                if self._closed:
                    opened.close()
            data = await self._threads.run(partial(_read, self._descriptor, octets, self._position))
        except FileNotFoundError as error:
            raise TemporaryFailure(MESSAGE_GONE, str(error)) from error
        except OSError as error:
            raise temporary_failure(error) from error
        self._position += len(data)
        return data

    def close(self) -> None:
        self._closed = True
        if self._descriptor is not None:
            self._descriptor.close()


def _open(path: str, size: int) -> Descriptor:
    """What is not as long as it was is no content: half of a message would look like a whole one."""
    descriptor = Descriptor(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
    found = os.fstat(descriptor.number).st_size
    if found != size:
        descriptor.close()
        raise TemporaryFailure(MESSAGE_GONE, f"{path} has {found} octets, and {size} were put")
    return descriptor


def _read(descriptor: Descriptor, octets: int, position: int) -> bytes:
    with descriptor.borrowed() as number:
        return os.pread(number, octets, position)
