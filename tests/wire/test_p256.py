"""Keys of Web Push: what is one, and what is said of what is none."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.p256 import (
    RANDOMNESS,
    BadKey,
    base64url,
    from_pem,
    octets_of,
    point_of,
    private_key,
    public_key,
    to_pem,
)

KEY = private_key(bytes(range(RANDOMNESS)))
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@given(st.binary(max_size=80))
def test_base64url_with_padding_and_without(octets: bytes) -> None:
    padded = base64.urlsafe_b64encode(octets).decode()
    assert octets_of("x", base64url(octets), len(octets)) == octets
    assert octets_of("x", padded, len(octets)) == octets
    assert "=" not in base64url(octets)


@pytest.mark.parametrize(
    "text",
    [
        "AAAA+AAAAAAAAAAAAAAAAA",
        "AAAA/AAAAAAAAAAAAAAAAA",
        "AAAA AAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA\n",
        "AAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAA===",
        "AAAA=AAAAAAAAAAAAAAAAA",
        "ÄAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        "",
    ],
)
def test_what_is_no_base64url_of_sixteen_octets(text: str) -> None:
    with pytest.raises(BadKey, match=r"^auth ") as caught:
        octets_of("auth", text, 16)
    assert caught.value.field == "auth"
    assert "AAAA" not in str(caught.value)


def test_points_there_and_back() -> None:
    point = point_of(KEY)
    assert len(point) == 65
    assert point_of(public_key("p256dh", point)) == point


@pytest.mark.parametrize(
    ("point", "wrong"),
    [
        (b"", "is no uncompressed point"),
        (point_of(KEY)[:-1], "is no uncompressed point"),
        (point_of(KEY) + b"\0", "is no uncompressed point"),
        (b"\x02" + point_of(KEY)[1:33], "is no uncompressed point"),
        (b"\x06" + point_of(KEY)[1:], "is no uncompressed point"),
        (b"\x00" * 65, "is no uncompressed point"),
        (b"\x04" + bytes(64), "is not on the curve"),
        (b"\x04" + b"\xff" * 64, "is not on the curve"),
        (point_of(KEY)[:-1] + bytes([point_of(KEY)[-1] ^ 1]), "is not on the curve"),
    ],
)
def test_what_is_no_point(point: bytes, wrong: str) -> None:
    with pytest.raises(BadKey, match=f"^p256dh {wrong}"):
        public_key("p256dh", point)


def test_a_key_is_what_its_randomness_says() -> None:
    assert private_key(bytes(RANDOMNESS)).private_numbers().private_value == 1
    assert private_key((ORDER - 2).to_bytes(RANDOMNESS)).private_numbers().private_value == ORDER - 1
    assert private_key((ORDER - 1).to_bytes(RANDOMNESS)).private_numbers().private_value == 1
    assert private_key(b"\xff" * RANDOMNESS).private_numbers().private_value < ORDER
    assert to_pem(private_key(bytes(range(RANDOMNESS)))) == to_pem(KEY)
    for length in (0, 32, RANDOMNESS - 1, RANDOMNESS + 1):
        with pytest.raises(BadKey, match=r"^randomness"):
            private_key(bytes(length))


def test_private_keys_in_files() -> None:
    assert to_pem(KEY).startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert to_pem(from_pem(to_pem(KEY))) == to_pem(KEY)
    old = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert old.startswith(b"-----BEGIN EC PRIVATE KEY-----")
    assert to_pem(from_pem(old)) == to_pem(KEY)


@pytest.mark.parametrize(
    ("pem", "wrong"),
    [
        (b"", "no PEM"),
        (b"nothing", "no PEM"),
        (to_pem(KEY).replace(b"M", b"N", 1), "no PEM"),
        (to_pem(KEY)[:60], "no PEM"),
        (KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")), "no PEM"),
        (to_pem(ec.derive_private_key(7, ec.SECP384R1())), "not of the curve"),
        (
            ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "not of the curve",
        ),
    ],
)
def test_what_is_no_private_key(pem: bytes, wrong: str) -> None:
    with pytest.raises(BadKey, match=wrong) as caught:
        from_pem(pem)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
