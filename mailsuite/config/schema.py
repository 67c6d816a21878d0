"""Every setting, once: type, default, range, meaning, how applied.

The classes are what loading answers, fully typed; config/declare.py says how the declarations are read.
A setting enters with its feature, and the example, the reference page and the checks follow from it.
Those of the services stand in config/services.py, those of people in config/people.py, those of how they
are told in config/notify.py.
"""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

import attrs

from mailsuite.config.access import Access
from mailsuite.config.certificates import CertificateBlock
from mailsuite.config.declare import blocks, section, setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, OneOf, OrNone, Text
from mailsuite.config.measures import YEAR, Duration, DurationOr
from mailsuite.config.metrics import Metrics
from mailsuite.config.names import FilePath, HostName, LogTarget, MailAddress, MaildropPath, Network
from mailsuite.config.next_hops import RelayBlock
from mailsuite.config.notify import Notify, NotifyMail
from mailsuite.config.notify_door import NotifyDoor
from mailsuite.config.people import AccountBlock, AccountNotifyMail, DeviceBlock, DomainBlock
from mailsuite.config.pop3 import Pop3
from mailsuite.config.queue import Queue, QueueTls
from mailsuite.config.quotas import DeliveryQuota
from mailsuite.config.resolving import Resolving
from mailsuite.config.routing import DeliveryRouting
from mailsuite.config.services import (
    SYSTEM_NAME,
    DoorSettings,
    Listener,
    Lmtp,
    MailSettings,
    Service,
    ServiceSettings,
    Smtp,
    Submission,
    TlsUse,
)
from mailsuite.config.sources import SourceBlock
from mailsuite.config.space import DeliverySpace
from mailsuite.model.address import Address

__all__ = [
    "SCHEMA",
    "Access",
    "AccountBlock",
    "AccountNotifyMail",
    "CertificateBlock",
    "Config",
    "Delivery",
    "DeviceBlock",
    "DomainBlock",
    "DoorSettings",
    "Guard",
    "Listener",
    "Lmtp",
    "LogSettings",
    "MailSettings",
    "Metrics",
    "Notify",
    "NotifyDoor",
    "NotifyMail",
    "Pop3",
    "Queue",
    "QueueTls",
    "RelayBlock",
    "Server",
    "Service",
    "ServiceSettings",
    "Smtp",
    "SourceBlock",
    "Submission",
    "Tls",
    "TlsUse",
]

SCHEMA = 1
"""The newest schema number that this server knows."""


@attrs.frozen(kw_only=True)
class Server:
    """``[server]``"""

    name: str = setting(
        HostName(),
        derived="the name of this machine",
        example="mail.example.net",
        meaning="Our host name, in greetings, Received lines and EHLO.",
        applied="new sessions",
    )
    admin: Address = setting(
        MailAddress(example="postmaster@example.net"),
        derived="postmaster at server.name",
        example="postmaster@example.net",
        meaning="Who gets the mail for the bare postmaster, and is named where people need somebody to ask.",
        applied="live",
    )
    state: Path = setting(
        FilePath(example="/var/lib/mailsuite"),
        derived="/var/lib/mailsuite for root, else $XDG_STATE_HOME/mailsuite or ~/.local/state/mailsuite",
        example="/var/lib/mailsuite",
        shown=False,
        meaning="The folder for mail, accounts and keys.",
        applied="restart",
    )
    control_socket: Path = setting(
        FilePath(state_allowed=True, example="/run/mailsuite/control.sock"),
        derived="{state}/control.sock",
        example="/run/mailsuite/control.sock",
        shown=False,
        meaning="The Unix socket through which the command line talks to the running server.",
        applied="restart",
    )
    control_group: str = setting(
        Text(32, SYSTEM_NAME, "mailsuite"),
        "",
        meaning='The group whose members may use the command line without root; "" is nobody else.',
        applied="restart",
    )
    user: str = setting(
        Text(32, SYSTEM_NAME, "mailsuite"),
        "",
        meaning='The user to become after the ports are bound, when started as root; "" stays as it is.',
        applied="restart",
    )


@attrs.frozen(kw_only=True)
class Tls:
    """``[tls]``"""

    mode: Literal["self-signed", "files"] = setting(
        OneOf(("self-signed", "files")),
        "self-signed",
        meaning="Where the certificate comes from: made here at the first start, or your own files.",
        applied="live",
    )
    certificate: Path | None = setting(
        OrNone(FilePath(example="/etc/ssl/mail.example.net.pem")),
        "",
        example="/etc/ssl/mail.example.net.pem",
        shown=False,
        meaning='The certificate with its chain in PEM form, for mode "files"; read again when it changes.',
        applied="live",
    )
    key: Path | None = setting(
        OrNone(FilePath(example="/etc/ssl/private/mail.example.net.key")),
        "",
        example="/etc/ssl/private/mail.example.net.key",
        shown=False,
        meaning='The private key in PEM form without a passphrase, for mode "files".',
        applied="live",
    )
    minimum_version: Literal["1.2", "1.3"] = setting(
        OneOf(("1.2", "1.3")),
        "1.2",
        meaning="The oldest TLS version that is spoken.",
        applied="new sessions",
    )


@attrs.frozen(kw_only=True)
class Delivery(DeliverySpace, DeliveryQuota, DeliveryRouting):
    """``[delivery]``"""

    path: str = setting(
        MaildropPath(),
        "{state}/mail/{domain}/{local}",
        meaning="Where the maildrop of an account lies.",
        applied="restart",
    )
    keep_deleted: float = setting(
        Duration(minimum=0.0, maximum=10 * YEAR),
        "14d",
        meaning='How long deleted mail can be brought back; with "0s" it is gone at once.',
        applied="live",
    )
    mark_seen: bool = setting(
        Boolean(),
        True,
        meaning="Whether other mail programs see what was fetched as read (flag S of the Maildir).",
        applied="live",
    )
    view_forget: float | None = setting(
        DurationOr("never", 86400.0, 100 * YEAR),
        "60d",
        meaning="A device with a view of its own that was not seen for so long holds no mail any more.",
        applied="live",
    )
    view_history: float | None = setting(
        DurationOr("all", 0.0, 100 * YEAR),
        "all",
        meaning="How old mail may be, when such a device is added or first logs in, to be shown to it.",
        applied="live",
    )


@attrs.frozen(kw_only=True)
class Guard:
    """``[guard]``"""

    failure_delay: float = setting(
        Duration(minimum=0.0, maximum=60.0),
        "1s",
        meaning="How long the answer to a wrong password waits; each further failure doubles it.",
        applied="live",
    )
    failure_delay_maximum: float = setting(
        Duration(minimum=0.0, maximum=60.0),
        "16s",
        meaning="The longest such wait, for one address and one account alike.",
        applied="live",
    )
    ban: float | None = setting(
        DurationOr("until-restart"),
        "15m",
        meaning="How long an address is banned that did what no honest program does; doubles each time.",
        applied="live",
    )
    ban_maximum: float = setting(
        Duration(minimum=1.0),
        "24h",
        meaning="The longest such ban.",
        applied="live",
    )
    never_ban: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.0.2.0/24"]'),
        ["127.0.0.0/8", "::1"],
        meaning="Networks that are never banned.",
        applied="live",
    )
    admin_networks: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.0.2.0/24"]'),
        ["127.0.0.0/8", "::1"],
        meaning="From where an administrator still gets in when a service has all connections it may have.",
        applied="live",
    )
    admin_reserve: int = setting(
        Integer(0, 1000, example=5),
        5,
        meaning="So many connections beyond the limit of each service are kept for these networks.",
        applied="live",
    )


@attrs.frozen(kw_only=True)
class LogSettings:
    """``[log]``"""

    format: Literal["text", "json"] = setting(
        OneOf(("text", "json")),
        "text",
        meaning="How a log line looks.",
        applied="live",
    )
    to: str | Path = setting(
        LogTarget(),
        "stderr",
        meaning="Where log lines go.",
        applied="live",
    )
    level: Literal["debug", "info", "warning", "error"] = setting(
        OneOf(("debug", "info", "warning", "error")),
        "info",
        meaning="Events below this level are not logged.",
        applied="live",
    )


@attrs.frozen(kw_only=True)
class Config:
    """The whole configuration, every default filled in and every derived value known."""

    schema: int = setting(
        Integer(1, SCHEMA, example=SCHEMA),
        SCHEMA,
        meaning="The number of this schema; a newer server reads older numbers and says what changed.",
        applied="live",
    )
    server: Server = section(Server, "The server itself")
    tls: Tls = section(Tls, "Certificates and TLS")
    certificates: tuple[CertificateBlock, ...] = blocks(
        CertificateBlock, "certificate", "Certificates for further host names", "certificate"
    )
    listeners: tuple[Listener, ...] = blocks(Listener, "name", "Listeners", "listener")
    pop3: Pop3 = section(Pop3, "POP3")
    smtp: Smtp = section(Smtp, "SMTP, mail from other servers")
    submission: Submission = section(Submission, "Submission, mail from our own users")
    lmtp: Lmtp = section(Lmtp, "LMTP, mail that another mail server of ours hands over")
    queue: Queue = section(Queue, "The queue, mail for other servers")
    relays: tuple[RelayBlock, ...] = blocks(
        RelayBlock, "match", "Where mail for other servers goes by another way", "relay"
    )
    delivery: Delivery = section(Delivery, "Local delivery")
    notify: Notify = section(Notify, "Telling users that mail is there")
    resolver: Resolving = section(Resolving, "The domain name system")
    guard: Guard = section(Guard, "Against guessing of passwords and other abuse")
    log: LogSettings = section(LogSettings, "Logs")
    metrics: Metrics = section(Metrics, "Figures for Prometheus")
    domains: tuple[DomainBlock, ...] = blocks(DomainBlock, "name", "Domains", "domain")
    accounts: tuple[AccountBlock, ...] = blocks(AccountBlock, "address", "Accounts", "account")
    sources: tuple[SourceBlock, ...] = blocks(
        SourceBlock, "name", "Where else passwords are checked", "source"
    )
