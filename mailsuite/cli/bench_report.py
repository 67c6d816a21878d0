"""What a source and a sink of mail tell at their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import click

from mailsuite.cli.context import CommandFailed
from mailsuite.cli.terminal import clean, count_text, note, octets_text, print_json

if TYPE_CHECKING:
    from mailsuite.cli.bench_sink import Sink
    from mailsuite.cli.bench_source import Result

SHARES: Final = (50, 95, 99)
"""Percent of the messages whose time is told."""


def tell_source(result: Result, messages: int, *, as_json: bool, quiet: bool) -> None:
    """How much was accepted, how fast, and why the rest was not. Ends with status 1 where anything failed."""
    rate = result.accepted / result.seconds if result.seconds else 0.0
    failed = sum(result.failures.values())
    latency = dict(zip((f"p{share}" for share in SHARES), result.percentiles(*SHARES), strict=False))
    if as_json:
        print_json(
            {
                "messages": messages,
                "accepted": result.accepted,
                "octets": result.octets,
                "seconds": round(result.seconds, 6),
                "per_second": round(rate, 3),
                "latency": {name: round(seconds, 6) for name, seconds in latency.items()},
                "failures": dict(result.failures.most_common()),
            }
        )
    else:
        for reason, count in result.failures.most_common():
            note(f"{count:>9}  {clean(reason)}")
        if not quiet:
            accepted = count_text(result.accepted, "message")
            click.echo(
                f"{accepted}, {octets_text(result.octets)}, in {result.seconds:.1f} s: {rate:.0f} a second"
            )
            if latency:
                click.echo(", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in latency.items()))
    if failed:
        raise SystemExit(CommandFailed.exit_code)


def tell_sink(sink: Sink, *, as_json: bool) -> None:
    """How much was taken, and how fast."""
    count, seconds = sink.count, sink.seconds
    rate = count.messages / seconds if seconds else 0.0
    if as_json:
        print_json({**attrs.asdict(count), "seconds": round(seconds, 6), "per_second": round(rate, 3)})
        return
    recipients = count_text(count.recipients, "recipient")
    sessions = count_text(count.sessions, "session")
    click.echo(
        f"{count_text(count.messages, 'message')} for {recipients}, {octets_text(count.octets)}, "
        f"over {sessions}, in {seconds:.1f} s: {rate:.0f} a second; "
        f"{count.deferred} put off, {count.rejected} rejected"
    )
