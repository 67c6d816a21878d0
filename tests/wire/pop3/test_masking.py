"""No secret in the log (house rule 22; features row S-I07)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.pop3.commands import Command, parse
from mailsuite.wire.pop3.masking import masked, masked_start, may_be_secretive

LINES = [
    (b"STAT\r\n", "STAT"),
    (b"retr 1\n", "retr 1"),
    (b"TOP  1 20", "TOP  1 20"),
    (b"USER joe@example.net\r\n", "USER joe@example.net"),
    ("USER jörg\r\n".encode(), "USER j\\xc3\\xb6rg"),
    (b"USER a\\b'c\"d\r\n", "USER a\\x5cb'c\"d"),
    (b"PASS hush\r\n", "PASS ***"),
    (b"pass hush hush \r\n", "PASS ***"),
    (b"PASS\thush\r\n", "PASS ***"),
    (b" PASS hush\r\n", "PASS ***"),
    (b"PASS:hush\r\n", "PASS ***"),
    (b"PASS\r\n", "PASS ***"),
    (b"APOP joe c4c9334bac560ecc979e58001b3e22fb\r\n", "APOP joe ***"),
    (b"APOP hush\r\n", "APOP hush ***"),
    (b"APOP\r\n", "APOP ***"),
    (b"AUTH\r\n", "AUTH"),
    (b"AUTH PLAIN\r\n", "AUTH PLAIN"),
    (b"auth plain AGh1c2g=\r\n", "AUTH PLAIN ***"),
    (b"AUTH PLAIN AGh1c2g= more\r\n", "AUTH PLAIN ***"),
    (b"AUTH AGh1c2g=\r\n", "AUTH ***"),
    (b"AUTH \xff\xfe\r\n", "AUTH ***"),
    (b"hush\r\n", "*** (4 octets)"),
    (b"PASSWORD hush\r\n", "*** (13 octets)"),
    (b"\xffhush\r\n", "*** (5 octets)"),
    (b"TOP/hush==\r\n", "*** (10 octets)"),
    (b"STAT", "STAT"),
    (b"\r\n", "*** (0 octets)"),
    (b"NOOP \0\x1b[2J\r\n", "NOOP \\x00\\x1b[2J"),
    (b"NOOP " + b"x" * 300, "NOOP " + "x" * 251 + "..."),
]


@pytest.mark.parametrize(("line", "shown"), LINES)
def test_commands(line: bytes, shown: str) -> None:
    assert masked(line, exchanging=False) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [(b"AGh1c2g=\r\n", "***"), (b"*\r\n", "*"), (b"PASS hush", "***"), (b"STAT\r\n", "***"), (b"", "***")],
)
def test_responses(line: bytes, shown: str) -> None:
    assert masked(line, exchanging=True) == shown


@given(st.binary(max_size=400), st.booleans())
def test_what_is_shown_is_one_short_line_of_printable_ascii(line: bytes, exchanging: bool) -> None:
    shown = masked(line, exchanging)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 4 * 256 + 3


@given(
    st.sampled_from(
        [b"PASS %s", b"pass %s", b"APOP joe %s", b"AUTH PLAIN %s", b"AUTH %s", b" PASS %s", b"%s"]
    ),
    st.text("hush", min_size=4, max_size=12).map(str.encode),
)
def test_no_secret_is_shown(form: bytes, secret: bytes) -> None:
    line = form % (b"7" + secret)
    assert secret.decode() not in masked(line + b"\r\n", exchanging=False)
    assert secret.decode() not in masked(line, exchanging=True)


@pytest.mark.parametrize(
    ("start", "shown"),
    [
        (b"NOOP hush", b"NOOP hush"),
        (b" retr\t1", b" retr\t1"),
        (b"STAT", b"STAT"),
        (b"PASS hush", b"PASS"),
        (b"  pass:hush", b"PASS"),
        (b"apop joe hush", b"APOP"),
        (b"AUTH AGh1c2g=", b"AUTH"),
        (b"AGh1c2g=", b""),
        (b"TOP/hush", b""),
        (b"PASShush", b""),
        (b"\xffPASS hush", b""),
        (b"NOOPhush", b""),
        (b"", b""),
    ],
)
def test_the_start_of_an_over_long_line(start: bytes, shown: bytes) -> None:
    assert masked_start(start) == shown


@given(st.binary(max_size=40))
def test_what_may_show_a_password_is_cut_by_its_first_octets_too(line: bytes) -> None:
    command = parse(line + b"\r\n")
    if isinstance(command, Command) and command.keyword.value in ("PASS", "APOP", "AUTH"):
        assert masked_start(line) == command.keyword.value.encode()
        assert may_be_secretive(line)


@pytest.mark.parametrize(
    ("line", "may_be"),
    [(b"AUTH PLAIN", True), (b" \xffpass", True), (b"APOPx", True), (b"USER pass", False), (b"", False)],
)
def test_behind_what_secrets_may_come(line: bytes, may_be: bool) -> None:
    assert may_be_secretive(line) is may_be
