"""A throw-away computer on which a page is followed: literally, but for ports and for answers to prompts."""

from __future__ import annotations

import contextlib
import grp
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import attrs

from mailsuite.cli.context import CommandFailed
from mailsuite.cli.control import Control
from tests.docs.blocks import ROOT, Command
from tests.ports import free_port
from tests.system.harness import PATIENCE

PLACES = ("bin/mailsuite", "mail/bin/mailsuite", ".venv/bin/mailsuite")
"""Where a page may say that the command is."""
STAYS = re.compile(
    r"(?!.*--help)"
    r"(.*\bserve\b|.*\bnotify listen\b|mailsuite-notify run\b|python3 webhook_receiver\.py\b|\./run$)"
)
"""Commands that run until somebody ends them."""
NOTIFYMAIL_PORT = re.compile(r"\b(10079|1079)\b")
METRICS_PORT = re.compile(r"\b9110\b")
NOTIFY_PORT = re.compile(r"\b8443\b")
WEBHOOK_PORT = re.compile(r"\b9443\b")
PASSWORD = re.compile(r"\b[a-z]+(?:-[a-z]+)+-\d\d\b")
ASKS = re.compile(r"mailsuite(?: --config \S+)? (?:fetch|auth test) |mailsuite-notify enrol ")
"""Commands that ask for the password on a terminal. Here there is none: it is given on standard input."""

LISTENERS = "".join(
    f'[[listener]]\nname = "{name}"\nservice = "{service}"\nbind = ["127.0.0.1"]\nport = 0\ntls = "{tls}"\n'
    for name, service, tls in (
        ("mx", "smtp", "starttls"),
        ("submission", "submission", "required-starttls"),
        ("submissions", "submission", "implicit"),
        ("pop3", "pop3", "starttls"),
        ("pop3s", "pop3", "implicit"),
    )
)
"""What the server listens on without a word in the configuration, on ports that are free."""
USUAL_PORTS = {
    2525: "mx",
    2587: "submission",
    2465: "submissions",
    2110: "pop3",
    2995: "pop3s",
    40110: "pop3",
    40587: "submission",
}
"""The ports of the pages, and the listeners that they mean."""

HOOKS = "hooks.example.com"
HERE = {
    "0.0.0.0": "127.0.0.1",
    "192.168.1.20": "127.0.0.1",
    "192.168.1.0/24": "127.0.0.0/8",
    "192.168.1.7": "127.0.0.1",
    HOOKS: "localhost",
}
"""Nothing leaves this machine: other people's addresses on the pages are our own here."""


SECRET = "copper-vivid-lantern-42"
"""What stands in each file of a password."""
_SECRET_FILE = re.compile(r'^(?:password|token)_file\s*=\s*"(.*)"$', re.MULTILINE)


def moved(text: str, directory: Path) -> str:
    """A configuration whose secrets and sockets are below *directory*, and whose groups exist; the secrets
    are written. Nothing of this machine is touched."""
    text = text.replace("/etc/mailsuite/", f"{directory}/etc/").replace(
        "/run/mailsuite/", f"{directory}/run.d/"
    )
    own_group = grp.getgrgid(os.getgid()).gr_name
    text = re.sub(r'^(socket_group\s*=\s*)".*"$', rf'\1"{own_group}"', text, flags=re.MULTILINE)
    for name in _SECRET_FILE.findall(text):
        file = directory / name
        assert file.is_relative_to(directory), f"{name} is a file of this machine"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(f"{SECRET}\n")
    return text


@attrs.define
class Running:
    """A command that stays."""

    text: str
    process: subprocess.Popen[bytes]
    output: Path

    everywhere: bool
    """It would listen on every address; here it does not, and says so."""

    def printed(self) -> list[str]:
        lines = self.output.read_text(errors="replace").splitlines()
        return [line for line in lines if not (self.everywhere and line.startswith("only this machine "))]


