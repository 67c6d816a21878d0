"""alias and route: over the store itself, and what a running server is asked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mailsuite.accounts.aliases import ImportedAlias
from mailsuite.cli.aliases import MAX_ALIASES, chunks
from mailsuite.cli.imports import MAX_OCTETS
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

SALES, JOE, ANN = "sales@example.test", "joe@example.test", "ann@example.test"


@pytest.fixture
def store(run: Run) -> Run:
    """A store with an account; what it says of having no server is left out by --quiet."""
    run("account", "add", JOE, "--stdin", "-q", input="eight888\n")
    return run


def test_an_alias_from_its_beginning_to_its_end(store: Run) -> None:
    added = store("alias", "add", SALES, "joe", "ann")
    assert (added.exit_code, added.stdout) == (0, f"{SALES} -> {JOE}, {ANN}\n")
    assert f"There is nobody of the name {ANN} yet" in added.stderr
    more = store("alias", "add", SALES, "bob")
    assert more.stdout == f"{SALES} -> {JOE}, {ANN}, bob@example.test  (changed)\n"
    listed = [line.split() for line in store("alias", "list").stdout.splitlines()]
    assert listed[1] == [SALES, f"{JOE},", f"{ANN},", "bob@example.test", "database"]
    assert store("alias", "list", "-q").stdout == f"{SALES}\n"
    shown = store("alias", "show", SALES).stdout
    assert f"             {ANN}  (there is nobody of that name)\n" in shown
    removed = store("alias", "remove", SALES, "bob", "ann")
    assert removed.stdout == f"{SALES} -> {JOE}  (changed)\n"
    assert store("alias", "remove", SALES).stdout == f"{SALES} removed.\n"
    gone = store("alias", "show", SALES)
    assert (gone.exit_code, gone.stderr.splitlines()[-1]) == (1, f"{SALES}: there is no alias of that name")


def test_with_json(store: Run) -> None:
    added = json.loads(store("alias", "add", SALES, "joe", "--json").stdout)
    assert added["made"]
    assert added["alias"]["targets"] == [JOE]
    assert json.loads(store("alias", "show", SALES, "--json").stdout)["alias"] == added["alias"]
    assert json.loads(store("alias", "list", "--json").stdout) == {"aliases": [added["alias"]]}
    assert json.loads(store("alias", "remove", SALES, "--json").stdout) == {"alias": None}


def test_with_quiet_nothing_is_said(store: Run) -> None:
    for command in (
        ["add", SALES, "gone"],
        ["add", SALES, "joe"],
        ["remove", SALES, "gone"],
        ["remove", SALES],
    ):
        done = store("alias", *command, "-q")
        assert (done.exit_code, done.output) == (0, "")


def test_mail_that_is_thrown_away(store: Run) -> None:
    assert store("alias", "add", SALES, ":discard").stdout == f"{SALES} -> nobody: mail is thrown away\n"
    assert "leads to     nobody: mail is thrown away\n" in store("alias", "show", SALES).stdout
    routed = store("route", SALES)
    assert (routed.exit_code, routed.stdout.splitlines()[-1]) == (
        0,
        f"Mail for {SALES} is taken and thrown away.",
    )


def test_who_leads_somewhere(store: Run) -> None:
    store("alias", "add", SALES, "joe", "-q")
    store("alias", "add", "all@example.test", SALES, "-q")
    assert store("alias", "list", "--to", SALES, "-q").stdout == "all@example.test\n"
    none = store("alias", "list", "--to", ANN)
    assert (none.stdout, f"No alias leads to {ANN}." in none.stderr) == ("", True)
    assert "reached by   all@example.test\n" in store("alias", "show", SALES).stdout


def test_an_empty_list_says_what_to_do(store: Run) -> None:
    assert "There is no alias yet. Make one:  mailsuite alias add" in store("alias", "list").stderr


def test_a_long_list_is_cut(store: Run) -> None:
    store("alias", "add", SALES, *(f"u{number}" for number in range(8)), "-q")
    assert "u4@example.test and 3 more" in store("alias", "list").stdout


def test_where_mail_goes(store: Run) -> None:
    store("alias", "add", SALES, "joe", "gone", "-q")
    routed = store("route", "Sales+x@example.test")
    assert routed.exit_code == 0
    lines = routed.stdout.splitlines()
    assert (
        lines[0]
        == f"  1  Sales+x@example.test: without its tag '+x' an alias, {SALES}, for {JOE}, gone@example.test"
    )
    assert lines[-1] == f"Mail for Sales+x@example.test goes to {JOE}."
    assert routed.stderr.splitlines()[-1] == f"{SALES} leads to somebody who gets nothing; see above."
    document = json.loads(store("route", "sales+x@example.test", "--json").stdout)
    assert document["steps"]
    assert {name: document[name] for name in ("address", "kind", "copies", "remotes", "dead_end")} == {
        "address": "sales+x@example.test",
        "kind": "local",
        "copies": [{"account": JOE, "as": "joe+x@example.test"}],
        "remotes": [],
        "dead_end": SALES,
    }


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("gone@example.test", 1, "is refused: there is nobody of that name."),
        ("joe@far.example", 0, "is not for us: its domain is not ours."),
        ("round@example.test", 1, "is refused for now: it leads to nobody who takes it."),
        ("postmaster", 1, "is refused: there is nobody of that name."),
    ],
)
def test_where_no_mail_goes(store: Run, address: str, status: int, said: str) -> None:
    store("alias", "add", "round@example.test", "gone", "-q")
    routed = store("route", address)
    assert (routed.exit_code, routed.stdout.splitlines()[-1]) == (status, f"Mail for {address} {said}")


def test_mail_that_leaves(store: Run, config: Path) -> None:
    store("alias", "add", SALES, "joe@far.example", "-q")
    routed = store("route", SALES)
    assert (routed.exit_code, routed.stdout.splitlines()[-1]) == (
        0,
        f"Mail for {SALES} goes to joe@far.example.",
    )
    with config.open("a") as more:
        more.write('[queue]\noutgoing = "local-only"\n')
    assert store("route", SALES).exit_code == 1


DOORS = """
[[listener]]
name = "mx"
service = "smtp"
port = 2525
relay = "addresses"
relay_networks = ["192.0.2.7"]

