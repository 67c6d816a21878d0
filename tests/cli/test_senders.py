"""``mailsuite sender``, and what domains say of sizes: over a server, and over the store itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

JOE = "joe@example.test"
EVE = "eve@example.org"
LISTS = {"block_senders": [EVE], "accept_senders": ["*.fine.example"]}


def test_lists_of_an_account_without_a_server(run: Run) -> None:
    run("account", "add", JOE, "--generate")
    assert run("sender", "list", JOE).stderr.endswith(f"{JOE} says nothing of any sender.\n")
    assert run("sender", "list", JOE, "-q").output == ""
    assert run("sender", "block", JOE, EVE).stdout == f"{JOE}: {EVE} blocked.\n"
    assert (
        run("sender", "accept", JOE, "*.fine.example", "b.example").stdout == f"{JOE}: 2 senders accepted.\n"
    )
    assert run("sender", "forget", JOE, "b.example", "-q").stdout == ""
    assert json.loads(run("sender", "list", JOE, "--json").stdout) == LISTS
    lines = run("sender", "list", JOE).stdout.splitlines()
    assert [line.split() for line in lines] == [["SENDER"], ["block", EVE], ["accept", "*.fine.example"]]
    assert "senders      1 blocked, 1 accepted: mailsuite sender list\n" in run("account", "show", JOE).stdout
    assert "largest " not in run("account", "show", JOE).stdout
    assert run("account", "change", JOE, "--max-message", "64KiB", "--language", "de").exit_code == 0
    assert "language     de\n" in run("account", "show", JOE).stdout
    assert "largest      messages up to 64 KiB\n" in run("account", "show", JOE).stdout
    result = run("sender", "block", "nobody@example.test", EVE)
    assert (result.exit_code, "there is no account of that name" in result.stderr) == (1, True)


def test_a_kill_file_of_another_server(run: Run, tmp_path: Path) -> None:
    run("domain", "add", "example.test")
    file = tmp_path / "kill.lst"
    file.write_text(
        "# IMail's\n" + "".join(f"a{number}@spam.example\n" for number in range(600)) + "bad.example\n"
    )
    document = json.loads(run("sender", "block", "example.test", EVE, "--file", str(file), "--json").stdout)
    assert len(document["block_senders"]) == 602
    assert (document["block_senders"][0], document["block_senders"][-1]) == (EVE, "bad.example")
    file.write_text("a@spam.example\nnonsense\n")
    result = run("sender", "accept", "example.test", "--file", str(file))
    assert (result.exit_code, f"{file}:2: a domain with a dot" in result.stderr) == (1, True)


@pytest.mark.parametrize("verb", ["block", "accept", "forget"])
def test_somebody_has_to_be_named(run: Run, verb: str) -> None:
    result = run("sender", verb, JOE)
    assert (result.exit_code, "name a sender" in result.stderr) == (2, True)


def test_by_a_server(run: Run, control: ControlDouble) -> None:
    control.answers["PATCH /v1/domains/example.test"] = (200, {"domain": {"name": "example.test", **LISTS}})
    assert run("sender", "block", "example.test", EVE).stdout == f"example.test: {EVE} blocked.\n"
    assert control.requests[-1] == ("PATCH", "/v1/domains/example.test", {"senders": {EVE: "block"}})
    control.answers["GET /v1/domains/example.test"] = (200, {"domain": {"name": "example.test", **LISTS}})
    assert json.loads(run("sender", "list", "example.test", "--json").stdout) == LISTS


NOTHING = {"octets": None, "messages": None}
DOMAIN = {
    "name": "example.test",
    "origin": "file",
    "accounts": 3,
    "quota": NOTHING,
    "total_quota": {"octets": 2048, "messages": None},
    "max_message": 70 << 20,
    **LISTS,
}
USAGE = {"messages": 7, "octets": 1024, "deleted_messages": 0, "deleted_octets": 0}


def test_a_domain_is_shown(run: Run, control: ControlDouble) -> None:
    details = {
        "domain": DOMAIN,
        "usage": USAGE,
        "total_quota": DOMAIN["total_quota"],
        "percent": 50,
        "shared": "example.test",
    }
    control.answers["GET /v1/domains/example.test"] = (200, details)
    assert run("domain", "show", "example.test").stdout.splitlines() == [
        "domain       example.test",
        "accounts     3",
        "mail         7 messages, 1.0 KiB",
        "total quota  2.0 KiB (50 percent used)",
        "of each      as the server says",
        "largest      messages up to 70 MiB",
        "senders      1 blocked, 1 accepted: mailsuite sender list",
        "kept in      file",
    ]
    assert json.loads(run("domain", "show", "example.test", "--json").stdout) == details
    control.answers["GET /v1/domains/example.test"] = (200, {**details, "shared": "other.test"})
    assert "(50 percent used, shared with other.test)" in run("domain", "show", "example.test").stdout
    control.answers["GET /v1/domains/example.test"] = (200, {**details, "total_quota": NOTHING})
    assert "total quota  2.0 KiB\n" in run("domain", "show", "example.test").stdout


def test_a_domain_without_a_server(run: Run) -> None:
    run("domain", "add", "example.test")
    shown = run("domain", "show", "example.test").stdout
    assert "total quota  no limit\nof each      as the server says\nkept in      database\n" in shown
    told = run("domain", "change", "example.test", "--total-quota", "1GiB,5", "--max-message", "64KiB").stdout
    assert told == "example.test changed: all together 1.0 GiB, 5 messages, a message 64 KiB.\n"
    told = run("domain", "change", "example.test", "--quota", "1GiB", "--max-message", "default").stdout
    assert told == "example.test changed: each account may have 1.0 GiB, a message -.\n"
    shown = run("domain", "show", "example.test").stdout
    assert "total quota  1.0 GiB, 5 messages\nof each      1.0 GiB\n" in shown
    told = run("domain", "change", "example.test", "--language", "de").stdout
    assert told == "example.test changed: written to in de.\n"
    assert "language     de\n" in run("domain", "show", "example.test").stdout
    told = run("domain", "change", "example.test", "--language", "default").stdout
    assert told == "example.test changed: written to in the language of the server.\n"
    assert "language" not in run("domain", "show", "example.test").stdout
    refused = run("domain", "change", "example.test", "--language", "fr")
    assert (refused.exit_code, '"en", "de"' in refused.stderr) == (1, True)
    result = run("domain", "change", "example.test")
    assert (result.exit_code, "nothing to change" in result.stderr) == (2, True)
    result = run("domain", "show", "nowhere.test")
    assert (result.exit_code, "there is no domain of that name" in result.stderr) == (1, True)
