"""Accounts and domains as those see them who look after them: plain values in and out, clear words.

The control API, and the command line where no server runs, both call this: both do and say the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import attrs
from twisted.internet.defer import DeferredLock

from mailsuite.accounts.documents import Document, account_document, domain_document
from mailsuite.accounts.endings import barred
from mailsuite.accounts.generate import generate_password
from mailsuite.accounts.keyring import SealBroken
from mailsuite.accounts.limits import ACCOUNT_LIMITS, DOMAIN_LIMITS, changed_limits
from mailsuite.accounts.passwords import PasswordRefused, Passwords
from mailsuite.accounts.refusal import RegistryError, asked_address, bad, in_words, parsed, refused
from mailsuite.accounts.stay import STAY, with_stay
from mailsuite.accounts.vault import Vault
from mailsuite.config.kinds import Boolean, Kind, Member, OneOf, port
from mailsuite.config.names import KnockAddress, MailAddress
from mailsuite.interfaces import IAccountDirectory, ILogins, ISightings
from mailsuite.model.account import (
    MAX_FORWARDS,
    Account,
    AccountState,
    Domain,
    NotifyPreference,
    NotifyState,
)
from mailsuite.model.address import Address, AddressSyntaxError, normalise_domain
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_ACCOUNT, NO_SUCH_DOMAIN

__all__ = ["Document", "Registry", "RegistryError"]

MIN_PASSWORD_CHARACTERS = 8
"""NIST SP 800-63B section 5.1.1.2 asks for as many where a person chooses."""
MAX_NAME_CHARACTERS = 200
"""As ``account.name`` in the configuration."""

_LOCAL = re.compile(r"[a-z0-9]([a-z0-9._+-]*[a-z0-9])?")
"""What a new account may be called; narrower than what mail allows, because it names a folder."""

_PREFERENCE: Final[dict[str, Kind[Any]]] = {
    "state": Member(NotifyState),
    "address": KnockAddress(),
    "port": port(),
}
_STANDING: Final[dict[str, Kind[Any]]] = {
    "state": Member(AccountState),
    "forward": MailAddress(),
    "keep_copy": Boolean(),
    "pop3": OneOf(("allow", "deny")),
}
CHANGEABLE: Final = ("name", "notifymail", *_STANDING, *STAY, *ACCOUNT_LIMITS)
"""The fields that change_account() takes."""


async def _nobody_followed(address: Address) -> None:
    """Where nobody is told of anything."""


@attrs.frozen
class Registry:
    """What can be done with accounts and domains. Every method raises RegistryError.

    A new account starts unseen, whoever had its address before. *removed* is told of each removal, *disabled*
    of each account that may not log in any more, or not by POP3, and why: their sessions end. *forget* is
    told of each whose password is another from now on: nothing that was remembered of it counts. *retained*
    is told of each whose mail stays for another time than before.
    """

    directory: IAccountDirectory
    passwords: Passwords
    sightings: ISightings
    removed: Callable[[Address], None] = lambda address: None
    objection: Callable[[NotifyPreference], str] = lambda preference: ""
    """Why a preference for notices would have no effect, in words; empty where it has."""
    logins: ILogins | None = None
    vault: Vault | None = None
    """Makes the SCRAM verifiers of a new password; without one they are made at the next login."""
    disabled: Callable[[Address, str], None] = lambda address, reason: None
    forget: Callable[[Address], None] = lambda address: None
    retained: Callable[[Account], None] = lambda account: None
    erase: Callable[[Address], Awaitable[None]] = _nobody_followed
    """Removes whoever follows an account, and what happened to it. Raises MailFailure."""
    sends: Callable[[], bool] = lambda: False
    """Whether mail for other servers can be sent on; else none is forwarded there."""
    turn: DeferredLock = attrs.field(factory=DeferredLock)
    """Held by whoever changes accounts: an account is read, changed and written as a whole. Nobody hashes
    while they hold it: that waits for a thread, and others must not wait for it too."""

    async def accounts(self) -> list[Document]:
        """All accounts, sorted by domain, then local part."""
        with in_words("the accounts"):
            return [account_document(account) for account in await self.directory.accounts()]

    async def account(self, address: str) -> Document:
        """One account."""
        return account_document(await self._existing(asked_address(address)))

    async def forwarders(self, address: str) -> list[str]:
        """The accounts whose mail is forwarded to this one, and would have nowhere to go without it."""
        wanted = asked_address(address)
        with in_words("the accounts"):
            accounts = await self.directory.accounts()
        return [
            str(account.address)
            for account in accounts
            if account.state is AccountState.FORWARD and account.forward == wanted
        ]

    async def add_account(
        self,
        address: str,
        name: str,
        password: str | None,
        notifymail: Mapping[str, object] | None = None,
        *,
        without_password: bool = False,
    ) -> tuple[Document, str | None]:
        """Make an account. With *password* None one is generated, and answered beside the account.

        *without_password*: it gets none of its own, so that device passwords and sources alone let it in.
        """
        if without_password and password is not None:
            raise bad("a password and no password: one of them")
        new = Account(
            new_address(address), _name(name), notify=self._preference(notifymail or {}, NotifyPreference())
        )
        if await self._find(new.address) is not None:
            raise refused(str(new.address), ALREADY_EXISTS)
        if without_password:
            await self.enter(new)
            return account_document(new), None
        secret, generated = _chosen(password)
        password_hash, sealed = await self._proofs(new.address, secret)
        new = attrs.evolve(new, password_hash=password_hash)
        await self.enter(new)
        await self._keep_verifiers(new.address, sealed)
        return account_document(new), generated

    async def enter(self, account: Account) -> None:
        """Make an account that was put together elsewhere, by the rules here."""
        with in_words(str(account.address)):
            if await self.directory.alias(account.address) is not None:
                raise RegistryError("exists", f"{account.address} is an alias; remove that first")
            await self._forget_traces(account.address)
            await self.directory.add_account(account)

    async def set_password(self, address: str, password: str | None) -> tuple[Document, str | None]:
        """Replace the password. With None one is generated, and answered beside the account."""
        wanted = asked_address(address)
        await self._existing(wanted)
        secret, generated = _chosen(password)
        password_hash, sealed = await self._proofs(wanted, secret)
        changed = await self.replace_hash(wanted, password_hash, sealed)
        return account_document(changed), generated

    async def replace_hash(self, address: Address, password_hash: str, sealed: bytes = b"") -> Account:
        """Replace the password by the one that this hash is of; *sealed* are its verifiers, where there are
        some. Answers the account as it is then; all else of it stays."""
        async with self.turn:
            changed = attrs.evolve(await self._existing(address), password_hash=password_hash)
            await self._replace(changed)
            self.forget(address)
            await self._keep_verifiers(address, sealed)
        return changed

    async def change_account(self, address: str, fields: Mapping[str, object]) -> Document:
        """Change those of CHANGEABLE that *fields* has, and of the preference ``notifymail`` those that it
        has."""
        wanted = asked_address(address)
        async with self.turn:
            before = await self._existing(wanted)
            changed = await self.with_fields(before, fields)
            await self._replace(changed)
        if reason := barred(before, changed):
            self.forget(changed.address)
            self.disabled(changed.address, reason)
        if changed.retention != before.retention:
            self.retained(changed)
        return account_document(changed)

    async def with_fields(self, account: Account, fields: Mapping[str, object]) -> Account:
        """*account* as change_account() would have it; nothing is kept."""
        for name in fields:
            if name not in CHANGEABLE:
                raise bad(f"{name!r} of an account cannot be changed; these can: {', '.join(CHANGEABLE)}")
        changed = account
        if "name" in fields:
            changed = attrs.evolve(changed, name=_name(fields["name"]))
        if "notifymail" in fields:
            changed = attrs.evolve(changed, notify=self._preference(fields["notifymail"], changed.notify))
        if standing := {name: fields[name] for name in _STANDING if name in fields}:
            changed = await self._standing(standing, changed)
        if stay := {name: fields[name] for name in STAY if name in fields}:
            changed = attrs.evolve(changed, retention=with_stay(stay, changed.retention))
        return attrs.evolve(changed, **changed_limits(changed, fields))

    async def remove_account(self, address: str) -> None:
        """Remove an account with its device passwords; its mail stays."""
        wanted = asked_address(address)
        async with self.turn:
            with in_words(str(wanted)):
                await self.directory.remove_account(wanted)
        self.forget(wanted)
        self.removed(wanted)
        with suppress(MailFailure):  # removed it is; whoever gets the address next is unseen in any case
            await self._forget_traces(wanted)

    async def domains(self) -> list[Document]:
        """All domains, sorted by name."""
        with in_words("the domains"):
            domains = await self.directory.domains()
            counted = Counter(account.address.domain for account in await self.directory.accounts())
        return [domain_document(domain, counted[domain.name]) for domain in domains]

    async def domain(self, name: str) -> Document:
        """One domain."""
        wanted = _domain_name(name)
        with in_words(wanted):
            domain = await self.directory.domain(wanted)
            if domain is None:
                raise refused(wanted, NO_SUCH_DOMAIN)
            return domain_document(domain, len(await self.directory.members(wanted)))

    async def add_domain(self, name: str) -> Document:
        """Take mail for one more domain."""
        new = Domain(_domain_name(name))
        with in_words(new.name):
            await self.directory.add_domain(new.name)
        return domain_document(new, 0)

    async def change_domain(self, name: str, fields: Mapping[str, object]) -> Document:
        """Change those of DOMAIN_LIMITS that *fields* has."""
        wanted = _domain_name(name)
        for field in fields:
            if field not in DOMAIN_LIMITS:
                raise bad(f"{field!r} of a domain cannot be changed; these can: {', '.join(DOMAIN_LIMITS)}")
        async with self.turn:
            with in_words(wanted):
                domain = await self.directory.domain(wanted)
                if domain is None:
                    raise refused(wanted, NO_SUCH_DOMAIN)
                if fields:
                    domain = attrs.evolve(domain, **changed_limits(domain, fields))
                    await self.directory.change_domain(domain)
                members = await self.directory.members(wanted)
        return domain_document(domain, len(members))

    def _preference(self, wanted: object, present: NotifyPreference) -> NotifyPreference:
        """*present* with the fields that *wanted* has. Refuses what would silently have no effect."""
        if not isinstance(wanted, Mapping):
            raise bad("notifymail is no object")
        preference = _preference(wanted, present)
        if wanted and (reason := self.objection(preference)):
            raise bad(f"notifymail: {reason}")
        return preference

    async def _standing(self, fields: Mapping[str, object], account: Account) -> Account:
        """*account* in the state that *fields* want."""
        values = parsed(_STANDING, fields)
        if "pop3" in values:
            values["pop3"] = values["pop3"] == "allow"
        if "forward" in values:
            values["forward"] = values["forward"].canonical
        changed = attrs.evolve(account, **values)
        if "forward" in values or values.get("state") is AccountState.FORWARD:
            await self._check_forward(changed)
        return changed

    async def _check_forward(self, account: Account) -> None:
        """Refuse to forward where nobody would get it: the mail would be lost, or go round."""
        target, seen = account.forward, [account.address]
        if target is None:
            raise bad("to forward mail, name the address that it goes to: forward, or --forward ADDR")
        for _ in range(MAX_FORWARDS):
            seen.append(target)
            if target == account.address:
                raise bad(f"forward: the mail would come back: {' -> '.join(map(str, seen))}")
            with in_words(str(target)):
                ours = await self.directory.has_domain(target.domain)
            if not ours and self.sends():
                return
            if not ours:
                raise bad(f"forward: {target} is elsewhere; mail can be forwarded to our own accounts only")
            found = await self._find(target)
            if found is None:
                with in_words(str(target)):
                    alias = await self.directory.alias(target)
                if alias is None:
                    raise bad(f"forward: there is no account {target}")
                return  # where that leads can change at any time; the router minds circles
            if found.state is AccountState.OFF:
                raise bad(f"forward: {target} is off, and takes no mail")
            if found.state is not AccountState.FORWARD or found.forward is None:
                return
            target = found.forward
        raise bad(f"forward: the mail would be forwarded more than {MAX_FORWARDS} times")

    async def _find(self, address: Address) -> Account | None:
        with in_words(str(address)):
            return await self.directory.account(address)

    async def _existing(self, address: Address) -> Account:
        account = await self._find(address)
        if account is None:
            raise refused(str(address), NO_SUCH_ACCOUNT)
        return account

    async def _replace(self, account: Account) -> None:
        with in_words(str(account.address)):
            await self.directory.change_account(account)

    async def _forget_traces(self, address: Address) -> None:
        """Who was told of what happened to whoever had this address; from where and how they logged in."""
        await self.erase(address)
        await self.sightings.forget(address)
        if self.logins is not None:
            await self.logins.forget(address)

    async def _proofs(self, account: Address, password: str) -> tuple[str, bytes]:
        """What a password is checked by: its hash, and the sealed SCRAM verifiers that go with that hash."""
        with in_words("the password"):
            try:
                password_hash = await self.passwords.hash(password)
            except PasswordRefused as error:
                raise bad(str(error)) from error
            if self.vault is None:
                return password_hash, b""
            return password_hash, await self.vault.seal_verifiers(account, password, password_hash)

    async def _keep_verifiers(self, account: Address, sealed: bytes) -> None:
        """Store verifiers after their hash. Until then those of the hash before are there, which nobody can
        log in by: they are bound to it. Whatever stops us here is made good by the next login."""
        if sealed and self.vault is not None:
            try:
                sealed = self.vault.reseal_verifiers(account, sealed) or sealed
            except SealBroken:  # a rotation of keys came to its end since
                sealed = b""
        with suppress(MailFailure):
            await self.directory.keep_verifiers(account, sealed)


def _chosen(password: str | None) -> tuple[str, str | None]:
    """The password, and again where it was generated."""
    if password is None:
        generated = generate_password()
        return generated, generated
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise bad(f"the password is shorter than {MIN_PASSWORD_CHARACTERS} characters")
    return password, None


def new_address(text: str) -> Address:
    """The canonical address of an account to be. Raises RegistryError."""
    address = asked_address(text)
    if not _LOCAL.fullmatch(address.local) or ".." in address.local:
        raise bad(
            f"{text!r} cannot be the name of an account: before the @ stand letters and digits, "
            "and between them . _ - and +"
        )
    _domain_name(address.domain)
    return address


def _domain_name(text: str) -> str:
    try:
        name = normalise_domain(text)
    except AddressSyntaxError as error:
        raise bad(f"{text!r} is no domain: {error}") from error
    if name.startswith("["):
        raise bad(f"{text!r} is an address literal; name a domain")
    return name


def _name(text: object) -> str:
    if not isinstance(text, str):
        raise bad("name is no text")
    if len(text) > MAX_NAME_CHARACTERS:
        raise bad(f"the name is longer than {MAX_NAME_CHARACTERS} characters")
    if not text.isprintable():
        raise bad("the name has a control character")
    return text


def _preference(fields: Mapping[str, object], before: NotifyPreference) -> NotifyPreference:
    """*before* with the fields that are given; a null state or address means: not set."""
    unset = {name for name in ("state", "address") if name in fields and fields[name] is None}
    given = {name: value for name, value in fields.items() if name not in unset}
    changed: dict[str, Any] = {**parsed(_PREFERENCE, given, "notifymail"), **dict.fromkeys(unset)}
    return attrs.evolve(before, **changed)
