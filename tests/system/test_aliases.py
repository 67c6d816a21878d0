"""Aliases, tags, and domains that stand for others, at a real server: obeyed at the next RCPT."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.system.clients import smtp
from tests.system.harness import PASSWORDS, Server

JOE, ANN, BOB = PASSWORDS
OK, UNKNOWN = b"250 2.1.5", b"550 5.1.1"
DOMAINS = r"""
aliases = { team = ["joe", "ann"], postmaster = "bob" }
alias_patterns = { 'list-(.+)' = 'ann+\1' }
recipient_delimiter = "+-"
[[domain]]
name = "same.test"
same_as = "example.test"
[[domain]]
name = "caught.test"
catch_all = ["bob@example.test"]
catch_all_except = ["root"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), domain=DOMAINS) as running:
        yield running


def rcpt(server: Server, *recipients: str) -> list[bytes]:
    with smtp(server) as client:
        client.say(b"MAIL FROM:<sender@elsewhere.example>", b"250")
        return [client.say(f"RCPT TO:<{recipient}>".encode())[:9] for recipient in recipients]


def delivered(server: Server, text: str, *recipients: str) -> dict[str, int]:
    """How many copies of a message with *text* there are in each maildrop that has any."""
    server.deliver(f"Subject: {text}\r\n\r\n{text}\r\n".encode(), *recipients)
    counts = {account: sum(text.encode() in one for one in kept(server, account)) for account in PASSWORDS}
    return {account: count for account, count in counts.items() if count}


def kept(server: Server, account: str) -> list[bytes]:
    folder = server.maildir(account)
    return [file.read_bytes() for name in ("new", "cur") for file in (folder / name).glob("*")]


def header(server: Server, account: str, text: str) -> bytes:
    """What stands above the body of the message with *text*."""
    (message,) = [one for one in kept(server, account) if text.encode() in one]
    return message.partition(b"\r\n\r\n")[0]


def test_an_alias_is_obeyed_at_the_next_recipient(server: Server) -> None:
    """One session, open all the while."""
    with smtp(server) as client:
        client.say(b"MAIL FROM:<sender@elsewhere.example>", b"250")
        assert client.say(b"RCPT TO:<sales@example.test>").startswith(UNKNOWN)
        assert "sales@example.test -> joe@example.test" in server.cli(
            "alias", "add", "sales@example.test", "joe"
        )
        assert client.say(b"RCPT TO:<sales@example.test>").startswith(OK)
        server.cli("alias", "remove", "sales@example.test")
        assert client.say(b"RCPT TO:<sales@example.test>").startswith(UNKNOWN)


def test_everybody_gets_one_copy_however_many_ways_lead_there(server: Server) -> None:
    """Features rows L-03, M-16: lists in lists, a diamond, and names beside them."""
    server.cli("alias", "add", "all@example.test", "left@example.test", "right@example.test", "joe")
    server.cli("alias", "add", "left@example.test", "joe", "ann")
    server.cli("alias", "add", "right@example.test", "ann", "team")
    recipients = ("all@example.test", "ALL+x@same.test", JOE, "joe+y@example.test", "team@example.test")
    assert delivered(server, "one each", *recipients) == {JOE: 1, ANN: 1}


def test_aliases_that_lead_round_lose_nobody(server: Server) -> None:
    """A command refuses to close a circle; the file does it behind its back."""
    said = server.cli("alias", "add", "round@example.test", "Round@example.test", status=1)
    assert "leads back to round@example.test" in said


def test_twenty_in_a_row(server: Server) -> None:
    server.cli("alias", "add", "n19@example.test", "joe")
    for number in reversed(range(-1, 19)):
        server.cli("alias", "add", f"n{number}@example.test", f"n{number + 1}")
    assert rcpt(server, "n0@example.test", "n-1@example.test") == [OK, b"451 4.4.6"]
    assert delivered(server, "twenty", "n0@example.test") == {JOE: 1}


def test_a_tag_is_seen_in_the_message(server: Server) -> None:
    """Features row L-04."""
    assert delivered(server, "tagged once", "joe+Shop@example.test") == {JOE: 1}
    assert b"Delivered-To: joe+Shop@example.test" in header(server, JOE, "tagged once")
    assert delivered(server, "tagged twice", "ann-a+b@same.test") == {ANN: 1}
    assert b"Delivered-To: ann-a+b@example.test" in header(server, ANN, "tagged twice")
    assert rcpt(server, "nobody+x@example.test", "+joe@example.test") == [UNKNOWN, UNKNOWN]


