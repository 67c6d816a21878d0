"""``mailsuite-notify`` as far as it needs no server: wrong usage, help, settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailsuite.cli import client as module
from mailsuite.cli.client import client, main
from mailsuite.client.settings import POP3S_PORT, STREAM_PORT, Account
from mailsuite.client.table import SettingsProblem


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    return tmp_path / ".config" / "mailsuite-notify"


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(client, arguments, input=stdin)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["enrol", "joe"], "there is no @ in it"),
        (["enrol", "joe@example.org", "--knock-from", "nonsense"], "nonsense"),
        (["enrol", "joe@example.org", "--transport", "pigeon"], "pigeon"),
        (["enrol", "joe@example.org", "--ca-file", "/no/such/file"], "/no/such/file"),
        (["run", "--port", "65536"], "65536"),
        (["forget"], "ADDRESS"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_without_an_account() -> None:
    result = run("run")
    assert result.exit_code == 1
    assert "mailsuite-notify enrol ADDRESS" in result.output
    assert run("forget", "joe@example.org").exit_code == 1


@pytest.mark.parametrize("command", ["run", "doctor", "test"])
def test_settings_that_are_wrong(home: Path, command: str) -> None:
    home.mkdir(parents=True)
    (home / "config.toml").write_text('popup = "loud"\n')
    assert isinstance(run(command).exception, SettingsProblem)


def test_what_is_wrong_is_told_in_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir(parents=True)
    (home / "config.toml").write_text('popup = "loud"\n')
    monkeypatch.setattr(sys, "argv", ["mailsuite-notify", "run"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mailsuite-notify: ")
    assert "config.toml: popup is one of" in line


def test_a_home_that_cannot_be_read(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise PermissionError(13, "Permission denied", "/home/joe")

    monkeypatch.setattr(module, "_places", broken)
    monkeypatch.setattr(sys, "argv", ["mailsuite-notify", "run"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "mailsuite-notify: /home/joe: Permission denied\n"


def test_an_account_without_its_password(home: Path) -> None:
    Account("joe@example.org", "mail.example.org").write(home / "accounts" / "joe@example.org.toml")
    result = run("run")
    assert result.exit_code == 1
    assert "mailsuite-notify enrol joe@example.org" in result.output


def test_forgetting(home: Path) -> None:
    file = home / "accounts" / "joe@example.org.toml"
    Account("joe@example.org", "mail.example.org").write(file)
    result = run("forget", "joe@example.org")
    assert result.exit_code == 0, result.output
    assert not file.exists()


def test_help_needs_no_reactor_and_tells_the_true_ports() -> None:
    code = (
        "import sys; from mailsuite.cli.client import client\n"
        "try: client(['enrol', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(sum(name.split('.')[0] == 'twisted' for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert f"[default: {STREAM_PORT}]" in done.stdout
    assert f"[default: {POP3S_PORT}]" in done.stdout
