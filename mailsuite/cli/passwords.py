"""How a password reaches a command: prompted for, out of a file, or from stdin; never as an argument."""

from __future__ import annotations

import getpass
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import attrs
import click

from mailsuite.cli.context import CommandFailed
from mailsuite.cli.terminal import clean
from mailsuite.config.secret import Secret

MAX_OCTETS = 4096
"""Far above the longest password that is taken anywhere."""


@attrs.frozen
class PasswordSource:
    """Where the person wants the password to come from."""

    file: Path | None
    stdin: bool
    generate: bool = False

    def __attrs_post_init__(self) -> None:
        if [self.file is not None, self.stdin, self.generate].count(True) > 1:
            raise click.UsageError("name one source of the password only")

    @property
    def named(self) -> bool:
        return self.file is not None or self.stdin or self.generate

    def read(self, prompt: str = "Password", confirm: bool = False) -> Secret | None:
        """The password; None where one is to be generated."""
        if self.generate:
            return None
        if self.file is not None:
            return self._from_file(self.file)
        if self.stdin:
            return _first_line(sys.stdin.buffer.readline(MAX_OCTETS + 1), "stdin")
        return _asked(prompt, confirm)

    def _from_file(self, file: Path) -> Secret:
        try:
            with file.open("rb") as stream:
                return _first_line(stream.readline(MAX_OCTETS + 1), str(file))
        except OSError as error:
            raise CommandFailed(f"{clean(str(file))}: {error.strerror}") from error


def _first_line(line: bytes, source: str) -> Secret:
    if len(line) > MAX_OCTETS:
        raise CommandFailed(f"{clean(source)}: the first line is too long for a password")
    try:
        text = line.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{clean(source)}: the first line is not UTF-8") from error
    if not text:
        raise CommandFailed(f"{clean(source)}: there is no password in the first line")
    return Secret(text)


def _asked(prompt: str, confirm: bool) -> Secret:
    """Ask on the terminal, without an echo."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would be seen while it is typed
        try:
            return Secret(
                click.prompt(
                    prompt,
                    hide_input=True,
                    confirmation_prompt="Once more" if confirm else False,
                    err=True,
                )
            )
        except getpass.GetPassWarning as error:
            raise click.UsageError(
                "there is no terminal to ask for the password on; use --password-file or --stdin"
            ) from error


def reveal(secret: Secret | None) -> str | None:
    """The password itself, for the one who checks or hashes it."""
    return None if secret is None else secret.reveal()


def password_options(generate: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a command that needs a password; it gets them as ``password``, a PasswordSource."""
    options = [
        click.option(
            "--password-file",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="The password is the first line of this file.",
        ),
        click.option(
            "--stdin", "password_stdin", is_flag=True, help="The password is the first line of stdin."
        ),
    ]
    if generate:
        options.append(click.option("--generate", is_flag=True, help="Make one up, and print it once."))

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_source(
            *arguments: Any, password_file: Path | None, password_stdin: bool, **rest: Any
        ) -> Any:
            source = PasswordSource(password_file, password_stdin, rest.pop("generate", False))
            return command(*arguments, password=source, **rest)

        decorated: Callable[..., Any] = with_source
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate
