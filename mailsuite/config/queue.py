"""Settings of mail that leaves: when it is tried, how many at a time, from where, with what TLS."""

# The declarations are immutable: they are no shared mutable defaults. DomainSending is without slots, for a
# class has one base with slots at most.
# ruff: noqa: RUF009

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Literal, get_args

import attrs

from mailsuite.config.declare import Caution, section, setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, OneOf, OrNone, port
from mailsuite.config.kinds_queue import Delays, SourceAddresses
from mailsuite.config.measures import Duration, Size
from mailsuite.config.names import Network
from mailsuite.model.account import IPAddress

Outgoing = Literal["allow", "hold", "local-only"]
TlsLevel = Literal["none", "may", "encrypt", "verify"]
IpVersions = Literal["any", "4", "6"]
NoticeLanguage = Literal["en", "de"]

DAY = 86400.0
MONTH = 30 * DAY
_KIB = 1 << 10
_GIB = 1 << 30

_OFTEN = Caution("1m", "is less than a minute: other servers take that for an attack")
_EARLY = Caution(
    "24h", "is less than a day: mail comes back though the other server is down for a night only"
)


@attrs.frozen(kw_only=True)
class QueueTls:
    """``[queue.tls]``"""

    default: TlsLevel = setting(
        OneOf(get_args(TlsLevel)),
        "may",
        meaning="TLS with other servers: never, where they offer it, always, or with a right certificate.",
        applied="live",
    )


@attrs.frozen(kw_only=True)
class Queue:
    """``[queue]``"""

    outgoing: Outgoing = setting(
        OneOf(get_args(Outgoing)),
        "allow",
        meaning="Mail for other servers leaves, is taken and kept for later, or is not taken at all.",
        applied="live",
    )
    first_retry: float = setting(
        Duration(minimum=1.0, maximum=DAY),
        "5m",
        caution=_OFTEN,
        meaning="How long after the first attempt the second comes; each further wait is twice as long.",
        applied="live",
    )
    max_retry: float = setting(
        Duration(minimum=1.0, maximum=7 * DAY),
        "4h",
        meaning="The longest wait between two attempts.",
        applied="live",
    )
    retry_fixed: float | None = setting(
        OrNone(Duration(minimum=1.0, maximum=DAY)),
        "",
        example="20m",
        shown=False,
        meaning='The same wait between all attempts, to the second, in the place of these two; "" is not.',
        applied="live",
    )
    warn_sender: tuple[float, ...] = setting(
        Delays(),
        "4h",
        meaning="The age at which the sender is told that a message still waits; several, or never.",
        applied="live",
    )
    give_up: float = setting(
        Duration(minimum=1.0, maximum=MONTH),
        "5d",
        caution=_EARLY,
        meaning="The age at which a message goes back to its sender.",
        applied="live",
    )
    give_up_null: float = setting(
        Duration(minimum=1.0, maximum=MONTH),
        "2d",
        meaning="The age at which mail without a sender is given up: notices that nobody takes.",
        applied="live",
    )
    warn_postmaster: bool = setting(
        Boolean(),
        False,
        meaning="Whether server.admin gets a copy of each notice that a message could not be delivered.",
        applied="live",
    )
    notices_for_bulk: bool = setting(
        Boolean(),
        True,
        meaning="Whether whoever sends in bulk, or to lists, gets notices that were not asked for by NOTIFY.",
        applied="live",
    )
    notice_language: NoticeLanguage = setting(
        OneOf(get_args(NoticeLanguage)),
        "en",
        meaning="The language that notices to people are written in: English or German.",
        applied="live",
    )
    concurrency: int = setting(
        Integer(1, 10_000, example=100),
        100,
        meaning="Messages on their way out at the same time.",
        applied="live",
    )
    per_destination: int = setting(
        Integer(1, 1000, example=20),
        20,
        meaning="The same for one destination; it begins with 2, and grows while all goes well.",
        applied="live",
    )
    per_source: int | None = setting(
        OrNone(Integer(1, 10_000, example=50)),
        "",
        example=50,
        shown=False,
        meaning='The same for each source_address, all its destinations together; "" is concurrency alone.',
        applied="live",
    )
    max_outbound: int | None = setting(
        OrNone(Size(_KIB, 2 * _GIB)),
        "",
        example="25MiB",
        shown=False,
        meaning='The largest message that is taken for other servers; "" is as large as any.',
        applied="new sessions",
    )
    port: int = setting(
        port(),
        25,
        meaning="The port of other servers.",
        applied="live",
    )
    connect_timeout: float = setting(
        Duration(minimum=1.0, maximum=300.0),
        "30s",
        meaning="How long one address of another server may take to answer.",
        applied="live",
    )
    source_address: tuple[IPAddress, ...] = setting(
        SourceAddresses(),
        "",
        example=["192.0.2.10", "2001:db8::10"],
        shown=False,
        meaning='The address of this machine that connections come from; "" is as the system chooses.',
        applied="live",
    )
    ip_version: IpVersions = setting(
        OneOf(get_args(IpVersions)),
        "any",
        meaning="The version of IP that is used towards other servers.",
        applied="live",
    )
    ignore_target_hosts: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["127.0.0.0/8", "10.0.0.0/8"]'),
        ["127.0.0.0/8", "::1", "169.254.0.0/16", "fe80::/10"],
        shown=False,
        meaning="Networks where the DNS names no server for us; those that [[relay]] names may be there.",
        applied="live",
    )
    tls: QueueTls = section(QueueTls, "TLS towards other servers")

    @property
    def takes(self) -> bool:
        """Whether mail for other servers is taken, to be sent now or later."""
        return self.outgoing != "local-only"


@attrs.frozen(kw_only=True, slots=False)
class DomainSending:
    """Keys of ``[[domain]]``."""

    source_address: tuple[IPAddress, ...] | None = setting(
        OrNone(SourceAddresses()),
        "",
        example=["192.0.2.11", "2001:db8::11"],
        shown=False,
        meaning='As queue.source_address, for mail whose sender is of this domain; "" is what stands there.',
        applied="live",
    )
    ip_version: IpVersions | None = setting(
        OrNone(OneOf(get_args(IpVersions))),
        "",
        example="4",
        shown=False,
        meaning='As queue.ip_version, for such mail; "" is what stands there.',
        applied="live",
    )
    language: NoticeLanguage | None = setting(
        OrNone(OneOf(get_args(NoticeLanguage))),
        "",
        example="de",
        shown=False,
        meaning='As queue.notice_language, for its accounts; "" is what stands there.',
        applied="live",
    )


@attrs.frozen(kw_only=True, slots=False)
class AccountLanguage:
    """Keys of ``[[account]]``."""

    language: NoticeLanguage | None = setting(
        OrNone(OneOf(get_args(NoticeLanguage))),
        "",
        example="de",
        shown=False,
        meaning='As queue.notice_language, for this account; "" is as its domain says.',
        applied="live",
    )


@attrs.frozen
class RetryTimes:
    """When mail is tried again, warned of and given up; all in seconds."""

    first: float
    longest: float
    fixed: float | None
    """The same wait each time, in the place of those two."""
    warn: tuple[float, ...]
    give_up: float
    give_up_null: float
    """Where there is no sender."""
