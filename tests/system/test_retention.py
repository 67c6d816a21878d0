"""Mail that goes by its age: what is foretold is what happens, into the trash and from there for good
(features rows S-A10, S-A21, P-17)."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.accounts.housekeeping import FIRST_ROUND
from tests.system.boxes import ANN, BOB, JOE, TRASH, Way, deliver, make_older, subjects
from tests.system.clients import within
from tests.system.harness import LIMITS, PATIENCE, Server, password_of

DAY = 86400
KIM, SAM = "kim@other.test", "sam@other.test"
KEPT = (
    LIMITS
    + """
delete_after = "30d"
delete_unread_after = "100d"
[delivery]
keep_deleted = "10d"
"""
)


def older(server: Server, account: str, subject: str, days: float) -> None:
    """The message with this subject came so many days earlier."""
    for folder in ("new", "cur"):
        for file in (server.maildir(account) / folder).iterdir():
            if f"Subject: {subject}\r\n".encode() in file.read_bytes():
                at, mark, rest = file.name.partition(".")
                file.rename(file.with_name(f"{int(at) - math.ceil(days * DAY)}{mark}{rest}"))


def read(way: Way, *numbers: int) -> None:
    way.do(*(b"RETR %d" % number for number in numbers))


def foretold(server: Server, days: float = 0) -> dict[str, int]:
    """Account -> messages that the report names."""
    told = json.loads(server.cli("retention", "--days", f"{days}", "--json"))
    return {one["account"]: one["messages"] for one in told["accounts"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Joe and ann are as [pop3] says, bob and other.test have words of their own."""
    made = Server(tmp_path_factory.mktemp("server"), extra=KEPT)
    made.settings = {BOB: 'delete_after = "5d"\n'}
    made.more = (
        '[[domain]]\nname = "other.test"\ndelete_after = "never"\n'
        + made.account(KIM)
        + made.account(SAM, 'delete_unread_after = "2d"')
    )
    with made:
        yield made


def test_it_happens_as_foretold(server: Server) -> None:
    """The server's own first round, a minute after its start."""
    began = time.monotonic()
    ways = {account: Way(server, account, password_of(account)) for account in (JOE, ANN, BOB, KIM, SAM)}
    for account, way in ways.items():
        deliver(server, account, "read", "unread", "new")
        read(way, 1)
        older(server, account, "read", 31)
        older(server, account, "unread", 31)
    before = {account: way.messages() for account, way in ways.items()}
    assert [subjects(found) for found in before.values()] == [["read", "unread", "new"]] * 5
    now, later = foretold(server), foretold(server, 70)
    assert now == {JOE: 1, ANN: 1, BOB: 1, SAM: 1}
    assert later == {JOE: 2, ANN: 2, BOB: 1, SAM: 2}
    assert [subjects(way.messages()) for way in ways.values()] == [["read", "unread", "new"]] * 5
    said = server.cli("retention")
    assert "4 messages would be deleted now" in said
    assert KIM not in said

    # ann has something in her trash that is too old for it, and something that is not
    deliver(server, ANN, "deleted long ago")
    ways[ANN].do(b"DELE 4")
    make_older(server.maildir(ANN), 11 * DAY)
    deliver(server, ANN, "deleted")
    ways[ANN].do(b"DELE 4")
    [long_ago, _] = sorted((server.maildir(ANN) / TRASH).iterdir())

    # a device of bob's holds what another has deleted, till it is removed
    laptop = Way(server, BOB, server.add_device(BOB, "laptop", view=True))
    desktop = Way(server, BOB, server.add_device(BOB, "desktop", view=True))
    assert len(laptop.messages()) == len(desktop.messages()) == 3
    desktop.do(b"DELE 3")
    assert foretold(server)[BOB] == 1
    server.cli("device", "remove", BOB, "laptop", "--yes")
    assert foretold(server)[BOB] == 2
    foreseen = foretold(server)

    def happened() -> None:
        logged = re.findall(r" retention\.expired account=(\S+) messages=(\d+)", server.logged())
        assert {account: int(count) for account, count in logged} == foreseen

    assert time.monotonic() - began < FIRST_ROUND, "too slow a machine: the round came in between"
    within(FIRST_ROUND + PATIENCE, happened, AssertionError)
    within(PATIENCE, lambda: is_purged(long_ago), AssertionError)
    assert foretold(server) == {}
    left = {account: subjects(way.messages()) for account, way in ways.items()}
    assert left == {
        JOE: ["unread", "new"],
        ANN: ["unread", "new"],
        BOB: ["unread"],
        KIM: ["read", "unread", "new"],
        SAM: ["read", "new"],
    }
    for account, gone in ((JOE, ["read"]), (BOB, ["read", "new"]), (SAM, ["unread"])):
        trash = ways[account].box("+trash").messages()
        assert subjects(trash) == gone
        assert trash.items() <= before[account].items(), "the same names and octets"
    assert subjects(ways[ANN].box("+trash").messages()) == ["read", "deleted"]
    server.cli("undelete", JOE, "--all")
    assert ways[JOE].messages() == before[JOE]
    assert foretold(server) == {JOE: 1}, "it is still as old as it is"


