"""Values of RET, ENVID, NOTIFY and ORCPT (features row M-10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.envelope import NotifyOn, Returned
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import BAD_PARAMETER
from mailsuite.wire.smtp.notification import (
    envelope_id,
    notify,
    original_recipient,
    returned,
    undo_xtext,
)


def refused(parse, *arguments) -> bool:
    with pytest.raises(PermanentFailure) as failure:
        parse(*arguments)
    return failure.value.reply == BAD_PARAMETER


@pytest.mark.parametrize(
    ("text", "plain"),
    [("abc", "abc"), ("a+2Bb+3Dc", "a+b=c"), ("+20", " "), ("joe@example.net", "joe@example.net")],
)
def test_xtext(text: str, plain: str) -> None:
    assert undo_xtext(text) == plain


@pytest.mark.parametrize(
    "text", ["", "a=b", "a b", "+", "+2", "+2b", "+zz", "+0D+0A", "+7F", "+FF", "+00", "\u00e9"]
)
def test_no_xtext(text: str) -> None:
    assert refused(undo_xtext, text)


def test_envelope_ids_have_a_hundred_characters_at_most() -> None:
    assert envelope_id("x" * 100) == "x" * 100
    assert refused(envelope_id, "x" * 101)
    assert envelope_id("+41" * 33) == "A" * 33
    assert refused(envelope_id, "+41" * 34), "they count as they stand on the wire"


def test_ret() -> None:
    assert [returned(value) for value in ("FULL", "hdrs")] == [Returned.FULL, Returned.HEADER]
    for value in ("", "HEADERS", "full,hdrs", "HDR\u017f"):
        assert refused(returned, value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("NEVER", {NotifyOn.NEVER}),
        ("never", {NotifyOn.NEVER}),
        ("SUCCESS", {NotifyOn.SUCCESS}),
        ("DELAY,failure", {NotifyOn.DELAY, NotifyOn.FAILURE}),
        ("SUCCESS,FAILURE,DELAY", {NotifyOn.SUCCESS, NotifyOn.FAILURE, NotifyOn.DELAY}),
        ("DELAY,DELAY", {NotifyOn.DELAY}),
    ],
)
def test_notify(value: str, wanted: set[NotifyOn]) -> None:
    assert notify(value) == wanted


@pytest.mark.parametrize(
    "value",
    ["", ",", "NEVER,", "NEVER,DELAY", "DELAY,NEVER", "SUCCESS,", "ALWAYS", "SUCCESS;DELAY", "SUCCES\u017f"],
)
def test_no_notify(value: str) -> None:
    assert refused(notify, value)


@pytest.mark.parametrize(
    ("value", "original"),
    [
        ("rfc822;joe@example.net", "rfc822;joe@example.net"),
        ("RFC822;joe+2Btag@example.net", "rfc822;joe+tag@example.net"),
        ("x400;/C=NO/".replace("=", "+3D"), "x400;/C=NO/"),
        (r"utf-8;j\x{F6}e@example.net", "utf-8;j\u00f6e@example.net"),
        (r"UTF-8;a\x{2B}b\x{1F600}@example.net", "utf-8;a+b\U0001f600@example.net"),
        ("utf-8;joe+tag@example.net", "utf-8;joe+tag@example.net"),
        ("rfc822;" + "x" * 493, "rfc822;" + "x" * 493),
    ],
)
def test_orcpt(value: str, original: str) -> None:
    assert original_recipient(value, False) == original
    assert original_recipient(value, True) == original


@pytest.mark.parametrize(
    "value",
    [
        "",
        "joe@example.net",
        "rfc822;",
        ";joe@example.net",
        "rfc_822;joe",
        "rfc822;a+0D+0Ab",
        "rfc822;a=b",
        "rfc822;j\u00f6e",
        "utf-8;",
        "utf-8;a=b",
        r"utf-8;a\b",
        r"utf-8;a\x{0A}b",
        r"utf-8;a\x{0a}b",
        r"utf-8;a\x{85}b",
        r"utf-8;a\x{2028}b",
        r"utf-8;a\x{D800}b",
        r"utf-8;a\x{110000}b",
        "utf-8;a\udcffb",
        "utf-8;a\u2029b",
        "rfc822;" + "x" * 494,
    ],
)
def test_no_orcpt(value: str) -> None:
    assert refused(original_recipient, value, True)
    assert refused(original_recipient, value, False)


def test_orcpt_beyond_ascii_needs_smtputf8() -> None:
    assert original_recipient("utf-8;j\u00f6e@example.net", True) == "utf-8;j\u00f6e@example.net"
    assert refused(original_recipient, "utf-8;j\u00f6e@example.net", False)


def test_orcpt_as_postfix_writes_it_beyond_ascii() -> None:
    """UTF-8 in the xtext of an RFC 822 address."""
    value = "rfc822;j+C3+B6e+2Btag@example.net"
    assert original_recipient(value, True) == "utf-8;j\u00f6e+tag@example.net"
    assert refused(original_recipient, value, False)


@pytest.mark.parametrize("octets", ["+FF", "+C3", "+C3+B6+0A", "+C2+85", "+E2+80+A8", "+ED+A0+80", "+C3+B6+"])
def test_orcpt_with_octets_that_cannot_be_said(octets: str) -> None:
    assert refused(original_recipient, f"rfc822;j{octets}e@example.net", True)
    assert refused(original_recipient, f"x400;j{octets}e@example.net", True)


def test_orcpt_counts_octets() -> None:
    assert original_recipient("utf-8;" + "\u00f6" * 247, True)
    assert refused(original_recipient, "utf-8;" + "\u00f6" * 248, True)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20))
def test_xtext_is_undone(text: str) -> None:
    encoded = "".join(c if c.isalnum() else f"+{ord(c):02X}" for c in text)
    assert undo_xtext(encoded) == text


@given(st.text(max_size=30), st.booleans())
def test_nothing_but_what_can_be_said_comes_out(text: str, utf8: bool) -> None:
    for kind in ("rfc822", "utf-8"):
        try:
            original = original_recipient(f"{kind};{text}", utf8)
        except PermanentFailure:
            continue
        assert original.isprintable() or not original.isascii()
        assert "\n" not in original
        assert "\r" not in original
