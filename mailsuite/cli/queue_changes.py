"""``mailsuite queue hold``, ``release``, ``retry``, ``remove``, ``bounce`` and ``redirect``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Final

import attrs
import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Control, Document, resource
from mailsuite.cli.options import json_option, quiet_option, yes_option
from mailsuite.cli.queue_filters import filter_options
from mailsuite.cli.terminal import clean, confirm, count_text, note, print_json

PATIENCE: Final = 3600.0
"""Seconds for one answer: to change a million messages takes some minutes."""
IDS_AT_ONCE: Final = 500
"""In one request."""


@attrs.frozen
class Verb:
    """What is asked of the server, and what the messages are then."""

    name: str
    done: str
    question: str = ""
    """Asked before what cannot be undone."""
    body: Document = attrs.field(factory=dict)
    """What the request has beside the messages."""


@attrs.frozen
class Wish:
    """Which messages, and how it is to be done."""

    fields: Document
    everything: bool
    dry_run: bool
    yes: bool
    as_json: bool
    quiet: bool

    def requests(self) -> Iterator[Document]:
        """What is asked one after the other: a request has so many ids at most."""
        if self.everything:
            yield {"all": True}
            return
        ids = self.fields.get("ids", [])
        for start in range(0, len(ids), IDS_AT_ONCE):
            yield {"filter": {**self.fields, "ids": ids[start : start + IDS_AT_ONCE]}}
        if not ids:
            yield {"filter": self.fields}


def change_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments and options of a command that changes messages; it gets them as ``wish``."""

    @wraps(command)
    def with_wish(
        context: Context,
        *,
        fields: Document,
        named: tuple[str, ...],
        everything: bool,
        dry_run: bool,
        yes: bool,
        as_json: bool,
        quiet: bool,
        **options: Any,
    ) -> Any:
        if named:
            fields["ids"] = list(dict.fromkeys([*named, *fields.get("ids", [])]))
        if everything is bool(fields):
            raise click.UsageError("name messages by their ids or by a filter, or say --all")
        return command(context, Wish(fields, everything, dry_run, yes, as_json, quiet), **options)

    decorated: Callable[..., Any] = click.pass_obj(with_wish)
    for option in reversed(
        (
            click.argument("named", nargs=-1, metavar="[ID]..."),
            filter_options,
            click.option("--all", "everything", is_flag=True, help="All that is in the queue."),
            click.option("--dry-run", is_flag=True, help="Only say how many match."),
            yes_option,
            json_option,
            quiet_option,
        )
    ):
        decorated = option(decorated)
    return decorated


@click.command("hold")
@change_options
def hold(context: Context, wish: Wish) -> None:
    """Keep messages back until they are released."""
    _change(context, wish, Verb("hold", "held"))


@click.command("release")
@change_options
def release(context: Context, wish: Wish) -> None:
    """Send what is held, or waits for the time that its sender chose."""
    _change(context, wish, Verb("release", "released"))


@click.command("retry")
@change_options
def retry(context: Context, wish: Wish) -> None:
    """Try now what waits for its next attempt, and its destinations too where they rest."""
    _change(context, wish, Verb("retry", "due now"))


@click.command("remove")
@change_options
def remove(context: Context, wish: Wish) -> None:
    """Forget messages: nobody gets them, and nobody is told."""
    _change(context, wish, Verb("remove", "removed", "Remove, and tell nobody?"))


@click.command("bounce")
@click.option("--reason", metavar="TEXT", help="What the senders are told, in visible ASCII.")
@change_options
def bounce(context: Context, wish: Wish, reason: str | None) -> None:
    """Give messages up; their senders get the notice that they failed."""
    body = {} if reason is None else {"reason": reason}
    _change(context, wish, Verb("bounce", "given up", "Give up, and tell the senders?", body))


@click.command("redirect")
@click.option("--to", "to", required=True, metavar="ADDRESS", help="Who gets them.")
@change_options
def redirect(context: Context, wish: Wish, to: str) -> None:
    """Send messages to another address in the place of all recipients that do not have them yet."""
    question = f"Send to {clean(to)} in the place of whom they are for?"
    _change(context, wish, Verb("redirect", "redirected", question, {"to": to}))


CHANGES: Final = (hold, release, retry, remove, bounce, redirect)


def _change(context: Context, wish: Wish, verb: Verb) -> None:
    control = attrs.evolve(context.control, timeout=PATIENCE)
    if verb.question and not wish.yes and not wish.dry_run:
        matched = _ask(control, wish, verb, dry_run=True)["matched"]
        if matched:
            confirm(f"{_matches(matched)} {verb.question}")
    answer = _ask(control, wish, verb, dry_run=wish.dry_run)
    if wish.as_json:
        print_json(answer)
    elif not wish.quiet:
        _tell(answer, verb.done)
    named = len(wish.fields.get("ids", []))
    if named > answer["matched"] and set(wish.fields) == {"ids"}:
        raise CommandFailed(
            f"{count_text(named - answer['matched'], 'message is', 'messages are')} not in the queue"
        )


def _ask(control: Control, wish: Wish, verb: Verb, *, dry_run: bool) -> Document:
    matched = changed = 0
    for request in wish.requests():
        body = {**request, **verb.body, "dry_run": dry_run}
        answer = control.post(resource("queue", verb.name), body)
        matched += answer["matched"]
        changed += answer["changed"]
    return {"matched": matched, "changed": changed, "dry_run": dry_run}


def _tell(answer: Document, done: str) -> None:
    matched, changed = answer["matched"], answer["changed"]
    if not matched:
        note("No message matches.")
    elif answer["dry_run"]:
        click.echo(f"{_matches(matched)} Nothing was changed.")
    elif changed < matched:
        click.echo(f"{changed} of {count_text(matched, 'message')} {done}; the rest stays as it is.")
    else:
        click.echo(f"{count_text(changed, 'message')} {done}.")


def _matches(count: int) -> str:
    return f"{count_text(count, 'message matches', 'messages match')}."
