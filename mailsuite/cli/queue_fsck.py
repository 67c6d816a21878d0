"""``mailsuite queue fsck``: look through the files of a stopped server's queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from mailsuite.cli.context import CommandFailed, Context, ProblemsFound
from mailsuite.cli.directory import without_server
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import clean, count_text, print_json

if TYPE_CHECKING:
    from mailsuite.queue.sqlite.fsck import Finding


@click.command("fsck")
@click.option("--repair", is_flag=True, help="Mend what can be mended without losing mail.")
@json_option
@quiet_option
@click.pass_obj
def fsck(context: Context, repair: bool, as_json: bool, quiet: bool) -> None:
    """Look through the queue's files while the server is stopped, and say what is wrong.

    --repair removes nothing that anybody is still to get; what cannot be sent as it was is held. Exit status
    0: all is well, or was mended; 4: something is wrong.
    """
    if context.control.is_listening():
        raise CommandFailed("the server is running; stop it first: its queue is at work")
    findings = _findings(context, repair)
    wrong = [each for each in findings if not each.is_mended and not each.is_harmless]
    if as_json:
        print_json({"findings": [attrs.asdict(each) for each in findings]})
    elif not quiet:
        for finding in findings:
            click.echo(f"{_word(finding):<10} {clean(finding.text)}")
        if not findings:
            click.echo("The queue is well.")
    if wrong:
        advice = "" if repair else "; --repair mends what can be mended"
        raise ProblemsFound(f"{count_text(len(wrong), 'problem')} in the queue{advice}")


def _findings(context: Context, repair: bool) -> tuple[Finding, ...]:
    from mailsuite.queue.sqlite.fsck import check  # noqa: PLC0415 - keeps --help fast
    from mailsuite.state import State  # noqa: PLC0415

    with without_server(context):
        state = State(context.config.server.state)
        state.take()
        try:
            return check(state.path, repair)
        except OSError as error:
            raise CommandFailed(f"{clean(str(error.filename or state.path))}: {error.strerror}") from error
        finally:
            state.release()


def _word(finding: Finding) -> str:
    if finding.is_mended:
        return "mended"
    return "harmless" if finding.is_harmless else "wrong"
