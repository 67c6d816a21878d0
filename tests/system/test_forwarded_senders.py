"""What is forwarded to other servers goes by a sender of ours, and notices about it come back (features rows
L-09, Q-11)."""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Iterator

import pytest

from tests.system.harness import PATIENCE, Server
from tests.system.outgoing import SENDER, Shore, as_sent, hand_in, to_others
from tests.zones import Net

LETTER = (
    b"From: Ann <sender@elsewhere.example>\r\n"
    b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <one@elsewhere.example>\r\n"
    b"\r\n"
    b"Hello\r\n"
)
NOTICE = LETTER.replace(b"Ann <sender@elsewhere.example>", b"<mailer-daemon@there.example>")


@pytest.fixture(scope="module")
def shore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shore]:
    with Net() as net, contextlib.closing(Server(tmp_path_factory.mktemp("server"))) as server:
        shore = Shore(server, net)
        to_others(server, net, shore.port).start()
        yield shore


def refusal(server: Server, recipient: str, sender: str = "") -> tuple[int, bytes]:
    """What a stranger is told of it."""
    with smtplib.SMTP("127.0.0.1", server.ports["mx"], "client.example", PATIENCE) as client:
        client.ehlo()
        assert client.mail(sender)[0] == 250
        return client.rcpt(recipient)


def stranger(server: Server, message: bytes, recipient: str, sender: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["mx"], "client.example", PATIENCE) as client:
        assert client.sendmail(sender, recipient, message) == {}


def test_there_and_back(shore: Shore) -> None:
    server = shore.server
    with shore.place() as away, shore.place() as origin:
        writer = origin.at("Writer")
        server.cli("alias", "add", "away@example.test", away.at())
        stranger(server, LETTER, "away@example.test", writer)
        [forwarded] = away.record.until_taken(1)
        as_sent(forwarded, LETTER)
        sender = forwarded.sender
        assert sender.startswith("SRS0=")
        assert sender.endswith(f"={origin.domain}=Writer@example.test")

        # A notice comes back, by a server that writes in lower case.
        stranger(server, NOTICE, sender.lower(), "")
        [notice] = origin.record.until_taken(1)
        as_sent(notice, NOTICE)
        assert notice.sender == ""
        assert notice.taken_for == (origin.at("writer"),)

        # It is no way for anything else, nor for who guesses.
        assert refusal(server, sender, SENDER)[0] == 550
        assert b"5.7.1" in refusal(server, sender, SENDER)[1]
        assert b"5.1.1" in refusal(server, sender.replace("=Writer@", "=Victim@"))[1]
        assert b"5.7.1" in refusal(server, writer, SENDER)[1]
        words = server.cli("route", sender)
        assert f"the rewritten sender of a forward, for notices: {writer}" in words

        # Who is named keeps the sender, and the key outlives the server.
        hand_in(server, LETTER, "away@example.test", away.at("b"), sender=writer)
        both = away.record.until_taken(3)[1:]
        assert {(each.taken_for, each.sender == writer) for each in both} == {
            ((away.at(),), False),
            ((away.at("b"),), True),
        }
        server.stop()
        server.start()
        assert refusal(server, sender)[0] == 250
        assert away.record.faults == origin.record.faults == ()


def test_who_is_vouched_for_hears_of_a_failure(shore: Shore) -> None:
    server = shore.server
    with shore.place({"RCPT": "550 5.1.1 Nobody"}) as away, shore.place() as origin:
        server.cli("alias", "add", "broken@example.test", away.at())
        # A listed host is vouched for where it sends to another server itself.
        hand_in(server, LETTER, "broken@example.test", origin.at("b"), sender=origin.at("writer"))
        [notice] = [each for each in origin.record.until_taken(2) if not each.sender]
    assert (notice.sender, notice.taken_for) == ("", (origin.at("writer"),))
    assert b"rfc822;broken@example.test" in notice.body.replace(b"; ", b";")
