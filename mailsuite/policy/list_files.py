"""Files that hold a list, one entry on each line: access lists, and lists of senders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import attrs
from twisted.internet.interfaces import IDelayedCall

from mailsuite.concurrent.watch import FileWatch, Stamp, stamps
from mailsuite.interfaces import IThreads

MAX_FILE_OCTETS: Final = 16 << 20
"""Of one file; our own limit, room for half a million addresses, which is more than public lists have."""
UNLIKE_ANY: Final[Stamp] = (-1, -1, -1, -1)
"""As no file ever stands, so that the watch calls."""


def entries(path: Path, error: type[Exception]) -> Iterator[tuple[int, str]]:
    """The number and the text of each line that has an entry; what stands behind ``#`` is a remark. Blocks.
    Raises *error* with the name of the file where it cannot be read."""
    for number, line in enumerate(_text(path, error).split("\n"), 1):
        text = line.partition("#")[0].strip()
        if text:
            yield number, text


@attrs.define(eq=False)
class Settling:
    """Tells when a file that has changed stands still from one look of the watch to the next: half of a list
    that is being written would hold, too."""

    watch: FileWatch
    look_again: Callable[[Path], None]
    """Has the watch call once more, unless nobody wants the file any more."""
    _moving: dict[Path, tuple[Stamp, IDelayedCall]] = attrs.field(factory=dict, init=False)
    """Files that have changed and are not read yet: how they stood, and when they are looked at again."""

    async def stands_still(self, path: Path, threads: IThreads) -> bool:
        """Whether a file that has changed is as it was a look ago, or gone; if not, it is looked at again.
        Raises MailFailure."""
        stamp = (await threads.run(partial(stamps, [path])))[path]
        before, look = self._moving.get(path, (None, None))
        if look is not None and look.active() and stamp == before:
            return False  # told twice of one change
        self._settle(path)
        if stamp is None or stamp == before:
            return True
        self._moving[path] = stamp, self.watch.clock.callLater(self.watch.interval, self.look_again, path)
        return False

    def clear(self) -> None:
        """All files are as they were read."""
        for path in tuple(self._moving):
            self._settle(path)

    def _settle(self, path: Path) -> None:
        _, look = self._moving.pop(path, (None, None))
        if look is not None and look.active():
            look.cancel()


def _text(path: Path, error: type[Exception]) -> str:
    """The file as text; what is no UTF-8 in a remark harms nobody, and in an entry it is told."""
    try:
        if path.exists() and not path.is_file():  # a pipe would keep the thread for ever
            raise error(f"{path}: is no regular file")
        with path.open("rb") as file:
            octets = file.read(MAX_FILE_OCTETS + 1)
    except OSError as failure:
        raise error(f"{path}: cannot be read: {failure.strerror}") from failure
    if len(octets) > MAX_FILE_OCTETS:
        raise error(f"{path}: has more than the {MAX_FILE_OCTETS} octets that a list may have")
    return octets.decode("utf-8-sig", "backslashreplace")
