"""Checks against the machine: files that must be there and be readable, users that must exist."""

from __future__ import annotations

import grp
import os
import pwd
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from mailsuite.config.kinds import BadValue
from mailsuite.config.look import Look
from mailsuite.config.names import PasswordHash
from mailsuite.config.problems import Problem
from mailsuite.config.secret import Secret
from mailsuite.model.phc import is_readable

MAX_PASSWORD_OCTETS = 1024
"""Of a password file; no password that a client can send is longer."""


def surroundings(look: Look) -> Iterator[Problem]:
    """All that is wrong with what the configuration refers to."""
    yield from _people(look)
    yield from _folders(look)
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
        reason = _unreadable(file)
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


def _unreadable(file: Path) -> str:
    """Why a file cannot be read, empty where it can. Does not open it: it may be a FIFO."""
    try:
        if not file.is_file():
            return "is no file" if file.exists() else "is not there"
    except OSError as error:
        return f"cannot be reached: {error.strerror}"
    return "" if os.access(file, os.R_OK) else "cannot be read by this user"


def read_password(file: Path) -> tuple[str, Secret | None]:
    """The hash, or else the password, that a password file holds: one line. Raises BadValue."""
    reason = _unreadable(file)
    if reason:
        raise BadValue(f"{file} {reason}")
    try:
        with file.open("rb") as stream:
            octets = stream.read(MAX_PASSWORD_OCTETS + 1)
    except OSError as error:
        raise BadValue(f"{file} cannot be read: {error.strerror}") from None
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise BadValue(f"{file} is not UTF-8") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if not line or len(octets) > MAX_PASSWORD_OCTETS or not line.isprintable():
        raise BadValue(f"{file} does not hold one line with a hash or a password")
    if line.startswith("$"):
        if not is_readable(line):
            raise BadValue(f'{file}: what begins with "$" must be {PasswordHash().expects}')
        return line, None
    return "", Secret(line)


def is_open_to_others(file: Path) -> bool:
    """Whether group or others may read a file that holds a secret."""
    try:
        return bool(stat.S_IMODE(file.stat().st_mode) & 0o077)
    except OSError:
        return False
