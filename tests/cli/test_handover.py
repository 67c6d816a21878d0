"""A server that breaks off: whoever called keeps the message."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.cli import handover
from mailsuite.cli.handover import Conversation, Envelope
from mailsuite.cli.mail_doors import MailDoor
from mailsuite.cli.sysexits import Exit, MailFailed
from mailsuite.model.address import Address

JOE = Address("joe", "example.test")
READY = b"220 x LMTP\r\n250 x\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n"


def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "ANSWER_TIMEOUT", 0.01)
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(MailFailed, match="no answer in time") as failed, Conversation(ours, "lmtp"):
        pass
    assert failed.value.status is Exit.TEMPFAIL


def test_gone_before_anything_is_said() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(READY[:12])
    theirs.close()
    with pytest.raises(MailFailed, match="broke") as failed, Conversation(ours, "lmtp"):
        pass
    assert failed.value.status is Exit.TEMPFAIL


def test_gone_within_the_message() -> None:
    """Its end is never said, and nothing is said after that."""
    ours, theirs = socket.socketpair()
    theirs.sendall(READY)
    read = threading.Event()

    def message() -> Iterator[bytes]:
        yield b"Subject: x\r\n"
        theirs.close()
        read.set()
        for _ in range(1000):
            yield b"x" * 65536 + b"\r\n"

    with pytest.raises(MailFailed, match="broke") as failed, Conversation(ours, "lmtp") as conversation:
        conversation.hand_over(Envelope(None, (JOE,)), message())
    assert (failed.value.status, read.is_set()) == (Exit.TEMPFAIL, True)


def test_what_fails_here_leaves_the_message_without_end() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(READY)

    def message() -> Iterator[bytes]:
        yield b"Subject: x\r\n\r\nhalf"
        raise OSError(5, "Input/output error")

    with theirs:
        with pytest.raises(OSError, match="Input"), Conversation(ours, "lmtp") as conversation:
            conversation.hand_over(Envelope(None, (JOE,)), message())
        theirs.settimeout(20)
        heard = b""
        while data := theirs.recv(4096):
            heard += data
    assert heard.endswith(b"DATA\r\nSubject: x\r\n\r\nhalf")


def test_a_socket_that_may_not_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Mail waits until somebody has mended that. As root nothing is forbidden: tests/system/test_sendmail.py
    has it for real."""

    class Refusing(socket.socket):
        def connect(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Refusing)
    with pytest.raises(MailFailed, match="socket_mode of the listener") as failed:
        MailDoor(tmp_path / "x.sock").connect()
    assert failed.value.status is Exit.TEMPFAIL
