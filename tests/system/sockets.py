"""A server that programs of this machine reach by Unix sockets."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.system.clients import Client
from tests.system.harness import PATIENCE, Server

SMALL = "small@example.test"
"""An account with room for hardly anything."""

LMTP_DOOR = """
[[listener]]
name    = "lmtp-local"
service = "lmtp"
socket  = "{sockets}/lmtp.sock"
socket_mode = "0600"
"""


class SocketServer(Server):
    """``{sockets}`` in *listeners* is the short place of its control socket."""

    @property
    def lmtp(self) -> Path:
        return self.socket.with_name("lmtp.sock")

    @property
    def submission(self) -> Path:
        return self.socket.with_name("submission.sock")

    def write_config(self) -> None:
        self.listeners = self.listeners.replace("{sockets}", str(self.socket.parent))
        super().write_config()

    def read_ports(self) -> None:
        self.ports = {
            listener["name"]: int(port)
            for service in self.control.get("/v1/status")["services"]
            for listener in service["listeners"]
            if (port := listener["addresses"][0].rpartition(":")[2]).isdigit()
        }

    def add_small(self) -> None:
        """Make the account SMALL."""
        self.control.post("/v1/accounts", {"address": SMALL, "without_password": True})
        self.control.patch(f"/v1/accounts/{SMALL}", {"quota": "2KiB"})


def called(path: Path) -> Client:
    """A connection to a Unix socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(str(path))
    return Client(connection)


def letters(server: Server, account: str) -> list[bytes]:
    """What is new in a maildrop, the oldest first."""
    folder = server.maildir(account) / "new"
    if not folder.exists():
        return []
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    return [file.read_bytes() for file in files]
