"""Paths against a second reading of the grammar, without a regular expression (features row M-02).

The productions are those of RFC 5321 sections 4.1.2 and 4.1.3, one function each. A function answers the
places at which the production may end.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Set
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import BAD_RECIPIENT, BAD_SENDER
from mailsuite.wire.smtp.paths import recipient_of, sender_of, split_path

Rule = Callable[[str, int], Set[int]]

LET_DIG = string.ascii_letters + string.digits
ATEXT = LET_DIG + "!#$%&'*+-/=?^_`{|}~"


def one_of(characters: str) -> Rule:
    return lambda text, at: {at + 1} if at < len(text) and text[at] in characters else set()


def sequence(*rules: Rule) -> Rule:
    def match(text: str, at: int) -> Set[int]:
        ends = {at}
        for rule in rules:
            ends = {end for start in ends for end in rule(text, start)}
        return ends

    return match


def either(*rules: Rule) -> Rule:
    return lambda text, at: {end for rule in rules for end in rule(text, at)}


def many(rule: Rule, least: int = 0) -> Rule:
    def match(text: str, at: int) -> Set[int]:
        found, front, rounds = ({at} if least == 0 else set()), {at}, 0
        while front:
            rounds += 1
            front = {end for start in front for end in rule(text, start)} - (
                found if rounds > least else set()
            )
            if rounds >= least:
                found |= front
        return found

    return match


def maybe(rule: Rule) -> Rule:
    return lambda text, at: {at} | set(rule(text, at))


def sub_domain(text: str, at: int) -> Set[int]:
    """``Let-dig [Ldh-str]``, of at most 63 octets (RFC 1035 section 2.3.4)."""
    ends = many(one_of(LET_DIG + "-"), 1)(text, at)
    return {end for end in ends if text[at] != "-" and text[end - 1] != "-" and end - at <= 63}


DOMAIN = sequence(sub_domain, many(sequence(one_of("."), sub_domain)))
ATOM = many(one_of(ATEXT), 1)
DOT_STRING = sequence(ATOM, many(sequence(one_of("."), ATOM)))
QTEXT = one_of("".join(map(chr, (*range(32, 34), *range(35, 92), *range(93, 127)))))
QUOTED_PAIR = sequence(one_of("\\"), one_of("".join(map(chr, range(32, 127)))))
QUOTED_STRING = sequence(one_of('"'), many(either(QTEXT, QUOTED_PAIR)), one_of('"'))
AT_DOMAIN = sequence(one_of("@"), DOMAIN)
SOURCE_ROUTE = sequence(AT_DOMAIN, many(sequence(one_of(","), AT_DOMAIN)), one_of(":"))


def address_literal(text: str, at: int) -> Set[int]:
    """IPv4 or IPv6; general literals have no registered tag but the latter."""
    close = text.find("]", at)
    if text[at : at + 1] != "[" or close < 0:
        return set()
    inside = text[at + 1 : close]
    try:
        if inside[:5].lower() == "ipv6:":
            IPv6Address(inside[5:])
            return set() if "%" in inside else {close + 1}
        IPv4Address(inside)
    except AddressValueError:
        return set()
    return {close + 1}


def unquoted(local: str) -> str:
    plain, left = "", iter(local[1:-1] if local.startswith('"') else local)
    for character in left:
        plain += next(left) if character == "\\" and local.startswith('"') else character
    return plain


def reading_of(path: str) -> tuple[str, str] | None:
    """Local part and domain of a path without its brackets; None: it is none."""
    for start in maybe(SOURCE_ROUTE)(path, 0):
        for at in either(DOT_STRING, QUOTED_STRING)(path, start):
            if path[at : at + 1] == "@" and len(path) in either(DOMAIN, address_literal)(path, at + 1):
                local, domain = unquoted(path[start:at]), path[at + 1 :].lower()
                within = 0 < len(local) <= 64 and len(domain) <= 255 and len(path) + 2 <= 256
                return (local, domain) if within else None
    return None


LABELS = st.sampled_from(["a", "b1", "x-y", "-a", "a-", "a_b", "", "d" * 63, "d" * 64, "EXAMPLE", "net", "1"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=5).map(".".join)
LITERALS = st.sampled_from(
    [
        "[192.0.2.1]",
        "[192.0.2.256]",
        "[IPv6:2001:db8::1]",
        "[ipv6:::1]",
        "[IPv6:fe80::1%e]",
        "[]",
        "[x]",
        "[1.2.3.4",
    ]
)
ATOMS = st.text(ATEXT + ".", max_size=12) | st.sampled_from(["l" * 64, "l" * 65])
QUOTED = st.text('ab \\"@<>.,;:\t', max_size=8).map(lambda text: f'"{text}"')
ROUTES = st.lists(DOMAINS.map(lambda domain: f"@{domain}"), max_size=3).map(",".join)
COLONS = st.sampled_from(["", ":", ":", ","])
PATHS = st.builds(
    lambda route, colon, local, at, domain: f"{route}{colon if route else ''}{local}{at}{domain}",
    st.just("") | ROUTES,
    COLONS,
    ATOMS | QUOTED,
    st.sampled_from(["@", "@", "@", "", "@@", "%"]),
    DOMAINS | LITERALS,
)
NOISE = st.text('ab1.@"\\[]:,<> -', max_size=14)


def taken(path: str) -> tuple[str, str] | None:
    """What paths.py makes of it; as a sender and as a recipient it is the same."""
    try:
        address = recipient_of(path)
    except PermanentFailure as failure:
        refusals = [failure.reply]
        with pytest.raises(PermanentFailure) as sender:
            sender_of(path)
        refusals.append(sender.value.reply)
        if refusals != [BAD_RECIPIENT, BAD_SENDER]:
            raise
        return None
    assert sender_of(path) == address
    return address.local, address.domain


@given(PATHS | NOISE)
@settings(max_examples=800, deadline=None)
@example("@a,@b:joe@example.net")
@example('"\\""@a')
@example("a@[IPv6:::ffff:192.0.2.1]")
@example("l" * 64 + "@" + ".".join(["d" * 63, "d" * 63, "d" * 61]))
@example("l" * 64 + "@" + ".".join(["d" * 63, "d" * 63, "d" * 62]))
def test_both_readings_agree(path: str) -> None:
    if path in ("", "postmaster"):
        return
    expected, got = reading_of(path), taken(path)
    assert (got is None) == (expected is None), path
    if expected is not None and got is not None:
        assert got[0] == expected[0]
        if not expected[1].startswith("["):
            assert got[1] == expected[1]


@given(PATHS)
@settings(max_examples=300, deadline=None)
def test_every_good_path_is_found_in_its_brackets(path: str) -> None:
    if reading_of(path) is not None:
        assert split_path(f"<{path}> X=1") == (path, " X=1")
        if not path.startswith("@"):
            assert split_path(f"{path} X=1", bare=True) == (path, " X=1")
        assert split_path(path) is None


def test_the_second_reading_can_say_both() -> None:
    """Else the comparison would compare nothing."""
    assert reading_of('@a,@b:"a\\"b"@c-d.E') == ('a"b', "c-d.e")
    assert reading_of("a@[192.0.2.1]") == ("a", "[192.0.2.1]")
    for path in (
        "a",
        "a@",
        "@b",
        "a..b@c",
        ".a@b",
        'a"b"@c',
        '""@c',
        "a@-b",
        "a@b_c",
        "a@[1.2.3]",
        "a@b,c",
        "@a:@b",
    ):
        assert reading_of(path) is None
