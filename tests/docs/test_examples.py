"""The programs in docs/examples do what they say, with Python's own POP3 client."""

from __future__ import annotations

import contextlib
import mailbox
import poplib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from tests.system.harness import PATIENCE

EXAMPLES = ROOT / "docs" / "examples"
MESSAGES = [
    b"Subject: one\n\nHello.\n.\n..dots\n",
    b"Subject: two\n\n" + b"0123456789\n" * 40_000,
    b"Subject: three\n\nno line end",
]
WIRE = [
    [b"Subject: one", b"", b"Hello.", b".", b"..dots"],
    [b"Subject: two", b"", *[b"0123456789"] * 40_000],
    [b"Subject: three", b"", b"no line end"],
]
PASSWORD = "copper-vivid-lantern-42"


def octets(lines: list[bytes]) -> int:
    return sum(len(line) + 2 for line in lines)


@contextlib.contextmanager
def running(name: str, *arguments: str) -> Iterator[int]:
    """The port of an example."""
    command = [sys.executable, str(EXAMPLES / name), "0", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{PASSWORD}\n")
            process.stdin.close()
            lines = iter(process.stdout.readline, "")
            ready = next((line for line in lines if "example.ready" in line), "it has ended")
            found = re.search(r" port=(\d+)", ready)
            assert found, ready
            yield int(found[1])
        finally:
            process.terminate()
            process.wait(PATIENCE)


@contextlib.contextmanager
def session(port: int, user: str, password: str = PASSWORD) -> Iterator[poplib.POP3]:
    client = poplib.POP3("127.0.0.1", port, PATIENCE)
    try:
        client.user(user)
        client.pass_(password)
        yield client
        client.quit()
    finally:
        client.close()


def fill(folder: Path) -> mailbox.Maildir:
    """Three messages, in the order of their names."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    maildir = mailbox.Maildir(folder, create=True)
    for number, content in enumerate(MESSAGES):
        (folder / "new" / f"180000000{number}.M1P1.example").write_bytes(content)
    return maildir


def reads_and_deletes(port: int, user: str) -> None:
    """What every mail program does: read all, delete some, come again."""
    with pytest.raises(poplib.error_proto), session(port, user, "wrong"):
        pass
    with session(port, user) as client:
        assert client.stat() == (3, sum(map(octets, WIRE)))
        assert [line.split()[1] for line in client.list()[1]] == [b"%d" % octets(lines) for lines in WIRE]
        assert [client.retr(number)[1] for number in (1, 2, 3)] == WIRE
        uidls = client.uidl()[1]
        assert len(set(uidls)) == 3
        client.dele(1)
        client.rset()
        client.dele(2)
    with session(port, user) as client:
        assert client.stat()[0] == 2
        assert {line.split()[1] for line in client.uidl()[1]} == {
            uidls[number].split()[1] for number in (0, 2)
        }


def test_pop3_over_a_twisted_mailbox(tmp_path: Path) -> None:
    (tmp_path / "joe.password").write_text(f"{PASSWORD}\n")
    maildir = fill(tmp_path / "joe")
    with running("pop3_over_a_twisted_mailbox.py", str(tmp_path)) as port:
        reads_and_deletes(port, "joe")
        with pytest.raises(poplib.error_proto), session(port, "../joe"):
            pass
    assert len(maildir) == 2


def test_our_maildrop_in_twisted_mail(tmp_path: Path) -> None:
    maildir = fill(tmp_path / "mail" / "example.test" / "joe")
    with running("our_maildrop_in_twisted_mail.py", str(tmp_path), "joe@example.test") as port:
        reads_and_deletes(port, "joe@example.test")
    assert len(maildir) == 2


def test_there_is_no_other() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "our_maildrop_in_twisted_mail.py",
        "pop3_over_a_twisted_mailbox.py",
    }
