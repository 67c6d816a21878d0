"""A real server as a process of its own, on loopback, on ports that the kernel chooses."""

from __future__ import annotations

import contextlib
import os
import poplib
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import attrs

from mailsuite.cli.control import Control
from tests.system import nursery
from tests.system.nursery import Sibling

PATIENCE = 30.0
"""Seconds that any one step may take on a busy machine; a step that works takes a fraction of it."""

AT_ONCE = 5.0
"""Seconds within which comes what comes within one on a machine that has nothing else to do."""

PASSWORDS = {
    "joe@example.test": "copper-vivid-lantern-42",
    "ann@example.test": "plum-orbit-satchel-19",
    "bob@example.test": "tulip-canyon-mosaic-77",
}


def password_of(account: str) -> str:
    """The one of PASSWORDS, or a fixed one for an account that a test or a benchmark adds."""
    return PASSWORDS.get(account, "harbor-signal-mosaic-31")


LISTENERS = """
[[listener]]
name    = "mx"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "starttls"

[[listener]]
name    = "submission"
service = "submission"
bind    = ["127.0.0.1"]
port    = 0
tls     = "required-starttls"

[[listener]]
name    = "submissions"
service = "submission"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"

[[listener]]
name    = "pop3"
service = "pop3"
bind    = ["127.0.0.1"]
port    = 0
tls     = "starttls"

[[listener]]
name    = "pop3s"
service = "pop3"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"

[[listener]]
name    = "pop3-trusted"
service = "pop3"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"
trusted_networks = ["127.0.0.0/8"]
"""

LIMITS = """
[guard]
failure_delay = "0s"
[smtp]
not_offered = ["binarymime"]
max_connections_per_address = 0
error_delay = "0s"

[submission]
not_offered = ["binarymime"]
max_connections_per_address = 0
error_delay = "0s"

[pop3]
max_connections_per_address = 0
"""
"""Nothing that makes a test wait for what it is not about."""

NOTHING_KEPT = '[delivery]\nkeep_deleted = "0s"\n'
"""What is deleted is gone for good."""

COMMAND = (sys.executable, "-m", "mailsuite")

DEVICE = "amber-river-violet-anchor"
"""What a device password in the configuration may be: at least 16 characters."""


