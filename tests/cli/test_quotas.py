"""How much mail accounts have and may have: what is asked of the server, and what people see."""

from __future__ import annotations

import json

import pytest

from mailsuite.cli.control import Document
from mailsuite.cli.quotas import quota_text
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

JOE = "joe@example.test"
GIB = 1 << 30


def usage(account: str, octets: int, quota: Document, percent: int) -> Document:
    counted = {"messages": 7, "octets": octets, "deleted_messages": 2, "deleted_octets": 90_000}
    return {"account": account, "usage": counted, "quota": quota, "percent": percent}


LIMITED = {"octets": 2 * GIB, "messages": 10_000}
USED = [
    usage("ann@example.test", 300 * 1024, {"octets": 0, "messages": 0}, 0),
    usage("full\x1b@example.test", 2 * GIB - 1, LIMITED, 99),
    usage(JOE, GIB, LIMITED, 50),
]


@pytest.mark.parametrize(
    ("quota", "text"),
    [
        (None, "-"),
        ({"octets": None, "messages": None}, "-"),
        ({"octets": 0, "messages": None}, "no limit"),
        ({"octets": 0, "messages": 0}, "no limit"),
        ({"octets": 2 * GIB, "messages": None}, "2.0 GiB"),
        ({"octets": 0, "messages": 1}, "1 message"),
        (LIMITED, "2.0 GiB, 10000 messages"),
    ],
)
def test_a_quota_in_words(quota: Document | None, text: str) -> None:
    assert quota_text(quota) == text


def test_the_list_with_usage(run: Run, control: ControlDouble) -> None:
    control.answers["GET /v1/accounts/usage"] = (200, {"accounts": USED})
    lines = run("account", "list", "--usage").output.splitlines()
    assert lines[0].split() == ["ADDRESS", "MESSAGES", "SIZE", "QUOTA", "USED", "DELETED"]
    assert lines[1].split() == ["ann@example.test", "7", "300", "KiB", "no", "limit", "-", "88", "KiB"]
    assert r"full\x1b@example.test" in lines[2]
    assert "2.0 GiB, 10000 messages   99 %" in lines[2]
    assert json.loads(run("account", "list", "--usage", "--json").output) == {"accounts": USED}
    near = run("account", "list", "--near-quota", "-q").output
    assert near == "full\\x1b@example.test\n"


def test_nobody_is_near(run: Run, control: ControlDouble) -> None:
    control.answers["GET /v1/accounts/usage"] = (200, {"accounts": USED[:1]})
    assert run("account", "list", "--near-quota").stderr == "No account has used 80 percent of its quota.\n"
    control.answers["GET /v1/accounts/usage"] = (200, {"accounts": []})
    assert run("account", "list", "--usage").stderr == "There is no account yet.\n"


def test_without_a_server_nobody_knows(run: Run) -> None:
    result = run("account", "list", "--usage", "-q")
    assert result.exit_code != 0
    assert "only a running server knows" in result.stderr


def test_one_account(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    details = json.loads(run("account", "show", JOE, "--json").output)
    answer = {**usage(JOE, GIB, LIMITED, 50), **details}
    control.answers[f"GET /v1/accounts/{JOE}"] = (200, answer)
    shown = run("account", "show", JOE).output
    assert "mail         7 messages, 1.0 GiB\n" in shown
    assert "deleted      2 messages, 88 KiB, can be brought back: mailsuite undelete\n" in shown
    assert "quota        2.0 GiB, 10000 messages (50 percent used)\n" in shown
    answer = {**usage(JOE, GIB, {"octets": 0, "messages": None}, 0), **details}
    control.answers[f"GET /v1/accounts/{JOE}"] = (200, answer)
    assert "quota        no limit\n" in run("account", "show", JOE).output


@pytest.mark.parametrize(
    ("quota", "kept"),
    [
        ("2GiB,10000", LIMITED),
        ("0", {"octets": 0, "messages": 0}),
        ("default", {"octets": None, "messages": None}),
    ],
)
def test_a_quota_is_changed(run: Run, control: ControlDouble, quota: str, kept: Document) -> None:
    run("account", "add", JOE, "--generate")
    run("account", "change", JOE, "--quota", "5GiB")
    changed = json.loads(run("account", "change", JOE, "--quota", quota, "--json").output)
    assert changed["account"]["quota"] == kept
    assert control.requests[-1] == ("PATCH", f"/v1/accounts/{JOE}", {"quota": quota})


def test_what_is_no_quota_is_refused(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    result = run("account", "change", JOE, "--quota", "much")
    assert (result.exit_code, 'quota: "much" is no size' in result.stderr) == (1, True)


def test_the_quota_of_a_domain_without_a_server(run: Run) -> None:
    run("domain", "add", "example.test")
    result = run("domain", "change", "Example.test", "--quota", "1GiB")
    assert result.stdout == "example.test changed: each account may have 1.0 GiB.\n"
    assert run("domain", "change", "example.test", "--quota", "default", "-q").stdout == ""
    document = json.loads(run("domain", "change", "example.test", "--quota", ",5", "--json").stdout)
    assert document["domain"]["quota"] == {"octets": None, "messages": 5}
    assert "5 messages" in run("domain", "list").stdout
    result = run("domain", "change", "nowhere.test", "--quota", "1GiB")
    assert (result.exit_code, "there is no domain of that name" in result.stderr) == (1, True)


def test_the_quota_of_a_domain(run: Run, control: ControlDouble) -> None:
    domain = {"name": "example.test", "origin": "database", "accounts": 1, "quota": LIMITED}
    control.answers["PATCH /v1/domains/example.test"] = (200, {"domain": domain})
    result = run("domain", "change", "example.test", "--quota", "2GiB,10000")
    assert result.stdout == "example.test changed: each account may have 2.0 GiB, 10000 messages.\n"
    assert control.requests[-1] == ("PATCH", "/v1/domains/example.test", {"quota": "2GiB,10000"})


def test_how_a_domain_may_be_told(run: Run) -> None:
    run("domain", "add", "example.test")
    result = run("domain", "change", "example.test", "--notify", "deny", "--notify-max-level", "count")
    assert result.stdout == "example.test changed: notices denied, a notice tells count at most.\n"
    assert "nobody is told of new mail" in run("domain", "show", "example.test").stdout
    result = run("domain", "change", "example.test", "--notify", "allow")
    assert result.stdout == "example.test changed: notices allowed.\n"
    assert "tell no more than the count" in run("domain", "show", "example.test").stdout
    result = run("domain", "change", "example.test", "--notify-max-level", "default")
    assert result.stdout == "example.test changed: a notice tells what the server allows at most.\n"
    assert "notices" not in run("domain", "show", "example.test").stdout
    for wrong in (("--notify", "perhaps"), ("--notify-max-level", "all")):
        assert run("domain", "change", "example.test", *wrong).exit_code != 0