def test_an_exact_address_comes_before_a_tag(server: Server) -> None:
    server.cli("alias", "add", "joe+exact@example.test", "bob")
    assert delivered(server, "exactly", "joe+exact@example.test") == {BOB: 1}


def test_what_stands_in_the_file(server: Server) -> None:
    assert delivered(server, "by pattern", "list-cats@example.test") == {ANN: 1}
    assert b"Delivered-To: ann+cats@example.test" in header(server, ANN, "by pattern")
    assert delivered(server, "of another domain", "Joe@SAME.test") == {JOE: 1}
    assert "configuration file" in server.cli("alias", "remove", "team@example.test", status=1)
    assert "team@example.test" in server.cli("alias", "list", "-q").split()


def test_roles_are_read_in_every_domain(server: Server) -> None:
    """Feature row M-01: by the alias of that name, else by the admin."""
    assert delivered(server, "to the alias", "postmaster@example.test", "postmaster@same.test") == {BOB: 1}
    roles = ("<>", "abuse@example.test", "abuse@same.test", "Postmaster@caught.test", "abuse@caught.test")
    assert rcpt(server, "postmaster", *roles[1:]) == [OK] * 5
    assert delivered(server, "to the admin", *roles[1:]) == {JOE: 1}


def test_mail_for_nobody_goes_to_somebody(server: Server) -> None:
    """Features rows L-05, S-A23."""
    assert delivered(server, "caught", "whoever@caught.test", "another@caught.test") == {BOB: 1}
    assert rcpt(server, "root@caught.test", "root+x@caught.test", "whoever@same.test") == [UNKNOWN] * 3


def test_no_alias_leads_out(server: Server) -> None:
    said = server.cli("alias", "add", "out@example.test", "victim@far.example", status=1)
    assert "victim@far.example is elsewhere" in said
    tricks = (
        '"victim@far.example"@example.test',
        "victim%far.example@example.test",
        "list-x%far.example@same.test",
    )
    for answer in rcpt(server, *tricks):
        assert answer in {UNKNOWN, OK}
    assert delivered(server, "kept here", 'list-"x"@example.test'.replace('"', "")) == {ANN: 1}


def test_an_account_and_an_alias_do_not_share_a_name(server: Server) -> None:
    assert "is an account" in server.cli("alias", "add", JOE, "ann", status=1)
    said = server.cli("account", "add", "n5@example.test", "--stdin", status=1, stdin="long-enough-1\n")
    assert "n5@example.test is an alias" in said


def test_where_mail_goes_is_told(server: Server) -> None:
    document = json.loads(server.cli("route", "team+x@same.test", "--json"))
    assert [copy["account"] for copy in document["copies"]] == [JOE, ANN]
    assert document["steps"][0].endswith(
        "the domain same.test has the addresses of another: team+x@example.test"
    )
    assert "is refused: there is nobody of that name" in server.cli("route", "x@example.test", status=1)
    heard = server.cli("route", "eve@elsewhere.example", "--from", "192.0.2.7", "--listener", "mx", status=1)
    assert "550 5.7.1 Relaying denied" in heard


def test_a_file_of_another_server(server: Server) -> None:
    text = "hostmaster: joe\nwebmaster: hostmaster, ann\nold: |/usr/bin/vacation\n"
    said = server.cli("alias", "import", "-", "--domain", "example.test", stdin=text, status=1)
    assert "2 made, 1 refused." in said
    assert "line 3: old@example.test refused: |/usr/bin/vacation: mail is not given to programs here" in said
    assert delivered(server, "imported", "webmaster@example.test") == {JOE: 1, ANN: 1}


def test_aliases_outlive_the_server_and_a_reload(own_server: Server) -> None:
    own_server.domain = 'aliases = { filed = "ann" }'
    own_server.start()
    own_server.cli("alias", "add", "sales@example.test", "joe")
    own_server.domain = 'aliases = { sales = "ann" }'
    own_server.reload()
    assert delivered(own_server, "of the file", "sales@example.test") == {ANN: 1}
    assert rcpt(own_server, "filed@example.test") == [UNKNOWN]
    own_server.domain = ""
    own_server.stop()
    own_server.start()
    assert delivered(own_server, "of the database", "sales@example.test") == {JOE: 1}
