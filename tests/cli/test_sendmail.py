"""``sendmail`` as programs call it: options, headers, what goes over the socket, and the statuses."""

from __future__ import annotations

import io
import os
import pwd
import sys
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import IO

import pytest
from click.testing import Result

from mailsuite.cli import sendmail as module
from mailsuite.cli.context import Context
from mailsuite.cli.mail_doors import RUN, MailDoor, door_of
from mailsuite.cli.sendmail_header import MAX_HEADER_OCTETS, read_header
from mailsuite.cli.sendmail_options import Options, read_options
from mailsuite.cli.sysexits import Exit, MailFailed
from tests.cli.conftest import Run
from tests.cli.door_double import DoorDouble

ME = pwd.getpwuid(os.geteuid()).pw_name
ANN, BOB = "ann@example.test", "bob@elsewhere.example"
LETTER = b"Subject: x\n\nhello\n"

Sendmail = Callable[..., Result]


@pytest.fixture
def double(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoorDouble]:
    double = DoorDouble(place / "submission.sock")
    monkeypatch.setenv(module.SOCKET_VARIABLE, str(double.path))
    with double.serving():
        yield double


@pytest.fixture
def sendmail(run: Run) -> Sendmail:
    def call(*arguments: str, input: bytes | IO[bytes] = LETTER) -> Result:
        return run("sendmail", *arguments, input=input)

    return call


def recipients(double: DoorDouble) -> list[str]:
    return [
        line.removeprefix("RCPT TO:<").removesuffix(">") for line in double.seen if line.startswith("RCPT")
    ]


# Options


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("joe ann", Options(recipients=("joe", "ann"))),
        ("-t", Options(from_header=True)),
        ("-ti", Options(from_header=True, dot_ends=False)),
        ("-oi -t", Options(from_header=True, dot_ends=False)),
        ("-f ann@x joe", Options(sender="ann@x", recipients=("joe",))),
        ("-fann@x -- -joe", Options(sender="ann@x", recipients=("-joe",))),
        ("-rann@x -f bob joe -t", Options(sender="bob", recipients=("joe", "-t"))),
        ("-FCronDaemon -odi -oem -oi -t", Options(full_name="CronDaemon", dot_ends=False, from_header=True)),
        ("-bm -v joe", Options(verbose=True, recipients=("joe",))),
        ("-i -B8BITMIME -oem joe", Options(dot_ends=False, recipients=("joe",))),
        ("-B 7bit joe", Options(body="7BIT", recipients=("joe",))),
        (
            "-N never -R hdrs -V id7 joe",
            Options(notify="NEVER", returned="HDRS", id="id7", recipients=("joe",)),
        ),
        ("-N success,Failure,success joe", Options(notify="SUCCESS,FAILURE", recipients=("joe",))),
        ("-G -U -c -m -x -A c -h 5 -L tag -O x=y -e m -p p joe", Options(recipients=("joe",))),
        ("-C /x.toml joe", Options(config=Path("/x.toml"), recipients=("joe",))),
        ("-bs", Options(mode="smtp")),
        ("-bp", Options(mode="queue")),
        ("-q", Options(mode="queue")),
        ("-q15m", Options(mode="queue")),
        ("-bi", Options(mode="aliases")),
        ("-I", Options(mode="aliases")),
    ],
)
def test_options(arguments: str, options: Options) -> None:
    assert read_options("sendmail", arguments.split()) == options


def test_by_another_name() -> None:
    assert read_options("mailq", []).mode == "queue"
    assert read_options("newaliases", []).mode == "aliases"


@pytest.mark.parametrize(
    "arguments",
    ["-z", "-f", "--help-me", "-bd", "-bv joe", "-bx", "-n joe", "-X log joe", "-B what joe", "-bs -t"],
)
def test_wrong_usage(sendmail: Sendmail, double: DoorDouble, arguments: str) -> None:
    result = sendmail(*arguments.split())
    assert (result.exit_code, double.seen) == (Exit.USAGE, [])
    assert result.stderr.startswith("sendmail: ")


@pytest.mark.parametrize(
    "arguments",
    [("-N", "what"), ("-N", "never,success"), ("-R", "x"), ("-V", "x" * 101), ("-V", "é"), ("-N", "")],
)
def test_what_means_nothing_is_told(
    sendmail: Sendmail, double: DoorDouble, arguments: tuple[str, ...]
) -> None:
    result = sendmail(*arguments, ANN)
    assert result.exit_code == 0
    assert "this means nothing" in result.stderr
    assert double.seen[1:3] == [f"MAIL FROM:<{ME}@example.test> BODY=8BITMIME", f"RCPT TO:<{ANN}>"]


def test_help(sendmail: Sendmail) -> None:
    result = sendmail("--help")
    assert (result.exit_code, "sendmail [-t] [-i]" in result.output) == (0, True)


