"""``mailsuite notify list``, ``show``, ``deliveries`` and ``key``: who is told, and how it went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Control, Document, resource
from mailsuite.cli.notices_text import (
    print_account,
    print_deliveries,
    print_subscription,
    print_subscriptions,
)
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.terminal import clean, note, print_json

STATES: Final = ("unverified", "active", "paused", "suspended", "dead")
PAGE: Final = 500
"""Subscriptions in one request."""


@click.command("list")
@click.argument("account", required=False)
@click.option("--channel", metavar="NAME", help="Only by this way.")
@click.option("--state", type=click.Choice(STATES), help="Only those.")
@json_option
@quiet_option
@click.pass_obj
def list_(
    context: Context,
    *,
    account: str | None,
    channel: str | None,
    state: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """The subscriptions of one account, or of all. With --quiet only their ids.

    NotifyMail that accounts ask for by their own setting is no subscription: "notify show" tells of it.
    """
    asked = {"account": account, "channel": channel, "state": state}
    fields = {name: value for name, value in asked.items() if value is not None}
    found = list(_subscriptions(context.control, fields))
    found.sort(key=lambda each: (each["account"], each["created"], each["id"]))
    if as_json:
        print_json({"subscriptions": found})
    elif quiet:
        for each in found:
            click.echo(clean(each["id"]))
    elif found:
        print_subscriptions(found, time.time())
    elif fields:
        note("There is no such subscription.")
    else:
        note("There is no subscription yet. Make one:  mailsuite notify add ACCOUNT CHANNEL TARGET")


def _subscriptions(control: Control, fields: Document) -> Iterator[Document]:
    """Page by page."""
    after: str | None = ""
    while after is not None:
        question = urlencode({**fields, "count": PAGE, "after": after}, errors="surrogateescape")
        answer = control.get(f"{resource('notices')}?{question}")
        yield from answer["subscriptions"]
        after = answer["after"]


@click.command("show")
@click.argument("who", metavar="ACCOUNT|ID")
@json_option
@click.pass_obj
def show(context: Context, *, who: str, as_json: bool) -> None:
    """All that tells an account, or one subscription: where to, what of, how it went, and why it stopped.

    "Useful" is the honest figure: a notice after which somebody logged in within a minute.
    """
    if "@" in who:
        document = context.control.get(resource("accounts", who, "notices"))
    else:
        document = context.control.get(resource("notices", "subscriptions", who))
    if as_json:
        print_json(document)
    elif "subscriptions" in document:
        print_account(document, time.time())
    else:
        print_subscription(document["subscription"], time.time())


@click.command("deliveries")
@click.argument("id")
@json_option
@click.pass_obj
def deliveries(context: Context, *, id: str, as_json: bool) -> None:
    """What was sent to a subscription lately, the newest first, and what was given up ("notify replay")."""
    document = context.control.get(resource("notices", "subscriptions", id, "deliveries"))
    if as_json:
        print_json(document)
    elif document["attempts"] or document["given_up"]:
        print_deliveries(document, time.time())
    else:
        note("Nothing was sent there yet.")


@click.command("key")
@json_option
@click.pass_obj
def key(context: Context, *, as_json: bool) -> None:
    """The public key that a page gives a browser to subscribe with (applicationServerKey, RFC 8292)."""
    document = context.control.get(resource("notices", "key"))
    if as_json:
        print_json(document)
    else:
        click.echo(clean(document["key"]))


LOOKS: Final = (list_, show, deliveries, key)
