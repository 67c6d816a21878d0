"""In whose name mail is submitted, in the envelope and in the header, in each mode (row U-03)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from mailsuite.config.kinds_relaying import SenderMode
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.facts import Accept, Note, Refuse, Stage, StageFacts
from mailsuite.model.reply import AUTHENTICATION_REQUIRED, FROM_NOT_YOURS, INTERNAL_ERROR, SENDER_NOT_YOURS
from mailsuite.policy.ownership import Ownership
from mailsuite.policy.relaying import RelayRules
from mailsuite.policy.sender import Sender
from tests.policy.asking import ANN, EVE, JOE, address, at_header, at_mail, connection, judge, refusal

INFO = address("info@example.net")
TAGGED = address("joe+list@example.net")
OWNS = Ownership(MemoryDirectory([Account(JOE), Account(ANN)], initial_aliases=[Alias(INFO, (JOE,))])).owns

NOT_JOE = [
    ANN,
    EVE,
    Address("joe", "example.org"),
    Address("joe", "[127.0.0.1]"),
    Address("joe", ""),
    Address("joe ", "example.net"),
    Address("j\u043ee", "example.net"),
]
SERVICES = ["submission", "submissions", "SMTP", ""]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RECIPIENT, Stage.HEADER])
@pytest.mark.parametrize("sender", [JOE, None, EVE])
@pytest.mark.parametrize("mode", ["off", "log", "fix", "reject"])
def test_without_a_login_nothing_is_submitted(
    service: str, stage: Stage, sender: Address | None, mode: SenderMode
) -> None:
    facts = StageFacts(stage, connection(service, None), sender)
    assert refusal(Sender(OWNS, mode), facts) == AUTHENTICATION_REQUIRED


def test_a_login_comes_after_the_hello() -> None:
    assert judge(Sender(OWNS), StageFacts(Stage.HELLO, connection("submission", None))) == Accept()


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_strangers_hand_in_mail_in_any_name(stage: Stage, service: str) -> None:
    assert judge(Sender(OWNS), StageFacts(stage, connection(service, None), JOE)) == Accept()


@pytest.mark.parametrize("rule", [Sender(), Sender(OWNS)])
@pytest.mark.parametrize("sender", [JOE, Address("JoE", "example.net"), None])
def test_the_own_address_and_none(rule: Sender, sender: Address | None) -> None:
    assert judge(rule, at_mail(sender)) == Accept()


@pytest.mark.parametrize("rule", [Sender(), Sender(OWNS)])
@pytest.mark.parametrize("sender", NOT_JOE)
def test_any_other_address(rule: Sender, sender: Address) -> None:
    assert judge(rule, at_mail(sender)) == Refuse(SENDER_NOT_YOURS)
    assert judge(rule, at_header(sender)) == Refuse(FROM_NOT_YOURS)
    assert judge(rule, at_header(JOE, sender)) == Refuse(FROM_NOT_YOURS)
    assert judge(rule, at_header(JOE, sender=(sender,))) == Refuse(FROM_NOT_YOURS)


@pytest.mark.parametrize("sender", [INFO, TAGGED])
def test_aliases_and_tags_are_the_accounts_where_the_directory_is_asked(sender: Address) -> None:
    for facts in (at_mail(sender), at_header(sender), at_header(sender, sender=(JOE,))):
        assert judge(Sender(OWNS), facts) == Accept()
    assert judge(Sender(), at_mail(sender)) == Refuse(SENDER_NOT_YOURS)


def test_a_receipt_has_no_sender_and_an_honest_from() -> None:
    """RFC 8098 section 2.1: the reverse-path of a disposition notification is null."""
    who = connection()
    assert judge(Sender(OWNS), at_mail(None, who)) == Accept()
    assert judge(Sender(OWNS), at_header(INFO, who=who)) == Accept()
    assert judge(Sender(OWNS), at_header(ANN, who=who)) == Refuse(FROM_NOT_YOURS)


def test_a_header_that_names_nobody_is_completed_elsewhere() -> None:
    assert judge(Sender(OWNS), at_header()) == Accept()


@pytest.mark.parametrize("mode", ["fix", "reject"])
def test_a_from_that_cannot_be_read(mode: SenderMode) -> None:
    assert judge(Sender(OWNS, mode), at_header(broken=True)) == Refuse(FROM_NOT_YOURS)
    assert judge(Sender(OWNS, mode), at_header(JOE, broken=True)) == Refuse(FROM_NOT_YOURS)


def test_a_stage_without_its_facts_fails_closed() -> None:
    assert judge(Sender(OWNS), StageFacts(Stage.HEADER, connection(), JOE)) == Refuse(INTERNAL_ERROR)


def note(where: str, sender: str, mode: SenderMode) -> Note:
    fields = (("account", JOE), ("where", where), ("sender", sender), ("mode", mode))
    return Note("submission.foreign_sender", fields)


def test_mode_log_tells_and_lets_pass() -> None:
    rule = Sender(OWNS, "log")
    assert judge(rule, at_mail(ANN)) == Accept(note=note("MAIL", "ann@example.net", "log"))
    both = at_header(JOE, ANN, sender=(EVE, ANN))
    assert judge(rule, both) == Accept(note=note("header", "ann@example.net eve@example.org", "log"))
    assert judge(rule, at_header(broken=True)) == Accept(note=note("header", "<>", "log"))
    for facts in (at_mail(JOE), at_mail(None), at_header(JOE), at_header(INFO)):
        assert judge(rule, facts) == Accept()


def test_mode_fix_says_who_it_was() -> None:
    rule = Sender(OWNS, "fix")
    assert judge(rule, at_mail(ANN)) == Accept(JOE, note("MAIL", "ann@example.net", "fix"))
    assert judge(rule, at_header(ANN)) == Accept(JOE, note("header", "ann@example.net", "fix"))
    for facts in (
        at_mail(JOE),
        at_mail(INFO),
        at_mail(None),
        at_header(JOE),
        at_header(TAGGED, sender=(INFO,)),
    ):
        assert judge(rule, facts) == Accept()


def test_mode_off_asks_for_the_login_alone() -> None:
    for facts in (
        at_mail(EVE),
        at_header(EVE),
        at_header(broken=True),
        StageFacts(Stage.HEADER, connection()),
    ):
        assert judge(Sender(OWNS, "off"), facts) == Accept()


def test_listed_hosts_need_no_login_and_have_no_name() -> None:
    rule = Sender(OWNS, relay=RelayRules("addresses", (ip_network("192.0.2.0/28"),)))
    for peer, reply in (
        ("192.0.2.1", None),
        ("::ffff:192.0.2.1", None),
        ("192.0.2.16", AUTHENTICATION_REQUIRED),
    ):
        for stage in (Stage.MAIL, Stage.RECIPIENT, Stage.HEADER):
            assert refusal(rule, StageFacts(stage, connection(account=None, peer=peer), EVE)) == reply
    assert refusal(rule, at_mail(ANN, connection(peer="192.0.2.1"))) == SENDER_NOT_YOURS
    assert refusal(rule, at_mail(ANN, connection("other", None))) == AUTHENTICATION_REQUIRED
