"""account import: through the control socket and over the store itself; the report, the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailsuite.accounts.import_file import ImportedAccount
from mailsuite.accounts.importing import account_to_json
from mailsuite.cli.context import Context
from mailsuite.cli.importing import MAX_ACCOUNTS, chunks, import_
from mailsuite.cli.imports import MAX_OCTETS
from mailsuite.concurrent.now import run_now
from mailsuite.offline import offline_office
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

SSHA = "{SSHA}3j81PdzjVgkGxt/4Qbvmk4YmXoZ2aXZpZHNhbA=="
CANARY = "canary-swordfish"
SHADOW = "joe:$1$Zq8mT1xw$uTujqmAbkQkDo7d2eJbVq0:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n"


@pytest.fixture
def take(config: Path, place: Path) -> Run:
    """Import a file with this text."""

    def call(text: str, *options: str, file: str | None = None) -> Result:
        (place / "file").write_text(text, "utf-8", "surrogateescape")
        context = Context(config)
        arguments = [file or str(place / "file"), *options]
        result = CliRunner().invoke(import_, arguments, input=text, obj=context, standalone_mode=True)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert CANARY not in result.output
        return result

    return call


def test_without_a_server_it_works_on_the_store(take: Run, config: Path, place: Path) -> None:
    result = take(f"joe@example.test:{SSHA}\nann@example.test:{{PLAIN}}{CANARY}\n")
    assert (result.exit_code, result.stdout) == (0, "2 made.\n")
    assert "mailsuite is not running" in result.stderr
    again = take(f"joe@example.test:{SSHA}\nann@example.test:{{PLAIN}}{CANARY}\n", "--overwrite", "-q")
    assert (again.exit_code, again.output) == (0, "")
    with offline_office(Context(config).config, None) as office:  # type: ignore[arg-type]
        assert [each["address"] for each in run_now(office.registry.accounts())] == [
            "ann@example.test",
            "joe@example.test",
        ]


def test_the_running_server_does_it(take: Run, control: ControlDouble) -> None:
    result = take(f"joe@example.test:{SSHA}\nnonsense\nann@example.test:{CANARY}\nANN@example.test:\n")
    assert (result.exit_code, result.stdout) == (1, "2 made, 2 refused.\n")
    lines = result.stderr.splitlines()
    assert lines[0] == "line 2: refused: there is no colon in it"
    assert lines[1].startswith("line 3: ann@example.test refused: it is no hash")
    assert lines[2] == "line 4: ann@example.test made: it has no password"
    assert lines[3].startswith("2 lines of ")
    ((_, _, body),) = (each for each in control.requests if each[0] == "POST")
    assert body["accounts"][0] == {"line": 1, "address": "joe@example.test", "password_hash": SSHA}


def test_names_without_a_domain(take: Run, control: ControlDouble) -> None:
    assert take(SHADOW).stdout == "1 made, 1 skipped.\n"
    assert take(SHADOW, "--domain", "more.test", "-q").exit_code == 0
    asked = [body["accounts"][0]["address"] for method, _, body in control.requests if method == "POST"]
    assert asked == ["joe@mail.example.test", "joe@more.test"]


def test_a_rehearsal(take: Run, control: ControlDouble) -> None:
    table = "address,state,forward\njoe@e.test,forward,ann@e.test\nann@e.test,,\n"
    result = take(table, "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "2 made. This was a rehearsal; nothing has changed.\n")
    assert take(table).stdout == "2 made.\n"
    accounts = {each["address"]: each for each in run_now(control.world.office.registry.accounts())}
    assert accounts["joe@e.test"]["forward"] == "ann@e.test"
    assert take(table, "--dry-run").stdout.startswith("2 unchanged.")


def test_for_programs(take: Run, control: ControlDouble) -> None:
    result = take(f"joe@example.test:{SSHA}\nnonsense\n", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "dry_run": False,
        "counts": {"made": 1, "changed": 0, "unchanged": 0, "skipped": 0, "refused": 1},
        "accounts": [
            {"line": 1, "address": "joe@example.test", "outcome": "made", "reason": ""},
            {"line": 2, "address": "", "outcome": "refused", "reason": "there is no colon in it"},
        ],
    }


def test_what_is_refused_is_told_even_quietly(take: Run, control: ControlDouble) -> None:
    result = take(f"{SHADOW}nonsense\n", "-q", "--format", "passwd-file")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "line 3: refused" in result.stderr
    assert "daemon" not in result.stderr


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", (), "nothing in it"),
        (f"user,password\njoe,{CANARY}\n", (), "--format"),
        (f"joe:{CANARY}\n", ("--format", "shadow"), "nine fields"),
    ],
)
def test_files_that_are_none(take: Run, text: str, options: tuple[str, ...], words: str) -> None:
    result = take(text, *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


def test_a_file_that_cannot_be_read(take: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No such file" in take("", file=str(place / "missing")).stderr
    monkeypatch.setattr("mailsuite.accounts.import_file.MAX_FILE_OCTETS", 3)
    assert "longer than" in take("joe:x\n").stderr


def test_stdin_and_a_byte_order_mark(take: Run, control: ControlDouble) -> None:
    assert take(f"\ufeffaddress,password\njoe@e.test,{CANARY}\n", file="-").stdout == "1 made.\n"


def test_no_request_is_larger_than_the_server_takes() -> None:
    accounts = [
        ImportedAccount(number, f"joe{number}@example.test", fields={"name": "x" * (number % 7000)})
        for number in range(0, 20_000, 13)
    ]
    parts = list(chunks(accounts))
    assert [account for part in parts for account in part] == accounts
    assert max(map(len, parts)) == MAX_ACCOUNTS
    for part in parts:
        assert len(json.dumps([account_to_json(account) for account in part])) < MAX_OCTETS + 20_000


def test_a_bar_on_a_terminal(take: Run, control: ControlDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda stream: True, raising=False)
    assert "1/1" in take(f"joe@example.test:{SSHA}\n").stderr
    assert "1/1" not in take(f"joe@example.test:{SSHA}\n", "-q").stderr


def test_a_rehearsal_of_a_circle_says_what_the_import_does(take: Run, control: ControlDouble) -> None:
    rows = ("ann@x.test,bob@x.test", "bob@x.test,ann@x.test", "eve@x.test,ann@x.test", "joe@x.test,")
    text = "\n".join(("address,forward", *rows)) + "\n"
    rehearsed, done = take(text, "--dry-run"), take(text)
    assert (rehearsed.exit_code, done.exit_code) == (1, 1)
    assert rehearsed.stderr == done.stderr
    assert "line 2: ann@x.test refused: forward: the mail would come back: ann@x.test -> bob" in done.stderr
    assert rehearsed.stdout == "1 made, 3 refused. This was a rehearsal; nothing has changed.\n"
    assert done.stdout == "1 made, 3 refused.\n"
