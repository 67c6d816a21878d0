"""Checks of what POP3 promises about mail that is left behind, and of how long a client may be silent."""

from __future__ import annotations

from collections.abc import Iterator

from mailsuite.config.look import Look
from mailsuite.config.problems import Problem
from mailsuite.config.schema import Pop3


def pop3_relations(look: Look) -> Iterator[Problem]:
    """All that is wrong, or that users will notice."""
    yield from _retrieval(look)
    yield from _never_read(look)
    yield from _of_listeners(look)


def _tables(look: Look) -> Iterator[tuple[str, Pop3]]:
    """``[pop3]`` and the open listeners, with what the keys of each begin with."""
    yield "pop3", look.config.pop3
    for listener in look.config.listeners:
        if listener.enabled and isinstance(listener.settings, Pop3):
            yield f"listener.{listener.name}", listener.settings


def _retrieval(look: Look) -> Iterator[Problem]:
    """RFC 1939 section 8 lets a site remove what was fetched; its users should hear of it first."""
    said: list[tuple[str, float | None]] = [
        (f"{table}.delete_after", pop3.delete_after) for table, pop3 in _tables(look)
    ]
    said += [(f"domain.{one.name}.delete_after", one.delete_after) for one in look.config.domains]
    said += [(f"account.{one.address}.delete_after", one.delete_after) for one in look.config.accounts]
    for key, seconds in said:
        if seconds == 0.0 and look.is_given(key):
            yield look.warning(
                'delete_after = "retrieval": what a program fetches is removed at QUIT, whatever the program '
                "is set to; a second computer finds nothing, and TOP shows headers alone",
                key,
            )


def _never_read(look: Look) -> Iterator[Problem]:
    """Without the flag nobody can tell what was fetched, so nothing would ever be old enough."""
    if look.config.delivery.mark_seen:
        return
    for table, pop3 in _tables(look):
        key = f"{table}.delete_after"
        if look.is_given(key) and 0.0 < pop3.delete_after < float("inf"):
            yield look.warning(
                "delete_after is for mail that was read, and with delivery.mark_seen = false what POP3 "
                "programs fetch never counts as read; set delete_unread_after, too",
                key,
            )


def _of_listeners(look: Look) -> Iterator[Problem]:
    """What stays in a maildrop cannot depend on the door by which somebody looks at it."""
    for listener in look.config.listeners:
        for name in ("delete_after", "delete_unread_after"):
            key = f"listener.{listener.name}.{name}"
            if look.is_given(key):
                yield look.error(
                    f"{name} in a listener: mail is the same by every door; write it in [pop3], or in the "
                    "[[domain]] or [[account]] it is for",
                    key,
                )
