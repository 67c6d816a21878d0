"""Who we are to push services: the RFC's example, another's reading of ours, and what is refused."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st
from py_vapid import Vapid02

from mailsuite.wire.p256 import POINT, RANDOMNESS, octets_of, private_key, public_key
from mailsuite.wire.vapid import LIFETIME, MAX_LIFETIME, REUSED, authorization, origin, public_text

# RFC 8292 section 2.4
HEADER_AND_CLAIMS = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9"
    ".eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wb"
    "GUuY29tIn0"
)
SIGNATURE = "i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA"
PUBLIC = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"
EXPIRY = 1453523768

KEY = private_key(bytes(range(RANDOMNESS)))
CONTACT = "mailto:postmaster@example.org"
NOW = 1_800_000_000


def parts(value: str) -> tuple[str, str, str]:
    """What is signed, the signature and the key of a field."""
    scheme, _, rest = value.partition(" ")
    token, _, key = rest.partition(", ")
    assert scheme == "vapid"
    assert token.startswith("t=")
    assert key.startswith("k=")
    signed, _, signature = token[2:].rpartition(".")
    return signed, signature, key[2:]


def verify(signed: str, signature: str, key: str) -> None:
    """As a push service does, by cryptography alone. Raises InvalidSignature."""
    octets = octets_of("signature", signature, 64)
    r, s = int.from_bytes(octets[:32]), int.from_bytes(octets[32:])
    point = public_key("k", octets_of("k", key, POINT))
    point.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))


def claims(signed: str) -> dict[str, object]:
    text = signed.partition(".")[2]
    found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert isinstance(found, dict)
    return found


def test_the_example_of_the_rfc() -> None:
    value = authorization(
        KEY,
        "https://push.example.net/p/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
        subject="mailto:push@example.com",
        now=EXPIRY - LIFETIME,
    )
    signed, signature, key = parts(value)
    assert signed == HEADER_AND_CLAIMS
    assert key == public_text(KEY)
    verify(signed, signature, key)
    verify(HEADER_AND_CLAIMS, SIGNATURE, PUBLIC)


@settings(max_examples=30)
@given(st.binary(min_size=RANDOMNESS, max_size=RANDOMNESS), st.integers(1, MAX_LIFETIME))
def test_others_read_it(randomness: bytes, lifetime: int) -> None:
    key = private_key(randomness)
    value = authorization(key, "https://push.example.net/x", subject=CONTACT, now=NOW, lifetime=lifetime)
    assert Vapid02.verify(value.replace(", ", ","))
    signed, signature, shown = parts(value)
    assert len(signature) == 86
    assert shown == public_text(key)
    assert claims(signed) == {"aud": "https://push.example.net", "exp": NOW + lifetime, "sub": CONTACT}


def test_a_token_outlives_its_use() -> None:
    assert REUSED < LIFETIME < MAX_LIFETIME


@pytest.mark.parametrize(
    ("endpoint", "audience"),
    [
        ("https://push.example.net/p/abc?d=e", "https://push.example.net"),
        ("https://push.example.net", "https://push.example.net"),
        ("HTTPS://Push.Example.NET:443/", "https://push.example.net"),
        ("https://push.example.net:8443/x", "https://push.example.net:8443"),
        ("https://user:secret@push.example.net/x", "https://push.example.net"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
        ("http://localhost:80/x", "http://localhost"),
        ("https://[2001:DB8::1]:444/x", "https://[2001:db8::1]:444"),
    ],
)
def test_origins(endpoint: str, audience: str) -> None:
    assert origin(endpoint) == audience
    assert claims(parts(authorization(KEY, endpoint, subject=CONTACT, now=NOW))[0])["aud"] == audience


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "push.example.net/x",
        "ftp://push.example.net/x",
        "https:///x",
        "https://push.example.net:port/x",
        "https://push.example.net:99999/x",
        "https://[::1/x",
        "https://[fe80::1%25eth0]/x",
        "https://püsh.example/x",
        'https://push"example/x',
    ],
)
def test_what_has_no_origin(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"endpoint|[Pp]ort|IPv6|netloc|address"):
        authorization(KEY, endpoint, subject=CONTACT, now=NOW)


@pytest.mark.parametrize("subject", ["https://example.org/contact", CONTACT])
def test_ways_to_reach_us(subject: str) -> None:
    value = authorization(KEY, "https://push.example.net/x", subject=subject, now=NOW)
    assert claims(parts(value)[0])["sub"] == subject


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "postmaster@example.org",
        "mailto:",
        "mailto:nobody",
        "http://example.org",
        "mailto:a@b c",
        "mailto:a@ü",
    ],
)
def test_what_reaches_nobody(subject: str) -> None:
    with pytest.raises(ValueError, match="contact of VAPID"):
        authorization(KEY, "https://push.example.net/x", subject=subject, now=NOW)


@pytest.mark.parametrize("lifetime", [-1, 0, MAX_LIFETIME + 1])
def test_tokens_live_for_a_day_at_most(lifetime: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 86400 seconds"):
        authorization(KEY, "https://push.example.net/x", subject=CONTACT, now=NOW, lifetime=lifetime)
