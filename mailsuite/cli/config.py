"""``mailsuite config``: check, show, example, explain. Works without a server."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.terminal import clean

if TYPE_CHECKING:
    from mailsuite.config.load import Loaded

PROBLEMS_FOUND = 4
"""Exit status: a check found problems."""

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group("config")
@click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; else MAILSUITE_CONFIG, else /etc/mailsuite/mailsuite.toml if it is there.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Stands above all files.")
@click.pass_context
def config_group(context: click.Context, path: Path | None, overrides: tuple[str, ...]) -> None:
    """Check, show and explain the configuration."""
    named = path or context.find_root().params.get("config")
    context.meta["mailsuite.config"] = (Path(named) if named else None, overrides)


def _load() -> Loaded:
    from mailsuite.config.load import find, load  # noqa: PLC0415 - keeps --help fast

    path, overrides = click.get_current_context().meta["mailsuite.config"]
    return load(path or find(os.environ), os.environ, overrides)


def _with_source_problems(loaded: Loaded) -> Loaded:
    """The same, with what would keep a server from opening its sources."""
    if loaded.config is None or not any(block.enabled for block in loaded.config.sources):
        return loaded
    import attrs  # noqa: PLC0415 - keeps --help fast

    from mailsuite.accounts.sources.inspection import source_objections  # noqa: PLC0415
    from mailsuite.config.problems import DEFAULT, Problem, in_order  # noqa: PLC0415

    found = [
        Problem(loaded.origins.get(f"source.{block.name}.{key}", DEFAULT), "error", f"{key}: {text}")
        for block in loaded.config.sources
        for key, text in source_objections(block)
    ]
    if not found:
        return loaded
    return attrs.evolve(loaded, config=None, problems=in_order((*loaded.problems, *found)))


def _print_problems(loaded: Loaded, to_stderr: bool = False) -> None:
    from mailsuite.config.problems import report  # noqa: PLC0415 - keeps --help fast

    for line in report(loaded.problems):
        click.echo(line, err=to_stderr)


@config_group.command()
@click.option(
    "--what-if",
    "assignment",
    metavar="KEY=VALUE",
    help="Tell who would be locked out by this setting: pop3.apop=require, pop3.apop=off.",
)
@_AS_JSON
def check(assignment: str | None, as_json: bool) -> None:
    """Tell all that is wrong, each with file and line.

    Exit status 0: it can be used, with warnings perhaps, and nobody would be locked out; 4: it has errors,
    or somebody would, also one whom nobody has seen for long and who has no other way in.
    """
    from mailsuite.config.problems import summary  # noqa: PLC0415 - keeps --help fast

    loaded = _with_source_problems(_load())
    document: dict[str, Any] = {"usable": loaded.config is not None}
    document["problems"] = [
        {"file": p.place.source, "line": p.place.line, "severity": p.severity, "text": p.text}
        for p in loaded.problems
    ]
    if not as_json:
        _print_problems(loaded)
        if loaded.config is None:
            click.echo(f"{summary(loaded.problems)}. The running server keeps its settings.")
        else:
            click.echo(f"{summary(loaded.problems) or 'no problems'}. This configuration can be used.")
    found = loaded.config is None
    if assignment is not None and not found:
        document["what_if"] = foretold = _foretell(assignment)
        no_way = any(not entry["another_way"] for entry in foretold["not_seen"])
        found = bool(foretold["locked_out"]) or no_way
        if not as_json:
            from mailsuite.cli.foretold import print_foretold  # noqa: PLC0415 - keeps --help fast

            print_foretold(foretold)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    if found:
        sys.exit(PROBLEMS_FOUND)


def _foretell(assignment: str) -> dict[str, Any]:
    """Ask who would be locked out, the server or the store. Nothing is made that is not there."""
    from mailsuite.cli.directory import open_directory  # noqa: PLC0415 - keeps --help fast

    setting, equals, value = assignment.partition("=")
    if not equals:
        raise click.UsageError("--what-if needs KEY=VALUE, for example pop3.apop=require")
    path, overrides = click.get_current_context().meta["mailsuite.config"]
    if overrides:
        raise click.UsageError("--what-if and --set do not go together: a server knows its own settings")
    context = Context(path)
    if context.control.is_listening():
        _refuse_another_file(context)
    else:
        _refuse_an_empty_state(context.config.server.state)
    with open_directory(context) as directory:
        return directory.what_if(setting.strip(), value.strip().strip("\"'"))


def _refuse_another_file(context: Context) -> None:
    """A server answers by the file that it reads, which must be the one that was checked."""
    from mailsuite.cli.control import resource  # noqa: PLC0415 - keeps --help fast

    named = context.control.get(resource("status"))["config"]["path"]
    theirs, ours = Path(named) if named else None, context.config_path
    if theirs is None or ours is None:
        same = theirs is ours
    else:
        same = os.path.realpath(theirs) == os.path.realpath(ours)
    if not same:
        theirs_text = clean(str(theirs)) if theirs else "no file"
        raise CommandFailed(
            f"the running server reads {theirs_text}, and --what-if would be answered by that: ask about "
            "the file that it reads, with the setting as KEY=VALUE"
        )


def _refuse_an_empty_state(state: Path) -> None:
    from mailsuite.state import State  # noqa: PLC0415 - keeps --help fast

    try:
        State(state).accounts_db.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise CommandFailed(
            f"no server has run in {clean(str(state))} yet: nobody has logged in, so nobody can be told of"
        ) from None
    except OSError:
        return  # whoever opens it says why it cannot


@config_group.command()
@click.option("--changed", is_flag=True, help="Only what differs from the defaults.")
@click.option("--origin", is_flag=True, help="With file and line of each value.")
@_AS_JSON
def show(changed: bool, origin: bool, as_json: bool) -> None:
    """Print the settings in force, as TOML. Secrets are not shown."""
    from mailsuite.config.problems import DEFAULT  # noqa: PLC0415 - keeps --help fast
    from mailsuite.config.values import as_toml, values, with_origins  # noqa: PLC0415

    loaded = _load()
    if loaded.config is None:
        _print_problems(loaded, to_stderr=True)
        sys.exit(PROBLEMS_FOUND)
    shown = [one for one in values(loaded.config) if not changed or one.is_changed(loaded.origins)]
    if as_json:
        settings = [
            {
                "key": one.key,
                "value": one.raw,
                "hidden": one.is_hidden,
                "origin": str(loaded.origins.get(one.key, DEFAULT)),
            }
            for one in shown
        ]
        click.echo(json.dumps({"settings": settings}, indent=2))
    else:
        click.echo(with_origins(shown, loaded.origins) if origin else as_toml(shown), nl=False)


@config_group.command()
def example() -> None:
    """Print a complete file with every setting, its meaning and its default."""
    from mailsuite.config.example import example as text  # noqa: PLC0415 - keeps --help fast

    click.echo(text(), nl=False)


@config_group.command(hidden=True)
def reference() -> None:
    """Print docs/reference/settings.md."""
    from mailsuite.config.explain import reference_page  # noqa: PLC0415 - keeps --help fast

    click.echo(reference_page(), nl=False)


@config_group.command()
@click.argument("key")
def explain(key: str) -> None:
    """Tell what one setting means: pop3.idle_timeout, listener.port; or a table: pop3."""
    from mailsuite.config.explain import UnknownSetting  # noqa: PLC0415 - keeps --help fast
    from mailsuite.config.explain import explain as text  # noqa: PLC0415

    try:
        click.echo(text(key), nl=False)
    except UnknownSetting as unknown:
        raise click.UsageError(str(unknown)) from None
