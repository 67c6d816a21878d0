"""Settings of the services and of the doors they are reached by. Read through config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal, get_args

import attrs

from mailsuite.config.access import Access
from mailsuite.config.conversation import Conversation
from mailsuite.config.declare import Caution, section, setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, OneOf, OrNone, Text, port
from mailsuite.config.kinds_doors import FileMode
from mailsuite.config.kinds_quota import QuotaLimits
from mailsuite.config.letters import Letters, SubmissionLetters
from mailsuite.config.measures import Duration, Size
from mailsuite.config.mechanisms import SaslName, mechanisms
from mailsuite.config.metrics import Metrics
from mailsuite.config.names import AlternateAt, BindAddress, FilePath, Greeting, HostName, Network
from mailsuite.config.notify_door import NotifyDoor
from mailsuite.config.pop3 import OnOverlong, Pop3
from mailsuite.config.relaying import ReceptionRules, SubmissionRules
from mailsuite.config.resolving import HelloNames
from mailsuite.config.routing import ReceptionRouting
from mailsuite.config.strictness import Extension, Strictness
from mailsuite.model.quota import Quota

Service = Literal["smtp", "submission", "lmtp", "pop3", "notify", "metrics"]
TlsUse = Literal["implicit", "starttls", "required-starttls", "off"]

SYSTEM_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*\$?|"
"""A user or a group of the system; empty: none."""
_KIB = 1 << 10
_GIB = 1 << 30


@attrs.frozen(kw_only=True, slots=False)  # a base beside others: slots would not fit together
class SmtpBasics:
    """What ``[smtp]``, ``[submission]`` and ``[lmtp]`` have in common and people ask for first."""

    banner: str = setting(
        Greeting("ESMTP"),
        "ESMTP",
        meaning="The text of the greeting after the host name; no version unless you put {version} here.",
        applied="new sessions",
    )
    max_message: int = setting(
        Size(_KIB, 2 * _GIB),
        "50MiB",
        caution=Caution("64KiB", "is below the 64 KiB RFC 5321 asks for"),
        meaning="The largest message that is taken, and the SIZE that EHLO advertises.",
        applied="new sessions",
    )
    max_recipients: int = setting(
        Integer(1, 10_000, example=100),
        100,
        caution=Caution(100, "is below the hundred recipients RFC 5321 asks for"),
        meaning="Recipients of one message; further ones are told to come in the next.",
        applied="new sessions",
    )
    max_connections: int = setting(
        Integer(0, 1_000_000, example=1000),
        1000,
        meaning="Sessions at the same time, over all listeners of the service; 0 is no limit.",
        applied="live",
    )
    max_connections_per_address: int = setting(
        Integer(0, 1_000_000, example=10),
        10,
        meaning="Sessions at once from one address, or of one user on a Unix socket; 0 is no limit.",
        applied="live",
    )
    on_overlong_command: OnOverlong = setting(
        OneOf(get_args(OnOverlong)),
        "ban",
        meaning="What a command beyond 512 octets leads to (not MAIL, RCPT, AUTH): an error, the end, a ban.",
        applied="new sessions",
    )
    idle_timeout: float = setting(
        Duration(minimum=1.0, maximum=86400.0),
        "5m",
        meaning="A session in which nothing happens for so long is closed.",
        applied="new sessions",
    )


@attrs.frozen(kw_only=True)
class SmtpLimits(Strictness, Letters, Conversation, SmtpBasics):
    """All that they have in common."""


@attrs.frozen(kw_only=True)
class Smtp(HelloNames, ReceptionRouting, ReceptionRules, SmtpLimits):
    """``[smtp]``, mail from other servers, or what of it holds for one listener."""

    access: Access = section(Access, "Who may connect by SMTP")


@attrs.frozen(kw_only=True)
class Submission(SubmissionLetters, SubmissionRules, SmtpLimits):
    """``[submission]``, mail from our own users, or what of it holds for one listener."""

    not_offered: tuple[Extension, ...] = setting(
        ListOf(OneOf(get_args(Extension)), example='["chunking"]'),
        ["binarymime"],
        meaning="Extensions not offered: smtputf8, chunking, binarymime, dsn, requiretls, limits.",
        applied="new sessions",
    )
    auth: tuple[SaslName, ...] = setting(
        mechanisms(1),
        ["plain", "login", "scram-sha-256"],
        meaning="The SASL mechanisms offered; those that send the password itself under TLS only.",
        applied="new sessions",
    )
    alternate_at: str = setting(
        AlternateAt(),
        derived="pop3.alternate_at",
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
    future_release: float = setting(
        Duration(minimum=0.0),
        "30d",
        meaning="How long a message may wait here, if its sender wants it sent later; 0s: not offered.",
        applied="new sessions",
    )
    future_release_quota: Quota = setting(
        QuotaLimits(),
        "1GiB,1000",
        meaning="How much of one account's mail may wait for that, written as a quota is; 0: no limit.",
        applied="new sessions",
    )
    access: Access = section(Access, "Who may connect for submission")


@attrs.frozen(kw_only=True)
class Lmtp(SmtpLimits):
    """``[lmtp]``, mail that another mail server hands over for our accounts, or what of it holds for one
    listener. That server is one address with many connections, and no stranger who is to be banned."""

    banner: str = setting(
        Greeting("LMTP"),
        "LMTP",
        meaning="The text of the greeting after the host name; no version unless you put {version} here.",
        applied="new sessions",
    )
    max_connections_per_address: int = setting(
        Integer(0, 1_000_000, example=50),
        0,
        meaning="Sessions at once from one address, or of one user on a Unix socket; 0 is no limit.",
        applied="live",
    )
    on_overlong_command: OnOverlong = setting(
        OneOf(get_args(OnOverlong)),
        "close",
        meaning="What a command beyond 512 octets leads to (not MAIL, RCPT): an error, the end, a ban.",
        applied="new sessions",
    )
    access: Access = section(Access, "Who may connect by LMTP")


MailSettings = Pop3 | Smtp | Submission | Lmtp
DoorSettings = MailSettings | NotifyDoor
"""Those of doors that the world comes to: with limits and an access list."""
ServiceSettings = DoorSettings | Metrics

SERVICE_SECTIONS: dict[Service, type[ServiceSettings]] = {
    "smtp": Smtp,
    "submission": Submission,
    "lmtp": Lmtp,
    "pop3": Pop3,
    "notify": NotifyDoor,
    "metrics": Metrics,
}
"""The section whose keys may stand in a listener block of the service."""


@attrs.frozen(kw_only=True)
class Listener:
    """``[[listener]]``: one door. ``settings`` is the service's section with the block's own keys in it."""

    name: str = setting(
        Text(32, r"[A-Za-z0-9][A-Za-z0-9_\-]*", "pop3s"),
        example="pop3s",
        meaning="What the log and the command line call it.",
        applied="live",
    )
    service: Service = setting(
        OneOf(get_args(Service)),
        example="pop3",
        meaning="What is spoken there: mail from other servers, users or an MTA, fetching, notices, figures.",
        applied="live",
    )
    bind: tuple[str, ...] = setting(
        ListOf(BindAddress(), 1, '["*"] or ["127.0.0.1", "::1"]'),
        ["*"],
        meaning='The addresses, or interfaces, to listen on; ["*"] is every one, IPv4 and IPv6.',
        applied="live",
    )
    v6only: bool = setting(
        Boolean(),
        False,
        meaning='Whether "::" takes IPv6 alone; else it takes IPv4, too.',
        applied="live",
    )
    wait: bool = setting(
        Boolean(),
        False,
        meaning="Whether an address that is not there yet is waited for; else that is an error.",
        applied="live",
    )
    port: int = setting(
        port(0),
        derived="25, 587, 24 (lmtp), 110, 8443 or 9110; with implicit TLS 465 or 995",
        example=995,
        meaning="The TCP port; with 0 the system chooses a free one.",
        applied="live",
    )
    tls: TlsUse = setting(
        OneOf(("implicit", "starttls", "required-starttls", "off")),
        derived='"implicit" on 465 and 995, else "starttls"; submission "required-starttls", notify '
        '"implicit", metrics "off"; on a Unix socket "off"',
        example="implicit",
        meaning="When TLS begins: with the connection, on command, on command before all else, or never.",
        applied="live",
    )
    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether this door is open.",
        applied="live",
    )
    endpoint: str = setting(
        Text(500, r"[A-Za-z][A-Za-z0-9]*:.+|", "systemd:domain=INET6:name=pop3s"),
        "",
        example="systemd:domain=INET6:name=pop3s",
        shown=False,
        meaning="A Twisted endpoint string, instead of bind and port.",
        applied="live",
    )
    socket: Path | None = setting(
        OrNone(FilePath(state_allowed=True, example="/run/mailsuite/lmtp.sock")),
        "",
        example="/run/mailsuite/lmtp.sock",
        shown=False,
        meaning="A Unix socket instead of bind and port, for lmtp and submission; the system says who calls.",
        applied="live",
    )
    socket_owner: str = setting(
        Text(32, SYSTEM_NAME, "mailsuite"),
        derived="server.user",
        example="mailsuite",
        shown=False,
        meaning='The user whose the socket is; "" is whoever opens it.',
        applied="live",
    )
    socket_group: str = setting(
        Text(32, SYSTEM_NAME, "postfix"),
        "",
        example="postfix",
        shown=False,
        meaning='The group of the socket; "" is that of whoever opens it.',
        applied="live",
    )
    socket_mode: int = setting(
        FileMode(),
        "0660",
        shown=False,
        meaning='Who may connect to the socket: "0660" is its owner and its group, "0666" is everybody here.',
        applied="live",
    )
    proxy_from: tuple[IPv4Network | IPv6Network, ...] = setting(
        ListOf(Network(), example='["192.0.2.10"]'),
        [],
        example=["192.0.2.10"],
        shown=False,
        meaning="Proxies whose PROXY header says who the client is; from them alone, and from them always.",
        applied="live",
    )
    certificate: Path | None = setting(
        OrNone(FilePath(example="/etc/ssl/pop.example.net.pem")),
        "",
        example="/etc/ssl/pop.example.net.pem",
        shown=False,
        meaning="A certificate for this listener alone, in PEM form; else the one of [tls] is used.",
        applied="live",
    )
    key: Path | None = setting(
        OrNone(FilePath(example="/etc/ssl/private/pop.example.net.key")),
        "",
        example="/etc/ssl/private/pop.example.net.key",
        shown=False,
        meaning="The private key of that certificate.",
        applied="live",
    )
    settings: ServiceSettings
