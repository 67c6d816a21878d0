"""gsasl, the command line of GNU SASL: SMTP alone, and the only foreign client here with channel binding."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.doors import ANN, Doors
from tests.interop.programs import Desk, Done, needs
from tests.system.harness import PATIENCE

pytestmark = needs("gsasl")

MECHANISMS = ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5")
BOUND = "SCRAM-SHA-256-PLUS"
TLS_1_2 = ("--priority", "NORMAL:-VERS-TLS1.3")
NO_BINDING = ("--no-cb",)
FAILED = 1


def unbound(mechanism: str) -> tuple[str, ...]:
    """gsasl does no SCRAM that binds to no channel where it could bind, unless it is told not to."""
    return NO_BINDING if mechanism in {"SCRAM-SHA-1", "SCRAM-SHA-256"} else ()


@contextlib.contextmanager
def ahead_of(port: int) -> Iterator[int]:
    """A port that leads to *port*, with another line behind STARTTLS.

    gsasl 2.2.0 finds STARTTLS only where it is not the last line of the answer to EHLO, and with --starttls
    it leaves EHLO out, which we refuse. What passes after 220 is TLS, and is passed on as it is.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        thread = threading.Thread(target=_pass_on, args=(listening, port))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            thread.join(PATIENCE)
            assert not thread.is_alive()


def _pass_on(listening: socket.socket, port: int) -> None:
    client, _ = listening.accept()
    with client, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as server:
        client.settimeout(PATIENCE)
        up = threading.Thread(target=_pump, args=(client, server, b"", b""))
        up.start()
        _pump(server, client, b"250 STARTTLS\r\n", b"250-STARTTLS\r\n250 HELP\r\n")
        up.join(PATIENCE)


def _pump(source: socket.socket, target: socket.socket, known: bytes, instead: bytes) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data.replace(known, instead) if known else data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def gsasl(
    desk: Desk,
    doors: Doors,
    mechanism: str,
    password: str,
    *more: str | Path,
    listener: str = "submission",
    status: int = 0,
) -> Done:
    with ahead_of(doors.server.ports[listener]) as port:
        return desk.run(
            *("gsasl", "--smtp", "--verbose", "--connect", f"localhost:{port}"),
            *("--x509-ca-file", doors.server.certificate),
            *("--mechanism", mechanism, "--authentication-id", ANN, "--password", password),
            *more,
            status=status,
        )


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_logging_in(doors: Doors, desk: Desk, mechanism: str) -> None:
    with doors.lets_in("submission", ANN, mechanism):
        gsasl(desk, doors, mechanism, doors.secret(ANN, mechanism), *unbound(mechanism))


def test_channel_binding_of_tls_1_3(doors: Doors, desk: Desk) -> None:
    """It binds by tls-exporter (RFC 9266), and the server's signature satisfies it."""
    with doors.lets_in("submission", ANN, BOUND):
        said = gsasl(desk, doors, BOUND, doors.secret(ANN, BOUND)).said
    assert "AUTH SCRAM-SHA-256-PLUS" in said


def test_channel_binding_by_the_best_mechanism(doors: Doors, desk: Desk) -> None:
    """Left to choose, it takes the bound mechanism."""
    with doors.lets_in("submission", ANN, BOUND), ahead_of(doors.server.ports["submission"]) as port:
        desk.run(
            *("gsasl", "--smtp", "--verbose", "--connect", f"localhost:{port}"),
            *("--x509-ca-file", doors.server.certificate),
            *("--authentication-id", ANN, "--password", doors.secret(ANN, BOUND)),
        )


def test_channel_binding_of_tls_1_2(doors: Doors, desk: Desk) -> None:
    """On TLS 1.2 it has nothing but tls-unique, which RFC 9266 retires and we do not do."""
    with doors.hears_nothing():
        gsasl(desk, doors, BOUND, doors.secret(ANN, BOUND), *TLS_1_2, status=FAILED)


@pytest.mark.parametrize("mechanism", [*MECHANISMS, BOUND])
def test_a_wrong_password(doors: Doors, desk: Desk, mechanism: str) -> None:
    reason = "wrong-proof" if mechanism.startswith("SCRAM") else "wrong-password"
    with doors.refuses("wrong-digest" if mechanism == "CRAM-MD5" else reason):
        gsasl(desk, doors, mechanism, "wrong", *unbound(mechanism), status=FAILED)