def is_purged(file: Path) -> None:
    assert not file.exists()


def test_a_report_changes_nothing_and_says_so_in_words(own_server: Server) -> None:
    own_server.extra = KEPT
    own_server.start()
    assert "Nothing would be deleted now." in own_server.cli("retention")
    deliver(own_server, JOE, "one")
    read(Way(own_server), 1)
    older(own_server, JOE, "one", 29)
    assert foretold(own_server) == {}
    assert foretold(own_server, 2) == {JOE: 1}
    assert "1 message would be deleted 2 days from now." in own_server.cli("retention", "--days", "2")
    assert own_server.cli("retention", "--days", "2", "--quiet").split() == [JOE]
    assert "Usage" in own_server.cli("retention", "--days", "-1", status=2)
    assert subjects(Way(own_server).messages()) == ["one"]


def test_a_reload_is_foretold_by_the_next_report(own_server: Server) -> None:
    own_server.start()
    deliver(own_server, JOE, "one")
    read(Way(own_server), 1)
    older(own_server, JOE, "one", 29)
    assert foretold(own_server, 36_500) == {}, "as long as nothing is set, mail stays"
    for setting, due in (("30d", {}), ("28d", {JOE: 1}), ("never", {}), ("retrieval", {})):
        own_server.extra = LIMITS + f'delete_after = "{setting}"\n'
        own_server.reload()
        assert foretold(own_server) == due
    [told] = Way(own_server).do(b"STAT")
    assert told.startswith(b"+OK 1 ")


def test_other_programs_that_read_count(own_server: Server) -> None:
    """The flag S of a Maildir is what tells what was read, whoever set it; mark_seen = false sets none."""
    own_server.extra = KEPT + "mark_seen = false\n"
    own_server.start()
    deliver(own_server, JOE, "ours", "theirs")
    read(Way(own_server), 1)
    for subject in ("ours", "theirs"):
        older(own_server, JOE, subject, 31)
    [file] = [
        file
        for file in (own_server.maildir(JOE) / "new").iterdir()
        if b"Subject: theirs" in file.read_bytes()
    ]
    assert foretold(own_server) == {}
    file.rename(file.parent.parent / "cur" / f"{file.name}:2,S")
    assert foretold(own_server) == {JOE: 1}


def test_where_nothing_is_kept_it_is_gone_at_once(own_server: Server) -> None:
    own_server.extra = LIMITS + 'delete_after = "retrieval"\n[delivery]\nkeep_deleted = "0s"\n'
    own_server.start()
    deliver(own_server, JOE, "one", "two")
    read(Way(own_server), 1)
    [told] = Way(own_server).do(b"STAT")
    assert told.startswith(b"+OK 1 ")
    assert Way(own_server).box("+trash").do(b"STAT") == [b"+OK 0 0"]
    assert not (own_server.maildir(JOE) / TRASH).exists()
