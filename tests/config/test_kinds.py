"""Each kind: what it takes, what it makes of it, and what it says to the rest."""

from __future__ import annotations

import contextlib
import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite import __version__
from mailsuite.config.kinds import BadValue, Boolean, Integer, Kind, ListOf, Member, OneOf, OrNone, Text, port
from mailsuite.config.measures import Day, Duration, Size, duration_text, size_text
from mailsuite.config.mechanisms import SaslMechanism
from mailsuite.config.names import (
    AlternateAt,
    BindAddress,
    DeviceName,
    FilePath,
    Greeting,
    HostAddress,
    HostName,
    KnockAddress,
    LogTarget,
    MailAddress,
    MaildropPath,
    Network,
    PasswordHash,
)
from mailsuite.model.account import NotifyState
from mailsuite.model.address import Address

BASE = Path("/etc/mailsuite")
HASH = "$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNoLCBvbmx5IGFuIGV4YW1wbGU"


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (Boolean(), True, True),
        (Integer(1, 9), 9, 9),
        (port(), 65535, 65535),
        (port(0), 0, 0),
        (Text(3), "äöü", "äöü"),
        (OneOf(("a", "b")), "b", "b"),
        (Member(NotifyState), "last-ip", NotifyState.LAST_IP),
        (ListOf(port()), [79, 80], (79, 80)),
        (ListOf(port()), [], ()),
        (OrNone(HostAddress()), "", None),
        (OrNone(HostAddress()), "::1", ip_address("::1")),
        (Duration(0.0), "0s", 0.0),
        (Duration(0.0), "250ms", 0.25),
        (Duration(), "30s", 30.0),
        (Duration(), " 10 m ", 600.0),
        (Duration(), "2h", 7200.0),
        (Duration(), "5d", 432000.0),
        (Size(0, 1 << 40), "64KiB", 65536),
        (Size(0, 1 << 40), "25MiB", 25 << 20),
        (Size(0, 1 << 40), "2GiB", 2 << 30),
        (Size(0, 1 << 40), "1TiB", 1 << 40),
        (Size(0, 1 << 40), "7B", 7),
        (HostName(), "Mail.Example.NET", "mail.example.net"),
        (HostName(), "bücher.example", "xn--bcher-kva.example"),
        (AlternateAt(), "#$%", "#$%"),
        (AlternateAt(), "", ""),
        (Day(), "2028-02-29", datetime.date(2028, 2, 29)),
        (DeviceName(), "Grüner iPad", "Grüner iPad"),
        (SaslMechanism(), "ntlm", "ntlm"),
        (MailAddress(), "Joe@Example.net", Address("joe", "example.net")),
        (HostAddress(), "192.0.2.1", ip_address("192.0.2.1")),
        (HostAddress(), "::ffff:192.0.2.1", ip_address("192.0.2.1")),
        (KnockAddress(), "192.0.2.77", ip_address("192.0.2.77")),
        (KnockAddress(), "[192.0.2.77]", ip_address("192.0.2.77")),
        (KnockAddress(), "2001:db8::1", ip_address("2001:db8::1")),
        (KnockAddress(), "[IPv6:2001:db8::1]", ip_address("2001:db8::1")),
        (KnockAddress(), "[ipv6:2001:db8::1]", ip_address("2001:db8::1")),
        (KnockAddress(), "[2001:db8::1]", ip_address("2001:db8::1")),
        (BindAddress(), "*", "*"),
        (BindAddress(), "0:0::1", "::1"),
        (BindAddress(), "[::1]", "::1"),
        (BindAddress(), "127.0.0.1", "127.0.0.1"),
        (Network(), "192.0.2.0/24", ip_network("192.0.2.0/24")),
        (Network(), "192.0.2.1", ip_network("192.0.2.1/32")),
        (Network(), "2001:db8::/32", ip_network("2001:db8::/32")),
        (Network(), "::ffff:192.0.2.0/120", ip_network("192.0.2.0/24")),
        (Network(), "::ffff:192.0.2.1", ip_network("192.0.2.1/32")),
        (Network(), "::/0", ip_network("::/0")),
        (FilePath(), "/x/y", Path("/x/y")),
        (FilePath(), "secrets/joe", BASE / "secrets/joe"),
        (FilePath(), "{state}/x", BASE / "{state}/x"),
        (FilePath(state_allowed=True), "{state}/x", Path("{state}/x")),
        (LogTarget(), "journal", "journal"),
        (LogTarget(), "./log", BASE / "log"),
        (LogTarget(), "{state}/log", Path("{state}/log")),
        (MaildropPath(), "{state}/mail/{domain}/{local}", "{state}/mail/{domain}/{local}"),
        (MaildropPath(), "/m/{local}@{domain}", "/m/{local}@{domain}"),
        (MaildropPath(), "mail/{domain}/{local}", "/etc/mailsuite/mail/{domain}/{local}"),
        (Greeting("built in"), "", "built in"),
        (Greeting("built in"), "  ", "built in"),
        (Greeting("built in"), "x {version}", f"x {__version__}"),
        (Greeting("built in"), "a" * 400, "a" * 400),
        (PasswordHash(), HASH, HASH),
        (PasswordHash(), "", ""),
    ],
)
def test_good_values(kind: Kind[Any], raw: object, value: object) -> None:
    parsed = kind.parse(raw, BASE)
    assert parsed == value
    assert type(parsed) is type(value)
    assert kind.parse(kind.write(parsed), BASE) == value


