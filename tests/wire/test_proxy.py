"""The PROXY protocol as octets: what is a header, what is none, and where the client's own words begin."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.crc32c import crc32c
from mailsuite.wire.proxy import (
    MAX_HEADER,
    MAX_LINE,
    MAX_UNIQUE_ID,
    SIGNATURES,
    BadHeader,
    ClientTls,
    HeaderReader,
    Proxied,
)

V4 = IPv4Address("192.0.2.7")
V6 = IPv6Address("2001:db8::7")
SIGNATURE = SIGNATURES[1]


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def block(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def tcp4(fields: bytes = b"", source: IPv4Address = V4) -> bytes:
    return block(0x21, 0x11, source.packed + bytes([192, 0, 2, 1]) + struct.pack("!HH", 4711, 25) + fields)


def tcp6(fields: bytes = b"", source: IPv6Address = V6) -> bytes:
    target = IPv6Address("2001:db8::1").packed
    return block(0x21, 0x21, source.packed + target + struct.pack("!HH", 4711, 25) + fields)


def summed(header: bytes) -> bytes:
    """The header with its check sum behind it."""
    longer = len(header) - 16 + 7
    whole = header[:14] + struct.pack("!H", longer) + header[16:] + tlv(3, bytes(4))
    return whole[:-4] + struct.pack("!I", crc32c(whole))


SSL = tlv(
    0x20,
    b"\x07\0\0\0\0"
    + tlv(0x21, b"TLSv1.3")
    + tlv(0x23, b"TLS_AES_256_GCM_SHA384")
    + tlv(0x22, b"joe.example")
    + tlv(0x24, b"RSA-SHA256"),
)

HEADERS = [
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n", Proxied(1, V4, 4711)),
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 0 65535\r\n", Proxied(1, V4, 0)),
    (
        b"PROXY TCP4 255.255.255.254 255.255.255.255 65535 65535\r\n",
        Proxied(1, ip_address("255.255.255.254"), 65535),
    ),
    (b"PROXY TCP6 2001:db8::7 2001:DB8::1 4711 25\r\n", Proxied(1, V6, 4711)),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 4711 25\r\n", Proxied(1, V4, 4711)),
    (b"PROXY UNKNOWN\r\n", Proxied(1)),
    (b"PROXY UNKNOWN ffff:0:0 what ever  it\nsays\0\r\n", Proxied(1)),
    (b"PROXY UNKNOWN " + b"x" * (MAX_LINE - 16) + b"\r\n", Proxied(1)),
    (tcp4(), Proxied(2, V4, 4711)),
    (tcp6(), Proxied(2, V6, 4711)),
    (tcp6(source=IPv6Address("::ffff:192.0.2.7")), Proxied(2, V4, 4711)),
    (block(0x20, 0x00, b""), Proxied(2, local=True)),
    (block(0x20, 0x11, b"what it says is nobody's business"), Proxied(2, local=True)),
    (block(0x20, 0xFF, b""), Proxied(2, local=True)),
    (block(0x21, 0x00, b""), Proxied(2)),
    (block(0x21, 0x00, b"anything"), Proxied(2)),
    (block(0x21, 0x31, bytes(216)), Proxied(2)),
    (block(0x21, 0x31, bytes(216) + tlv(2, b"mail.example")), Proxied(2, authority="mail.example")),
    (tcp4(tlv(1, b"\x04smtp")), Proxied(2, V4, 4711, alpn=b"\x04smtp")),
    (tcp4(tlv(2, "пошта.example".encode())), Proxied(2, V4, 4711, authority="пошта.example")),
    (tcp4(tlv(2, b"\xff")), Proxied(2, V4, 4711, authority="\\xff")),
    (tcp4(tlv(4, bytes(9)) + tlv(0x30, b"net") + tlv(0xEE, b"own") + tlv(0xFF, b"")), Proxied(2, V4, 4711)),
    (tcp4(tlv(5, b"u" * MAX_UNIQUE_ID)), Proxied(2, V4, 4711, unique_id=b"u" * MAX_UNIQUE_ID)),
    (
        tcp6(SSL),
        Proxied(
            2, V6, 4711, tls=ClientTls("TLSv1.3", "TLS_AES_256_GCM_SHA384", "joe.example", verified=True)
        ),
    ),
    (tcp4(tlv(0x20, b"\x01\0\0\0\0")), Proxied(2, V4, 4711, tls=ClientTls())),
    (tcp4(tlv(0x20, b"\x03\0\0\0\1")), Proxied(2, V4, 4711, tls=ClientTls())),
    (tcp4(tlv(0x20, b"\x05\0\0\0\0")), Proxied(2, V4, 4711, tls=ClientTls(verified=True))),
    (tcp4(tlv(0x20, b"\0\0\0\0\1")), Proxied(2, V4, 4711)),
    (summed(tcp4()), Proxied(2, V4, 4711)),
    (summed(tcp6(tlv(2, b"mail.example"))), Proxied(2, V6, 4711, authority="mail.example")),
    (tcp4(tlv(4, bytes(MAX_HEADER - 16 - 12 - 3))), Proxied(2, V4, 4711)),
]

BROKEN = {
    "ends with LF": b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\n" + b" " * MAX_LINE,
    "no end": b"PROXY UNKNOWN " + b"x" * MAX_LINE,
    "one octet too long": b"PROXY UNKNOWN " + b"x" * (MAX_LINE - 15) + b"\r\n",
    "lower case": b"proxy TCP4 192.0.2.7 192.0.2.1 4711 25\r\n",
    "no blank": b"PROXY\r\n",
    "datagrams": b"PROXY UDP4 192.0.2.7 192.0.2.1 4711 25\r\n",
    "two blanks": b"PROXY TCP4  192.0.2.7 192.0.2.1 4711 25\r\n",
    "a blank at the end": b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25 \r\n",
    "a tab": b"PROXY TCP4\t192.0.2.7 192.0.2.1 4711 25\r\n",
    "too few words": b"PROXY TCP4 192.0.2.7 192.0.2.1 4711\r\n",
    "the other family": b"PROXY TCP4 2001:db8::7 2001:db8::1 4711 25\r\n",
    "the other family too": b"PROXY TCP6 192.0.2.7 192.0.2.1 4711 25\r\n",
    "mixed families": b"PROXY TCP4 192.0.2.7 2001:db8::1 4711 25\r\n",
    "a leading zero": b"PROXY TCP4 192.0.2.07 192.0.2.1 4711 25\r\n",
    "three numbers": b"PROXY TCP4 192.0.2 192.0.2.1 4711 25\r\n",
    "a name": b"PROXY TCP4 localhost 192.0.2.1 4711 25\r\n",
    "a zone": b"PROXY TCP6 fe80::7%eth0 ::1 4711 25\r\n",
    "beyond ASCII": "PROXY TCP4 ١٩٢.0.2.7 192.0.2.1 4711 25\r\n".encode(),
    "a port too high": b"PROXY TCP4 192.0.2.7 192.0.2.1 65536 25\r\n",
    "a port too long": b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 000025\r\n",
    "a port with a zero": b"PROXY TCP4 192.0.2.7 192.0.2.1 04711 25\r\n",
    "a port below": b"PROXY TCP4 192.0.2.7 192.0.2.1 -1 25\r\n",
    "no port": b"PROXY TCP4 192.0.2.7 192.0.2.1  25\r\n",
    "nobody": b"PROXY TCP4 0.0.0.0 192.0.2.1 4711 25\r\n",
    "many": b"PROXY TCP6 ff02::1 ::1 4711 25\r\n",
    "SMTP": b"EHLO client.example\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01",
    "nearly version 2": SIGNATURE[:-1] + b"\r\x21\x11\0\0",
    "version 1 in version 2": block(0x11, 0x11, bytes(12)),
    "version 3": block(0x31, 0x11, bytes(12)),
    "a command too high": block(0x22, 0x11, bytes(12)),
    "UDP over IPv4": block(0x21, 0x12, bytes(12)),
    "UDP over IPv6": block(0x21, 0x22, bytes(36)),
    "UNIX datagrams": block(0x21, 0x32, bytes(216)),
    "no family of ours": block(0x21, 0x41, bytes(36)),
    "a family without a protocol": block(0x21, 0x10, bytes(12)),
    "a protocol without a family": block(0x21, 0x01, bytes(12)),
    "no protocol of ours": block(0x21, 0x13, bytes(12)),
    "no room for IPv4": block(0x21, 0x11, bytes(11)),
    "no room for IPv6": block(0x21, 0x21, bytes(35)),
    "no room for UNIX": block(0x21, 0x31, bytes(215)),
    "nobody in version 2": tcp4(source=IPv4Address("0.0.0.0")),
    "many in version 2": tcp4(source=IPv4Address("224.0.0.1")),
    "half a field": tcp4(b"\x01\0"),
    "a field that is longer": tcp4(b"\x01\0\x05smtp"),
    "a long unique id": tcp4(tlv(5, bytes(MAX_UNIQUE_ID + 1))),
    "half a TLS field": tcp4(tlv(0x20, b"\x01\0\0\0")),
    "half a field of TLS": tcp4(tlv(0x20, b"\x01\0\0\0\0\x21\0\x07TLSv1")),
    "half a field of no TLS": tcp4(tlv(0x20, b"\0\0\0\0\0\x21")),
    "a wrong sum": tcp4(tlv(3, bytes(4))),
    "a long sum": summed(tcp4())[:-7] + tlv(3, bytes(5)),
    "too long": block(0x21, 0x11, bytes(MAX_HEADER - 15)),
    "as long as it says": SIGNATURE + b"\x21\x11\xff\xff",
}


def read(data: bytes, step: int) -> tuple[Proxied | None, bytes]:
    """Feed *data* in pieces of *step* octets; the header, and all that was not taken."""
    reader = HeaderReader()
    for start in range(0, len(data), step):
        header = reader.receive(data[start : start + step])
        if header is not None:
            return header, reader.rest + data[start + step :]
    return None, b""


@pytest.mark.parametrize(("octets", "header"), HEADERS)
@pytest.mark.parametrize("behind", [b"", b"EHLO client.example\r\n", SIGNATURE, b"PROXY UNKNOWN\r\n"])
def test_headers(octets: bytes, header: Proxied, behind: bytes) -> None:
    for step in (1, 2, 7, len(octets) + len(behind)):
        assert read(octets + behind, step) == (header, behind)


@pytest.mark.parametrize("octets", [octets for octets, _ in HEADERS])
def test_nothing_is_believed_before_the_last_octet(octets: bytes) -> None:
    reader = HeaderReader()
    for at in range(len(octets) - 1):
        assert reader.receive(octets[at : at + 1]) is None
    assert reader.receive(octets[-1:]) is not None


@pytest.mark.parametrize("octets", [octets for octets, _ in HEADERS])
@given(data=st.data())
def test_wherever_it_is_cut(octets: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(octets)))
    reader, whole = HeaderReader(), HeaderReader()
    found = reader.receive(octets[:cut]) or reader.receive(octets[cut:])
    assert found == whole.receive(octets)


@pytest.mark.parametrize("octets", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("step", [1, 5, 10_000])
def test_what_is_none(octets: bytes, step: int) -> None:
    with pytest.raises(BadHeader):
        read(octets, step)


def test_it_is_refused_as_soon_as_it_cannot_become_one() -> None:
    for wrong in (b"E", b"PROXy", b"\r\n\r\n\0\r\nQUIT\r"):
        reader = HeaderReader()
        for at in range(len(wrong) - 1):
            assert reader.receive(wrong[at : at + 1]) is None
        with pytest.raises(BadHeader):
            reader.receive(wrong[-1:])


def test_a_length_beyond_the_limit_is_not_waited_for() -> None:
    with pytest.raises(BadHeader, match="too long"):
        HeaderReader().receive(block(0x21, 0x11, b"")[:14] + struct.pack("!H", MAX_HEADER - 15))


def test_a_line_without_end_is_not_waited_for() -> None:
    reader = HeaderReader()
    assert reader.receive(b"PROXY UNKNOWN".ljust(MAX_LINE - 1)) is None
    with pytest.raises(BadHeader, match="too long"):
        reader.receive(b"\r")


@given(
    header=st.sampled_from([tcp4(SSL), tcp6(tlv(2, b"mail.example"))]),
    at=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_a_sum_shows_every_flipped_bit(header: bytes, at: int, bit: int) -> None:
    """But those that make it no header, or another's: then it is refused, or waits for octets in vain. A
    LOCAL header, or one without addresses, is ignored as a whole."""
    octets = bytearray(summed(header))
    octets[at % len(octets)] ^= 1 << bit
    try:
        found, _ = read(bytes(octets), len(octets))
    except BadHeader:
        return
    place = at % len(octets)
    is_field = place >= len(octets) - 7
    assert found is None or found.local or found.peer is None or is_field


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]),
)
def test_anything(octets: bytes, start: bytes) -> None:
    """It is a header, or none, or not known yet; and the rest is what came behind it."""
    whole = start + octets
    try:
        header, rest = read(whole, max(len(whole), 1))
    except BadHeader:
        with pytest.raises(BadHeader):
            read(whole, 1)
        return
    assert read(whole, 1) == (header, rest)
    assert header is None or whole.endswith(rest)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_client(address: IPv4Address | IPv6Address, port: int) -> None:
    kind = b"TCP4" if address.version == 4 else b"TCP6"
    line = b"PROXY %s %s %s %d 25\r\n" % (kind, str(address).encode(), str(address).encode(), port)
    binary = tcp4(source=address) if isinstance(address, IPv4Address) else tcp6(source=address)
    if address.is_unspecified or address.is_multicast:
        for octets in (line, binary):
            with pytest.raises(BadHeader):
                read(octets, 1)
        return
    said, _ = read(line, 3)
    assert said is not None
    assert (said.peer, said.port) == (getattr(address, "ipv4_mapped", None) or address, port)
    same, _ = read(binary, 3)
    assert same is not None
    assert same.peer == said.peer
