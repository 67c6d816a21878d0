"""Quotas (features rows L-07, M-06, B-02) against a running server, over real sockets."""

from __future__ import annotations

import json
import os
import re
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.boxes import ANN, BOB, JOE, Way
from tests.system.clients import within
from tests.system.harness import LIMITS, PATIENCE, Server

KIB = 1024
SENDER = "sender@elsewhere.example"
FILLED, BESIDE = "filled@other.test", "beside@other.test"
MINUTE = 60.0


def limits(quota: str, *more: str) -> str:
    return LIMITS + "[delivery]\n" + "\n".join((f'quota = "{quota}"', *more)) + "\n"


def message(octets: int, subject: str = "fill") -> bytes:
    line = b"x" * 76 + b"\r\n"
    return f"Subject: {subject}\r\n\r\n".encode() + line * (octets // len(line))


@contextmanager
def session(server: Server, size: int | None = None) -> Iterator[smtplib.SMTP]:
    """A transaction that has begun, SIZE told or not."""
    with server.smtp() as client:
        client.ehlo()
        client.mail(SENDER, [] if size is None else [f"SIZE={size}"])
        yield client


def rcpt(server: Server, account: str = JOE, size: int | None = None) -> str:
    """What RCPT is told: ``250 2.1.5``."""
    with session(server, size) as client:
        code, text = client.rcpt(account)
        return f"{code} {text.decode().split()[0]}"


def data(client: smtplib.SMTP, octets: int) -> str:
    """The rest of a transaction; what the end of the data is told."""
    code, text = client.data(message(octets))
    return f"{code} {text.decode().split()[0]}"


def deliver(server: Server, octets: int, *accounts: str) -> str:
    """Without a SIZE: a whole transaction."""
    with session(server) as client:
        for account in accounts or (JOE,):
            client.rcpt(account)
        return data(client, octets)


def details(server: Server, account: str = JOE) -> dict[str, object]:
    shown: dict[str, object] = json.loads(server.cli("account", "show", account, "--json"))
    return shown


def octets_in(server: Server, account: str = JOE) -> int:
    """In the files themselves."""
    maildir = server.maildir(account)
    return sum(file.stat().st_size for name in ("new", "cur") for file in (maildir / name).iterdir())


OK, END, FULL, FULL_FOR_GOOD = "250 2.1.5", "250 2.0.0", "452 4.2.2", "552 5.2.2"


def test_a_maildrop_is_filled_and_emptied(own_server: Server) -> None:
    own_server.extra = limits("100KiB")
    own_server.start()
    assert rcpt(own_server, size=98 * KIB) == OK
    assert rcpt(own_server, size=100 * KIB) == FULL, "the promise counts"
    assert [deliver(own_server, 40 * KIB) for _ in range(3)] == [END, END, FULL]
    assert rcpt(own_server, size=15 * KIB) == OK
    assert rcpt(own_server, size=30 * KIB) == FULL
    assert rcpt(own_server) == OK, "who promises nothing may have something small"
    assert deliver(own_server, 17 * KIB) == END
    assert deliver(own_server, 3 * KIB) == FULL
    assert rcpt(own_server, ANN, 50 * KIB) == OK, "each has a quota of its own"
    assert octets_in(own_server) > 97 * KIB

    before = details(own_server)["usage"]
    assert isinstance(before, dict)
    assert (before["octets"], before["deleted_octets"]) == (octets_in(own_server), 0)
    first, *_ = Way(own_server).names()
    Way(own_server).do(b"DELE 1")
    assert rcpt(own_server, size=30 * KIB) == OK, "freed at once"
    after = details(own_server)["usage"]
    assert isinstance(after, dict)
    assert after["octets"] + after["deleted_octets"] == before["octets"]
    assert after["deleted_octets"] > 40 * KIB
    assert Way(own_server).box("+trash").names() == [first]

    Way(own_server).box("+trash+restore").do(b"RETR 1")
    assert rcpt(own_server, size=30 * KIB) == FULL, "what comes back counts again"


def test_messages_are_counted(own_server: Server) -> None:
    own_server.extra = limits("0,2")
    own_server.start()
    assert [deliver(own_server, 100) for _ in range(2)] == [END, END]
    assert rcpt(own_server) == FULL
    Way(own_server).do(b"DELE 1", b"DELE 2")  # the letter that it is full is a message, too
    assert rcpt(own_server) == OK


def test_what_is_deleted_has_a_limit_of_its_own(own_server: Server) -> None:
    own_server.extra = limits("1MiB", 'deleted_quota = "0,2"')
    own_server.start()
    for _ in range(4):
        assert deliver(own_server, 100) == END
    names = Way(own_server).names()
    Way(own_server).do(b"DELE 1", b"DELE 2", b"DELE 3")
    assert Way(own_server).box("+trash").names() == names[1:3]
    assert Way(own_server).names() == names[3:]


def test_of_two_recipients_one_is_full(own_server: Server) -> None:
    own_server.extra = limits("0")
    own_server.settings = {JOE: 'quota = "10KiB"', BOB: 'quota = "10KiB"'}
    own_server.start()
    assert deliver(own_server, 9 * KIB) == END
    with session(own_server, 5 * KIB) as client:
        answers = [client.rcpt(account)[0] for account in (JOE, ANN)]
        assert (answers, data(client, 5 * KIB)) == ([452, 250], END)
    assert (len(Way.of(own_server, ANN).names()), subjects(own_server, JOE).count("fill")) == (1, 1)
    # nothing was promised: the message is too big for bob, and the sender keeps it for both
    assert deliver(own_server, 50 * KIB, ANN, BOB) == FULL
    assert len(Way.of(own_server, ANN).names()) == 1
    assert deliver(own_server, 50 * KIB, ANN) == END


def test_mail_is_refused_for_good_where_that_is_wanted(own_server: Server) -> None:
    own_server.extra = limits("10KiB", 'over_quota = "reject"')
    own_server.settings = {ANN: 'quota = "0"'}
    own_server.start()
    assert rcpt(own_server, size=20 * KIB) == FULL_FOR_GOOD
    assert deliver(own_server, 20 * KIB) == FULL_FOR_GOOD
    assert deliver(own_server, 20 * KIB, ANN, JOE) == FULL, "ann has a place for it"
    own_server.extra = limits("10KiB")
    own_server.reload()
    assert rcpt(own_server, size=20 * KIB) == FULL


def test_who_is_there_at_once_cannot_exceed_it_together(own_server: Server) -> None:
    own_server.extra = limits("100KiB")
    own_server.start()
    at_once = threading.Barrier(8, timeout=PATIENCE)
    told: list[str] = []

    def one() -> None:
        with session(own_server) as client:
            assert client.rcpt(JOE)[0] == 250
            client.putcmd("data")
            assert client.getreply()[0] == 354
            at_once.wait()
            client.send(message(30 * KIB) + b".\r\n")
            told.append(str(client.getreply()[0]))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(told) == ["250"] * 3 + ["452"] * 5
    assert subjects(own_server, JOE).count("fill") == 3


def subjects(server: Server, account: str) -> list[str]:
    texts = Way.of(server, account).messages().values()
    return [found[1].decode() for text in texts if (found := re.search(rb"^Subject: (.*)\r$", text, re.M))]


def test_the_owner_is_warned_once(own_server: Server) -> None:
    own_server.extra = limits("100KiB")
    own_server.start()

    def letters(*expected: int) -> None:
        wanted = [f"Your mailbox is {level} percent full" for level in expected]

        def arrived() -> None:
            assert [one for one in subjects(own_server, JOE) if one != "fill"] == wanted

        within(PATIENCE, arrived, AssertionError)

    assert [deliver(own_server, 39 * KIB), deliver(own_server, 39 * KIB)] == [END, END]
    letters()
    assert deliver(own_server, 3 * KIB) == END
    letters(80)
    own_server.kill()
    own_server.start()
    assert deliver(own_server, 1 * KIB) == END
    letters(80)
    assert deliver(own_server, 12 * KIB) == END
    letters(80, 95)
    assert rcpt(own_server, size=10 * KIB) == FULL
    letters(80, 95)
    logged = f" quota.warned account={JOE} level=95 "
    within(PATIENCE, lambda: own_server.logged().index(logged), ValueError)
    (text, *_) = [text for text in Way(own_server).messages().values() if b"percent full" in text]
    assert text.startswith(b"Return-Path: <>\r\n")
    assert b"\r\nAuto-Submitted: auto-generated\r\n" in text
    # emptied, and filled again: it is another crossing
    count = len(Way(own_server).names())
    Way(own_server).do(*(b"DELE %d" % number for number in range(1, count + 1)))
    assert deliver(own_server, 85 * KIB) == END
    letters(80)


def test_quotas_are_shown_and_changed(own_server: Server) -> None:
    own_server.extra = limits("0")
    own_server.domain = 'quota = "200KiB"'
    own_server.start()
    own_server.cli("account", "add", "new@other.test", "--generate", "--quiet")
    assert details(own_server)["quota"] == {"octets": 200 * KIB, "messages": 0}
    assert details(own_server, "new@other.test")["quota"] == {"octets": 0, "messages": 0}
    own_server.cli("account", "change", "new@other.test", "--quota", "10KiB,5")
    assert rcpt(own_server, "new@other.test", 20 * KIB) == FULL
    own_server.cli("domain", "change", "other.test", "--quota", "50KiB")
    own_server.cli("account", "change", "new@other.test", "--quota", "default")
    assert rcpt(own_server, "new@other.test", 20 * KIB) == OK
    assert rcpt(own_server, "new@other.test", 60 * KIB) == FULL
    assert deliver(own_server, 45 * KIB, "new@other.test") == END
    own_server.kill()
    own_server.start()
    assert rcpt(own_server, "new@other.test", 20 * KIB) == FULL, "kept, and counted anew"
    assert own_server.cli("account", "list", "--near-quota", "-q").split() == ["new@other.test"]
    shown = own_server.cli("account", "show", "new@other.test")
    assert re.search(r"^quota        50 KiB \(9\d percent used\)$", shown, re.M)


def test_what_another_program_removes_is_noticed_within_a_minute(own_server: Server) -> None:
    own_server.extra = limits("100KiB")
    own_server.start()
    own_server.cli("account", "add", FILLED, "--generate", "--quiet")
    own_server.cli("account", "add", BESIDE, "--generate", "--quiet")
    own_server.cli("domain", "change", "other.test", "--total-quota", "100KiB")
    files = {}
    for account in (JOE, ANN, FILLED):
        assert deliver(own_server, 75 * KIB, account) == END
        assert rcpt(own_server, account, 50 * KIB) == FULL
        (files[account],) = (own_server.maildir(account) / "new").iterdir()
    assert rcpt(own_server, BESIDE, 50 * KIB) == FULL, "its domain is full"
    os.unlink(files[JOE])
    os.unlink(files[FILLED])
    archive = own_server.maildir(ANN) / ".Archive" / "cur"  # a folder of Dovecot's
    archive.mkdir(parents=True)
    files[ANN].rename(archive / f"{files[ANN].name}:2,S")

    def freed() -> None:
        assert [rcpt(own_server, account, 50 * KIB) for account in (JOE, ANN, BESIDE)] == [OK] * 3

    within(MINUTE, freed, AssertionError)
