"""``mailsuite domain``: add, list, show, change."""

from __future__ import annotations

import click

from mailsuite.cli.context import Context
from mailsuite.cli.control import Document
from mailsuite.cli.directory import open_directory
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.quotas import (
    LANGUAGE_HELP,
    MAXIMUM_HELP,
    QUOTA_HELP,
    has_limit,
    limit_rows,
    quota_text,
    usage_rows,
)
from mailsuite.cli.terminal import clean, note, octets_text, print_json, print_table


@click.group("domain")
def domain_group() -> None:
    """The domains whose mail is ours."""


@domain_group.command("add")
@click.argument("name")
@json_option
@quiet_option
@click.pass_obj
def add(context: Context, name: str, as_json: bool, quiet: bool) -> None:
    """Take mail for one more domain."""
    with open_directory(context, quiet) as directory:
        domain = directory.add_domain(name)
    if as_json:
        print_json({"domain": domain})
    elif not quiet:
        click.echo(f"{clean(domain['name'])} added: from now on its mail is ours.")


@domain_group.command("list")
@json_option
@quiet_option
@click.pass_obj
def list_(context: Context, as_json: bool, quiet: bool) -> None:
    """All domains, those of the configuration file too. With --quiet only their names."""
    with open_directory(context, quiet) as directory:
        domains = directory.domains()
    if as_json:
        print_json({"domains": domains})
    elif quiet:
        for domain in domains:
            click.echo(clean(domain["name"]))
    elif not domains:
        note("There is no domain yet. Add one:  mailsuite domain add example.net")
    else:
        rows = [
            (domain["name"], str(domain["accounts"]), quota_text(domain.get("quota")), domain["origin"])
            for domain in domains
        ]
        print_table(("DOMAIN", "ACCOUNTS", "QUOTA OF EACH", "KEPT IN"), rows, right=("ACCOUNTS",))


@domain_group.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show(context: Context, name: str, as_json: bool) -> None:
    """One domain: how much mail all its accounts have together, and what it says of them."""
    with open_directory(context) as directory:
        details = directory.domain(name)
    if as_json:
        print_json(details)
        return
    domain = details["domain"]
    total = quota_text(domain["total_quota"]) if has_limit(domain["total_quota"]) else "no limit"
    if "percent" in details and has_limit(details["total_quota"]):
        shared = "" if details["shared"] == domain["name"] else f", shared with {details['shared']}"
        total = f"{quota_text(details['total_quota'])} ({details['percent']} percent used{shared})"
    for label, text in (
        ("domain", domain["name"]),
        ("accounts", str(domain["accounts"])),
        *usage_rows(details.get("usage")),
        ("total quota", total),
        ("of each", quota_text(domain["quota"]) if has_limit(domain["quota"]) else "as the server says"),
        *limit_rows(domain),
        *_notice_rows(domain),
        ("kept in", domain["origin"]),
    ):
        click.echo(f"{label:<12} {clean(text)}")


@domain_group.command("change")
@click.argument("name")
@click.option("--quota", metavar="QUOTA", help=QUOTA_HELP)
@click.option("--total-quota", metavar="QUOTA", help="How much mail all its accounts may have together.")
@click.option("--max-message", metavar="SIZE", help=MAXIMUM_HELP)
@click.option("--language", metavar="LANGUAGE", help=LANGUAGE_HELP)
@click.option(
    "--notify", type=click.Choice(("allow", "deny")), help="Whether its accounts may be told of new mail."
)
@click.option(
    "--notify-max-level",
    metavar="LEVEL",
    help="The most that a notice may tell: knock, count, sender, subject or preview; default: as the server "
    "says.",
)
@json_option
@quiet_option
@click.pass_obj
def change(context: Context, /, *, name: str, as_json: bool, quiet: bool, **given: str | None) -> None:
    """Change how much mail a domain may have, all its accounts together or each of them that says nothing of
    its own, how large a message may be, and how and in which language its accounts may be told of things."""
    fields = {field: value for field, value in given.items() if value is not None}
    if not fields:
        raise click.UsageError(
            "nothing to change: give --quota, --total-quota, --max-message, --language or --notify"
        )
    with open_directory(context, quiet) as directory:
        domain = directory.change_domain(name, fields)
    if as_json:
        print_json({"domain": domain})
    elif not quiet:
        words = []
        if "quota" in fields:
            words.append(f"each account may have {quota_text(domain['quota'])}")
        if "total_quota" in fields:
            words.append(f"all together {quota_text(domain['total_quota'])}")
        if "max_message" in fields:
            largest = domain["max_message"]
            words.append(f"a message {'-' if largest is None else octets_text(largest)}")
        if "language" in fields:
            words.append(f"written to in {domain['language'] or 'the language of the server'}")
        if "notify" in fields:
            words.append(f"notices {'denied' if domain['notify'] == 'deny' else 'allowed'}")
        if "notify_max_level" in fields:
            words.append(f"a notice tells {domain['notify_max_level'] or 'what the server allows'} at most")
        click.echo(f"{clean(domain['name'])} changed: {', '.join(words)}.")


def _notice_rows(domain: Document) -> tuple[tuple[str, str], ...]:
    """How its accounts may be told of new mail, as far as it says something."""
    if domain.get("notify") == "deny":
        return (("notices", "nobody is told of new mail"),)
    level = domain.get("notify_max_level")
    return () if level is None else (("notices", f"tell no more than the {level}"),)
