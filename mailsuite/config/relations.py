"""Checks between settings: values that are right alone and wrong together. Nothing here touches a file.

Those of listeners stand in config/relations_listeners.py, those of Unix sockets, proxies and LMTP in
config/relations_doors.py, those of how people log in in config/relations_logins.py, those of accounts in
config/relations_accounts.py, those of what POP3 promises in config/relations_pop3.py, those of notices in
config/relations_notify.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailsuite.config.kinds import toml_text
from mailsuite.config.look import Look
from mailsuite.config.measures import duration_text
from mailsuite.config.problems import Problem
from mailsuite.config.relations_accounts import account_relations
from mailsuite.config.relations_conversation import conversation_relations
from mailsuite.config.relations_doors import MAX_SOCKET_OCTETS, door_relations
from mailsuite.config.relations_limits import limit_relations
from mailsuite.config.relations_listeners import listener_relations
from mailsuite.config.relations_logins import login_relations
from mailsuite.config.relations_notify import notify_relations
from mailsuite.config.relations_pop3 import pop3_relations
from mailsuite.config.relations_queue import queue_relations
from mailsuite.config.relations_relaying import relaying_relations
from mailsuite.config.relations_resolving import resolving_relations
from mailsuite.config.relations_routing import routing_relations
from mailsuite.config.sources import source_problems

MAX_REPLY_OCTETS = 512
"""Of an SMTP reply line with its CRLF (RFC 5321 section 4.5.3.1.5)."""


def relations(look: Look) -> Iterator[Problem]:
    """All that is wrong between settings."""
    yield from _server(look)
    yield from _certificates(look)
    yield from listener_relations(look)
    yield from door_relations(look)
    yield from login_relations(look)
    yield from pop3_relations(look)
    yield from relaying_relations(look)
    yield from routing_relations(look)
    yield from queue_relations(look)
    yield from limit_relations(look)
    yield from conversation_relations(look)
    yield from resolving_relations(look, look.config.resolver)
    yield from _guard(look)
    yield from account_relations(look)
    for source in look.config.sources:
        yield from source_problems(look, source)
    yield from notify_relations(look)


def _server(look: Look) -> Iterator[Problem]:
    server = look.config.server
    octets = len(str(server.control_socket).encode("utf-8", "surrogateescape"))
    if octets > MAX_SOCKET_OCTETS:
        yield look.error(
            f"control_socket {server.control_socket} has {octets} octets, and the system takes "
            f"{MAX_SOCKET_OCTETS}; name a shorter path",
            "server.control_socket",
            "server.state",
        )
    config = look.config
    for section, settings in (
        ("smtp", config.smtp),
        ("submission", config.submission),
        ("lmtp", config.lmtp),
    ):
        octets = len(f"220 {server.name} {settings.banner}\r\n")
        if octets > MAX_REPLY_OCTETS and look.sound(f"{section}.banner", "server.name"):
            yield look.error(
                f"banner makes a greeting of {octets} octets with the host name; "
                f"RFC 5321 allows {MAX_REPLY_OCTETS}",
                f"{section}.banner",
                "server.name",
            )


def _certificates(look: Look) -> Iterator[Problem]:
    tls = look.config.tls
    for name, value in (("certificate", tls.certificate), ("key", tls.key)):
        key = f"tls.{name}"
        if tls.mode == "files" and value is None and look.sound(key, "tls.mode"):
            yield look.error(f'mode = "files" needs a {name}: {name} = "/etc/ssl/..."', key, "tls.mode")
        if tls.mode == "self-signed" and value is not None and look.sound("tls.mode"):
            yield look.warning(f'{name} is not used: for that, write mode = "files"', key)


def _guard(look: Look) -> Iterator[Problem]:
    guard = look.config.guard
    keys = ("guard.failure_delay_maximum", "guard.failure_delay")
    if guard.failure_delay_maximum < guard.failure_delay and look.sound(*keys):
        longest, first = (
            toml_text(duration_text(one)) for one in (guard.failure_delay_maximum, guard.failure_delay)
        )
        text = f"failure_delay_maximum = {longest} is shorter than failure_delay = {first}, where it begins"
        yield look.error(text, *keys)
    keys = ("guard.ban_maximum", "guard.ban")
    if guard.ban is not None and guard.ban_maximum < guard.ban and look.sound(*keys):
        longest, first = (toml_text(duration_text(one)) for one in (guard.ban_maximum, guard.ban))
        yield look.error(f"ban_maximum = {longest} is shorter than ban = {first}, where it begins", *keys)
