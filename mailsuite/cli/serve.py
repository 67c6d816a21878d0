"""``mailsuite serve``: the suite in the foreground, with a readable log."""

from __future__ import annotations

import os
import sys

import click

from mailsuite.cli.context import Context


@click.command()
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Set one key for this run.")
@click.option("--ready-fd", type=int, metavar="FD", help="Write a line here once mail is served.")
@click.pass_obj
def serve(context: Context, assignments: tuple[str, ...], ready_fd: int | None) -> None:
    """Run the suite until SIGTERM or Ctrl-C; SIGHUP reloads the configuration."""
    from twisted.internet import reactor  # noqa: PLC0415 - an entry point

    from mailsuite.config.problems import report  # noqa: PLC0415 - keeps --help fast
    from mailsuite.suite import Source, StartError, Suite  # noqa: PLC0415

    source = Source(context.config_path, assignments)
    loaded = source.load()
    for problem in report(loaded.problems):
        click.echo(problem, err=True)
    if loaded.config is None:
        raise SystemExit(4)
    suite = Suite(reactor, source, loaded)
    try:
        suite.privilegedStartService()
        suite.startService()
    except StartError as error:
        click.echo(f"mailsuite: {error}", err=True)
        raise SystemExit(1) from error
    if ready_fd is not None:
        os.write(ready_fd, b"ready\n")
        os.close(ready_fd)
    reactor.addSystemEventTrigger("before", "shutdown", suite.stopService)
    reactor.run()
    sys.exit(0)
