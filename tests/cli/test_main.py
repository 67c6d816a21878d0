"""The overview: quick, complete, and free of what only a command needs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mailsuite import __version__
from mailsuite.cli.main import COMMANDS, LazyCommand, cli

OWN = ("status", "reload", "account", "domain", "send", "fetch", "password-hash")


def run_program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
    )


def test_the_overview_names_every_command_but_the_hidden_one() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for name, place in COMMANDS.items():
        assert (f"  {name} " in result.output) is not place.hidden
        assert (place.summary in result.output) is not place.hidden


@pytest.mark.parametrize("name", OWN)
def test_every_command_can_be_loaded_and_has_the_name_of_the_table(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: cli {name} ")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in OWN)])
def test_help_imports_neither_twisted_nor_rich(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from mailsuite.cli.main import cli\n"
        f"cli({arguments!r}, standalone_mode=False)\n"
        "sys.exit(' '.join({name.partition('.')[0] for name in sys.modules} & "
        "{'twisted', 'rich', 'argon2', 'OpenSSL', 'zope'}) or None)\n"
    )
    done = run_program("-c", code)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_the_version() -> None:
    done = run_program("-m", "mailsuite", "--version")
    assert (done.returncode, done.stdout) == (0, f"mailsuite {__version__}\n")


def test_an_unknown_command_is_wrong_usage_with_a_suggestion() -> None:
    result = CliRunner().invoke(cli, ["acount"])
    assert result.exit_code == 2
    assert "acount" in result.stderr
    assert "account" in result.stderr.replace("acount", "")


def test_the_configuration_is_found_by_the_environment(place: Path) -> None:
    config = place / "named.toml"
    config.write_text(f'[server]\nstate = "{place}/elsewhere"\n')
    done = run_program("-m", "mailsuite", "status", MAILSUITE_CONFIG=str(config))
    assert done.returncode == 3
    assert f"{place}/elsewhere/control.sock" in done.stderr
    other = place / "other.toml"
    other.write_text(f'[server]\nstate = "{place}/other"\n')
    done = run_program("-m", "mailsuite", "--config", str(other), "status", MAILSUITE_CONFIG=str(config))
    assert f"{place}/other/control.sock" in done.stderr


def test_a_bad_configuration_is_told_with_status_4(place: Path) -> None:
    config = place / "bad.toml"
    config.write_text('[server]\nnmae = "x"\nstate = 5\n')
    result = CliRunner().invoke(cli, ["--config", str(config), "status"])
    assert result.exit_code == 4
    assert "bad.toml:2:" in result.stderr
    assert "bad.toml:3:" in result.stderr
    assert "2 errors" in result.stderr


def options(command: click.Command) -> set[str]:
    found = {name for param in command.params for name in param.opts}
    if isinstance(command, click.Group):
        for below in command.commands.values():
            found |= options(below)
    return found


@pytest.mark.parametrize("name", OWN)
def test_no_password_can_be_an_argument(name: str) -> None:
    """Whoever runs ps would see it."""
    placeholder = cli.commands[name]
    assert isinstance(placeholder, LazyCommand)
    taken = options(placeholder.load())
    assert not {option for option in taken if "pass" in option} - {
        "--password-file",
        "password_file",
        "--no-password",
        "no_password",
    }


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full, which plays the full disk")
@pytest.mark.parametrize(
    "arguments", [("config", "example"), ("config", "show", "--json"), ("domain", "list"), ("--help",)]
)
def test_output_that_cannot_be_written_is_told_in_one_line(config: Path, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "mailsuite", "--config", str(config), *arguments]
    subprocess.run([*command[:5], "domain", "add", "example.test"], capture_output=True, check=True)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("mailsuite: No space left on device\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_do_no_harm(config: Path, place: Path, closed: str) -> None:
    """No file of ours may get the number of one of them."""
    program = f"{shlex.quote(sys.executable)} -m mailsuite --config {shlex.quote(str(config))}"
    script = f"{program} account add joe@example.test --generate {closed}; {program} account list -q"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.stdout.endswith("joe@example.test\n")


def test_no_password_can_come_from_a_closed_stdin(config: Path) -> None:
    program = f"{shlex.quote(sys.executable)} -m mailsuite --config {shlex.quote(str(config))}"
    script = f"{program} account add joe@example.test --stdin <&-"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "stdin: there is no password in the first line\n")
