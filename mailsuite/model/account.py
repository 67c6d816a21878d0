"""Accounts and what they want, as values."""

from __future__ import annotations

import enum
from ipaddress import IPv4Address, IPv6Address

import attrs

from mailsuite.model.address import Address
from mailsuite.model.alias import AliasPattern
from mailsuite.model.notice import Level
from mailsuite.model.origin import Origin
from mailsuite.model.quota import UNLIMITED, Quota
from mailsuite.model.retention import Retention
from mailsuite.model.sender_list import NO_SENDERS, OwnSenders

IPAddress = IPv4Address | IPv6Address

MAX_FORWARDS = 8
"""How many accounts in a row may forward a message to the next; our own limit, as of other servers for
aliases that lead to aliases (sendmail: 10)."""


class NotifyState(enum.Enum):
    """The three states of Mac OS X Server's NotifyMail setting."""

    OFF = "off"
    LAST_IP = "last-ip"
    STATIC = "static"


@attrs.frozen
class NotifyPreference:
    """How an account wants to be knocked at (RFC 4146).

    ``state`` None means: as ``notify.notifymail.default_state`` says.
    STATIC without an ``address`` acts as LAST_IP.
    """

    state: NotifyState | None = None
    address: IPAddress | None = None
    port: int = 79


class AccountState(enum.Enum):
    """What happens to the mail of an account, and whether somebody can log in (features row S-A12)."""

    ENABLED = "enabled"
    OFF = "off"
    """No mail is taken and no login is possible; what is in the maildrop stays."""
    FORWARD = "forward"
    """Mail goes to the account's ``forward`` address."""


@attrs.frozen
class Account:
    """Somebody with a maildrop. ``address`` is canonical."""

    address: Address
    name: str = ""
    password_hash: str = attrs.field(default="", repr=False)
    """In one of the forms of model/hashes (``$argon2id$...``); empty: the account has no own password."""
    notify: NotifyPreference = NotifyPreference()
    origin: Origin = Origin.DATABASE
    state: AccountState = AccountState.ENABLED
    forward: Address | None = None
    """Where mail goes in the state FORWARD."""
    keep_copy: bool = False
    """Whether mail that is forwarded also stays in the maildrop."""
    pop3: bool = True
    """Whether the account may log in by POP3; mail is delivered all the same."""
    retention: Retention | None = None
    """How long its mail stays, which then is all that counts; None: as its domain or the listener says.
    ``read`` is 0 where a message goes at the QUIT of the session that retrieved it."""
    quota: Quota = UNLIMITED
    """What it says itself; the rest is as its domain or the server says."""
    send_as: tuple[Address, ...] = ()
    """Further addresses that it may send from; ``*@example.net`` is any of a domain."""
    max_message: int | None = None
    """Octets of a message that it sends or gets; None: as its domain says. It may only be lower."""
    senders: OwnSenders = NO_SENDERS
    """Whom it takes no mail from, and from whom all the same."""
    language: str = ""
    """That the server writes to it in, by its tag (RFC 5646); empty: as its domain says."""


@attrs.frozen
class Domain:
    """A domain whose mail is ours."""

    name: str
    origin: Origin = Origin.DATABASE
    same_as: str = ""
    """Another domain, whose addresses are those of this one."""
    delimiters: str | None = None
    """Characters that may stand between a name and its tag (RFC 5233); None: as the server says."""
    catch_all: tuple[Address, ...] | None = None
    """Who gets mail for names that do not exist; none: it is refused; None: as the server says."""
    catch_all_except: frozenset[str] = frozenset()
    """Local parts that do not exist whatever the catch-all says."""
    patterns: tuple[AliasPattern, ...] = ()
    quota: Quota = UNLIMITED
    """Of each account; what is left out is as the server says."""
    total_quota: Quota = UNLIMITED
    """Of all its accounts together, and of those of the domains that stand for this one."""
    max_message: int | None = None
    """Octets of a message that its accounts send or get; None: as the listener says."""
    senders: OwnSenders = NO_SENDERS
    """Whom its accounts take no mail from, where they say nothing themselves."""
    notify: bool = True
    """Whether its accounts may be told that mail is there, in any way."""
    notify_max_level: Level | None = None
    """The most that its accounts are told; None: as the server says. It may only be less."""
    language: str = ""
    """That the server writes to its accounts in, by its tag (RFC 5646); empty: as the server says."""


def quota_in_force(account: Account | None, domain: Domain | None, general: Quota) -> Quota:
    """What holds for an account, also for one that is no more: what it says, else its domain, else all."""
    own = UNLIMITED if account is None else account.quota
    return own.within(UNLIMITED if domain is None else domain.quota).within(general)


def language_in_force(account: Account | None, domain: Domain | None) -> str:
    """What the server writes to an account in: what it says, else its domain; empty: nobody says anything."""
    own = "" if account is None else account.language
    return own or ("" if domain is None else domain.language)


def largest_message(account: Account | None, domain: Domain | None, ceiling: int) -> int:
    """Octets of the largest message that an account may send or get where a listener takes *ceiling*: the
    lowest of what it says, its domain, and that."""
    own = None if account is None else account.max_message
    shared = None if domain is None else domain.max_message
    return min(limit for limit in (own, shared, ceiling) if limit is not None)
