import contextlib
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import BAD_RECIPIENT, BAD_SENDER, NON_ASCII_ADDRESS
from mailsuite.wire.smtp.paths import recipient_of, sender_of, split_path

LONGEST_DOMAIN = ".".join(["d" * 63] * 2 + ["d" * 61])  # 189 octets: 64 + @ + 189 + <> is 256


LETTERS_AND_DIGITS = frozenset(string.ascii_letters + string.digits)
ATEXT = LETTERS_AND_DIGITS | frozenset("!#$%&'*+-/=?^_`{|}~")  # RFC 5321 section 4.1.2


@pytest.mark.parametrize(
    ("form", "taken"),
    [
        ("a{}a@b.example", ATEXT | {"."}),
        ("{}@b.example", ATEXT),
        ('"{}"@b.example', frozenset(map(chr, range(0x20, 0x7F))) - frozenset('"\\')),
        ("a@b{}b.example", LETTERS_AND_DIGITS | {"-", "."}),
        ("a@{}b.example", LETTERS_AND_DIGITS),
        ("a@b{}.example", LETTERS_AND_DIGITS),
    ],
)
def test_every_character_of_ascii_is_taken_where_it_may_stand_and_nowhere_else(
    form: str, taken: frozenset[str]
) -> None:
    found = set()
    for character in map(chr, range(0x80)):
        with contextlib.suppress(PermanentFailure):
            sender_of(form.format(character))
            found.add(character)
    assert found == taken


@pytest.mark.parametrize(
    ("path", "local", "domain"),
    [
        ("joe@example.net", "joe", "example.net"),
        ("Joe.Q+tag@EXAMPLE.net", "Joe.Q+tag", "example.net"),
        ("!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~", "x"),
        ('"joe"@example.net', "joe", "example.net"),
        ('"joe q"@example.net', "joe q", "example.net"),
        ('"a@b"@example.net', "a@b", "example.net"),
        ('"a>b<c"@example.net', "a>b<c", "example.net"),
        (r'"a\"b\\c\d"@example.net', 'a"b\\cd', "example.net"),
        ('"a..b."@example.net', "a..b.", "example.net"),
        ("joe@[192.0.2.1]", "joe", "[192.0.2.1]"),
        ("joe@[IPv6:2001:DB8::1]", "joe", "[IPv6:2001:db8::1]"),
        ("joe@[ipv6:2001:db8:0:0:0:0:0:1]", "joe", "[IPv6:2001:db8::1]"),
        ("@a.example,@b.example:joe@example.net", "joe", "example.net"),
        ("@a.example:joe@example.net", "joe", "example.net"),
        ("postmaster@example.net", "postmaster", "example.net"),
        ("j" * 64 + "@" + LONGEST_DOMAIN, "j" * 64, LONGEST_DOMAIN),
    ],
)
def test_mailboxes(path: str, local: str, domain: str) -> None:
    assert sender_of(path) == Address(local, domain)
    assert recipient_of(path) == Address(local, domain)


@pytest.mark.parametrize(
    "path",
    [
        "joe",
        "joe@",
        "@example.net",
        "@",
        " ",
        "joe@example.net ",
        " joe@example.net",
        "joe @example.net",
        "joe@ example.net",
        "joe@exa mple.net",
        ".joe@example.net",
        "joe.@example.net",
        "j..oe@example.net",
        "joe@example..net",
        "joe@.example.net",
        "joe@example.net.",
        "joe@-example.net",
        "joe@exa_mple.net",
        "joe@a@b",
        "joe,ann@example.net",
        "joe(comment)@example.net",
        'jo"e"@example.net',
        '"joe@example.net',
        '"jo"e"@example.net',
        '"joe\\"@example.net',
        '""@example.net',
        "joe@[192.0.2.256]",
        "joe@[192.0.2.1",
        "joe@192.0.2.1]",
        "joe@[]",
        "joe@[IPv6:192.0.2.1]",
        "joe@[2001:db8::1]",
        "joe@[X-tag:content]",
        "@a.example joe@example.net",
        "@a.example,b.example:joe@example.net",
        "@:joe@example.net",
        "j" * 65 + "@example.net",
        "joe@" + "d" * 64,
        "j" * 64 + "@d" + LONGEST_DOMAIN,
        "@" + "r" * 60 + "," + ",".join(["@" + "r" * 60] * 3) + ":joe@example.net",
    ],
)
def test_what_is_no_mailbox(path: str) -> None:
    with pytest.raises(PermanentFailure) as refused:
        sender_of(path)
    assert refused.value.reply == BAD_SENDER
    with pytest.raises(PermanentFailure) as refused:
        recipient_of(path)
    assert refused.value.reply == BAD_RECIPIENT


@pytest.mark.parametrize(
    "path", ["jö@example.net", "joe@exämple.net", '"ö"@example.net', "\udcff@example.net"]
)
def test_beyond_ascii(path: str) -> None:
    with pytest.raises(PermanentFailure) as refused:
        recipient_of(path)
    assert refused.value.reply == NON_ASCII_ADDRESS


def test_null_sender() -> None:
    assert sender_of("") is None
    with pytest.raises(PermanentFailure) as refused:
        recipient_of("")
    assert refused.value.reply == BAD_RECIPIENT


@pytest.mark.parametrize("path", ["postmaster", "Postmaster", "POSTMASTER"])
def test_bare_postmaster(path: str) -> None:
    assert recipient_of(path) == POSTMASTER
    with pytest.raises(PermanentFailure):
        sender_of(path)


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("<>", ("", "")),
        ("<a@b>", ("a@b", "")),
        ("<a@b> SIZE=1", ("a@b", " SIZE=1")),
        ("<a@b>x>", ("a@b", "x>")),
        ('<"a>b"@c> X', ('"a>b"@c', " X")),
        ('<"a\\">b"@c> X', ('"a\\">b"@c', " X")),
        ("<a<b@c>", None),
        ('<"a>', None),
        ("a@b", None),
        ("<a@b", None),
        ("", None),
        (" <a@b>", None),
    ],
)
def test_brackets(text: str, split: tuple[str, str] | None) -> None:
    assert split_path(text) == split


_ATEXT = st.sampled_from("abcXYZ019!#$%&'*+-/=?^_`{|}~")
_DOT_STRING = st.lists(st.text(_ATEXT, min_size=1, max_size=8), min_size=1, max_size=4).map(".".join)
_QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
_DOMAINS = st.lists(_LABEL, min_size=1, max_size=4).map(".".join)


@given(_DOT_STRING | _QUOTED, _DOMAINS)
def test_what_an_address_writes_is_read_back(local: str, domain: str) -> None:
    address = Address.of(local, domain)
    assert split_path(f"<{address}> X=1") == (str(address), " X=1")
    assert recipient_of(str(address)) == address


@given(st.text(max_size=60) | st.text('<>@".\\[]:, aé', max_size=60))
def test_anything_is_an_address_or_refused(path: str) -> None:
    try:
        address = sender_of(path)
    except PermanentFailure:
        return
    assert address is None or sender_of(str(address)) == address


@pytest.mark.parametrize(
    "text", ['"\\' * 1000, '<"' * 1000, "<" + '""' * 1000, "<@a,@" + "a." * 1000, "<" + "a" * 2000]
)
def test_nothing_makes_the_search_slow(text: str) -> None:
    began = time.process_time()
    split_path(text)
    with pytest.raises(PermanentFailure):
        recipient_of(text)
    assert time.process_time() - began < 0.2
