"""Several rules asked as one, in order."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import INTERNAL_ERROR
from mailsuite.observe.log import Log


@implementer(IPolicyRule)
@attrs.frozen
class Chain:
    """Accepts what every rule accepts; the first refusal is the verdict, and later rules are not asked.

    Fails closed: a rule that cannot judge refuses, with the reply of its MailFailure, or temporarily
    (451 4.3.0) and with a traceback in the log where something unforeseen escaped from it.

    Where a rule takes another for the sender, the next rules are told of that one, and so is who asked.
    Notes go into the log here, and no further.
    """

    rules: Sequence[IPolicyRule]
    log: Log
    name: str = "chain"

    async def check(self, facts: StageFacts) -> Verdict:
        sender: Address | None = None
        for rule in self.rules:
            verdict = await self._ask(rule, facts)
            if not isinstance(verdict, Accept):
                return verdict
            if verdict.sender is not None:
                sender = verdict.sender
                if facts.stage is Stage.MAIL:
                    facts = attrs.evolve(facts, sender=sender)
        return Accept(sender)

    async def _ask(self, rule: IPolicyRule, facts: StageFacts) -> Verdict:
        try:
            verdict = await rule.check(facts)
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
        if isinstance(verdict, Accept | Refuse) and verdict.note is not None:
            connection, note = facts.connection, verdict.note
            fields = {"session": connection.session, "peer": connection.peer, **dict(note.fields)}
            self.log.warning(note.event, **fields)
            return attrs.evolve(verdict, note=None)
        return verdict
