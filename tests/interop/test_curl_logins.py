"""curl: every mechanism it knows, on POP3 and SMTP, with and without an initial response."""

from __future__ import annotations

import pytest

from tests.interop.doors import ANN, JOE, Doors
from tests.interop.letters import PLAIN, split_trace
from tests.interop.programs import Desk, Done, needs

pytestmark = needs("curl")

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "NTLM")
"""curl 7.88 speaks SCRAM only where it was built with GSASL, which Debian's is not."""
INITIAL_RESPONSE = pytest.mark.parametrize("initial", ["--sasl-ir", "--no-sasl-ir"])
LOGIN_DENIED = 67


def curl(desk: Desk, doors: Doors, url: str, user: str, method: str, *more: str, status: int = 0) -> Done:
    return desk.run(
        *("curl", "--silent", "--show-error", "--verbose", "--max-time", "25"),
        *("--cacert", doors.server.certificate),
        *("--user", user, "--login-options", f"AUTH={method}"),
        *more,
        url,
        status=status,
    )


def pop3(
    desk: Desk, doors: Doors, method: str, password: str, *more: str, port: int = 0, status: int = 0
) -> Done:
    url = f"pop3s://127.0.0.1:{port or doors.server.ports['pop3s']}/"
    return curl(desk, doors, url, f"{JOE}:{password}", method, *more, status=status)


def smtp(
    desk: Desk, doors: Doors, method: str, password: str, *more: str, port: int = 0, status: int = 0
) -> Done:
    url = f"smtps://127.0.0.1:{port or doors.server.ports['submissions']}/client.example"
    letter = ("--mail-from", ANN, "--mail-rcpt", JOE, "--upload-file", str(desk.file("letter", PLAIN)))
    return curl(desk, doors, url, f"{ANN}:{password}", method, *letter, *more, status=status)


@INITIAL_RESPONSE
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_reading(doors: Doors, desk: Desk, mechanism: str, initial: str) -> None:
    doors.server.deliver(PLAIN)
    with doors.lets_in("pop3", JOE, mechanism):
        done = pop3(desk, doors, mechanism, doors.secret(JOE, mechanism), initial)
    assert done.out.split()[0] == b"1", "the list has one message"
    server_first = mechanism == "CRAM-MD5"
    bare = f"> AUTH {mechanism}\n" in done.said.replace("\r", "")
    assert bare == (server_first or initial == "--no-sasl-ir")


@INITIAL_RESPONSE
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_sending(doors: Doors, desk: Desk, mechanism: str, initial: str) -> None:
    with doors.lets_in("submission", ANN, mechanism):
        smtp(desk, doors, mechanism, doors.secret(ANN, mechanism), initial)
    [message] = doors.server.messages()
    trace, letter = split_trace(message)
    assert letter == PLAIN
    assert b" with ESMTPSA id " in trace


@pytest.mark.parametrize("password", ["own", "device"])
def test_apop(doors: Doors, desk: Desk, password: str) -> None:
    """It works with the device password, and never with the account's own."""
    if password == "device":
        with doors.lets_in("pop3", JOE, "APOP"):
            done = pop3(desk, doors, "+APOP", doors.secret(JOE, "APOP"))
        assert f"> APOP {JOE} " in done.said
    else:
        with doors.refuses("wrong-digest"):
            pop3(desk, doors, "+APOP", doors.secret(JOE, "PLAIN"), status=LOGIN_DENIED)


def test_a_device_password_shown(doors: Doors, desk: Desk) -> None:
    """What can be used for old mechanisms can be used for plain ones too."""
    done = pop3(desk, doors, "PLAIN", doors.secret(JOE, "NTLM"))
    assert "< +OK" in done.said


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password(doors: Doors, desk: Desk, mechanism: str) -> None:
    reason = "wrong-digest" if mechanism in {"CRAM-MD5", "NTLM"} else "wrong-password"
    with doors.refuses(reason):
        done = pop3(desk, doors, mechanism, "wrong", status=LOGIN_DENIED)
    assert "< -ERR [AUTH]" in done.said
    with doors.refuses(reason):
        done = smtp(desk, doors, mechanism, "wrong", status=LOGIN_DENIED)
    assert "< 535 5.7.8" in done.said


@pytest.mark.parametrize("mechanism", [*MECHANISMS, "+APOP"])
def test_not_offered(doors: Doors, desk: Desk, mechanism: str) -> None:
    name = mechanism.removeprefix("+")
    secret = doors.secret(JOE, name)
    with doors.hears_nothing():
        pop3(desk, doors, mechanism, secret, port=doors.refusing("pop3", name), status=LOGIN_DENIED)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_not_offered_for_sending(doors: Doors, desk: Desk, mechanism: str) -> None:
    secret, port = doors.secret(ANN, mechanism), doors.refusing("submission", mechanism)
    with doors.hears_nothing():
        smtp(desk, doors, mechanism, secret, port=port, status=LOGIN_DENIED)
    assert doors.server.messages() == []
