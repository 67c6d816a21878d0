"""Takes accounts in that another server had: hashes as they are, passwords hashed at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from mailsuite.accounts.import_file import ImportedAccount, Outcome, Result
from mailsuite.accounts.passwords import PasswordRefused
from mailsuite.accounts.refusal import RegistryError, bad, in_words, refused
from mailsuite.accounts.registry import Registry, new_address
from mailsuite.model.account import Account
from mailsuite.model.hashes.stored import read_hash
from mailsuite.model.hashes.values import HashRefused
from mailsuite.model.origin import Origin
from mailsuite.model.reply import READ_ONLY

_TYPES: Final = {"line": int, "address": str, "password_hash": str, "password": str, "fields": dict}


@attrs.frozen
class Importer:
    """Makes accounts by the rules of *registry*.

    What is there already is left alone: its owner may have another password by now. With *overwrite* it
    becomes what the file says, as far as the file says something. Taking the same accounts a second time
    changes nothing, unless somebody changed them meanwhile. With *rehearse* nothing is changed the first
    time either.
    """

    registry: Registry
    overwrite: bool = False
    rehearse: bool = False

    async def take(self, accounts: Iterable[ImportedAccount]) -> list[Result]:
        """One after the other, whatever comes of each."""
        return [await self._result(account) for account in accounts]

    async def _result(self, imported: ImportedAccount) -> Result:
        try:
            with in_words(imported.address):
                outcome = await self._take(imported)
        except RegistryError as error:
            return Result(imported.line, imported.address, "refused", error.text)
        except (HashRefused, PasswordRefused) as error:
            return Result(imported.line, imported.address, "refused", str(error))
        lacking = outcome == "made" and not (imported.password_hash or imported.password)
        return Result(imported.line, imported.address, outcome, "it has no password" if lacking else "")

    async def _take(self, imported: ImportedAccount) -> Outcome:
        address = new_address(imported.address)
        if imported.password_hash:
            read_hash(imported.password_hash)
        present = await self.registry.directory.account(address)
        if present is None:
            return await self._make(Account(address), imported)
        if not self.overwrite:
            return "unchanged"
        return await self._change(present, imported)

    async def _make(self, account: Account, imported: ImportedAccount) -> Outcome:
        account = await self.registry.with_fields(account, imported.fields)
        if not self.rehearse:
            password_hash = await self._hash(imported)
            await self.registry.enter(attrs.evolve(account, password_hash=password_hash))
        return "made"

    async def _change(self, present: Account, imported: ImportedAccount) -> Outcome:
        differs = await self.registry.with_fields(present, imported.fields) != present
        another = await self._has_another_password(present, imported)
        if (differs or another) and present.origin is Origin.FILE:
            raise refused(str(present.address), READ_ONLY)
        if differs and not self.rehearse:
            await self.registry.change_account(str(present.address), imported.fields)
        if another and not self.rehearse:
            await self.registry.replace_hash(present.address, await self._hash(imported))
        return "changed" if differs or another else "unchanged"

    async def _has_another_password(self, present: Account, imported: ImportedAccount) -> bool:
        """Whether the file says a password, and it is not the one that is there."""
        if imported.password:
            stored = present.password_hash
            return not await self.registry.passwords.verify(stored, imported.password, present.address)
        return imported.password_hash not in {"", present.password_hash}

    async def _hash(self, imported: ImportedAccount) -> str:
        if imported.password:
            return await self.registry.passwords.hash(imported.password)
        return imported.password_hash


def account_to_json(account: ImportedAccount) -> dict[str, Any]:
    """As a request to the control API has it; what is empty is left out."""
    return {name: value for name, value in attrs.asdict(account).items() if value}


def account_from_json(document: object) -> ImportedAccount:
    """The account that account_to_json() wrote. Raises RegistryError, which quotes nothing."""
    if not isinstance(document, Mapping):
        raise bad("an account to import is no object")
    for name, value in document.items():
        kind = _TYPES.get(name)
        if kind is None:
            raise bad(f"an account to import has {', '.join(_TYPES)}, and nothing else")
        if not isinstance(value, kind):
            raise bad(f"{name} of an account to import is no {kind.__name__}")
    if "line" not in document or "address" not in document:
        raise bad("an account to import has a line and an address")
    if document.get("password") and document.get("password_hash"):
        raise bad("an account to import has a password or a hash, not both")
    return ImportedAccount(**document)
