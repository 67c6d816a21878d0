"""Settings of how people are told that mail is there. Read through config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

import attrs

from mailsuite.config.declare import blocks, section, setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, Member, OneOf, OrNone, Text, port
from mailsuite.config.kinds_notify import NoticeLevel
from mailsuite.config.measures import Duration
from mailsuite.config.names import HostAddress, Network
from mailsuite.config.notify_channels import (
    CommandBlock,
    Gotify,
    Ntfy,
    Pushover,
    Stream,
    Webhook,
    WebPush,
)
from mailsuite.config.notify_door import NotifyDoor
from mailsuite.model.account import IPAddress, NotifyState
from mailsuite.model.notice import Level

Suppressed = Literal["junk", "bulk", "own", "auto"]


@attrs.frozen(kw_only=True, slots=False)
class DomainNotify:
    """Keys of ``[[domain]]``."""

    notify: Literal["allow", "deny"] = setting(
        OneOf(("allow", "deny")),
        "allow",
        meaning="Whether its accounts may be told that mail is there, in any way.",
        applied="live",
    )
    notify_max_level: Level | None = setting(
        OrNone(NoticeLevel()),
        "",
        example="count",
        shown=False,
        meaning='As notify.max_level, for its accounts, where it is less; "" is what stands there.',
        applied="live",
    )


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
    learn_from: tuple[Literal["pop3", "submission", "stream"], ...] = setting(
        ListOf(OneOf(("pop3", "submission", "stream")), 0, '["pop3"]'),
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
    udp: bool = setting(
        Boolean(),
        False,
        meaning="Whether an account may choose UDP, where nobody can tell whether a knock was heard.",
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
class Notify(NotifyDoor):
    """``[notify]``"""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="The master switch for telling users that mail is there.",
        applied="live",
    )
    max_level: Level = setting(
        NoticeLevel(),
        "subject",
        meaning="The most that a notice tells of a message; each level tells what those before it tell.",
        applied="live",
    )
    suppress: tuple[Suppressed, ...] = setting(
        ListOf(OneOf(("junk", "bulk", "own", "auto")), 0, '["junk", "bulk"]'),
        ["junk", "bulk", "own", "auto"],
        meaning="Mail that nobody is told of, unless a subscription wants it all the same.",
        applied="live",
    )
    coalesce: float = setting(
        Duration(minimum=0.0, maximum=3600.0),
        "10s",
        meaning="Several messages in this window make one notice; the last is never lost.",
        applied="live",
    )
    max_per_hour: int = setting(
        Integer(1, 100_000, example=120),
        120,
        meaning="Notices in an hour to one subscription; what comes beyond is told of by the next one.",
        applied="live",
    )
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.168.1.0/24"]'),
        [],
        meaning="Private and loopback networks that notices may go to.",
        applied="live",
    )
    mail_commands: str | None = setting(
        OrNone(Text(64, r"[a-z0-9][a-z0-9._-]*", "notify")),
        "notify",
        meaning='Users order notices by mail to this name at any domain of ours; "" is none.',
        applied="live",
    )
    notifymail: NotifyMail = section(
        NotifyMail, "RFC 4146: nm_notifyuser to the finger port of the user's computer"
    )
    stream: Stream = section(Stream, "Server-sent events, on listeners whose service is notify")
    webhook: Webhook = section(Webhook, "Standard Webhooks: an HTTPS request with a signature")
    webpush: WebPush = section(WebPush, "Web Push to browsers and phones (RFC 8030, 8291, 8292)")
    ntfy: Ntfy = section(Ntfy, "ntfy")
    gotify: Gotify = section(Gotify, "Gotify")
    pushover: Pushover = section(Pushover, "Pushover")
    commands: tuple[CommandBlock, ...] = blocks(
        CommandBlock, "name", "Programs of this machine that notices may be given to", "command"
    )
