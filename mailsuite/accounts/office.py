"""All that can be done by those who look after accounts: what the control API and the command line ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from mailsuite.accounts.devices import DeviceRegistry
from mailsuite.accounts.key_rotation import KeyRotation
from mailsuite.accounts.registry import Registry
from mailsuite.accounts.rehearsal import Rehearsal
from mailsuite.accounts.what_if import WhatIf
from mailsuite.model.address import Address


class EndSessions(Protocol):
    """Ends the sessions of an account, or those that one of its devices opened."""

    def __call__(self, account: Address, device: str | None = None, /) -> None: ...


@attrs.frozen
class Office:
    """One for the running server, and one for a program that works while none runs."""

    registry: Registry
    devices: DeviceRegistry
    keys: KeyRotation
    what_if: WhatIf
    rehearsal: Rehearsal

    def telling(self, end_sessions: EndSessions) -> Office:
        """The same; who may not be logged in any more is not, from that moment on."""

        def end(account: Address) -> None:
            end_sessions(account)

        device: Callable[[Address, str], None] = end_sessions
        return attrs.evolve(
            self,
            registry=attrs.evolve(self.registry, removed=end, disabled=end),
            devices=attrs.evolve(self.devices, removed=device),
        )