@pytest.mark.parametrize(
    ("kind", "raw", "says"),
    [
        (Boolean(), "true", "without quotes"),
        (Boolean(), 1, "true or false"),
        (Integer(1, 9), 10, "out of range: expected a whole number from 1 to 9"),
        (Integer(1, 9), 0, "out of range"),
        (Integer(1, 9), True, "expected a whole number"),
        (Integer(1, 9), "5", "expected a whole number"),
        (Integer(1, 9), 5.0, "expected a whole number"),
        (port(), 0, "1 to 65535"),
        (port(0), 65536, "0 to 65535"),
        (Text(3), "abcd", "is too long"),
        (Text(3), 5, "has no quotes"),
        (Text(3), "a\nb", "control character"),
        (Text(3), "a\x7f", "control character"),
        (Text(3), "a\x85", "control character"),
        (Text(3), "\udcff", "not UTF-8"),
        (Text(9, "[a-z]+", "abc"), "A", 'for example "abc"'),
        (OneOf(("starttls", "off")), "startls", "did you mean 'starttls'?"),
        (OneOf(("starttls", "off")), "OFF", "did you mean 'off'?"),
        (OneOf(("starttls", "off")), 7, 'one of "starttls", "off"'),
        (OneOf(("starttls", "off")), ["off"], "a list is wrong here"),
        (Member(NotifyState), "lastip", "did you mean 'last-ip'?"),
        (ListOf(port(), example="[79]"), 79, "in square brackets, for example [79]"),
        (ListOf(port(), 1, "[79]"), [], "at least 1, for example [79]"),
        (ListOf(port(), 1), [], "at least 1"),
        (ListOf(port()), [79, 79], "79 stands twice"),
        (ListOf(port()), [79, {}], "a table is wrong here"),
        (Duration(), 600, 'has no unit; did you mean "600s"?'),
        (Duration(), "600", "is no duration"),
        (Duration(), "10 minutes", 'for example "30s", "10m" or "2h"'),
        (Duration(), "-5m", "is no duration"),
        (Duration(), True, "expected a duration"),
        (Duration(60.0, 120.0), "59s", "out of range: expected a duration from 1m to 2m"),
        (Duration(60.0, 120.0), "3m", "out of range"),
        (Duration(), "9" * 400 + "d", "is no duration"),
        (Size(1, 1 << 30), 65536, 'did you mean "64KiB"?'),
        (Size(1, 1 << 30), 0, "0 has no unit: expected a size from 1B"),
        (Size(1, 1 << 30), "25MB", 'did you mean "25MiB"?'),
        (Size(1, 1 << 30), "25k", 'did you mean "25KiB"?'),
        (Size(1, 1 << 30), "25 apples", "unknown unit"),
        (Size(1, 1 << 30), "MiB", "is no size"),
        (Size(1, 1 << 30), "2GiB", "out of range: expected a size from 1B to 1GiB"),
        (HostName(), "", "the domain is empty"),
        (HostName(), "a b", 'for example "mail.example.net"'),
        (HostName(), "a_b.example", "no host name"),
        (HostName(), "[192.0.2.1]", "address literal"),
        (HostName(), 5, "has no quotes"),
        (MailAddress(), "joe", "there is no @ in it"),
        (MailAddress(), "joe x@example.net", "needs quoting"),
        (MailAddress(), "joe@exa mple.net", "no host name"),
        (HostAddress(), "localhost", "is no IP address"),
        (KnockAddress(), "joe.example.net", "is no IP address"),
        (KnockAddress(), "0.0.0.0", "no address of one machine"),
        (KnockAddress(), "0.1.2.3", "no address of one machine"),
        (KnockAddress(), "255.255.255.255", "no address of one machine"),
        (KnockAddress(), "224.0.0.1", "no address of one machine"),
        (KnockAddress(), "ff02::1", "no address of one machine"),
        (KnockAddress(), "::", "no address of one machine"),
        (KnockAddress(), "::ffff:255.255.255.255", "no address of one machine"),
        (KnockAddress(), "fe80::1%eth0", "has a zone"),
        (KnockAddress(), "fe80::1", "link-local, where no notice ever goes"),
        (KnockAddress(), "169.254.169.254", "link-local, where no notice ever goes"),
        (KnockAddress(), "::ffff:169.254.1.1", "link-local, where no notice ever goes"),
        (KnockAddress(), "[IPv6:192.0.2.1]", "is no IP address"),
        (BindAddress(), "localhost", '"*" for every address'),
        (Network(), "192.0.2.7/24", 'did you mean "192.0.2.0/24"?'),
        (Network(), "192.0.2.0/33", "is no network"),
        (FilePath(), "", "is empty"),
        (FilePath(), "~/x", "not expanded"),
        (FilePath(), "a\0b", "control character"),
        (LogTarget(), "jurnal", "did you mean 'journal'?"),
        (LogTarget(), "syslog", 'a path with a "/" in it'),
        (MaildropPath(), "/mail/{domain}", "has no {local}"),
        (MaildropPath(), "/mail/{local}", "has no {domain}"),
        (MaildropPath(), "/mail/{domain}/{local}/{local}", "has {local} twice"),
        (MaildropPath(), "/mail/{domian}/{local}", "did you mean '{domain}'?"),
        (MaildropPath(), "/mail/{domain}/{local", "unknown placeholder"),
        (MaildropPath(), "/x/{state}/{domain}/{local}", "elsewhere than at the beginning"),
        (MaildropPath(), "{state}/{state}/{domain}/{local}", "elsewhere than at the beginning"),
        (MaildropPath(), "/x/../{domain}/{local}", 'has ".." in it'),
        (MaildropPath(), "/mail/{local}{domain}", "nothing between"),
        (Greeting("x"), "a" * 401, "is too long"),
        (Greeting("x"), "Grüße", "is not ASCII"),
        (Greeting("x"), "a\r\nb", "control character"),
        (Greeting("x"), "{verison}", "did you mean '{version}'?"),
        (
            PasswordHash(),
            "$1$abc",
            "the hash is cut off, or is none of the form that it claims to be; expected argon2id",
        ),
        (PasswordHash(), HASH + "$x", "argon2id in PHC form"),
        (PasswordHash(), HASH.replace("m=19456", "m=9999999999"), "argon2id in PHC form"),
        (PasswordHash(), HASH.replace("t=2", "t=0"), "argon2id in PHC form"),
        (PasswordHash(), 5, "password_file"),
        (
            PasswordHash(),
            "{LANMAN}ABCDEF",
            "{LANMAN} is not taken: whoever has it can log in by it, and one table breaks them all",
        ),
    ],
)
def test_bad_values_say_what_is_expected(kind: Kind[Any], raw: object, says: str) -> None:
    with pytest.raises(BadValue) as caught:
        kind.parse(raw, BASE)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_hash_is_not_quoted() -> None:
    with pytest.raises(BadValue) as caught:
        PasswordHash().parse("correct horse", BASE)
    assert "correct" not in str(caught.value)


