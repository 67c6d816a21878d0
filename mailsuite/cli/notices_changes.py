"""``mailsuite notify add``, ``change`` and ``remove``, and all else that changes something or sends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Control, Document, resource
from mailsuite.cli.notices_text import is_ok, print_results, result_text
from mailsuite.cli.notices_wish import channel_options, first_line, wish_options
from mailsuite.cli.options import json_option, quiet_option, yes_option
from mailsuite.cli.terminal import clean, confirm, note, print_json

PATIENCE: Final = 120.0
"""Seconds for one answer: a target may take some to answer, and waits for its turn before that."""


def _one(id: str, *more: str) -> str:
    return resource("notices", "subscriptions", id, *more)


def _patient(context: Context) -> Control:
    return attrs.evolve(context.control, timeout=PATIENCE)


@click.command("add")
@click.argument("account")
@click.argument("channel")
@click.argument("target", required=False)
@click.option("--target-file", metavar="FILE", help="The target is the first line of this file; - is stdin.")
@click.option("--option", "options", metavar="NAME=VALUE", multiple=True, help="Of the channel.")
@click.option(
    "--option-file",
    "files",
    metavar="NAME=FILE",
    multiple=True,
    help="The same for what is secret: the first line of this file; - is stdin.",
)
@click.option("--verified", is_flag=True, help="The target need not show that it wants it: you know.")
@wish_options
@json_option
@quiet_option
@click.pass_obj
def add(
    context: Context,
    *,
    account: str,
    channel: str,
    target: str | None,
    target_file: str | None,
    options: tuple[str, ...],
    files: tuple[str, ...],
    verified: bool,
    fields: Document,
    as_json: bool,
    quiet: bool,
) -> None:
    """Have ACCOUNT told by CHANNEL: webhook, ntfy, gotify, pushover, webpush, exec, notifymail.

    What TARGET is goes by the channel: a URL, the name of a command. A URL that holds a secret is better
    given by --target-file. Nothing but a code is sent to the target until the code has come back.
    """
    if target is not None and target_file is not None:
        raise click.UsageError("TARGET and --target-file exclude each other")
    if [target_file, *(each.partition("=")[2] for each in files)].count("-") > 1:
        raise click.UsageError("there is one stdin only")
    body: Document = {"account": account, "channel": channel, "verified": verified, **fields}
    body["target"] = target if target_file is None else first_line(target_file)
    body["options"] = channel_options(options, files)
    answer = _patient(context).post(
        resource("notices"), {name: value for name, value in body.items() if value not in (None, {})}
    )
    if as_json:
        print_json(answer)
    elif quiet:
        click.echo(clean(answer["subscription"]["id"]))
        if answer["secret"]:
            click.echo(clean(answer["secret"]))
    else:
        _tell_of_new(answer)


def _tell_of_new(answer: Document) -> None:
    subscription = answer["subscription"]
    where = f"{subscription['channel']} to {subscription['host']}"
    click.echo(clean(f"{subscription['id']}: {where}, tells: {subscription['told']}"))
    if answer["secret"]:
        click.echo(f"Secret, shown once:  {clean(answer['secret'])}")
    _note_less(subscription)
    _note_state(subscription)


def _note_less(subscription: Document) -> None:
    if subscription["told"] != subscription["level"]:
        note(
            f"It asks for {subscription['level']}, which is more than the server, the domain or the channel "
            "allows: see notify.max_level."
        )


def _note_state(subscription: Document) -> None:
    if subscription["state"] != "unverified":
        return
    id = clean(subscription["id"])
    if subscription["reason"]:
        note(f"{clean(subscription['reason'])}. A new code:  mailsuite notify confirm {id} --send")
    else:
        note(
            "A code was sent there, and nothing else is until it has come back:  "
            f"mailsuite notify confirm {id} CODE"
        )


@click.command("change")
@click.argument("id")
@wish_options
@json_option
@quiet_option
@click.pass_obj
def change(context: Context, *, id: str, fields: Document, as_json: bool, quiet: bool) -> None:
    """Change what is told; target and channel stay. What is not said stays as it is, and an empty text
    empties a list: --from ""."""
    if not fields:
        raise click.UsageError("say what is to change; see --help")
    if "filter" in fields or "quiet" in fields:
        present = context.control.get(_one(id))["subscription"]
        for name in ("filter", "quiet"):
            if name in fields:
                fields[name] = {**(present[name] or {}), **fields[name]}
    answer = context.control.patch(_one(id), fields)
    if as_json:
        print_json(answer)
    elif not quiet:
        click.echo(f"{clean(answer['subscription']['id'])} is changed.")
        _note_less(answer["subscription"])


@click.command("confirm")
@click.argument("id")
@click.argument("code", required=False)
@click.option("--send", "again", is_flag=True, help="Send a new code; the one before is worth nothing then.")
@json_option
@quiet_option
@click.pass_obj
def confirm_(context: Context, *, id: str, code: str | None, again: bool, as_json: bool, quiet: bool) -> None:
    """Bring the code that the target was sent; from then on it is told."""
    if again is (code is not None):
        raise click.UsageError("say either CODE or --send")
    if again:
        answer = _patient(context).post(_one(id, "code"), {})
    else:
        answer = context.control.post(_one(id, "confirm"), {"code": code})
    subscription = answer["subscription"]
    if as_json:
        print_json(answer)
    elif not quiet:
        if subscription["state"] == "active":
            click.echo(f"{clean(subscription['id'])} is confirmed, and told from now on.")
        _note_state(subscription)


def _to_state(state: str, done: str) -> Callable[..., None]:
    @click.argument("ids", nargs=-1, required=True, metavar="ID...")
    @json_option
    @quiet_option
    @click.pass_obj
    def set_state(context: Context, *, ids: tuple[str, ...], as_json: bool, quiet: bool) -> None:
        answers = [context.control.patch(_one(id), {"state": state}) for id in ids]
        if as_json:
            print_json({"subscriptions": [each["subscription"] for each in answers]})
        elif not quiet:
            for each in answers:
                click.echo(f"{clean(each['subscription']['id'])} {done}")

    return set_state


pause = click.command("pause", help="Tell them nothing until somebody resumes them.")(
    _to_state("paused", "is told nothing until you resume it.")
)
resume = click.command(
    "resume",
    help="Tell them again: also those that we left alone because they failed. What came while somebody had "
    "paused them is not told any more.",
)(_to_state("active", "is told again."))


@click.command("remove")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@yes_option
@json_option
@quiet_option
@click.pass_obj
def remove(context: Context, *, ids: tuple[str, ...], yes: bool, as_json: bool, quiet: bool) -> None:
    """Remove subscriptions, and all that is kept of them. They cannot be brought back."""
    if not yes:
        for id in ids:
            shown = context.control.get(_one(id))["subscription"]
            note(f"{clean(shown['account'])}: {clean(shown['channel'])} to {clean(shown['host'])}")
        confirm("Remove, for good?")
    gone = [context.control.delete(_one(id))["subscription"] for id in ids]
    if as_json:
        print_json({"subscriptions": gone})
    elif not quiet:
        for each in gone:
            click.echo(f"{clean(each['id'])} is removed.")


@click.command("test")
@click.argument("who", metavar="ACCOUNT|ID")
@json_option
@quiet_option
@click.pass_obj
def test(context: Context, *, who: str, as_json: bool, quiet: bool) -> None:
    """Send a notice now, by every way an account is told by or to one subscription, and say what came of it.

    Windows and quiet hours are passed over. Exit status 0: each way took it; 1: one did not, or there is
    none.
    """
    results = _tried(_patient(context), who)
    if as_json:
        print_json({"results": results})
    elif not quiet:
        print_results(results)
        if not results:
            note(
                f"{clean(who)} is told by nothing. By NotifyMail:  mailsuite account change {clean(who)} "
                f"--notifymail last-ip;  else:  mailsuite notify add {clean(who)} CHANNEL TARGET"
            )
    if not results or not all(is_ok(each["result"]) for each in results):
        raise click.exceptions.Exit(CommandFailed.exit_code)


def _tried(control: Control, who: str) -> list[Document]:
    if "@" in who:
        results: list[Document] = control.post(resource("accounts", who, "notices", "test"), {})["results"]
        return results
    shown = control.get(_one(who))["subscription"]
    attempt = control.post(_one(who, "test"), {})["attempt"]
    about: Document = {name: shown[name] for name in ("id", "channel", "name", "host")}
    return [about | {name: attempt[name] for name in ("result", "code", "ms")}]


@click.command("replay")
@click.argument("id")
@click.argument("seqs", type=int, nargs=-1, metavar="[SEQ]...")
@json_option
@quiet_option
@click.pass_obj
def replay(context: Context, *, id: str, seqs: Sequence[int], as_json: bool, quiet: bool) -> None:
    """Tell again what was given up: those that end with SEQ, or all of it.

    Exit status 0: each was taken; 1: one was not.
    """
    control = _patient(context)
    if not seqs:
        seqs = [each["seq"] for each in control.get(_one(id, "deliveries"))["given_up"]]
    attempts: list[Document] = []
    for seq in seqs:
        attempts.append(control.post(_one(id, "replay"), {"seq": seq})["attempt"])
        if not is_ok(attempts[-1]["result"]):
            break  # the others would not be taken either, and their order is kept
    if as_json:
        print_json({"attempts": attempts})
    elif not quiet:
        for each in attempts:
            click.echo(clean(f"{each['seq']}  {result_text(each['result'], '', id, each['ms'])}"))
        if not seqs:
            note("Nothing was given up.")
    if any(not is_ok(each["result"]) for each in attempts):
        raise click.exceptions.Exit(CommandFailed.exit_code)


CHANGES: Final[tuple[Any, ...]] = (add, change, confirm_, pause, resume, remove, test, replay)