[[listener]]
name = "submissions"
service = "submission"
port = 2465
tls = "implicit"

[[listener]]
name = "calls"
service = "submission"
socket = "{place}/calls.sock"
"""


def test_whose_mail_is_taken(store: Run, config: Path, place: Path) -> None:
    with config.open("a") as more:
        more.write(DOORS.format(place=place))
    routed = store("route", JOE, "--from", "198.51.100.1")
    assert routed.exit_code == 0
    assert [line.split("   ") for line in re.sub(r" {3,}", "   ", routed.stdout).splitlines()[-4:]] == [
        ["A client at 198.51.100.1 is answered:"],
        ["LISTENER", "SERVICE", "VERDICT", "ANSWER", "LOGGED IN"],
        ["mx", "smtp", "taken", "250 2.1.5 Recipient OK"],
        ["submissions", "submission", "login", "530 5.7.0 Please log in first", "250 2.1.5 Recipient OK"],
    ]
    far = store("route", "eve@far.example", "--from", "198.51.100.1", "--listener", "mx", "--json")
    assert far.exit_code == 1
    assert json.loads(far.stdout)["hearing"] == {
        "client": "198.51.100.1",
        "taken": False,
        "listeners": [
            {
                "listener": "mx",
                "service": "smtp",
                "verdict": "refused",
                "reply": "550 5.7.1 Relaying denied",
                "logged_in": None,
            }
        ],
    }
    listed = store("route", "eve@far.example", "--from", "[::ffff:192.0.2.7]", "--listener", "mx")
    assert "taken     250 2.1.5 Recipient OK" in listed.stdout
    with config.open("a") as more:
        more.write('[queue]\noutgoing = "local-only"\n')
    unsent = store("route", "eve@far.example", "--from", "192.0.2.7", "--listener", "mx")
    assert "refused   550 5.7.1 This server does not send mail to other servers" in unsent.stdout
    for name in ("pop3s", "calls"):
        unknown = store("route", JOE, "--from", "192.0.2.7", "--listener", name)
        assert (unknown.exit_code, f"there is no open listener '{name}'; there are: mx, submissions\n") == (
            1,
            unknown.stderr.splitlines(keepends=True)[-1],
        )


def test_a_client_is_an_address(store: Run) -> None:
    assert "is no IP address" in store("route", JOE, "--from", "192.0.2.0/24").stderr
    assert "--listener needs --from" in store("route", JOE, "--listener", "mx").stderr


def test_what_is_no_address_has_no_route(store: Run) -> None:
    routed = store("route", "a b@example.test")
    assert (routed.exit_code, "is no address" in routed.stderr) == (1, True)


FILE = """\
# of the old server
Sales: joe,
  ann
