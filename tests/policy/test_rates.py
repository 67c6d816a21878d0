"""So many recipients of an account, so many messages and recipients from an address, and then 4xx."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from mailsuite.model.facts import Accept, Note, Refuse, Stage, StageFacts
from mailsuite.model.rate import Rate
from mailsuite.model.reply import ACCOUNT_RATE_EXCEEDED, MESSAGE_RATE_EXCEEDED, RECIPIENT_RATE_EXCEEDED, Reply
from mailsuite.policy.rates import AccountRate, AddressRate
from mailsuite.policy.tally import SLICES, Tally
from tests.policy.asking import (
    ANN,
    BOB,
    JOE,
    LOCAL,
    at_header,
    at_mail,
    at_recipient,
    connection,
    judge,
    refusal,
)

HOUR = Rate(3, 3600.0)


def world() -> tuple[Clock, Tally]:
    clock = Clock()
    return clock, Tally(clock.seconds)


def test_the_codes() -> None:
    """RFC 5321 section 4.3.2 knows 450 after RCPT, and 451 after MAIL."""
    found = {(reply.code, reply.enhanced) for reply in (ACCOUNT_RATE_EXCEEDED, RECIPIENT_RATE_EXCEEDED)}
    assert found == {(450, "4.7.1")}
    assert (MESSAGE_RATE_EXCEEDED.code, MESSAGE_RATE_EXCEEDED.enhanced) == (451, "4.7.1")


def test_an_account_sends_to_so_many() -> None:
    clock, tally = world()
    rule = AccountRate(tally, HOUR)
    facts = at_recipient(ANN, LOCAL)
    assert [judge(rule, facts) for _ in range(3)] == [Accept()] * 3
    fields = (("account", JOE), ("recipients", 3), ("seconds", 3600.0))
    assert judge(rule, facts) == Refuse(ACCOUNT_RATE_EXCEEDED, Note("submission.rate_exceeded", fields))
    assert judge(rule, facts) == Refuse(ACCOUNT_RATE_EXCEEDED), "told once"
    assert refusal(rule, at_recipient(ANN, LOCAL, connection(account=BOB))) is None
    clock.advance(3600.0 + 3600.0 / SLICES)
    assert refusal(rule, facts) is None


def test_all_sessions_of_an_account_count_together() -> None:
    _, tally = world()
    for session in ("s1", "s2", "s3"):
        facts = at_recipient(ANN, LOCAL, connection(session=session, peer=f"192.0.2.{session[1]}"))
        assert refusal(AccountRate(tally, HOUR), facts) is None
    assert refusal(AccountRate(tally, HOUR), at_recipient(ANN, LOCAL)) == ACCOUNT_RATE_EXCEEDED


@pytest.mark.parametrize(
    "facts",
    [
        at_mail(JOE),
        at_header(JOE),
        StageFacts(Stage.HELLO, connection()),
        at_recipient(ANN, LOCAL, connection("smtp", None)),
    ],
)
def test_recipients_of_accounts_alone_are_counted(facts: StageFacts) -> None:
    _, tally = world()
    for _ in range(10):
        assert judge(AccountRate(tally, Rate(1, 60.0)), facts) == Accept()
    assert len(tally) == 0


def test_zero_is_no_limit() -> None:
    _, tally = world()
    for facts in (at_mail(JOE), at_recipient(ANN, LOCAL)):
        for rule in (AccountRate(tally), AddressRate(tally, tally)):
            assert all(judge(rule, facts) == Accept() for _ in range(1000))
    assert len(tally) == 0


@pytest.mark.parametrize(
    ("stage", "reply"), [(Stage.MAIL, MESSAGE_RATE_EXCEEDED), (Stage.RECIPIENT, RECIPIENT_RATE_EXCEEDED)]
)
def test_an_address_sends_so_much(stage: Stage, reply: Reply) -> None:
    clock = Clock()
    rule = AddressRate(Tally(clock.seconds), Tally(clock.seconds), HOUR, HOUR)

    def asked(peer: str) -> Reply | None:
        return refusal(rule, StageFacts(stage, connection("smtp", None, peer), None, ANN, LOCAL))

    assert [asked("192.0.2.1") for _ in range(3)] == [None] * 3
    assert asked("::ffff:192.0.2.1") == reply
    assert asked("192.0.2.2") is None
    assert [asked(f"2001:db8::{n}") for n in range(1, 5)] == [None, None, None, reply], "a /64 is one"
    assert asked("2001:db8:0:1::1") is None
    clock.advance(3600.0 + 3600.0 / SLICES)
    assert asked("192.0.2.1") is None


def test_it_is_told_once() -> None:
    _, tally = world()
    rule = AddressRate(tally, tally, Rate(1, 60.0))
    verdicts = [judge(rule, at_mail(None, connection("smtp", None))) for _ in range(3)]
    notes = [verdict.note for verdict in verdicts]
    assert notes[0] is None
    assert notes[1] is not None
    assert notes[1].event == "smtp.rate_exceeded"
    assert ("stage", "mail") in notes[1].fields
    assert notes[2] is None


def test_messages_and_recipients_are_two_things() -> None:
    clock = Clock()
    rule = AddressRate(Tally(clock.seconds), Tally(clock.seconds), Rate(1, 60.0), Rate(2, 60.0))
    who = connection("smtp", None)
    assert refusal(rule, at_mail(None, who)) is None
    assert [refusal(rule, at_recipient(ANN, LOCAL, who)) for _ in range(2)] == [None, None]
    assert refusal(rule, at_mail(None, who)) == MESSAGE_RATE_EXCEEDED
    assert refusal(rule, at_recipient(ANN, LOCAL, who)) == RECIPIENT_RATE_EXCEEDED
    assert refusal(rule, at_header(JOE, who=who)) is None
