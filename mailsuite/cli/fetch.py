"""``mailsuite fetch``: look into a maildrop, and take messages out of it, by POP3."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from email.errors import MessageError
from email.header import decode_header, make_header
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

import attrs
import click

from mailsuite.cli.context import CommandFailed
from mailsuite.cli.options import json_option, quiet_option, yes_option
from mailsuite.cli.passwords import PasswordSource, password_options, reveal
from mailsuite.cli.peer import CONNECT_TIMEOUT, Peer, Scheme, parse_peer, peer_failures, tls_context
from mailsuite.cli.pop3 import Pop3Client, Pop3Error
from mailsuite.cli.terminal import (
    clean,
    clean_lines,
    confirm,
    count_text,
    note,
    octets_text,
    print_json,
    print_table,
)

SCHEMES: Final = {"pop3": Scheme(110), "pop3s": Scheme(995, implicit_tls=True)}
MAX_HEADER_OCTETS: Final = 256 * 1024
"""Of a header, this much is read for the list."""
MAX_FILE_NAME: Final = 200
MAX_DIGITS: Final = 18
"""Of a message number or a size; a server that says more is up to something."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_+=,.-]|^\.")


@attrs.frozen
class Listed:
    """One message as the list shows it."""

    number: int
    size: int
    uidl: str
    sender: str
    subject: str
    date: str


@attrs.frozen
class Wish:
    """What is to be done in the session."""

    message: int | None
    top: int | None
    everything: bool
    into: Path | None
    delete: tuple[int, ...]
    yes: bool
    as_json: bool
    quiet: bool

    def __attrs_post_init__(self) -> None:
        if self.top is not None and self.message is None:
            raise click.UsageError("--top needs --message")
        if self.everything is (self.into is None):
            raise click.UsageError("--all and --into belong together")
        if self.everything and self.message is not None:
            raise click.UsageError("--all and --message exclude each other")


