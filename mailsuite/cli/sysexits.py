"""The exit statuses that mail programs understand (sysexits.h), and how a server's reply becomes one."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

import click

from mailsuite.cli.terminal import clean


class Exit(enum.IntEnum):
    """What becomes of the message where a program of ours ends so."""

    OK = 0
    """It is safe."""
    USAGE = 64
    DATAERR = 65
    """There is something wrong with the message."""
    NOUSER = 67
    """Nobody has that address."""
    UNAVAILABLE = 69
    """It cannot be done for that recipient."""
    TEMPFAIL = 75
    """Not now: whoever called keeps the message and comes again."""
    NOPERM = 77
    """Whoever called may not do that."""
    CONFIG = 78


class MailFailed(Exception):
    """The message was not taken; the words are for a person, and say why."""

    def __init__(self, status: Exit, words: str) -> None:
        super().__init__(words)
        self.status = status


@contextmanager
def sysexits(name: str) -> Iterator[None]:
    """End the program as mail programs do, whatever goes wrong: for a mistake of ours, or a configuration
    that cannot be read just now, whoever called keeps the message."""
    try:
        yield
    except MailFailed as error:
        _end(name, error.status, str(error))
    except click.ClickException as error:
        _end(name, Exit.TEMPFAIL, error.format_message())
    except (KeyboardInterrupt, click.Abort):
        _end(name, Exit.TEMPFAIL, "interrupted")
    except OSError as error:
        _end(name, Exit.TEMPFAIL, error.strerror or str(error))
    except Exception as error:
        _end(name, Exit.TEMPFAIL, f"a mistake of ours: {type(error).__name__}")


def _end(name: str, status: Exit, words: str) -> NoReturn:
    with suppress(OSError):  # nobody may be there to read it; the status counts
        for line in words.splitlines():
            click.echo(f"{name}: {clean(line)}", err=True)
    raise SystemExit(int(status))


_OF_THE_MESSAGE: Final = ("5.6.", "5.3.4", "5.2.3", "5.5.2")
"""Enhanced codes (RFC 3463) that blame the message: its form, or its size."""


def exit_of_sender(code: int, enhanced: str) -> Exit:
    """What a refusal of the sender means."""
    if code < 500:
        return Exit.TEMPFAIL
    return Exit.NOPERM if enhanced.startswith("5.7.") else Exit.UNAVAILABLE


def exit_of_recipient(code: int, enhanced: str) -> Exit:
    """What a refusal of a recipient means."""
    if code < 500:
        return Exit.TEMPFAIL
    return Exit.NOUSER if enhanced.startswith("5.1.") else Exit.UNAVAILABLE


def exit_of_message(code: int, enhanced: str) -> Exit:
    """What a refusal of the message means."""
    if code < 500:
        return Exit.TEMPFAIL
    if enhanced.startswith(_OF_THE_MESSAGE):
        return Exit.DATAERR
    return Exit.NOPERM if enhanced.startswith("5.7.") else Exit.UNAVAILABLE


def worst(found: Iterable[Exit]) -> Exit:
    """One for several recipients: TEMPFAIL where any may come again, else the first that is none of success.

    A second copy for somebody is better than none for somebody else.
    """
    seen = [each for each in found if each is not Exit.OK]
    if Exit.TEMPFAIL in seen:
        return Exit.TEMPFAIL
    return seen[0] if seen else Exit.OK
