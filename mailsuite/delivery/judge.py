"""What the rules say in a session, what goes wrong in it, and what the log hears of either."""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.delivery.incoming import Incoming
from mailsuite.interfaces import IPolicyRule
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log


@attrs.frozen
class Judge:
    """Of one session."""

    _policy: IPolicyRule
    _log: Log

    async def verdict(self, facts: StageFacts) -> Verdict:
        """Ask policy. Where that fails it refuses."""
        try:
            verdict: Verdict = await self._policy.check(facts)
        except CancelledError:
            raise
        except Exception as error:
            return Refuse(self.no(error))
        return verdict

    async def header(self, incoming: Incoming, connection: ConnectionFacts) -> Reply | None:
        """Ask whether a message may go on, and let it; answers the refusal. Fails as writing does."""
        envelope = incoming.envelope
        facts = StageFacts(
            Stage.HEADER, connection, envelope.sender, header=incoming.header, mail=envelope.mail
        )
        verdict = await self.verdict(facts)
        if isinstance(verdict, Refuse):
            return self.refused(incoming, verdict.reply)
        circling = incoming.circling
        if circling and not (incoming.apart and len(circling) < len(envelope.copies)):
            return self.refused(incoming, replies.MAIL_LOOP)
        incoming.go_on(verdict.sender)
        return None

    def refused(self, incoming: Incoming, reply: Reply) -> Reply:
        """The header of the message speaks against it."""
        sender = shown(incoming.envelope.sender)
        self._log.info("smtp.message_refused", id=incoming.id, sender=sender, **codes(reply))
        return reply

    def no(self, error: Exception, **fields: object) -> Reply:
        """The reply to a failure: its own, or 451 4.3.0 and a traceback where nobody foresaw it."""
        if isinstance(error, MailFailure):
            self._log.warning("smtp.unable", **codes(error.reply), detail=error.detail, **fields)
            return error.reply
        self._log.failure("smtp.failed", Failure(error), **fields)
        return replies.INTERNAL_ERROR


def shown(sender: Address | None) -> str:
    """A reverse-path, for the log."""
    return str(sender) if sender is not None else "<>"


def codes(reply: Reply) -> dict[str, object]:
    """A reply, for the log."""
    return {"code": reply.code, "enhanced": reply.enhanced}
