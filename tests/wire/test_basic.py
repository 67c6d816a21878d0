"""A name and a password in HTTP's Authorization field."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.basic import claim_of


def field(shown: bytes, scheme: bytes = b"Basic") -> bytes:
    return scheme + b" " + b64encode(shown)


@pytest.mark.parametrize(
    ("octets", "name", "password"),
    [
        (field(b"Aladdin:open sesame"), "Aladdin", "open sesame"),  # RFC 7617 section 2
        (field("test:123\u00a3".encode()), "test", "123\u00a3"),  # RFC 7617 section 2.1
        (field(b"joe@example.net:a:b:c", b"bAsIc"), "joe@example.net", "a:b:c"),
        (b"  " + field(b"joe:x") + b" ", "joe", "x"),
        (field(b"joe:\xff"), "joe", "\udcff"),
        (field(b"j" * 255 + b":" + b"p" * 255), "j" * 255, "p" * 255),
    ],
)
def test_what_is_shown(octets: bytes, name: str, password: str) -> None:
    claim = claim_of(octets)
    assert claim is not None
    assert (claim.mechanism, claim.authzid, claim.authcid, claim.password) == ("BASIC", "", name, password)
    assert password not in repr(claim) or len(password) < 4


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"Basic",
        b"Basic ",
        b"Basic !!!!",
        b"Basic am9l",
        b"Bearer am9lOng=",
        field(b":password"),
        field(b"name:"),
        field(b"na\0me:x"),
        field(b"j" * 256 + b":x"),
        field(b"joe:" + b"p" * 256),
        b"Basic am9lOng=\xff",
    ],
)
def test_what_shows_nothing(octets: bytes) -> None:
    assert claim_of(octets) is None


@given(st.binary(max_size=60))
def test_whatever_comes(octets: bytes) -> None:
    claim_of(octets)
    claim_of(b"Basic " + octets)
    claim_of(field(octets))
