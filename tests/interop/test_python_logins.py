"""Python's smtplib and poplib, and scramp on raw sockets for what they do not know."""

from __future__ import annotations

import contextlib
import poplib
import smtplib
from collections.abc import Callable, Iterator

import pytest

from tests.interop.doors import ANN, JOE, Doors
from tests.interop.letters import PLAIN, split_trace
from tests.system.harness import PATIENCE


@contextlib.contextmanager
def submission(doors: Doors, port: int, password: str) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP_SSL("127.0.0.1", port, timeout=PATIENCE, context=doors.server.tls()) as client:
        client.ehlo("client.example")
        client.user, client.password = ANN, password
        yield client


def authenticate(client: smtplib.SMTP, mechanism: str, initial: bool) -> tuple[int, bytes]:
    way: Callable[[bytes | None], str] = getattr(client, f"auth_{mechanism.lower().replace('-', '_')}")
    return client.auth(mechanism, way, initial_response_ok=initial)


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_smtplib(doors: Doors, mechanism: str, initial: bool) -> None:
    port, secret = doors.server.ports["submissions"], doors.secret(ANN, mechanism)
    with doors.lets_in("submission", ANN, mechanism), submission(doors, port, secret) as client:
        assert authenticate(client, mechanism, initial)[0] == 235
        assert client.sendmail(ANN, [JOE], PLAIN) == {}
    [message] = doors.server.messages()
    assert split_trace(message)[1] == PLAIN


def test_smtplib_chooses(doors: Doors) -> None:
    """It takes CRAM-MD5 first, with which an account's own password never works, and then what does."""
    port = doors.server.ports["submissions"]
    with submission(doors, port, "") as client:
        assert client.login(ANN, doors.secret(ANN, "PLAIN"))[0] == 235
    with doors.lets_in("submission", ANN, "CRAM-MD5"), submission(doors, port, "") as client:
        assert client.login(ANN, doors.secret(ANN, "CRAM-MD5"))[0] == 235


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_smtplib_with_a_wrong_password(doors: Doors, mechanism: str) -> None:
    reason = "wrong-digest" if mechanism == "CRAM-MD5" else "wrong-password"
    with (
        doors.refuses(reason),
        submission(doors, doors.server.ports["submissions"], "wrong") as client,
        pytest.raises(smtplib.SMTPAuthenticationError) as refused,
    ):
        authenticate(client, mechanism, True)
    assert refused.value.smtp_code == 535


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_smtplib_where_it_is_not_offered(doors: Doors, mechanism: str) -> None:
    port, secret = doors.refusing("submission", mechanism), doors.secret(ANN, mechanism)
    with (
        doors.hears_nothing(),
        submission(doors, port, secret) as client,
        pytest.raises(smtplib.SMTPAuthenticationError) as refused,
    ):
        authenticate(client, mechanism, False)
    assert refused.value.smtp_code == 504


def pop3(doors: Doors, listener: str) -> contextlib.closing[poplib.POP3]:
    port = doors.server.ports[listener]
    if listener == "pop3":
        return contextlib.closing(poplib.POP3("127.0.0.1", port, timeout=PATIENCE))
    context = doors.server.tls()
    return contextlib.closing(poplib.POP3_SSL("127.0.0.1", port, timeout=PATIENCE, context=context))


@pytest.mark.parametrize("listener", ["pop3", "pop3s"])
def test_apop_of_poplib(doors: Doors, listener: str) -> None:
    doors.server.deliver(PLAIN)
    with doors.lets_in("pop3", JOE, "APOP"), pop3(doors, listener) as client:
        client.apop(JOE, doors.secret(JOE, "APOP"))
        assert client.stat()[0] == 1
        client.quit()


def test_apop_of_poplib_with_a_wrong_password(doors: Doors) -> None:
    with doors.refuses("wrong-digest"), pop3(doors, "pop3") as client:
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            client.apop(JOE, "wrong")
        client.quit()


def test_apop_of_poplib_where_it_is_not_offered(doors: Doors) -> None:
    """There is no stamp in the greeting, which poplib notices by itself."""
    with doors.hears_nothing(), pop3(doors, "pop3-shown") as client:
        with pytest.raises(poplib.error_proto, match="not supported"):
            client.apop(JOE, doors.secret(JOE, "APOP"))
        client.quit()
