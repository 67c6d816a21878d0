"""fetch against a small POP3 server: octets stay what they are, and a terminal stays in peace."""

from __future__ import annotations

import json
import os
import pty
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from mailsuite.cli.fetch import file_name
from tests.cli.conftest import Run
from tests.cli.mail_doubles import PASSWORD, USER, Pop3Double, Wire

DATE = "Sat, 21 Nov 2026 02:26:48 +0000"
PLAIN = f"From: Joe <joe@example.test>\r\nSubject: one\r\nDate: {DATE}\r\n\r\n1\r\n2\r\n3\r\n".encode()
AWKWARD = (
    b"From: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n <x@y>\r\nSubject: =?utf-8?b?4oKsG1sySg==?= [red]x\r\n\r\n"
    b".\r\n..\r\n...dots\r\n\xff\x00\x1b[2J\nbare lf\n.\nbare cr\r.\r\n" + b"x" * 200_000 + b"\r\n.end\r\n"
)
NAKED = b"\r\n\r\n"

Fetch = Callable[..., Result]


@pytest.fixture
def pop3(server_tls: ssl.SSLContext) -> Iterator[Pop3Double]:
    double = Pop3Double(server_tls, messages=[PLAIN, AWKWARD, NAKED])
    with double.serving():
        yield double


@pytest.fixture
def fetch(run: Run, pop3: Pop3Double) -> Fetch:
    def call(*arguments: str, password: str = PASSWORD, answer: str = "") -> Result:
        url = f"pop3://joe%40example.test@127.0.0.1:{pop3.port}"
        result = run("fetch", url, *arguments, "--stdin", input=f"{password}\n{answer}")
        assert PASSWORD not in result.output
        return result

    return call


def test_the_list(fetch: Fetch, pop3: Pop3Double) -> None:
    result = fetch()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["NO", "SIZE", "UIDL", "FROM", "SUBJECT", "DATE"]
    shown = f"1 {len(PLAIN)} B uid/1 Joe <joe@example.test> one {DATE}"
    assert " ".join(lines[1].split()) == shown
    assert r"Grüße <x@y>" in lines[2]
    assert r"€\x1b[2J [red]x" in lines[2]
    assert "195 KiB" in lines[2]
    assert lines[3].split() == ["3", "4", "B", "uid/3"]
    assert lines[4] == "3 messages, 196 KiB"
    assert pop3.seen[:5] == ["CAPA", "STLS", f"USER {USER}", f"PASS {PASSWORD}", "LIST"]
    assert pop3.under_tls[:3] == [False, False, True]
    assert pop3.seen[-1] == "QUIT"
    assert fetch("-q").stdout.splitlines() == lines[:4]


def test_the_list_for_programs(fetch: Fetch) -> None:
    messages = json.loads(fetch("--json").stdout)["messages"]
    assert messages[0] == {
        "number": 1,
        "size": len(PLAIN),
        "uidl": "uid/1",
        "sender": "Joe <joe@example.test>",
        "subject": "one",
        "date": DATE,
    }
    assert messages[1]["subject"] == "€\x1b[2J [red]x"


def test_the_list_of_a_server_that_knows_little(fetch: Fetch, pop3: Pop3Double) -> None:
    pop3.replies |= dict.fromkeys(("UIDL", "TOP", "CAPA"), "-ERR unknown")
    result = fetch()
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()[1:4]] == [
        ["1", f"{len(PLAIN)}", "B", "-"],
        ["2", "195", "KiB", "-"],
        ["3", "4", "B", "-"],
    ]
    assert "STLS" not in pop3.seen


def test_an_empty_maildrop(fetch: Fetch, pop3: Pop3Double) -> None:
    pop3.messages = []
    result = fetch()
    assert (result.exit_code, result.stdout) == (0, "")
    assert "The maildrop is empty." in result.stderr


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_message_is_printed_octet_by_octet(fetch: Fetch, pop3: Pop3Double, number: int) -> None:
    result = fetch("--message", str(number))
    assert result.exit_code == 0
    assert result.stdout_bytes == pop3.messages[number - 1]


def test_the_top_of_a_message(fetch: Fetch) -> None:
    assert fetch("--message", "1", "--top", "2").stdout_bytes == PLAIN.removesuffix(b"3\r\n")
    assert fetch("--message", "1", "--top", "0").stdout_bytes == PLAIN.removesuffix(b"1\r\n2\r\n3\r\n")


def test_a_terminal_gets_no_control_characters(pop3: Pop3Double, place: Path) -> None:
    password = place / "password"
    password.write_text(PASSWORD)
    terminal, theirs = pty.openpty()
    url = f"pop3://{USER}@127.0.0.1:{pop3.port}"
    options = ["--password-file", str(password), "--message", "2"]
    with subprocess.Popen(
        [sys.executable, "-m", "mailsuite", "fetch", url, *options], stdout=theirs, stdin=subprocess.DEVNULL
    ) as program:
        os.close(theirs)
        seen = b""
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # EIO: the program has ended
                break
            if not data:
                break
            seen += data
    os.close(terminal)
    assert program.returncode == 0
    assert b"\x1b" not in seen
    assert b"\x00" not in seen
    assert rb"\xff\x00\x1b[2J" in seen
    assert b"...dots\r\n" in seen


