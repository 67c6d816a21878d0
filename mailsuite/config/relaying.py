"""Who may send to other servers, in whose name, and how much."""

# The declarations are immutable: they are no shared mutable defaults. Without slots, for a class has one
# base with slots at most.
# ruff: noqa: RUF009

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, OrNone
from mailsuite.config.kinds_next_hops import Matches
from mailsuite.config.kinds_relaying import (
    PerTime,
    RelayDomains,
    RelayMode,
    RelayRecipient,
    RelayWord,
    Sender,
    SenderMatch,
    SenderMode,
)
from mailsuite.config.kinds_senders import OwnSenderList
from mailsuite.config.names import FilePath, MailAddress, Network
from mailsuite.model.address import Address
from mailsuite.model.rate import Rate
from mailsuite.model.sender_list import NO_SENDERS, OwnSenders, SenderEntry


@attrs.frozen(kw_only=True, slots=False)
class ReceptionRules:
    """Keys of ``[smtp]``."""

    relay: RelayMode = setting(
        RelayWord(),
        "nobody",
        meaning="Who may send to other servers through this door; users do it by [submission], logged in.",
        applied="new sessions",
    )
    relay_networks: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.0.2.0/24"]'),
        [],
        example=["192.0.2.0/24"],
        shown=False,
        meaning='Those who may with relay = "addresses": other servers of yours that send through this one.',
        applied="new sessions",
    )
    relay_domains: Matches = setting(
        RelayDomains(),
        [],
        example=["example.org", "*.example.org"],
        shown=False,
        meaning="Domains elsewhere that anybody may bring mail for: as their backup MX, or gateway.",
        applied="new sessions",
    )
    relay_recipients: tuple[SenderEntry, ...] = setting(
        ListOf(RelayRecipient(), example='["ann@example.org", "sub.example.org"]'),
        [],
        example=["ann@example.org", "sub.example.org"],
        shown=False,
        meaning="Those in relay_domains who exist, and domains that take any name; empty: everybody.",
        applied="new sessions",
    )
    relay_recipient_files: tuple[Path, ...] = setting(
        ListOf(FilePath(example="/etc/mailsuite/relay-recipients.list")),
        [],
        example=["/etc/mailsuite/relay-recipients.list"],
        shown=False,
        meaning="Files with one such entry on a line; read again when they change.",
        applied="new sessions",
    )
    i_know_this_is_an_open_relay: bool = setting(
        Boolean(),
        False,
        shown=False,
        meaning='Has to be true for relay = "anyone", and for networks so large that they are nearly that.',
        applied="new sessions",
    )
    messages_per_address: Rate | None = setting(
        PerTime("100/1m"),
        "0",
        meaning='Messages from one address (IPv6: its /64) in a span of time; "0" is no limit.',
        applied="new sessions",
    )
    recipients_per_address: Rate | None = setting(
        PerTime("500/1m"),
        "0",
        meaning='Recipients from one address (IPv6: its /64) in a span of time; "0" is no limit.',
        applied="new sessions",
    )
    unknown_recipients_delay: int = setting(
        Integer(0, 10_000, example=5),
        0,
        meaning="After so many unknown recipients in a session each further answer is slow; 0: never.",
        applied="new sessions",
    )
    unknown_recipients_close: int = setting(
        Integer(0, 10_000, example=10),
        0,
        meaning="After so many unknown recipients the session is ended; 0: never.",
        applied="new sessions",
    )
    unknown_recipients_ban: int = setting(
        Integer(0, 1_000_000, example=50),
        0,
        meaning="After so many unknown recipients in an hour the address is banned; 0: never.",
        applied="new sessions",
    )
    block_senders: tuple[SenderEntry, ...] = setting(
        ListOf(Sender(), example='["eve@example.org", "example.com", "*.example.com"]'),
        [],
        example=["eve@example.org", "example.com", "*.example.com"],
        shown=False,
        meaning="Senders, and domains of senders, that no mail is taken from.",
        applied="new sessions",
    )
    block_sender_files: tuple[Path, ...] = setting(
        ListOf(FilePath(example="/etc/mailsuite/blocked-senders.list")),
        [],
        example=["/etc/mailsuite/blocked-senders.list"],
        shown=False,
        meaning="Files with one such entry on a line; read again when they change.",
        applied="new sessions",
    )
    accept_senders: tuple[SenderEntry, ...] = setting(
        ListOf(Sender(), example='["joe@example.com"]'),
        [],
        example=["joe@example.com"],
        shown=False,
        meaning="Senders that mail is taken from although they are blocked.",
        applied="new sessions",
    )
    accept_sender_files: tuple[Path, ...] = setting(
        ListOf(FilePath(example="/etc/mailsuite/accepted-senders.list")),
        [],
        example=["/etc/mailsuite/accepted-senders.list"],
        shown=False,
        meaning="Files with one such entry on a line; read again when they change.",
        applied="new sessions",
    )


