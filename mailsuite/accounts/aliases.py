"""Aliases as those see them who look after accounts: plain values in and out, clear words.

The control API, and the command line where no server runs, both call this: both do and say the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import attrs
from twisted.internet.defer import DeferredLock

from mailsuite.accounts.documents import Document
from mailsuite.accounts.refusal import RegistryError, bad, in_words, refused
from mailsuite.config.kinds_routing import DISCARD, DISCARDS, alias_target
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.alias import MAX_EXPANSION, Alias
from mailsuite.model.reply import NO_SUCH_ALIAS

MAX_TARGETS = 1_000
MAX_TARGET_OCTETS = 40_000
"""Of one alias, together; our own limits, which fit into a request to the control API. Larger lists are
made of several."""

Outcome = Literal["made", "changed", "unchanged", "refused"]


def alias_document(alias: Alias) -> Document:
    """One alias, as JSON has it; the shape is part of the control API."""
    return {
        "address": str(alias.address),
        "targets": [str(target) for target in alias.targets],
        "discards": not alias.targets,
        "origin": alias.origin.value,
    }


@attrs.frozen
class ImportedAlias:
    """One alias out of another server's file."""

    line: int
    address: str
    targets: tuple[str, ...]


@attrs.frozen
class AliasResult:
    """What came of it."""

    line: int
    address: str
    outcome: Outcome
    reason: str = ""


