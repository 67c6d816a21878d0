"""Kinds of values that only the doors of this machine have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import attrs

from mailsuite.config.kinds import Kind, printable

_OCTAL: Final = re.compile(r"0?[0-7]{3}")


@attrs.frozen
class FileMode(Kind[int]):
    """Who may use a file, in octal digits."""

    @property
    def word(self) -> str:
        return "file mode"

    @property
    def range(self) -> str:
        return '"0600" to "0777"'

    @property
    def expects(self) -> str:
        return 'a file mode in quotes, for example "0660"; its owner may always read and write'

    def parse(self, raw: object, base: Path) -> int:
        text = printable(raw, self)
        if not _OCTAL.fullmatch(text) or int(text, 8) & 0o600 != 0o600:
            raise self.refuse(raw)
        return int(text, 8)

    def write(self, value: int) -> object:
        return f"{value:04o}"
