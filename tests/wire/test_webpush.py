"""Messages of Web Push: the RFC's own, another's reading of ours, and what is wrong with the rest."""

from __future__ import annotations

import base64
import struct

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.wire import webpush
from mailsuite.wire.p256 import RANDOMNESS, BadKey, base64url, point_of, private_key
from mailsuite.wire.webpush import (
    BLOCK,
    MAX_PLAINTEXT,
    BadBody,
    Receiver,
    Urgency,
    decrypt,
    encrypt,
    request_fields,
)

HEADER = 86


def octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def scalar(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(octets(text)), ec.SECP256R1())


# RFC 8291 section 5 and appendix A
TEXT = b"When I grow up, I want to be a watermelon"
SENDER = scalar("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
RECEIVER = scalar("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")
P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = octets("DGv6ra1nlYgDCS1FRnbzlw")
BODY = octets(
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEq"
    "KK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
SUBSCRIBER = Receiver.parse(P256DH, AUTH)


def test_the_example_of_the_rfc() -> None:
    assert encrypt(TEXT, SUBSCRIBER, SENDER, SALT, block=1) == BODY
    assert decrypt(BODY, RECEIVER, octets(AUTH)) == TEXT


def test_keys_with_padding_and_without() -> None:
    assert Receiver.parse(P256DH + "=", AUTH + "==") == SUBSCRIBER
    assert SUBSCRIBER.p256dh == point_of(RECEIVER)


def test_the_secret_of_a_receiver_is_not_shown() -> None:
    assert repr(SUBSCRIBER.auth) not in repr(SUBSCRIBER)


@pytest.mark.parametrize(
    ("length", "padded"),
    [
        (0, BLOCK),
        (1, BLOCK),
        (BLOCK, BLOCK),
        (BLOCK + 1, 2 * BLOCK),
        (3840, 3840),
        (3841, MAX_PLAINTEXT),
        (MAX_PLAINTEXT, MAX_PLAINTEXT),
    ],
)
def test_lengths_tell_little(length: int, padded: int) -> None:
    body = encrypt(b"x" * length, SUBSCRIBER, SENDER, SALT)
    assert len(body) == HEADER + padded + 1 + 16
    assert len(body) <= 4096
    assert struct.unpack_from("!I", body, 16) == (4096,)
    assert decrypt(body, RECEIVER, SUBSCRIBER.auth) == b"x" * length


KEYS = st.binary(min_size=RANDOMNESS, max_size=RANDOMNESS).map(private_key)
SIXTEEN = st.binary(min_size=16, max_size=16)


@settings(max_examples=50)
@given(st.binary(max_size=MAX_PLAINTEXT), KEYS, KEYS, SIXTEEN, SIXTEEN)
def test_others_read_it(
    text: bytes,
    sender: ec.EllipticCurvePrivateKey,
    receiver: ec.EllipticCurvePrivateKey,
    auth: bytes,
    salt: bytes,
) -> None:
    body = encrypt(text, Receiver(point_of(receiver), auth), sender, salt)
    assert http_ece.decrypt(body, private_key=receiver, auth_secret=auth) == text
    assert decrypt(body, receiver, auth) == text


@settings(max_examples=25)
@given(st.binary(min_size=1, max_size=MAX_PLAINTEXT), KEYS, KEYS, SIXTEEN, SIXTEEN)
def test_it_reads_what_others_write(
    text: bytes,
    sender: ec.EllipticCurvePrivateKey,
    receiver: ec.EllipticCurvePrivateKey,
    auth: bytes,
    salt: bytes,
) -> None:
    body = http_ece.encrypt(
        text,
        salt=salt,
        private_key=sender,
        dh=point_of(receiver),
        auth_secret=auth,
    )
    assert decrypt(body, receiver, auth) == text


def test_too_long() -> None:
    with pytest.raises(ValueError, match="more than 3993 octets"):
        encrypt(bytes(MAX_PLAINTEXT + 1), SUBSCRIBER, SENDER, SALT)


@pytest.mark.parametrize(
    ("receiver", "salt", "field"),
    [
        (SUBSCRIBER, SALT[1:], "salt"),
        (SUBSCRIBER, SALT + b"x", "salt"),
        (Receiver(SUBSCRIBER.p256dh, b"short"), SALT, "auth"),
        (Receiver(bytes(65), SUBSCRIBER.auth), SALT, "p256dh"),
        (Receiver(b"\x04" + bytes(64), SUBSCRIBER.auth), SALT, "p256dh"),
    ],
)
def test_keys_that_are_none(receiver: Receiver, salt: bytes, field: str) -> None:
    with pytest.raises(BadKey) as caught:
        encrypt(TEXT, receiver, SENDER, salt)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("p256dh", "auth", "field"),
    [
        (P256DH[:-2], AUTH, "p256dh"),
        ("", AUTH, "p256dh"),
        (AUTH, P256DH, "p256dh"),
        (base64url(b"\x04" + bytes(64)), AUTH, "p256dh"),
        (base64url(b"\x02" + bytes(32)), AUTH, "p256dh"),
        ("-----BEGIN PUBLIC KEY-----", AUTH, "p256dh"),
        (P256DH, AUTH[:-2], "auth"),
        (P256DH, "", "auth"),
        (P256DH, AUTH + "=", "auth"),
    ],
)
def test_subscriptions_that_are_none(p256dh: str, auth: str, field: str) -> None:
    with pytest.raises(BadKey) as caught:
        Receiver.parse(p256dh, auth)
    assert caught.value.field == field


def changed(at: int, to: bytes) -> bytes:
    return BODY[:at] + to + BODY[at + len(to) :]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "within its header"),
        (BODY[: HEADER - 1], "within its header"),
        (BODY[:HEADER], "not written for"),
        (BODY[:-1], "not written for"),
        (BODY + b"\0", "not written for"),
        (changed(0, b"x"), "not written for"),
        (changed(16, struct.pack("!I", 17)), "more than one record"),
        (changed(16, struct.pack("!I", 57)), "more than one record"),
        (changed(20, b"\0"), "no key of its sender"),
        (changed(21, b"\x03"), "no uncompressed point"),
        (changed(50, b"\0"), "not on the curve"),
        (changed(100, b"\0"), "not written for"),
    ],
)
def test_bodies_that_cannot_be_opened(body: bytes, why: str) -> None:
    with pytest.raises(BadBody, match=why):
        decrypt(body, RECEIVER, octets(AUTH))


