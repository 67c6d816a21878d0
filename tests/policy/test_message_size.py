"""How large a message may be: what SIZE promises, against the limits of who sends and who gets it."""

from __future__ import annotations

import pytest
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.memory import MemoryDirectory
from mailsuite.interfaces import IPolicyRule
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters
from mailsuite.model.facts import Accept, Copy, Refuse, Route, RouteKind, Stage, StageFacts
from mailsuite.model.reply import MESSAGE_TOO_BIG, SIZE_APART
from mailsuite.model.turns import STEPS_IN_A_ROW
from mailsuite.policy.message_size import MessageSize, Sizes
from tests.contracts.policy_rule import PolicyRuleContract, every_case
from tests.policy.asking import ANN, BOB, EVE, JOE, at_mail, at_recipient, connection, judge, remote, without

ZOE = Address("zoe", "small.example")
CEILING = 1000
DIRECTORY = MemoryDirectory(
    [
        Account(JOE, max_message=500),
        Account(ANN),
        Account(BOB, max_message=5000),
        Account(ZOE, max_message=400),
    ],
    [Domain("small.example", max_message=300)],
)
RULE = MessageSize(Sizes(DIRECTORY, CEILING))
STRANGER = connection("smtp", None)


def route(*accounts: Address) -> Route:
    return Route(RouteKind.LOCAL, tuple(Copy(account, account) for account in accounts))


def facts(
    *accounts: Address, size: int | None = None, before: int | None = None, service: str = "smtp"
) -> StageFacts:
    found = at_recipient(ANN, route(*accounts), connection(service, None))
    return without(found, mail=MailParameters(size=size), max_message=before)


def test_who_forwards_takes_no_more_than_who_keeps() -> None:
    forwarded = without(route(ANN), forwarders={ANN: (ZOE,)})
    assert judge(RULE, without(facts(ANN, size=300), route=forwarded)) == Accept(max_message=300)
    assert judge(RULE, without(facts(ANN, size=301), route=forwarded)) == Refuse(MESSAGE_TOO_BIG)


@pytest.mark.parametrize(
    ("account", "largest"),
    [(JOE, 500), (ANN, 1000), (BOB, 1000), (ZOE, 300), (Address("JOE", "example.net"), 500)],
)
def test_the_lowest_limit_holds(account: Address, largest: int) -> None:
    for size, verdict in (
        (largest, Accept()),
        (largest + 1, Refuse(MESSAGE_TOO_BIG)),
        (0, Accept()),
        (None, Accept()),
    ):
        mail = without(at_mail(JOE, connection(account=account)), mail=MailParameters(size=size))
        assert judge(RULE, mail) == verdict
    assert (MESSAGE_TOO_BIG.code, MESSAGE_TOO_BIG.enhanced) == (552, "5.3.4")


def test_a_stranger_may_send_what_the_door_takes() -> None:
    mail = without(at_mail(EVE, STRANGER), mail=MailParameters(size=CEILING))
    assert judge(RULE, mail) == Accept()


@pytest.mark.parametrize(
    ("accounts", "largest"),
    [((JOE,), 500), ((ANN,), 1000), ((ZOE,), 300), ((ANN, JOE), 500), ((JOE, ZOE, ANN), 300), ((), 1000)],
)
def test_what_is_promised_is_judged_by_all_who_get_it(accounts: tuple[Address, ...], largest: int) -> None:
    for before in (None, 300, 1000):
        assert judge(RULE, facts(*accounts, size=largest, before=before)) == Accept(max_message=largest)
        assert judge(RULE, facts(*accounts, size=largest + 1, before=before)) == Refuse(MESSAGE_TOO_BIG)


def test_the_sender_s_limit_holds_for_recipients_too() -> None:
    by_zoe = without(at_recipient(ANN, route(ANN), connection(account=ZOE)), mail=MailParameters())
    assert judge(RULE, by_zoe) == Accept(max_message=300)
    elsewhere = without(at_recipient(EVE, remote(EVE), connection(account=ZOE)), mail=MailParameters())
    assert judge(RULE, elsewhere) == Accept(max_message=300)


@pytest.mark.parametrize("size", [None, 0])
def test_without_a_promise_recipients_have_one_limit(size: int | None) -> None:
    assert judge(RULE, facts(JOE, size=size)) == Accept(max_message=500)
    assert judge(RULE, facts(JOE, size=size, before=500)) == Accept(max_message=500)
    for before in (300, 1000):
        assert judge(RULE, facts(JOE, size=size, before=before)) == Refuse(SIZE_APART)
    assert judge(RULE, facts(JOE, size=size, before=1000, service="lmtp")) == Accept(max_message=500)
    assert (SIZE_APART.code, SIZE_APART.enhanced) == (452, "4.5.3")


def test_what_leaves_has_a_limit_of_its_own() -> None:
    """By itself, and where an alias leads here and elsewhere."""
    rule = MessageSize(Sizes(DIRECTORY, CEILING), outbound=400)
    both = Route(RouteKind.LOCAL, (Copy(ANN, ANN),), remotes=(EVE,))
    for found, largest in ((remote(EVE), 400), (both, 400), (route(ANN), 1000), (route(ZOE), 300)):
        asked = without(at_recipient(ANN, found, STRANGER), mail=MailParameters(size=largest))
        assert judge(rule, asked) == Accept(max_message=largest)
        asked = without(asked, mail=MailParameters(size=largest + 1))
        assert judge(rule, asked) == Refuse(MESSAGE_TOO_BIG)


def test_it_has_no_say_elsewhere() -> None:
    assert judge(RULE, at_recipient(ANN, None)) == Accept()
    assert judge(RULE, StageFacts(Stage.HEADER, STRANGER)) == Accept()


def test_others_are_served_between_many_accounts() -> None:
    turns = []

    async def turn() -> None:
        turns.append(len(turns))

    accounts = tuple(Address(f"a{number}", "example.net") for number in range(2 * STEPS_IN_A_ROW))
    assert judge(MessageSize(Sizes(DIRECTORY, CEILING), turn), facts(*accounts)) == Accept(
        max_message=CEILING
    )
    assert turns == [0, 1]


class MessageSizeContract(PolicyRuleContract, SynchronousTestCase):
    def rule(self) -> IPolicyRule:
        return RULE

    def test_no_case_fails(self) -> None:
        for case in every_case():
            self.judge(case)
