"""What happens to accounts that somebody follows is on the disk before the 250, in a real server. Whatever
becomes of that file, mail is taken, kept and given out as ever."""

from __future__ import annotations

import json
import resource
import smtplib
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.system.clients import pid_of
from tests.system.harness import PATIENCE, Server, password_of

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"
LETTER = b"From: Eve <eve@example.org>\r\nSubject: hello\r\n\r\nfor whoever follows\r\n"
LMTP = """
[[listener]]
name    = "lmtp"
service = "lmtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"
"""
ELSEWHERE = ("127.9.9.9", 0)
"""Another place than that of all other clients."""
LINE = b"%s\r\n" % (b"x" * 70)
Row = tuple[str, int, str, dict[str, Any]]
"""Account, seq, kind, and the rest."""


def rows(server: Server) -> list[Row]:
    """The log of all accounts, also of a server that runs."""
    with closing(sqlite3.connect(f"file:{server.state}/notify.db?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT account, seq, kind, uidl, size, summary FROM account_log ORDER BY account, seq"
        ).fetchall()
    return [
        (account, seq, kind, {"uidl": uidl, "size": size, **json.loads(summary or "{}")})
        for account, seq, kind, uidl, size, summary in found
    ]


def until(true: Callable[[], object]) -> None:
    """Wait for what the server does in its own time."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def kinds(server: Server) -> list[str]:
    return [kind for _, _, kind, _ in rows(server)]


@pytest.fixture
def followed(own_server: Server) -> Server:
    """JOE is followed, by NotifyMail; the others are not. Nobody is where the knock would go."""
    own_server.settings = {JOE: 'notifymail = { state = "last-ip" }\nquota = "100KiB"'}
    own_server.listeners += LMTP
    return own_server.start()


def test_what_is_followed_is_in_the_log_though_the_server_is_killed_at_the_250(followed: Server) -> None:
    for number in range(1, 6):
        followed.deliver(LETTER, JOE, ANN)
        assert len(rows(followed)) == number
    followed.kill()
    found = rows(followed)
    assert [(account, seq, kind) for account, seq, kind, _ in found] == [
        (JOE, seq, "mail.new") for seq in range(1, 6)
    ]
    followed.start()
    with followed.pop3(JOE) as client:
        listed = [line.split() for line in client.uidl()[1]]
        sizes = [line.split() for line in client.list()[1]]
    assert [told["uidl"] for *_, told in found] == [uidl.decode() for _, uidl in listed]
    assert [told["size"] for *_, told in found] == [int(size) for _, size in sizes]
    with followed.smtp() as client:
        client.sendmail("a@elsewhere.example", [ANN, BOB], LETTER)
    assert len(rows(followed)) == 5


def test_all_that_happens_to_somebody(followed: Server) -> None:
    """Of one server, in a row: each part says of what the log has grown."""
    followed.deliver(LETTER, JOE, ANN)
    with closing(smtplib.LMTP("127.0.0.1", followed.ports["lmtp"])) as client:
        client.sendmail("a@elsewhere.example", [ANN, "joe+shop@example.test"], LETTER)
        client.quit()
    with smtplib.SMTP("127.0.0.1", followed.ports["submission"], timeout=PATIENCE) as client:
        client.starttls(context=followed.tls())
        client.login(JOE, password_of(JOE))
        client.sendmail(JOE, [JOE, ANN], b"Subject: note\r\n\r\nx\r\n")
    assert kinds(followed) == ["mail.new"] * 3
    lmtp, submitted = (told["facts"] for *_, told in rows(followed)[1:])
    assert lmtp["label"] == "shop"
    assert submitted["own"] is True

    for account in (ANN, JOE, JOE):
        assert len(followed.messages(account)) == 3
    until(lambda: len(rows(followed)) == 6)
    new, cleared = rows(followed)[:3], rows(followed)[3:]
    assert kinds(followed)[3:] == ["mail.cleared"] * 3
    assert [told["uidl"] for *_, told in cleared] == [told["uidl"] for *_, told in new]

    with closing(
        socket.create_connection(("127.0.0.1", followed.ports["pop3-trusted"]), PATIENCE, ELSEWHERE)
    ) as far:
        say = b"USER %s\r\nPASS %s\r\nQUIT\r\n"
        far.sendall(say % (JOE.encode(), password_of(JOE).encode()))
        assert far.makefile("rb").read().count(b"+OK") == 4
    until(lambda: len(rows(followed)) == 7)
    assert kinds(followed)[6:] == ["login.new"]
    assert "127.9.9.9" in rows(followed)[6][3]["detail"]

    followed.deliver(b"Subject: large\r\n\r\n" + LINE * 1100, JOE)
    followed.deliver(b"Subject: more\r\n\r\n" + LINE * 150, JOE)
    until(lambda: "quota.reached" in kinds(followed))
    assert sorted(kinds(followed)[7:]) == ["mail.new"] * 3 + ["quota.reached"], "a letter, too"


def test_an_account_that_is_removed_leaves_nothing_in_it(followed: Server) -> None:
    wanted = {"address": "new@example.test", "name": "", "password": "harbor-signal-mosaic-31"}
    followed.control.post("/v1/accounts", {**wanted, "notifymail": {"state": "last-ip"}})
    followed.deliver(LETTER, "new@example.test", JOE)
    assert [account for account, *_ in rows(followed)] == [JOE, "new@example.test"]
    followed.control.delete("/v1/accounts/new%40example.test")
    assert [account for account, *_ in rows(followed)] == [JOE]


def test_a_log_that_somebody_holds_costs_one_message_a_second(followed: Server) -> None:
    """And the next ones nothing; the rows come when it is free."""
    with closing(sqlite3.connect(followed.state / "notify.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        followed.deliver(LETTER, JOE)
        assert time.monotonic() - began >= 0.9
        for _ in range(3):
            followed.deliver(LETTER, JOE)
        assert len(list((followed.maildir(JOE) / "new").iterdir())) == 4
        assert not rows(followed)
        connection.execute("ROLLBACK")
    until(lambda: len(rows(followed)) == 4)
    assert followed.logged().count(" notify.log_slow ") == 1


def test_a_log_that_cannot_be_written_harms_no_mail(followed: Server) -> None:
    """As on a full disk: no file may become larger than a row takes. Mail is smaller, and so is the log."""
    followed.deliver(LETTER, JOE)
    pid = pid_of(followed)
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, most))
    for _ in range(3):
        followed.deliver(LETTER, JOE, ANN)
    assert len(list((followed.maildir(ANN) / "new").iterdir())) == 3
    assert " notify.lost " in followed.logged()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
    followed.deliver(LETTER, JOE)
    assert [seq for _, seq, _, _ in rows(followed)] == [1, 2]


def test_a_log_that_is_destroyed_harms_no_mail(followed: Server) -> None:
    followed.deliver(LETTER, JOE)
    for name in ("notify.db", "notify.db-wal", "notify.db-shm"):
        path = followed.state / name
        if path.exists():
            path.write_bytes(b"no database at all " * 1000)
    for _ in range(3):
        followed.deliver(LETTER, JOE, ANN)
    assert len(followed.messages(JOE)) == 4
    assert len(followed.messages(ANN)) == 3
    assert " notify.lost " in followed.logged()
    assert "traceback" not in followed.logged()
