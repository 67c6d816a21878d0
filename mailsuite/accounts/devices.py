"""Device passwords as those see them who look after them: made, listed, removed; told once, never chosen."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs
from twisted.internet.defer import DeferredLock

from mailsuite.accounts.documents import Document, device_document, login_document
from mailsuite.accounts.generate import generate_device_password
from mailsuite.accounts.keyring import SealBroken
from mailsuite.accounts.refusal import asked_address, bad, in_words, parsed, refused
from mailsuite.accounts.vault import Vault
from mailsuite.config.kinds import Boolean, Kind, ListOf, Member, OneOf
from mailsuite.config.measures import Day
from mailsuite.config.names import DeviceName, MailAddress, Network
from mailsuite.interfaces import IAccountDirectory, ILogins
from mailsuite.model.address import Address
from mailsuite.model.device import RECOVERABLE, Device, Scope, beginning
from mailsuite.model.failure import MailFailure, PermanentFailure
from mailsuite.model.login import LoginRecord
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_ACCOUNT, NO_SUCH_DEVICE

MAX_DEVICES = 50
"""Of one account; our own limit. A SCRAM proof is tried against each."""
MAX_NETWORKS = 50
"""Of one device; our own limit. Each login by it is held against them one by one."""
MAX_RECIPIENTS = 100
"""Of one device; our own limit."""
ID_OCTETS = 8

_WITH_MECHANISMS: Final = frozenset({Scope.POP3, Scope.SUBMISSION})
"""Where a mechanism is named at a login; elsewhere a password that we can read would be kept for nothing."""
_FIELDS: Final[dict[str, Kind[Any]]] = {
    "name": DeviceName(),
    "mechanisms": ListOf(OneOf(tuple(sorted(RECOVERABLE))), 0, '["apop"]'),
    "scopes": ListOf(Member(Scope), 1, '["pop3"]'),
    "networks": ListOf(Network(), 0, '["192.0.2.0/24"]'),
    "expires": Day(),
    "view": Boolean(),
    "sender": MailAddress("printer@example.net"),
    "recipients": ListOf(MailAddress("office@example.net"), 0, '["office@example.net", "*@example.com"]'),
}


async def _nothing_was_made(account: Address, device: str) -> None:
    """Where nobody is told of anything."""


@attrs.frozen
class DeviceRegistry:
    """What can be done with device passwords. Every method raises RegistryError.

    *enroll* is told of each that is added with a view of its own: mail waits for it from then. *removed* is
    told of each removal: the sessions that were opened by that device end.
    """

    directory: IAccountDirectory
    vault: Vault
    logins: ILogins
    now: Callable[[], float]
    """Seconds since the epoch."""
    removed: Callable[[Address, str], None] = lambda account, id: None
    enroll: Callable[[Address, str], None] = lambda account, id: None
    erase: Callable[[Address, str], Awaitable[None]] = _nothing_was_made
    """Removes what a device has subscribed to. Raises MailFailure; it is tried again then."""
    turn: DeferredLock = attrs.field(factory=DeferredLock)
    """As the Registry's: whoever adds one has counted them."""
    make_password: Callable[[], str] = generate_device_password

    async def devices(self, address: str) -> list[Document]:
        """The devices of one account, sorted by name."""
        account = asked_address(address)
        devices = await self._devices(account)
        used = await self._last_uses(account)
        return [device_document(account, device, used.get(device.id)) for device in devices]

    async def all_devices(self) -> list[Document]:
        """Those of all accounts, sorted by account, then name."""
        with in_words("the devices"):
            devices = await self.directory.all_devices()
            newest: dict[tuple[Address, str], LoginRecord] = {}
            for login in await self.logins.since(0.0):  # the newest first
                newest.setdefault((login.account, login.device), login)
        return [
            device_document(account, device, newest.get((account, device.id))) for account, device in devices
        ]

    async def summary(self, address: str) -> Document:
        """How many devices an account has, and its last login, by whatever password; null: never seen."""
        account = asked_address(address)
        names = {device.id: device.name for device in await self._devices(account)}
        used = (await self._last_uses(account)).values()
        last = max(used, key=lambda login: login.at, default=None)
        return {
            "devices": len(names),
            "last_login": None if last is None else login_document(last, names),
        }

    async def add_device(self, address: str, fields: Mapping[str, object]) -> tuple[Document, str]:
        """Make a device password; it is answered beside the device, this once.

        *fields* are name and, as far as given, mechanisms, scopes, networks, expires, view, sender and
        recipients.
        """
        account = asked_address(address)
        wanted = self._wanted(fields)
        with in_words(str(account)):
            if await self.directory.account(account) is None:
                raise PermanentFailure(NO_SUCH_ACCOUNT)
        present = await self._devices(account)
        if any(device.folded == wanted.folded for device in present):
            raise refused(f"{account}, {wanted.name}", ALREADY_EXISTS)
        _refuse_too_many(account, present)
        password = self.make_password()
        with in_words(f"{account}, {wanted.name}"):
            recoverable = bool(wanted.mechanisms)
            sealed = await self.vault.seal_device(account, wanted.id, password, recoverable)
            device = attrs.evolve(wanted, sealed=sealed)
            async with self.turn:
                _refuse_too_many(account, await self._devices(account))
                device = await self._sealed_now(account, device, password)
                await self.directory.add_device(account, device)
        if device.view:
            self.enroll(account, device.id)
        return device_document(account, device, None), password

    async def _sealed_now(self, account: Address, device: Device, password: str) -> Device:
        """The device under the newest key: a rotation may have looked for old ones since it was sealed."""
        try:
            return self.vault.reseal_device(account, device) or device
        except SealBroken:
            recoverable = bool(device.mechanisms)
            sealed = await self.vault.seal_device(account, device.id, password, recoverable)
            return attrs.evolve(device, sealed=sealed)

    async def device(self, address: str, name: str) -> Document:
        """One device, whatever the case of its name."""
        account = asked_address(address)
        device = await self._device(account, name)
        return device_document(account, device, (await self._last_uses(account)).get(device.id))

    async def remove_device(self, address: str, name: str) -> Document:
        """Remove a device password; nobody logs in by it from now on."""
        account = asked_address(address)
        device = await self._device(account, name)
        with in_words(f"{account}, {device.name}"):
            await self.directory.remove_device(account, device.id)
        self.removed(account, device.id)
        with suppress(MailFailure):  # removed it is, and its id is never given again
            await self.erase(account, device.id)
        with suppress(MailFailure):
            await self.logins.forget(account, device.id)
        return device_document(account, device, None)

    def _wanted(self, fields: Mapping[str, object]) -> Device:
        """The device that is to be, not sealed yet."""
        values = parsed(_FIELDS, fields, "device")
        if "name" not in values:
            raise bad("device.name is missing")
        values |= {key: frozenset(values[key]) for key in ("mechanisms", "scopes") if key in values}
        if "expires" in values:
            values["expires"] = beginning(values["expires"])
        if "sender" in values:
            values["sender"] = values["sender"].canonical
        if "recipients" in values:
            values["recipients"] = tuple(dict.fromkeys(each.canonical for each in values["recipients"]))
        now = self.now()
        device = Device(id=secrets.token_hex(ID_OCTETS), sealed=b"", created=float(int(now)), **values)
        if "apop" in device.mechanisms and Scope.POP3 not in device.scopes:
            raise bad("device.mechanisms: apop is for POP3, and the scopes leave that out")
        if device.view and Scope.POP3 not in device.scopes:
            raise bad("device.view: a view is of POP3, and the scopes leave that out")
        if device.mechanisms and device.scopes.isdisjoint(_WITH_MECHANISMS):
            names = " and ".join(sorted(device.mechanisms))
            raise bad(
                f"device.mechanisms: {names}: for POP3 and submission only, and the scopes leave both out"
            )
        if (device.sender or device.recipients) and Scope.SUBMISSION not in device.scopes:
            key = "sender" if device.sender else "recipients"
            raise bad(f"device.{key}: this is about submission, and the scopes leave that out")
        if len(device.recipients) > MAX_RECIPIENTS:
            raise bad(f"device.recipients: there are more than {MAX_RECIPIENTS}; name an alias or a domain")
        if len(device.networks) > MAX_NETWORKS:
            raise bad(f"device.networks: there are more than {MAX_NETWORKS}; name larger ones")
        if device.expires is not None and device.expires <= now:
            raise bad("device.expires: that day has begun, and from its beginning on the password is refused")
        return device

    async def _devices(self, account: Address) -> tuple[Device, ...]:
        with in_words(str(account)):
            if await self.directory.account(account) is not None:
                return await self.directory.devices(account)
            if kept := await self._kept(account):
                return kept
            raise PermanentFailure(NO_SUCH_ACCOUNT)

    async def _kept(self, account: Address) -> tuple[Device, ...]:
        """What the database keeps of an account that has left the configuration file, in case it returns: it
        can be seen and removed, so that nobody who gets the address later is surprised by it."""
        return tuple(device for owner, device in await self.directory.all_devices() if owner == account)

    async def _device(self, account: Address, name: str) -> Device:
        for device in await self._devices(account):
            if device.folded == name.strip().casefold():
                return device
        raise refused(f"{account}, {name}", NO_SUCH_DEVICE)

    async def _last_uses(self, account: Address) -> dict[str, LoginRecord]:
        with in_words(str(account)):
            return await self.logins.last_uses(account)


def _refuse_too_many(account: Address, present: Sequence[Device]) -> None:
    if len(present) >= MAX_DEVICES:
        raise bad(f"{account} has {MAX_DEVICES} devices already; remove one that nobody uses")
