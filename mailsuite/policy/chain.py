"""Several rules asked as one, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import Accept, ConnectionFacts, Note, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import INTERNAL_ERROR
from mailsuite.observe.log import Log


@implementer(IPolicyRule)
@attrs.frozen
class Chain:
    """Accepts what every rule accepts; the first refusal is the verdict, and later rules are not asked.
    Neither are those that have nothing to say at a stage.

    Fails closed: a rule that cannot judge refuses, with the reply of its MailFailure, or temporarily
    (451 4.3.0) and with a traceback in the log where something unforeseen escaped from it.

    Where a rule takes another for the sender, the next rules are told of that one, and so is who asked; where
    it leaves accounts out, the next know nothing of them. Of several limits the lowest holds; one rule that
    vouches for who asks is enough.
    Notes go into the log here, and no further.
    """

    rules: Sequence[IPolicyRule]
    log: Log
    name: str = "chain"
    _by_stage: Mapping[Stage, tuple[IPolicyRule, ...]] = attrs.field(init=False, repr=False)

    @_by_stage.default
    def _sorted_by_stage(self) -> Mapping[Stage, tuple[IPolicyRule, ...]]:
        return {stage: tuple(rule for rule in self.rules if stage in rule.asked_at) for stage in Stage}

    @property
    def asked_at(self) -> frozenset[Stage]:
        """Where any of them has something to say."""
        return frozenset(stage for stage, rules in self._by_stage.items() if rules)

    async def check(self, facts: StageFacts) -> Verdict:
        total = Accept()
        for rule in self._by_stage[facts.stage]:
            try:
                verdict = await rule.check(facts)
            except CancelledError:
                raise  # the session is over: nobody waits for a verdict
            except Exception as error:
                return self._unable(rule, facts, error)
            if isinstance(verdict, (Accept, Refuse)) and verdict.note is not None:
                verdict = self._noted(facts.connection, verdict, verdict.note)
            if not isinstance(verdict, Accept):
                return verdict
            total = _both(total, verdict)
            facts = _as_told(facts, verdict)
        return total

    def _unable(self, rule: IPolicyRule, facts: StageFacts, error: Exception) -> Refuse:
        if isinstance(error, MailFailure):
            return Refuse(error.reply)
        session = facts.connection.session
        self.log.failure(
            "policy.rule_failed", Failure(error), session=session, rule=rule.name, stage=facts.stage.value
        )
        return Refuse(INTERNAL_ERROR)

    def _noted(self, connection: ConnectionFacts, verdict: Verdict, note: Note) -> Verdict:
        fields = {"session": connection.session, "peer": connection.peer, **dict(note.fields)}
        write = self.log.info if note.level == "info" else self.log.warning
        write(note.event, **fields)
        return attrs.evolve(verdict, note=None)


def _both(before: Accept, verdict: Accept) -> Accept:
    limits = [each for each in (before.max_message, verdict.max_message) if each is not None]
    return Accept(
        before.sender if verdict.sender is None else verdict.sender,
        max_message=min(limits, default=None),
        left_out=(*before.left_out, *verdict.left_out),
        vouched=before.vouched or verdict.vouched,
    )


def _as_told(facts: StageFacts, verdict: Accept) -> StageFacts:
    """What the next rules are to know."""
    if verdict.sender is not None and facts.stage is Stage.MAIL:
        facts = attrs.evolve(facts, sender=verdict.sender)
    if verdict.left_out and facts.route is not None:
        facts = attrs.evolve(facts, route=facts.route.without(verdict.left_out))
    return facts
