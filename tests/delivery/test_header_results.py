"""Whose results a field claims to be (RFC 8601)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.header import HeaderLimits
from mailsuite.delivery.header_results import MAX_NAME_CHARACTERS, OwnResults

OWN = OwnResults.of("mail.example.net", "mx.xn--exmple-cua.net")


@pytest.mark.parametrize(
    "value",
    [
        " mail.example.net; spf=pass",
        "mail.example.net;none",
        " MAIL.Example.NET; none",
        " mail.example.net. ; none",
        " mail.example.net 1; none",
        "\r\n\tmail.example.net\r\n\t1\r\n\t; none",
        " (we (really) say \\) so) mail.example.net (v) 1 (;) ; none",
        ' "mail.example.net"; none',
        ' "m\\ail.example.net" 1; none',
        ' "mail.\r\n example.net"; none'.replace("\r\n ", "\r\n"),
        " mail.(x)example.net; none",
        " mail. example.net; none",
        " mail .example.net 1; none",
        ' mail."example".net; none',
        " mail.example.net",
        " mail.example.net(x)1; none",
        ' mail.example.net(x)"1"; none',
        " \uff4d\uff41\uff49\uff4c\uff0eexample\u3002net; none",
        " mail.example\u00ad.net; none",
        " mx.exämple.net; none",
        " MX.EXÄMPLE.net; none",
        " mx.xn--exmple-cua.net; none",
    ],
)
def test_ours(value: str) -> None:
    assert OWN.claimed_by(value.encode())


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        ";",
        " ; mail.example.net",
        " mx.example.org; spf=pass smtp.mailfrom=mail.example.net",
        " mx.example.org (mail.example.net); none",
        " xmail.example.net; none",
        " mail.example.net.example.org; none",
        " mail.example.network; none",
        " example.net; none",
        " i=1; mail.example.net; none",
        " mail.ex\u0430mple.net; none",
        " mx.example.net; none",
        " mail.xn--.net; none",
        " xn--\u00fc.example.net; none",
        " mail\ufffe.example.net; none",
    ],
)
def test_not_ours(value: str) -> None:
    assert not OWN.claimed_by(value.encode())


def test_octets_that_are_no_text() -> None:
    assert not OWN.claimed_by(b" mail.ex\xe4mple.net; none")
    assert not OWN.claimed_by(b" xn--\xff; none")
    assert OWN.claimed_by(b" mail.example.net; \xff")


@pytest.mark.parametrize("value", [" (mx.example.org; none", ' "mx.example.org; none', ' mx "\\'])
def test_what_has_no_end_could_be_anybody_s(value: str) -> None:
    assert OWN.claimed_by(value.encode())


def test_what_hides_behind_a_flood_could_be_anybody_s() -> None:
    assert OWN.claimed_by(b"(x)" * MAX_NAME_CHARACTERS + b" mx.example.org; none")
    assert not OWN.claimed_by(b" mx.example.org; none" + b" (x)" * MAX_NAME_CHARACTERS)


blanks = st.sampled_from(["", " ", "(x)", " (a(b)c) ", "\r\n\t"])


@given(
    st.tuples(blanks, st.booleans(), blanks, st.sampled_from(["", " 1", "(x)1"]), blanks),
    st.lists(st.booleans(), min_size=16, max_size=16),
)
def test_no_dress_hides_it(dress: tuple[str, bool, str, str, str], upper: list[bool]) -> None:
    name = "".join(
        letter.upper() if up else letter for letter, up in zip("mail.example.net", upper, strict=True)
    )
    before, quoted, between, version, after = dress
    shown = f'"{name}"' if quoted else name
    assert OWN.claimed_by(f"{before}{shown}{between}{version}{after};none".encode())


@given(st.binary(max_size=300))
def test_it_never_fails(value: bytes) -> None:
    OWN.claimed_by(value)


@pytest.mark.parametrize("part", [b"(", b'"\\"', b"()", b"a ", b'"', "\u00df\uff0e".encode()])
def test_no_value_takes_long(part: bytes) -> None:
    before = time.process_time()
    OWN.claimed_by(part * 10_000)
    assert time.process_time() - before < 1.0


@pytest.mark.parametrize("part", [b"xn--a. ", b"a. ", "\u00e4. ".encode()])
def test_nor_do_all_that_a_header_may_have(part: bytes) -> None:
    """Many blanks are many readings, and each of them would be of many labels."""
    value = part * (MAX_NAME_CHARACTERS // len(part))
    before = time.process_time()
    for _ in range(HeaderLimits().results // len(value)):
        assert not OWN.claimed_by(value)
    assert time.process_time() - before < 0.3
