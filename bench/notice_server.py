"""Servers that tell users, for bench.notify."""

from __future__ import annotations

import socket

from tests.system.harness import LIMITS, Server

NOTIFY = """
[[listener]]
name    = "notify"
service = "notify"
bind    = ["127.0.0.1"]
port    = 0
"""
IN_CLEAR = NOTIFY.replace('"notify"\nservice', '"in-clear"\nservice') + 'tls = "off"\n'
SETTINGS = """
allow_networks = ["127.0.0.0/8"]
coalesce = "{coalesce}"
[notify.notifymail]
ports = [{knock}]
[notify.webhook]
ports = {hooks}
{more}
"""
"""What follows WITHOUT_LIMITS."""
WITHOUT_LIMITS = f"""{LIMITS}
[notify]
max_connections = 0
max_connections_per_address = 0
max_streams_per_account = 1000
max_per_hour = 100000
"""


def accounts_of(count: int) -> tuple[str, ...]:
    return tuple(f"user{number}@example.test" for number in range(count))


def everywhere(backlog: int = 1024) -> socket.socket:
    """A listener at every address of 127.0.0.0/8, and at no other."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("0.0.0.0", 0))
    listener.listen(backlog)
    return listener


def subscribe(server: Server, account: str, url: str) -> None:
    """A webhook whose target need not show that it wants it."""
    asked = {"account": account, "channel": "webhook", "target": url, "level": "subject", "verified": True}
    server.control.post("/v1/notices", asked)
