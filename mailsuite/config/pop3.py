"""Settings of POP3. Read through config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Literal, get_args

import attrs

from mailsuite.config.access import Access
from mailsuite.config.declare import Caution, section, setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, OneOf, Text
from mailsuite.config.measures import DeleteAfter, Duration, retention
from mailsuite.config.mechanisms import APOP, Apop, SaslName, mechanisms
from mailsuite.config.names import AlternateAt, Greeting, HostName, Network
from mailsuite.model.retention import Retention

Quirk = Literal["outlook-no-nuls", "oe-ns-eoh", "auth-list"]
Utf8Mail = Literal["downgrade", "refuse", "as-is"]
OnOverlong = Literal["error", "close", "ban"]
ProtocolLog = Literal["off", "sessions", "commands", "raw"]


@attrs.frozen(kw_only=True)
class Pop3:
    """``[pop3]``, or what of it holds for one listener."""

    response_name: str = setting(
        HostName(),
        derived="server.name",
        example="mail.example.net",
        shown=False,
        meaning="The host name in the greeting.",
        applied="new sessions",
    )
    banner: str = setting(
        Greeting("POP3 ready"),
        "POP3 ready",
        meaning="The text of the greeting; it says no version unless you put {version} here.",
        applied="new sessions",
    )
    auth: tuple[SaslName, ...] = setting(
        mechanisms(),
        ["plain", "scram-sha-256"],
        meaning="The SASL mechanisms offered; those that send the password itself under TLS only.",
        applied="new sessions",
    )
    apop: Apop = setting(
        APOP,
        "off",
        meaning="Whether APOP is offered, or required: then no USER and PASS, no PLAIN and LOGIN.",
        applied="new sessions",
    )
    trusted_networks: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.0.2.0/24"]'),
        [],
        meaning="From here a password may come before TLS; from nowhere else, loopback included.",
        applied="new sessions",
    )
    alternate_at: str = setting(
        AlternateAt(),
        "",
        example="#$%",
        shown=False,
        meaning="Characters that may stand for the @ of a login name, for programs that cannot send one.",
        applied="new sessions",
    )
    default_domain: str = setting(
        HostName("example.net"),
        derived="the first [[domain]], else server.name",
        example="example.net",
        shown=False,
        meaning="The domain of a login name that has none.",
        applied="new sessions",
    )
    idle_timeout: float = setting(
        Duration(minimum=1.0, maximum=86400.0),
        "10m",
        caution=Caution("10m", "is below the ten minutes RFC 1939 asks for"),
        meaning="A session in which nothing happens for so long is closed, without deleting anything.",
        applied="new sessions",
    )
    max_connections: int = setting(
        Integer(0, 1_000_000, example=2000),
        2000,
        meaning="Sessions at the same time, over all POP3 listeners; 0 is no limit.",
        applied="live",
    )
    max_connections_per_address: int = setting(
        Integer(0, 1_000_000, example=20),
        20,
        meaning="Sessions at the same time from one address; 0 is no limit.",
        applied="live",
    )
    max_connections_per_account: int = setting(
        Integer(0, 1_000_000, example=10),
        10,
        meaning="Sessions at the same time of one account, by all of its devices; 0 is no limit.",
        applied="live",
    )
    max_command: int = setting(
        Integer(255, 65536, example=512),
        512,
        meaning="Octets in one command line with its CRLF; no honest program sends more.",
        applied="new sessions",
    )
    on_overlong_command: OnOverlong = setting(
        OneOf(get_args(OnOverlong)),
        "ban",
        meaning="What a longer one leads to: an error, the end of the session, or a ban as [guard] says.",
        applied="new sessions",
    )
    strict_crlf: bool = setting(
        Boolean(),
        False,
        meaning="Whether a line that ends with LF alone is refused.",
        applied="new sessions",
    )
    login_timeout: float = setting(
        Duration(minimum=1.0, maximum=3600.0),
        "3m",
        meaning="A connection on which nobody logs in for so long is closed.",
        applied="new sessions",
    )
    login_delay: float = setting(
        Duration(minimum=0.0, maximum=86400.0),
        "0s",
        meaning="How long an account waits from one login to the next; new mail that was notified ends it.",
        applied="live",
    )
    takeover: bool = setting(
        Boolean(),
        False,
        meaning="Whether a second login of the same user ends the first session, instead of being refused.",
        applied="live",
    )
    delete_after: float = setting(
        DeleteAfter(),
        "never",
        example="30d",
        shown=False,
        meaning='How long read mail that programs leave behind stays; "retrieval": till it was fetched.',
        applied="live",
    )
    delete_unread_after: float = setting(
        DeleteAfter(retrieval=False),
        "never",
        example="120d",
        shown=False,
        meaning="How long mail stays that nobody has fetched or read.",
        applied="live",
    )
    utf8: bool = setting(
        Boolean(),
        True,
        meaning="Whether UTF8 is offered (RFC 6856): names, passwords and headers beyond ASCII.",
        applied="new sessions",
    )
    utf8_mail: Utf8Mail = setting(
        OneOf(get_args(Utf8Mail)),
        "downgrade",
        meaning="What a program that has not said UTF8 gets of mail with a UTF-8 header (RFC 6858).",
        applied="new sessions",
    )
    last: bool = setting(
        Boolean(),
        False,
        meaning="Whether the old command LAST is there (RFC 1460), which UIDL has replaced.",
        applied="new sessions",
    )
    implementation: str = setting(
        Text(200, r"[!-~]*( [!-~]+)*", "mailsuite"),
        "",
        example="mailsuite",
        shown=False,
        meaning='What IMPLEMENTATION says after the login (RFC 2449); "" is nothing.',
        applied="new sessions",
    )
    quirks: tuple[Quirk, ...] = setting(
        ListOf(OneOf(get_args(Quirk)), example='["outlook-no-nuls"]'),
        [],
        meaning="Allowances for old programs: NUL octets, messages without a body, AUTH without a mechanism.",
        applied="new sessions",
    )
    protocol_log: ProtocolLog = setting(
        OneOf(get_args(ProtocolLog)),
        "sessions",
        meaning="What the log tells: nothing, a line for each session, each command, or all octets.",
        applied="new sessions",
    )
    access: Access = section(Access, "Who may connect by POP3")

    @property
    def retention(self) -> Retention:
        """How long mail stays; ``read`` is 0 where it goes when it was retrieved."""
        return retention(self.delete_after, self.delete_unread_after)