def test_all_messages_are_saved_once(fetch: Fetch, pop3: Pop3Double, place: Path) -> None:
    into = place / "deep" / "mail"
    result = fetch("--all", "--into", str(into))
    assert (result.exit_code, result.stdout) == (0, f"3 messages saved in {into}, 0 there before\n")
    files = sorted(into.iterdir())
    assert [file.name for file in files] == ["uid%2F1.eml", "uid%2F2.eml", "uid%2F3.eml"]
    assert [file.read_bytes() for file in files] == pop3.messages
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    files[1].unlink()
    pop3.seen.clear()
    document = json.loads(fetch("--all", "--into", str(into), "--json").stdout)
    assert document == {"saved": [str(files[1])], "already_there": 2}
    assert [line for line in pop3.seen if line.startswith("RETR")] == ["RETR 2"]
    assert fetch("--all", "--into", str(into), "-q").output == ""


def test_without_uidls_the_content_names_the_file(fetch: Fetch, pop3: Pop3Double, place: Path) -> None:
    pop3.replies["UIDL"] = "-ERR unknown"
    for _ in range(2):
        assert fetch("--all", "--into", str(place / "out")).exit_code == 0
    assert sorted(file.read_bytes() for file in (place / "out").iterdir()) == sorted(pop3.messages)


def test_a_message_that_is_gone_is_not_saved(fetch: Fetch, pop3: Pop3Double, place: Path) -> None:
    pop3.replies["RETR"] = "-ERR [SYS/TEMP] gone"
    result = fetch("--all", "--into", str(place / "out"))
    assert (result.exit_code, "gone" in result.stderr) == (1, True)
    assert list((place / "out").iterdir()) == []


def test_a_message_that_ends_too_early_is_not_saved(
    fetch: Fetch, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Pop3Double.answer

    def cut(self: Pop3Double, wire: Wire, word: str, text: str) -> bool:
        if word != "RETR":
            return answer(self, wire, word, text)
        wire.say("+OK\r\nhalf of it")
        return False

    monkeypatch.setattr(Pop3Double, "answer", cut)
    result = fetch("--all", "--into", str(place / "out"))
    assert (result.exit_code, "the server cut the connection" in result.stderr) == (3, True)
    assert list((place / "out").iterdir()) == []


def test_a_place_that_cannot_be_written(fetch: Fetch, place: Path) -> None:
    (place / "file").write_text("x")
    result = fetch("--all", "--into", f"{place}/file/below")
    assert (result.exit_code, result.stderr) == (1, f"{place}/file/below: Not a directory\n")
    (place / "out" / "uid%2F1.eml").mkdir(parents=True)
    (place / "out" / "uid%2F1.eml" / "x").write_text("")
    (place / "out" / "uid%2F2.eml").symlink_to("/nowhere/at/all")
    fetch("--all", "--into", str(place / "out"))
    assert (place / "out" / "uid%2F2.eml").read_bytes() == AWKWARD


def test_a_full_disk_is_not_the_servers_fault(fetch: Fetch, pop3: Pop3Double) -> None:
    pop3.messages = [PLAIN * 3000]
    url = f"pop3://{USER}@127.0.0.1:{pop3.port}"
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mailsuite", "fetch", url, "--message", "1", "--stdin"],
            stdout=full,
            stderr=subprocess.PIPE,
            input=PASSWORD.encode(),
            check=False,
        )
    assert done.returncode != 0
    assert done.stderr.decode().splitlines()[0] == "stdout: No space left on device"


