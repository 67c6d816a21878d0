"""Plays dialogues against a server over real sockets; README.md tells how to use it from a shell."""

from __future__ import annotations

import argparse
import contextlib
import select
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from tests.dialogs.dialog import LOGIN, RULES, SERVICES, DialogError, load
from tests.dialogs.play import Cut, Mismatch, Missing, play
from tests.dialogs.scene import Scene, fill_maildir

PATIENCE = 10.0
"""Seconds for which an answer is waited for."""
_MOST = 65_536


@attrs.frozen
class LiveServer:
    """Ports of a running server, by service and TLS as a dialogue names them."""

    host: str
    ports: Mapping[tuple[str, str, str], int]
    tls: ssl.SSLContext
    patience: float = PATIENCE

    def connect(self, service: str, tls: str, login: str) -> LiveConnection:
        port = self.ports.get((service, tls, login))
        if port is None:
            raise Mismatch(f"there is no port for service: {service}, tls: {tls}, login: {login}")
        plain = socket.create_connection((self.host, port), self.patience)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = LiveConnection(plain, self.tls, self.host)
        if tls == "yes":
            connection.start_tls()
        return connection


class LiveConnection:
    """The client's end of a TCP connection."""

    def __init__(self, plain: socket.socket, tls: ssl.SSLContext, host: str) -> None:
        self._socket, self._tls, self._host = plain, tls, host
        self._buffer = b""

    def send(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self._socket.sendall(data)  # a server that has closed says by its lines, or their lack, why

    def line(self) -> bytes:
        while b"\n" not in self._buffer:
            if not (data := self._receive()):
                raise Missing(f"the server has closed; it had said {self._buffer!r}")
            self._buffer += data
        line, end, self._buffer = self._buffer.partition(b"\n")
        return line + end

    def unread(self) -> bytes:
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        if pending or (not isinstance(self._socket, ssl.SSLSocket) and self._readable()):
            self._buffer += self._receive()
        return self._buffer

    def _readable(self) -> bool:
        return bool(select.select([self._socket], [], [], 0)[0])

    def start_tls(self) -> None:
        if self._buffer:
            raise Missing(f"the server has sent more in clear: {self._buffer!r}")
        try:
            self._socket = self._tls.wrap_socket(self._socket, server_hostname=self._host)
        except (ssl.SSLError, OSError) as error:
            raise Missing(f"TLS does not begin: {error}") from error

    def closed(self) -> None:
        while data := self._receive():
            self._buffer += data
        if self._buffer:
            raise Missing(f"the server has sent more: {self._buffer!r}")

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        """What comes next; nothing where the server has closed."""
        try:
            return self._socket.recv(_MOST)
        except TimeoutError:
            raise Missing(f"the server says nothing for {self._socket.gettimeout()} s") from None
        except (ConnectionResetError, ssl.SSLEOFError):
            return b""


def trusting() -> ssl.SSLContext:
    """Takes any certificate: what is looked at here is the dialogue."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def main(arguments: Sequence[str] | None = None) -> int:
    """Play files against a server; answer how many went wrong, at most 1."""
    options = _options().parse_args(arguments)
    scene = _scene(options)
    server = LiveServer(options.host, _ports(options), trusting(), options.patience)
    outcomes = Counter[str]()
    for path in options.files:
        try:
            dialog = load(path, scene)
            if not all((each.service, each.tls, each.login) in server.ports for each in dialog.connects):
                outcomes["skipped"] += 1
                _report(f"skipped  {path.stem}: no port for it")
                continue
            if options.maildir:
                fill_maildir(options.maildir)
            play(dialog, server, Cut.TOGETHER if dialog.together else Cut.LINES)
        except (DialogError, Mismatch, OSError) as error:
            outcomes["failed"] += 1
            _report(f"FAILED   {path.stem}: {error}")
        else:
            _report(f"ok       {path.stem}: {dialog.title}")
    _report(f"{len(options.files)} dialogues, {outcomes['failed']} failed, {outcomes['skipped']} skipped")
    return bool(outcomes["failed"])


def _report(line: str) -> None:
    sys.stdout.write(line + "\n")


def _options() -> argparse.ArgumentParser:
    defaults = Scene()
    parser = argparse.ArgumentParser(prog="python -m tests.dialogs.live", description=main.__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--service", choices=SERVICES, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="where the connection begins in clear")
    parser.add_argument("--tls-port", type=int, help="where the connection begins with TLS")
    parser.add_argument(
        "--clear-port", type=int, help="where there is no TLS at all and passwords come in clear"
    )
    parser.add_argument("--pop3s-port", type=int, help="where dialogues of SMTP fetch what was delivered")
    parser.add_argument("--user", default=defaults.user)
    parser.add_argument("--password-file", type=Path, help="its first line is the user's password")
    parser.add_argument(
        "--login", choices=LOGIN, default="usual", help="the ways to log in that the ports offer"
    )
    parser.add_argument("--rules", choices=RULES, default="usual", help="the rules that the ports have")
    parser.add_argument("--secret-file", type=Path, help="its first line is a device password for APOP")
    parser.add_argument("--other", default=defaults.other, help="a second account's address")
    parser.add_argument("--name", default=defaults.host, help="what the server calls itself")
    parser.add_argument("--max-message", type=int, default=defaults.max_message, metavar="OCTETS")
    parser.add_argument("--maildir", type=Path, help="the user's maildir, filled anew before each dialogue")
    parser.add_argument("--patience", type=float, default=PATIENCE, metavar="SECONDS")
    return parser


def _scene(options: argparse.Namespace) -> Scene:
    password = _first_line(options.password_file, Scene().password)
    secret = _first_line(options.secret_file, Scene().secret)
    return Scene(options.user, password, secret, options.other, options.name, options.max_message)


def _first_line(path: Path | None, otherwise: str) -> str:
    return otherwise if path is None else path.read_text(encoding="utf-8").partition("\n")[0]


def _ports(options: argparse.Namespace) -> dict[tuple[str, str, str], int]:
    login = options.login if options.rules == "usual" else options.rules
    ports = {
        (options.service, "no", login): options.port,
        (options.service, "yes", login): options.tls_port,
        (options.service, "off", login): options.clear_port,
    }
    ports.setdefault(("pop3", "yes", login), options.pop3s_port)
    return {door: port for door, port in ports.items() if port is not None}


if __name__ == "__main__":
    sys.exit(main())
