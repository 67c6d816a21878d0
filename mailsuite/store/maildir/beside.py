"""Directories of our own beside new and cur, made durably when they are first needed.

Their names have no leading dot: to Dovecot, mutt and other programs they are no folders.
"""

from __future__ import annotations

import os

import attrs

from mailsuite.durable.files import Files

MAX_KNOWN = 100_000
"""Directories remembered, about 20 MB; beyond, we forget and look again."""


@attrs.define(eq=False)
class Beside:
    """Remembers which are known to be durable; each is synced once per process, whoever made it.

    Used from several threads: what two of them do at once does no harm.
    """

    files: Files
    _known: set[str] = attrs.field(factory=set, init=False)

    def ensure(self, directory: str) -> None:
        """Return when it is there, and would survive a crash."""
        if directory in self._known:
            return
        self.files.make_directory(directory)
        self.files.sync_directory(os.path.dirname(directory))
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known.add(directory)

    def forget(self, directory: str) -> None:
        """Something is wrong there: look again next time."""
        self._known.discard(directory)