@click.command("fetch")
@click.argument("server", metavar="URL")
@click.option("--message", type=click.IntRange(1), metavar="N", help="Print message N, octet by octet.")
@click.option(
    "--top", type=click.IntRange(0), metavar="LINES", help="Of that message, header and LINES lines."
)
@click.option("--all", "everything", is_flag=True, help="Save every message that is not there yet.")
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where --all saves."
)
@click.option(
    "--delete", type=click.IntRange(1), multiple=True, metavar="N", help="Delete message N, at the end."
)
@click.option("--insecure", is_flag=True, help="Take any certificate.")
@password_options()
@yes_option
@json_option
@quiet_option
def fetch(
    *,
    server: str,
    message: int | None,
    top: int | None,
    everything: bool,
    into: Path | None,
    delete: tuple[int, ...],
    insecure: bool,
    password: PasswordSource,
    yes: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """List the messages of pop3://USER@HOST[:PORT] or pop3s://; an @ in USER may be %40.

    pop3:// goes over to TLS where the server offers that, and nowhere but on this machine does without.
    """
    peer = parse_peer(server, SCHEMES)
    if not peer.user:
        raise click.UsageError("whose maildrop? Write pop3://USER@HOST")
    wish = Wish(message, top, everything, into, tuple(dict.fromkeys(delete)), yes, as_json, quiet)
    secret = reveal(password.read(f"Password of {clean(peer.user)} at {peer}")) or ""
    with peer_failures(peer), _session(peer, insecure, secret) as client:
        _fulfil(client, wish)


@contextmanager
def _session(peer: Peer, insecure: bool, password: str) -> Iterator[Pop3Client]:
    """A session that is logged in. Only when all went well it ends with QUIT, which alone deletes."""
    context = tls_context(peer, insecure)
    client = Pop3Client.connect(peer.host, peer.port, CONNECT_TIMEOUT, context if peer.implicit_tls else None)
    try:
        if not peer.implicit_tls:
            _start_tls(client, peer, context)
        client.command("USER", peer.user)
        client.command("PASS", password)
        yield client
        client.command("QUIT")
    finally:
        client.close()


def _start_tls(client: Pop3Client, peer: Peer, context: ssl.SSLContext) -> None:
    try:
        capabilities = {line.split()[0].upper() for line in client.lines("CAPA") if line.split()}
    except Pop3Error:  # RFC 2449 is younger than POP3
        capabilities = set()
    if b"STLS" in capabilities:
        client.start_tls(context, peer.host)
    elif not peer.is_loopback:
        raise Pop3Error(f"{peer} offers no TLS, and without it no password is sent; try pop3s://")


def _fulfil(client: Pop3Client, wish: Wish) -> None:
    if wish.message is not None:
        _print_message(client, wish.message, wish.top)
    elif wish.into is not None:
        _save_all(client, wish.into, wish)
    elif not wish.delete:
        _print_list(client, wish)
    _delete(client, wish)


def _print_message(client: Pop3Client, number: int, top: int | None) -> None:
    """To a file or a pipe as it is; to a terminal without what could steer it."""
    words = ("RETR", str(number)) if top is None else ("TOP", str(number), str(top))
    write = _show if sys.stdout.isatty() else sys.stdout.buffer.write
    _copy(client.lines(*words), write, "stdout")
    with _here("stdout"):
        sys.stdout.flush()


def _show(piece: bytes) -> None:
    click.echo(clean_lines(piece.decode("utf-8", "backslashreplace")), nl=False)


def _print_list(client: Pop3Client, wish: Wish) -> None:
    sizes = _numbered(client.lines("LIST"))
    uidls = _uidls(client)
    listed = [_listed(client, number, _size(size), uidls.get(number, "")) for number, size in sizes.items()]
    if wish.as_json:
        print_json({"messages": [attrs.asdict(one) for one in listed]})
    elif not listed:
        note("The maildrop is empty.")
    else:
        rows = [
            (str(one.number), octets_text(one.size), one.uidl or "-", one.sender, one.subject, one.date)
            for one in listed
        ]
        print_table(("NO", "SIZE", "UIDL", "FROM", "SUBJECT", "DATE"), rows, right=("NO", "SIZE"))
        if not wish.quiet:
            total = octets_text(sum(one.size for one in listed))
            click.echo(f"{count_text(len(listed), 'message')}, {total}")


def _numbered(lines: Iterable[bytes]) -> dict[int, str]:
    """The second word of each line by its first, a message number."""
    found = {}
    for line in lines:
        words = line.decode("ascii", "backslashreplace").split()
        if len(words) < 2 or not _is_number(words[0]):
            raise Pop3Error(f"that is no line of a list: {clean(' '.join(words))[:200]}")
        found[int(words[0])] = words[1]
    return found


def _size(text: str) -> int:
    if not _is_number(text):
        raise Pop3Error(f"that is no size: {text[:200]}")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= MAX_DIGITS


def _uidls(client: Pop3Client) -> dict[int, str]:
    try:
        return _numbered(client.lines("UIDL"))
    except Pop3Error:  # RFC 1939 section 7: optional
        return {}


def _listed(client: Pop3Client, number: int, size: int, uidl: str) -> Listed:
    header = b""
    try:
        for piece in client.lines("TOP", str(number), "0"):
            if len(header) < MAX_HEADER_OCTETS:
                header += piece
    except Pop3Error:  # optional as well, and the message may be gone
        header = b""
    fields = HeaderParser().parsestr(header.decode("utf-8", "backslashreplace"))
    shown = (_field(fields.get(name)) for name in ("From", "Subject", "Date"))
    return Listed(number, size, uidl, *shown)


def _field(value: object) -> str:
    """A header field for people: unfolded, and decoded where that is possible (RFC 2047)."""
    text = " ".join(str(value or "").split())
    try:
        return str(make_header(decode_header(text)))
    except (MessageError, ValueError, LookupError):
        return text


def _save_all(client: Pop3Client, into: Path, wish: Wish) -> None:
    with _here(into):
        into.mkdir(parents=True, exist_ok=True)
    uidls = _uidls(client)
    saved, known = [], 0
    for number in _numbered(client.lines("LIST")):
        if number in uidls and (into / file_name(uidls[number])).exists():
            known += 1
            continue
        saved.append(_save(client, number, into, uidls.get(number)))
    if wish.as_json:
        print_json({"saved": [str(path) for path in saved], "already_there": known})
    elif not wish.quiet:
        click.echo(f"{count_text(len(saved), 'message')} saved in {clean(str(into))}, {known} there before")


def file_name(uidl: str) -> str:
    """A UIDL as the name of a file: each one its own, none with a path in it."""
    name = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", uidl)
    if len(name) > MAX_FILE_NAME:  # RFC 1939 section 7 allows 70 characters, but who knows
        name = hashlib.sha256(uidl.encode()).hexdigest()
    return f"{name}.eml"


def _save(client: Pop3Client, number: int, into: Path, uidl: str | None) -> Path:
    """Save one message, whole or not at all, for the owner's eyes only."""
    begun = into / f".{os.getpid()}-{number}.part"
    pieces = client.lines("RETR", str(number))
    with _here(begun):
        file = open(begun, "xb", opener=_private)  # noqa: SIM115 - closed below
    try:
        with file:
            digest = _copy(pieces, file.write, begun)
            with _here(begun):
                file.flush()
                os.fsync(file.fileno())
        path = into / file_name(digest[:32] if uidl is None else uidl)
        with _here(path):
            begun.rename(path)
    except BaseException:
        begun.unlink(missing_ok=True)
        raise
    return path


def _copy(pieces: Iterator[bytes], write: Callable[[bytes], object], to: Path | str) -> str:
    """Write what the server sends; answer its SHA-256. A failure to write is not one of the server's."""
    digest = hashlib.sha256()
    for piece in pieces:
        try:
            write(piece)
        except OSError as error:
            raise CommandFailed(f"{clean(str(to))}: {error.strerror}") from error
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def _here(path: Path | str) -> Iterator[None]:
    """What fails on this machine, told apart from what fails at the server."""
    try:
        yield
    except OSError as error:
        raise CommandFailed(f"{clean(str(path))}: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _delete(client: Pop3Client, wish: Wish) -> None:
    if not wish.delete:
        return
    numbers = ", ".join(map(str, wish.delete))
    what = f"message{'s' if len(wish.delete) > 1 else ''} {numbers}"
    if not wish.yes:
        confirm(f"Delete {what} on the server, for good?")
    for number in wish.delete:
        client.command("DELE", str(number))
    if not wish.quiet:
        note(f"deleted {what}")
