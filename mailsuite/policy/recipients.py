"""No mail for mailboxes that do not exist, or take none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import Accept, Refuse, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.reply import (
    CATCH_ALL_LIMITED,
    FORWARDING_LOOP,
    FORWARDING_STRANDED,
    INTERNAL_ERROR,
    MAILBOX_DISABLED,
    NOTICES_ALONE,
    UNKNOWN_RECIPIENT,
    Reply,
)

REFUSALS: Final[Mapping[RouteKind, Reply]] = {
    RouteKind.UNKNOWN: UNKNOWN_RECIPIENT,
    RouteKind.OFF: MAILBOX_DISABLED,
    RouteKind.LOOP: FORWARDING_LOOP,
    RouteKind.STRANDED: FORWARDING_STRANDED,
    RouteKind.LIMITED: CATCH_ALL_LIMITED,
}
"""What is said of routes that lead nowhere."""


@implementer(IPolicyRule)
@attrs.frozen
class Recipients:
    """Refuses, while the sender is still there to hear it, a recipient that no maildrop stands for.

    For good where somebody meant it so. Where mail is forwarded to nobody the mistake is ours, and can be
    mended while the sender waits (RFC 3463 section 3.5 wants loops told as temporary). Where a recipient
    stands for the sender of something forwarded only notices pass: whoever finds such an address relays
    nothing by it.
    """

    name: str = "recipients"
    asked_at: ClassVar = frozenset({Stage.RECIPIENT})

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.stage is not Stage.RECIPIENT:
            return Accept()
        if facts.route is None:
            return Refuse(INTERNAL_ERROR)
        if facts.route.returns and facts.sender is not None:
            return Refuse(NOTICES_ALONE)
        refusal = REFUSALS.get(facts.route.kind)
        return Accept() if refusal is None else Refuse(refusal)
