"""Settings of how people are told that mail is there. Read through config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

import attrs

from mailsuite.config.declare import section, setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, Member, OneOf, OrNone, port
from mailsuite.config.measures import Duration
from mailsuite.config.names import HostAddress, Network
from mailsuite.model.account import IPAddress, NotifyState


@attrs.frozen(kw_only=True)
class NotifyMail:
    """``[notify.notifymail]``, RFC 4146."""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether nm_notifyuser is sent to the users' computers.",
        applied="live",
    )
    default_state: NotifyState = setting(
        Member(NotifyState),
        "off",
        meaning="For accounts that say nothing: off, to the address of the last login, or to a fixed one.",
        applied="live",
    )
    learn_from: tuple[Literal["pop3", "submission"], ...] = setting(
        ListOf(OneOf(("pop3", "submission")), 0, '["pop3"]'),
        ["pop3"],
        meaning="The services whose logins tell where a user is.",
        applied="live",
    )
    last_ip_expiry: float = setting(
        Duration(minimum=60.0, maximum=30 * 86400.0),
        "24h",
        meaning="A last login older than this is not knocked at any more.",
        applied="live",
    )
    ports: tuple[int, ...] = setting(
        ListOf(port(), 1, "[79]"),
        [79],
        meaning="The ports that an account may name.",
        applied="live",
    )
    connect_timeout: float = setting(
        Duration(minimum=0.1, maximum=60.0),
        "5s",
        meaning="How long a connection attempt may take.",
        applied="live",
    )
    max_in_flight: int = setting(
        Integer(1, 10_000, example=256),
        256,
        meaning="Knocks under way at the same time.",
        applied="live",
    )
    source_address: IPAddress | None = setting(
        OrNone(HostAddress()),
        "",
        example="192.0.2.10",
        shown=False,
        meaning="Our address that knocks come from, so that clients can list it; else the system chooses.",
        applied="live",
    )


@attrs.frozen(kw_only=True)
class Notify:
    """``[notify]``"""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="The master switch for telling users that mail is there.",
        applied="live",
    )
    coalesce: float = setting(
        Duration(minimum=0.0, maximum=3600.0),
        "10s",
        meaning="Several messages in this window make one notice; the last is never lost.",
        applied="live",
    )
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.168.1.0/24"]'),
        [],
        meaning="Private and loopback networks that a fixed notice address may lie in.",
        applied="live",
    )
    notifymail: NotifyMail = section(
        NotifyMail, "RFC 4146: nm_notifyuser to the finger port of the user's computer"
    )
