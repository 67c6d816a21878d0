"""What the commands share: exit statuses, the configuration, the way to the running server."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mailsuite.cli.control import Control
    from mailsuite.config.schema import Config


class CommandFailed(click.ClickException):
    """Ends the command: its words go to stderr as they stand, its exit status to the caller."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.format_message(), file=file, err=file is None)


class NotReachable(CommandFailed):
    """The server that is needed does not answer."""

    exit_code = 3


class ProblemsFound(CommandFailed):
    """A check found problems, and the message says which."""

    exit_code = 4


class Context:
    """What one run of the command line knows; the object that commands are given."""

    def __init__(self, named: Path | None = None) -> None:
        self._named = named

    @cached_property
    def config_path(self) -> Path | None:
        """The file that is named or found, None where there is none."""
        from mailsuite.config.load import find  # noqa: PLC0415 - keeps --help fast

        return self._named or find(os.environ)

    @cached_property
    def config(self) -> Config:
        """The configuration in force for a server started now. Raises ProblemsFound, with all of them."""
        from mailsuite.config.load import load  # noqa: PLC0415 - keeps --help fast
        from mailsuite.config.problems import report, summary  # noqa: PLC0415

        loaded = load(self.config_path)
        if loaded.config is None:
            problems = "\n".join(report(loaded.problems))
            raise ProblemsFound(f"{problems}\n{summary(loaded.problems)}")
        return loaded.config

    @cached_property
    def control(self) -> Control:
        """The running server's control socket; nothing is opened before the first request."""
        from mailsuite.cli.control import Control  # noqa: PLC0415 - keeps --help fast

        return Control(self.config.server.control_socket)
