"""The reader of dialogue files."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from tests.dialogs.dialog import (
    Closed,
    Connect,
    Dialog,
    DialogError,
    Expect,
    Send,
    StartTls,
    load,
    parse,
)
from tests.dialogs.scene import Scene
from tests.dialogs.text import Pattern, octets
from tests.wire.proofs import ScramClient

HEAD = "# title\nservice: pop3\n"


SCENE = Scene("tim@example.org", "a pass word", max_message=7, sizes=(10, 20, 30))
SERVER_FIRST = base64.b64encode(
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)


def only_step(line: str) -> object:
    dialog = parse(HEAD + line, scene=SCENE)
    assert len(dialog.steps) == 1
    return dialog.steps[0]


def test_a_whole_dialogue() -> None:
    dialog = parse(
        "# POP3: the way in\nservice: pop3\ntls: yes\n\n# say hello\nS: +OK ...\nC: STLS\nS: +OK Begin\n"
        "STARTTLS\nC+: QU\nC+: IT\\r\\n\nS: +OK...\nCLOSED\n",
        "way-in.txt",
    )
    assert (dialog.title, dialog.service, dialog.tls) == ("POP3: the way in", "pop3", "yes")
    assert dialog.name == "way-in"
    assert [type(step) for step in dialog.steps] == [
        *(Expect, Send, Expect, StartTls),
        *(Send, Send, Expect, Closed),
    ]
    assert [step.line for step in dialog.steps] == [6, 7, 8, 9, 10, 11, 12, 13]
    assert b"".join(step.data for step in dialog.steps if isinstance(step, Send)) == b"STLS\r\nQUIT\r\n"


@pytest.mark.parametrize("service", ["pop3", "smtp", "submission", "lmtp"])
@pytest.mark.parametrize("tls", ["no", "yes", "off"])
def test_services(service: str, tls: str) -> None:
    dialog = parse(f"# t\nservice: {service}\ntls: {tls}\nS: x\n")
    assert (dialog.service, dialog.tls, dialog.together) == (service, tls, False)
    assert dialog.connects == (Connect(service, tls, "usual", 1),)


def test_settings_that_are_left_out() -> None:
    assert parse(HEAD + "S: x\n").tls == "no"
    assert parse(HEAD + "together: yes\nS: x\n").together


def test_connecting_again() -> None:
    dialog = parse(HEAD + "CLOSED\nCONNECT smtp\nCLOSED\nCONNECT pop3 tls: off\n")
    assert dialog.connects[1:] == (Connect("smtp", "no", "usual", 4), Connect("pop3", "off", "usual", 6))


@pytest.mark.parametrize(("login", "has_secret"), [("usual", False), ("any", True), ("hidden", True)])
def test_ways_in(login: str, has_secret: bool) -> None:
    dialog = parse(HEAD + f"login: {login}\nCLOSED\nCONNECT pop3 tls: yes\n")
    assert (dialog.login, dialog.has_secret) == (login, has_secret)
    assert [connect.login for connect in dialog.connects] == [login, login]


@pytest.mark.parametrize("rules", ["usual", "old", "strict"])
def test_rules(rules: str) -> None:
    dialog = parse(HEAD + f"rules: {rules}\nlogin: usual\nCLOSED\nCONNECT pop3 tls: yes\n")
    assert (dialog.login, dialog.has_secret) == (rules, False)
    assert [connect.login for connect in dialog.connects] == [rules, rules]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("rules: new\n", "'rules:' is one of usual, old, strict"),
        ("rules: old\nlogin: any\n", "'login:' and 'rules:' do not go together"),
    ],
)
@pytest.mark.parametrize("steps", ["CLOSED\n", "CLOSED\nCONNECT pop3\n"])
def test_rules_that_there_are_not(settings: str, reason: str, steps: str) -> None:
    with pytest.raises(DialogError, match=reason):
        parse(HEAD + settings + steps)


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
        ("C: PASS {password}", b"PASS a pass word\r\n"),
        ("C: <{user}> {local} at {domain}", b"<tim@example.org> tim at example.org\r\n"),
        ("C: {upper {local}}}", b"TIM}\r\n"),
        ("C: {repeat 3 ab}", b"ababab\r\n"),
        ("C+: {repeat 2 {repeat 2 x}\\r\\n}", b"xx\r\nxx\r\n"),
        ("C: {repeat {max-message} x}", b"x" * 7 + b"\r\n"),
        ("C: {base64 \\x00{user}\\x00{password}}", b"AHRpbUBleGFtcGxlLm9yZwBhIHBhc3Mgd29yZA==\r\n"),
        ("C: {octets 1} {octets 1 3}", b"10 40\r\n"),
        ("C: \\{user}", b"{user}\r\n"),
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
        (
            "+OK {number} {uidl}",
            [b"+OK 1 !x~", b"+OK 23 " + b"u" * 70],
            [b"+OK a b", b"+OK 1 " + b"u" * 71, b"+OK 1 "],
        ),
        ("+OK {octets 2}", [b"+OK 20"], [b"+OK 10"]),
        ("\\x2e\\x2e\\x2e", [b"..."], [b"abc", b"...."]),
        ("a\\tb", [b"a\tb"], [b"atb"]),
    ],
)
def test_what_the_server_says(pattern: str, fits: list[bytes], fits_not: list[bytes]) -> None:
    step = only_step(f"S: {pattern}")
    assert isinstance(step, Expect)
    assert step.pattern.text == pattern
    assert [line for line in fits if not step.pattern.fits(line, {})] == []
    assert [line for line in fits_not if step.pattern.fits(line, {})] == []


def test_a_word_that_is_remembered() -> None:
    first, second = (Pattern.read(text, SCENE) for text in ("1 {=one}", "{=two} {=one} {=two}"))
    known: dict[str, bytes] = {}
    assert not first.fits(b"1 a b", known)
    assert known == {}
    assert first.fits(b"1 a", known)
    assert known == {"one": b"a"}
    assert not second.fits(b"b x b", known)
    assert not second.fits(b"b a c", known)
    assert second.fits(b"b a b", known)
    assert known == {"one": b"a", "two": b"b"}


def test_words_that_are_remembered() -> None:
    pattern = Pattern.read("+OK{=text...}", SCENE)
    known: dict[str, bytes] = {}
    assert pattern.fits(b"+OK two words", known)
    assert known == {"text": b" two words"}
    assert pattern.fits(b"+OK two words", known)
    assert not pattern.fits(b"+OK other words", known)
    assert pattern.fits(b"+OK", {})


@pytest.mark.parametrize(
    ("text", "known", "data"),
    [
        (
            "APOP mrose {md5 {=stamp}tanstaaf}",
            b"<1896.697170952@dbc.mtview.ca.us>",
            b"APOP mrose c4c9334bac560ecc979e58001b3e22fb",
        ),
        (
            "{cram-md5 {=stamp} tim tanstaaftanstaaf}",
            b"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",
            b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw",
        ),
        ("{upper {=stamp}}", b"abc", b"ABC"),
        ("{scram-first tim}", b"", base64.b64encode(b"n,,n=tim,r=fyko+d2lbbFgONRv9qkxdawL")),
    ],
)
def test_what_the_client_makes_of_what_the_server_said(text: str, known: bytes, data: bytes) -> None:
    """The examples of RFC 1939 section 7 and RFC 2195 section 2."""
    dialog = parse(HEAD + "S: {=stamp}\nC: " + text + "\n", scene=SCENE)
    send = dialog.steps[-1]
    assert isinstance(send, Send)
    assert send.data.endswith(b"\r\n")
    assert octets(send.proof or text + "\\r\\n", SCENE, {"stamp": known}) == data + b"\r\n"


def test_a_scram_client() -> None:
    """The example of RFC 7677 section 3."""
    client = ScramClient("user", "pencil", nonce="rOprNGfwEbeRWgbNEkqO")
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    final = client.final(base64.b64decode(SERVER_FIRST))
    assert final.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    assert client.believes(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_lines_of_which_one_is_the_last() -> None:
    step = only_step("S*: a\nS!: b\nS*: c\nS: .\n")
    assert isinstance(step, Expect)
    assert [pattern.text for pattern in step.among] == ["a", "c"]
    assert [pattern.text for pattern in step.never] == ["b"]
    assert step.pattern.text == "."


def test_the_same_line_many_times() -> None:
    dialog = parse(HEAD + "C3: NOOP\nS12: +OK\nC2: x\n")
    assert [type(step) for step in dialog.steps] == [Send] * 3 + [Expect] * 12 + [Send] * 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "d.txt:1: the first line is '# title'"),
        ("service: pop3\nS: x\n", "d.txt:1: the first line is '# title'"),
        ("#  \nservice: pop3\nS: x\n", "d.txt:1: the first line is '# title'"),
        ("# t\nS: x\n", "d.txt:1: 'service:' is one of"),
        ("# t\nservice: imap\nS: x\n", "d.txt:1: 'service:' is one of"),
        ("# t\nservice: pop3\ntls: maybe\nS: x\n", "d.txt:1: 'tls:' is one of no, yes, off"),
        ("# t\nservice: pop3\ncolour: red\nS: x\n", "d.txt:3: this is neither a step nor a setting"),
        (HEAD, "d.txt:1: there are no steps"),
        (HEAD + "S: x\nservice: smtp\n", "d.txt:4: this is neither a step nor a setting"),
        (HEAD + "C NOOP\n", "d.txt:3: this is neither a step nor a setting"),
        (HEAD + "c: NOOP\n", "d.txt:3: this is neither a step nor a setting"),
        (HEAD + "STARTTLS now\n", "d.txt:3: this is neither a step nor a setting"),
        (HEAD + "C: a\\q\n", r"d.txt:3: unknown escape: \q"),
        (HEAD + "S: a\\\n", "d.txt:3: unknown escape: \\"),
        (HEAD + "C: \\x4\n", r"d.txt:3: unknown escape: \x"),
        (HEAD + "together: maybe\nS: x\n", "d.txt:1: 'together:' is yes or no"),
        (HEAD + "login: maybe\nS: x\n", "d.txt:1: 'login:' is one of usual, any, hidden"),
        (HEAD + "C: {=stamp}\n", "d.txt:3: no S: line says what {=stamp} is"),
        (HEAD + "C: {md5 {=stamp}}\nS: {=stamp}\n", "d.txt:3: no S: line says what {=stamp} is"),
        (HEAD + "C: {cram-md5 x}\n", "d.txt:3: not enough values"),
        (HEAD + "C: {nobody}\n", "d.txt:3: unknown word: {nobody}"),
        (HEAD + "C: {repeat}\n", "d.txt:3: unknown word: {repeat}"),
        (HEAD + "C: {number}\n", "d.txt:3: unknown word: {number}"),
        (HEAD + "C: {user\n", "d.txt:3: no closing brace: {user"),
        (HEAD + "C: {user\\}\n", "d.txt:3: no closing brace: {user"),
        (HEAD + "C+2: x\n", "d.txt:3: only C: and S: can be repeated: C+2"),
        (HEAD + "S: y\nS*: x\n", "d.txt:1: behind S* and S! comes the S: line"),
        (HEAD + "S!: x\nC: y\n", "d.txt:4: behind S* and S! comes the S: line"),
        (HEAD + "S*: x\nCLOSED\n", "d.txt:4: behind S* and S! comes the S: line"),
        (HEAD + "CONNECT smtp\n", "d.txt:3: CONNECT stands behind CLOSED"),
        (HEAD + "S: x\nCONNECT smtp\n", "d.txt:4: CONNECT stands behind CLOSED"),
        (HEAD + "CLOSED\nCONNECT imap\n", "d.txt:4: 'service:' is one of"),
    ],
)
def test_errors_name_file_line_and_reason(text: str, reason: str) -> None:
    with pytest.raises(DialogError, match=re.escape(reason)):
        parse(text, "d.txt")


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "quit.txt"
    path.write_text(HEAD + "C: QUIT ü\n", encoding="utf-8")
    dialog = load(path)
    assert dialog == Dialog("title", "pop3", "no", "usual", (Send("QUIT ü\r\n".encode(), 3),), "quit")
