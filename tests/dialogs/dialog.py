"""Reads dialogue files: what a client sends and what the server must say. README.md has the format."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

SERVICES = ("pop3", "smtp", "submission")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.?))", re.DOTALL)
_NAMED = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
_SETTING = re.compile(r"(service|tls): *(\S*) *")


class DialogError(ValueError):
    """The file is no dialogue; the message names file, line and reason."""


@attrs.frozen
class Send:
    """The client sends these octets."""

    data: bytes
    line: int


@attrs.frozen
class Expect:
    """The server sends one line, CRLF at its end, that fits the pattern."""

    pattern: str
    """As it stands in the file."""
    line: int
    _regex: re.Pattern[bytes] = attrs.field(repr=False, eq=False)

    def matches(self, line: bytes) -> bool:
        """Whether *line*, without its CRLF, is what is expected."""
        return self._regex.fullmatch(line) is not None


@attrs.frozen
class StartTls:
    """Both sides begin TLS on the connection, here and now."""

    line: int


@attrs.frozen
class Closed:
    """The server has closed the connection and sent nothing more."""

    line: int


Step = Send | Expect | StartTls | Closed


@attrs.frozen
class Dialog:
    """One file: on which service it runs, and its steps in order."""

    title: str
    service: str
    tls: bool
    """The connection begins with TLS."""
    steps: tuple[Step, ...]
    name: str = ""
    """The file's name without its suffix."""


def load(path: Path) -> Dialog:
    """Read a file. Raises DialogError."""
    return parse(path.read_text(encoding="utf-8"), path.name)


def parse(text: str, name: str = "dialogue.txt") -> Dialog:
    """Read the text of a file called *name*. Raises DialogError."""
    title, settings, steps = "", dict[str, str](), list[Step]()
    for number, line in enumerate(text.split("\n"), 1):
        if number == 1:
            title = line[1:].strip() if line.startswith("#") else ""
            if not title:
                raise _error(name, number, "the first line is '# title'")
        elif line.startswith("#") or not line.strip():
            continue
        elif (step := _step(line, number, name)) is not None:
            steps.append(step)
        elif steps or not (setting := _SETTING.fullmatch(line)):
            raise _error(name, number, f"this is neither a step nor a setting: {line!r}")
        else:
            settings[setting[1]] = setting[2]
    if not steps:
        raise _error(name, 1, "there are no steps")
    return Dialog(title, *_settings(settings, name), tuple(steps), name.rpartition(".")[0])


def _settings(settings: dict[str, str], name: str) -> tuple[str, bool]:
    service, tls = settings.get("service", ""), settings.get("tls", "no")
    if service not in SERVICES:
        raise _error(name, 1, f"'service:' is one of {', '.join(SERVICES)}")
    if tls not in ("yes", "no"):
        raise _error(name, 1, "'tls:' is yes or no")
    return service, tls == "yes"


def _step(line: str, number: int, name: str) -> Step | None:
    mark, colon, text = line.partition(":")
    text = text.removeprefix(" ")
    if line.strip() == "STARTTLS":
        return StartTls(number)
    if line.strip() == "CLOSED":
        return Closed(number)
    if not colon or mark not in ("C", "C+", "S"):
        return None
    try:
        if mark == "S":
            parts = [re.escape(_unescape(part)) for part in text.split("...")]
            return Expect(text, number, re.compile(rb".*".join(parts), re.DOTALL))
        return Send(_unescape(text) + (b"\r\n" if mark == "C" else b""), number)
    except ValueError as error:
        raise _error(name, number, str(error)) from error


def _unescape(text: str) -> bytes:
    """The octets that *text* stands for: UTF-8, with ``\\xNN``, ``\\r``, ``\\n``, ``\\t`` and ``\\\\``."""
    octets, position = b"", 0
    for match in _ESCAPE.finditer(text):
        octets += text[position : match.start()].encode("utf-8")
        position = match.end()
        if match[1] is not None:
            octets += bytes([int(match[1], 16)])
        elif match[2] in _NAMED:
            octets += _NAMED[match[2]]
        else:
            raise ValueError(f"unknown escape: {match[0]}")
    return octets + text[position:].encode("utf-8")


def _error(name: str, number: int, reason: str) -> DialogError:
    return DialogError(f"{name}:{number}: {reason}")
