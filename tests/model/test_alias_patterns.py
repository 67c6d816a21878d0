"""Pattern aliases: what they match, and that none can hold the server up or open it as a relay."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.address import Address
from mailsuite.model.alias import AliasPattern
from mailsuite.model.alias_patterns import MAX_PATTERN_CHARACTERS, PatternRefused, check_pattern, expand

HERE = "example.net"
A_MOMENT = 2.0
"""Seconds; the worst that is allowed takes a hundredth of it."""


def pattern(text: str, *targets: str) -> AliasPattern:
    return AliasPattern(text, targets or ("joe",))


@pytest.mark.parametrize(
    ("text", "target", "local", "meant"),
    [
        (r"list-(.+)", r"lists+\1", "list-cats", "lists+cats@example.net"),
        (r"(.+)\.(.+)", r"\2.\1@elsewhere.example", "joe.doe", "doe.joe@elsewhere.example"),
        (r"info|sales", "joe", "sales", "joe@example.net"),
        (r"x([0-9]{2})?", r"a\1", "x", "a@example.net"),
        (r"x([0-9]{2})?", r"a\1", "x07", "a07@example.net"),
        (r"[]a]b", "joe", "]b", "joe@example.net"),
        (r"(?:a|b)c", "joe", "bc", "joe@example.net"),
        (r"\d+", "joe", "12", "joe@example.net"),
    ],
)
def test_what_matches(text: str, target: str, local: str, meant: str) -> None:
    one = pattern(text, target)
    check_pattern(one, HERE)
    assert expand(one, local, HERE) == (Address.parse(meant),)


@pytest.mark.parametrize("local", ["list-", "list", "alist-x", "list-a\nb", ""])
def test_the_whole_local_part_has_to_match(local: str) -> None:
    assert expand(pattern(r"list-(.+)"), local, HERE) is None


def test_several_targets() -> None:
    found = expand(pattern("(.+)-team", r"\1", "boss@a.example"), "joe-team", HERE)
    assert found == (Address("joe", HERE), Address("boss", "a.example"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(a+)+b", "a group cannot be repeated"),
        ("(a|aa)*", "a group cannot be repeated"),
        ("(a){2}", "a group cannot be repeated"),
        ("a+?", "two repetitions"),
        ("a**", "two repetitions"),
        (".*.*.*.*x", "too many ways"),
        ("a?" * 30, "too many ways"),
        ("(a|a)" * 30, "too many ways"),
        ("|".join("abcdefgh") + "|" + ".*.*.*", "too many ways"),
        (r"(a)\1", r"\1 is not taken"),
        (r"a\b", r"\b is not taken"),
        (r"\Aa", r"\A is not taken"),
        ("(?i)a", "what begins with (?i"),
        ("(?=a)", "what begins with (?="),
        ("(?P<x>a)", "what begins with (?P"),
        ("a{2", "what begins with {2"),
        ("a\\", "what begins with \\"),
        ("[a", "what begins with [a"),
        ("(a", "no regular expression"),
        ("a)", "no regular expression"),
        ("*a", "no regular expression"),
        ("[b-a]", "no regular expression"),
        ("a{3,2}", "no regular expression"),
        ("[[a]", "no regular expression"),
        ("x" * (MAX_PATTERN_CHARACTERS + 1), "longer than"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(PatternRefused, match=re.escape(why)):
        check_pattern(pattern(text), HERE)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (r"joe@\1", "anybody could send anywhere"),
        (r"joe@\1.example.net", "anybody could send anywhere"),
        (r"\2", "there is no group 2"),
        ("", "character that needs quoting"),
        ("a b", "character that needs quoting"),
        ("joe@", "the domain is empty"),
        (r"joe\x", "character that needs quoting"),
    ],
)
def test_targets_that_are_refused(target: str, why: str) -> None:
    with pytest.raises(PatternRefused, match=re.escape(why)):
        check_pattern(pattern("(.+)", target), HERE)


def test_a_name_with_an_at_in_it_chooses_no_domain() -> None:
    """``RCPT TO:<"victim@elsewhere.example"@example.net>`` would otherwise be relayed."""
    one = pattern("(.+)", r"\1")
    check_pattern(one, HERE)
    assert expand(one, "victim@elsewhere.example", HERE) == (Address("victim@elsewhere.example", HERE),)


@pytest.mark.parametrize("name", ["victim%far.example", "far.example!victim", "victim@far.example"])
def test_no_other_server_is_asked_to_send_on_what_a_stranger_writes(name: str) -> None:
    one = pattern("(.+)-fwd", r"\1@gate.example", r"gate!all@gate.example", r"\1")
    check_pattern(one, HERE)
    expected = (None, Address("gate!all", "gate.example"), Address(name, HERE))
    assert expand(one, f"{name}-fwd", HERE) == expected


def test_what_becomes_too_long_or_empty_is_no_target() -> None:
    assert expand(pattern("(.+)", r"\1\1"), "a" * 33, HERE) == (None,)
    assert expand(pattern("(x)?y", r"\1"), "y", HERE) == (None,)


@pytest.mark.parametrize("text", [".*.*.*x", "(a|a)(a|a)a*a*x", "(.*)(.*)(.*)(a|b)x", "a?a?a?a?a*a*x"])
def test_the_worst_that_is_taken_takes_no_time(text: str) -> None:
    check_pattern(pattern(text), HERE)
    began = time.perf_counter()
    assert expand(pattern(text), "a" * 64, HERE) is None
    assert time.perf_counter() - began < A_MOMENT


@given(st.text("ab()|*+?{}[]\\.1,", max_size=24))
def test_whatever_is_written_is_taken_or_refused(text: str) -> None:
    one = pattern(text)
    try:
        check_pattern(one, HERE)
    except PatternRefused:
        return
    began = time.perf_counter()
    expand(one, "ab" * 31 + "!", HERE)
    assert time.perf_counter() - began < A_MOMENT
