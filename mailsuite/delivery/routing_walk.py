"""Where the mail for one recipient goes in the end: a walk through aliases and forwards, breadth first.

Every name is reached by its shortest way, so the bound on nesting cuts off nobody who is nearer than that;
and what was walked through once is not again, so the walk ends, and nobody gets two copies.
"""

from __future__ import annotations

from collections import deque

import attrs

from mailsuite.delivery.routing_names import End, Found, Group, Names, Person
from mailsuite.delivery.routing_words import Words
from mailsuite.model.account import AccountState
from mailsuite.model.address import MAX_LOCAL_OCTETS, Address
from mailsuite.model.alias import MAX_EXPANSION, MAX_NESTING
from mailsuite.model.facts import Copy, Route, RouteKind
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import EXPANSION_TOO_LONG
from mailsuite.model.turns import STEPS_IN_A_ROW, Turn, go_on


@attrs.frozen
class _Step:
    """A name on the way."""

    name: Address
    owner: Address | None = None
    """Who leads to it: an account that forwards, or an alias; None where the sender named it."""
    tag: str = ""
    """What the name on the way to it had behind its delimiter."""
    depth: int = 0
    way: tuple[Address, ...] = ()
    """The accounts and aliases that were walked through to it."""


@attrs.define(eq=False)
class Walk:
    """One walk, from one recipient."""

    _names: Names
    _words: Words | None = None
    """Who is told of each step."""
    _turn: Turn = go_on
    """Between the steps of a long way: all others are served meanwhile."""
    _steps: int = attrs.field(default=0, init=False)
    _ahead: deque[_Step] = attrs.field(factory=deque, init=False)
    _seen: set[Address] = attrs.field(factory=set, init=False)
    _reached: int = attrs.field(default=0, init=False)
    _copies: dict[Address, Copy] = attrs.field(factory=dict, init=False)
    _remotes: dict[Address, None] = attrs.field(factory=dict, init=False)
    _returns: bool = attrs.field(default=False, init=False)
    _discarded: bool = attrs.field(default=False, init=False)
    _dead: tuple[RouteKind, Address] | None = attrs.field(default=None, init=False)
    """The first dead end: of which kind, and who leads to it."""
    _forwarding: set[Address] = attrs.field(factory=set, init=False)
    """Accounts that forward."""
    _ways: dict[Address, tuple[Address, ...]] = attrs.field(factory=dict, init=False)
    """How accounts and remotes were reached first."""
    _crossings: set[Address] = attrs.field(factory=set, init=False)
    """What was reached by more than one way."""
    _circle: Address | None = attrs.field(default=None, init=False)
    """Who leads to what was walked through before, where somebody does."""

    async def route(self, recipient: Address, bare: bool) -> Route:
        """Walk it. Fails as the directory does, and raises TemporaryFailure(EXPANSION_TOO_LONG)."""
        step = _Step(recipient)
        while True:
            found = await self._names.find(step.name, bare)
            if self._words is not None:
                self._words.found(step.name, found)
            refusal = self._take(step, found)
            if refusal is not None:
                return refusal
            if not self._ahead:
                return self._outcome()
            step, bare = self._ahead.popleft(), False
            self._steps += 1
            if self._steps % STEPS_IN_A_ROW == 0:
                await self._turn()

    def _take(self, step: _Step, found: Found) -> Route | None:
        """Do what has been found; answers the route where the sender named a dead end himself."""
        if isinstance(found, Person):
            return self._person(step, found)
        if isinstance(found, Group):
            self._group(step, found)
            return None
        if found is End.ELSEWHERE:
            return self._elsewhere(step)
        kind = RouteKind.LIMITED if found is End.LIMITED else RouteKind.STRANDED
        if step.owner is None:
            return Route(RouteKind.LIMITED if found is End.LIMITED else RouteKind.UNKNOWN)
        self._end(kind, step.owner)
        return None

    def _person(self, step: _Step, found: Person) -> Route | None:
        account = found.account
        if account.address in self._seen:
            self._again(step, account.address)
            return None
        self._seen.add(account.address)
        if account.state is AccountState.OFF:
            if step.owner is None:
                return Route(RouteKind.OFF)
            self._end(RouteKind.STRANDED, step.owner)
            return None
        forwards = account.state is AccountState.FORWARD
        if not forwards or account.keep_copy:
            self._copies[account.address] = Copy(
                account.address, _tagged(account.address, found.tag or step.tag)
            )
            self._ways[account.address] = step.way
        if forwards:
            self._forwarding.add(account.address)
            here = attrs.evolve(step, owner=account.address, tag="", way=(*step.way, account.address))
            self._lead(here, account.forward, account.address)
        return None

    def _group(self, step: _Step, group: Group) -> None:
        if group.key in self._seen:
            self._again(step, group.key)
            return
        self._seen.add(group.key)
        self._discarded |= not group.targets
        self._returns |= group.by == "return"
        here = attrs.evolve(
            step,
            owner=step.owner if group.is_passage else group.key,
            tag=group.tag or step.tag,
            way=(*step.way, group.key),
        )
        for target in group.targets:
            self._lead(here, target, group.key)

    def _elsewhere(self, step: _Step) -> Route | None:
        if step.owner is not None:
            if self._names.rules.sends:
                if step.name in self._remotes:
                    self._crossings.add(step.name)
                self._remotes[step.name] = None
                self._ways.setdefault(step.name, step.way)
            else:
                self._end(RouteKind.STRANDED, step.owner)
            return None
        if step.depth == 0:
            return Route(RouteKind.REMOTE, remotes=(step.name,))
        if self._names.rules.sends and step.name == self._names.admin:
            self._remotes[step.name] = None
            return None
        return Route(RouteKind.UNKNOWN)  # a domain of ours that stands for one that is not

    def _lead(self, here: _Step, target: Address | None, key: Address) -> None:
        """Go on to *target* later; *key* is who leads there."""
        if target is None:
            self._end(RouteKind.STRANDED, key)
        elif here.depth == MAX_NESTING:
            self._end(RouteKind.LOOP, key)
        else:
            self._reached += 1
            if self._reached > MAX_EXPANSION:
                raise TemporaryFailure(
                    EXPANSION_TOO_LONG, f"{key} and others lead to more than {MAX_EXPANSION} addresses"
                )
            self._ahead.append(attrs.evolve(here, name=target, depth=here.depth + 1))

    def _end(self, kind: RouteKind, owner: Address) -> None:
        if self._dead is None:
            self._dead = kind, owner
        if self._words is not None:
            self._words.ended(kind, owner)

    def _again(self, step: _Step, key: Address) -> None:
        self._crossings.add(key)
        if self._circle is None:
            self._circle = step.owner or key
        if self._words is not None:
            self._words.again(key)

    def _outcome(self) -> Route:
        kind, dead_end = self._dead or (RouteKind.LOCAL, None)
        if self._copies or self._remotes:
            return Route(
                RouteKind.LOCAL,
                tuple(self._copies.values()),
                tuple(self._remotes),
                dead_end,
                returns=self._returns,
                forwarders={name: by for name in self._ways if (by := self._forwarders(name))},
            )
        if dead_end is not None or self._discarded:
            return Route(kind, dead_end=dead_end)
        return Route(RouteKind.LOOP, dead_end=self._circle)

    def _forwarders(self, name: Address) -> tuple[Address, ...]:
        """Those on every way to *name*, as far as can be said: not those before where ways meet."""
        last: list[Address] = []
        for each in reversed(() if name in self._crossings else self._ways[name]):
            if each in self._forwarding:
                last.append(each)
            if each in self._crossings:
                break
        return tuple(reversed(last))


def _tagged(account: Address, tag: str) -> Address:
    """The account as it was named; a tag that makes it too long for an address is left out."""
    local = account.local + tag
    return (
        Address(local, account.domain)
        if len(local.encode("utf-8", "replace")) <= MAX_LOCAL_OCTETS
        else account
    )
