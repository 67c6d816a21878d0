"""File names: ours, Dovecot's, and whatever else lies in a maildir."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.store.maildir.names import (
    FileName,
    UniqueNames,
    age_order,
    deleted_name,
    delivered_at,
    final_name,
    is_seen,
    parse,
    parse_deleted,
    uidl,
    unique_part,
    usual,
    with_seen,
)

OURS = "1700000000.R0123456789abcdefQ00000001.mx"
DOVECOT = "1276528487.M364837P9451.kurkku"


@pytest.mark.parametrize(
    ("name", "unique", "stored", "wire", "dot_lines"),
    [
        (f"{OURS},S=120,W=120,D=0", OURS, 120, 120, False),
        (f"{OURS},S=120,W=120,D=1:2,S", OURS, 120, 120, True),
        (f"{DOVECOT},S=1355,W=1394:2,RS", DOVECOT, 1355, 1394, True),
        (f"{DOVECOT},W=1394,S=1355:2,", DOVECOT, 1355, 1394, True),
        (f"{DOVECOT},S=1355:2,S", DOVECOT, 1355, None, True),
        (f"{DOVECOT}:2,S", DOVECOT, None, None, True),
        (f"{DOVECOT}:2,S,W=5", DOVECOT, None, None, True),
        (f"{DOVECOT},S=x,W=:2,", DOVECOT, None, None, True),
        (f"{DOVECOT},S=9999999999999999,W=-1", DOVECOT, None, None, True),
        (f"{DOVECOT},S=12x,W=3", DOVECOT, None, 3, True),
        ("msg.1", "msg.1", None, None, True),
        ("", "", None, None, True),
        (",S=1,W=1", "", 1, 1, True),
        (":2,S", "", None, None, True),
    ],
)
def test_parse(name, unique, stored, wire, dot_lines):
    assert parse(name) == FileName(unique, stored, wire, dot_lines)
    assert unique_part(name) == unique


@given(
    st.one_of(
        st.text(max_size=90),
        st.from_regex(
            r"\A[0-9]{9,11}\.[A-Za-z0-9,:]{0,62}(,S=[0-9]{1,3})?(,W=[0-9]{1,16})?(,D=[012])?(:2,S)?\Z"
        ),
    )
)
def test_the_quick_way_reads_as_the_slow_one(name):
    if match := usual(name):
        slow = parse(name)
        assert match.groups()[0] == slow.unique == uidl(slow.unique) == age_order(slow.unique)
        assert (int(match[2]), match[3] != "0") == (slow.wire, slow.dot_lines)


def test_the_quick_way_reads_what_we_and_dovecot_write():
    assert usual(final_name(UniqueNames().fresh(), 12, True))
    assert usual(f"{DOVECOT},S=1355,W=1394:2,RS")


@pytest.mark.parametrize("unique", ["msg.1", "x" * 70, DOVECOT, "!~"])
def test_a_unique_part_is_the_uidl(unique):
    assert uidl(unique) == unique


@pytest.mark.parametrize("unique", ["x" * 71, "a b", "a\x7f", "\udcff", "ü", "a\n", ""])
def test_what_cannot_be_sent_is_hashed(unique):
    assert len(uidl(unique)) == 40
    assert uidl(unique).isascii()
    assert uidl(unique) == uidl(unique) != uidl(unique + "x")


def test_names_are_unique_and_sort_as_they_were_made():
    names = UniqueNames(clock=lambda: 1_700_000_000.9, host="mx.example.net")
    made = [names.fresh() for _ in range(1200)]
    assert len(set(made)) == 1200
    assert sorted(made, key=age_order) == made
    assert UniqueNames(clock=lambda: 1_700_000_000.9).fresh() not in made


def test_a_start_sorts_behind_an_earlier_one_of_the_same_second():
    starts = [UniqueNames(clock=lambda now=now: 1_700_000_000 + now / 1000) for now in range(1000)]
    made = [names.fresh() for names in starts]
    assert sorted(made, key=age_order) == made


def test_names_of_many_processes_never_collide():
    """Forty thousand within one second of the clock, by four processes of one host (features row L-01)."""
    program = (
        "from mailsuite.store.maildir.names import UniqueNames\n"
        "names = UniqueNames(clock=lambda: 1_700_000_000.9, host='mx')\n"
        "print(*(names.fresh() for _ in range(10_000)), sep='\\n')\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    made = [name for process in processes for name in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in processes] == [0] * 4
    assert (len(made), len(set(made))) == (40_000, 40_000)


def test_the_clock_may_stand_or_jump():
    times = iter([5.0, 5.0, 5.0, 3.0, 5.0])
    names = UniqueNames(clock=lambda: next(times), host="h")
    assert len({names.fresh() for _ in range(4)}) == 4


@pytest.mark.parametrize("host", ["", "a/b:c,d e", "x" * 200, "\u00fc\udcff"])
def test_any_host_gives_a_good_name(host):
    made = UniqueNames(host=host).fresh()
    assert uidl(made) == made
    assert parse(final_name(made, 10**12, True)) == FileName(made, 10**12, 10**12, True)


def test_order_is_by_time_then_name():
    ordered = ["aaa", "zzz", "5.x", "99.a", "100.a", "1700000000.a", "1700000000.b", "1700000001.a"]
    assert sorted({*ordered}, key=age_order) == ordered


@pytest.mark.parametrize(
    ("name", "utf8_header"),
    [
        (final_name("1700000000.R1.host", 12, False, True), True),
        (final_name("1700000000.R1.host", 12, True, True) + ":2,S", True),
        (final_name("1700000000.R1.host", 12, False), False),
        ("1700000000.R1.host,S=12,W=12", False),
        ("1700000000.R1.host:2,U=1", False),
        ("1700000000.R1.host,U=0", False),
    ],
)
def test_whether_a_header_is_utf8(name: str, utf8_header: bool) -> None:
    assert parse(name).utf8_header is utf8_header
    if match := usual(name):
        assert (match[4] is not None) is utf8_header


@pytest.mark.parametrize(
    ("unique", "at"),
    [
        (OURS, 1700000000),
        (DOVECOT, 1276528487),
        ("999999999.x", 999999999),
        ("1.x", None),
        ("msg", None),
        ("17000000001234.x", None),
        ("1700000000", None),
    ],
)
def test_when_it_was_delivered(unique, at):
    assert delivered_at(unique) == at


@pytest.mark.parametrize(
    ("name", "seen", "marked"),
    [
        ("a", False, "a:2,S"),
        ("a,S=1:2,", False, "a,S=1:2,S"),
        ("a:2,DFT", False, "a:2,DFST"),
        ("a:2,Fab", False, "a:2,FSab"),
        ("a:2,S", True, None),
        ("a:2,RS", True, None),
        ("a:1,S", False, None),
        ("a:2,F,x", False, None),
        ("aS", False, "aS:2,S"),
    ],
)
def test_the_flag_of_what_was_read(name, seen, marked):
    assert (is_seen(name), with_seen(name)) == (seen, marked)


@given(st.text(min_size=1), st.integers(0, 10**14))
def test_a_deleted_name_tells_both(name, at):
    assert parse_deleted(deleted_name(name, at)) == (at, name)


@pytest.mark.parametrize("name", ["", "_x", "1_", "x_1", "1", "-1_x", "1234567890123456_x"])
def test_names_that_no_deletion_has_made(name):
    assert parse_deleted(name) is None
