"""NTLM (MS-NLMP): the messages, and what is refused."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterator

import pytest

from mailsuite.wire.sasl.exchange import Exchange
from mailsuite.wire.sasl.ntlm_messages import filetime
from mailsuite.wire.sasl.ntlm_response import nt_hash, ntlmv2_proves
from mailsuite.wire.sasl.steps import Challenge, HopelessClaim, NtlmClaim, Refusal, Step
from tests.wire.sasl.world import NOW, b64, exchange_of

UNICODE, OEM, EXTENDED, KEY_128, KEY_56 = 0x1, 0x2, 0x80000, 0x20000000, 0x80000000
WINDOWS = 0xE2088297
"""What Windows 10 asks for."""
CURL = 0x00088206
ALWAYS = 0x00828204
BLOB_END = b"\0" * 4 + struct.pack("<HH", 2, 2) + "D".encode("utf-16-le") + bytes(8)


def negotiate(flags: int = WINDOWS, *, more: bytes = b"") -> bytes:
    return b"NTLMSSP\0" + struct.pack("<II", 1, flags) + more


def blob(time: int = filetime(NOW)) -> bytes:
    return b"\1\1" + bytes(6) + struct.pack("<Q", time) + b"\xaa" * 8 + BLOB_END


def authenticate(
    user: bytes = "joe".encode("utf-16-le"),
    domain: bytes = b"",
    nt_response: bytes = b"p" * 16 + blob(),
    header: int = 64,
) -> bytes:
    """An AUTHENTICATE_MESSAGE whose payload begins at *header*: 52, 64, 72 or 88 by the client's age."""
    payload, fields = b"", b""
    for part in (b"l" * 24, nt_response, domain, user, "PC".encode("utf-16-le")):
        fields += struct.pack("<HHI", len(part), len(part), header + len(payload))
        payload += part
    message = b"NTLMSSP\0" + struct.pack("<I", 3) + fields
    return message + bytes(header - len(message)) + payload


def challenged(flags: int = WINDOWS) -> tuple[Exchange, bytes]:
    """An exchange that waits for the AUTHENTICATE_MESSAGE, and its challenge."""
    exchange = exchange_of("NTLM")
    step = exchange.start(b64(negotiate(flags)))
    assert isinstance(step, Challenge)
    return exchange, step.data


def answered(message: bytes, flags: int = WINDOWS) -> Step:
    exchange, _ = challenged(flags)
    return exchange.respond(b64(message))


def pairs(info: bytes) -> Iterator[tuple[int, bytes]]:
    while info:
        kind, length = struct.unpack_from("<HH", info)
        yield kind, info[4 : 4 + length]
        info = info[4 + length :]


def test_windows_sends_no_initial_response() -> None:
    exchange = exchange_of("NTLM")
    assert exchange.start(None) == Challenge(b"")
    step = exchange.respond(b64(negotiate()))
    assert isinstance(step, Challenge)
    assert step.data == challenged()[1]


def test_the_challenge() -> None:
    _, message = challenged()
    assert message[:12] == b"NTLMSSP\0\2\0\0\0"
    assert message[24:32] == bytes(range(8))
    assert message[32:40] == message[48:56] == bytes(8)
    length, room, offset = struct.unpack_from("<HHI", message, 12)
    assert (length, room) == (8, 8)
    assert message[offset : offset + length] == "MAIL".encode("utf-16-le")
    length, room, offset = struct.unpack_from("<HHI", message, 40)
    assert length == room
    assert offset + length == len(message)
    assert list(pairs(message[offset:])) == [
        (2, "MAIL".encode("utf-16-le")),
        (1, "MAIL".encode("utf-16-le")),
        (4, "example.net".encode("utf-16-le")),
        (3, "mail.example.net".encode("utf-16-le")),
        (7, struct.pack("<Q", 133_444_736_005_000_000)),
        (0, b""),
    ]


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        (WINDOWS, ALWAYS | UNICODE | EXTENDED | KEY_128 | KEY_56),
        (CURL, ALWAYS | OEM | EXTENDED),
        (UNICODE, ALWAYS | UNICODE),
        (UNICODE | OEM, ALWAYS | UNICODE),
        (OEM | KEY_56, ALWAYS | OEM | KEY_56),
        (0xFFFFFFFF, ALWAYS | UNICODE | EXTENDED | KEY_128 | KEY_56),
    ],
)
def test_flags(asked: int, agreed: int) -> None:
    _, message = challenged(asked)
    assert struct.unpack_from("<I", message, 20) == (agreed,)