# Handing in


def test_a_message(sendmail: Sendmail, double: DoorDouble) -> None:
    assert sendmail(ANN).output == ""
    assert double.seen == [
        "EHLO localhost",
        f"MAIL FROM:<{ME}@example.test> BODY=8BITMIME",
        f"RCPT TO:<{ANN}>",
        "DATA",
        "QUIT",
    ]
    assert double.messages == [b"Subject: x\r\n\r\nhello\r\n"]


@pytest.mark.parametrize(
    ("option", "sender"),
    [("", ""), ("<>", ""), ("joe", "joe@example.test"), (ANN, ANN), (f"Ann <{ANN}>", ANN)],
)
def test_from(sendmail: Sendmail, double: DoorDouble, option: str, sender: str) -> None:
    assert sendmail("-f", option, ANN).exit_code == 0
    assert double.seen[1].startswith(f"MAIL FROM:<{sender}> ")


@pytest.mark.parametrize("option", ["two words", "a@b.example, c@d.example", "x@", "us:;"])
def test_from_what_is_no_address(sendmail: Sendmail, double: DoorDouble, option: str) -> None:
    assert sendmail("-f", option, ANN).exit_code == Exit.USAGE
    assert double.messages == []


def test_to_names_and_lists(sendmail: Sendmail, double: DoorDouble) -> None:
    assert sendmail("root", f"{ANN}, joe", f"Bob B. <{BOB}>".replace("B. ", ""), ANN).exit_code == 0
    assert recipients(double) == ["root@example.test", ANN, "joe@example.test", BOB]


def test_what_is_known_of_the_server_is_asked_for(sendmail: Sendmail, double: DoorDouble) -> None:
    assert (
        sendmail("-N", "delay,failure", "-R", "full", "-V", "a+b=c", "-B7BIT", "jöe@example.test").exit_code
        == 0
    )
    assert double.seen[1].endswith(" BODY=7BIT SMTPUTF8 RET=FULL ENVID=a+2Bb+3Dc")
    assert double.seen[2].endswith("> NOTIFY=DELAY,FAILURE")


def test_and_not_where_it_is_not(sendmail: Sendmail, double: DoorDouble) -> None:
    double.extensions = ()
    assert sendmail("-N", "never", "-R", "full", "-V", "x", ANN).exit_code == 0
    assert double.seen[1:3] == [f"MAIL FROM:<{ME}@example.test>", f"RCPT TO:<{ANN}>"]


HEADER = f"""From: root (Cron Daemon)
To: root, =?utf-8?q?B=C3=B6b?= <{BOB}>,
 "Doe, Ann" <{ANN}> (not <this@one.example>)
Cc: friends: joe@example.test,
\tann;
Bcc: hidden@example.test,
 hidden2
Subject: x
Resent-Date: no recipient

"""


def test_to_whom_the_header_names(sendmail: Sendmail, double: DoorDouble) -> None:
    for newline in (b"\n", b"\r\n"):
        double.seen.clear()
        message = (HEADER + "hello\n").encode().replace(b"\n", newline)
        assert sendmail("-t", "-i", "further", input=message).exit_code == 0
        assert recipients(double) == [
            "further@example.test",
            "root@example.test",
            BOB,
            ANN,
            "joe@example.test",
            "hidden@example.test",
            "hidden2@example.test",
        ]
    first, second = double.messages
    assert first == second
    assert b"hidden" not in first
    assert b"From: root@example.test (Cron Daemon)\r\nTo: root@example.test, =?utf-8?q?B=C3=B6b?=" in first
    assert b"Cc: friends: joe@example.test,\r\n\tann@example.test;\r\nSubject: x\r\n" in first


def test_to_whom_it_is_sent_again(sendmail: Sendmail, double: DoorDouble) -> None:
    message = f"Resent-To: {BOB}\nResent-Bcc: root\nTo: {ANN}\nBcc: hidden\n\nx\n".encode()
    assert sendmail("-t", input=message).exit_code == 0
    assert recipients(double) == [BOB, "root@example.test"]
    assert double.messages == [f"Resent-To: {BOB}\r\nTo: {ANN}\r\n\r\nx\r\n".encode()]


@pytest.mark.parametrize(
    ("message", "status", "words"),
    [
        (b"Subject: x\n\n", Exit.USAGE, "the header names nobody"),
        (b"To: undisclosed-recipients:;\n\n", Exit.USAGE, "the header names nobody"),
        (b"hello\n", Exit.USAGE, "the header names nobody"),
        (b"To: a b@example.test\n\n", Exit.DATAERR, "To: a b@example.test"),
        (b'Cc: "x\n\n', Exit.DATAERR, "Cc: "),
        (b"Bcc: x@\xff\n\n", Exit.DATAERR, "Bcc: "),
        (b"To: x@example.test y@example.test\n\n", Exit.DATAERR, "To: "),
    ],
)
def test_a_header_that_names_nobody(
    sendmail: Sendmail, double: DoorDouble, message: bytes, status: Exit, words: str
) -> None:
    """Nothing is guessed: a letter to somebody else cannot be called back."""
    result = sendmail("-t", input=message)
    assert (result.exit_code, double.messages) == (status, [])
    assert words in result.stderr


