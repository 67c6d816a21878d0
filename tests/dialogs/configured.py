"""The configuration of the servers that our own runners play against: the same in memory and live."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from argon2 import PasswordHasher

from tests.dialogs.scene import Scene
from tests.system.harness import LISTENERS, Server

DOORS = {
    ("smtp", "no"): "mx",
    ("smtp", "off"): "mx-clear",
    ("submission", "no"): "submission",
    ("submission", "yes"): "submissions",
    ("pop3", "no"): "pop3",
    ("pop3", "yes"): "pop3s",
    ("pop3", "off"): "pop3-trusted",
}
"""Service and TLS, as a dialogue names them -> the listener."""

_MORE_LISTENERS = """
[[listener]]
name    = "mx-clear"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"
"""

_LIMITS = """
[smtp]
max_connections_per_address = 0
max_message = "16KiB"

[submission]
max_connections_per_address = 0
max_message = "16KiB"

[pop3]
max_connections_per_address = 0
"""

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""argon2id all the same, at a thousandth of the cost."""


def configured(directory: Path, scenes: Iterable[Scene]) -> Server:
    """A server for these scenes, not started. The usual user reads the postmaster's mail."""
    text = [_LIMITS]
    usual = Scene()
    accounts = {scene.user: scene.password for scene in (usual, *scenes)} | {
        usual.other: "plum-orbit-satchel-19"
    }
    for address, password in accounts.items():
        text += [
            "[[account]]",
            f'address = "{address}"',
            f'password_hash = "{CHEAP.hash(password)}"',
        ]
    return Server(directory, extra="\n".join(text), listeners=LISTENERS + _MORE_LISTENERS, accounts=())
