"""Where a message lies in its maildir: in tmp while it is written, then in new, or wherever other programs
have put it."""

from __future__ import annotations

import os

import attrs

from mailsuite.durable.directories import Directories
from mailsuite.store.maildir.names import final_name
from mailsuite.store.maildir.scan import locate


@attrs.define(eq=False)
class MaildirPlace:
    """``dot_lines`` and ``utf8_header`` are final before the parcel is published."""

    maildir: str
    unique: str
    directories: Directories
    dot_lines: bool = False
    utf8_header: bool = False

    @property
    def writing(self) -> str:
        return os.path.join(self.maildir, "tmp", self.unique)

    def published(self, size: int) -> str:
        name = final_name(self.unique, size, self.dot_lines, self.utf8_header)
        return os.path.join(self.maildir, "new", name)

    def ensure(self) -> None:
        self.directories.ensure(self.maildir)

    def forget(self) -> None:
        self.directories.forget(self.maildir)

    def moved(self) -> str | None:
        """Another program may have moved it to cur, or given it flags, since we published it."""
        found = locate(self.maildir).get(self.unique)
        return None if found is None else os.path.join(self.maildir, found)
