"""A password for one printer or one program may send from one address, and to a few (features row U-10)."""

from __future__ import annotations

from typing import ClassVar

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IAccountDirectory, IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.reply import (
    AUTHENTICATION_REQUIRED,
    FROM_NOT_YOURS,
    INTERNAL_ERROR,
    RECIPIENT_NOT_LISTED,
    SENDER_FIXED,
)


@implementer(IPolicyRule)
@attrs.frozen
class Credential:
    """Holds whoever logged in by a device password to what that one says of its sender and its recipients,
    as it stands at this moment. A password that is gone sends nothing more.

    The sender it names is not made the account's by that: policy/sender.py has its say as well.
    """

    directory: IAccountDirectory
    name: str = "credential"
    asked_at: ClassVar = frozenset({Stage.MAIL, Stage.RECIPIENT, Stage.HEADER})

    async def check(self, facts: StageFacts) -> Verdict:
        connection = facts.connection
        if facts.stage is Stage.HELLO or connection.account is None or not connection.device:
            return Accept()
        devices = await self.directory.devices(connection.account.canonical)
        device = next((each for each in devices if each.id == connection.device), None)
        if device is None:
            return Refuse(AUTHENTICATION_REQUIRED)
        if facts.stage is Stage.MAIL:
            return _sender(device, facts.sender)
        if facts.stage is Stage.RECIPIENT:
            return _recipient(device, facts.recipient)
        return _header(device, facts)


def _sender(device: Device, sender: Address | None) -> Verdict:
    """With a fixed sender ``<>`` is another one: printers send no receipts."""
    if device.sender is None or (sender is not None and sender.canonical == device.sender):
        return Accept()
    return Refuse(SENDER_FIXED)


def _recipient(device: Device, recipient: Address | None) -> Verdict:
    if recipient is None:
        return Refuse(INTERNAL_ERROR)
    return Accept() if device.sends_to(recipient.canonical) else Refuse(RECIPIENT_NOT_LISTED)


def _header(device: Device, facts: StageFacts) -> Verdict:
    if device.sender is None:
        return Accept()
    if facts.header is None:
        return Refuse(INTERNAL_ERROR)
    named = (*facts.header.from_addresses, *facts.header.sender_addresses)
    if facts.header.from_broken or any(each.canonical != device.sender for each in named):
        return Refuse(FROM_NOT_YOURS)
    return Accept()
