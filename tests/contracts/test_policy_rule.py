"""Every rule under the contract of rules; a chain of rules is one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.interfaces import IPolicyRule
from mailsuite.observe.log import Log
from mailsuite.policy.chain import Chain
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying
from mailsuite.policy.sender import Sender
from tests.contracts.policy_rule import PolicyRuleContract


class RelayingContractTests(PolicyRuleContract, SynchronousTestCase):
    def rule(self) -> IPolicyRule:
        return Relaying()


class RecipientsContractTests(PolicyRuleContract, SynchronousTestCase):
    def rule(self) -> IPolicyRule:
        return Recipients()


class SenderContractTests(PolicyRuleContract, SynchronousTestCase):
    def rule(self) -> IPolicyRule:
        return Sender()


class ChainContractTests(PolicyRuleContract, SynchronousTestCase):
    def rule(self) -> IPolicyRule:
        return Chain((Relaying(), Recipients(), Sender()), Log())


class EmptyChainContractTests(PolicyRuleContract, SynchronousTestCase):
    def rule(self) -> IPolicyRule:
        return Chain((), Log())
