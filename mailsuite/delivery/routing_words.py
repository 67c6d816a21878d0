"""What a walk through aliases and forwards has met, in words for a person (``mailsuite route``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from mailsuite.delivery.routing_names import End, Found, Group, Person
from mailsuite.model.account import AccountState
from mailsuite.model.address import Address
from mailsuite.model.alias import MAX_NESTING
from mailsuite.model.facts import RouteKind

MAX_STEPS: Final = 200
"""Lines; of a longer way the rest is only counted."""
MAX_TARGETS: Final = 10
"""Targets of one alias that are named."""

_ENDS: Final = {
    End.ELSEWHERE: "its domain is not ours",
    End.NOBODY: "there is nobody of that name",
    End.LIMITED: "there is nobody of that name, and the catch-all has had as many as it may have for now",
    End.UNRETURNABLE: "it looks like a rewritten sender, and is not by us, or too old",
}
_DEAD: Final = {
    RouteKind.STRANDED: "leads to somebody who takes no mail: a dead end",
    RouteKind.LIMITED: "leads to a catch-all that takes no more for now: a dead end",
    RouteKind.LOOP: f"is the last of {MAX_NESTING} in a row that lead to one another: a dead end",
}


@attrs.define(eq=False)
class Words:
    """Collects them."""

    _steps: list[str] = attrs.field(factory=list, init=False)
    _left_out: int = attrs.field(default=0, init=False)

    @property
    def steps(self) -> tuple[str, ...]:
        more = (f"... and {self._left_out} steps more",) if self._left_out else ()
        return (*self._steps, *more)

    def found(self, name: Address, found: Found) -> None:
        """What stands behind a name."""
        if isinstance(found, Person):
            self.say(f"{name}: {_tag_text(found.tag)}{_person_text(found)}")
        elif isinstance(found, Group):
            self.say(f"{name}: {_tag_text(found.tag)}{_group_text(found)}")
        else:
            self.say(f"{name}: {_ENDS[found]}")

    def ended(self, kind: RouteKind, owner: Address) -> None:
        """The way by *owner* leads nowhere."""
        self.say(f"{owner}: {_DEAD[kind]}")

    def again(self, key: Address) -> None:
        """The way comes to what it has passed."""
        self.say(f"{key}: was here before, and gets nothing twice")

    def say(self, text: str) -> None:
        if len(self._steps) < MAX_STEPS:
            self._steps.append(text)
        else:
            self._left_out += 1


def _tag_text(tag: str) -> str:
    return f"without its tag {tag!r} " if tag else ""


def _person_text(found: Person) -> str:
    account = found.account
    kept = f"an account, {account.address}, kept in the {account.origin.value}"
    if account.state is AccountState.OFF:
        return f"{kept}, which is off and takes no mail"
    if account.state is AccountState.FORWARD:
        target = "nobody" if account.forward is None else str(account.forward)
        return f"{kept}, which forwards to {target}{' and keeps a copy' if account.keep_copy else ''}"
    return f"{kept}: delivered to its maildrop"


def _group_text(group: Group) -> str:
    targets = _targets_text(group.targets)
    if group.by == "same-as":
        return f"the domain {group.what} has the addresses of another: {targets}"
    if group.by == "role":
        return f"every domain has to read this; here that is server.admin: {targets}"
    if group.by == "return":
        return f"the rewritten sender of a forward, for notices: {targets}"
    if group.by == "alias":
        return (
            f"an alias, {group.key}, for {targets}"
            if group.targets
            else f"an alias, {group.key}, that throws away"
        )
    where = (
        f"the pattern {group.what}" if group.by == "pattern" else f"nobody, so the catch-all of {group.what}"
    )
    return f"{where}, for {targets}" if group.targets else f"{where}, that throws away"


def _targets_text(targets: Sequence[Address | None]) -> str:
    named = ", ".join("no address" if target is None else str(target) for target in targets[:MAX_TARGETS])
    more = len(targets) - MAX_TARGETS
    return f"{named} and {more} more" if more > 0 else named
