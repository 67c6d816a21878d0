"""A password for a printer: one sender, few recipients (row U-10)."""

from __future__ import annotations

import pytest

from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.device import Device, Scope
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts
from mailsuite.model.reply import (
    AUTHENTICATION_REQUIRED,
    FROM_NOT_YOURS,
    INTERNAL_ERROR,
    RECIPIENT_NOT_LISTED,
    SENDER_FIXED,
    Reply,
)
from mailsuite.policy.credential import Credential
from tests.policy.asking import (
    ANN,
    BOB,
    EVE,
    JOE,
    LOCAL,
    address,
    at_header,
    at_mail,
    at_recipient,
    connection,
    judge,
    now,
    refusal,
)

PRINTER = address("joe+printer@example.net")
SUBMIT = frozenset({Scope.SUBMISSION})


def device(id: str, sender: Address | None = None, *recipients: str) -> Device:
    return Device(id, id, b"sealed", SUBMIT, sender=sender, recipients=tuple(map(address, recipients)))


DIRECTORY = MemoryDirectory(
    [Account(JOE), Account(ANN)],
    initial_devices={
        JOE: [
            device("printer", PRINTER, "ann@example.net", "*@office.example"),
            device("phone"),
            device("lists", None, "bob@example.net"),
        ],
        ANN: [device("scanner")],
    },
)
RULE = Credential(DIRECTORY)
BY_PRINTER = connection(device="printer")


@pytest.mark.parametrize(
    ("sender", "reply"),
    [
        (PRINTER, None),
        (Address("Joe+PRINTER", "example.net"), None),
        (JOE, SENDER_FIXED),
        (address("joe+printer2@example.net"), SENDER_FIXED),
        (EVE, SENDER_FIXED),
        (None, SENDER_FIXED),
    ],
)
def test_the_fixed_sender(sender: Address | None, reply: Reply | None) -> None:
    assert refusal(RULE, at_mail(sender, BY_PRINTER)) == reply
    for id in ("phone", "lists"):
        assert refusal(RULE, at_mail(sender, connection(device=id))) is None


@pytest.mark.parametrize(
    ("authors", "sender", "broken", "reply"),
    [
        ((PRINTER,), (), False, None),
        ((Address("JOE+printer", "example.net"),), (PRINTER,), False, None),
        ((), (), False, None),
        ((JOE,), (), False, FROM_NOT_YOURS),
        ((PRINTER, JOE), (), False, FROM_NOT_YOURS),
        ((PRINTER,), (JOE,), False, FROM_NOT_YOURS),
        ((PRINTER,), (), True, FROM_NOT_YOURS),
    ],
)
def test_the_fixed_from(
    authors: tuple[Address, ...], sender: tuple[Address, ...], broken: bool, reply: Reply | None
) -> None:
    assert refusal(RULE, at_header(*authors, sender=sender, broken=broken, who=BY_PRINTER)) == reply
    free = at_header(*authors, sender=sender, broken=broken, who=connection(device="phone"))
    assert refusal(RULE, free) is None


@pytest.mark.parametrize(
    ("id", "recipient", "reply"),
    [
        ("printer", ANN, None),
        ("printer", Address("ANN", "example.net"), None),
        ("printer", address("anybody@office.example"), None),
        ("printer", address("*@office.example"), None),
        ("printer", address("anybody@sub.office.example"), RECIPIENT_NOT_LISTED),
        ("printer", BOB, RECIPIENT_NOT_LISTED),
        ("printer", address("ann+tag@example.net"), RECIPIENT_NOT_LISTED),
        ("printer", EVE, RECIPIENT_NOT_LISTED),
        ("lists", BOB, None),
        ("lists", ANN, RECIPIENT_NOT_LISTED),
        ("phone", EVE, None),
    ],
)
def test_the_list_of_recipients(id: str, recipient: Address, reply: Reply | None) -> None:
    assert refusal(RULE, at_recipient(recipient, LOCAL, connection(device=id))) == reply


@pytest.mark.parametrize("facts", [at_mail(PRINTER), at_recipient(ANN, LOCAL), at_header(PRINTER)])
def test_a_password_that_is_gone_sends_no_more(facts: StageFacts) -> None:
    for id in ("gone", "scanner"):
        who = connection(device=id)
        asked = StageFacts(facts.stage, who, facts.sender, facts.recipient, facts.route, facts.header)
        assert judge(RULE, asked) == Refuse(AUTHENTICATION_REQUIRED)


def test_what_changes_counts_at_once() -> None:
    where = MemoryDirectory([Account(JOE)], initial_devices={JOE: [device("phone")]})
    rule, facts = Credential(where), at_recipient(EVE, LOCAL, connection(device="phone"))
    assert refusal(rule, facts) is None
    now(where.change_device(JOE, device("phone", None, "ann@example.net")))
    assert refusal(rule, facts) == RECIPIENT_NOT_LISTED
    now(where.remove_device(JOE, "phone"))
    assert refusal(rule, facts) == AUTHENTICATION_REQUIRED


def test_nobody_elses_business() -> None:
    for who in (connection(), connection("smtp", None), connection(account=None, device="printer")):
        assert judge(RULE, at_mail(EVE, who)) == Accept()
        assert judge(RULE, at_recipient(EVE, LOCAL, who)) == Accept()
    assert judge(RULE, StageFacts(Stage.HELLO, connection(device="gone"))) == Accept()


def test_a_stage_without_its_facts_fails_closed() -> None:
    for stage in (Stage.RECIPIENT, Stage.HEADER):
        assert judge(RULE, StageFacts(stage, BY_PRINTER, PRINTER)) == Refuse(INTERNAL_ERROR)
