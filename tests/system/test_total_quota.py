"""The quota of a whole domain (features row L-07) against a running server, over real sockets."""

from __future__ import annotations

import json
import re
import threading

from tests.system.boxes import ANN, BOB, JOE, Way
from tests.system.clients import within
from tests.system.harness import PATIENCE, Server
from tests.system.test_quota import (
    END,
    FULL,
    FULL_FOR_GOOD,
    KIB,
    OK,
    deliver,
    limits,
    message,
    rcpt,
    session,
    subjects,
)

NEW = "new@other.test"
ALSO = """
[[domain]]
name    = "also.test"
same_as = "example.test"
"""


def shown(server: Server, domain: str = "example.test") -> dict[str, object]:
    details: dict[str, object] = json.loads(server.cli("domain", "show", domain, "--json"))
    return details


def test_a_domain_is_filled_and_emptied(own_server: Server) -> None:
    own_server.extra = limits("0")
    own_server.domain = 'total_quota = "100KiB,6"'
    own_server.more = ALSO
    own_server.start()
    also = "joe@also.test"
    own_server.cli("account", "add", "own@also.test", "--generate", "--quiet")
    own_server.cli("account", "add", NEW, "--generate", "--quiet")
    assert rcpt(own_server, BOB, 98 * KIB) == OK
    assert rcpt(own_server, BOB, 100 * KIB) == FULL, "the promise counts"
    assert deliver(own_server, 40 * KIB, JOE) == END
    assert deliver(own_server, 40 * KIB, "own@also.test") == END, "it shares the quota"
    assert deliver(own_server, 40 * KIB, ANN) == FULL
    assert [rcpt(own_server, each, 30 * KIB) for each in (JOE, ANN, BOB, also)] == [FULL] * 4
    assert rcpt(own_server, BOB) == OK, "who promises nothing may have something small"
    assert rcpt(own_server, NEW, 500 * KIB) == OK, "another domain"
    details = shown(own_server)
    assert details["shared"] == shown(own_server, "also.test")["shared"] == "example.test"
    assert details["percent"] in {81, 82}, "with a letter, or without"
    assert "total quota  100 KiB, 6 messages (" in own_server.cli("domain", "show", "example.test")
    Way(own_server).do(b"DELE 1")
    assert rcpt(own_server, ANN, 30 * KIB) == OK, "freed at once"
    Way(own_server).box("+trash+restore").do(b"RETR 1")
    assert rcpt(own_server, ANN, 30 * KIB) == FULL, "what comes back counts again"
    own_server.kill()
    own_server.start()
    assert rcpt(own_server, ANN, 30 * KIB) == FULL, "counted anew"
    while rcpt(own_server, BOB) == OK:
        assert deliver(own_server, 100, BOB) == END
    usage = shown(own_server)["usage"]
    assert isinstance(usage, dict)
    assert usage["messages"] in {6, 7}, "they are counted, too; the letter that says so may come on top"


def test_it_is_changed_while_the_server_runs(own_server: Server) -> None:
    own_server.extra = limits("0", 'over_quota = "reject"')
    own_server.start()
    own_server.cli("account", "add", NEW, "--generate", "--quiet")
    assert deliver(own_server, 50 * KIB, NEW) == END
    assert rcpt(own_server, NEW, 60 * KIB) == OK
    own_server.cli("domain", "change", "other.test", "--total-quota", "100KiB")
    assert rcpt(own_server, NEW, 60 * KIB) == FULL_FOR_GOOD
    assert deliver(own_server, 60 * KIB, NEW) == FULL_FOR_GOOD
    assert deliver(own_server, 60 * KIB, JOE, NEW) == FULL, "joe has a place for it"
    assert deliver(own_server, 40 * KIB, NEW) == END
    own_server.cli("domain", "change", "other.test", "--total-quota", "default")
    assert rcpt(own_server, NEW, 60 * KIB) == OK


def test_who_is_there_at_once_cannot_exceed_it_together(own_server: Server) -> None:
    own_server.extra = limits("0")
    own_server.domain = 'total_quota = "100KiB"'
    own_server.start()
    at_once = threading.Barrier(8, timeout=PATIENCE)
    told: list[str] = []

    def one(account: str) -> None:
        with session(own_server) as client:
            assert client.rcpt(account)[0] == 250
            client.putcmd("data")
            assert client.getreply()[0] == 354
            at_once.wait()
            client.send(message(30 * KIB) + b".\r\n")
            told.append(str(client.getreply()[0]))

    accounts = [JOE, ANN, BOB, JOE, ANN, BOB, JOE, ANN]
    threads = [threading.Thread(target=one, args=(account,)) for account in accounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(told) == ["250"] * 3 + ["452"] * 5
    assert sum(subjects(own_server, each).count("fill") for each in (JOE, ANN, BOB)) == 3


def test_the_postmaster_is_warned_once(own_server: Server) -> None:
    own_server.extra = limits("0")
    own_server.domain = f'total_quota = "100KiB"\naliases = {{ postmaster = "{ANN}" }}'
    own_server.start()

    def letters(*expected: int) -> None:
        wanted = [f"The mailboxes of example.test are {level} percent full" for level in expected]

        def arrived() -> None:
            # In whatever order: a restart within a second may turn it round.
            assert sorted(one for one in subjects(own_server, ANN) if one != "fill") == sorted(wanted)

        within(PATIENCE, arrived, AssertionError)

    assert [deliver(own_server, 39 * KIB, JOE), deliver(own_server, 39 * KIB, BOB)] == [END, END]
    letters()
    assert deliver(own_server, 3 * KIB, JOE) == END
    letters(80)
    own_server.kill()
    own_server.start()
    assert deliver(own_server, 1 * KIB, BOB) == END
    letters(80)
    assert deliver(own_server, 11 * KIB, JOE) == END
    letters(80, 95)
    assert rcpt(own_server, BOB, 10 * KIB) == FULL
    letters(80, 95)
    said = " quota.domain_warned domain=example.test level=95 "
    within(PATIENCE, lambda: own_server.logged().index(said), ValueError)
    text = next(text for text in Way.of(own_server, ANN).messages().values() if b"percent full" in text)
    assert text.startswith(b"Return-Path: <>\r\n")
    assert re.search(rb"^  size:     \d+ KiB of 100 KiB\r$", text, re.M)
    count = len(Way.of(own_server, JOE).names())
    Way(own_server).do(*(b"DELE %d" % number for number in range(1, count + 1)))
    assert deliver(own_server, 42 * KIB, BOB) == END
    letters(80, 95, 80)
