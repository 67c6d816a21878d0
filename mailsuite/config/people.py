"""Settings of domains, accounts and their device passwords. Read through config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

import datetime
import math
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

import attrs

from mailsuite.config.declare import blocks, section, setting
from mailsuite.config.kinds import Boolean, ListOf, Member, OneOf, OrNone, Text, port
from mailsuite.config.measures import Day, DeleteAfter, Duration, retention
from mailsuite.config.mechanisms import APOP, Apop, Recoverable
from mailsuite.config.names import (
    DeviceName,
    FilePath,
    HostName,
    KnockAddress,
    MailAddress,
    Network,
    PasswordHash,
)
from mailsuite.config.notify import DomainNotify
from mailsuite.config.queue import AccountLanguage, DomainSending
from mailsuite.config.quotas import AccountQuota, DomainQuota
from mailsuite.config.relaying import AccountSending, DeviceSending, OwnLists
from mailsuite.config.routing import DomainRouting
from mailsuite.config.secret import Secret
from mailsuite.model.account import Account, AccountState, Domain, IPAddress, NotifyPreference, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.device import Device, Scope, beginning
from mailsuite.model.origin import Origin
from mailsuite.model.retention import Retention


@attrs.frozen(kw_only=True)
class DomainBlock(DomainSending, DomainQuota, DomainRouting, DomainNotify, OwnLists):
    """``[[domain]]``"""

    name: str = setting(
        HostName("example.net"),
        example="example.net",
        meaning="A domain whose mail is ours.",
        applied="live",
    )
    apop: Apop | None = setting(
        OrNone(APOP),
        "",
        example="require",
        shown=False,
        meaning='As pop3.apop, for the accounts of this domain; "" is as the listener says.',
        applied="new sessions",
    )
    login_delay: float | None = setting(
        OrNone(Duration(minimum=0.0, maximum=86400.0)),
        "",
        example="5m",
        shown=False,
        meaning='As pop3.login_delay, for the accounts of this domain; "" is as the listener says.',
        applied="live",
    )
    delete_after: float | None = setting(
        OrNone(DeleteAfter()),
        "",
        example="30d",
        shown=False,
        meaning='As pop3.delete_after, for the accounts of this domain; "" is what stands there.',
        applied="live",
    )
    delete_unread_after: float | None = setting(
        OrNone(DeleteAfter(retrieval=False)),
        "",
        example="120d",
        shown=False,
        meaning='As pop3.delete_unread_after, for the accounts of this domain; "" is what stands there.',
        applied="live",
    )

    @property
    def domain(self) -> Domain:
        return Domain(
            self.name,
            Origin.FILE,
            quota=self.quota,
            total_quota=self.total_quota,
            max_message=self.max_message,
            senders=self.senders,
            notify=self.notify == "allow",
            notify_max_level=self.notify_max_level,
            language=self.language or "",
        )

    @property
    def retention(self) -> Retention | None:
        """How long mail of its accounts stays; None: as the listener says."""
        return _retention(self.delete_after, self.delete_unread_after)


def _retention(read: float | None, unread: float | None) -> Retention | None:
    """Who says one of the two has said both: what is left out is for ever."""
    if read is None and unread is None:
        return None
    return retention(math.inf if read is None else read, math.inf if unread is None else unread)


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
class DeviceBlock(DeviceSending):
    """``[[account.device]]``"""

    name: str = setting(
        DeviceName(),
        example="Eudora on the old Mac",
        meaning="What its owner calls the mail program or the machine it is on.",
        applied="live",
    )
    password_file: Path = setting(
        FilePath(example="/etc/mailsuite/secrets/joe-eudora"),
        example="/etc/mailsuite/secrets/joe-eudora",
        meaning="A file with one line: the device password itself, at least 16 characters.",
        applied="live",
    )
    mechanisms: tuple[Recoverable, ...] = setting(
        ListOf(OneOf(("apop", "cram-md5", "ntlm")), example='["apop"]'),
        [],
        example=["apop"],
        meaning="Old mechanisms it can do beyond the usual ones; for them it is sealed, but recoverable.",
        applied="live",
    )
    scopes: tuple[Scope, ...] = setting(
        ListOf(Member(Scope), 1, '["pop3", "submission"]'),
        ["pop3", "submission"],
        meaning="What it may be used for.",
        applied="live",
    )
    networks: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.0.2.0/24"]'),
        [],
        meaning="From where it may be used; an empty list is from anywhere.",
        applied="live",
    )
    expires: datetime.date | None = setting(
        OrNone(Day()),
        "",
        example="2027-01-31",
        meaning='The day from whose beginning on, in UTC, it is refused; "" is never.',
        applied="live",
    )
    view: bool = setting(
        Boolean(),
        False,
        meaning="Whether it has a view of its own: what it deletes stays there for the other devices.",
        applied="live",
    )
    password: Secret = attrs.field(default=Secret(""))
    """What password_file holds; whoever stores the device seals it."""

    def device(self, id: str, sealed: bytes) -> Device:
        """The device as a value of the model, where *sealed* is made of ``password``."""
        return Device(
            id=id,
            name=self.name,
            sealed=sealed,
            scopes=frozenset(self.scopes),
            mechanisms=frozenset(self.mechanisms),
            networks=self.networks,
            expires=None if self.expires is None else beginning(self.expires),
            origin=Origin.FILE,
            view=self.view,
            sender=None if self.sender is None else self.sender.canonical,
            recipients=tuple(recipient.canonical for recipient in self.recipients),
        )


@attrs.frozen(kw_only=True)
class AccountBlock(AccountSending, AccountQuota, AccountLanguage, OwnLists):
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
        meaning="The hash of the password: argon2id, or an older one from another server.",
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
    state: AccountState = setting(
        Member(AccountState),
        "enabled",
        meaning='What becomes of it: "off" takes no mail and lets nobody in, "forward" sends mail on.',
        applied="live",
    )
    forward: Address | None = setting(
        OrNone(MailAddress("joe.doe@example.net")),
        "",
        example="ann@example.net",
        meaning='Where mail goes with state "forward"; one of our own addresses.',
        applied="live",
    )
    keep_copy: bool = setting(
        Boolean(),
        False,
        meaning="Whether mail that is forwarded also stays here.",
        applied="live",
    )
    pop3: Literal["allow", "deny"] = setting(
        OneOf(("allow", "deny")),
        "allow",
        meaning="Whether the account may log in by POP3; mail is delivered all the same.",
        applied="live",
    )
    delete_after: float | None = setting(
        OrNone(DeleteAfter()),
        "",
        example="30d",
        shown=False,
        meaning='As pop3.delete_after, for this account; "" is as its domain says.',
        applied="live",
    )
    delete_unread_after: float | None = setting(
        OrNone(DeleteAfter(retrieval=False)),
        "",
        example="120d",
        shown=False,
        meaning='As pop3.delete_unread_after, for this account; "" is as its domain says.',
        applied="live",
    )
    notifymail: AccountNotifyMail = section(AccountNotifyMail, "How this account wants to be told (RFC 4146)")
    devices: tuple[DeviceBlock, ...] = blocks(
        DeviceBlock, "name", "Device passwords", "device", caseless=True
    )
    password: Secret | None = attrs.field(default=None)
    """What password_file holds where that is no hash; whoever stores the account hashes it."""

    @property
    def account(self) -> Account:
        """The account as a value of the model. Its hash is empty where ``password`` is still to be hashed."""
        preference = NotifyPreference(self.notifymail.state, self.notifymail.address, self.notifymail.port)
        return Account(
            self.address,
            self.name,
            self.password_hash,
            preference,
            Origin.FILE,
            state=self.state,
            forward=self.forward,
            keep_copy=self.keep_copy,
            pop3=self.pop3 == "allow",
            retention=_retention(self.delete_after, self.delete_unread_after),
            send_as=self.send_as,
            quota=self.quota,
            max_message=self.max_message,
            senders=self.senders,
            language=self.language or "",
        )
