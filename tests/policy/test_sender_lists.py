"""Kill lists and accept lists of senders (row S-I09)."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.facts import (
    Accept,
    ConnectionFacts,
    Copy,
    Note,
    Refuse,
    Route,
    RouteKind,
    Stage,
    StageFacts,
    Verdict,
)
from mailsuite.model.reply import SENDER_BLOCKED
from mailsuite.model.sender_list import OwnSenders, SenderList, SenderSet, parse_sender
from mailsuite.model.turns import STEPS_IN_A_ROW
from mailsuite.policy.sender_lists import BlockedSenders, SenderRules, compiled
from tests.policy.asking import ANN, BOB, EVE, JOE, at_recipient, connection, judge, remote, without

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


class Doors:
    """Those without rules block nobody."""

    def list_of(self, rules: SenderRules) -> SenderList:
        return LIST if rules is RULES else SenderList()


BLOCKED = Address("anybody", "bad.example")
"""By the door."""
GOOD = Address("good", "bad.example")
KIM, LEA, MAX, NIL = (Address(name, "strict.example") for name in ("kim", "lea", "max", "nil"))
DIRECTORY = MemoryDirectory(
    [
        Account(JOE),
        Account(ANN, senders=OwnSenders((parse_sender("eve@example.org"),), (parse_sender("bad.example"),))),
        Account(BOB, senders=OwnSenders((parse_sender("example.org"),), (parse_sender("eve@example.org"),))),
        Account(KIM),
        Account(LEA, senders=OwnSenders((), (parse_sender("example.org"),))),
        Account(MAX, senders=OwnSenders((parse_sender("bad.example"),), ())),
    ],
    [
        Domain(
            "strict.example",
            senders=OwnSenders((parse_sender("example.org"),), (parse_sender("bad.example"),)),
        )
    ],
)
RULE = BlockedSenders(DIRECTORY, Doors(), RULES)
STRANGER = connection("smtp", None)


def to(*accounts: Address, remotes: tuple[Address, ...] = ()) -> Route:
    return Route(RouteKind.LOCAL, tuple(Copy(account, account) for account in accounts), remotes)


def said(sender: Address | None, route: Route | None, who: ConnectionFacts = STRANGER) -> Verdict:
    verdict = judge(RULE, without(at_recipient(TEAM, route, who), sender=sender))
    return attrs.evolve(verdict, note=None)


TEAM = Address("team", "example.net")


@pytest.mark.parametrize(
    ("account", "sender", "blocked"),
    [
        (JOE, EVE, True),
        (JOE, ANN, False),
        (ANN, EVE, True),
        (ANN, BLOCKED, False),
        (BOB, EVE, False),
        (BOB, Address("other", "example.org"), True),
        (BOB, BLOCKED, True),
        (KIM, EVE, True),
        (KIM, BLOCKED, False),
        (LEA, EVE, False),
        (LEA, Address("other", "example.org"), False),
        (LEA, BLOCKED, False),
        (MAX, BLOCKED, True),
        (MAX, GOOD, True),
        (NIL, BLOCKED, False),
        (Address("nobody", "elsewhere.example"), EVE, True),
    ],
)
def test_the_nearest_to_the_owner_has_the_word(account: Address, sender: Address, blocked: bool) -> None:
    assert said(sender, to(account)) == (Refuse(SENDER_BLOCKED) if blocked else Accept())
    assert (SENDER_BLOCKED.code, SENDER_BLOCKED.enhanced) == (550, "5.7.1")


@pytest.mark.parametrize(
    ("sender", "route", "left_out"),
    [
        (EVE, to(ANN, BOB), (ANN,)),
        (EVE, to(JOE, ANN, BOB, LEA), (JOE, ANN)),
        (BLOCKED, to(ANN, MAX, remotes=(EVE,)), (EVE, MAX)),
        (Address("ann", "example.com"), to(JOE, ANN, BOB), ()),
    ],
)
def test_the_others_have_their_copies(sender: Address, route: Route, left_out: tuple[Address, ...]) -> None:
    assert said(sender, route) == Accept(left_out=left_out)
    left = route.without(left_out)
    assert len(left.copies) + len(left.remotes) == len(route.copies) + len(route.remotes) - len(left_out)


FAR = Address("far", "elsewhere.example")
OTHER_OF_ORG = Address("other", "example.org")


@pytest.mark.parametrize(
    ("sender", "route", "verdict"),
    [
        (EVE, attrs.evolve(to(BOB), forwarders={BOB: (ANN,)}), Refuse(SENDER_BLOCKED)),
        (EVE, attrs.evolve(to(BOB), forwarders={BOB: (LEA,)}), Accept()),
        (BLOCKED, attrs.evolve(to(JOE, remotes=(FAR,)), forwarders={FAR: (ANN,)}), Accept(left_out=(JOE,))),
        (BLOCKED, attrs.evolve(to(JOE, remotes=(FAR,)), forwarders={FAR: (MAX,)}), Refuse(SENDER_BLOCKED)),
        (BLOCKED, attrs.evolve(to(remotes=(FAR,)), forwarders={FAR: (ANN, MAX)}), Refuse(SENDER_BLOCKED)),
        (
            OTHER_OF_ORG,
            attrs.evolve(to(JOE, remotes=(FAR,)), forwarders={FAR: (BOB,)}),
            Accept(left_out=(FAR,)),
        ),
    ],
)
def test_what_an_account_does_not_take_it_does_not_forward(
    sender: Address, route: Route, verdict: Verdict
) -> None:
    assert said(sender, route) == verdict


def test_one_account_leads_to_several() -> None:
    route = to(remotes=(FAR, EVE))
    forwarders = {FAR: (BOB,), EVE: (BOB,)}
    assert said(OTHER_OF_ORG, attrs.evolve(route, forwarders=forwarders)) == Refuse(SENDER_BLOCKED)


def test_who_forwards_to_nobody_any_more_has_no_say() -> None:
    route = attrs.evolve(to(JOE, remotes=(FAR,)), forwarders={FAR: (BOB,)})
    assert route.without((FAR,)).forwarders == {}
    assert route.without((JOE,)).forwarders == {FAR: (BOB,)}


def test_the_log_hears_of_it() -> None:
    many = tuple(Address(f"a{number}", "example.net") for number in range(6))
    verdict = judge(RULE, without(at_recipient(TEAM, to(ANN, *many), STRANGER), sender=BLOCKED))
    assert isinstance(verdict, Accept)
    named = " ".join(map(str, many[:5]))
    fields = (("sender", BLOCKED), ("recipient", TEAM), ("accounts", named), ("count", 6))
    assert verdict.note == Note("senders.left_out", fields, "info")


@pytest.mark.parametrize(
    "route", [to(JOE, MAX), to(JOE, remotes=(EVE,)), to(), Route(RouteKind.UNKNOWN), remote(EVE)]
)
def test_where_nobody_is_left_the_sender_hears_it(route: Route) -> None:
    assert said(BLOCKED, route) == Refuse(SENDER_BLOCKED)


def test_who_is_never_blocked() -> None:
    assert said(None, to(JOE)) == Accept(), "notices come from nobody"
    assert said(EVE, to(JOE), connection("submission", JOE)) == Accept()
    assert said(ANN, Route(RouteKind.UNKNOWN)) == Accept()
    assert said(EVE, None) == Accept()
    for stage in set(Stage) - {Stage.RECIPIENT}:
        assert judge(RULE, StageFacts(stage, STRANGER, EVE, route=to(JOE))) == Accept()


def test_a_door_without_lists() -> None:
    rule = BlockedSenders(DIRECTORY, Doors())
    lmtp = connection("lmtp", None)
    for account, verdict in ((JOE, Accept()), (ANN, Refuse(SENDER_BLOCKED)), (KIM, Refuse(SENDER_BLOCKED))):
        assert judge(rule, without(at_recipient(account, to(account), lmtp), sender=EVE)) == verdict


def test_others_are_served_between_many_accounts() -> None:
    turns = []

    async def turn() -> None:
        turns.append(len(turns))

    many = to(*(Address(f"a{number}", "example.net") for number in range(2 * STEPS_IN_A_ROW)))
    rule = BlockedSenders(DIRECTORY, Doors(), RULES, turn)
    assert judge(rule, without(at_recipient(TEAM, many, STRANGER), sender=ANN)) == Accept()
    assert turns == [0, 1]


def test_all_files_are_named_once() -> None:
    assert SenderRules((), (FILE, OTHER), (), (OTHER,)).files == (FILE, OTHER)