def test_a_long_wrong_value_is_cut() -> None:
    with pytest.raises(BadValue) as caught:
        OneOf(("a",)).parse("b" * 1000, BASE)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("kind", "text", "raw"),
    [
        (Boolean(), "true", True),
        (Boolean(), "yes", "yes"),
        (Integer(0, 9), "7", 7),
        (Integer(0, 9), "7\nx = 1", "7\nx = 1"),
        (Text(9), "7", "7"),
        (Text(9), '"7"', "7"),
        (Text(9), "'7'", "7"),
        (Text(9), '"7', '"7'),
        (ListOf(Text(9)), '["a", "b"]', ["a", "b"]),
        (ListOf(Text(9)), "a, b", ["a", "b"]),
        (ListOf(port()), "79,80", [79, 80]),
        (ListOf(port()), "79", [79]),
        (ListOf(port()), "", []),
        (OrNone(Integer(0, 9)), "", ""),
        (OrNone(Integer(0, 9)), "5", 5),
        (Duration(), "5m", "5m"),
    ],
)
def test_text_from_outside(kind: Kind[Any], text: str, raw: object) -> None:
    assert kind.from_text(text) == raw


@given(st.integers(1, 10**6), st.sampled_from(["ms", "s", "m", "h"]))
def test_durations_survive_being_written(number: int, unit: str) -> None:
    kind = Duration(0.0, 1e10)
    seconds = kind.parse(f"{number}{unit}", BASE)
    assert kind.parse(duration_text(seconds), BASE) == pytest.approx(seconds)


@given(st.integers(0, 10**15 - 1))
def test_sizes_survive_being_written(octets: int) -> None:
    assert Size(0, 1 << 50).parse(size_text(octets), BASE) == octets


@pytest.mark.parametrize(
    ("seconds", "text"), [(86400.0, "24h"), (172800.0, "2d"), (90.0, "90s"), (0.0, "0s")]
)
def test_durations_are_written_as_people_do(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


_KINDS: list[Kind[Any]] = [
    Boolean(),
    Integer(0, 9),
    Text(9),
    OneOf(("a",)),
    Member(NotifyState),
    ListOf(Network()),
    OrNone(FilePath()),
    Duration(),
    Size(0, 9),
    HostName(),
    MailAddress(),
    KnockAddress(),
    BindAddress(),
    LogTarget(),
    MaildropPath(),
    Greeting("x"),
    PasswordHash(),
    AlternateAt(),
    Day(),
    DeviceName(),
    SaslMechanism(),
]
_raw = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
)


@given(st.sampled_from(_KINDS), _raw | st.text("0123456789.:/[]IPv6smhdKMGiB@{}$*%", max_size=20))
def test_a_kind_takes_a_value_or_says_why_not(kind: Kind[Any], raw: object) -> None:
    with contextlib.suppress(BadValue):
        kind.parse(raw, BASE)
    assert kind.word
    assert kind.expects
