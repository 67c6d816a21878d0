"""Whatever graph aliases, forwards and domains make: a route ends, doubles nothing, and loses nobody."""

from __future__ import annotations

from collections import deque

import attrs
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.concurrent.now import run_now
from mailsuite.delivery.router import Router, RoutingRules
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, AccountState, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import MAX_NESTING, Alias
from mailsuite.model.facts import RouteKind

A, B, C, AWAY = "a.example", "b.example", "c.example", "away.example"
NAMES = [Address(f"n{number}", domain) for domain in (A, B, C) for number in range(8)]
ANYWHERE = [*NAMES, Address("n0", AWAY), Address("n1", AWAY)]

targets = st.lists(st.sampled_from(ANYWHERE), max_size=5).map(tuple)
standings = st.sampled_from(AccountState)
people = st.one_of(
    st.none(),
    st.builds(Alias, st.just(NAMES[0]), targets),
    st.builds(
        Account,
        st.just(NAMES[0]),
        state=standings,
        forward=st.sampled_from([None, *ANYWHERE]),
        keep_copy=st.booleans(),
    ),
)
domains = st.sampled_from(["", A, B, C, AWAY])


@attrs.frozen
class World:
    """What stands behind each name, and which domain stands for which."""

    behind: dict[Address, Alias | Account | None]
    same: dict[str, str]
    sends: bool

    def router(self) -> Router:
        directory = MemoryDirectory(
            [one for one in self.behind.values() if isinstance(one, Account)],
            [Domain(name, same_as=same) for name, same in self.same.items()],
            initial_aliases=[one for one in self.behind.values() if isinstance(one, Alias)],
        )
        return Router(directory, A, None, RoutingRules(sends=self.sends))

    def next(self, name: Address) -> tuple[tuple[Address, ...], bool]:
        """Where the mail for a name goes on to, and whether it stays there."""
        one = self.behind.get(name)
        if isinstance(one, Alias):
            return one.targets, False
        if one is None:
            same = self.same.get(name.domain, "")
            return ((Address(name.local, same),) if same else ()), name.domain == AWAY and self.sends
        if one.state is AccountState.FORWARD:
            return (one.forward,) if one.forward else (), one.keep_copy
        return (), one.state is AccountState.ENABLED

    def reached(self, start: Address) -> set[Address]:
        """By a search of its own: who is to have the mail, within the bound of nesting."""
        depths, ahead, takers = {start: 0}, deque([start]), set()
        while ahead:
            name = ahead.popleft()
            onward, stays = self.next(name)
            if stays:
                takers.add(name)
            for target in onward:
                if target not in depths and depths[name] < MAX_NESTING:
                    depths[target] = depths[name] + 1
                    ahead.append(target)
        return takers


@st.composite
def worlds(draw: st.DrawFn) -> World:
    behind = {name: draw(people) for name in NAMES}
    named = {name: one and attrs.evolve(one, address=name) for name, one in behind.items()}
    return World(named, {name: draw(domains) for name in (A, B, C)}, draw(st.booleans()))


@given(worlds(), st.sampled_from(NAMES))
def test_a_route_ends_doubles_nothing_and_loses_nobody(world: World, start: Address) -> None:
    route = run_now(world.router().route(start))
    assert len(set(route.accounts)) == len(route.copies)
    assert len(set(route.remotes)) == len(route.remotes)
    expected = world.reached(start)
    away = {name for name in expected if name.domain == AWAY}
    named_away = next_away(world, start)
    assert set(route.accounts) == expected - away
    assert set(route.remotes) == (set() if named_away else away)
    assert (route.kind is RouteKind.LOCAL) >= bool(route.copies or route.remotes)
    if route.kind is not RouteKind.LOCAL:
        assert not route.copies
        assert not route.remotes


def next_away(world: World, start: Address) -> bool:
    """Whether the name is one of a domain that stands for one that is not ours: that is no relay."""
    seen: set[Address] = set()
    while start not in seen and start.domain != AWAY:
        seen.add(start)
        onward, _ = world.next(start)
        if world.behind.get(start) is not None or not onward:
            return False
        (start,) = onward
    return start.domain == AWAY


@given(worlds(), st.sampled_from(NAMES))
def test_explaining_changes_nothing_and_tells_something(world: World, start: Address) -> None:
    router = world.router()
    explained = run_now(router.explain(start))
    assert attrs.evolve(explained, steps=()) == run_now(router.route(start))
    assert explained.steps
    assert all(step.isprintable() for step in explained.steps)


@given(st.text(min_size=1, max_size=64), st.sampled_from([A, B, C, AWAY, ""]))
def test_whatever_a_stranger_writes_has_a_route(local: str, domain: str) -> None:
    catching = MemoryDirectory([Account(NAMES[0])], [Domain(A, catch_all=(NAMES[0],)), Domain(B, same_as=A)])
    route = run_now(
        Router(catching, A, NAMES[0], RoutingRules("+-_", sends=True)).route(Address(local, domain))
    )
    assert route.accounts in {(), (NAMES[0],)}
    assert route.remotes in {(), (Address(local, domain),)}
    assert (route.kind is RouteKind.REMOTE) == (domain in {C, AWAY})
