"""Reads dialogue files: what a client sends and what the server must say. README.md has the format."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from tests.dialogs.scene import Scene
from tests.dialogs.text import Pattern, names_in, octets

SERVICES = ("pop3", "smtp", "submission", "lmtp")
TLS = ("no", "yes", "off")
LOGIN = ("usual", "any", "hidden")
RULES = ("usual", "old", "strict")
_SETTING = re.compile(r"(service|tls|login|rules|together): *(\S*) *")
_STEP = re.compile(r"(C|C\+|S|S\*|S!)([0-9]{0,4}): ?(.*)", re.DOTALL)
_CONNECT = re.compile(r"CONNECT +(\S+)(?: +tls: *(\S+))? *")


class DialogError(ValueError):
    """The file is no dialogue; the message names file, line and reason."""


@attrs.frozen
class Send:
    """The client sends these octets."""

    data: bytes
    """Where *proof* is set, something of the same form."""
    line: int
    proof: str = ""
    """The text that gives the octets once the server has said what it is made of."""


@attrs.frozen
class Expect:
    """The server sends one line that fits; or, where *among* or *never* are given, lines up to and with
    the first that fits."""

    pattern: Pattern
    line: int
    among: tuple[Pattern, ...] = ()
    """Each fits one of these lines."""
    never: tuple[Pattern, ...] = ()
    """None fits any of them."""


@attrs.frozen
class StartTls:
    """Both sides begin TLS on the connection, here and now."""

    line: int


@attrs.frozen
class Closed:
    """The server has closed the connection and sent nothing more."""

    line: int


@attrs.frozen
class Connect:
    """The client connects again, perhaps elsewhere."""

    service: str
    tls: str
    login: str
    line: int


Step = Send | Expect | StartTls | Closed | Connect


@attrs.frozen
class Dialog:
    """One file: on which service it runs, and its steps in order."""

    title: str
    service: str
    tls: str
    """``yes``: the connection begins with TLS; ``no``: in clear; ``off``: there is no TLS at all."""
    login: str
    """``usual``: as by default; ``any``: every mechanism, APOP too; ``hidden``: APOP is required. Where the
    listener has rules of its own, their name."""
    steps: tuple[Step, ...]
    name: str = ""
    """The file's name without its suffix."""
    together: bool = False
    """What the client sends in a row arrives at once, and no other way."""
    scene: Scene = attrs.field(factory=Scene)

    @property
    def connects(self) -> tuple[Connect, ...]:
        """All connections, the first one too."""
        again = tuple(step for step in self.steps if isinstance(step, Connect))
        return (Connect(self.service, self.tls, self.login, 1), *again)

    @property
    def has_secret(self) -> bool:
        """The user needs the device with which every mechanism is possible."""
        return self.login in ("any", "hidden")


def load(path: Path, scene: Scene | None = None) -> Dialog:
    """Read a file. Raises DialogError."""
    return parse(path.read_text(encoding="utf-8"), path.name, scene)


def parse(text: str, name: str = "dialogue.txt", scene: Scene | None = None) -> Dialog:
    """Read the text of a file called *name*. Raises DialogError."""
    reading = _Reading(scene or Scene())
    title = ""
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if number == 1:
                title = _title(line)
            elif line.strip() and not line.startswith("#"):
                reading.take(line, number)
        except ValueError as error:
            raise DialogError(f"{name}:{number}: {error}") from error
    try:
        return reading.dialog(title, name.rpartition(".")[0])
    except ValueError as error:
        raise DialogError(f"{name}:1: {error}") from error


def _title(line: str) -> str:
    title = line[1:].strip() if line.startswith("#") else ""
    if not title:
        raise ValueError("the first line is '# title'")
    return title


@attrs.define
class _Reading:
    """What was read so far."""

    scene: Scene
    settings: dict[str, str] = attrs.field(factory=dict)
    steps: list[Step] = attrs.field(factory=list)
    among: list[Pattern] = attrs.field(factory=list)
    never: list[Pattern] = attrs.field(factory=list)
    remembered: set[str] = attrs.field(factory=set)

    def take(self, line: str, number: int) -> None:
        """Read one line. Raises ValueError."""
        bare = line.strip()
        if step := _STEP.fullmatch(line):
            self._spoken(step[1], step[2], step[3], number)
        elif self.among or self.never:
            raise ValueError("behind S* and S! comes the S: line that ends them")
        elif bare == "STARTTLS":
            self.steps.append(StartTls(number))
        elif bare == "CLOSED":
            self.steps.append(Closed(number))
        elif connect := _CONNECT.fullmatch(line):
            self._connect(connect[1], connect[2] or "no", number)
        elif not self.steps and (setting := _SETTING.fullmatch(line)):
            self.settings[setting[1]] = setting[2]
        else:
            raise ValueError(f"this is neither a step nor a setting: {line!r}")

    def _spoken(self, mark: str, times: str, text: str, number: int) -> None:
        count = int(times or "1")
        if times and mark not in ("C", "S"):
            raise ValueError(f"only C: and S: can be repeated: {mark}{times}")
        if mark == "S*":
            self.among.append(Pattern.read(text, self.scene))
        elif mark == "S!":
            self.never.append(Pattern.read(text, self.scene))
        elif mark == "S":
            pattern = Pattern.read(text, self.scene)
            self.remembered.update(names_in(text))
            self.steps += [Expect(pattern, number, tuple(self.among), tuple(self.never))] * count
            self.among, self.never = [], []
        elif self.among or self.never:
            raise ValueError("behind S* and S! comes the S: line that ends them")
        else:
            data = octets(text, self.scene) + (b"\r\n" if mark == "C" else b"")
            names = names_in(text)
            if unknown := [name for name in names if name not in self.remembered]:
                raise ValueError(f"no S: line says what {{={unknown[0]}}} is")
            proof = text + ("\\r\\n" if mark == "C" else "") if names else ""
            self.steps += [Send(data, number, proof)] * count

    def _connect(self, service: str, tls: str, number: int) -> None:
        if not self.steps or not isinstance(self.steps[-1], Closed):
            raise ValueError("CONNECT stands behind CLOSED")
        _check_service(service, tls)
        self.steps.append(Connect(service, tls, self._login(), number))

    def _login(self) -> str:
        """Which of the listeners with this service and TLS. Raises ValueError."""
        login, rules = self.settings.get("login", "usual"), self.settings.get("rules", "usual")
        if login not in LOGIN:
            raise ValueError(f"'login:' is one of {', '.join(LOGIN)}")
        if rules not in RULES:
            raise ValueError(f"'rules:' is one of {', '.join(RULES)}")
        if "usual" not in (login, rules):
            raise ValueError("'login:' and 'rules:' do not go together")
        return login if rules == "usual" else rules

    def dialog(self, title: str, name: str) -> Dialog:
        """The whole. Raises ValueError."""
        if not self.steps:
            raise ValueError("there are no steps")
        if self.among or self.never:
            raise ValueError("behind S* and S! comes the S: line that ends them")
        service, tls = self.settings.get("service", ""), self.settings.get("tls", "no")
        _check_service(service, tls)
        login = self._login()
        together = self.settings.get("together", "no")
        if together not in ("yes", "no"):
            raise ValueError("'together:' is yes or no")
        return Dialog(title, service, tls, login, tuple(self.steps), name, together == "yes", self.scene)


def _check_service(service: str, tls: str) -> None:
    if service not in SERVICES:
        raise ValueError(f"'service:' is one of {', '.join(SERVICES)}")
    if tls not in TLS:
        raise ValueError(f"'tls:' is one of {', '.join(TLS)}")
