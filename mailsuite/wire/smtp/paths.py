"""Reverse-paths and forward-paths (RFC 5321 section 4.1.2, RFC 6531 section 3.3): ``<@route:local@domain>``.

The grammar of the wire is here: brackets, source routes, quoting. What a mailbox may be, once its
quotes are off, is model/address.py's to say.
"""

from __future__ import annotations

import re
import unicodedata

from mailsuite.model.address import POSTMASTER, Address, AddressSyntaxError
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import BAD_RECIPIENT, BAD_SENDER, NON_ASCII_ADDRESS, Reply

MAX_PATH_OCTETS = 256
"""Brackets included (RFC 5321 section 4.5.3.1.3)."""

# Classes say what is not in them: all beyond ASCII is (RFC 6531 section 3.3), and each class that named it
# would cost milliseconds at every start.
_ATOM = r'[^\0- "(),.:;<>@\[\\\]\x7f]+'
_QUOTED = r'"(?:[^\0-\x1f"\\\x7f]|\\[ -~])*"'
_LET_DIG = r"[^\0-/:-@\[-`{-\x7f]"
_LABEL = rf"{_LET_DIG}(?:[^\0-,./:-@\[-`{{-\x7f]{{0,61}}{_LET_DIG})?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL = r"\[[!-Z^-~]+\]"
_MAILBOX = re.compile(
    rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"  # a source route is taken and ignored (appendix C)
    rf"(?P<local>{_ATOM}(?:\.{_ATOM})*|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})"
)
_QUOTED_STRING = r'"(?:[^"\\]|\\.)*"'
_BRACKETED = re.compile(rf'<(?P<path>(?:[^<>"]|{_QUOTED_STRING})*)>')
_BARE = re.compile(rf'(?P<path>(?:[^<>" ]|{_QUOTED_STRING})+)(?= |$)')


def split_path(text: str, bare: bool = False) -> tuple[str, str] | None:
    """Split what stands behind FROM: or TO: into the path without its brackets, and all behind them.

    None where there is no path in brackets, nor, if *bare* ones are borne, one without. A bracket inside of
    quotes is none.
    """
    found = _BRACKETED.match(text) or (_BARE.match(text) if bare else None)
    return (found["path"], text[found.end() :]) if found else None


def sender_of(path: str, beyond_ascii: Reply | None = NON_ASCII_ADDRESS) -> Address | None:
    """Read a reverse-path; None is the null sender ``<>``. Raises PermanentFailure, with *beyond_ascii* where
    an octet is; None: they are taken, as UTF-8."""
    return _mailbox(path, BAD_SENDER, beyond_ascii) if path else None


def recipient_of(path: str, beyond_ascii: Reply | None = NON_ASCII_ADDRESS) -> Address:
    """Read a forward-path, the bare ``postmaster`` of section 4.5.1 included. Raises as sender_of() does."""
    if path.isascii() and path.lower() == POSTMASTER.local:
        return POSTMASTER
    return _mailbox(path, BAD_RECIPIENT, beyond_ascii)


def _mailbox(path: str, refusal: Reply, beyond_ascii: Reply | None) -> Address:
    if beyond_ascii is not None and not path.isascii():
        raise PermanentFailure(beyond_ascii)
    found = _MAILBOX.fullmatch(path)
    # What is no UTF-8 has come as surrogates, and counts as what it was.
    if not found or len(path.encode("utf-8", "surrogateescape")) + 2 > MAX_PATH_OCTETS:
        raise PermanentFailure(refusal)
    local = found["local"]
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    try:
        return Address.of(unicodedata.normalize("NFC", local), found["domain"])
    except AddressSyntaxError as error:
        raise PermanentFailure(refusal, str(error)) from error
