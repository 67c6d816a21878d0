"""Asking a rule at a stage."""

from __future__ import annotations

from collections.abc import Coroutine
from ipaddress import ip_address
from typing import Any, TypeVar

import attrs

from mailsuite.concurrent.now import run_now
from mailsuite.interfaces import IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.facts import (
    ConnectionFacts,
    Copy,
    HeaderFacts,
    Refuse,
    Route,
    RouteKind,
    Stage,
    StageFacts,
    Verdict,
)
from mailsuite.model.reply import Reply

T = TypeVar("T")

JOE, ANN, BOB = (Address(name, "example.net") for name in ("joe", "ann", "bob"))
EVE = Address("eve", "example.org")
LOCAL = Route(RouteKind.LOCAL, (Copy(ANN, ANN),))
UNKNOWN = Route(RouteKind.UNKNOWN)


def address(text: str) -> Address:
    return Address.parse(text)


def connection(
    service: str = "submission",
    account: Address | None = JOE,
    peer: str = "192.0.2.1",
    device: str = "",
    session: str = "s1",
) -> ConnectionFacts:
    return ConnectionFacts(session, "door", service, ip_address(peer), 1234, account=account, device=device)


def at_mail(sender: Address | None, who: ConnectionFacts | None = None) -> StageFacts:
    return StageFacts(Stage.MAIL, who or connection(), sender)


def at_recipient(recipient: Address, route: Route | None, who: ConnectionFacts | None = None) -> StageFacts:
    return StageFacts(Stage.RECIPIENT, who or connection(), JOE, recipient, route)


def at_header(
    *authors: Address,
    sender: tuple[Address, ...] = (),
    broken: bool = False,
    who: ConnectionFacts | None = None,
) -> StageFacts:
    header = HeaderFacts(authors, sender, broken)
    return StageFacts(Stage.HEADER, who or connection(), JOE, header=header)


def remote(recipient: Address) -> Route:
    return Route(RouteKind.REMOTE, remotes=(recipient,))


def judge(rule: IPolicyRule, facts: StageFacts) -> Verdict:
    """The verdict of a rule that does not have to wait."""
    return run_now(rule.check(facts))


def refusal(rule: IPolicyRule, facts: StageFacts) -> Reply | None:
    """What it refuses with, None where it accepts."""
    verdict = judge(rule, facts)
    return verdict.reply if isinstance(verdict, Refuse) else None


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    return run_now(coroutine)


def without(facts: StageFacts, **changes: Any) -> StageFacts:
    return attrs.evolve(facts, **changes)
