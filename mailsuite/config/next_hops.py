"""Settings of mail that goes another way than by the DNS, and what follows from them."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, get_args

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, OneOf, OrNone, Text, port
from mailsuite.config.kinds_next_hops import (
    DomainMatches,
    FurtherHost,
    Matches,
    NextHost,
    Place,
    Transport,
    TransportWord,
    TriState,
)
from mailsuite.config.kinds_queue import Delays
from mailsuite.config.measures import Duration
from mailsuite.config.names import FilePath
from mailsuite.config.queue import DAY, MONTH, Queue, RetryTimes, TlsLevel
from mailsuite.config.secret import Secret

RelayTls = Literal["off", "starttls", "required-starttls", "implicit"]


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
        OrNone(Duration(minimum=1.0, maximum=DAY)),
        "",
        example="1m",
        meaning='As queue.first_retry, for this mail; "" is what stands there.',
        applied="live",
    )
    max_retry: float | None = setting(
        OrNone(Duration(minimum=1.0, maximum=7 * DAY)),
        "",
        example="30m",
        meaning='As queue.max_retry; "" is what stands there.',
        applied="live",
    )
    retry_fixed: float | None = setting(
        OrNone(Duration(minimum=1.0, maximum=DAY)),
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
        OrNone(Duration(minimum=1.0, maximum=MONTH)),
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


_NOTHING_SAID: Final = RelayBlock(match=Matches(()))


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


def verifies(default: TlsLevel, relay: RelayBlock) -> bool:
    """Whether the certificate must be right; *default* is ``queue.tls.default``."""
    if relay.verify is not None:
        return relay.verify
    if relay.tls in {"off", "starttls"}:
        return False
    return bool(relay.username) or default == "verify"


def port_of(relay: RelayBlock, usual: int) -> int:
    """Where the next server listens; *usual* is ``queue.port``."""
    if relay.port is not None:
        return relay.port
    if relay.transport.kind == "lmtp":
        return 24
    return 465 if relay.tls == "implicit" else usual
