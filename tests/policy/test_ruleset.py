"""The rules of a door together: their order, and that what is counted is what was let pass."""

from __future__ import annotations

from pathlib import Path

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.config.load import load
from mailsuite.config.schema import Config, Smtp, Submission
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.interfaces import IPolicyRule
from mailsuite.model.account import Account
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.reply import (
    ACCOUNT_RATE_EXCEEDED,
    AUTHENTICATION_REQUIRED,
    DISK_FULL,
    MESSAGE_RATE_EXCEEDED,
    NO_REMOTE_DELIVERY,
    RECIPIENT_RATE_EXCEEDED,
    RELAYING_DENIED,
    SENDER_BLOCKED,
    SENDER_NOT_YOURS,
    TOO_MANY_UNKNOWN,
    UNKNOWN_RECIPIENT,
)
from mailsuite.model.sender_list import SenderList
from mailsuite.observe.log import Log
from mailsuite.policy.chain import Chain
from mailsuite.policy.ruleset import Grounds, Tallies, rules_for
from mailsuite.policy.sender_lists import SenderRules, compiled
from tests.contracts.policy_rule import PolicyRuleContract, every_case
from tests.policy.asking import (
    ANN,
    EVE,
    JOE,
    LOCAL,
    UNKNOWN,
    at_header,
    at_mail,
    at_recipient,
    connection,
    judge,
    refusal,
    remote,
    without,
)


class Written:
    """Lists as the settings have them, without files."""

    def list_of(self, rules: SenderRules) -> SenderList:
        return compiled(rules, {})


def grounds(clock: Clock, sends: bool = False) -> Grounds:
    return Grounds(
        MemoryDirectory([Account(JOE), Account(ANN)]),
        Tallies.by(clock.seconds),
        Written(),
        lambda peer, reason, detail: None,
        clock,
        "mail.example.net",
        sends=sends,
    )


@implementer(IPolicyRule)
@attrs.define
class Full:
    """A rule of somebody else."""

    full: bool = True
    name: str = "full"
    asked_at: frozenset[Stage] = frozenset({Stage.RECIPIENT})

    async def check(self, facts: StageFacts) -> Verdict:
        return Refuse(DISK_FULL) if self.full and facts.stage is Stage.RECIPIENT else Accept()


def config(tmp_path: Path, text: str = "") -> Config:
    file = tmp_path / "mailsuite.toml"
    file.write_text(f'[server]\nname = "mail.example.net"\n{text}')
    return load(file, {}).accepted()


SMTP = """
[smtp]
relay = "addresses"
relay_networks = ["192.0.2.128/25"]
messages_per_address = "2/1m"
recipients_per_address = "2/1m"
unknown_recipients_close = 2
block_senders = ["eve@example.org"]
[submission]
rate_per_account = "2/1h"
relay_networks = ["192.0.2.128/25"]
"""


def test_by_lmtp_nothing_is_for_elsewhere_and_nobody_is_counted(tmp_path: Path) -> None:
    chain = Chain(rules_for(config(tmp_path, SMTP).lmtp, grounds(Clock(), sends=True), (Full(),)), Log())
    who = connection("lmtp", None, "192.0.2.200")
    assert [refusal(chain, at_mail(EVE, who)) for _ in range(5)] == [None] * 5
    assert refusal(chain, at_recipient(EVE, remote(EVE), who)) == RELAYING_DENIED
    assert refusal(chain, at_recipient(ANN, UNKNOWN, who)) == UNKNOWN_RECIPIENT
    assert refusal(chain, at_recipient(ANN, LOCAL, who)) == DISK_FULL


