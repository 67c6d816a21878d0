"""A UIDL names one message for all time (row P-11, promise 2), and a size is what is sent (row P-07)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.interop.letters import numbered
from tests.system.boxes import ANN, BOB, JOE, Way
from tests.system.harness import Server

SAME = b"Subject: always the same\r\n\r\n.\r\n..\r\n"
ODD = {
    "lf": b"Subject: lf\n\nline\n.dot\n",
    "mixed": b"Subject: mixed\r\n\none\r\ntwo\n",
    "bare-cr": b"Subject: cr\r\n\r\none\rtwo\r\n",
    "no-end": b"Subject: end\r\n\r\nno line end",
    "empty": b"",
    "header-alone": b"Subject: header\r\n",
    "nul": b"Subject: nul\r\n\r\n\0\0\r\n",
    "8-bit": b"Subject: bits\r\n\r\n\xff\xfe\x80\r\n",
    "long-line": b"Subject: long\r\n\r\n" + b"x" * 5000 + b"\r\n",
    "dot-first": b".\r\n..\r\n",
    "dots-alone": b".\n.\n.\n",
}


def test_a_name_stays_whatever_happens(own_server: Server, tmp_path: Path) -> None:
    own_server.start()
    for _ in range(5):
        own_server.deliver(SAME, ANN)
    way = Way.of(own_server, ANN)
    before = way.messages()
    assert len(before) == 5
    assert all(re.fullmatch(r"[!-~]{1,70}", name) for name in before)
    assert way.messages() == before
    own_server.kill()
    own_server.start()
    assert way.messages() == before
    maildir = own_server.maildir(ANN)
    for number, file in enumerate(sorted((maildir / "new").iterdir())):
        file.rename(maildir / "cur" / f"{file.name}:2,{'FRS'[: number % 4]}")
    assert way.messages() == before
    own_server.stop()
    shutil.copytree(maildir, tmp_path / "backup")
    shutil.rmtree(maildir)
    shutil.copytree(tmp_path / "backup", maildir)
    own_server.start()
    assert way.messages() == before, "a backup has brought back the same"
    shutil.copytree(maildir, own_server.maildir(BOB), dirs_exist_ok=True)
    assert Way.of(own_server, BOB).messages() == before, "and so has a move to another place"


def test_a_name_is_never_given_again(own_server: Server) -> None:
    """Messages come and go, over starts of the server; no name comes twice, for nobody."""
    own_server.extra += '[delivery]\nkeep_deleted = "0s"\n'
    own_server.start()
    seen = list[str]()
    for round_ in range(6):
        for account in (JOE, ANN):
            way = Way.of(own_server, account)
            for number in range(4):
                own_server.deliver(numbered(number), account)
            names = way.names()
            seen += names
            way.do(*(b"DELE %d" % (number + 1) for number in range(len(names))))
        if round_ % 2:
            own_server.kill()
            own_server.start()
    assert len(seen) == len(set(seen)) == 6 * 2 * 4


def test_the_size_is_what_is_sent_whatever_the_file_is(own_server: Server) -> None:
    """What other programs have put into the Maildir; Way.messages() compares LIST with what comes by TOP, and
    here with what comes by RETR."""
    own_server.start()
    maildir = own_server.maildir(JOE)
    for folder in ("tmp", "new", "cur"):
        (maildir / folder).mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(ODD.values()):
        (maildir / "new" / f"{1700000000 + number}.M{number}P1.elsewhere").write_bytes(text)
    own_server.deliver(numbered(1), JOE)
    found = Way(own_server).messages()
    assert len(found) == len(ODD) + 1
    with Way(own_server).open() as client:
        told = client.say(b"STAT", b"+OK")
        assert [int(word) for word in told.split()[1:3]] == [len(found), sum(map(len, found.values()))]
        for number, (name, text) in enumerate(found.items(), 1):
            assert client.say(b"LIST %d" % number, b"+OK").split()[2] == b"%d" % len(text)
            assert client.say(b"UIDL %d" % number, b"+OK").split()[2].decode() == name
            lines = client.multiline(b"RETR %d" % number)
            assert b"".join(line + b"\r\n" for line in lines) == text
        client.say(b"DELE 1", b"+OK")
        left = client.say(b"STAT", b"+OK").split()[1:3]
        assert [int(word) for word in left] == [
            len(found) - 1,
            sum(map(len, found.values())) - len(next(iter(found.values()))),
        ]
        client.say(b"LIST 1", b"-ERR")