@pytest.mark.parametrize(
    ("uidl", "name"),
    [
        ("1700000000.Rb.vm", "1700000000.Rb.vm.eml"),
        (".hidden", "%2Ehidden.eml"),
        ("..", "%2E..eml"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.eml"),
        ("a%2Fb", "a%252Fb.eml"),
        ("x" * 200, "x" * 200 + ".eml"),
    ],
)
def test_the_name_of_a_file(uidl: str, name: str) -> None:
    assert file_name(uidl) == name
    assert "/" not in file_name(uidl)


def test_a_uidl_without_end_still_names_a_file() -> None:
    assert len(file_name("/" * 100)) == 68
    assert file_name("/" * 100) != file_name("/" * 101)


def test_delete_asks_and_only_quit_deletes(fetch: Fetch, pop3: Pop3Double) -> None:
    declined = fetch("--delete", "1", "--delete", "3", answer="n\n")
    assert declined.exit_code == 1
    assert "Delete messages 1, 3 on the server, for good? [y/N]" in declined.stderr
    assert pop3.gone == []
    assert "DELE 1" not in pop3.seen
    done = fetch("--delete", "1", "--delete", "3", "--delete", "1", answer="y\n")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.endswith("deleted messages 1, 3\n")
    assert pop3.gone == [1, 3]
    shown = fetch("--message", "2", "--delete", "2", "--yes", "-q")
    assert (shown.stdout_bytes, shown.stderr) == (AWKWARD, "")
    assert pop3.gone == [1, 3, 2]


def test_what_fails_before_quit_deletes_nothing(fetch: Fetch, pop3: Pop3Double) -> None:
    pop3.replies["DELE"] = "-ERR no such message"
    result = fetch("--delete", "9", "-y")
    assert (result.exit_code, result.stderr) == (1, "the server said: no such message\n")
    assert "QUIT" not in pop3.seen
    del pop3.replies["DELE"]
    pop3.replies["QUIT"] = "-ERR some deleted messages not removed"
    result = fetch("--delete", "1", "-y", "-q")
    assert (result.exit_code, "not removed" in result.stderr) == (1, True)


def test_a_wrong_password(fetch: Fetch) -> None:
    result = fetch(password="canary-6-of-fetch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "the server said: [AUTH] no\\x1b[2J\n"


@pytest.mark.parametrize(
    ("word", "reply", "words"),
    [
        ("GREETING", "220 mx.example.test ESMTP\x1b", r"that is not POP3: 220 mx.example.test ESMTP\x1b"),
        ("GREETING", "+OK" + "x" * 10_000, "that is not POP3"),
        ("USER", "-ERR", "the server said: no"),
        ("STLS", "-ERR [SYS/TEMP] no certificate", "no certificate"),
        ("LIST", "+OK\r\nnonsense\r\n.", "that is no line of a list: nonsense"),
        ("LIST", "+OK\r\none two\r\n.", "that is no line of a list: one two"),
        ("LIST", "+OK\r\n1 big\r\n.", "that is no size"),
        ("LIST", f"+OK\r\n{'1' * 5000} 1\r\n.", "that is no line of a list"),
        ("LIST", f"+OK\r\n1 {'1' * 5000}\r\n.", "that is no size"),
    ],
)
def test_servers_that_say_something_else(
    fetch: Fetch, pop3: Pop3Double, word: str, reply: str, words: str
) -> None:
    pop3.replies[word] = reply
    result = fetch()
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr
    assert result.stderr.removesuffix("\n").isprintable()


def test_a_server_that_cuts(fetch: Fetch, pop3: Pop3Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pop3Double, "answer", lambda self, wire, word, text: False)
    result = fetch()
    assert (result.exit_code, result.stderr) == (
        3,
        f"127.0.0.1:{pop3.port}: the server cut the connection\n",
    )


def test_somebody_in_between_is_noticed(fetch: Fetch, pop3: Pop3Double) -> None:
    pop3.extra = b"+OK in already\r\n"
    result = fetch()
    assert (result.exit_code, "somebody may be in between" in result.stderr) == (1, True)
    assert not any(line.startswith("PASS") for line in pop3.seen)


def test_implicit_tls(run: Run, server_tls: ssl.SSLContext) -> None:
    double = Pop3Double(server_tls, implicit_tls=True, messages=[PLAIN])
    with double.serving():
        url = f"pop3s://{USER}@127.0.0.1:{double.port}"
        result = run("fetch", url, "--stdin", "--message", "1", input=PASSWORD)
    assert result.stdout_bytes == PLAIN
    assert double.seen[0] == f"USER {USER}"


def test_without_tls_no_password_goes_to_another_machine(
    run: Run, pop3: Pop3Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: found("127.0.0.1", *rest, **more))
    url = f"pop3://{USER}@mail.example.test:{pop3.port}"
    refused = run("fetch", url, "--stdin", input=PASSWORD)
    assert "the certificate is not good" in refused.stderr
    assert run("fetch", url, "--stdin", "--insecure", input=PASSWORD).exit_code == 0
    pop3.offers_tls = False
    pop3.seen.clear()
    result = run("fetch", url, "--stdin", "--insecure", input=PASSWORD)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "without it no password is sent" in result.stderr
    assert pop3.seen == ["CAPA"]


def test_on_this_machine_it_goes_without_tls(fetch: Fetch, pop3: Pop3Double) -> None:
    pop3.offers_tls = False
    assert fetch().exit_code == 0
    assert not any(pop3.under_tls)


def test_no_server(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = run("fetch", f"pop3://joe@127.0.0.1:{port}", "--stdin", input=PASSWORD)
    assert (result.exit_code, result.stderr) == (3, f"127.0.0.1:{port}: nothing listens there\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["pop3://127.0.0.1:1"],
        ["smtp://joe@127.0.0.1:1"],
        ["pop3://joe:secret@127.0.0.1:1"],
        ["pop3://joe@h", "--top", "1"],
        ["pop3://joe@h", "--all"],
        ["pop3://joe@h", "--into", "x"],
        ["pop3://joe@h", "--all", "--into", "x", "--message", "1"],
        ["pop3://joe@h", "--message", "0"],
        ["pop3://joe@h", "--stdin", "--password-file", "x"],
    ],
)
def test_wrong_usage(run: Run, arguments: list[str]) -> None:
    result = run("fetch", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "secret" not in result.stderr
