"""Listings of maildirs, kept in memory while the maildirs stay what they are. All blocks: for a thread.

A login to a large maildrop that nothing happened to costs two stat() calls in place of a listing. What is
kept is the tuple that sessions share, so it costs memory once, however many views there are of it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import attrs

from mailsuite.store.maildir.marks import Mark, is_settled, marks_of
from mailsuite.store.maildir.scan import Listing, Sizes, scan

MAX_KEPT_MESSAGES = 500_000
"""Messages in all kept listings, about 140 MB."""
LISTING_WEIGHT = 10
"""What a listing costs beside its messages, counted in messages."""


@attrs.frozen
class _Kept:
    marks: tuple[Mark | None, ...]
    listing: Listing

    @property
    def weight(self) -> int:
        return len(self.listing.messages) + LISTING_WEIGHT


@attrs.define(eq=False)
class Listings:
    """scan() with a memory, bounded by the messages in it; the listing that was not asked for the longest
    goes first. For any number of threads."""

    sizes: Sizes = attrs.field(factory=Sizes)
    clock: Callable[[], float] = time.time
    """Seconds since the epoch, the same as the file system's. One that is behind only keeps nothing."""
    _kept: OrderedDict[str, _Kept] = attrs.field(factory=OrderedDict, init=False)
    _weight: int = attrs.field(default=0, init=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def scan(self, maildir: str) -> Listing:
        """What scan() would answer now. Raises OSError."""
        began = self.clock()
        marks = marks_of(maildir)
        kept = self._recall(maildir)
        if kept is not None and kept.marks == marks and kept.listing.holds(maildir, self.sizes):
            return kept.listing
        listing = scan(maildir, self.sizes)
        self._forget(maildir)
        if not listing.unreadable and all(is_settled(mark, began) for mark in marks):
            self._keep(maildir, _Kept(marks, listing))
        return listing

    def _recall(self, maildir: str) -> _Kept | None:
        with self._guard:
            kept = self._kept.get(maildir)
            if kept is not None:
                self._kept.move_to_end(maildir)
            return kept

    def _keep(self, maildir: str, kept: _Kept) -> None:
        if kept.weight > MAX_KEPT_MESSAGES:
            return
        with self._guard:
            self._drop(maildir)  # another thread's, which listed at the same time
            self._kept[maildir] = kept
            self._weight += kept.weight
            while self._weight > MAX_KEPT_MESSAGES:
                self._drop(next(iter(self._kept)))

    def _forget(self, maildir: str) -> None:
        with self._guard:
            self._drop(maildir)

    def _drop(self, maildir: str) -> None:
        kept = self._kept.pop(maildir, None)
        if kept is not None:
            self._weight -= kept.weight
