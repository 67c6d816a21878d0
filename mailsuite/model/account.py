"""Accounts and what they want, as values."""

from __future__ import annotations

import enum
from ipaddress import IPv4Address, IPv6Address

import attrs

from mailsuite.model.address import Address

IPAddress = IPv4Address | IPv6Address


class Origin(enum.Enum):
    """Where an account or a domain is written down."""

    FILE = "file"
    DATABASE = "database"


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


@attrs.frozen
class Account:
    """Somebody with a maildrop. ``address`` is canonical."""

    address: Address
    name: str = ""
    password_hash: str = attrs.field(default="", repr=False)
    """In PHC string form (``$argon2id$...``); empty: nobody can log in with a password."""
    notify: NotifyPreference = NotifyPreference()
    origin: Origin = Origin.DATABASE


@attrs.frozen
class Domain:
    """A domain whose mail is ours."""

    name: str
    origin: Origin = Origin.DATABASE
