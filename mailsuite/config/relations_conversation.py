"""Checks of how an SMTP session goes: nothing is shorter than the standard but where that is meant."""

from __future__ import annotations

from collections.abc import Iterator

from mailsuite.config.conversation import Conversation
from mailsuite.config.look import Look
from mailsuite.config.measures import duration_text
from mailsuite.config.problems import Problem

FLOORS = {"open_timeout": 300.0, "idle_timeout": 300.0, "data_timeout": 180.0}
"""Seconds. RFC 5321: five minutes for a command (section 4.5.3.2.7), three for a piece of a message
(section 4.5.3.2.5)."""
SHORT_SESSION = 600.0
"""Seconds. 50 MiB take so long at 700 kbit/s. RFC 5321 section 4.5.3.2.6 lets a client wait as long for one
reply."""
SERVICES = ("smtp", "submission", "lmtp")


def conversation_relations(look: Look) -> Iterator[Problem]:
    """All that is wrong, or that senders will notice."""
    for table, settings in _tables(look):
        yield from _timeouts(look, table, settings)
        yield from _errors(look, table, settings)
        yield from _session(look, table, settings)


def _tables(look: Look) -> Iterator[tuple[str, Conversation]]:
    """The sections and the open listeners, with what the keys of each begin with."""
    for service in SERVICES:
        yield service, getattr(look.config, service)
    for listener in look.config.listeners:
        if listener.enabled and isinstance(listener.settings, Conversation):
            yield f"listener.{listener.name}", listener.settings


def _timeouts(look: Look, table: str, settings: Conversation) -> Iterator[Problem]:
    if settings.allow_short_timeouts:
        return
    for name, least in FLOORS.items():
        key, seconds = f"{table}.{name}", getattr(settings, name)
        if look.is_given(key) and seconds < least and look.sound(key, f"{table}.allow_short_timeouts"):
            yield look.error(
                f'{name} = "{duration_text(seconds)}" is below the {duration_text(least)} that RFC 5321 asks '
                "for, and slow senders would never get their mail through; if that is meant, write "
                "allow_short_timeouts = true beside it",
                key,
            )


def _errors(look: Look, table: str, settings: Conversation) -> Iterator[Problem]:
    keys = (f"{table}.soft_errors", f"{table}.hard_errors")
    given = any(map(look.is_given, keys))
    if given and settings.soft_errors >= settings.hard_errors and look.sound(*keys):
        yield look.warning(
            f"soft_errors = {settings.soft_errors} is never reached: hard_errors = {settings.hard_errors} "
            "ends the session before any answer waits",
            *keys,
        )


def _session(look: Look, table: str, settings: Conversation) -> Iterator[Problem]:
    keys = (f"{table}.max_session", f"{table}.open_timeout", f"{table}.idle_timeout")
    if settings.max_session is None or not look.sound(*keys):
        return
    if look.is_given(keys[0]) and settings.max_session < SHORT_SESSION:
        yield look.warning(
            f'max_session = "{duration_text(settings.max_session)}" is less than a large message takes on a '
            "slow line: it would never get through",
            keys[0],
        )
    for key in keys[1:]:
        name = key.rpartition(".")[2]
        longer = getattr(settings, name)
        if (look.is_given(key) or look.is_given(keys[0])) and longer > settings.max_session:
            yield look.warning(
                f'{name} = "{duration_text(longer)}" is never reached: '
                f'max_session = "{duration_text(settings.max_session)}" ends the session before',
                key,
                keys[0],
            )
