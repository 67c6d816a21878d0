"""``./run``: a suite on loopback, and the proof that the whole way works, over real sockets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import poplib
import secrets
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import attrs
import click

from mailsuite import __version__
from mailsuite.admin.control import MAX_SOCKET_PATH
from mailsuite.cli.control import Control

ADDRESS = "joe@example.test"
KNOCK = b"nm_notifyuser\r\n"
"""RFC 4146 section 3: 15 octets and nothing else."""
PATIENCE = 20.0
"""Seconds that any one step may take."""

CONFIG = """\
# Written anew by each ./run; a suite on loopback, on ports that the system chooses.
[server]
name  = "mail.example.test"
admin = "{address}"
state = "{state}"
control_socket = "{socket}"

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
name    = "pop3"
service = "pop3"
bind    = ["127.0.0.1"]
port    = 0
tls     = "starttls"

[notify]
allow_networks = ["127.0.0.0/8"]
suppress       = []                 # joe writes to himself here: own mail tells nobody otherwise

[notify.notifymail]
ports = [{port}]

[[domain]]
name = "example.test"
"""

TEXT = """\
From: Demo <{address}>\r
To: Joe <{address}>\r
Date: {date}\r
Subject: Hello from the demo\r
Message-ID: <{token}@example.test>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
If you read this, the whole way works.\r
.\r
..a line with dots in front, and some letters beyond ASCII: grüße, 你好\r
\r
"""


class Broken(Exception):
    """A step did not work; the message says what was seen."""


def say(step: str, text: str, seconds: float | None = None) -> None:
    timing = f"{seconds * 1000:.0f} ms" if seconds is not None else ""
    click.echo(f"{step:<11} {text:<72} {timing:>8}".rstrip())


@attrs.define
class Receiver:
    """The program on the user's computer: waits for one knock and keeps what it heard."""

    socket: socket.socket
    port: int
    heard: bytes = b""
    done: threading.Event = attrs.field(factory=threading.Event)

    @classmethod
    def open(cls) -> Receiver:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(PATIENCE)
        return cls(listening, listening.getsockname()[1])

    def start(self) -> None:
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        with contextlib.suppress(OSError), self.socket:
            connection, _ = self.socket.accept()
            with connection:
                connection.settimeout(PATIENCE)
                while data := connection.recv(64):
                    self.heard += data
        self.done.set()


@contextlib.contextmanager
def server(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``mailsuite serve`` as a process of its own, and end it at the end."""
    reading, writing = os.pipe()
    command = [
        sys.executable,
        "-m",
        "mailsuite",
        "--config",
        str(config),
        "serve",
        "--ready-fd",
        str(writing),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, pass_fds=[writing])  # noqa: S603
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as ready:
            if ready.readline() != b"ready\n":
                raise Broken(
                    f"the server did not start; {log} says:\n{log.read_text(errors='replace')[-2000:]}"
                )
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def control_socket(state: Path) -> Path:
    """In the state directory, or in one with a short name where that path is too long for a socket."""
    path = state / "control.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="mailsuite-")) / "control.sock"


def make_account(control: Control, port: int) -> str:
    """Make joe's account, or give it a new password; answer the password."""
    notifymail = {"state": "static", "address": "127.0.0.1", "port": port}
    known = {account["address"] for account in control.get("/v1/accounts")["accounts"]}
    if ADDRESS in known:
        control.patch(f"/v1/accounts/{ADDRESS}", {"notifymail": notifymail})
        answer = control.put(f"/v1/accounts/{ADDRESS}/password", {"password": None})
    else:
        wanted = {"address": ADDRESS, "name": "Joe Doe", "password": None, "notifymail": notifymail}
        answer = control.post("/v1/accounts", wanted)
    password: str = answer["generated"]
    return password


def send(port: int, tls: ssl.SSLContext, password: str, message: bytes) -> str:
    """Submit *message* with STARTTLS and AUTH; answer the server's words behind 250."""
    with smtplib.SMTP("127.0.0.1", port, "demo.example.test", timeout=PATIENCE) as client:
        client.starttls(context=tls)
        client.login(ADDRESS, password)
        client.mail(ADDRESS, ["BODY=8BITMIME", f"SIZE={len(message)}"])
        code, words = client.rcpt(ADDRESS)
        if code != 250:
            raise Broken(f"RCPT was answered {code} {words.decode(errors='replace')}")
        code, words = client.data(message)
        if code != 250:
            raise Broken(f"the message was answered {code} {words.decode(errors='replace')}")
        return words.decode()


def fetch(port: int, tls: ssl.SSLContext, password: str) -> tuple[int, str, bytes]:
    """Fetch the newest message over POP3 with STLS: how many there are, its UIDL, its octets."""
    client = poplib.POP3("127.0.0.1", port, timeout=PATIENCE)
    try:
        client.stls(context=tls)
        client.user(ADDRESS)
        client.pass_(password)
        count, _ = client.stat()
        uidl = client.uidl(str(count)).split()[2].decode()
        _, lines, _ = client.retr(count)
        return count, uidl, b"".join(line + b"\r\n" for line in lines)
    finally:
        client.quit()


def prove(
    process: subprocess.Popen[bytes], control: Control, state: Path, receiver: Receiver, started: float
) -> dict[str, int]:
    """Walk the whole way once; answer the ports. Raises Broken."""
    status = control.get("/v1/status")
    ports = {
        listener["name"]: int(listener["addresses"][0].rpartition(":")[2])
        for service in status["services"]
        for listener in service["listeners"]
    }
    where = "  ".join(f"{name} {ports[name]}" for name in ("mx", "submission", "pop3"))
    say("start", f"mailsuite {__version__} on loopback: {where}", time.monotonic() - started)
    password = make_account(control, receiver.port)
    say("account", f"{ADDRESS}  password: {password}")
    tls = ssl.create_default_context(cafile=str(state / "tls" / "self-signed.pem"))
    message = TEXT.format(address=ADDRESS, date=formatdate(), token=secrets.token_hex(8)).encode()
    receiver.start()
    begun = time.monotonic()
    words = send(ports["submission"], tls, password, message)
    accepted = time.monotonic()
    say("send", f'"Hello from the demo": 250 {words}', accepted - begun)
    if not receiver.done.wait(PATIENCE) or receiver.heard != KNOCK:
        raise Broken(f"the notification was {receiver.heard!r} instead of {KNOCK!r}")
    knocked = time.monotonic() - accepted
    begun = time.monotonic()
    count, uidl, fetched = fetch(ports["pop3"], tls, password)
    took = time.monotonic() - begun
    say("deliver", f"{ADDRESS}  UIDL {uidl}, on the disk before the 250")
    say("notify", f"nm_notifyuser CRLF sent to 127.0.0.1:{receiver.port}, received by the demo", knocked)
    trace, _, rest = fetched.partition(b"From: Demo")
    if hashlib.sha256(b"From: Demo" + rest).digest() != hashlib.sha256(message).digest():
        raise Broken("what was fetched is not what was sent")
    if not trace.startswith(b"Return-Path:") or b"Received: from " not in trace:
        raise Broken("the trace fields are missing")
    say(
        "fetch",
        f"POP3 over TLS: {count} message{'s' if count != 1 else ''}, digest of the text matches",
        took,
    )
    if process.poll() is not None:
        raise Broken("the server has ended")
    say("OK", "the whole way works.")
    return ports


def _interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


@click.command(hidden=True)
@click.option(
    "--directory", type=click.Path(path_type=Path), required=True, help="Where the demo keeps its mail."
)
@click.option("--once", is_flag=True, help="End after the proof.")
def demo(directory: Path, once: bool) -> None:
    """Start a suite on loopback and prove the whole way."""
    started = time.monotonic()
    directory.mkdir(parents=True, exist_ok=True)
    state = directory.resolve() / "state"
    socket = control_socket(state)
    receiver = Receiver.open()
    config = directory / "mailsuite.toml"
    config.write_text(CONFIG.format(address=ADDRESS, state=state, socket=socket, port=receiver.port), "utf-8")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)  # the server must not outlive us, whatever our parent ignores
    try:
        with server(config, directory / "server.log") as process:
            ports = prove(process, Control(socket, timeout=PATIENCE), state, receiver, started)
            if once:
                return
            click.echo(
                f"\nFetch it yourself:  .venv/bin/mailsuite fetch pop3://{ADDRESS}@127.0.0.1:{ports['pop3']}"
            )
            click.echo(f"See how it is:      .venv/bin/mailsuite --config {config} status")
            click.echo("Ctrl-C stops it; ./run starts again with the same mail.")
            process.wait()
    except KeyboardInterrupt:
        click.echo("\nstopped; the mail stays.")
    except (Broken, OSError, smtplib.SMTPException, poplib.error_proto) as error:
        click.echo(f"FAILED      {error}", err=True)
        raise SystemExit(1) from error
