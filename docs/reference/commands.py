"""Makes docs/reference/commands.md from the help of the commands.

python docs/reference/commands.py > docs/reference/commands.md
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from itertools import chain

import click

from mailsuite.cli.client import client
from mailsuite.cli.main import LazyCommand, cli

HEAD = """\
# Commands

Every command of `mailsuite`, and of `mailsuite-notify` on the user's computer, as `--help` shows it. This
page is made by `python docs/reference/commands.py`. Each command has `-h` and `--help`.

What a command tells goes to stdout, what it remarks to stderr. Exit status: 0 done, 1 failed, 2 wrong usage,
3 server not reachable, 4 a check found problems.
"""


def page() -> str:
    """The whole page."""
    commands = ((cli, "mailsuite"), (client, "mailsuite-notify"))
    sections = (_sections(command, click.Context(command, info_name=name)) for command, name in commands)
    return "\n".join([HEAD, *chain.from_iterable(sections)])


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    level = "###" if context.parent is not None and context.parent.parent is not None else "##"
    pieces = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    yield f"{level} `{' '.join([context.command_path, *pieces])}`\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    yield from _options(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is None or child.hidden:
                continue
            if isinstance(child, LazyCommand):
                child = child.load()
            yield from _sections(child, click.Context(child, info_name=name, parent=context))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context)) is not None]
    if records:
        yield "| option | meaning |\n|---|---|"
        yield from (
            f"| `{_cell(name)}` | {_cell(meaning).replace('<', '&lt;')} |" for name, meaning in records
        )
        yield ""


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