@pytest.mark.parametrize(
    ("hostname", "target", "domain"),
    [
        ("localhost", b"LOCALHOST", "localhost"),
        ("a-very-long-label.example.net", b"A-VERY-LONG-LAB", "example.net"),
        ("pöst.example.net", b"P?ST", "example.net"),
    ],
)
def test_names_of_the_host(hostname: str, target: bytes, domain: str) -> None:
    step = exchange_of("NTLM", hostname=hostname).start(b64(negotiate(CURL)))
    assert isinstance(step, Challenge)
    assert step.data[56 : 56 + len(target)] == target
    info = dict(pairs(step.data[56 + len(target) :]))
    assert info[4].decode("utf-16-le") == domain
    assert info[3].decode("utf-16-le") == hostname


@pytest.mark.parametrize("more", [b"", bytes(16), bytes(24) + b"DOMAIN"])
def test_negotiations(more: bytes) -> None:
    assert isinstance(exchange_of("NTLM").start(b64(negotiate(more=more))), Challenge)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"NTLMSSP\0",
        negotiate()[:15],
        b"NTLMSSP " + negotiate()[8:],
        b"ntlmssp\0" + negotiate()[8:],
        b"NTLMSSP\0" + struct.pack("<II", 2, WINDOWS),
        b"NTLMSSP\0" + struct.pack("<II", 3, WINDOWS),
        negotiate(0x00088204),
        authenticate(),
    ],
)
def test_what_is_no_negotiation(message: bytes) -> None:
    assert exchange_of("NTLM").start(b64(message) or b"=") == Refusal.MALFORMED


@pytest.mark.parametrize("header", [52, 64, 72, 88])
def test_a_claim(header: int) -> None:
    exchange, _ = challenged()
    message = authenticate(domain="Work".encode("utf-16-le"), header=header)
    claim = NtlmClaim("NTLM", "joe", "joe", "Work", bytes(range(8)), b"p" * 16, blob())
    assert exchange.respond(b64(message)) == claim
    assert exchange.conclude(True, b"nothing to sign") is None


def test_a_proof_there_and_back() -> None:
    exchange, challenge = challenged(CURL)
    key = hmac.digest(nt_hash("secret"), "JOEexample.net".encode("utf-16-le"), "md5")
    proof = hmac.digest(key, challenge[24:32] + blob(), "md5")
    claim = exchange.respond(b64(authenticate(b"Joe", b"example.net", proof + blob())))
    assert isinstance(claim, NtlmClaim)
    assert ntlmv2_proves(claim, nt_hash("secret"))
    assert not ntlmv2_proves(claim, nt_hash("Secret"))


def test_the_message_of_section_4_2_4_3() -> None:
    """Its blob says no time, and its challenge is another server's."""
    message = bytes.fromhex(
        "4e544c4d5353500003000000180018006c00000054005400840000000c000c0048000000080008005400000010001000"
        "5c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e0055007300650072004300"
        "4f004d005000550054004500520086c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa68cd0ab851e51c96"
        "aabc927bebef6a1c01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00"
        "610069006e0001000c005300650072007600650072000000000000000000c5dad2544fc9799094ce1ce90bc9d03e"
    )
    exchange = exchange_of("NTLM", octets=lambda count: bytes.fromhex("0123456789abcdef"))
    exchange.start(b64(negotiate(0xE28A8233)))
    claim = exchange.respond(b64(message))
    assert isinstance(claim, NtlmClaim)
    assert (claim.authcid, claim.user, claim.domain) == ("User", "User", "Domain")
    assert claim.proof.hex() == "68cd0ab851e51c96aabc927bebef6a1c"
    assert ntlmv2_proves(claim, nt_hash("Password"))


@pytest.mark.parametrize(
    ("user", "domain", "authcid"),
    [
        ("joe", "", "joe"),
        ("joe", "WORKGROUP", "joe"),
        ("joe", "example.net", "joe@example.net"),
        ("joe@example.net", "", "joe@example.net"),
        ("joe@example.net", "WORKGROUP", "joe@example.net"),
        ("joe@example.net", "corp.example.com", "joe@example.net"),
        ("jörg", "exämple.net", "jörg@exämple.net"),
        ("j" * 255, "d" * 255, "j" * 255),
    ],
)
def test_who_it_is(user: str, domain: str, authcid: str) -> None:
    claim = answered(authenticate(user.encode("utf-16-le"), domain.encode("utf-16-le")))
    assert isinstance(claim, NtlmClaim)
    assert (claim.authcid, claim.user, claim.domain) == (authcid, user, domain)


def test_oem_names_are_ascii() -> None:
    claim = answered(authenticate(b"joe", b"WORK"), CURL)
    assert isinstance(claim, NtlmClaim)
    assert (claim.user, claim.domain) == ("joe", "WORK")
    assert answered(authenticate("jö".encode()), CURL) == Refusal.MALFORMED
    assert answered(authenticate(b"j\x94"), CURL) == Refusal.MALFORMED


