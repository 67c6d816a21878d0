"""The header of a message that a program hands to sendmail: whom it names, and what has to go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email.utils import formataddr
from itertools import chain
from typing import Final

import attrs

from mailsuite.cli.bare_names import complete
from mailsuite.cli.sysexits import Exit, MailFailed
from mailsuite.delivery.header_addresses import read_addresses
from mailsuite.model.address import Address, AddressSyntaxError

MAX_HEADER_OCTETS: Final = 1024 * 1024
"""Our own limit; the server's is lower."""

_END = re.compile(rb"\A[ \t]|^(?![!-9;-~]+[ \t]*:|[ \t]).*\n", re.MULTILINE)
"""The first line that is no part of a header, the empty one among them."""
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_RECIPIENTS: Final = (b"to", b"cc", b"bcc")
_RESENT: Final = b"resent-"
_ADDRESSES: Final = (*_RECIPIENTS, b"from", b"sender", b"reply-to")
"""Fields that have addresses in them, also behind Resent-."""


@attrs.frozen
class Field:
    """One field as it stands, with its line ends."""

    name: bytes
    """In lower case."""
    octets: bytes

    @property
    def value(self) -> str:
        """Behind the colon; octets that are no UTF-8 come back as they were."""
        return self.octets.partition(b":")[2].decode("utf-8", "surrogateescape")

    def with_value(self, value: str) -> Field:
        name = self.octets.partition(b":")[0]
        return Field(self.name, name + b":" + value.encode("utf-8", "surrogateescape"))


@attrs.frozen
class Header:
    """The fields, in their order."""

    fields: tuple[Field, ...]

    def completed(self, domain: str) -> Header:
        """With *domain* behind names that have none."""
        return Header(tuple(_completed(field, domain) for field in self.fields))

    def recipients(self) -> tuple[Address, ...]:
        """Whom To, Cc and Bcc name, or Resent-To, Resent-Cc and Resent-Bcc where any of these is there.
        Raises MailFailed where that cannot be told."""
        named = [each for each in self.fields if each.name.removeprefix(_RESENT) in _RECIPIENTS]
        resent = [each for each in named if each.name.startswith(_RESENT)]
        found = [address for field in resent or named for address in addresses_of(field.value, field.name)]
        return tuple(dict.fromkeys(found))

    def without_bcc(self) -> Header:
        """Without the fields that are nobody else's business (RFC 5322 section 3.6.3)."""
        hidden = {b"bcc", b"resent-bcc"}
        return Header(tuple(each for each in self.fields if each.name not in hidden))

    def with_author(self, name: str, address: Address) -> Header:
        """With From, where there is none."""
        if any(each.name == b"from" for each in self.fields):
            return self
        author = Field(b"from", f"From: {formataddr((name, str(address)))}\n".encode())
        return Header((author, *self.fields))

    def octets(self) -> bytes:
        return b"".join(each.octets for each in self.fields)


def addresses_of(value: str, name: bytes = b"") -> tuple[Address, ...]:
    """The addresses of a list. Raises MailFailed: who cannot be read cannot be sent to, and the others would
    never know."""
    try:
        return read_addresses(re.sub(r"\r?\n", " ", value).strip().encode("utf-8", "surrogateescape"))
    except AddressSyntaxError as error:
        where = f"{name.decode('ascii').title()}: " if name else ""
        raise MailFailed(Exit.DATAERR if name else Exit.USAGE, f"{where}{value.strip()}: {error}") from error


def _completed(field: Field, domain: str) -> Field:
    if field.name.removeprefix(_RESENT) not in _ADDRESSES:
        return field
    value = complete(field.value, domain)
    return field if value == field.value else field.with_value(value)


def read_header(chunks: Iterable[bytes]) -> tuple[Header, Iterator[bytes]]:
    """The header, and an iterable of what follows it, with the empty line between them.

    A message whose first lines are no header has none, and an empty line is put in front of it. Raises
    MailFailed where the header is too long.
    """
    rest = iter(chunks)
    data = b""
    for chunk in rest:
        data += chunk
        if _END.search(data) is not None:
            break
        if len(data) > MAX_HEADER_OCTETS:
            raise MailFailed(Exit.DATAERR, f"the header has more than {MAX_HEADER_OCTETS} octets")
    fields: list[Field] = []
    position = 0
    for line in _lines(data):
        found = _FIELD.fullmatch(line)
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] = attrs.evolve(fields[-1], octets=fields[-1].octets + line)
        elif found is not None:
            fields.append(Field(found[1].lower(), line))
        else:
            break
        position += len(line)
    behind = data[position:]
    if fields and not fields[-1].octets.endswith(b"\n"):
        fields[-1] = attrs.evolve(fields[-1], octets=fields[-1].octets + b"\n")
    separator = b"" if re.match(rb"\r?\n", behind) else b"\n"
    return Header(tuple(fields)), chain((separator + behind,), rest)


def _lines(data: bytes) -> Iterator[bytes]:
    """Each with its line end."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
