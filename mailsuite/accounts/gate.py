"""Between a proof and the door: whose name it is, what could prove it, and what speaks against letting in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from twisted.cred.error import UnauthorizedLogin

from mailsuite.accounts.attempt import Attempt, Granted, LoginRules
from mailsuite.accounts.keyring import SealBroken
from mailsuite.accounts.names import Named, NameRules, login_address
from mailsuite.accounts.vault import DeviceSecrets, Vault
from mailsuite.config.mechanisms import PLAINTEXT
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import INTERNAL_ERROR
from mailsuite.observe.log import Log

REFUSED = "wrong name or password"
"""All that is ever told; why is in the log."""
LEAST_TRIES = 8
"""Sealed secrets that are opened and tried for any name, so that nobody can tell by the time whether there is
such an account and how many devices it has. Who has more takes some 10 microseconds longer for each."""
SHOWN: Final = frozenset({"USER", *(name.upper() for name in PLAINTEXT)})
"""Mechanisms that pass the password itself."""

_NOBODY: Final = Address("nobody", "invalid")
"""Asked after where a name is nobody's; whatever the answer, it counts for nothing."""


class SecretsUnreadable(TemporaryFailure):
    """A sealed secret that might have proved it does not open. Our mistake, and yet a failed attempt."""

    def __init__(self) -> None:
        super().__init__(INTERNAL_ERROR, "a sealed secret does not open; see seal.broken")


class ProofOutdated(TemporaryFailure):
    """What somebody proved himself by was made anew meanwhile; whether it is the same password, only
    another attempt can tell."""

    def __init__(self) -> None:
        super().__init__(INTERNAL_ERROR, "the password was written anew during the login")


@attrs.frozen
class Claimant:
    """Whose a name is."""

    address: Address = _NOBODY
    """Canonical, or what stands for a name that can be nobody's."""
    account: Account | None = None
    """As the directory knows it, if at all."""
    devices: tuple[Device, ...] = ()

    @property
    def stored(self) -> str:
        return self.account.password_hash if self.account is not None else ""

    @property
    def why_unknown(self) -> str:
        """Why there is no such account, for the log."""
        return "impossible-name" if self.address == _NOBODY else "unknown-account"


@attrs.frozen
class Tries:
    """What an attempt is to be held against: each device with what it is checked by, decoys among them."""

    secrets: tuple[tuple[Device | None, DeviceSecrets], ...]
    broken: bool
    """Something that might have proved it does not open."""