@attrs.define
class Stage:
    """A folder with the command in the places that pages name, and all that was started there."""

    directory: Path = attrs.field(factory=lambda: Path(tempfile.mkdtemp(prefix="ms-")))
    running: list[Running] = attrs.field(factory=list)
    password: str = ""
    _environment: dict[str, str] = attrs.field(factory=dict)
    _notifymail_port: int = 0
    _metrics_port: int = 0
    _notify_port: int = 0
    _webhook_port: int = 0

    def __enter__(self) -> Stage:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("MAILSUITE_")}
        path = f"{self.directory / 'bin'}:{os.environ['PATH']}"
        self._environment = ours | {
            "HOME": str(self.directory),
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "160",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        self._notifymail_port, self._metrics_port = free_port(), free_port()
        self._notify_port = free_port()
        self._webhook_port = free_port()
        for place in PLACES:
            self._program(place, f'exec "{sys.executable}" -m mailsuite "$@"')
        notify = "from mailsuite.cli.client import main; main()"
        self._program("bin/mailsuite-notify", f'exec "{sys.executable}" -c "{notify}" "$@"')
        self._program("run", f'exec "{sys.executable}" -m mailsuite demo --directory .demo')
        self._program("bin/python3", f'exec "{sys.executable}" "$@"')
        self._program("bin/fetchmail", "cat > /dev/null; echo fetched >> fetched")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for running in reversed(self.running):
            running.process.send_signal(signal.SIGINT)  # as Ctrl-C does, which is what the pages say
        for running in self.running:
            running.process.wait(PATIENCE)
        assert not self._left_behind(), "something that was started here still runs"
        shutil.rmtree(self.directory)

    def _left_behind(self) -> list[str]:
        """Processes that work in this folder, by /proc."""
        left = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "cwd").readlink() == self.directory:
                    left.append((process / "cmdline").read_text())
        return left

    def _program(self, place: str, line: str) -> None:
        path = self.directory / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    # The configuration

    def configure(self, text: str) -> None:
        """Write the page's configuration, as the page says; ports and secrets stand beside it."""
        beside = self.directory / "conf.d"
        beside.mkdir(exist_ok=True)
        (beside / "ports.toml").write_text(LISTENERS)
        if "state" not in tomllib.loads(text).get("server", {}):
            self._environment["MAILSUITE_SERVER__STATE"] = str(self.directory / "state")
        (self.directory / "mailsuite.toml").write_text(self._shifted(moved(text, self.directory)))

    def save(self, text: str) -> None:
        """Write a program to the file that its first line names."""
        name = text.partition("\n")[0].removeprefix("# ")
        file = self.directory / moved(name, self.directory)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._shifted(text))

    # Commands

    def run(self, command: Command, status: int = 0) -> None:
        """Do what the page says, and compare. A command that stays is started, and awaited."""
        text = self._shifted(command.text)
        if STAYS.match(text):
            self._start(
                text, "0.0.0.0" in command.text, [self._shifted(line) for line in command.printed or ()]
            )
            return
        if ASKS.search(text):
            text += f" --stdin <<'END'\n{self.password}\nEND"
        done = subprocess.run(
            ["sh", "-c", text],
            cwd=self.directory,
            env=self._environment | {"PASSWORD": self.password},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            check=False,
        )
        printed = done.stdout.decode(errors="replace").splitlines()
        assert done.returncode == status, "\n".join([command.text, *printed])
        self._learn(printed)
        if command.printed is not None:
            expected = [line.replace(HOOKS, HERE[HOOKS]) for line in command.printed]
            assert fits(expected, printed), "\n".join([command.text, *printed])

    def _end_listener(self) -> None:
        """A page tells of several ways to listen at the same port."""
        for running in self.running:
            if "notify listen" in running.text:
                running.process.terminate()
                running.process.wait(PATIENCE)

    def _start(self, text: str, everywhere: bool, printed: Sequence[str]) -> None:
        if "notify listen" in text:
            self._end_listener()
        output = self.directory / f"output-{len(self.running)}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["sh", "-c", f"exec {text}"],
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        running = Running(text, process, output, everywhere)
        self.running.append(running)
        self._await(running, self._ready(text))
        if any("knock from" in line for line in printed):
            with socket.create_connection(("127.0.0.1", self._notifymail_port), timeout=PATIENCE) as knock:
                knock.sendall(b"nm_notifyuser\r\n")
        if printed:
            self._await(running, lambda said: fits(printed, said))
        self._learn(running.printed())

    def _ready(self, text: str) -> Callable[[list[str]], bool]:
        if "notify listen" in text or "webhook_receiver" in text:
            return lambda said: any(line.startswith("listening on ") for line in said)
        if text == "./run":
            return lambda said: any(line.startswith("Ctrl-C stops it") for line in said)
        if "mailsuite-notify run" in text:
            return lambda said: any(line.startswith("following ") for line in said)
        return lambda said: any("suite.ready" in line for line in said)

    def _await(self, running: Running, happened: Callable[[list[str]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not happened(running.printed()):
            said = "\n".join(running.printed())
            assert running.process.poll() is None, f"it has ended:\n{said}"
            assert time.monotonic() < deadline, f"it waits for something:\n{said}"
            time.sleep(0.02)

    def appeared(self, name: str) -> None:
        """Wait until there is a file of this name."""
        deadline = time.monotonic() + PATIENCE
        while not (self.directory / name).exists():
            assert time.monotonic() < deadline, name
            time.sleep(0.02)

    def _learn(self, printed: Sequence[str]) -> None:
        """The password, where one was shown."""
        for line in printed:
            if "assword" in line and (found := PASSWORD.search(line)):
                self.password = found[0]

    # What differs from the page

    def _shifted(self, text: str) -> str:
        text = NOTIFYMAIL_PORT.sub(str(self._notifymail_port), text)
        text = METRICS_PORT.sub(str(self._metrics_port), text)
        text = NOTIFY_PORT.sub(str(self._notify_port), text)
        text = WEBHOOK_PORT.sub(str(self._webhook_port), text)
        for there, here in HERE.items():
            text = text.replace(there, here)
        for usual, name in USUAL_PORTS.items():
            number = re.compile(rf"(?<!\d){usual}(?!\d)")  # not the last digits of a port that we chose
            if number.search(text):
                text = number.sub(str(self.ports()[name]), text)
        return text

    def ports(self) -> dict[str, int]:
        """Where the server listens."""
        for state in (self.directory / "state", self.directory / ".demo" / "state"):
            try:
                status = Control(state / "control.sock", timeout=PATIENCE).get("/v1/status")
            except CommandFailed:
                continue
            listeners = [listener for service in status["services"] for listener in service["listeners"]]
            return {each["name"]: int(each["addresses"][0].rpartition(":")[2]) for each in listeners}
        raise AssertionError("no server runs")


def fits(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether what was printed is what the page shows: ``...`` is anything, and a number is any number.

    A line ``...`` stands for any number of lines.
    """
    patterns = []
    for line in expected:
        literal = re.escape(line.rstrip()).replace(re.escape("..."), ".*")
        patterns.append(
            r"(?:.*\n)*?" if line.strip() == "..." else re.sub(r"\d+", r"\\d+", literal) + r" *\n"
        )
    return re.fullmatch("".join(patterns), "".join(f"{line}\n" for line in printed)) is not None
