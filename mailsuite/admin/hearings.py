"""What each listener says to a client about a recipient, as JSON has it; the shape is part of the control
API."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from mailsuite.admin.access import unknown_listener
from mailsuite.config.schema import Config, Listener, Lmtp, Smtp, Submission
from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress
from mailsuite.model.reply import Reply
from mailsuite.policy.hearing import Hearing, Question


class HearingError(Exception):
    """The question has no answer; the message says why."""


def client_address(text: str) -> IPAddress:
    """Who asks. Raises HearingError."""
    try:
        return unmapped(ip_address(text.strip("[]")))
    except ValueError as error:
        raise HearingError(f"{text!r} is no IP address") from error


def doors_asked(config: Config, listener: str) -> tuple[Listener, ...]:
    """The listeners for mail that have clients with addresses; the one of this name, where it is not empty.
    Raises HearingError."""
    doors = {
        block.name: block
        for block in config.listeners
        if block.enabled and block.socket is None and isinstance(block.settings, Smtp | Submission | Lmtp)
    }
    if listener and listener not in doors:
        raise HearingError(unknown_listener(listener, {name: each.service for name, each in doors.items()}))
    return (doors[listener],) if listener else tuple(doors.values())


async def hearing_document(
    config: Config, question: Question, client: str, listener: str = ""
) -> dict[str, Any]:
    """What *client* hears at each listener, or at one. Raises HearingError."""
    peer = client_address(client)
    heard = [(door, await question.at(door, peer)) for door in doors_asked(config, listener)]
    return {
        "client": str(peer),
        "taken": any(hearing.reply.is_positive for _, hearing in heard),
        "listeners": [_row(door, hearing) for door, hearing in heard],
    }


def _row(door: Listener, hearing: Hearing) -> dict[str, Any]:
    verdict = "taken" if hearing.reply.is_positive else "refused"
    return {
        "listener": door.name,
        "service": door.service,
        "verdict": verdict if hearing.logged_in is None else "login",
        "reply": _words(hearing.reply),
        "logged_in": None if hearing.logged_in is None else _words(hearing.logged_in),
    }


def _words(reply: Reply) -> str:
    return reply.encode().decode("utf-8").rstrip()
