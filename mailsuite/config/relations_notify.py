"""Checks of what is said about telling people: nothing for nothing, and what it needs must be there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mailsuite.config.kinds import toml_text
from mailsuite.config.look import Look
from mailsuite.config.problems import Problem
from mailsuite.config.secret import unreadable
from mailsuite.model.account import NotifyState


def notify_relations(look: Look) -> Iterator[Problem]:
    """All that has no effect."""
    yield from _notifymail(look)
    most = look.config.notify.max_level
    for domain in look.config.domains:
        own, key = domain.notify_max_level, f"domain.{domain.name}.notify_max_level"
        if own is not None and own > most and look.sound(key, "notify.max_level"):
            text = f"notify_max_level = {toml_text(own.word)} has no effect: notify.max_level"
            yield look.warning(f"{text} = {toml_text(most.word)} is less", key, "notify.max_level")


def _notifymail(look: Look) -> Iterator[Problem]:
    notify = look.config.notify
    if notify.notifymail.default_state is NotifyState.STATIC and look.is_given(
        "notify.notifymail.default_state"
    ):
        text = 'default_state "static" acts as "last-ip" for each account that names no address'
        yield look.warning(text, "notify.notifymail.default_state")
    if not notify.notifymail.learn_from and notify.enabled and notify.notifymail.enabled:
        text = "learn_from is empty: no last address is ever known, so only fixed ones are knocked at"
        yield look.warning(text, "notify.notifymail.learn_from")


def notify_files(look: Look) -> Iterator[Problem]:
    """What is not there that a channel needs; the token of Pushover is read elsewhere."""
    ca_file = look.config.notify.webhook.ca_file
    if ca_file is not None and (reason := unreadable(ca_file)):
        yield look.error(f"ca_file: {ca_file} {reason}", "notify.webhook.ca_file")
    for command in look.config.notify.commands:
        program = Path(command.argv[0])
        if command.enabled and (reason := _unrunnable(program)):
            yield look.error(f"argv: {program} {reason}", f"notify.command.{command.name}.argv")


def _unrunnable(program: Path) -> str:
    """Why it cannot be run, empty where it can."""
    try:
        if not program.is_file():
            return "is no file" if program.exists() else "is not there"
    except OSError as error:
        return f"cannot be reached: {error.strerror}"
    return "" if os.access(program, os.X_OK) else "is no program that this user can run"