list: :include:{folder}/members
old: |/usr/bin/vacation
bin: /dev/null
"""


@pytest.fixture
def file(place: Path) -> Path:
    (place / "members").write_text("joe\n# nobody\nann\n")
    path = place / "aliases"
    path.write_text(FILE.format(folder=place))
    return path


def test_a_file_is_imported(store: Run, file: Path) -> None:
    tried = store("alias", "import", str(file), "--domain", "example.test", "--dry-run")
    assert tried.stdout == "3 made, 1 refused. This was a rehearsal; nothing has changed.\n"
    assert store("alias", "list", "-q").stdout == ""
    done = store("alias", "import", str(file), "--domain", "example.test")
    assert (done.exit_code, done.stdout) == (1, "3 made, 1 refused.\n")
    assert "line 5: old@example.test refused: |/usr/bin/vacation: mail is not given" in done.stderr
    assert done.stderr.endswith(f"1 alias of {file} could not be taken\n")
    assert store("alias", "list", "-q").stdout == "bin@example.test\nlist@example.test\nsales@example.test\n"
    again = json.loads(store("alias", "import", str(file), "--domain", "example.test", "--json").stdout)
    assert again["counts"] == {"made": 0, "changed": 0, "unchanged": 3, "refused": 1}
    assert [one["line"] for one in again["aliases"]] == [2, 4, 5, 6]
    assert store("alias", "import", "-", "--domain", "example.test", "-q", input="a: joe\n").output == ""


def test_a_file_that_cannot_be_read(store: Run, place: Path) -> None:
    missing = store("alias", "import", str(place / "none"), "--domain", "example.test")
    assert (missing.exit_code, missing.stderr) == (1, f"{place}/none: No such file or directory\n")
    (place / "long").write_bytes(b"#" * ((16 << 20) + 1))
    assert "longer than 16 MiB" in store("alias", "import", str(place / "long"), "--domain", "x.test").stderr


def test_names_without_a_domain(run: Run, config: Path) -> None:
    with config.open("a") as more:
        more.write('[pop3]\ndefault_domain = "usual.test"\n[[domain]]\nname = "usual.test"\n')
    assert run("alias", "import", "-", input="bin: /dev/null\n").exit_code == 0
    assert run("alias", "list", "-q").stdout == "bin@usual.test\n"


def test_requests_are_no_longer_than_they_may_be() -> None:
    many = [ImportedAlias(number, f"a{number}@example.test", (JOE,)) for number in range(MAX_ALIASES + 1)]
    assert [len(chunk) for chunk in chunks(many)] == [MAX_ALIASES, 1]
    long = [ImportedAlias(number, SALES, ("x" * (MAX_OCTETS // 2),)) for number in range(3)]
    assert [len(chunk) for chunk in chunks(long)] == [1, 1, 1]
    assert list(chunks([])) == []


def test_what_a_running_server_is_asked(run: Run, control: ControlDouble) -> None:
    alias = {"address": SALES, "targets": [JOE], "discards": False, "origin": "database"}
    control.answers = {
        "POST /v1/aliases": (201, {"alias": alias, "nobody": [], "made": True}),
        "GET /v1/aliases": (200, {"aliases": [alias]}),
        f"GET /v1/aliases?target={JOE.replace('@', '%40')}": (200, {"aliases": [alias]}),
        f"GET /v1/aliases/{SALES}": (200, {"alias": alias, "aliases": [], "nobody": []}),
        f"PATCH /v1/aliases/{SALES}": (200, {"alias": alias}),
        f"DELETE /v1/aliases/{SALES}": (200, {"alias": None}),
        "POST /v1/aliases/import": (
            200,
            {"results": [{"line": 1, "address": SALES, "outcome": "made", "reason": ""}]},
        ),
        "POST /v1/route": (
            200,
            {
                "address": SALES,
                "kind": "off",
                "copies": [],
                "remotes": [],
                "dead_end": None,
                "steps": ["x\x1b"],
            },
        ),
    }
    assert run("alias", "add", SALES, JOE).exit_code == 0
    for command in (
        ["list"],
        ["list", "--to", JOE],
        ["show", SALES],
        ["remove", SALES, JOE],
        ["remove", SALES],
    ):
        assert run("alias", *command).exit_code == 0
    done = run("alias", "import", "-", "--domain", "example.test", "--overwrite", input="sales: joe\n")
    assert (done.exit_code, done.stdout) == (0, "1 made.\n")
    routed = run("route", SALES)
    assert (routed.exit_code, routed.stdout) == (
        1,
        f"  1  x\\x1b\nMail for {SALES} is refused: the account is off.\n",
    )
    asked = [(method, path, body) for method, path, body in control.requests if path != "/v1/status"]
    assert asked[0] == ("POST", "/v1/aliases", {"address": SALES, "targets": [JOE]})
    assert ("PATCH", f"/v1/aliases/{SALES}", {"remove": [JOE]}) in asked
    imported = {"line": 1, "address": SALES, "targets": [JOE]}
    assert asked[-2][2] == {"aliases": [imported], "overwrite": True, "dry_run": False}
    assert asked[-1] == ("POST", "/v1/route", {"address": SALES})
