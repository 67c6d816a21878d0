"""All that can be done by those who look after accounts: what the control API and the command line ask."""

from __future__ import annotations

from typing import Protocol

import attrs

from mailsuite.accounts.devices import DeviceRegistry
from mailsuite.accounts.endings import ACCOUNT_REMOVED, DEVICE_REMOVED
from mailsuite.accounts.key_rotation import KeyRotation
from mailsuite.accounts.registry import Registry
from mailsuite.accounts.rehearsal import Rehearsal
from mailsuite.accounts.what_if import WhatIf
from mailsuite.model.address import Address


class EndSessions(Protocol):
    """Ends the sessions of an account, or those that one of its devices opened; the log gets the reason."""

    def __call__(self, account: Address, device: str | None, reason: str, /) -> object: ...


@attrs.frozen
class Office:
    """One for the running server, and one for a program that works while none runs."""

    registry: Registry
    devices: DeviceRegistry
    keys: KeyRotation
    what_if: WhatIf
    rehearsal: Rehearsal

    def telling(self, end_sessions: EndSessions) -> Office:
        """The same; who may not be logged in any more is not, from that moment on. Whoever was told before
        is told still, when the sessions have ended."""
        registry, devices = self.registry, self.devices

        def removed(account: Address) -> None:
            end_sessions(account, None, ACCOUNT_REMOVED)
            registry.removed(account)

        def disabled(account: Address, reason: str) -> None:
            end_sessions(account, None, reason)
            registry.disabled(account, reason)

        def device_removed(account: Address, device: str) -> None:
            end_sessions(account, device, DEVICE_REMOVED)
            devices.removed(account, device)

        return attrs.evolve(
            self,
            registry=attrs.evolve(registry, removed=removed, disabled=disabled),
            devices=attrs.evolve(devices, removed=device_removed),
        )
