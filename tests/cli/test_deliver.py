"""The local delivery agent: what goes over the socket, and the statuses that mail servers understand."""

from __future__ import annotations

import io
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from click.testing import Result

from mailsuite.cli import deliver as module
from mailsuite.cli.context import Context
from mailsuite.cli.mail_doors import RUN, MailDoor, door_of
from mailsuite.cli.sysexits import (
    Exit,
    MailFailed,
    exit_of_message,
    exit_of_recipient,
    exit_of_sender,
    sysexits,
    worst,
)
from tests.cli.conftest import Run
from tests.cli.door_double import DoorDouble

LETTER = b"Subject: x\n\n.\n..two\r\nend"
SENT = b"Subject: x\r\n\r\n.\r\n..two\r\nend\r\n"
JOE, ANN = "joe@example.test", "ann@example.test"

Deliver = Callable[..., Result]


@pytest.fixture
def double(place: Path) -> Iterator[DoorDouble]:
    double = DoorDouble(place / "lmtp.sock", greeting="220 mail.example.test LMTP")
    with double.serving():
        yield double


@pytest.fixture
def deliver(run: Run, place: Path) -> Deliver:
    def call(*arguments: str, input: bytes | IO[bytes] = LETTER) -> Result:
        return run("deliver", "--socket", str(place / "lmtp.sock"), *arguments, input=input)

    return call


def test_the_server_is_not_kept_waiting(deliver: Deliver, double: DoorDouble) -> None:
    """Whoever fetches mail over a slow line hands it over as slowly."""
    seen_meanwhile: list[str] = []

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            seen_meanwhile.extend(double.seen)
            return super().read(50)

        read1 = read

    assert deliver(JOE, input=Slow(LETTER * 20)).exit_code == Exit.OK
    assert (seen_meanwhile, len(double.messages)) == ([], 1)


def test_a_message(deliver: Deliver, double: DoorDouble) -> None:
    result = deliver("-f", "ann@elsewhere.example", JOE)
    assert (result.exit_code, result.output) == (0, "")
    assert double.seen == [
        "LHLO localhost",
        "MAIL FROM:<ann@elsewhere.example> BODY=8BITMIME",
        f"RCPT TO:<{JOE}>",
        "DATA",
        "QUIT",
    ]
    assert double.messages == [SENT]


@pytest.mark.parametrize("sender", [(), ("-f", ""), ("-f", "<>"), ("-f", "MAILER-DAEMON")])
def test_from_nobody(deliver: Deliver, double: DoorDouble, sender: tuple[str, ...]) -> None:
    assert deliver(*sender, JOE).exit_code == 0
    assert double.seen[1] == "MAIL FROM:<> BODY=8BITMIME"


def test_recipients(deliver: Deliver, double: DoorDouble) -> None:
    """In whatever way they are named, once each; and never by the environment."""
    assert deliver("-a", ANN, "-a", f"<{JOE}>", JOE, "jöe@example.test").exit_code == 0
    assert double.seen[1].endswith(" SMTPUTF8")
    assert [line for line in double.seen if line.startswith("RCPT")] == [
        f"RCPT TO:<{JOE}>",
        "RCPT TO:<jöe@example.test>",
        f"RCPT TO:<{ANN}>",
    ]


def test_the_environment_names_nobody(
    deliver: Deliver, double: DoorDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIPIENT", JOE)
    monkeypatch.setenv("SENDER", JOE)
    assert deliver().exit_code == Exit.USAGE
    assert deliver(ANN).exit_code == 0
    assert JOE not in " ".join(double.seen)


def test_the_mark_of_a_mailbox_file_goes(deliver: Deliver, double: DoorDouble) -> None:
    assert (
        deliver(JOE, input=b"From ann@elsewhere.example Sat Nov 21 16:14:00 2026\n" + LETTER).exit_code == 0
    )
    assert double.messages == [SENT]


def test_an_empty_message(deliver: Deliver, double: DoorDouble) -> None:
    assert deliver(JOE, input=b"").exit_code == 0
    assert double.messages == [b""]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no recipient is named"),
        (("joe",), "joe is no mail address: there is no @ in it"),
        (("-f", "x y@example.test", JOE), "is no mail address"),
        (("--what", JOE), "No such option"),
        (("-f",), "requires an argument"),
    ],
)
def test_wrong_usage(deliver: Deliver, double: DoorDouble, arguments: tuple[str, ...], words: str) -> None:
    result = deliver(*arguments)
    assert result.exit_code == Exit.USAGE
    assert words in result.stderr
    assert double.seen == []