@attrs.frozen
class AliasRegistry:
    """What can be done with aliases. Every method raises RegistryError."""

    directory: IAccountDirectory
    sends: Callable[[], bool] = lambda: False
    """Whether mail for other servers can be sent on; else no alias leads there."""
    turn: DeferredLock = attrs.field(factory=DeferredLock)
    """Held by whoever changes aliases: one is read, changed and written as a whole."""

    async def aliases(self, target: str | None = None) -> list[Document]:
        """All aliases, sorted by domain, then local part; with *target* those that lead there at once."""
        with in_words("the aliases"):
            if target is None:
                return [alias_document(alias) for alias in await self.directory.aliases()]
            leading = await self.directory.aliases_to(_address(target))
            found = [await self.directory.alias(address) for address in leading]
            return [alias_document(alias) for alias in found if alias is not None]

    async def alias(self, address: str) -> Document:
        """One alias, those that lead to it, and which of its targets are nobody's."""
        alias = await self._existing(_address(address))
        with in_words(str(alias.address)):
            leading = await self.directory.aliases_to(alias.address)
        return {
            "alias": alias_document(alias),
            "aliases": [str(other) for other in leading],
            "nobody": [str(target) for target in await self._nobody(alias.targets)],
        }

    async def add(self, address: str, targets: Sequence[str]) -> tuple[Document, bool]:
        """Make an alias, or add to the targets of one; whether it is new."""
        wanted = _address(address)
        async with self.turn:
            present = await self._find(wanted)
            alias = await self._with(wanted, targets, present)
            await self._put(alias, present)
        nobody = [str(target) for target in await self._nobody(alias.targets)]
        return {"alias": alias_document(alias), "nobody": nobody}, present is None

    async def remove(self, address: str, targets: Sequence[str] = ()) -> Document:
        """Remove an alias, or, where some are named, these of its targets. Answers what is left."""
        wanted = _address(address)
        async with self.turn:
            return await self._remove(wanted, targets)

    async def _remove(self, wanted: Address, targets: Sequence[str]) -> Document:
        present = await self._existing(wanted)
        away = [_target(text, wanted) for text in targets]
        for target in away:
            if target not in present.targets:
                raise bad(f"{wanted} does not lead to {target}")
        left = tuple(target for target in present.targets if target not in away)
        if away and not left:
            raise bad(f"{wanted} would lead to nobody; to remove it, name no target")
        with in_words(str(wanted)):
            if away:
                await self.directory.change_alias(attrs.evolve(present, targets=left))
            else:
                await self.directory.remove_alias(wanted)
        return {"alias": alias_document(attrs.evolve(present, targets=left)) if away else None}

    async def take(
        self, aliases: Iterable[ImportedAlias], *, overwrite: bool, dry_run: bool
    ) -> list[AliasResult]:
        """One after the other, whatever comes of each. What is there stays as it is but with *overwrite*;
        with *dry_run* everything does. Taking the same aliases a second time changes nothing."""
        return [await self._result(alias, overwrite, dry_run) for alias in aliases]

    async def _result(self, imported: ImportedAlias, overwrite: bool, dry_run: bool) -> AliasResult:
        try:
            async with self.turn:
                outcome = await self._take(imported, overwrite, dry_run)
        except RegistryError as error:
            return AliasResult(imported.line, imported.address, "refused", error.text)
        return AliasResult(imported.line, imported.address, outcome)

    async def _take(self, imported: ImportedAlias, overwrite: bool, dry_run: bool) -> Outcome:
        wanted = _address(imported.address)
        present = await self._find(wanted)
        alias = await self._with(wanted, imported.targets, None)
        if present is not None and (present.targets == alias.targets or not overwrite):
            return "unchanged"
        if not dry_run:
            await self._put(alias, present)
        return "made" if present is None else "changed"

    async def _with(self, wanted: Address, texts: Sequence[str], present: Alias | None) -> Alias:
        """The alias with these targets beside those it has. Refuses what would lead nowhere at all."""
        await self._check_name(wanted)
        if len(texts) == 1 and texts[0] in DISCARDS:
            if present is not None and present.targets:
                raise bad(f"{wanted} leads to somebody; to throw its mail away, remove it first")
            return Alias(wanted)
        if not texts:
            raise bad(f"{wanted} needs somebody to lead to, or {DISCARD}")
        if present is not None and not present.targets:
            raise bad(f"{wanted} throws mail away; to send it to somebody, remove it first")
        new = [_target(text, wanted) for text in texts]
        targets = tuple(dict.fromkeys((*(present.targets if present is not None else ()), *new)))
        if len(targets) > MAX_TARGETS or sum(len(str(target)) + 4 for target in targets) > MAX_TARGET_OCTETS:
            raise bad(
                f"{wanted} would have too many targets; make several aliases, and one that leads to them"
            )
        for target in new:
            await self._check_target(wanted, target)
        return Alias(wanted, targets)

    async def _check_name(self, wanted: Address) -> None:
        with in_words(str(wanted)):
            if not await self.directory.has_domain(wanted.domain):
                raise bad(
                    f"{wanted.domain} is no domain of ours; for that: mailsuite domain add {wanted.domain}"
                )
            if await self.directory.account(wanted) is not None:
                raise RegistryError("exists", f"{wanted} is an account, which gets its mail itself")

    async def _check_target(self, wanted: Address, target: Address) -> None:
        """Refuse what leads elsewhere, as long as nobody sends mail there, and what leads back."""
        ahead, seen = deque([target]), {target}
        with in_words(str(target)):
            if not self.sends() and not await self.directory.has_domain(target.domain):
                raise bad(f"{target} is elsewhere; mail can go to our own addresses only")
            while ahead and len(seen) <= MAX_EXPANSION:
                here = ahead.popleft()
                if here == wanted:
                    raise bad(f"{target} leads back to {wanted}")
                alias = (
                    None
                    if await self.directory.account(here) is not None
                    else await self.directory.alias(here)
                )
                further = [each for each in (alias.targets if alias is not None else ()) if each not in seen]
                seen.update(further)
                ahead.extend(further)

    async def _nobody(self, targets: Iterable[Address]) -> list[Address]:
        """Those in domains of ours that are neither accounts nor aliases as they stand."""
        with in_words("the targets"):
            return [
                target
                for target in targets
                if await self.directory.has_domain(target.domain)
                and await self.directory.account(target) is None
                and await self.directory.alias(target) is None
            ]

    async def _put(self, alias: Alias, present: Alias | None) -> None:
        with in_words(str(alias.address)):
            await (self.directory.add_alias(alias) if present is None else self.directory.change_alias(alias))

    async def _find(self, address: Address) -> Alias | None:
        with in_words(str(address)):
            return await self.directory.alias(address)

    async def _existing(self, address: Address) -> Alias:
        alias = await self._find(address)
        if alias is None:
            raise refused(str(address), NO_SUCH_ALIAS)
        return alias


def _address(text: str) -> Address:
    try:
        return Address.parse(text).canonical
    except AddressSyntaxError as error:
        raise bad(f"{text!r} is no address: {error}") from error


def _target(text: str, alias: Address) -> Address:
    if text in DISCARDS:
        raise bad(f"{text} stands alone, or not at all")
    try:
        return alias_target(text, alias.domain)
    except AddressSyntaxError as error:
        raise bad(f"{text!r} is no target of an alias: {error}") from error


def alias_to_json(alias: ImportedAlias) -> dict[str, Any]:
    """As a request to the control API has it."""
    return attrs.asdict(alias)


def alias_from_json(document: object) -> ImportedAlias:
    """The alias that alias_to_json() wrote. Raises RegistryError."""
    match document:
        case {"line": int(line), "address": str(address), "targets": [*targets]}:
            if all(isinstance(target, str) for target in targets):
                return ImportedAlias(line, address, tuple(targets))
    raise bad("an alias to import has a line, an address, and targets")