def test_nobody_is_named(sendmail: Sendmail, double: DoorDouble) -> None:
    result = sendmail()
    assert (result.exit_code, double.seen) == (Exit.USAGE, [])
    assert "no recipient is named" in result.stderr


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (b"", b"\r\n"),
        (b"hello\n", b"\r\nhello\r\n"),
        (b"\nhello\n", b"\r\nhello\r\n"),
        (b"Subject: x", b"Subject: x\r\n\r\n"),
        (b"Subject: x\nhello\n", b"Subject: x\r\n\r\nhello\r\n"),
        (b" folded: before\n", b"\r\n folded: before\r\n"),
        (b"Subject: x\n\tmore\n \n\nhello", b"Subject: x\r\n\tmore\r\n \r\n\r\nhello\r\n"),
        (b"From joe Sat Nov 21\nSubject: x\n\nx\n", b"Subject: x\r\n\r\nx\r\n"),
        (b"Subject: \xff\n\n\xff\n", b"Subject: \xff\r\n\r\n\xff\r\n"),
    ],
)
def test_headers_of_all_kinds(sendmail: Sendmail, double: DoorDouble, message: bytes, sent: bytes) -> None:
    assert sendmail(ANN, input=message).exit_code == 0
    assert double.messages == [sent]


def test_a_lone_dot(sendmail: Sendmail, double: DoorDouble) -> None:
    message = b"Subject: x\n\none\n.\ntwo\n"
    assert sendmail(ANN, input=message).exit_code == 0
    for option in ("-i", "-oi"):
        assert sendmail(option, ANN, input=message).exit_code == 0
    whole = b"Subject: x\r\n\r\none\r\n.\r\ntwo\r\n"
    assert double.messages == [b"Subject: x\r\n\r\none\r\n", whole, whole]


def test_a_name_for_who_has_none(sendmail: Sendmail, double: DoorDouble) -> None:
    assert sendmail("-F", 'Jö, the "Daemon"', ANN).exit_code == 0
    assert sendmail("-F", "Other", ANN, input=b"From: ann\n\n").exit_code == 0
    assert sendmail("-F", "Nobody", "-f", "<>", ANN).exit_code == 0
    first, second, third = (message_from_bytes(each, policy=default) for each in double.messages)
    assert first["From"].addresses[0].display_name == 'Jö, the "Daemon"'
    assert first["From"].addresses[0].addr_spec == f"{ME}@example.test"
    assert (second["From"], third["From"]) == ("ann@example.test", None)


@pytest.mark.parametrize("name", ["x\nBcc: y", "x\r\n\r\nbody", "x\x00", "x\udcff", "x\u2028y"])
def test_a_name_that_would_be_more_than_a_name(sendmail: Sendmail, double: DoorDouble, name: str) -> None:
    result = sendmail("-F", name, ANN)
    assert (result.exit_code, double.seen) == (Exit.USAGE, [])


def test_verbose(sendmail: Sendmail, double: DoorDouble) -> None:
    said = sendmail("-v", ANN).stderr.splitlines()
    assert said[:2] == ["S: 220 example.test ESMTP", "C: EHLO localhost"]
    assert said[-3:] == ["S: 250 2.0.0 queued as 1", "C: QUIT", "S: 221 2.0.0 bye"]
    assert "hello" not in "".join(said)


