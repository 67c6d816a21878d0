"""Settings of mail that leaves: when it is tried, how many at a time, by which next server, with what TLS."""

# The declarations are immutable: they are no shared mutable defaults. DomainSending is without slots, for a
# class has one base with slots at most.
# ruff: noqa: RUF009

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import attrs

from mailsuite.config.declare import Caution, section, setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, OneOf, OrNone, Text, port
from mailsuite.config.kinds_queue import (
    Delays,
    DomainMatches,
    FurtherHost,
    Matches,
    NextHost,
    Place,
    SourceAddresses,
    Transport,
    TransportWord,
    TriState,
)
from mailsuite.config.measures import Duration, Size
from mailsuite.config.names import FilePath
from mailsuite.config.secret import Secret
from mailsuite.model.account import IPAddress

Outgoing = Literal["allow", "hold", "local-only"]
TlsLevel = Literal["none", "may", "encrypt", "verify"]
RelayTls = Literal["off", "starttls", "required-starttls", "implicit"]
IpVersions = Literal["any", "4", "6"]

_DAY = 86400.0
_MONTH = 30 * _DAY
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
        Duration(minimum=1.0, maximum=_DAY),
        "5m",
        caution=_OFTEN,
        meaning="How long after the first attempt the second comes; each further wait is twice as long.",
        applied="live",
    )
    max_retry: float = setting(
        Duration(minimum=1.0, maximum=7 * _DAY),
        "4h",
        meaning="The longest wait between two attempts.",
        applied="live",
    )
    retry_fixed: float | None = setting(
        OrNone(Duration(minimum=1.0, maximum=_DAY)),
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
        Duration(minimum=1.0, maximum=_MONTH),
        "5d",
        caution=_EARLY,
        meaning="The age at which a message goes back to its sender.",
        applied="live",
    )
    give_up_null: float = setting(
        Duration(minimum=1.0, maximum=_MONTH),
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
    tls: QueueTls = section(QueueTls, "TLS towards other servers")


@attrs.frozen(kw_only=True)
class RelayBlock:
    """``[[relay]]``: what is done otherwise for some destinations."""

    match: Matches = setting(
        DomainMatches(),
        example=["*"],
        meaning="The recipients' domains that it is for; the first block with a match is used.",
        applied="live",
    )
    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether it is used at all.",
        applied="live",
    )
    transport: Transport = setting(
        TransportWord(),
        "smtp",
        meaning="Sent on by SMTP or LMTP, thrown away, or returned to its sender with this text.",
        applied="live",
    )
    host: str | None = setting(
        OrNone(NextHost()),
        "",
        example="smtp.provider.example",
        meaning='The server that gets the mail; "": those of the domain (MX), by what is said here.',
        applied="live",
    )
    mx: bool = setting(
        Boolean(),
        False,
        meaning="Whether host is a domain whose mail servers (MX) are looked up.",
        applied="live",
    )
    port: int | None = setting(
        OrNone(port()),
        "",
        example=465,
        meaning='Its port; "" is 465 with tls = "implicit", 24 with LMTP, else queue.port.',
        applied="live",
    )
    fallback: tuple[Place, ...] = setting(
        ListOf(FurtherHost(), example='["smtp2.provider.example"]'),
        [],
        example=["smtp2.provider.example", "10.0.0.6:2525"],
        meaning="Servers that are tried in this order where the first cannot be reached.",
        applied="live",
    )
    tls: RelayTls | None = setting(
        OrNone(OneOf(get_args(RelayTls))),
        "",
        example="implicit",
        meaning='When TLS begins; "" is as queue.tls.default, with a username "required-starttls".',
        applied="live",
    )
    verify: bool | None = setting(
        TriState(),
        "auto",
        meaning="Whether the certificate must be right; auto: with a username, or as queue.tls.default.",
        applied="live",
    )
    ca_file: Path | None = setting(
        OrNone(FilePath(example="/etc/mailsuite/ca.pem")),
        "",
        example="/etc/mailsuite/ca.pem",
        meaning='Who must have signed it, in PEM form; "" is whom the system trusts.',
        applied="live",
    )
    username: str = setting(
        Text(255, like="server-17"),
        "",
        example="server-17",
        meaning="As whom we log in there.",
        applied="live",
    )
    password_file: Path | None = setting(
        OrNone(FilePath(example="/etc/mailsuite/secrets/relay")),
        "",
        example="/etc/mailsuite/secrets/relay",
        meaning="A file with one line: the password for that, never the password itself.",
        applied="live",
    )
    first_retry: float | None = setting(
        OrNone(Duration(minimum=1.0, maximum=_DAY)),
        "",
        example="1m",
        meaning='As queue.first_retry, for this mail; "" is what stands there.',
        applied="live",
    )
    max_retry: float | None = setting(
        OrNone(Duration(minimum=1.0, maximum=7 * _DAY)),
        "",
        example="30m",
        meaning='As queue.max_retry; "" is what stands there.',
        applied="live",
    )
    retry_fixed: float | None = setting(
        OrNone(Duration(minimum=1.0, maximum=_DAY)),
        "",
        example="20m",
        meaning='As queue.retry_fixed; "" is what stands there, unless first_retry or max_retry is said.',
        applied="live",
    )
    warn_sender: tuple[float, ...] | None = setting(
        OrNone(Delays()),
        "",
        example="8h",
        meaning='As queue.warn_sender; "" is what stands there.',
        applied="live",
    )
    give_up: float | None = setting(
        OrNone(Duration(minimum=1.0, maximum=_MONTH)),
        "",
        example="14d",
        meaning='As queue.give_up; "" is what stands there.',
        applied="live",
    )
    per_destination: int | None = setting(
        OrNone(Integer(1, 1000, example=5)),
        "",
        example=5,
        meaning='As queue.per_destination; "" is what stands there.',
        applied="live",
    )
    password: Secret = attrs.field(default=Secret(""))
    """What password_file holds."""


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


def retry_times(queue: Queue, relay: RelayBlock | None = None) -> RetryTimes:
    """What holds for the mail of *relay*; None: for all other."""
    if relay is None:
        relay = _NOTHING_SAID
    fixed = relay.retry_fixed
    if fixed is None and relay.first_retry is None and relay.max_retry is None:
        fixed = queue.retry_fixed
    give_up = queue.give_up if relay.give_up is None else relay.give_up
    first = queue.first_retry if relay.first_retry is None else relay.first_retry
    return RetryTimes(
        first=first,
        longest=queue.max_retry if relay.max_retry is None else relay.max_retry,
        fixed=fixed,
        warn=queue.warn_sender if relay.warn_sender is None else relay.warn_sender,
        give_up=give_up,
        give_up_null=min(queue.give_up_null, give_up),
    )


_NOTHING_SAID = RelayBlock(match=Matches(()))
