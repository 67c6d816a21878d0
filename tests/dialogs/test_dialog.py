"""The reader of dialogue files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dialogs.dialog import Closed, Dialog, DialogError, Expect, Send, StartTls, load, parse

HEAD = "# title\nservice: pop3\n"


def only_step(line: str) -> object:
    dialog = parse(HEAD + line)
    assert len(dialog.steps) == 1
    return dialog.steps[0]


def test_a_whole_dialogue() -> None:
    dialog = parse(
        "# POP3: the way in\nservice: pop3\ntls: yes\n\n# say hello\nS: +OK ...\nC: STLS\nS: +OK Begin\n"
        "STARTTLS\nC+: QU\nC+: IT\\r\\n\nS: +OK...\nCLOSED\n",
        "way-in.txt",
    )
    assert (dialog.title, dialog.service, dialog.tls) == ("POP3: the way in", "pop3", True)
    assert dialog.name == "way-in"
    assert [type(step) for step in dialog.steps] == [
        *(Expect, Send, Expect, StartTls),
        *(Send, Send, Expect, Closed),
    ]
    assert [step.line for step in dialog.steps] == [6, 7, 8, 9, 10, 11, 12, 13]
    assert b"".join(step.data for step in dialog.steps if isinstance(step, Send)) == b"STLS\r\nQUIT\r\n"


@pytest.mark.parametrize("service", ["pop3", "smtp", "submission"])
def test_services(service: str) -> None:
    dialog = parse(f"# t\nservice: {service}\ntls: no\nS: x\n")
    assert (dialog.service, dialog.tls) == (service, False)


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ("C: NOOP", b"NOOP\r\n"),
        ("C: ", b"\r\n"),
        ("C:", b"\r\n"),
        ("C:  PASS a  ", b" PASS a  \r\n"),
        ("C+: NOOP\\n", b"NOOP\n"),
        ("C: a\\x00\\xff\\t\\\\x41", b"a\0\xff\t\\x41\r\n"),
        ("C: ü", "ü\r\n".encode()),
        ("C: S: x", b"S: x\r\n"),
        ("C: ...", b"...\r\n"),
        ("C: # no comment", b"# no comment\r\n"),
    ],
)
def test_what_the_client_sends(line: str, data: bytes) -> None:
    step = only_step(line)
    assert isinstance(step, Send)
    assert step.data == data


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("+OK ...", [b"+OK x", b"+OK "], [b"+OK", b"-ERR x", b"x+OK x"]),
        ("+OK 2 320", [b"+OK 2 320"], [b"+OK 2 3200", b"+OK 2 32"]),
        ("...", [b"", b"anything", b"\xff\n"], []),
        (".", [b"."], [b"x", b"..", b""]),
        ("", [b""], [b"x"]),
        ("250-... 2.1.0 ...k", [b"250-a 2.1.0 ok"], [b"250-a 2.1x0 ok", b"250-a 2.1.0 no"]),
        ("\\x2e\\x2e\\x2e", [b"..."], [b"abc", b"...."]),
        ("a\\tb", [b"a\tb"], [b"atb"]),
    ],
)
def test_what_the_server_says(pattern: str, fits: list[bytes], fits_not: list[bytes]) -> None:
    step = only_step(f"S: {pattern}")
    assert isinstance(step, Expect)
    assert step.pattern == pattern
    assert [line for line in fits if not step.matches(line)] == []
    assert [line for line in fits_not if step.matches(line)] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "d.txt:1: the first line is '# title'"),
        ("service: pop3\nS: x\n", "d.txt:1: the first line is '# title'"),
        ("#  \nservice: pop3\nS: x\n", "d.txt:1: the first line is '# title'"),
        ("# t\nS: x\n", "d.txt:1: 'service:' is one of"),
        ("# t\nservice: imap\nS: x\n", "d.txt:1: 'service:' is one of"),
        ("# t\nservice: pop3\ntls: maybe\nS: x\n", "d.txt:1: 'tls:' is yes or no"),
        ("# t\nservice: pop3\ncolour: red\nS: x\n", "d.txt:3: this is neither a step nor a setting"),
        (HEAD, "d.txt:1: there are no steps"),
        (HEAD + "S: x\nservice: smtp\n", "d.txt:4: this is neither a step nor a setting"),
        (HEAD + "C NOOP\n", "d.txt:3: this is neither a step nor a setting"),
        (HEAD + "c: NOOP\n", "d.txt:3: this is neither a step nor a setting"),
        (HEAD + "STARTTLS now\n", "d.txt:3: this is neither a step nor a setting"),
        (HEAD + "C: a\\q\n", r"d.txt:3: unknown escape: \q"),
        (HEAD + "S: a\\\n", "d.txt:3: unknown escape: \\"),
        (HEAD + "C: \\x4\n", r"d.txt:3: unknown escape: \x"),
    ],
)
def test_errors_name_file_line_and_reason(text: str, reason: str) -> None:
    with pytest.raises(DialogError, match=re.escape(reason)):
        parse(text, "d.txt")


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "quit.txt"
    path.write_text(HEAD + "C: QUIT ü\n", encoding="utf-8")
    dialog = load(path)
    assert dialog == Dialog("title", "pop3", False, (Send("QUIT ü\r\n".encode(), 3),), "quit")
