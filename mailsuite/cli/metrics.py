"""``mailsuite metrics``: the figures that Prometheus reads."""

from __future__ import annotations

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import resource
from mailsuite.cli.terminal import clean_lines


@click.command("metrics")
@click.pass_obj
def metrics(context: Context) -> None:
    """Print the running server's figures as Prometheus reads them.

    A listener whose service is "metrics" gives the same over HTTP.
    """
    text = str(context.control.get(resource("metrics"))["text"])
    click.echo(clean_lines(text), nl=False)
