"""The configuration of the servers that our own runners play against: the same in memory and live."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from argon2 import PasswordHasher

from tests.dialogs.scene import Scene
from tests.system.harness import LISTENERS, Server

DOORS = {
    ("smtp", "no", "usual"): "mx",
    ("smtp", "off", "usual"): "mx-clear",
    ("submission", "no", "usual"): "submission",
    ("submission", "yes", "usual"): "submissions",
    ("submission", "no", "any"): "submission-any",
    ("submission", "yes", "any"): "submissions-any",
    ("lmtp", "off", "usual"): "lmtp",
    ("pop3", "no", "usual"): "pop3",
    ("pop3", "yes", "usual"): "pop3s",
    ("pop3", "off", "usual"): "pop3-trusted",
    ("pop3", "no", "any"): "pop3-any",
    ("pop3", "yes", "any"): "pop3s-any",
    ("pop3", "no", "hidden"): "pop3-hidden",
    ("pop3", "yes", "hidden"): "pop3s-hidden",
    ("pop3", "no", "old"): "pop3-old",
    ("pop3", "yes", "old"): "pop3s-old",
    ("pop3", "yes", "strict"): "pop3s-strict",
}
"""Service, TLS and login or rules, as a dialogue names them -> the listener."""

_EVERY = 'auth = ["plain", "login", "cram-md5", "ntlm", "scram-sha-1", "scram-sha-256", "scram-sha-256-plus"]'

_MORE_LISTENERS = """
[[listener]]
name    = "mx-clear"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"

[[listener]]
name    = "lmtp"
service = "lmtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"
"""

_OLD = """
auth = ["plain"]
last = true
implementation = "mailsuite"
quirks = ["outlook-no-nuls", "oe-ns-eoh", "auth-list"]
on_overlong_command = "error"
"""
_STRICT = "strict_crlf = true\nutf8 = false"

_RULES = "".join(
    f"""
[[listener]]
name    = "{name}"
service = "pop3"
bind    = ["127.0.0.1"]
port    = 0
tls     = "{tls}"
{rules}
"""
    for name, tls, rules in (
        ("pop3-old", "starttls", _OLD),
        ("pop3s-old", "implicit", _OLD),
        ("pop3s-strict", "implicit", _STRICT),
    )
)

_WAYS_IN = "".join(
    f"""
[[listener]]
name    = "{name}"
service = "{name.partition("-")[0].removesuffix("s")}"
bind    = ["127.0.0.1"]
port    = 0
tls     = "{tls}"
{_EVERY}
{apop}
"""
    for name, tls, apop in (
        ("submission-any", "required-starttls", ""),
        ("submissions-any", "implicit", ""),
        ("pop3-any", "starttls", 'apop = "offer"'),
        ("pop3s-any", "implicit", 'apop = "offer"'),
        ("pop3-hidden", "starttls", 'apop = "require"'),
        ("pop3s-hidden", "implicit", 'apop = "require"'),
    )
)

_LIMITS = """
[guard]
failure_delay = "0s"

[smtp]
not_offered = []
max_connections_per_address = 0
max_message = "16KiB"
error_delay = "0s"

[submission]
max_connections_per_address = 0
max_message = "16KiB"
error_delay = "0s"

[lmtp]
max_message = "16KiB"
error_delay = "0s"

[pop3]
max_connections_per_address = 0
"""

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""argon2id all the same, at a thousandth of the cost."""


def configured(directory: Path, scenes: Iterable[Scene], with_secret: Collection[str]) -> Server:
    """A server for these scenes, not started; those of *with_secret* have the device that can do everything.

    The usual user reads the postmaster's mail.
    """
    text = [_LIMITS]
    usual = Scene()
    secret = directory / "device-password"
    secret.write_text(usual.secret + "\n", encoding="utf-8")
    secret.chmod(0o600)
    accounts = {scene.user: scene.password for scene in (usual, *scenes)} | {
        usual.other: "plum-orbit-satchel-19"
    }
    for address, password in accounts.items():
        text += [
            "[[account]]",
            f'address = "{address}"',
            f'password_hash = "{CHEAP.hash(password)}"',
        ]
        if address in with_secret:
            text += [
                "[[account.device]]",
                'name = "every mechanism"',
                f'password_file = "{secret}"',
                'mechanisms = ["apop", "cram-md5", "ntlm"]',
            ]
    listeners = LISTENERS + _MORE_LISTENERS + _WAYS_IN + _RULES
    return Server(directory, extra="\n".join(text), listeners=listeners, accounts=())
