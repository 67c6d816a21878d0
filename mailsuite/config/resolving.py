"""Settings of the domain name system, and of what is done with the names that clients say."""

# The declarations are immutable: they are no shared mutable defaults. HelloNames is without slots, for a
# class has one base with slots at most.
# ruff: noqa: RUF009

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Literal, get_args

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import Boolean, ListOf, OneOf
from mailsuite.config.kinds_resolving import ServerAddress
from mailsuite.config.measures import Duration, Size
from mailsuite.config.names import Network
from mailsuite.model.dns import NameServer

OnMismatch = Literal["off", "log", "reject"]

_MIB = 1 << 20


@attrs.frozen(kw_only=True)
class Resolving:
    """``[resolver]``"""

    servers: tuple[NameServer, ...] = setting(
        ListOf(ServerAddress(), example='["127.0.0.1"]'),
        [],
        example=["127.0.0.1"],
        shown=False,
        meaning="The name servers that are asked, in this order; where none is named, those of resolv.conf.",
        applied="live",
    )
    timeout: float = setting(
        Duration(minimum=1.0, maximum=30.0),
        "5s",
        meaning="How long a question may take, with all tries and all servers.",
        applied="live",
    )
    trust_ad: bool = setting(
        Boolean(),
        False,
        meaning="Whether named servers beyond this machine are believed that they have checked DNSSEC.",
        applied="live",
    )
    ask_private: bool = setting(
        Boolean(),
        False,
        meaning="Whether names of private addresses (192.168.0.0/16 and such) are asked for, too.",
        applied="live",
    )
    cache: int = setting(
        Size(64 << 10, 1024 * _MIB),
        "16MiB",
        meaning="How much memory answers may take; each is kept as long as it says, a day at the most.",
        applied="live",
    )


@attrs.frozen(kw_only=True, slots=False)
class HelloNames:
    """Keys of ``[smtp]``."""

    hello_mismatch: OnMismatch = setting(
        OneOf(get_args(OnMismatch)),
        "log",
        meaning="What is done where the name of HELO or EHLO does not have the client's address.",
        applied="live",
    )
    reject_own_name: bool = setting(
        Boolean(),
        True,
        meaning="Whether clients are refused that say our own name or address in HELO or EHLO.",
        applied="live",
    )
    hello_trusted: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.0.2.0/24"]'),
        ["127.0.0.0/8", "::1"],
        meaning="Networks whose clients may say anything in HELO or EHLO.",
        applied="live",
    )
