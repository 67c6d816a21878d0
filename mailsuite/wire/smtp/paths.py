"""Reverse-paths and forward-paths (RFC 5321 section 4.1.2): ``<@route:local@domain>``.

The grammar of the wire is here: brackets, source routes, quoting. What a mailbox may be, once its
quotes are off, is model/address.py's to say.
"""

from __future__ import annotations

import re

from mailsuite.model.address import POSTMASTER, Address, AddressSyntaxError
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import BAD_RECIPIENT, BAD_SENDER, NON_ASCII_ADDRESS, Reply

MAX_PATH_OCTETS = 256
"""Brackets included (RFC 5321 section 4.5.3.1.3)."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_DOMAIN = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_LITERAL = r"\[[!-Z^-~]+\]"
_MAILBOX = re.compile(
    rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"  # a source route is taken and ignored (appendix C)
    rf"(?P<local>{_ATOM}(?:\.{_ATOM})*|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})"
)
_BRACKETED = re.compile(r'<(?P<path>(?:[^<>"]|"(?:[^"\\]|\\.)*")*)>')


def split_path(text: str) -> tuple[str, str] | None:
    """Split what stands behind FROM: or TO: into the path without its brackets, and all behind them.

    None where there is no path in brackets. A bracket inside of quotes is none.
    """
    found = _BRACKETED.match(text)
    return (found["path"], text[found.end() :]) if found else None


def sender_of(path: str) -> Address | None:
    """Read a reverse-path; None is the null sender ``<>``. Raises PermanentFailure."""
    return _mailbox(path, BAD_SENDER) if path else None


def recipient_of(path: str) -> Address:
    """Read a forward-path, the bare ``postmaster`` of section 4.5.1 included. Raises PermanentFailure."""
    if path.lower() == POSTMASTER.local:
        return POSTMASTER
    return _mailbox(path, BAD_RECIPIENT)


def _mailbox(path: str, refusal: Reply) -> Address:
    if not path.isascii():
        raise PermanentFailure(NON_ASCII_ADDRESS)
    found = _MAILBOX.fullmatch(path)
    if not found or len(path) + 2 > MAX_PATH_OCTETS:
        raise PermanentFailure(refusal)
    local = found["local"]
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    try:
        return Address.of(local, found["domain"])
    except AddressSyntaxError as error:
        raise PermanentFailure(refusal, str(error)) from error