@pytest.mark.parametrize(
    ("user", "domain"),
    [
        (b"j\0o\0e", b""),
        (b"\x00\xd8", b""),
        (b"j\0o\0e\0", b"\x00\xdc"),
        ("jo\0e".encode("utf-16-le"), b""),
        (b"j\0o\0e\0", "\0".encode("utf-16-le")),
        (("j" * 256).encode("utf-16-le"), b""),
        (("ö" * 128).encode("utf-16-le"), b""),
        (b"j\0o\0e\0", ("d" * 256).encode("utf-16-le")),
    ],
)
def test_names_that_are_none(user: bytes, domain: bytes) -> None:
    assert answered(authenticate(user, domain)) == Refusal.MALFORMED


@pytest.mark.parametrize(
    ("user", "nt_response", "claim"),
    [
        (b"j\0", b"v" * 24, HopelessClaim("NTLM", "j", "ntlm-version-1")),
        (b"j\0", b"", HopelessClaim("NTLM", "j", "ntlm-version-1")),  # LM alone
        (b"", b"", HopelessClaim("NTLM", "", "empty")),  # anonymous
        (b"", b"p" * 16 + blob(), HopelessClaim("NTLM", "", "empty")),
        (b"", b"v" * 24, HopelessClaim("NTLM", "", "empty")),
    ],
)
def test_old_and_anonymous_responses_are_refused(
    user: bytes, nt_response: bytes, claim: HopelessClaim
) -> None:
    assert answered(authenticate(user, b"", nt_response)) == claim


def test_a_hopeless_claim_has_the_name_that_a_good_one_would_have() -> None:
    domain = "example.net".encode("utf-16-le")
    claim = answered(authenticate(b"j\0", domain, b"v" * 24))
    assert claim == HopelessClaim("NTLM", "j@example.net", "ntlm-version-1")


@pytest.mark.parametrize(
    "nt_response",
    [
        b"v",
        b"v" * 16,
        b"p" * 16 + blob()[:27],
        b"p" * 16 + b"\1\2" + blob()[2:],
        b"p" * 16 + b"\2\1" + blob()[2:],
        b"p" * 16 + bytes(40),
    ],
)
def test_responses_of_no_known_kind(nt_response: bytes) -> None:
    assert answered(authenticate(nt_response=nt_response)) == Refusal.MALFORMED


@pytest.mark.parametrize(
    ("time", "taken"),
    [
        (0, True),
        (filetime(NOW), True),
        (filetime(NOW - 36 * 3600), True),
        (filetime(NOW + 36 * 3600), True),
        (filetime(NOW - 36 * 3600 - 1), False),
        (filetime(NOW + 36 * 3600 + 1), False),
        (1, False),
        (2**64 - 1, False),
    ],
)
def test_the_clocks_have_to_agree(time: int, taken: bool) -> None:
    step = answered(authenticate(nt_response=b"p" * 16 + blob(time)))
    if taken:
        assert isinstance(step, NtlmClaim)
    else:
        assert isinstance(step, HopelessClaim)
        assert step.reason == "clock-skew"


def with_fields(fields: int, length: int, offset: int) -> bytes:
    message = bytearray(authenticate())
    struct.pack_into("<HHI", message, fields, length, length, offset)
    return bytes(message)


WHOLE = len(authenticate())


@pytest.mark.parametrize("fields", [20, 28, 36])
@pytest.mark.parametrize(
    ("length", "offset"),
    [
        (2, WHOLE - 1),
        (2, WHOLE),
        (2, 0xFFFFFFFF),
        (2, 0xFFFFFFFE),
        (65535, 64),
        (65534, 52),
        (2, 0),
        (2, 51),
        (2, 12),
    ],
)
def test_payloads_that_are_not_within_the_message(fields: int, length: int, offset: int) -> None:
    assert answered(with_fields(fields, length, offset)) == Refusal.MALFORMED


def test_an_empty_payload_may_be_anywhere() -> None:
    assert isinstance(answered(with_fields(28, 0, 0xFFFFFFFF)), NtlmClaim)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        negotiate(),
        authenticate()[:51],
        authenticate()[:-15],
        b"NTLMSSP\0" + struct.pack("<I", 2) + authenticate()[12:],
        b"NTLMSSP\1" + authenticate()[8:],
    ],
)
def test_what_is_no_authentication(message: bytes) -> None:
    assert answered(message) == Refusal.MALFORMED


def test_an_integrity_code_does_no_harm() -> None:
    """MsvAvFlags says that there is one (0x2); it would need the session key that nobody here wants."""
    flagged = blob()[:28] + struct.pack("<HHI", 6, 4, 2) + bytes(4)
    claim = answered(authenticate(nt_response=b"p" * 16 + flagged, header=88))
    assert isinstance(claim, NtlmClaim)
    assert claim.blob == flagged
