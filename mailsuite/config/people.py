"""Settings of domains, accounts and how people are told. Read through config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

import attrs

from mailsuite.config.declare import section, setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, Member, OneOf, OrNone, Text, port
from mailsuite.config.measures import Duration
from mailsuite.config.names import (
    FilePath,
    HostAddress,
    HostName,
    KnockAddress,
    MailAddress,
    Network,
    PasswordHash,
)
from mailsuite.config.secret import Secret
from mailsuite.model.account import Account, Domain, IPAddress, NotifyPreference, NotifyState, Origin
from mailsuite.model.address import Address


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


@attrs.frozen(kw_only=True)
class DomainBlock:
    """``[[domain]]``"""

    name: str = setting(
        HostName("example.net"),
        example="example.net",
        meaning="A domain whose mail is ours.",
        applied="live",
    )

    @property
    def domain(self) -> Domain:
        return Domain(self.name, Origin.FILE)


@attrs.frozen(kw_only=True)
class AccountNotifyMail:
    """``account.notifymail``"""

    state: NotifyState | None = setting(
        OrNone(Member(NotifyState)),
        "",
        example="last-ip",
        meaning='As notify.notifymail.default_state, for this account; "" is what stands there.',
        applied="live",
    )
    address: IPAddress | None = setting(
        OrNone(KnockAddress()),
        "",
        example="192.0.2.77",
        meaning='The fixed address for the state "static".',
        applied="live",
    )
    port: int = setting(
        port(),
        79,
        meaning="The port to knock at; one of notify.notifymail.ports.",
        applied="live",
    )


@attrs.frozen(kw_only=True)
class AccountBlock:
    """``[[account]]``"""

    address: Address = setting(
        MailAddress(),
        example="joe@example.net",
        meaning="The mail address, which is also the login name; its domain is ours by this.",
        applied="live",
    )
    name: str = setting(
        Text(200, like="Joe Doe"),
        "",
        example="Joe Doe",
        meaning="The person's name.",
        applied="live",
    )
    password_hash: str = setting(
        PasswordHash(),
        "",
        example="$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNoLCBvbmx5IGFuIGV4YW1wbGU",
        meaning="The argon2id hash of the password.",
        applied="live",
        secret=True,
    )
    password_file: Path | None = setting(
        OrNone(FilePath()),
        "",
        example="/etc/mailsuite/secrets/joe",
        meaning="A file with one line: the hash, or the password itself.",
        applied="live",
    )
    notifymail: AccountNotifyMail = section(AccountNotifyMail, "How this account wants to be told (RFC 4146)")
    password: Secret | None = attrs.field(default=None)
    """What password_file holds where that is no hash; whoever stores the account hashes it."""

    @property
    def account(self) -> Account:
        """The account as a value of the model. Its hash is empty where ``password`` is still to be hashed."""
        preference = NotifyPreference(self.notifymail.state, self.notifymail.address, self.notifymail.port)
        return Account(self.address, self.name, self.password_hash, preference, Origin.FILE)
