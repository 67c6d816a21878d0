"""Senders of what is forwarded: there and back, and by nobody else's hand (features rows L-09, Q-11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.srs import MAX_AGE, SenderRewriting, Unreturnable
from mailsuite.model.address import MAX_LOCAL_OCTETS, Address

DAY = 86_400
NOW = 20_000 * DAY
OURS, THEIRS = "forward.example", "second.example"
EVE = Address("Eve.Ann", "example.org")


def at(now: float, key: bytes = b"k" * 32) -> SenderRewriting:
    return SenderRewriting(key, lambda: now)


HERE = at(NOW)
THERE = at(NOW, b"t" * 32)
locals = st.text(st.characters(blacklist_characters="%!@", categories=["L", "N", "P", "S"]), min_size=1)
senders = st.builds(Address, locals, st.sampled_from(["example.org", "a.b-c.example", "xn--9ca.example"]))


def test_what_it_looks_like() -> None:
    rewritten = HERE.rewritten(EVE, OURS)
    assert rewritten == Address(rewritten.local, OURS)
    tag, mark, day, domain, local = rewritten.local.split("=")
    assert (tag, len(mark), day, domain, local) == ("SRS0", 6, "ra", "example.org", "Eve.Ann")
    assert HERE.original(rewritten) == EVE


@given(senders, st.integers(0, MAX_AGE), st.integers(0, 3000))
def test_there_and_back(sender: Address, later: int, first: int) -> None:
    rewritten = at(first * DAY).rewritten(sender, OURS)
    if rewritten == sender:
        assert len(f"SRS0=hhhhhh=tt={sender.domain}={sender.local}".encode()) > MAX_LOCAL_OCTETS
    else:
        assert len(rewritten.local.encode()) <= MAX_LOCAL_OCTETS
        assert at((first + later) * DAY).original(rewritten) == sender
        assert at((first + MAX_AGE + 1) * DAY).original(rewritten) is Unreturnable.EXPIRED
        assert at((first - 1) * DAY).original(rewritten) is Unreturnable.EXPIRED
        assert at(first * DAY, b"x").original(rewritten) is Unreturnable.FORGED


@pytest.mark.parametrize("change", [str.lower, str.upper, str.swapcase])
def test_letter_case_says_nothing(change: object) -> None:
    assert callable(change)
    for rewritten in (HERE.rewritten(EVE, OURS), HERE.rewritten(THERE.rewritten(EVE, THEIRS), OURS)):
        original = HERE.original(rewritten)
        assert isinstance(original, Address)
        changed = HERE.original(Address(change(rewritten.local), OURS))
        assert isinstance(changed, Address)
        assert changed.canonical == original.canonical


@given(st.data())
def test_whatever_else_is_changed_it_leads_nowhere(data: st.DataObject) -> None:
    once = HERE.rewritten(EVE, OURS)
    local = data.draw(st.sampled_from([once, HERE.rewritten(THERE.rewritten(EVE, THEIRS), OURS)])).local
    place = data.draw(st.integers(0, len(local) - 1))
    others = st.characters(min_codepoint=33, max_codepoint=126).filter(
        lambda new: new.lower() != local[place].lower()
    )
    changed = local[:place] + data.draw(others) + local[place + 1 :]
    assert not isinstance(HERE.original(Address(changed, OURS)), Address)


def test_who_was_rewritten_elsewhere_comes_back_there() -> None:
    there = THERE.rewritten(EVE, THEIRS)
    here = HERE.rewritten(there, OURS)
    assert here.local.startswith("SRS1=")
    assert here.local.endswith(f"=second.example={there.local.removeprefix('SRS0')}")
    assert HERE.original(here) == there
    assert THERE.original(there) == EVE
    assert THERE.original(here) is Unreturnable.FORGED


def test_a_third_forwarder_skips_the_second() -> None:
    first = Address("SRS0+abcd=ef=a.example=joe", "one.example")
    second = HERE.rewritten(first, "two.example")
    third = THERE.rewritten(second, "three.example")
    assert third.local.partition("=one.example=")[2] == "+abcd=ef=a.example=joe"
    assert THERE.original(third) == first


@pytest.mark.parametrize(
    "sender",
    [
        Address("joe", "[127.0.0.1]"),
        Address("joe", "[IPv6:::1]"),
        Address("joe", "intranet"),
        Address("joe", "10.0.0.1"),
        Address("joe%victim.example", "example.org"),
        Address("victim.example!joe", "example.org"),
        Address("joe@victim.example", "example.org"),
        Address("SRS1=abcdef=intranet==abcd=ef=a.example=joe", "example.org"),
        Address("j" * 50, "example.org"),
    ],
    ids=str,
)
def test_what_stays(sender: Address) -> None:
    assert HERE.rewritten(sender, OURS) is sender


@pytest.mark.parametrize("local", ["joe", "srs", "SRS0", "SRS2=a=b", "srs0-x", "postmaster"])
def test_a_name_like_others(local: str) -> None:
    assert HERE.original(Address(local, OURS)) is None


@pytest.mark.parametrize(
    "local",
    ["srs0=", "SRS0=abcdef=aa=example.org=", "SRS0=abc=aa=example.org=joe", "SRS1=abcdef=a.example=joe"],
)
def test_a_name_that_is_like_none_of_ours(local: str) -> None:
    assert HERE.original(Address(local, OURS)) is Unreturnable.MALFORMED


def test_what_is_no_address_behind_a_hash_that_is_right() -> None:
    """Another part of the server has let it pass as a sender."""
    broken = HERE.rewritten(Address("joe", "a_b.example"), OURS)
    assert HERE.original(broken) is Unreturnable.MALFORMED


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(HERE)
