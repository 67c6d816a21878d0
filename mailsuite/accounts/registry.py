"""Accounts and domains as those see them who look after them: plain values in and out, clear words.

The control API, and the command line where no server runs, both call this: both do and say the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from mailsuite.accounts.generate import generate_password
from mailsuite.accounts.names import account_address
from mailsuite.accounts.passwords import PasswordRefused, Passwords
from mailsuite.config.kinds import BadValue, Kind, Member, port
from mailsuite.config.names import KnockAddress
from mailsuite.interfaces import IAccountDirectory, ISightings
from mailsuite.model.account import Account, Domain, NotifyPreference, NotifyState
from mailsuite.model.address import Address, AddressSyntaxError, normalise_domain
from mailsuite.model.failure import MailFailure
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_ACCOUNT, READ_ONLY, Reply

MIN_PASSWORD_CHARACTERS = 8
"""NIST SP 800-63B section 5.1.1.2 asks for as many where a person chooses."""
MAX_NAME_CHARACTERS = 200
"""As ``account.name`` in the configuration."""

Document = dict[str, Any]
ErrorKind = Literal["bad-request", "not-found", "exists", "read-only", "unavailable"]

_LOCAL = re.compile(r"[a-z0-9]([a-z0-9._+-]*[a-z0-9])?")
"""What a new account may be called; narrower than what mail allows, because it names a folder."""

_PREFERENCE: Final[dict[str, Kind[Any]]] = {
    "state": Member(NotifyState),
    "address": KnockAddress(),
    "port": port(),
}
_KINDS: Final[dict[Reply, ErrorKind]] = {
    ALREADY_EXISTS: "exists",
    NO_SUCH_ACCOUNT: "not-found",
    READ_ONLY: "read-only",
}


class RegistryError(Exception):
    """It cannot be done; ``text`` says why, in words for a person."""

    def __init__(self, kind: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind: ErrorKind = kind
        self.text = text


@attrs.frozen
class Registry:
    """What can be done with accounts and domains. Every method raises RegistryError.

    A new account starts unseen, whoever had its address before. *removed* is told of each removal: the
    account's sessions end.
    """

    directory: IAccountDirectory
    passwords: Passwords
    sightings: ISightings
    removed: Callable[[Address], None] = lambda address: None
    objection: Callable[[NotifyPreference], str] = lambda preference: ""
    """Why a preference for notices would have no effect, in words; empty where it has."""

    async def accounts(self) -> list[Document]:
        """All accounts, sorted by domain, then local part."""
        with _in_words("the accounts"):
            return [_account(account) for account in await self.directory.accounts()]

    async def account(self, address: str) -> Document:
        """One account."""
        return _account(await self._existing(_address(address)))

    async def add_account(
        self, address: str, name: str, password: str | None, notifymail: Mapping[str, object] | None = None
    ) -> tuple[Document, str | None]:
        """Make an account. With *password* None one is generated, and answered beside the account."""
        new = Account(
            _new_address(address), _name(name), notify=self._preference(notifymail or {}, NotifyPreference())
        )
        if await self._find(new.address) is not None:
            raise _refused(str(new.address), ALREADY_EXISTS)
        password_hash, generated = await self._hash(password)
        new = attrs.evolve(new, password_hash=password_hash)
        with _in_words(str(new.address)):
            await self.sightings.forget(new.address)
            await self.directory.add_account(new)
        return _account(new), generated

    async def set_password(self, address: str, password: str | None) -> tuple[Document, str | None]:
        """Replace the password. With None one is generated, and answered beside the account."""
        wanted = _address(address)
        await self._existing(wanted)
        password_hash, generated = await self._hash(password)
        changed = attrs.evolve(await self._existing(wanted), password_hash=password_hash)
        await self._replace(changed)
        return _account(changed), generated

    async def change_account(
        self, address: str, name: str | None, notifymail: Mapping[str, object] | None
    ) -> Document:
        """Change the name, or those fields of the preference that *notifymail* has; None changes nothing."""
        account = await self._existing(_address(address))
        if name is not None:
            account = attrs.evolve(account, name=_name(name))
        if notifymail is not None:
            account = attrs.evolve(account, notify=self._preference(notifymail, account.notify))
        await self._replace(account)
        return _account(account)

    async def remove_account(self, address: str) -> None:
        """Remove an account; its mail stays."""
        wanted = _address(address)
        with _in_words(str(wanted)):
            await self.directory.remove_account(wanted)
        self.removed(wanted)
        with suppress(MailFailure):  # removed it is; whoever gets the address next is unseen in any case
            await self.sightings.forget(wanted)

    async def domains(self) -> list[Document]:
        """All domains, sorted by name."""
        with _in_words("the domains"):
            domains = await self.directory.domains()
            counted = Counter(account.address.domain for account in await self.directory.accounts())
        return [_domain(domain, counted[domain.name]) for domain in domains]

    async def add_domain(self, name: str) -> Document:
        """Take mail for one more domain."""
        new = Domain(_domain_name(name))
        with _in_words(new.name):
            await self.directory.add_domain(new.name)
        return _domain(new, 0)

    def _preference(self, wanted: Mapping[str, object], present: NotifyPreference) -> NotifyPreference:
        """*present* with the fields that *wanted* has. Refuses what would silently have no effect."""
        preference = _preference(wanted, present)
        if wanted and (reason := self.objection(preference)):
            raise _bad(f"notifymail: {reason}")
        return preference

    async def _find(self, address: Address) -> Account | None:
        with _in_words(str(address)):
            return await self.directory.account(address)

    async def _existing(self, address: Address) -> Account:
        account = await self._find(address)
        if account is None:
            raise _refused(str(address), NO_SUCH_ACCOUNT)
        return account

    async def _replace(self, account: Account) -> None:
        with _in_words(str(account.address)):
            await self.directory.change_account(account)

    async def _hash(self, password: str | None) -> tuple[str, str | None]:
        """The hash of *password*, or of a generated one, which is answered too."""
        generated = None
        if password is None:
            password = generated = generate_password()
        elif len(password) < MIN_PASSWORD_CHARACTERS:
            raise _bad(f"the password is shorter than {MIN_PASSWORD_CHARACTERS} characters")
        with _in_words("the password"):
            try:
                return await self.passwords.hash(password), generated
            except PasswordRefused as error:
                raise _bad(str(error)) from error


def _bad(text: str) -> RegistryError:
    return RegistryError("bad-request", text)


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """What the directory refuses, as what it means to the person who asked about *what*."""
    try:
        yield
    except MailFailure as error:
        raise _refused(what, error.reply) from error


def _refused(what: str, reply: Reply) -> RegistryError:
    words = " ".join(reply.text)
    return RegistryError(_KINDS.get(reply, "unavailable"), f"{what}: {words[:1].lower()}{words[1:]}")


def _address(text: str) -> Address:
    """The address of an account that may be there."""
    if "@" not in text:
        raise _bad(f"{text!r} is no address: there is no @ in it")
    try:
        return account_address(text)
    except AddressSyntaxError as error:
        raise _bad(f"{text!r} is no address of an account: {error}") from error


def _new_address(text: str) -> Address:
    address = _address(text)
    if not _LOCAL.fullmatch(address.local) or ".." in address.local:
        raise _bad(
            f"{text!r} cannot be the name of an account: before the @ stand letters and digits, "
            "and between them . _ - and +"
        )
    _domain_name(address.domain)
    return address


def _domain_name(text: str) -> str:
    try:
        name = normalise_domain(text)
    except AddressSyntaxError as error:
        raise _bad(f"{text!r} is no domain: {error}") from error
    if name.startswith("["):
        raise _bad(f"{text!r} is an address literal; name a domain")
    return name


def _name(text: str) -> str:
    if len(text) > MAX_NAME_CHARACTERS:
        raise _bad(f"the name is longer than {MAX_NAME_CHARACTERS} characters")
    if not text.isprintable():
        raise _bad("the name has a control character")
    return text


def _preference(fields: Mapping[str, object], before: NotifyPreference) -> NotifyPreference:
    """*before* with the fields that are given; a null state or address means: not set."""
    changed: dict[str, Any] = {}
    for name, value in fields.items():
        kind = _PREFERENCE.get(name)
        if kind is None:
            raise _bad(f"notifymail has no field {name!r}; it has state, address and port")
        if value is None and name != "port":
            changed[name] = None
            continue
        try:
            changed[name] = kind.parse(value, Path("/"))
        except BadValue as error:
            raise _bad(f"notifymail.{name}: {error}") from error
    return attrs.evolve(before, **changed)


def _account(account: Account) -> Document:
    preference = account.notify
    return {
        "address": str(account.address),
        "name": account.name,
        "origin": account.origin.value,
        "password": bool(account.password_hash),
        "notifymail": {
            "state": None if preference.state is None else preference.state.value,
            "address": None if preference.address is None else str(preference.address),
            "port": preference.port,
        },
    }


def _domain(domain: Domain, accounts: int) -> Document:
    return {"name": domain.name, "origin": domain.origin.value, "accounts": accounts}
