"""``mailsuite queue``: what waits for other servers, and what is done with it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

import attrs
import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Control, Document, resource
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.queue_changes import CHANGES
from mailsuite.cli.queue_filters import filter_options
from mailsuite.cli.queue_fsck import fsck
from mailsuite.cli.queue_text import print_message, print_messages, print_shape, sum_text
from mailsuite.cli.terminal import clean, clean_lines, count_text, note, print_json, print_table

PATIENCE: Final = 600.0
"""Seconds for one answer: to look through a million messages takes some."""
LIMIT: Final = 1000
"""Messages that people are shown."""
PAGE: Final = 500
"""Messages in one request."""


@click.group("queue")
def queue_group() -> None:
    """Mail that waits for other servers."""


for command in (*CHANGES, fsck):
    queue_group.add_command(command)


def patient(context: Context) -> Control:
    """The control socket, for questions whose answer may take a while."""
    return attrs.evolve(context.control, timeout=PATIENCE)


@queue_group.command("list")
@filter_options
@click.option(
    "--limit", type=click.IntRange(min=1), help="So many at most; else 1000, with --quiet all of them."
)
@json_option
@quiet_option
@click.pass_obj
def list_(context: Context, fields: Document, *, limit: int | None, as_json: bool, quiet: bool) -> None:
    """One line for each message, the oldest first, and their sum. With --quiet only the ids."""
    control = patient(context)
    if quiet and not as_json:
        for message in _messages(control, fields, limit or sys.maxsize):
            click.echo(clean(message["id"]))
        return
    messages = list(_messages(control, fields, limit or LIMIT))
    total = max(len(messages), control.get(_asking("count", fields))["messages"])
    if as_json:
        print_json({"messages": messages, "total": total})
    elif not messages:
        note("No message matches." if fields else "The queue is empty.")
    else:
        print_messages(messages, time.time())
        octets = sum(message["size"] for message in messages)
        click.echo(sum_text(len(messages), total, octets))


def _messages(control: Control, fields: Document, limit: int) -> Iterator[Document]:
    """Page by page."""
    after: str | None = ""
    while after is not None and limit > 0:
        answer = control.get(_asking("", {**fields, "after": after, "count": min(PAGE, limit)}))
        yield from answer["messages"]
        limit -= len(answer["messages"])
        after = answer["after"]


def _asking(what: str, fields: Document) -> str:
    path = resource("queue", what) if what else resource("queue")
    return f"{path}?{urlencode(fields, doseq=True, errors='surrogateescape')}"


@queue_group.command("show")
@click.argument("id")
@click.option("--content", is_flag=True, help="The whole message, and nothing else.")
@json_option
@click.pass_obj
def show(context: Context, id: str, content: bool, as_json: bool) -> None:
    """One message: its envelope, what became of each recipient, and its header."""
    if content:
        if as_json:
            raise click.UsageError("--content prints the message as it is, and no JSON")
        _print_content(context, id)
        return
    document = context.control.get(resource("queue", "messages", id))
    if as_json:
        print_json(document)
    else:
        print_message(document, time.time())


def _print_content(context: Context, id: str) -> None:
    """Octet for octet; on a terminal, clean of what could steer it."""
    stdout = sys.stdout.buffer
    readable = sys.stdout.isatty()
    for data in context.control.octets(resource("queue", "messages", id, "content")):
        stdout.write(clean_lines(data.decode("utf-8", "replace")).encode() if readable else data)
    stdout.flush()


@queue_group.command("shape")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=100,
    show_default=True,
    help="So many destinations at most.",
)
@json_option
@click.pass_obj
def shape(context: Context, limit: int, as_json: bool) -> None:
    """How many recipients wait for each destination, by how long ago their message arrived."""
    document = patient(context).get(_asking("shape", {"count": limit}))
    if as_json:
        print_json(document)
    elif not document["destinations"]:
        note("The queue is empty.")
    else:
        print_shape(document, time.time())
        if document["more"]:
            note(f"And {count_text(document['more'], 'more destination')}.")


@queue_group.command("errors")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="So many at most."
)
@json_option
@click.pass_obj
def errors(context: Context, limit: int, as_json: bool) -> None:
    """What last attempts came to, and for how many recipients that still wait."""
    document = patient(context).get(_asking("errors", {"count": limit}))
    if as_json:
        print_json(document)
    elif not document["errors"]:
        note("No attempt has failed of what is in the queue.")
    else:
        rows = [(str(each["recipients"]), each["error"]) for each in document["errors"]]
        print_table(("RECIPIENTS", "LAST REPLY"), rows, right=("RECIPIENTS",))