@pytest.mark.parametrize(
    ("command", "reply", "status"),
    [
        ("MAIL", "451 4.3.0 later", Exit.TEMPFAIL),
        ("MAIL", "452 4.3.1 full", Exit.TEMPFAIL),
        ("MAIL", "550 5.7.1 not you", Exit.NOPERM),
        ("MAIL", "501 5.1.7 what", Exit.UNAVAILABLE),
        ("RCPT", "550 5.1.1 nobody", Exit.NOUSER),
        ("RCPT", "550 5.2.1 off", Exit.UNAVAILABLE),
        ("RCPT", "550 5.7.1 no relay", Exit.UNAVAILABLE),
        ("RCPT", "452 4.2.2 full", Exit.TEMPFAIL),
        ("RCPT", "550 nobody", Exit.UNAVAILABLE),
        ("DATA", "451 4.3.0 later", Exit.TEMPFAIL),
        ("DATA", "554 5.5.1 no", Exit.UNAVAILABLE),
        ("LHLO", "421 4.3.2 stopping", Exit.TEMPFAIL),
        ("LHLO", "500 5.5.1 what", Exit.TEMPFAIL),
    ],
)
def test_refusals(deliver: Deliver, double: DoorDouble, command: str, reply: str, status: Exit) -> None:
    double.replies[command] = reply
    result = deliver(JOE)
    assert (result.exit_code, double.messages) == (status, [])
    assert reply in result.stderr
    assert result.stderr.startswith("mailsuite deliver: ")


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("250 2.0.0 queued as 1", Exit.OK),
        ("452 4.2.2 full", Exit.TEMPFAIL),
        ("552 5.3.4 too big", Exit.DATAERR),
        ("550 5.6.0 bare CR", Exit.DATAERR),
        ("550 5.5.2 NUL", Exit.DATAERR),
        ("550 5.7.1 no", Exit.NOPERM),
        ("552 5.2.2 full", Exit.UNAVAILABLE),
        ("", Exit.TEMPFAIL),
        ("nonsense", Exit.TEMPFAIL),
        ("250-" + "2.0.0 x\r\n250-" * 200 + "x", Exit.TEMPFAIL),
        ("250 " + "x" * 5000, Exit.TEMPFAIL),
    ],
)
def test_the_fate_of_the_message(deliver: Deliver, double: DoorDouble, end: str, status: Exit) -> None:
    double.ends = [end]
    assert deliver(JOE).exit_code == status


def test_one_of_two_unknown_and_nobody_gets_it(deliver: Deliver, double: DoorDouble) -> None:
    double.replies[f"RCPT TO:<{ANN}>"] = "550 5.1.1 nobody"
    result = deliver(JOE, ANN)
    assert (result.exit_code, double.messages) == (Exit.NOUSER, [])
    assert result.stderr.splitlines() == [
        f"mailsuite deliver: {ANN}: 550 5.1.1 nobody",
        "mailsuite deliver: so the message was handed over to nobody",
    ]


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (["250 2.0.0 ok", "452 4.2.2 full"], Exit.TEMPFAIL),
        (["552 5.2.2 full", "250 2.0.0 ok"], Exit.UNAVAILABLE),
        (["550 5.7.1 no", "451 4.3.0 later"], Exit.TEMPFAIL),
    ],
)
def test_each_recipient_has_a_fate(
    deliver: Deliver, double: DoorDouble, ends: list[str], status: Exit
) -> None:
    """Whoever may come again decides: a second copy for one is better than none for the other."""
    double.ends = ends
    result = deliver(JOE, ANN)
    assert result.exit_code == status
    for recipient, end in zip((JOE, ANN), ends, strict=True):
        assert (f"{recipient}: {end}" in result.stderr) == (not end.startswith("250"))


def test_no_server(deliver: Deliver, run: Run, place: Path) -> None:
    result = deliver(JOE)
    assert result.exit_code == Exit.TEMPFAIL
    assert "mailsuite is not running (tried" in result.stderr
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place / "lmtp.sock"))
    assert deliver(JOE).exit_code == Exit.TEMPFAIL


@pytest.mark.parametrize("greeting", ["421 4.3.2 busy", "554 5.7.1 no", "HTTP/1.0 400"])
def test_no_greeting(deliver: Deliver, double: DoorDouble, greeting: str) -> None:
    """An access list that is wrong, or a ban, is no fault of the message."""
    double.greeting = greeting
    assert deliver(JOE).exit_code == Exit.TEMPFAIL


