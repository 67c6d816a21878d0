"""Checks against the machine: files that must be there and be readable, users that must exist."""

from __future__ import annotations

import grp
import pwd
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from mailsuite.config.look import Look
from mailsuite.config.problems import Problem
from mailsuite.config.relations_notify import notify_files
from mailsuite.config.relations_queue import relay_files
from mailsuite.config.secret import unreadable
from mailsuite.config.sources import source_files


def surroundings(look: Look) -> Iterator[Problem]:
    """All that is wrong with what the configuration refers to."""
    yield from _people(look)
    yield from _folders(look)
    for source in look.config.sources:
        yield from source_files(look, source)
    yield from relay_files(look)
    yield from notify_files(look)
    seen: set[tuple[Path, Path]] = set()
    tls = look.config.tls
    pairs = [("tls", tls.certificate, tls.key)] if tls.mode == "files" else []
    pairs += [(f"listener.{one.name}", one.certificate, one.key) for one in look.config.listeners]
    for prefix, certificate, key in pairs:
        if certificate and key and (certificate, key) not in seen:
            seen.add((certificate, key))
            yield from _certificate(look, prefix, certificate, key)


def _people(look: Look) -> Iterator[Problem]:
    server = look.config.server
    if server.user and not _exists(pwd.getpwnam, server.user):
        yield look.error(
            f"there is no user {server.user!r} on this machine; adduser makes one", "server.user"
        )
    if server.control_group and not _exists(grp.getgrnam, server.control_group):
        text = f"there is no group {server.control_group!r} on this machine; addgroup makes one"
        yield look.error(text, "server.control_group")
    for one in look.config.listeners:
        key = f"listener.{one.name}.socket_owner"
        if one.socket_owner and look.is_given(key) and not _exists(pwd.getpwnam, one.socket_owner):
            yield look.error(f"socket_owner: there is no user {one.socket_owner!r} on this machine", key)
        key = f"listener.{one.name}.socket_group"
        if one.socket_group and not _exists(grp.getgrnam, one.socket_group):
            yield look.error(f"socket_group: there is no group {one.socket_group!r} on this machine", key)


def _exists(database: object, name: str) -> bool:
    try:
        database(name)  # type: ignore[operator]
    except KeyError:
        return False
    return True


def _folders(look: Look) -> Iterator[Problem]:
    state = look.config.server.state
    try:
        if state.exists() and not state.is_dir():
            yield look.error(f"state: {state} is no folder", "server.state")
    except OSError as error:
        yield look.error(f"state: {state} cannot be reached: {error.strerror}", "server.state")


def _certificate(look: Look, prefix: str, certificate: Path, key: Path) -> Iterator[Problem]:
    wrong = False
    for name, file in (("certificate", certificate), ("key", key)):
        reason = unreadable(file)
        if reason:
            wrong = True
            yield look.error(f"{name}: {file} {reason}", f"{prefix}.{name}", f"tls.{name}")
    if wrong:
        return
    if stat.S_IMODE(key.stat().st_mode) & 0o007:
        yield look.warning(f"key: everybody can read {key}; chmod 600 {key}", f"{prefix}.key", "tls.key")
    try:
        # An empty passphrase, because the default is to ask for one on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, lambda: "")
    except (OSError, ValueError) as error:
        reason = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
        yield look.error(
            f"certificate: {certificate} and {key} cannot be used together: {reason}",
            f"{prefix}.certificate",
            "tls.certificate",
        )
