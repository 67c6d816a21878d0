"""The PROXY protocol, versions 1 and 2: what a proxy says, before all else, of the connection it passes on.

Whoever may say so is believed, so whoever feeds this has looked who is at the other end before. Section
numbers are those of haproxy's proxy-protocol.txt. A header is believed whole or not at all; what is behind
it is the client's.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

import attrs

from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress
from mailsuite.wire.crc32c import crc32c

MAX_LINE: Final = 107
"""Octets of a header of version 1, with its CRLF (section 2.1)."""
MAX_HEADER: Final = 4096
"""Octets of a header of version 2, as nginx has it: room for a client's certificate."""
MAX_UNIQUE_ID: Final = 128
"""Octets (section 2.2.5)."""
SIGNATURES: Final = (b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n")
"""How a header begins, in version 1 and 2. No client of ours begins so."""

_TEXT, _BINARY = SIGNATURES
_FIXED: Final = 16
"""Octets of version 2 that every header has; the last two say how many follow."""
_LOCAL, _PROXY = 0x20, 0x21
_Kind = type[IPv4Address] | type[IPv6Address]
_WORDS: Final[Mapping[bytes, _Kind]] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
_UNSPECIFIED: Final = 0x00
_TCP: Final[Mapping[int, tuple[struct.Struct, _Kind]]] = {
    0x11: (struct.Struct("!4s4sHH"), IPv4Address),
    0x21: (struct.Struct("!16s16sHH"), IPv6Address),
}
_UNIX: Final = 0x31
_UNIX_OCTETS: Final = 216
_DATAGRAMS: Final = (0x12, 0x22, 0x32)

_TLV: Final = struct.Struct("!BH")
_SSL_FIXED: Final = struct.Struct("!BI")
_CLIENT_SSL: Final = 0x01
_CLIENT_CERTIFICATE: Final = 0x06
"""Shown in this connection, or in the TLS session that it goes on with."""


class _Field(enum.IntEnum):
    """What may stand behind the addresses (section 2.2), as far as anybody here asks for it."""

    ALPN = 0x01
    AUTHORITY = 0x02
    CRC32C = 0x03
    UNIQUE_ID = 0x05
    SSL = 0x20
    SSL_VERSION = 0x21
    SSL_CN = 0x22
    SSL_CIPHER = 0x23


class BadHeader(ValueError):
    """It is no header of this protocol, or a broken one; the words say why, and are ours alone."""


@attrs.frozen
class ClientTls:
    """The TLS between the client and the proxy, where it ends there (section 2.2.6)."""

    version: str = ""
    cipher: str = ""
    common_name: str = ""
    """Of the client's certificate."""
    verified: bool = False
    """The client has shown a certificate, and the proxy found it good."""


@attrs.frozen
class Proxied:
    """What the proxy says. What it says of TLS is for the log: nothing here is as safe as TLS of our own."""

    version: int
    peer: IPAddress | None = None
    """The client; None where the connection is the proxy's own (LOCAL: it looks whether we live), or it
    cannot say whose (UNKNOWN, UNSPEC, a Unix socket of its machine): then the proxy is whom we talk to."""
    port: int = 0
    local: bool = False
    """LOCAL."""
    authority: str = ""
    """The name that the client asked for, by SNI say."""
    alpn: bytes = b""
    unique_id: bytes = b""
    tls: ClientTls | None = None


@attrs.define
class HeaderReader:
    """Takes octets until the header is whole, and no further. After BadHeader it is of no use any more."""

    rest: bytes = attrs.field(default=b"", init=False)
    """What came behind the header."""
    _buffer: bytes = attrs.field(default=b"", init=False)

    def receive(self, data: bytes) -> Proxied | None:
        """Answers the header, once, when its last octet has come. Raises BadHeader as soon as it cannot
        become one any more."""
        self._buffer += data
        buffer = self._buffer
        if not any(buffer.startswith(each[: len(buffer)]) for each in SIGNATURES):
            raise BadHeader("it begins as no PROXY header does")
        end = _end_of_line(buffer) if buffer[:1] == _TEXT[:1] else _end_of_block(buffer)
        if not 0 < end <= len(buffer):
            return None
        header, self.rest = buffer[:end], buffer[end:]
        return _line(header) if header.startswith(_TEXT) else _block(header)


# Version 1


def _end_of_line(buffer: bytes) -> int:
    """Where the header ends; 0: not known yet."""
    end = buffer.find(b"\r\n", 0, MAX_LINE) + 2
    if end >= 2:
        return end
    if len(buffer) >= MAX_LINE:
        raise BadHeader("its line is too long")
    return 0


def _line(header: bytes) -> Proxied:
    words = header[len(_TEXT) : -2].split(b" ")
    if words[0] == b"UNKNOWN":
        return Proxied(1)
    kind = _WORDS.get(words[0])
    if kind is None:
        raise BadHeader("it names no protocol that there is")
    if len(words) != 5:
        raise BadHeader("it has not two addresses and two ports")
    source, _ = [_address(word, kind) for word in words[1:3]]
    port, _ = [_port(word) for word in words[3:5]]
    return Proxied(1, _somebody(source), port)


def _address(word: bytes, kind: _Kind) -> IPAddress:
    try:
        address = kind(word.decode("ascii"))
    except (AddressValueError, UnicodeDecodeError):
        raise BadHeader("it has an address that is none") from None
    if b"%" in word:
        raise BadHeader("it has an address of one link alone")
    return address


def _somebody(address: IPAddress) -> IPAddress:
    """The address in its plain form, where it is one that a client can have."""
    if address.is_unspecified or address.is_multicast:
        raise BadHeader("it has an address that nobody has")
    return unmapped(address)


def _port(word: bytes) -> int:
    """A number without leading zeros and signs."""
    if not word.isdigit() or len(word) > 5 or (word[:1] == b"0" and word != b"0") or int(word) > 0xFFFF:
        raise BadHeader("it has a port that is none")
    return int(word)


# Version 2


def _end_of_block(buffer: bytes) -> int:
    """Where the header ends; 0: not known yet."""
    if len(buffer) < _FIXED:
        return 0
    end = _FIXED + int.from_bytes(buffer[_FIXED - 2 : _FIXED], "big")
    if end > MAX_HEADER:
        raise BadHeader("it is too long")
    return end


def _block(header: bytes) -> Proxied:
    command, family = header[12], header[13]
    if command == _LOCAL:
        return Proxied(2, local=True)
    if command != _PROXY:
        raise BadHeader("it has a version or a command that there is not")
    if family == _UNSPECIFIED:
        return Proxied(2)
    if family in _DATAGRAMS:
        raise BadHeader("it tells of datagrams, and this is a connection")
    if family == _UNIX:
        _extent(header, _UNIX_OCTETS)
        return _described(Proxied(2), header, _FIXED + _UNIX_OCTETS)
    if family not in _TCP:
        raise BadHeader("it has a family or a protocol that there is not")
    layout, kind = _TCP[family]
    _extent(header, layout.size)
    source, _, port, _ = layout.unpack_from(header, _FIXED)
    return _described(Proxied(2, _somebody(kind(source)), port), header, _FIXED + layout.size)


def _extent(header: bytes, octets: int) -> None:
    if len(header) < _FIXED + octets:
        raise BadHeader("it ends within its addresses")


def _described(said: Proxied, header: bytes, start: int) -> Proxied:
    """*said*, and what the fields behind the addresses tell. Unknown ones are passed over."""
    for kind, at, value in _fields(header, start):
        match kind:
            case _Field.ALPN:
                said = attrs.evolve(said, alpn=value)
            case _Field.AUTHORITY:
                said = attrs.evolve(said, authority=_shown(value))
            case _Field.CRC32C:
                _verify(header, at, value)
            case _Field.UNIQUE_ID:
                said = attrs.evolve(said, unique_id=_bounded(value))
            case _Field.SSL:
                said = attrs.evolve(said, tls=_client_tls(value))
    return said


def _bounded(value: bytes) -> bytes:
    if len(value) > MAX_UNIQUE_ID:
        raise BadHeader("its unique id is too long")
    return value


def _fields(octets: bytes, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Kind, place and value of each."""
    while start < len(octets):
        if len(octets) - start < _TLV.size:
            raise BadHeader("it ends within a field")
        kind, size = _TLV.unpack_from(octets, start)
        start += _TLV.size
        if len(octets) - start < size:
            raise BadHeader("it ends within a field")
        yield kind, start, octets[start : start + size]
        start += size


def _verify(header: bytes, at: int, value: bytes) -> None:
    """Section 2.2.3: the sum over the whole header, with zeros where it stands itself."""
    if len(value) != 4 or crc32c(header[:at] + bytes(4) + header[at + 4 :]) != int.from_bytes(value, "big"):
        raise BadHeader("its check sum is wrong")


def _client_tls(value: bytes) -> ClientTls | None:
    """None where the client spoke without TLS."""
    if len(value) < _SSL_FIXED.size:
        raise BadHeader("it ends within a field")
    flags, failed = _SSL_FIXED.unpack_from(value)
    texts = {kind: _shown(each) for kind, _, each in _fields(value, _SSL_FIXED.size)}
    if not flags & _CLIENT_SSL:
        return None
    return ClientTls(
        version=texts.get(_Field.SSL_VERSION, ""),
        cipher=texts.get(_Field.SSL_CIPHER, ""),
        common_name=texts.get(_Field.SSL_CN, ""),
        verified=bool(flags & _CLIENT_CERTIFICATE) and not failed,
    )


def _shown(value: bytes) -> str:
    """UTF-8; what is none is shown as escapes, for nothing is decided by it."""
    return value.decode("utf-8", "backslashreplace")
