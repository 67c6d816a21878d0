"""Access lists: the first entry that fits decides, whatever covers what."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mailsuite.model.access import Entry, parse_entry
from mailsuite.policy.access import AccessList, AccessPolicy, AccessRules, Decision, locks_out

OPEN: AccessPolicy = "allow-all-except"
SHUT: AccessPolicy = "deny-all-except"


def made(policy: AccessPolicy, *texts: str) -> AccessList:
    return AccessList.compiled(AccessRules("pop3.access", policy, tuple(map(parse_entry, texts))), {})


def allowed(list_: AccessList, *addresses: str) -> list[bool]:
    return [list_.decide(ip_address(address)).allowed for address in addresses]


def test_the_policy_decides_where_nothing_is_listed() -> None:
    for policy, verdict in ((OPEN, True), (SHUT, False)):
        decision = made(policy).decide(ip_address("192.0.2.7"))
        assert decision == Decision(verdict, "", f'pop3.access.policy = "{policy}"')
        assert decision.reason == f'no entry; pop3.access.policy = "{policy}"'


@pytest.mark.parametrize("policy", [OPEN, SHUT])
def test_what_is_listed_is_the_exception(policy: AccessPolicy) -> None:
    listed = made(policy, "192.0.2.0/24", "198.51.100.5-198.51.100.7", "2001:db8::/32")
    rule = policy == OPEN
    inside = ("192.0.2.0", "192.0.2.255", "198.51.100.5", "198.51.100.7", "2001:db8::", "2001:db8:ffff::1")
    outside = (
        *("192.0.1.255", "192.0.3.0", "198.51.100.4", "198.51.100.8", "0.0.0.0", "255.255.255.255"),
        *("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "::", "ffff::"),
    )
    assert allowed(listed, *inside) == [not rule] * len(inside)
    assert allowed(listed, *outside) == [rule] * len(outside)


def test_a_verdict_of_its_own_wins_over_the_policy_and_the_first_over_all() -> None:
    listed = made(OPEN, "allow 192.0.2.7", "192.0.2.0/24", "allow 192.0.0.0/16")
    assert allowed(listed, "192.0.2.7", "192.0.2.8", "192.0.3.1") == [True, False, True]
    reversed_ = made(OPEN, "192.0.2.0/24", "allow 192.0.2.7")
    assert allowed(reversed_, "192.0.2.7") == [False]
    shut = made(SHUT, "deny 192.0.2.7", "192.0.2.0/24")
    assert allowed(shut, "192.0.2.7", "192.0.2.8", "192.0.3.1") == [False, True, False]


def test_an_ipv4_address_is_the_same_mapped() -> None:
    listed = made(OPEN, "192.0.2.0/24", "::ffff:198.51.100.0/120")
    assert allowed(listed, "::ffff:192.0.2.7", "198.51.100.9", "::192.0.2.7") == [False, False, True]
    assert allowed(made(OPEN, "::/0"), "192.0.2.7", "::ffff:192.0.2.7") == [True, True], "that is IPv6 alone"


def test_the_deciding_entry_is_named() -> None:
    listed = made(OPEN, "192.0.2.1", "allow 192.0.2.2", "deny 192.0.2.0/24")
    decision = listed.decide(ip_address("192.0.2.9"))
    assert decision == Decision(False, "deny 192.0.2.0/24", "pop3.access.list, entry 3")
    assert decision.reason == "deny 192.0.2.0/24 (pop3.access.list, entry 3)"
    assert len(listed) == 3


ADDRESSES = some.integers(0, 40).map(lambda number: 0xC0000200 + number)
SPANS = some.tuples(ADDRESSES, ADDRESSES, some.sampled_from(["", "allow ", "deny "])).map(
    lambda span: f"{span[2]}{IPv4Address(min(span[:2]))}-{IPv4Address(max(span[:2]))}"
)


@given(texts=some.lists(SPANS, max_size=12), policy=some.sampled_from([OPEN, SHUT]))
def test_as_one_who_reads_the_list_from_the_top(texts: list[str], policy: AccessPolicy) -> None:
    listed, entries = made(policy, *texts), list(map(parse_entry, texts))
    for value in range(0xC0000200 - 1, 0xC0000200 + 42):
        first: Entry | None = next((each for each in entries if each.first <= value <= each.last), None)
        decision = listed.decide(IPv4Address(value))
        expected = policy == OPEN if first is None else first.allow
        assert decision.allowed is (policy == SHUT if expected is None else expected)
        assert decision.entry == ("" if first is None else first.text)
        if first is not None:
            assert decision.place == f"pop3.access.list, entry {entries.index(first) + 1}"


HERE = ip_address("192.0.2.7")


def test_a_change_that_locks_its_author_out() -> None:
    before = {"pop3": made(OPEN), "pop3s": made(OPEN), "gone": made(OPEN), "mx": made(OPEN, "192.0.2.7")}
    after = {"pop3": made(OPEN, "192.0.2.0/24"), "pop3s": made(OPEN), "new": made(SHUT), "mx": made(SHUT)}
    assert locks_out(before, after, HERE) == (
        "you would lock yourself out: 192.0.2.7 gets in now, and would be denied by "
        "listener pop3: 192.0.2.0/24 (pop3.access.list, entry 1)"
    )
    assert locks_out(after, before, HERE) == ""
    assert locks_out(before, after, ip_address("198.51.100.1")) == (
        "you would lock yourself out: 198.51.100.1 gets in now, and would be denied by "
        'listener mx: no entry; pop3.access.policy = "deny-all-except"'
    )


def test_each_listener_is_named_in_order() -> None:
    before = {name: made(OPEN) for name in "cab"}
    after = {name: made(SHUT) for name in "bca"}
    words = locks_out(before, after, HERE)
    assert [part.split(":")[0][-1] for part in words.split("listener ")[1:]] == ["b", "c", "a"]