def test_mail_from_elsewhere(tmp_path: Path) -> None:
    chain = Chain(rules_for(config(tmp_path, SMTP).smtp, grounds(Clock())), Log())
    who, listed = connection("smtp", None), connection("smtp", None, "192.0.2.200")
    from_eve = without(at_recipient(ANN, UNKNOWN, who), sender=EVE)
    assert [refusal(chain, from_eve) for _ in range(5)] == [SENDER_BLOCKED] * 5
    assert [refusal(chain, at_mail(ANN, who)) for _ in range(3)] == [None, None, MESSAGE_RATE_EXCEEDED]
    assert [refusal(chain, at_recipient(EVE, remote(EVE), who)) for _ in range(5)] == [RELAYING_DENIED] * 5
    unknown = at_recipient(ANN, UNKNOWN, who)
    assert [refusal(chain, unknown) for _ in range(3)] == [UNKNOWN_RECIPIENT] * 2 + [TOO_MANY_UNKNOWN]
    local = at_recipient(ANN, LOCAL, who)
    assert [refusal(chain, local) for _ in range(3)] == [None, None, RECIPIENT_RATE_EXCEEDED]
    assert refusal(chain, at_recipient(EVE, remote(EVE), listed)) == NO_REMOTE_DELIVERY


def test_mail_of_users(tmp_path: Path) -> None:
    full = Full()
    chain = Chain(rules_for(config(tmp_path, SMTP).submission, grounds(Clock()), [full]), Log())
    assert refusal(chain, at_mail(JOE, connection(account=None))) == AUTHENTICATION_REQUIRED
    assert refusal(chain, at_mail(JOE, connection(account=None, peer="192.0.2.200"))) is None
    assert refusal(chain, at_mail(ANN)) == SENDER_NOT_YOURS
    assert judge(chain, at_mail(JOE)) == Accept()
    assert [refusal(chain, at_recipient(ANN, LOCAL)) for _ in range(5)] == [DISK_FULL] * 5
    full.full = False
    assert [refusal(chain, at_recipient(ANN, LOCAL)) for _ in range(3)] == [None, None, ACCOUNT_RATE_EXCEEDED]
    assert refusal(chain, at_recipient(EVE, remote(EVE))) == NO_REMOTE_DELIVERY
    gone = connection(device="gone")
    assert refusal(chain, at_mail(JOE, gone)) == AUTHENTICATION_REQUIRED


def test_where_mail_is_sent_nobody_is_told_otherwise(tmp_path: Path) -> None:
    for settings, who in (
        (config(tmp_path, SMTP).submission, connection()),
        (config(tmp_path, SMTP).smtp, connection("smtp", None, "192.0.2.200")),
    ):
        chain = Chain(rules_for(settings, grounds(Clock(), sends=True)), Log())
        assert refusal(chain, at_recipient(EVE, remote(EVE), who)) is None


def test_two_doors_count_together(tmp_path: Path) -> None:
    settings, here = config(tmp_path, SMTP).submission, grounds(Clock())
    one, other = (Chain(rules_for(settings, here), Log()) for _ in range(2))
    facts = at_recipient(ANN, LOCAL)
    assert [refusal(chain, facts) for chain in (one, other, one)] == [None, None, ACCOUNT_RATE_EXCEEDED]


def test_mode_fix_is_told_to_who_asks_and_to_the_log(tmp_path: Path) -> None:
    lines: list[str] = []
    text = '[submission]\nsender_must_match = "fix"\n'
    chain = Chain(
        rules_for(config(tmp_path, text).submission, grounds(Clock())),
        Log(lambda line, level: lines.append(line)),
    )
    assert judge(chain, at_mail(ANN)) == Accept(JOE)
    assert judge(chain, at_header(ANN)) == Accept(JOE)
    assert [line.count("submission.foreign_sender") for line in lines] == [1, 1]


def test_no_rule_keeps_quiet_about_when_it_is_asked(tmp_path: Path) -> None:
    read = config(tmp_path, SMTP)
    rules = [rule for door in (read.smtp, read.submission) for rule in rules_for(door, grounds(Clock()))]
    silent = [(rule, facts) for rule in rules for facts in every_case() if facts.stage not in rule.asked_at]
    assert len(silent) > len(rules)
    assert all(judge(rule, facts) == Accept() for rule, facts in silent)


class _OfDoor(PolicyRuleContract):
    settings: Smtp | Submission

    def rule(self) -> IPolicyRule:
        return Chain(rules_for(self.settings, grounds(Clock())), Log())


class SmtpRulesContractTests(_OfDoor, SynchronousTestCase):
    settings = load(None, {}).accepted().smtp


class SubmissionRulesContractTests(_OfDoor, SynchronousTestCase):
    settings = load(None, {}).accepted().submission
