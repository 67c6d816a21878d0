"""What some defaults come from: the machine and the person who starts the server."""

from __future__ import annotations

import datetime
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

import attrs

from mailsuite.model.address import AddressSyntaxError, normalise_domain

_HOSTS = Path("/etc/hosts")
_SYSTEM_STATE = Path("/var/lib/mailsuite")


@attrs.frozen
class Machine:
    """What defaults and checks need to know."""

    name: str
    """A valid host name, ``localhost`` at worst."""
    state: Path
    """Where state goes when nobody says."""
    today: datetime.date = attrs.field(factory=lambda: datetime.datetime.now(datetime.UTC).date())
    """In UTC, as days are meant in the configuration."""

    @classmethod
    def here(cls, environ: Mapping[str, str]) -> Machine:
        return cls(_host_name(os.uname().nodename, _hosts_lines()), _state_folder(os.geteuid(), environ))


def _hosts_lines() -> list[str]:
    try:
        return _HOSTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _host_name(node: str, hosts: list[str]) -> str:
    """*node*, or its full name from the hosts file. DNS is not asked: it could keep us waiting."""
    names = [node]
    if "." not in node:
        for line in hosts:
            aliases = line.partition("#")[0].split()[1:]
            if node in aliases:
                names = [alias for alias in aliases if "." in alias] + names
                break
    for name in names:
        try:
            return normalise_domain(name) if not name.startswith("[") else "localhost"
        except AddressSyntaxError:
            continue
    return "localhost"


def _state_folder(uid: int, environ: Mapping[str, str]) -> Path:
    """The system's folder for root, else the XDG base directory for state."""
    if uid == 0:
        return _SYSTEM_STATE
    given = environ.get("XDG_STATE_HOME", "")
    if given.startswith("/"):  # others are to be ignored, says the XDG specification
        return Path(given) / "mailsuite"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        try:
            home = pwd.getpwuid(uid).pw_dir
        except KeyError:  # a user without a name, as in some containers
            return _SYSTEM_STATE
    return Path(home) / ".local/state/mailsuite"
