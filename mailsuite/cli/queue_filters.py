"""Which messages of the queue a command means."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from mailsuite.cli.control import Document

STATES: Final = ("ready", "waiting", "leased", "held", "over")
NAMES: Final = ("sender", "recipient", "domain", "account", "older_than", "error", "state")


class SecondsType(click.ParamType[float]):
    """A span of time as in the configuration."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from mailsuite.config.kinds import BadValue  # noqa: PLC0415 - keeps --help fast
        from mailsuite.config.measures import Duration  # noqa: PLC0415

        if isinstance(value, float):
            return value
        try:
            return Duration().parse(value, Path())
        except BadValue as error:
            self.fail(str(error), param, ctx)


OPTIONS: Final = (
    click.option("--sender", metavar="ADDRESS", help='From this address, @domain, or "<>" for bounces.'),
    click.option("--recipient", metavar="ADDRESS", help="Still to go to this address, or @domain."),
    click.option("--domain", metavar="DOMAIN", help="Still to go to this domain."),
    click.option("--account", metavar="ADDRESS", help="Handed in by this account."),
    click.option("--older-than", type=SecondsType(), metavar="TIME", help="Longer here: 30m, 2h, 3d."),
    click.option("--error", metavar="TEXT", help="With this in what the last attempt came to."),
    click.option(
        "--state",
        type=click.Choice(STATES),
        help="Ready to be sent, waiting for its time, being sent (leased), held back, or over for somebody.",
    ),
    click.option("--id", "ids", multiple=True, metavar="ID", help="This message. Any number of times."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that is about some messages; it gets them as ``fields``, as the control API
    takes them. All that is said must be true of a message."""

    @wraps(command)
    def with_fields(*arguments: Any, ids: tuple[str, ...], **options: Any) -> Any:
        fields: Document = {name: value for name in NAMES if (value := options.pop(name)) is not None}
        if "domain" in fields and "recipient" in fields:
            raise click.UsageError("--domain and --recipient exclude each other")
        if ids:
            fields["ids"] = list(dict.fromkeys(ids))
        return command(*arguments, fields=fields, **options)

    decorated: Callable[..., Any] = with_fields
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated
