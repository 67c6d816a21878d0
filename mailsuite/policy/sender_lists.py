"""Senders that no mail is taken from: kill files and accept lists (features row S-I09)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Final, Protocol

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IAccountDirectory, IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Note, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.reply import SENDER_BLOCKED
from mailsuite.model.sender_list import SenderEntry, SenderList, SenderSet
from mailsuite.model.turns import STEPS_IN_A_ROW, Turn, go_on

MAX_NAMED: Final = 5
"""Accounts that the log names; of more, how many they are."""


@attrs.frozen
class SenderRules:
    """What the settings of a door say: entries, and files with more of them."""

    block: tuple[SenderEntry, ...] = ()
    block_files: tuple[Path, ...] = ()
    accept: tuple[SenderEntry, ...] = ()
    accept_files: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys((*self.block_files, *self.accept_files)))


def compiled(rules: SenderRules, files: Mapping[Path, Iterable[SenderEntry]]) -> SenderList:
    """The list that *rules* mean, with the contents of their files."""

    def entries(inline: tuple[SenderEntry, ...], paths: tuple[Path, ...]) -> SenderSet:
        return SenderSet.of((*inline, *(entry for path in paths for entry in files[path])))

    return SenderList(entries(rules.block, rules.block_files), entries(rules.accept, rules.accept_files))


class Lists(Protocol):
    """Who keeps the lists: policy/sender_files.py."""

    def list_of(self, rules: SenderRules) -> SenderList:
        """The list of *rules* as it is now."""
        ...


@implementer(IPolicyRule)
@attrs.frozen
class BlockedSenders:
    """Refuses a sender whom nobody of those who would get the message takes mail from. Whoever is nearest to
    the owner has the word: what the account says, else its domain, else the door; and in each place whom it
    accepts before whom it blocks. Where a recipient is several accounts, those who block the sender get no
    copy, and the others theirs; what an account does not take it does not forward either.

    The null reverse-path is on no list: notices of other servers have it (RFC 5321 section 4.5.5). Who has
    logged in is no stranger, and never blocked.
    """

    directory: IAccountDirectory
    lists: Lists
    rules: SenderRules = SenderRules()
    """Of the door."""
    turn: Turn = go_on
    """Between many accounts: all others are served meanwhile."""
    name: str = "blocked-senders"
    asked_at: ClassVar = frozenset({Stage.RECIPIENT})

    async def check(self, facts: StageFacts) -> Verdict:
        sender, route = facts.sender, facts.route
        if facts.stage is not Stage.RECIPIENT or route is None:
            return Accept()
        if sender is None or facts.connection.account is not None:
            return Accept()
        at_the_door = bool(self.lists.list_of(self.rules).blocks(sender))
        asked: dict[Address, bool | None] = {}
        left_out = []
        ways = [(name, route.forwarders.get(name, ())) for name in route.remotes]
        ways += [(name, (*route.forwarders.get(name, ()), name)) for name in route.accounts]
        for name, accounts in ways:
            for account in accounts:
                if account not in asked:
                    asked[account] = await self._blocks(account, sender)
                    if len(asked) % STEPS_IN_A_ROW == 0:
                        await self.turn()
            said = [own for account in accounts if (own := asked[account]) is not None]
            if any(said) if said else at_the_door:
                left_out.append(name)
        everybody = len(ways)
        if not everybody:
            return Refuse(SENDER_BLOCKED) if at_the_door else Accept()
        if len(left_out) == everybody:
            return Refuse(SENDER_BLOCKED)
        return Accept(left_out=tuple(left_out), note=_note(facts, left_out)) if left_out else Accept()

    async def _blocks(self, account: Address, sender: Address) -> bool | None:
        """What an account and its domain say. Fails as the directory does."""
        found = await self.directory.account(account)
        own = None if found is None else found.senders.blocks(sender)
        if own is not None:
            return own
        domain = await self.directory.domain(account.domain)
        return None if domain is None else domain.senders.blocks(sender)


def _note(facts: StageFacts, left_out: list[Address]) -> Note:
    named = " ".join(map(str, left_out[:MAX_NAMED]))
    fields = (("sender", facts.sender), ("recipient", facts.recipient), ("accounts", named))
    return Note("senders.left_out", (*fields, ("count", len(left_out))), level="info")
