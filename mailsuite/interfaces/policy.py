"""What decides, and what it remembers."""

from __future__ import annotations

from zope.interface import Attribute, Interface

from mailsuite.model.ban import Ban
from mailsuite.model.device import IPNetwork
from mailsuite.model.facts import Stage, StageFacts, Verdict


class IBans(Interface):
    """Which addresses nobody talks to. Survives a restart, but for those that last until then."""

    async def bans() -> tuple[Ban, ...]:
        """All that are kept, those that have ended meanwhile too (they count for the next time)."""

    async def keep(ban: Ban) -> None:
        """Keep a ban in the place of any other of the same network."""

    async def drop(network: IPNetwork) -> bool:
        """Forget the ban of exactly this network; False where there is none."""


class IPolicyRule(Interface):
    """Facts in, verdict out. No side effects, but for rules that count what they have let pass."""

    name: str = Attribute("As in the log.")
    asked_at: frozenset[Stage] = Attribute(
        "The stages at which it may have anything to say. At all others it accepts, and need not be asked."
    )

    async def check(facts: StageFacts) -> Verdict:
        """Judge one stage of one transaction. What it says beside that is in the verdict: whom to take for
        the sender, and a note for the log, which whoever asks writes."""