@attrs.frozen(kw_only=True, slots=False)
class SubmissionRules:
    """Keys of ``[submission]``."""

    relay_networks: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.0.2.0/24"]'),
        [],
        meaning="Hosts that may send without logging in (printers, other servers); all others log in.",
        applied="new sessions",
    )
    i_know_this_is_an_open_relay: bool = setting(
        Boolean(),
        False,
        shown=False,
        meaning="Has to be true for relay_networks so large that they are nearly everybody.",
        applied="new sessions",
    )
    sender_must_match: SenderMode = setting(
        SenderMatch(),
        "reject",
        meaning="What is done where the sender, From or Sender is no address of the account.",
        applied="new sessions",
    )
    rate_per_account: Rate | None = setting(
        PerTime(),
        "200/1h",
        meaning='Recipients that an account may send to in a span of time; "0" is no limit.',
        applied="new sessions",
    )


@attrs.frozen(kw_only=True, slots=False)
class AccountSending:
    """Keys of ``[[account]]``."""

    send_as: tuple[Address, ...] = setting(
        ListOf(MailAddress("sales@example.net"), example='["sales@example.net", "*@example.com"]'),
        [],
        example=["sales@example.net", "*@example.com"],
        shown=False,
        meaning='Further addresses that it may send from; "*@example.com" is any of a domain.',
        applied="live",
    )


@attrs.frozen(kw_only=True, slots=False)
class OwnLists:
    """Keys of ``[[domain]]`` and ``[[account]]``."""

    block_senders: tuple[SenderEntry, ...] = setting(
        OwnSenderList(),
        [],
        example=["eve@example.org", "example.com", "*.example.com"],
        shown=False,
        meaning="Senders elsewhere, and domains of senders, that it takes no mail from.",
        applied="live",
    )
    accept_senders: tuple[SenderEntry, ...] = setting(
        OwnSenderList(example='["joe@example.com"]'),
        [],
        example=["joe@example.com"],
        shown=False,
        meaning="Senders it takes mail from, whoever else blocks them; an account comes before its domain.",
        applied="live",
    )

    @property
    def senders(self) -> OwnSenders:
        """Both, as a value of the model."""
        if not (self.block_senders or self.accept_senders):
            return NO_SENDERS
        return OwnSenders(self.block_senders, self.accept_senders)


@attrs.frozen(kw_only=True, slots=False)
class DeviceSending:
    """Keys of ``[[account.device]]``."""

    sender: Address | None = setting(
        OrNone(MailAddress("printer@example.net")),
        "",
        example="printer@example.net",
        shown=False,
        meaning='The one address that it may send from; "" is all of the account.',
        applied="live",
    )
    recipients: tuple[Address, ...] = setting(
        ListOf(MailAddress("office@example.net"), example='["office@example.net", "*@example.com"]'),
        [],
        example=["office@example.net", "*@example.com"],
        shown=False,
        meaning='Whom it may send to; "*@example.com" is all of a domain, and an empty list is anybody.',
        applied="live",
    )
