"""Several rules asked as one, in order."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import Accept, Refuse, StageFacts, Verdict
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import INTERNAL_ERROR
from mailsuite.observe.log import Log


@implementer(IPolicyRule)
@attrs.frozen
class Chain:
    """Accepts what every rule accepts; the first refusal is the verdict, and later rules are not asked.

    Fails closed: a rule that cannot judge refuses, with the reply of its MailFailure, or temporarily
    (451 4.3.0) and with a traceback in the log where something unforeseen escaped from it.
    """

    rules: Sequence[IPolicyRule]
    log: Log
    name: str = "chain"

    async def check(self, facts: StageFacts) -> Verdict:
        for rule in self.rules:
            verdict = await self._ask(rule, facts)
            if not isinstance(verdict, Accept):
                return verdict
        return Accept()

    async def _ask(self, rule: IPolicyRule, facts: StageFacts) -> Verdict:
        try:
            return await rule.check(facts)
        except MailFailure as failure:
            return Refuse(failure.reply)
        except CancelledError:
            raise  # the session is over: nobody waits for a verdict
        except Exception:
            session = facts.connection.session
            self.log.failure(
                "policy.rule_failed", Failure(), session=session, rule=rule.name, stage=facts.stage.value
            )
            return Refuse(INTERNAL_ERROR)