def test_not_for_this_receiver() -> None:
    with pytest.raises(BadBody, match="not written for this receiver"):
        decrypt(BODY, SENDER, octets(AUTH))
    with pytest.raises(BadBody, match="not written for this receiver"):
        decrypt(BODY, RECEIVER, bytes(16))


@pytest.mark.parametrize("record", [b"", bytes(20), b"text\x01", b"text", b"\x02\x01\0\0"])
def test_records_without_an_end(record: bytes) -> None:
    secret = SENDER.exchange(ec.ECDH(), RECEIVER.public_key())
    points = SUBSCRIBER.p256dh + point_of(SENDER)
    key, nonce = webpush._keys(secret, SUBSCRIBER.auth, SALT, points)
    body = BODY[:HEADER] + AESGCM(key).encrypt(nonce, record, None)
    with pytest.raises(BadBody, match="has no end"):
        decrypt(body, RECEIVER, SUBSCRIBER.auth)


@given(st.binary(max_size=300))
def test_any_octets_are_refused_in_our_words(data: bytes) -> None:
    for body in (data, BODY[:HEADER] + data):
        with pytest.raises(BadBody):
            decrypt(body, RECEIVER, SUBSCRIBER.auth)


def test_fields_of_the_request() -> None:
    assert request_fields(ttl=0) == {
        "TTL": "0",
        "Urgency": "normal",
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
    }
    fields = request_fields(ttl=2**31 - 1, urgency=Urgency.VERY_LOW, topic="Az09-_" + "x" * 26)
    assert fields["TTL"] == "2147483647"
    assert fields["Urgency"] == "very-low"
    assert fields["Topic"] == "Az09-_" + "x" * 26
    assert {each.value for each in Urgency} == {"very-low", "low", "normal", "high"}


@pytest.mark.parametrize("ttl", [-1, 2**31])
def test_times_that_cannot_be_said(ttl: int) -> None:
    with pytest.raises(ValueError, match="TTL"):
        request_fields(ttl=ttl)


@pytest.mark.parametrize("topic", ["x" * 33, "a b", "a\r\nX: y", "ä", "a=", "a\n"])
def test_topics_that_are_none(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        request_fields(ttl=60, topic=topic)