def test_a_server_that_goes_away(deliver: Deliver, double: DoorDouble) -> None:
    double.replies["DATA"] = ""
    result = deliver(JOE)
    assert result.exit_code == Exit.TEMPFAIL
    assert "the server ended the connection" in result.stderr


class BrokenInput(io.RawIOBase):
    def __init__(self) -> None:
        self.pieces = [b"Subject: x\n\nhalf"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self.pieces:
            raise OSError(5, "Input/output error")
        piece = self.pieces.pop()
        buffer[: len(piece)] = piece
        return len(piece)


def test_a_message_that_cannot_be_read_to_its_end_is_never_ended(
    double: DoorDouble, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a message is no message."""

    class Input:
        buffer = io.BufferedReader(BrokenInput())

    monkeypatch.setattr(sys, "stdin", Input)
    with pytest.raises(SystemExit) as ended:
        module.deliver.main(["--socket", str(double.path), JOE], obj=Context(), standalone_mode=False)
    assert ended.value.code == Exit.TEMPFAIL
    assert "Input/output error" in capsys.readouterr().err
    assert double.messages == []


# Where the server is


def door(place: Path, text: str) -> MailDoor:
    file = place / "doors.toml"
    file.write_text(f'[server]\nname = "mail.example.test"\nstate = "{place}/state"\n{text}', "utf-8")
    return door_of(Context(file), "lmtp", None)


LMTP = '[[listener]]\nname = "{}"\nservice = "lmtp"\n{}\n'


def test_the_socket_of_the_configuration(place: Path) -> None:
    text = LMTP.format("tcp", 'bind = ["127.0.0.1"]') + LMTP.format("unix", 'socket = "{state}/lmtp.sock"')
    assert door(place, text) == MailDoor(place / "state" / "lmtp.sock")


@pytest.mark.parametrize(
    ("lines", "host"), [('bind = ["*"]', "127.0.0.1"), ('bind = ["192.0.2.1", "::1"]\nport = 2424', "::1")]
)
def test_over_tcp(place: Path, lines: str, host: str) -> None:
    assert door(place, LMTP.format("tcp", lines)) == MailDoor(None, host, 2424 if "2424" in lines else 24)


@pytest.mark.parametrize(
    "text",
    [
        "",
        LMTP.format("tcp", 'bind = ["192.0.2.1"]'),
        LMTP.format("tcp", 'bind = ["127.0.0.1"]\nport = 0'),
        LMTP.format("tcp", 'bind = ["127.0.0.1"]\ntls = "implicit"'),
        LMTP.format("tcp", 'bind = ["127.0.0.1"]\nproxy_from = ["127.0.0.1"]'),
        LMTP.format("tcp", 'endpoint = "tcp:24"'),
        LMTP.format("unix", 'socket = "{state}/lmtp.sock"\nenabled = false'),
    ],
)
def test_no_door(place: Path, text: str) -> None:
    with pytest.raises(MailFailed, match="no listener for lmtp") as failed:
        door(place, text)
    assert failed.value.status is Exit.CONFIG


def test_where_the_configuration_cannot_be_read(place: Path) -> None:
    """Then mail waits: somebody is at work in the file."""
    assert door(place, "what is this") == MailDoor(RUN / "lmtp.sock")


def test_over_tcp_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(MailFailed, match=f"127.0.0.1 port {port}") as failed:
        MailDoor(None, "127.0.0.1", port).connect()
    assert failed.value.status is Exit.TEMPFAIL


# Statuses


def test_worst() -> None:
    assert worst([]) is Exit.OK
    assert worst([Exit.OK, Exit.NOUSER, Exit.UNAVAILABLE]) is Exit.NOUSER
    assert worst([Exit.NOUSER, Exit.TEMPFAIL]) is Exit.TEMPFAIL


def test_kinds_of_refusals() -> None:
    for kind in (exit_of_sender, exit_of_recipient, exit_of_message):
        assert kind(450, "4.7.1") is Exit.TEMPFAIL


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (RuntimeError("secret"), "a mistake of ours: RuntimeError"),
    ],
)
def test_whatever_happens_the_caller_keeps_the_message(
    error: BaseException, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, sysexits("program"):
        raise error
    assert ended.value.code == Exit.TEMPFAIL
    assert capsys.readouterr().err == f"program: {words}\n"
