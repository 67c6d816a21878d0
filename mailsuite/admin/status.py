"""``/v1/status``: is it well?"""

from __future__ import annotations

import os
import time
from pathlib import Path

import attrs

from mailsuite import __version__
from mailsuite.admin.resources import Document
from mailsuite.config.schema import Config
from mailsuite.frontends.doors import Doors
from mailsuite.notify.counters import NotifyCounters

SERVICES = ("smtp", "submission", "pop3")


@attrs.frozen
class Running:
    """What is known of a running suite."""

    config: Config
    path: Path | None
    """The configuration file."""
    read_at: float
    """When it was read last, in seconds since the epoch."""
    since: float
    doors: Doors
    notifier: NotifyCounters
    accounts: int


def describe(running: Running) -> Document:
    """The whole as JSON; the shapes are part of the control API."""
    config = running.config
    return {
        "version": __version__,
        "name": config.server.name,
        "pid": os.getpid(),
        "since": running.since,
        "now": time.time(),
        "config": {
            "path": str(running.path.absolute()) if running.path else None,
            "read_at": running.read_at,
        },
        "state": str(config.server.state),
        "services": [_service(running, name) for name in SERVICES],
        "notifier": attrs.asdict(running.notifier),
        "accounts": running.accounts,
        "warnings": _warnings(running),
    }


def _service(running: Running, name: str) -> Document:
    listeners = [listener for listener in running.doors.listeners if listener.service == name]
    settings = getattr(running.config, name)
    return {
        "service": name,
        "state": "running" if listeners else "stopped",
        "listeners": [
            {"name": listener.name, "addresses": list(running.doors.addresses(listener)), "tls": listener.tls}
            for listener in listeners
        ],
        "sessions": running.doors.sessions(name),
        "limit": settings.max_connections,
        "counters": {},
    }


def _warnings(running: Running) -> list[str]:
    warnings = []
    if not running.accounts:
        warnings.append("there is no account yet: mailsuite account add joe@example.net")
    if running.config.tls.mode == "self-signed":
        warnings.append("the certificate is of our own making: mail programs will ask whether to trust it")
    return warnings
