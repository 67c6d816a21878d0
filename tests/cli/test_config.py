"""``mailsuite config``: what it prints, and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from mailsuite.cli.config import config_group

HASH = "$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNoLCBvbmx5IGFuIGV4YW1wbGU"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mailsuite.toml"
    path.write_text("[pop3]\nidle_timeout = '20m'\n")
    return path


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(config_group, [str(argument) for argument in arguments], env=env)


def test_a_check_without_problems(file: Path) -> None:
    result = run("--config", file, "check")
    assert (result.output, result.exit_code) == ("no problems. This configuration can be used.\n", 0)


def test_a_check_with_warnings_is_passed(file: Path) -> None:
    file.write_text("[pop3]\nidle_timeout = '1m'\n")
    result = run("--config", file, "check")
    assert result.output == (
        'mailsuite.toml:2:  warning  idle_timeout = "1m" is below the ten minutes RFC 1939 asks for\n'
        "1 warning. This configuration can be used.\n"
    )
    assert result.exit_code == 0


def test_a_check_with_errors(file: Path) -> None:
    file.write_text(
        "[[listener]]\nname = 'pop3'\nservice = 'pop3'\nbind = ['192.0.2.10']\nport = 110\ntls = 'off'\n\n"
        "[pop3]\ntrusted_networks = []\nidle_timout = '10m'\nauth = ['plain']\n\n"
        "[smtp]\nmax_recipients = 99\n"
    )
    result = run("--config", file, "check")
    assert result.output == (
        'mailsuite.toml:6:   error    tls = "off" on 192.0.2.10:110 and trusted_networks is empty (line 9): '
        "nobody could log in; did you mean 'starttls'?\n"
        "mailsuite.toml:10:  error    unknown setting 'idle_timout' in [pop3]; did you mean 'idle_timeout'?\n"
        "mailsuite.toml:14:  warning  max_recipients = 99 is below the hundred recipients RFC 5321 asks for\n"
        "2 errors, 1 warning. The running server keeps its settings.\n"
    )
    assert result.exit_code == 4


SOURCE = "[[source]]\nname = 'x'\n"


@pytest.mark.parametrize(
    ("settings", "line", "words"),
    [
        ("type = 'plugin'\nchecker = 'nonsense:canary'\n", 4, "checker: nothing here is called 'nonsense'"),
        ("type = 'plugin'\nchecker = 'memory:canary'\n", 4, "checker: 'memory' cannot be made"),
        ("type = 'plugin'\nchecker = 'anonymous'\n", 4, "checker: 'anonymous' does not check names"),
        (
            "type = 'ldap'\nurl = 'ldaps://l.example'\nbase = 'dc=x'\nfilter = '(mail={address}'\n",
            6,
            "filter: there is no ')'",
        ),
        (
            "type = 'http'\nurl = 'https://l.example'\nca_file = 'canary'\n",
            5,
            "ca_file: {folder}/canary holds no PEM certificate",
        ),
        (
            "type = 'http'\nurl = 'https://l.example'\ntoken_file = 'canary'\n",
            5,
            "token_file: {folder}/canary does not hold one line with a secret",
        ),
    ],
)
def test_a_source_that_no_server_could_open(file: Path, settings: str, line: int, words: str) -> None:
    (file.parent / "canary").touch(mode=0o600)
    file.write_text(SOURCE + settings)
    result = run("--config", file, "check")
    assert result.exit_code == 4
    [problem, summary] = result.output.splitlines()
    assert problem.startswith(f"mailsuite.toml:{line}:  error    {words.format(folder=file.parent)}")
    assert summary == "1 error. The running server keeps its settings."
    assert "nonsense:canary" not in result.output
    file.write_text(SOURCE + settings + "enabled = false\n")
    assert run("--config", file, "check").exit_code == 0


def test_sources_that_can_be_opened(file: Path) -> None:
    file.write_text(
        SOURCE + "type = 'pam'\n[[source]]\nname = 'y'\ntype = 'plugin'\nchecker = 'memory:a:b'\n"
    )
    assert run("--config", file, "check").output == "no problems. This configuration can be used.\n"


def test_a_library_that_is_not_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise OSError("libpam.so.0: cannot open shared object file")

    monkeypatch.setattr("mailsuite.accounts.sources.opening.LibPam.load", load)
    file.write_text(SOURCE + "type = 'pam'\n")
    result = run("--config", file, "check")
    assert result.exit_code == 4
    assert "mailsuite.toml:3:  error    type: there is no PAM on this machine: libpam" in result.output


def test_a_check_for_programs(file: Path) -> None:
    file.write_text("x = 1\n")
    result = run("--config", file, "check", "--json")
    assert result.exit_code == 4
    assert json.loads(result.output) == {
        "usable": False,
        "problems": [
            {
                "file": "mailsuite.toml",
                "line": 1,
                "severity": "error",
                "text": "unknown setting 'x'; see: mailsuite config example",
            }
        ],
    }


def test_a_missing_file_is_a_problem_found(tmp_path: Path) -> None:
    result = run("--config", tmp_path / "no.toml", "check")
    assert result.exit_code == 4
    assert "no.toml:  error    cannot be read: No such file or directory\n" in result.output


def test_the_file_can_be_named_by_the_environment(file: Path) -> None:
    result = run("show", "--changed", env={"MAILSUITE_CONFIG": str(file), "MAILSUITE_LOG__LEVEL": "debug"})
    assert result.output == '[pop3]\nidle_timeout = "20m"\n\n[log]\nlevel = "debug"\n'


def test_the_file_can_be_named_before_the_group(file: Path) -> None:
    @click.group()
    @click.option("--config")
    def whole(config: str) -> None:
        """As mailsuite itself may be."""

    whole.add_command(config_group)
    result = CliRunner().invoke(whole, ["--config", str(file), "config", "show", "--changed"])
    assert result.output == '[pop3]\nidle_timeout = "20m"\n'


def test_show_prints_toml_of_all_that_holds(file: Path) -> None:
    result = run("--config", file, "--set", "log.level=debug", "show")
    assert result.exit_code == 0
    shown = tomllib.loads(result.output)
    assert shown["pop3"]["idle_timeout"] == "20m"
    assert shown["log"]["level"] == "debug"
    assert [listener["name"] for listener in shown["listener"]][:2] == ["smtp", "submission"]


def test_show_with_origins(file: Path) -> None:
    result = run("--config", file, "show", "--changed", "--origin")
    assert result.output == 'pop3.idle_timeout = "20m"   mailsuite.toml:2\n'


def test_show_for_programs_without_secrets(file: Path) -> None:
    file.write_text(f"[[account]]\naddress = 'joe@example.net'\npassword_hash = '{HASH}'\n")
    result = run("--config", file, "show", "--json", "--changed")
    assert json.loads(result.output)["settings"] == [
        {
            "key": "account.joe@example.net.address",
            "value": "joe@example.net",
            "hidden": False,
            "origin": "mailsuite.toml:2",
        },
        {
            "key": "account.joe@example.net.password_hash",
            "value": None,
            "hidden": True,
            "origin": "mailsuite.toml:3",
        },
    ]


def test_show_of_a_file_with_errors_says_them(file: Path) -> None:
    file.write_text("x = 1\n")
    result = run("--config", file, "show")
    assert (result.stdout, result.exit_code) == ("", 4)
    assert "unknown setting 'x'" in result.stderr


def test_the_example_can_be_used(tmp_path: Path) -> None:
    result = run("example")
    (tmp_path / "mailsuite.toml").write_text(result.output)
    assert run("--config", tmp_path / "mailsuite.toml", "check").exit_code == 0


def test_the_reference_page() -> None:
    assert run("reference").output.startswith("# Settings\n")


def test_a_setting_is_explained() -> None:
    result = run("explain", "pop3.idle_timeout")
    assert result.output.startswith("pop3.idle_timeout\n")
    assert result.exit_code == 0


def test_an_unknown_setting_is_wrong_usage() -> None:
    result = run("explain", "pop3.idle_timout")
    assert result.exit_code == 2
    assert "did you mean 'pop3.idle_timeout'?" in result.output


@pytest.mark.parametrize("arguments", [["nothing"], ["show", "--nothing"], ["explain"]])
def test_wrong_usage(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_help_loads_neither_twisted_nor_the_schema() -> None:
    """So that it answers at once."""
    program = (
        "import sys, mailsuite.cli.config\n"
        "print(sorted(m for m in sys.modules if m.startswith(('twisted', 'attr', 'mailsuite.config'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_configuration_loads_no_twisted() -> None:
    program = (
        "import sys, mailsuite.config.load, mailsuite.config.example, mailsuite.config.explain\n"
        "print(sorted(m for m in sys.modules if m.startswith(('twisted', 'zope', 'click', 'rich'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
