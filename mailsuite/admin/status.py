"""``/v1/status``: is it well?"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

from mailsuite import __version__
from mailsuite.admin.resources import Document
from mailsuite.config.schema import Config
from mailsuite.notify.counters import NotifyCounters
from mailsuite.services.control import Services
from mailsuite.services.errors import SERVICES


@attrs.frozen
class Running:
    """What is known of a running suite."""

    config: Config
    path: Path | None
    """The configuration file."""
    read_at: float
    """When it was read last, in seconds since the epoch."""
    since: float
    services: Services
    notifier: NotifyCounters
    accounts: int
    certificates: Sequence[str] = ()
    """What is wrong with them, or will be soon, in words."""
    notices: Document | None = None
    """Subscriptions and how it went, as notices_summary() tells it."""
    queue: Document | None = None
    """The outbound queue, as queue_summary() tells it; None where it cannot be read."""


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
        "services": [describe_service(running.services, name, config) for name in SERVICES],
        "notifier": attrs.asdict(running.notifier),
        "notices": running.notices,
        "accounts": running.accounts,
        "queue": running.queue,
        "warnings": _warnings(running),
    }


def describe_service(services: Services, name: str, config: Config) -> Document:
    """One service. Raises UnknownService."""
    status = services.status(name)
    error = status.last_error
    return {
        "service": name,
        "state": status.state,
        "since": status.since,
        "listeners": [
            {"name": each.name, "addresses": list(services.doors.addresses(each)), "tls": each.tls}
            for each in status.listeners
        ],
        "sessions": status.sessions,
        "limit": getattr(config, name).max_connections,
        "counters": {},
        "last_error": None if error is None else attrs.asdict(error),
    }


def _warnings(running: Running) -> list[str]:
    warnings = [*running.certificates]
    if running.queue is None:
        warnings.append("the outbound queue cannot be read just now; the log says why")
    if not running.accounts:
        warnings.append("there is no account yet: mailsuite account add joe@example.net")
    if running.config.tls.mode == "self-signed":
        warnings.append("the certificate is of our own making: mail programs will ask whether to trust it")
    return warnings
