"""One more file operation: what is written anew as a whole takes the place of what stood there."""

from __future__ import annotations

import os

from mailsuite.durable.files import Files


class ReplacingFiles(Files):
    """The operations of mail, which never replace, and the one for a state file of our own, which does."""

    def replace(self, source: str, target: str) -> None:
        """Rename, over another file if there is one."""
        os.replace(source, target)
