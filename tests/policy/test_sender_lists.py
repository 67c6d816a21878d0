"""Kill lists and accept lists of senders (row S-I09)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts
from mailsuite.model.reply import SENDER_BLOCKED
from mailsuite.model.sender_list import SenderList, SenderSet, parse_sender
from mailsuite.policy.sender_lists import BlockedSenders, SenderRules, compiled
from tests.policy.asking import EVE, JOE, at_mail, connection, judge

FILE, OTHER = Path("/kill"), Path("/accept")
RULES = SenderRules(
    (parse_sender("eve@example.org"), parse_sender("bad.example"), parse_sender("*.worse.example")),
    (FILE,),
    (parse_sender("good@bad.example"),),
    (OTHER,),
)
LIST = compiled(RULES, {FILE: [parse_sender("*@spam.example")], OTHER: [parse_sender("fine.worse.example")]})


@pytest.mark.parametrize(
    ("local", "domain", "blocked"),
    [
        ("eve", "example.org", True),
        ("EVE", "example.org", True),
        ("eve+tag", "example.org", False),
        ("ann", "example.org", False),
        ("anybody", "bad.example", True),
        ("good", "bad.example", False),
        ("anybody", "sub.bad.example", False),
        ("anybody", "worse.example", False),
        ("anybody", "a.worse.example", True),
        ("anybody", "b.a.worse.example", True),
        ("anybody", "notworse.example", False),
        ("anybody", "fine.worse.example", False),
        ("anybody", "a.fine.worse.example", True),
        ("anybody", "spam.example", True),
        ("anybody", "[192.0.2.1]", False),
        ("anybody", "example", False),
    ],
)
def test_who_is_blocked(local: str, domain: str, blocked: bool) -> None:
    assert bool(LIST.blocks(Address(local, domain))) is blocked


def test_nobody_is_blocked_by_an_empty_list() -> None:
    assert SenderList().blocks(EVE) is None
    assert EVE not in SenderSet()


class One:
    def list_of(self, rules: SenderRules) -> SenderList:
        assert rules is RULES
        return LIST


RULE = BlockedSenders(One(), RULES)
STRANGER = connection("smtp", None)


def test_the_rule() -> None:
    assert judge(RULE, at_mail(EVE, STRANGER)) == Refuse(SENDER_BLOCKED)
    assert (SENDER_BLOCKED.code, SENDER_BLOCKED.enhanced) == (550, "5.7.1")
    assert judge(RULE, at_mail(JOE, STRANGER)) == Accept()
    assert judge(RULE, at_mail(None, STRANGER)) == Accept(), "notices come from nobody"
    assert judge(RULE, at_mail(EVE, connection("submission", JOE))) == Accept()
    for stage in set(Stage) - {Stage.MAIL}:
        assert judge(RULE, StageFacts(stage, STRANGER, EVE)) == Accept()


def test_all_files_are_named_once() -> None:
    assert SenderRules((), (FILE, OTHER), (), (OTHER,)).files == (FILE, OTHER)
