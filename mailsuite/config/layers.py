"""Where settings come from: the file, the files beside it, the environment, and --set.

Each becomes a layer: a tree of raw values that knows where each of them stands. A later layer wins.
"""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import attrs

from mailsuite.config.lines import KeyPath, key_lines
from mailsuite.config.problems import Place, Problem

MAX_FILE_OCTETS = 64 * 1024 * 1024
"""Our own limit: room for a hundred thousand accounts."""

ENVIRONMENT_PREFIX = "MAILSUITE_"
"""What begins with this and has two underscores together names a setting: MAILSUITE_POP3__IDLE_TIMEOUT."""

_ENDLESS_NUMBER = re.compile(r"[0-9_]{4301,}")
"""More digits than Python turns into an integer; its error tells no line."""
_TABLE_TWICE = re.compile(r"Cannot declare \((.+?),?\) twice")
"""tomllib shows the name of the table as a tuple."""
_HINTS = {
    "expected newline or end of document": "texts, times and sizes stand in quotes",
    "invalid value": "texts, times and sizes stand in quotes, true and false are written small",
    "expected '=' after a key": 'a setting is written name = "value"',
    "illegal character '\\n'": "a quote is missing, perhaps at the end of this line",
    "invalid initial character for a key": "a table in { } stands on one line",
    "cannot overwrite a value": "the same name stood there before",
}
"""What most often leads to an error of tomllib, by its beginning."""
_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


@attrs.frozen
class Layer:
    """One source of settings, or a table of it."""

    values: Mapping[str, object]
    places: Callable[[KeyPath], Place]
    base: Path
    """What relative paths are relative to."""
    is_text: bool = False
    """The values are text from outside, still to be read by the kind of the setting."""
    path: KeyPath = ()

    @property
    def is_in_block(self) -> bool:
        return any(isinstance(part, int) for part in self.path)

    def place(self, *below: str | int) -> Place:
        return self.places((*self.path, *below))

    def dotted(self, name: str) -> str:
        """A table within this one as its header names it: ``notify.notifymail``, ``account.device``."""
        return ".".join([*(part for part in self.path if isinstance(part, str)), name])

    @property
    def header(self) -> str:
        """The header that this stands under: ``[pop3]``, ``[[account.device]]``; empty at the top."""
        numbers = [at for at, part in enumerate(self.path) if isinstance(part, int)]
        named = self.path[: numbers[-1]] if numbers else self.path
        name = ".".join(part for part in named if isinstance(part, str))
        return f"[[{name}]]" if numbers else f"[{name}]" if name else ""

    def table(self, values: Mapping[str, object], *below: str | int) -> Layer:
        """A table within this one."""
        return attrs.evolve(self, values=values, path=(*self.path, *below))


def file_layers(path: Path) -> tuple[list[Layer], list[Problem]]:
    """*path*, then conf.d/*.toml beside it, by name. An unreadable file is a problem, not a layer."""
    layers: list[Layer] = []
    problems: list[Problem] = []
    folder = path.parent / "conf.d"
    names: list[str] = []
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".toml") and name[0] != ".")
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        problems.append(Problem(Place("conf.d"), "error", f"cannot be read: {error.strerror}"))
    for file in (path, *(folder / name for name in names)):
        name = file.name if file is path else f"conf.d/{file.name}"
        layer = _file_layer(file, name)
        if isinstance(layer, Layer):
            layers.append(layer)
        else:
            problems.append(layer)
    return layers, problems


def _file_layer(file: Path, name: str) -> Layer | Problem:
    def problem(text: str, line: int | None = None) -> Problem:
        return Problem(Place(name, line), "error", text)

    try:
        with file.open("rb") as stream:
            octets = stream.read(MAX_FILE_OCTETS + 1)
    except (OSError, ValueError) as error:
        return problem(f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(octets) > MAX_FILE_OCTETS:
        return problem(f"is larger than {MAX_FILE_OCTETS} octets")
    octets = octets.removeprefix(codecs.BOM_UTF8)  # some editors write one, and TOML says nothing of it
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        return problem("is not UTF-8 from here on", octets.count(b"\n", 0, error.start) + 1)
    try:
        values = tomllib.loads(text)
        lines = key_lines(text)
    except RecursionError:
        return problem("is nested too deeply")
    except ValueError as error:
        reason, line = _syntax_error(str(error), text)
        return problem(f"no TOML: {reason}", line)
    return Layer(values, lambda path: Place(name, lines.get(path)), file.absolute().parent)


def _syntax_error(message: str, text: str) -> tuple[str, int]:
    """tomllib's reason and line; the last line where it says "end of document"."""
    endless = _ENDLESS_NUMBER.search(text)
    if endless is not None and message.startswith("Exceeds the limit"):
        return "a number has more than 4300 digits", text.count("\n", 0, endless.start()) + 1
    found = _AT_LINE.search(message)
    if found is None:
        return message, 1
    line = int(found[1]) if found[1] else max(1, len(text.splitlines()))
    reason = message[: found.start()]
    twice = _TABLE_TWICE.fullmatch(reason)
    if twice is not None:
        name = ".".join(part.strip("' ") for part in twice[1].split(","))
        return f"the table {name} stands twice; move its settings below the first", line
    reason = reason[:1].lower() + reason[1:]
    hint = next((hint for beginning, hint in _HINTS.items() if reason.startswith(beginning)), "")
    return f"{reason}; {hint}" if hint else reason, line


def environment_layer(environ: Mapping[str, str]) -> tuple[Layer, list[Problem]]:
    """The variables that name a setting."""
    pairs = []
    for variable in sorted(environ):
        name = variable.removeprefix(ENVIRONMENT_PREFIX)
        if name != variable and "__" in name:
            pairs.append((tuple(name.lower().split("__")), environ[variable], variable))
    return _text_layer(pairs)


def override_layer(overrides: Iterable[str]) -> tuple[Layer, list[Problem]]:
    """``key=value`` from the command line."""
    pairs = []
    problems = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            problems.append(
                Problem(
                    Place("--set"), "error", f"{override!r} is no key=value, for example pop3.idle_timeout=5m"
                )
            )
            continue
        pairs.append((tuple(key.strip().split(".")), value.strip(), f"--set {key.strip()}"))
    layer, more = _text_layer(pairs)
    return layer, problems + more


def _text_layer(pairs: Iterable[tuple[tuple[str, ...], str, str]]) -> tuple[Layer, list[Problem]]:
    """A layer of dotted keys with text; each leaf knows by which name it was given."""
    tree: dict[str, object] = {}
    sources: dict[KeyPath, str] = {}
    problems = []
    for path, value, source in pairs:
        if _put(tree, path, value):
            for length in range(1, len(path)):
                sources.setdefault(path[:length], source)
            sources[path] = source
        else:
            problems.append(Problem(Place(source), "error", "cannot stand beside another that is part of it"))
    return Layer(tree, lambda path: Place(sources[path]), _here(), is_text=True), problems


def _put(tree: dict[str, object], path: tuple[str, ...], value: str) -> bool:
    """Put *value* into the tree; False where a table would have to be a value as well."""
    table = tree
    for part in path[:-1]:
        below = table.setdefault(part, {})
        if not isinstance(below, dict):
            return False
        table = below
    if isinstance(table.get(path[-1]), dict):
        return False
    table[path[-1]] = value
    return True


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:  # the folder we were started in is gone
        return Path("/")