@attrs.frozen
class Gate:
    """What all checkers have in common. *now* is seconds since the epoch; *successor* tells of an account
    and a hash which other one of the same password has taken its place, as Renewal does."""

    directory: IAccountDirectory
    vault: Vault
    now: Callable[[], float]
    log: Log = attrs.field(factory=Log)
    successor: Callable[[Address, str], str] = lambda account, stored: stored

    async def claimant(self, attempt: Attempt | None, name: str) -> Claimant:
        """Look the name up; asks the directory the same for any. Raises what the directory raises."""
        if attempt is None:
            named = await self.named(name, LoginRules())
        else:  # Login has found out whose name it is, if it can be anybody's
            named = attempt.named or await self.named(name, attempt.rules, attempt.facts.service)
            attempt.named = named
        asked = named.address if named is not None else _NOBODY
        account = await self.directory.account(asked)
        devices = await self.directory.devices(asked)
        if named is None or account is None:
            return Claimant(asked)
        return Claimant(asked, account, devices)

    async def named(self, name: str, rules: NameRules, service: str = "") -> Named | None:
        """What *name* means at a listener of *service*, if anything. Of POP3 alone there are boxes."""
        return await login_address(name, rules, self.directory, boxes=service == "pop3")

    async def verifiers(self, claimant: Claimant) -> bytes:
        """The sealed verifiers of the claimant's own password; asks the directory the same for any."""
        return await self.directory.verifiers(claimant.address)

    def tries(self, claimant: Claimant, mechanism: str = "") -> Tries:
        """Open what the claimant's devices are checked by, at least LEAST_TRIES of them.

        For a device that is not made for *mechanism* (as Device has them), or is broken, there is a decoy.
        """
        secrets: list[tuple[Device | None, DeviceSecrets]] = []
        broken = False
        for device in claimant.devices:
            if mechanism and mechanism not in device.mechanisms:
                continue
            try:
                secrets.append((device, self.vault.open_device(claimant.address, device)))
            except SealBroken as error:
                self.broken(claimant.address, error, device)
                broken = True
        while len(secrets) < max(LEAST_TRIES, len(claimant.devices)):
            secrets.append((None, self.vault.open_decoy()))
        return Tries(tuple(secrets), broken)

    def broken(self, account: Address, error: SealBroken, device: Device | None = None) -> None:
        """Say so to whoever can mend it."""
        name = device.name if device is not None else ""
        self.log.error("seal.broken", account=account, device=name, reason=str(error))

    def objection(self, account: Account, device: Device | None, attempt: Attempt | None) -> str:
        """What speaks against somebody who proved who they are, in a word for the log; empty: nothing."""
        if account.state is AccountState.OFF:
            return "account-off"
        if attempt is None:
            return "" if device is None else "device-scope"
        facts = attempt.facts
        if facts.service == "pop3":
            if not account.pop3:
                return "pop3-denied"
            apop = attempt.rules.apop_of(account.address.domain)
            if apop == "require" and attempt.mechanism in SHOWN:
                return "apop-required"
            if apop == "off" and attempt.mechanism == "APOP":
                return "apop-off"
        return "" if device is None else self._objection_to_device(device, attempt)

    def _objection_to_device(self, device: Device, attempt: Attempt) -> str:
        facts = attempt.facts
        if not device.serves(facts.service):
            return "device-scope"
        if not device.allows(facts.peer):
            return "device-network"
        if device.has_expired(self.now()):
            return "device-expired"
        return ""

    async def look_again(self, granted: Granted, attempt: Attempt | None, stored: str | None) -> Account:
        """The account as it is now. Raises where what was granted is not true any more: UnauthorizedLogin or
        ProofOutdated.

        The account or the device was removed, something speaks against them now, or the account's own
        password is another than that of *stored* (None: nobody here knows by what it was proved). All that
        is kept of an address is read at once, so nothing is waited for after the account was looked at:
        whoever keeps the session before he waits again hears of every later change.
        """
        device = granted.device
        devices = {kept.id: kept for kept in await self.directory.devices(granted.account)}
        account = await self.directory.account(granted.account)
        reason = "changed-meanwhile"
        if account is not None and device is not None:
            kept = devices.get(device.id)
            if kept is not None and kept.sealed != device.sealed:
                raise ProofOutdated
            reason = self.objection(account, kept, attempt) if kept is not None else "device-removed"
        elif account is not None and self._stands(account, stored):
            reason = self.objection(account, None, attempt)
        if account is None or reason:
            claimant = Claimant(granted.account, account or Account(granted.account))
            raise self.refuse(attempt, claimant, reason, device)
        return account

    def _stands(self, account: Account, stored: str | None) -> bool:
        """Whether the account's own password is still that of *stored*. Raises ProofOutdated for an account
        of the configuration: its password file is hashed anew whenever that is read."""
        now = account.password_hash
        if stored is None or now in (stored, self.successor(account.address, stored)):
            return True
        if account.origin is Origin.FILE:
            raise ProofOutdated
        return False

    def refuse(
        self, attempt: Attempt | None, claimant: Claimant, reason: str, device: Device | None = None
    ) -> UnauthorizedLogin:
        """Log why, and give what is to be raised. A name that is nobody's is not logged: it may be a password
        in the wrong field."""
        log = self.log
        if attempt is not None:
            facts = attempt.facts
            log = log.bind(session=facts.session, service=facts.service, peer=facts.peer)
        log.info(
            "login.refused",
            account=claimant.address if claimant.account is not None else "",
            device=device.name if device is not None else "",
            mechanism=attempt.mechanism if attempt is not None else "",
            reason=reason,
        )
        return UnauthorizedLogin(REFUSED)