@attrs.define
class Server:
    """``mailsuite serve`` with a configuration below *directory*.

    *listeners* and *extra* are TOML; each account of *accounts* stands in the file with a password file.
    """

    directory: Path
    extra: str = LIMITS
    listeners: str = LISTENERS
    accounts: tuple[str, ...] = tuple(PASSWORDS)
    notifymail: str = ""
    """What follows ``notifymail =`` in each account."""
    domain: str = ""
    """More settings for example.test."""
    settings: dict[str, str] = attrs.field(factory=dict)
    """More settings for each account of *accounts*, devices among them (see device())."""
    more: str = ""
    """What follows all accounts."""
    passwords: dict[str, str] = attrs.field(factory=dict)
    """What the password files hold where it is not password_of(): a hash, or another password."""
    environment: dict[str, str] | None = None
    """That of the process; None is ours."""
    keep_free: str = "0B"
    """delivery.keep_free, whatever the file says: how full this machine's disk is shall not count."""
    user: str = ""
    """Whom it becomes, where root starts it; it may enter *directory*."""
    command: tuple[str, ...] = COMMAND
    fresh: bool = False
    """Started as a program in any case; see nursery.py."""
    process: subprocess.Popen[bytes] | Sibling | None = None
    ports: dict[str, int] = attrs.field(factory=dict)
    _sockets: tempfile.TemporaryDirectory[str] = attrs.field(
        factory=lambda: tempfile.TemporaryDirectory(prefix="ms-"), init=False
    )

    def _environment(self) -> dict[str, str]:
        inherited = dict(os.environ) if self.environment is None else self.environment
        laid_down = {}
        if self.keep_free:
            laid_down["MAILSUITE_DELIVERY__KEEP_FREE"] = self.keep_free
        if "[queue" not in self.extra:  # where a test says nothing of mail that leaves, none does
            laid_down["MAILSUITE_QUEUE__OUTGOING"] = "local-only"
        return inherited | laid_down

    @property
    def config(self) -> Path:
        return self.directory / "mailsuite.toml"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    @property
    def socket(self) -> Path:
        """Its own short place: the path of a Unix socket has 107 octets at most."""
        return Path(self._sockets.name) / "control.sock"

    @property
    def control(self) -> Control:
        return Control(self.socket, timeout=PATIENCE)

    @property
    def certificate(self) -> Path:
        return self.state / "tls" / "self-signed.pem"

    def maildir(self, account: str) -> Path:
        local, _, domain = account.partition("@")
        return self.state / "mail" / domain / local

    def _secret(self, name: str, text: str) -> Path:
        file = self.directory / "secrets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text + "\n")
        return file

    def device(self, name: str, *lines: str, password: str = DEVICE) -> str:
        """A device for *settings*, with a password file and further settings."""
        file = self._secret(f"device-{name}", password)
        block = ("[[account.device]]", f'name = "{name}"', f'password_file = "{file}"')
        return "\n".join((*block, *lines)) + "\n"

    def account(self, address: str, *lines: str, password: str = "") -> str:
        """An account for *more*, with a password file and further settings."""
        file = self._secret(address, password or password_of(address))
        block = ("[[account]]", f'address = "{address}"', f'password_file = "{file}"')
        return "\n".join((*block, *lines)) + "\n"

    def write_config(self) -> None:
        text = [
            "[server]",
            'name  = "mail.example.test"',
            'admin = "joe@example.test"',
            f'state = "{self.state}"',
            f'control_socket = "{self.socket}"',
            f'user = "{self.user}"',
            self.listeners,
            self.extra,
            '[[domain]]\nname = "example.test"',
            self.domain,
        ]
        for account in self.accounts:
            file = self._secret(account, self.passwords.get(account, password_of(account)))
            text += ["[[account]]", f'address = "{account}"', f'password_file = "{file}"']
            if self.notifymail:
                text.append(f"notifymail = {self.notifymail}")
            text.append(self.settings.get(account, ""))
        text.append(self.more)
        self.config.write_text("\n".join(text) + "\n")

    def start(self, *arguments: str) -> Server:
        """Start, and return when mail is served."""
        self.write_config()
        if self.user:
            shutil.chown(self._sockets.name, self.user)
        reading, writing = os.pipe()
        self.process = self._begun(writing, arguments)
        os.close(writing)
        with os.fdopen(reading, "rb") as ready:
            if ready.readline() != b"ready\n":
                self.process.wait(PATIENCE)
                self._sockets.cleanup()
                raise AssertionError(f"the server did not start:\n{self.log.read_text()}")
        self.read_ports()
        return self

    def _begun(self, ready: int, arguments: tuple[str, ...]) -> subprocess.Popen[bytes] | Sibling:
        alone = self.fresh or self.user or self.environment is not None or self.command != COMMAND
        with self.log.open("ab") as log:
            if nursery.in_use and not alone:
                return nursery.nursery().start(
                    self.config, arguments, log.fileno(), ready, self._environment()
                )
            serve = ["--config", str(self.config), "serve", "--ready-fd", str(ready), *arguments]
            return subprocess.Popen(
                [*self.command, *serve], stdout=log, stderr=log, pass_fds=[ready], env=self._environment()
            )

    def read_ports(self) -> None:
        self.ports = {
            listener["name"]: int(listener["addresses"][0].rpartition(":")[2])
            for service in self.control.get("/v1/status")["services"]
            for listener in service["listeners"]
        }

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and answer its exit status. Any number of times."""
        process = self.process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
        self.process = None
        return process.returncode

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def __enter__(self) -> Server:
        return self if self.process is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it for good."""
        try:
            self.stop()
        finally:
            self._sockets.cleanup()

    def reload(self) -> None:
        """Write the configuration as it is to be now, and take it over, as ``mailsuite reload`` does."""
        self.write_config()
        self.control.post("/v1/reload", {"force": False})
        self.read_ports()

    def cli(self, *arguments: str | Path, status: int = 0, stdin: str = "") -> str:
        """Run ``mailsuite``, which must end with *status*; all it says, stderr after stdout."""
        done = subprocess.run(
            [*self.command, "--config", str(self.config), *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            env=self._environment(),
            timeout=PATIENCE,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == status, f"mailsuite {arguments} ended with {done.returncode}:\n{said}"
        return said

    def add_device(self, account: str, name: str, *mechanisms: str, **fields: object) -> str:
        """Make a device password as ``mailsuite device add`` does; the password."""
        asked = {"name": name, "mechanisms": list(mechanisms), **fields}
        answer = self.control.post(f"/v1/accounts/{quote(account)}/devices", asked)
        return str(answer["generated"])

    # Clients

    def tls(self) -> ssl.SSLContext:
        """Trusts exactly this server."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.ports["mx"], "client.example", timeout=PATIENCE)

    def deliver(self, message: bytes, *recipients: str, sender: str = "sender@elsewhere.example") -> None:
        """Hand in a message as another server would."""
        with self.smtp() as client:
            client.sendmail(sender, recipients or ["joe@example.test"], message)

    @contextlib.contextmanager
    def pop3(self, account: str = "joe@example.test") -> Iterator[poplib.POP3_SSL]:
        """A session over implicit TLS, logged in; ends by QUIT."""
        client = poplib.POP3_SSL("127.0.0.1", self.ports["pop3s"], timeout=PATIENCE, context=self.tls())
        try:
            client.user(account)
            client.pass_(PASSWORDS[account])
            yield client
        finally:
            with contextlib.suppress(poplib.error_proto, OSError):
                client.quit()

    def messages(self, account: str = "joe@example.test") -> list[bytes]:
        """All messages, byte for byte as POP3 gives them."""
        with self.pop3(account) as client:
            count, _ = client.stat()
            return [
                b"".join(line + b"\r\n" for line in client.retr(number)[1]) for number in range(1, count + 1)
            ]

    def logged(self) -> str:
        return self.log.read_text(errors="replace")
