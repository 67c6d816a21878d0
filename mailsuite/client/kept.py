"""What is kept of an account between two runs: what was there at the last look, where the stream stood."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs

from mailsuite.client.files import write_private

MAX_IDS: Final = 256
"""Of notices that were shown: the server may tell one again, never one from so long ago."""
_DIGEST_OCTETS: Final = 8


@attrs.define
class Kept:
    """Of one account. Reading never fails: what cannot be read is as if it had never been."""

    path: Path
    seen: frozenset[str] | None = None
    """Of each message at the last look, a digest of its UIDL; None: nobody has looked yet."""
    told: int = 0
    """Messages that the stream has told of since then, as far as nobody fetched them."""
    last_id: str = ""
    """Of the stream: Last-Event-ID. Empty: it has said nothing since the last look."""
    ids: list[str] = attrs.field(factory=list)
    """Of the notices that were shown, the newest last."""

    @classmethod
    def read(cls, path: Path) -> Kept:
        try:
            document = json.loads(path.read_text("utf-8"))
            return cls._of(path, document)
        except (OSError, ValueError, TypeError, KeyError):
            return cls(path)

    @classmethod
    def _of(cls, path: Path, document: dict[str, Any]) -> Kept:
        seen = document["seen"]
        ids = [str(each) for each in document["ids"]][-MAX_IDS:]
        seen_before = None if seen is None else frozenset(str(each) for each in seen)
        return cls(path, seen_before, int(document["told"]), str(document["last_id"]), ids)

    def write(self) -> None:
        """In place of the file, whole or not at all. A disk that is full is no reason to tell nothing: what
        could not be written is at most told again after the next start."""
        document = {
            "seen": None if self.seen is None else sorted(self.seen),
            "told": self.told,
            "last_id": self.last_id,
            "ids": self.ids,
        }
        with contextlib.suppress(OSError):
            write_private(self.path, json.dumps(document), is_durable=False)

    def looked(self, messages: Iterable[str], *, stream_goes_on: bool = False) -> int:
        """Take what is there now; answers how many messages nobody has been told of. At the first look all
        that is there is old.

        Unless the stream is there and goes on, where it stood does not matter any more: all that came until
        now is looked at.
        """
        before = self.seen
        told = self.told
        self.looked_silently(messages)
        if not stream_goes_on:
            self.last_id = ""
        fresh = 0 if before is None else len((self.seen or frozenset()) - before)
        return max(0, fresh - told)

    def looked_silently(self, messages: Iterable[str]) -> None:
        """Take what is there now, all of which the stream has told, or has kept quiet about for a reason."""
        self.seen, self.told = frozenset(map(_digest, messages)), 0

    def is_new(self, id: str) -> bool:
        """Whether this notice was never shown; from now on it was."""
        if not id:
            return True
        if id in self.ids:
            return False
        self.ids = [*self.ids[-MAX_IDS + 1 :], id]
        return True


def _digest(uidl: str) -> str:
    return hashlib.blake2b(uidl.encode("utf-8", "replace"), digest_size=_DIGEST_OCTETS).hexdigest()
