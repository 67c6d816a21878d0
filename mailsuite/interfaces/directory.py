"""Who exists, and what is kept about them."""

from __future__ import annotations

from zope.interface import Interface

from mailsuite.model.account import Account, Domain, IPAddress
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device
from mailsuite.model.login import LoginRecord
from mailsuite.model.sighting import Sighting


class IAccountDirectory(Interface):
    """Who exists. Addresses and domain names that go in are canonical."""

    async def account(address: Address) -> Account | None:
        """The account with exactly this address, or None."""

    async def has_domain(name: str) -> bool:
        """Whether mail for this domain is ours."""

    async def domain(name: str) -> Domain | None:
        """What is said of a domain whose mail is ours, or None."""

    async def accounts() -> tuple[Account, ...]:
        """All accounts, sorted by domain, then local part."""

    async def members(domain: str) -> tuple[Address, ...]:
        """The addresses of all accounts in a domain, sorted. Cheap enough to be asked every few seconds."""

    async def domains() -> tuple[Domain, ...]:
        """All domains, sorted by name."""

    async def add_domain(name: str) -> None:
        """Add a domain. Raises PermanentFailure(ALREADY_EXISTS)."""

    async def change_domain(domain: Domain) -> None:
        """Replace all that a Domain says beside its name and origin. Raises
        PermanentFailure(NO_SUCH_DOMAIN), or PermanentFailure(READ_ONLY) where it stands in a file."""

    async def alias(address: Address) -> Alias | None:
        """The alias with exactly this address, or None. An account of that address comes first."""

    async def aliases() -> tuple[Alias, ...]:
        """All aliases, sorted by domain, then local part."""

    async def aliases_to(target: Address) -> tuple[Address, ...]:
        """The aliases that have this very target, sorted as aliases() are."""

    async def add_alias(alias: Alias) -> None:
        """Add an alias; its domain does not become ours by it. Raises PermanentFailure(ALREADY_EXISTS)."""

    async def change_alias(alias: Alias) -> None:
        """Replace the targets of an alias. Raises PermanentFailure(NO_SUCH_ALIAS), or
        PermanentFailure(READ_ONLY) where it stands in a file."""

    async def remove_alias(address: Address) -> None:
        """Remove an alias. Raises as change_alias()."""

    async def add_account(account: Account) -> None:
        """Add an account, and its domain if it is new. Raises PermanentFailure(ALREADY_EXISTS)."""

    async def change_account(account: Account) -> None:
        """Replace all that an Account says beside its address and origin. Raises
        PermanentFailure(NO_SUCH_ACCOUNT), or PermanentFailure(READ_ONLY) where it stands in a file."""

    async def replace_hash(account: Address, old: str, new: str) -> bool:
        """Replace the password hash *old* by *new*, at one stroke; all else stays as it is by then. False,
        and nothing changed, where the hash is another one by now, or the account is gone. Raises
        PermanentFailure(READ_ONLY) where it stands in a file."""

    async def remove_account(address: Address) -> None:
        """Remove an account with its devices and verifiers; its mail stays. Raises as change_account()."""

    async def devices(account: Address) -> tuple[Device, ...]:
        """The device passwords of an account, sorted by name whatever the case; none where there is no
        such account."""

    async def all_devices() -> tuple[tuple[Address, Device], ...]:
        """All that are kept, sorted by domain, local part, name. Also those of an account that stood in a
        file and stands there no more: they come back with it."""

    async def add_device(account: Address, device: Device) -> None:
        """Add a device password, also to an account that stands in a file. Raises
        PermanentFailure(ALREADY_EXISTS) where the account has a device of that name, whatever the case, or
        any account one of that id; PermanentFailure(NO_SUCH_ACCOUNT)."""

    async def change_device(account: Address, device: Device) -> None:
        """Replace the device with the same id. Raises as remove_device(), and
        PermanentFailure(ALREADY_EXISTS) where another device of the account has the new name."""

    async def remove_device(account: Address, id: str) -> None:
        """Remove a device password. Raises PermanentFailure(NO_SUCH_DEVICE), or
        PermanentFailure(READ_ONLY) where it stands in a file."""

    async def verifiers(account: Address) -> bytes:
        """The sealed SCRAM verifiers of the account's own password; empty where there are none."""

    async def all_verifiers() -> tuple[tuple[Address, bytes], ...]:
        """All that are kept, sorted as accounts() are; as all_devices() in all else."""

    async def keep_verifiers(account: Address, sealed: bytes) -> None:
        """Replace the verifiers; also for an account that stands in a file. Empty: forget them. Raises
        PermanentFailure(NO_SUCH_ACCOUNT)."""

    async def replace_verifiers(account: Address, old: bytes, new: bytes) -> bool:
        """Replace the verifiers *old* by *new*, at one stroke; with *old* empty, keep the first ones.

        False, and nothing changed, where there are others by now, or none any more, or nobody to keep the
        first ones for.
        """


class ITotalsWarned(Interface):
    """At which percentage of the quota of a whole domain somebody was warned last. Survives a restart."""

    async def warned(domain: str) -> int:
        """As note_warned() has noted it; 0 where there was no warning."""

    async def note_warned(domain: str, level: int) -> None:
        """Keep that, durable when it returns."""


class ISightings(Interface):
    """From where each account last logged in, by which device; survives a restart. Of the newest few devices
    the newest few addresses are remembered."""

    async def record(account: Address, peer: IPAddress, at: float, device: str = "", via: str = "") -> None:
        """Note an authenticated session (*at*: seconds since the epoch) of a device ("": by the account's own
        password) with a service. Cheap when nothing changed."""

    async def last(account: Address, since: float, device: str | None = None) -> IPAddress | None:
        """The newest address seen at or after *since*, of that device or of any; or None."""

    async def recent(account: Address, since: float) -> tuple[Sighting, ...]:
        """Of each device where it was seen last, if that was at or after *since*; the newest first."""

    async def seen_from(account: Address, peer: IPAddress, since: float) -> bool:
        """Whether it is remembered that the account was seen there at or after *since*."""

    async def forget(account: Address, device: str | None = None) -> None:
        """Never answer again what was recorded before, of that device or of any; whoever has the address
        next is somebody else."""


class ILogins(Interface):
    """How people logged in: by which mechanism, with which device, from where. Survives a restart."""

    async def record(login: LoginRecord) -> None:
        """Note a login that succeeded. Cheap where it differs from one noted lately in its time alone."""

    async def since(at: float) -> tuple[LoginRecord, ...]:
        """For each way (account, device, service, mechanism, peer) its newest login at or after *at*
        (seconds since the epoch); the newest first."""

    async def of(account: Address) -> tuple[LoginRecord, ...]:
        """All that is kept of one account, the newest first."""

    async def last_uses(account: Address) -> dict[str, LoginRecord]:
        """The newest login of each device of an account, by its id; "" is the account's own password."""

    async def forget(account: Address, device: str | None = None) -> None:
        """Forget the logins of an account, or of one of its devices."""
