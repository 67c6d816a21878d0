"""The three messages of NTLM (MS-NLMP section 2.2.1), as values. None of them decides anything."""

from __future__ import annotations

import enum
import struct

import attrs

_SIGNATURE = b"NTLMSSP\0"
_NEGOTIATE, _CHALLENGE, _AUTHENTICATE = 1, 2, 3
_HEADER = struct.Struct("<8sI")
_FLAGS = struct.Struct("<I")
_FIELDS = struct.Struct("<HHI")
"""Length, room (of no meaning to the reader), offset from the message's begin."""
_NT_FIELDS, _DOMAIN_FIELDS, _USER_FIELDS = 20, 28, 36
_PAYLOAD_OFFSET = 52
"""What an AUTHENTICATE_MESSAGE points to stands behind this, the fields of five payloads. Old clients leave
out what can come in between: flags, version and integrity code."""
_CHALLENGE_HEADER_OCTETS = 56
_PROOF_OCTETS = 16
_TIME = struct.Struct("<8xQ")
_MIN_BLOB_OCTETS = 28
"""NTLMv2_CLIENT_CHALLENGE (section 2.2.2.7) up to its attributes."""
_MAX_NETBIOS_CHARACTERS = 15


class Flag(enum.IntFlag):
    """Section 2.2.2.5, as far as it matters where nothing is signed or sealed afterwards."""

    UNICODE = 0x00000001
    OEM = 0x00000002
    REQUEST_TARGET = 0x00000004
    NTLM = 0x00000200
    ALWAYS_SIGN = 0x00008000
    TARGET_TYPE_SERVER = 0x00020000
    EXTENDED_SESSION_SECURITY = 0x00080000
    TARGET_INFO = 0x00800000
    KEY_128 = 0x20000000
    KEY_56 = 0x80000000


_ALWAYS = Flag.REQUEST_TARGET | Flag.NTLM | Flag.ALWAYS_SIGN | Flag.TARGET_TYPE_SERVER | Flag.TARGET_INFO
_WHERE_ASKED = Flag.EXTENDED_SESSION_SECURITY | Flag.KEY_128 | Flag.KEY_56
"""Windows goes on only where strong keys are agreed upon, though there is no use for them here."""


class _AvId(enum.IntEnum):
    """Section 2.2.2.1."""

    END = 0
    NETBIOS_COMPUTER = 1
    NETBIOS_DOMAIN = 2
    DNS_COMPUTER = 3
    DNS_DOMAIN = 4
    TIMESTAMP = 7


@attrs.frozen
class Authenticate:
    """AUTHENTICATE_MESSAGE."""

    user: str
    domain: str
    nt_response: bytes


@attrs.frozen
class Ntlmv2Response:
    """NTLMv2_RESPONSE (section 2.2.2.8)."""

    proof: bytes
    blob: bytes
    time: int
    """As FILETIME; 0 where the client does not say."""


def filetime(seconds: float) -> int:
    """Seconds since 1970 as tenths of microseconds since 1601 (MS-DTYP section 2.3.3)."""
    return int((seconds + 11_644_473_600) * 10_000_000)


def negotiated(message: bytes) -> Flag | None:
    """Read a NEGOTIATE_MESSAGE, and say what is agreed upon; None where it is none, or has no charset."""
    if not _is(message, _NEGOTIATE, _HEADER.size + _FLAGS.size):
        return None
    asked = Flag(_FLAGS.unpack_from(message, _HEADER.size)[0])
    charset = Flag.UNICODE if Flag.UNICODE in asked else asked & Flag.OEM
    return _ALWAYS | charset | (asked & _WHERE_ASKED) if charset else None


def challenge(flags: Flag, nonce: bytes, hostname: str, seconds: float) -> bytes:
    """Write a CHALLENGE_MESSAGE of a server that is in no domain, *nonce* being its 8 random octets."""
    label, _, parent = hostname.partition(".")
    netbios = label.upper()[:_MAX_NETBIOS_CHARACTERS]
    name = netbios.encode("utf-16-le") if Flag.UNICODE in flags else netbios.encode("ascii", "replace")
    info = b"".join(
        (
            _av(_AvId.NETBIOS_DOMAIN, netbios.encode("utf-16-le")),
            _av(_AvId.NETBIOS_COMPUTER, netbios.encode("utf-16-le")),
            _av(_AvId.DNS_DOMAIN, (parent or hostname).encode("utf-16-le")),
            _av(_AvId.DNS_COMPUTER, hostname.encode("utf-16-le")),
            _av(_AvId.TIMESTAMP, struct.pack("<Q", filetime(seconds))),
            _av(_AvId.END, b""),
        )
    )
    return b"".join(
        (
            _HEADER.pack(_SIGNATURE, _CHALLENGE),
            _FIELDS.pack(len(name), len(name), _CHALLENGE_HEADER_OCTETS),
            _FLAGS.pack(flags),
            nonce,
            bytes(8),
            _FIELDS.pack(len(info), len(info), _CHALLENGE_HEADER_OCTETS + len(name)),
            bytes(8),
            name,
            info,
        )
    )


def authenticate(message: bytes, flags: Flag) -> Authenticate | None:
    """Read an AUTHENTICATE_MESSAGE in the charset of *flags*; None where it is none.

    The code page of OEM names is anybody's guess, so they are ASCII.
    """
    if not _is(message, _AUTHENTICATE, _PAYLOAD_OFFSET):
        return None
    nt_response, domain, user = (
        _payload(message, offset) for offset in (_NT_FIELDS, _DOMAIN_FIELDS, _USER_FIELDS)
    )
    if nt_response is None or domain is None or user is None:
        return None
    charset = "utf-16-le" if Flag.UNICODE in flags else "ascii"
    try:
        return Authenticate(user.decode(charset), domain.decode(charset), nt_response)
    except UnicodeDecodeError:
        return None


def ntlmv2_response(nt_response: bytes) -> Ntlmv2Response | None:
    """Read an NtChallengeResponse; None where it is no NTLMv2_RESPONSE."""
    proof, blob = nt_response[:_PROOF_OCTETS], nt_response[_PROOF_OCTETS:]
    if len(blob) < _MIN_BLOB_OCTETS or not blob.startswith(b"\1\1"):
        return None
    return Ntlmv2Response(proof, blob, _TIME.unpack_from(blob)[0])


def _is(message: bytes, kind: int, octets: int) -> bool:
    return len(message) >= octets and _HEADER.unpack_from(message) == (_SIGNATURE, kind)


def _payload(message: bytes, fields: int) -> bytes | None:
    """What the fields point to; None where that is not all behind them and within the message."""
    length, _, offset = _FIELDS.unpack_from(message, fields)
    if not length:
        return b""
    return message[offset : offset + length] if _PAYLOAD_OFFSET <= offset <= len(message) - length else None


def _av(kind: _AvId, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + value
