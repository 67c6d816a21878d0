"""Settings of the ways in which people are told, but for NotifyMail. Read through config/schema.py."""

# The declarations are immutable: they are no shared mutable defaults.
# ruff: noqa: RUF009

from __future__ import annotations

from pathlib import Path

import attrs

from mailsuite.config.declare import setting
from mailsuite.config.kinds import Boolean, Integer, ListOf, OrNone, Text, port
from mailsuite.config.kinds_notify import Arguments, Contact, Schedule
from mailsuite.config.measures import Duration
from mailsuite.config.names import FilePath
from mailsuite.config.secret import Secret

_WINDOW = OrNone(Duration(minimum=0.0, maximum=3600.0))
_AS_GENERAL = 'As notify.coalesce, for this channel; "" is what stands there.'


@attrs.frozen(kw_only=True)
class Stream:
    """``[notify.stream]``"""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether programs may stay connected and be told over that connection.",
        applied="live",
    )


@attrs.frozen(kw_only=True)
class Webhook:
    """``[notify.webhook]``"""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether notices go to web servers that users name.",
        applied="live",
    )
    per_host: int = setting(
        Integer(1, 100, example=4),
        4,
        meaning="Requests under way to one host, those of Web Push, ntfy, Gotify and Pushover too.",
        applied="live",
    )
    per_second: int = setting(
        Integer(1, 10_000, example=20),
        20,
        meaning="Requests in a second to one host, in the long run, likewise; five times as many at once.",
        applied="live",
    )
    ports: tuple[int, ...] = setting(
        ListOf(port(), 1, "[443, 8443]"),
        [443, 8443],
        meaning="The ports that such a server may have, also one of ntfy and Gotify.",
        applied="live",
    )
    schedule: tuple[float, ...] = setting(
        Schedule(),
        "standard",
        meaning="The waits before the second try, the third ...; then it is given up.",
        applied="live",
    )
    coalesce: float | None = setting(
        _WINDOW,
        "5s",
        meaning=_AS_GENERAL,
        applied="live",
    )
    ca_file: Path | None = setting(
        OrNone(FilePath(example="/etc/mailsuite/ca.pem")),
        "",
        example="/etc/mailsuite/ca.pem",
        shown=False,
        meaning='Who else may have signed the certificates of such servers, in PEM form; "" is nobody.',
        applied="live",
    )


@attrs.frozen(kw_only=True)
class WebPush:
    """``[notify.webpush]``"""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether browsers and phones are told; the keys for that are made at the first start.",
        applied="live",
    )
    contact: str = setting(
        Contact(),
        derived="mailto: and server.admin",
        example="mailto:postmaster@example.net",
        shown=False,
        meaning="Whom the push services ask if something is wrong with our requests.",
        applied="live",
    )
    coalesce: float | None = setting(
        _WINDOW,
        "5s",
        meaning=_AS_GENERAL,
        applied="live",
    )


@attrs.frozen(kw_only=True)
class Ntfy:
    """``[notify.ntfy]``"""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether notices go to ntfy servers that users name.",
        applied="live",
    )
    coalesce: float | None = setting(
        _WINDOW,
        "",
        example="30s",
        shown=False,
        meaning=_AS_GENERAL,
        applied="live",
    )


@attrs.frozen(kw_only=True)
class Gotify:
    """``[notify.gotify]``"""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether notices go to Gotify servers that users name.",
        applied="live",
    )
    coalesce: float | None = setting(
        _WINDOW,
        "",
        example="30s",
        shown=False,
        meaning=_AS_GENERAL,
        applied="live",
    )


@attrs.frozen(kw_only=True)
class Pushover:
    """``[notify.pushover]``"""

    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether notices go to pushover.net.",
        applied="live",
    )
    token_file: Path | None = setting(
        OrNone(FilePath(example="/etc/mailsuite/secrets/pushover")),
        "",
        example="/etc/mailsuite/secrets/pushover",
        shown=False,
        meaning="A file with one line: the token of your application there, for users who bring none.",
        applied="live",
    )
    coalesce: float | None = setting(
        _WINDOW,
        "",
        example="30s",
        shown=False,
        meaning=_AS_GENERAL,
        applied="live",
    )
    token: Secret = attrs.field(default=Secret(""))
    """What token_file holds."""


@attrs.frozen(kw_only=True)
class CommandBlock:
    """``[[notify.command]]``"""

    name: str = setting(
        Text(40, r"[a-z0-9][a-z0-9._-]*", "pager"),
        example="pager",
        meaning="What subscriptions call it by.",
        applied="live",
    )
    enabled: bool = setting(
        Boolean(),
        True,
        meaning="Whether it is run at all.",
        applied="live",
    )
    argv: tuple[str, ...] = setting(
        Arguments(),
        example=["/usr/local/bin/tell-pager", "--from-mail"],
        meaning="The program and its arguments, without a shell; it reads the notice as JSON from its input.",
        applied="live",
    )
    timeout: float = setting(
        Duration(minimum=0.1, maximum=60.0),
        "10s",
        meaning="How long it may run; then it is ended.",
        applied="live",
    )
    users: bool = setting(
        Boolean(),
        False,
        meaning="Whether users may choose it themselves; else only administrators choose it for them.",
        applied="live",
    )
