"""Which password hashes are taken at all, of a bearable cost; and what stands where a hash should be."""

from __future__ import annotations

import attrs

from mailsuite.model.hashes.crypt import MODULAR, read_crypt, read_modular
from mailsuite.model.hashes.dovecot import PLAIN, read_scheme, split
from mailsuite.model.hashes.phc import READERS
from mailsuite.model.hashes.values import HashRefused, StoredHash

MAX_HASH_CHARACTERS = 1024
"""Above any hash within the bounds."""


def read_hash(stored: str) -> StoredHash:
    """What *stored* says. Raises HashRefused where no password can be checked against it here."""
    if len(stored) > MAX_HASH_CHARACTERS or not (stored.isascii() and stored.isprintable()):
        raise HashRefused("the hash is too long, or has characters that no hash has")
    if stored.startswith("$"):
        kind = stored[1:].partition("$")[0]
        return READERS[kind](stored) if kind in READERS else read_modular(stored)
    scheme = split(stored)
    if scheme is None:
        raise HashRefused("it is no hash in a form that is known here")
    return read_scheme(scheme)


def is_readable(stored: str) -> bool:
    """Whether a password can be checked against *stored*, at a bearable cost."""
    try:
        read_hash(stored)
    except HashRefused:
        return False
    return True


def looks_hashed(text: str) -> bool:
    """Whether *text* begins as a hash does. What does must not be taken for a password, even where it
    cannot be read: whoever saw it in the place that it was copied from could log in by it."""
    try:
        if split(text) is not None:
            return True
    except HashRefused:
        return True
    return text.startswith("$") and text[1:].partition("$")[0] in MODULAR | READERS.keys()


@attrs.frozen
class Plain:
    """A password itself, which is to be hashed at once."""

    password: str = attrs.field(repr=False)


def of_foreign_file(field: str) -> str | Plain:
    """What the password field of another server's file (passwd-file, shadow) says: a hash in a form that
    read_hash() takes, empty where there is no password, or the password itself.

    Without a scheme it is crypt(3)'s, as for Dovecot. Raises HashRefused.
    """
    if not field or field[0] in "!*":  # shadow(5): nobody can log in
        return ""
    if field == "x":
        raise HashRefused("the hash is not here but in another file, such as /etc/shadow")
    scheme = split(field)
    if scheme is None:
        if field.startswith("$"):
            read_hash(field)
            return field
        try:
            read_crypt(field)
        except HashRefused:
            raise HashRefused(
                "it is no hash in a form that is known here; before a plain password there must be {PLAIN}"
            ) from None
        return f"{{CRYPT}}{field}"
    if scheme.name in PLAIN:
        return Plain(scheme.text) if scheme.text else ""
    if scheme.name == "CRYPT" and scheme.text[:1] in {"", "!", "*"}:
        return ""
    read_hash(field)
    return field