def test_a_header_without_end(sendmail: Sendmail, double: DoorDouble) -> None:
    result = sendmail(ANN, input=b"X: y\n" * (MAX_HEADER_OCTETS // 4))
    assert (result.exit_code, double.messages) == (Exit.DATAERR, [])


def test_no_header_and_no_end_of_it(sendmail: Sendmail, double: DoorDouble) -> None:
    """``dmesg | sendmail root``: what never had a header has none that could be too long."""
    output = b"line of no header " * 50 + b"\n"
    output *= 2 * MAX_HEADER_OCTETS // len(output)
    assert sendmail(ANN, input=output).exit_code == Exit.OK
    assert double.messages == [b"\r\n" + output.replace(b"\n", b"\r\n")]
    indented = b" " + output.replace(b"\n", b"\n ")[:-1]
    assert sendmail(ANN, input=indented).exit_code == Exit.OK
    assert double.messages[1] == b"\r\n" + indented.replace(b"\n", b"\r\n")


def test_the_server_is_not_kept_waiting(sendmail: Sendmail, double: DoorDouble) -> None:
    """Cron starts this as soon as a job says something, and the job may go on for hours."""
    seen_meanwhile: list[str] = []

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            seen_meanwhile.extend(double.seen)
            return super().read(50)

        read1 = read

    assert sendmail(ANN, input=Slow(LETTER * 20)).exit_code == Exit.OK
    assert (seen_meanwhile, len(double.messages)) == ([], 1)


def test_what_is_behind_the_header_is_not_read_at_once() -> None:
    """The message may be larger than memory."""
    taken = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"To: a", b"nn\n\nbody", b"more"):
            taken.append(piece)
            yield piece

    header, rest = read_header(pieces())
    assert (len(taken), header.octets()) == (2, b"To: ann\n")
    assert b"".join(rest) == b"\nbodymore"


@pytest.mark.parametrize(
    ("replies", "status"),
    [
        (
            {f"RCPT TO:<{BOB}>": "550 5.7.1 This server does not send mail to other servers yet"},
            Exit.UNAVAILABLE,
        ),
        ({f"RCPT TO:<{BOB}>": "550 5.1.1 nobody"}, Exit.NOUSER),
        ({"MAIL": "550 5.7.1 Please send from the address that you logged in with"}, Exit.NOPERM),
        ({"DATA": "452 4.3.1 full"}, Exit.TEMPFAIL),
    ],
)
def test_refusals(sendmail: Sendmail, double: DoorDouble, replies: dict[str, str], status: Exit) -> None:
    """Whole: what goes to one goes to all, or to nobody."""
    double.replies |= replies
    result = sendmail(ANN, BOB)
    assert (result.exit_code, double.messages) == (status, [])
    assert next(iter(replies.values())) in result.stderr


def test_no_server(sendmail: Sendmail, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.SOCKET_VARIABLE, str(place / "nothing.sock"))
    result = sendmail(ANN)
    assert result.exit_code == Exit.TEMPFAIL
    assert "mailsuite is not running" in result.stderr


def test_no_door(sendmail: Sendmail) -> None:
    result = sendmail(ANN)
    assert result.exit_code == Exit.CONFIG
    assert 'service = "submission" socket = "/run/mailsuite/submission.sock"' in result.stderr


def test_the_door_of_the_configuration(place: Path) -> None:
    """By TCP a login would be wanted."""
    text = '[[listener]]\nname = "a"\nservice = "submission"\nbind = ["127.0.0.1"]\n'
    file = place / "doors.toml"
    file.write_text(text + '[[listener]]\nname = "b"\nservice = "submission"\nsocket = "/run/x.sock"\n')
    assert door_of(Context(file), "submission", None) == MailDoor(Path("/run/x.sock"))
    file.write_text(text)
    with pytest.raises(MailFailed) as failed:
        door_of(Context(file), "submission", None)
    assert failed.value.status is Exit.CONFIG
    assert door_of(Context(place / "nothing"), "submission", None) == MailDoor(RUN / "submission.sock")


def test_another_configuration(sendmail: Sendmail, place: Path) -> None:
    file = place / "other.toml"
    file.write_text('[[listener]]\nname = "b"\nservice = "submission"\nsocket = "/run/other.sock"\n')
    assert "/run/other.sock" in sendmail("-C", str(file), ANN).stderr


# Other ways


def test_a_queue_there_is_not(sendmail: Sendmail) -> None:
    for option in ("-bp", "-q", "-qRx"):
        result = sendmail(option)
        assert (result.exit_code, "there is no queue here" in result.stderr) == (Exit.UNAVAILABLE, True)


def test_aliases_need_nothing(sendmail: Sendmail) -> None:
    assert sendmail("-bi").exit_code == 0


class Streams:
    """Standard input and output of bytes."""

    def __init__(self, octets: bytes) -> None:
        self.buffer = io.BytesIO(octets)


def test_speaking_smtp(double: DoorDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is typed, with LF; until the server has said goodbye."""
    out = Streams(b"")
    monkeypatch.setattr(sys, "stdin", Streams(b"EHLO me\nMAIL FROM:<joe@x>\r\nQUIT\n"))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "argv", ["/usr/sbin/sendmail", "-bs"])
    module.main()
    said = out.buffer.getvalue().decode().splitlines()
    assert (said[0], said[-2:]) == ("220 example.test ESMTP", ["250 2.1.0 fine", "221 2.0.0 bye"])
    assert double.seen == ["EHLO me", "MAIL FROM:<joe@x>", "QUIT"]


def test_as_a_program_of_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/mailq"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == Exit.UNAVAILABLE
    assert capsys.readouterr().err.startswith("sendmail: there is no queue")


def test_who_calls_has_no_name(
    sendmail: Sendmail, double: DoorDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    result = sendmail(ANN)
    assert (result.exit_code, double.messages) == (Exit.NOPERM, [])
