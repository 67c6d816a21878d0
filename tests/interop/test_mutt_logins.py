"""mutt, built with GNU SASL as Debian's is: it sends and reads by each mechanism it can be told."""

from __future__ import annotations

import pytest

from tests.interop.doors import ANN, JOE, SCRAM, Doors
from tests.interop.letters import PLAIN, crlf, split_trace
from tests.interop.programs import Desk, needs
from tests.interop.test_mutt import mutt, settings

pytestmark = needs("mutt")

SENDING = ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5")
REASONS = dict.fromkeys(("APOP", "CRAM-MD5"), "wrong-digest") | dict.fromkeys(SCRAM, "wrong-proof")
FAILED = 1
READING = ("USER", "APOP", "PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5")


def sending(desk: Desk, doors: Doors, mechanism: str, password: str, *, port: int, status: int = 0) -> None:
    config = settings(
        desk,
        doors.server,
        f'set smtp_url="smtps://ann%40example.test@localhost:{port}/"',
        f'set smtp_pass="{password}" smtp_authenticators="{mechanism.lower()}"',
    )
    command = ("mutt", "-n", "-F", config, "-s", "Hi", "--", JOE)
    desk.run(*command, stdin=b"A letter\n", status=status)


@pytest.mark.parametrize("mechanism", SENDING)
def test_sending(doors: Doors, desk: Desk, mechanism: str) -> None:
    with doors.lets_in("submission", ANN, mechanism):
        sending(desk, doors, mechanism, doors.secret(ANN, mechanism), port=doors.server.ports["submissions"])
    [message] = doors.server.messages()
    assert split_trace(message)[1].endswith(b"\r\n\r\nA letter\r\n")


def reading(desk: Desk, doors: Doors, mechanism: str, password: str, port: int) -> bool:
    """Whether mutt got the one message that is there."""
    config = settings(
        desk,
        doors.server,
        f'set pop_user="{JOE}" pop_pass="{password}" pop_authenticators="{mechanism.lower()}" pop_delete=no',
    )
    copy = desk.home / "copy"
    mutt(desk, config, f"pops://localhost:{port}/", f"<pipe-message>cat >{copy}<enter><quit>")
    return copy.exists() and split_trace(crlf(copy.read_bytes()))[1] == PLAIN


@pytest.mark.parametrize("mechanism", READING)
def test_reading(doors: Doors, desk: Desk, mechanism: str) -> None:
    doors.server.deliver(PLAIN)
    with doors.lets_in("pop3", JOE, mechanism):
        assert reading(desk, doors, mechanism, doors.secret(JOE, mechanism), doors.server.ports["pop3s"])


@pytest.mark.parametrize("mechanism", READING)
def test_reading_with_a_wrong_password(doors: Doors, desk: Desk, mechanism: str) -> None:
    with doors.refuses(REASONS.get(mechanism, "wrong-password")):
        assert not reading(desk, doors, mechanism, "wrong", doors.server.ports["pop3s"])


@pytest.mark.parametrize("mechanism", READING)
def test_reading_where_it_is_not_offered(doors: Doors, desk: Desk, mechanism: str) -> None:
    with doors.hears_nothing():
        assert not reading(
            desk, doors, mechanism, doors.secret(JOE, mechanism), doors.refusing("pop3", mechanism)
        )


@pytest.mark.parametrize("mechanism", SENDING)
def test_sending_with_a_wrong_password(doors: Doors, desk: Desk, mechanism: str) -> None:
    with doors.refuses(REASONS.get(mechanism, "wrong-password")):
        sending(desk, doors, mechanism, "wrong", port=doors.server.ports["submissions"], status=FAILED)
    assert doors.server.messages() == []


@pytest.mark.parametrize("mechanism", SENDING)
def test_sending_where_it_is_not_offered(doors: Doors, desk: Desk, mechanism: str) -> None:
    secret, port = doors.secret(ANN, mechanism), doors.refusing("submission", mechanism)
    with doors.hears_nothing():
        sending(desk, doors, mechanism, secret, port=port, status=FAILED)
    assert doors.server.messages() == []
