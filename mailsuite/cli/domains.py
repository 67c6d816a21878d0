"""``mailsuite domain``: add, list, change."""

from __future__ import annotations

import click

from mailsuite.cli.context import Context
from mailsuite.cli.directory import open_directory
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.quotas import QUOTA_HELP, quota_text
from mailsuite.cli.terminal import clean, note, print_json, print_table


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


@domain_group.command("change")
@click.argument("name")
@click.option("--quota", metavar="QUOTA", required=True, help=QUOTA_HELP)
@json_option
@quiet_option
@click.pass_obj
def change(context: Context, name: str, quota: str, as_json: bool, quiet: bool) -> None:
    """Change how much mail each account of a domain may have that says nothing of its own."""
    with open_directory(context, quiet) as directory:
        domain = directory.change_domain(name, {"quota": quota})
    if as_json:
        print_json({"domain": domain})
    elif not quiet:
        click.echo(f"{clean(domain['name'])} changed: each account may have {quota_text(domain['quota'])}.")
