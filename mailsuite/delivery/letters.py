"""How a listener makes messages into letters: what it takes, and what it writes into them."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from mailsuite.delivery import trace
from mailsuite.delivery.envelope import Envelope
from mailsuite.delivery.header import HeaderFilter, HeaderLimits
from mailsuite.delivery.header_results import OwnResults
from mailsuite.delivery.letterhead import Letterhead
from mailsuite.model.facts import ConnectionFacts, Copy

SUBMISSION = "submission"


@attrs.frozen
class Letter:
    """What belongs to one message."""

    filter: HeaderFilter
    trace: bytes
    """What stands in front of it for everybody."""
    head: Callable[[Copy], bytes]
    """All that stands in front of it in a copy."""
    archived: Callable[[Copy], bytes]
    """The same in the copy of an archive, which nobody has named."""


@attrs.frozen
class Letters:
    """What all messages of a listener have in common."""

    hostname: str
    own_results: OwnResults
    limits: HeaderLimits = attrs.field(factory=HeaderLimits)
    hide_client: bool = False
    show_login: bool = False

    @classmethod
    def of(cls, hostname: str) -> Letters:
        """With the usual limits."""
        return cls(hostname, OwnResults.of(hostname))

    def begin(self, facts: ConnectionFacts, envelope: Envelope, id: str, seconds: float) -> Letter:
        """The message *id*, which comes now, in *seconds* since the epoch."""
        submitted = facts.service == SUBMISSION
        author = envelope.sender or facts.account
        letterhead = Letterhead(author, self.hostname, seconds) if submitted else None
        stamp = trace.Stamp(
            self.hostname,
            facts,
            id,
            seconds,
            envelope.single,
            smtputf8=envelope.mail.smtputf8,
            hide_client=self.hide_client,
            show_account=self.show_login,
        )
        before, after = (
            trace.return_path(envelope.sender),
            trace.authentication_results(stamp) + trace.received(stamp),
        )

        def head(copy: Copy) -> bytes:
            original = trace.original_to(envelope.named(copy), copy.account)
            return before + original + trace.delivered_to(copy.recipient) + after

        def archived(copy: Copy) -> bytes:
            return before + trace.delivered_to(copy.recipient) + after

        return Letter(
            HeaderFilter(self.own_results, self.limits, letterhead, holds=True), after, head, archived
        )
