"""How a session's claims are judged, as a reception is given it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.facts import ConnectionFacts
from mailsuite.wire.sasl.steps import Claim, ScramParameters, ScramQuestion


class Grant(Protocol):
    """Who it is, and by what: accounts/attempt.py's Granted."""

    @property
    def account(self) -> Address: ...

    @property
    def device(self) -> Device | None: ...

    @property
    def signature(self) -> bytes: ...


Login = Callable[[Claim, ConnectionFacts], Awaitable[Grant]]
"""Answers whose claim it is. Raises UnauthorizedLogin, or MailFailure where that cannot be known now."""
Scram = Callable[[ScramQuestion, ConnectionFacts], Awaitable[ScramParameters]]
"""Answers for any name. Raises MailFailure where that cannot be known now."""
