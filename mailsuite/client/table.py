"""Reads one small TOML file: each key by its kind, with a sentence where it is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import attrs


class SettingsProblem(Exception):
    """A file of settings cannot be used; the message names file and key."""


@attrs.define
class Table:
    """A table of the file *where*; what is never asked for is a mistake, which finish() tells."""

    where: str
    values: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Table:
        """Raises SettingsProblem."""
        try:
            return cls(str(path), tomllib.loads(path.read_text("utf-8")))
        except OSError as error:
            raise SettingsProblem(f"{path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise SettingsProblem(f"{path}: {error}") from error

    def text(self, name: str, default: str = "") -> str:
        return str(self._take(name, default, str, "a text"))

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self._take(name, default, int, "a whole number")
        if isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(name, f"goes from {least} to {most}")
        return int(value)

    def words(self, name: str) -> tuple[str, ...]:
        value = self._take(name, [], list, "a list of texts")
        if not all(isinstance(word, str) for word in value):
            raise self.wrong(name, "is a list of texts")
        return tuple(value)

    def table(self, name: str) -> Table:
        return Table(f"{self.where}: {name}", self._take(name, {}, dict, "a table"))

    def finish(self) -> None:
        """Raises SettingsProblem where something is left."""
        for name in self.values:
            raise self.wrong(name, "is no setting")

    def wrong(self, name: str, why: str) -> SettingsProblem:
        return SettingsProblem(f"{self.where}: {name} {why}")

    def _take(self, name: str, default: Any, kind: type, called: str) -> Any:
        value = self.values.pop(name, default)
        if not isinstance(value, kind):
            raise self.wrong(name, f"is {called}")
        return value
