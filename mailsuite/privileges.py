"""Between the operating system and the suite: limits, giving up root, telling systemd."""

from __future__ import annotations

import os
import pwd
import resource
import socket
from collections.abc import Iterable
from pathlib import Path

from mailsuite.state import State


class PrivilegeError(Exception):
    """The user of the configuration cannot be become; the message says why."""


def become(name: str, state: State, needed: Iterable[Path] = ()) -> None:
    """Become the user *name* with all of its groups, for good; a new *state* becomes its own.

    Directories of *needed* that are missing are made for it, because it may not be able to. Nothing happens
    where *name* is empty or is who we are. Raises PrivilegeError.
    """
    if not name:
        return
    try:
        user = pwd.getpwnam(name)
    except KeyError as error:
        raise PrivilegeError(f"server.user: there is no user {name!r}") from error
    if os.geteuid() == user.pw_uid:
        return
    if os.geteuid() != 0:
        raise PrivilegeError(f"server.user: only root can become {name!r}")
    for directory in needed:
        _make_for(directory, user)
    state.give_to(user.pw_uid, user.pw_gid)
    os.initgroups(name, user.pw_gid)  # groups first: whoever is not root cannot change them
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    if not os.access(state.path, os.W_OK | os.X_OK):
        raise PrivilegeError(f"{state.path} does not let {name!r} in; try: chown -R {name} {state.path}")


def _make_for(directory: Path, user: pwd.struct_passwd) -> None:
    try:
        directory.mkdir(mode=0o750, parents=True)
    except FileExistsError:
        return
    except OSError as error:
        raise PrivilegeError(f"{directory}: {error.strerror}") from error
    os.chown(directory, user.pw_uid, user.pw_gid, follow_symlinks=False)


def raise_descriptor_limit() -> int:
    """Allow ourselves as many open files as the system lets us; answer how many.

    The usual soft limit of 1,024 is less than the connections that the default configuration takes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def notify_systemd(message: str) -> None:
    """Send one line of sd_notify(3); nothing happens where systemd does not wait for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        try:
            notify.sendto(message.encode(), address)
        except OSError:
            return  # a server that serves is worth more than one that says so
