"""The control socket's client: every way in which the other side can be away, slow or wrong."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mailsuite.cli.context import NotReachable
from mailsuite.cli.control import Control, NotRunning, Refused, resource
from tests.cli.control_double import ControlDouble


def test_every_method_sends_its_body_and_answers_the_document(control: ControlDouble) -> None:
    client = Control(control.path)
    for method, call in (
        ("GET", lambda: client.get("/v1/x")),
        ("POST", lambda: client.post("/v1/x", {"ü": 1})),
        ("PUT", lambda: client.put("/v1/x", {"a": None})),
        ("PATCH", lambda: client.patch("/v1/x", {})),
        ("DELETE", lambda: client.delete("/v1/x")),
    ):
        control.answers[f"{method} /v1/x"] = (200, {"did": method})
        assert call() == {"did": method}
    assert control.requests == [
        ("GET", "/v1/x", None),
        ("POST", "/v1/x", {"ü": 1}),
        ("PUT", "/v1/x", {"a": None}),
        ("PATCH", "/v1/x", {}),
        ("DELETE", "/v1/x", None),
    ]


@pytest.mark.parametrize(
    ("status", "document", "words"),
    [
        (404, {"error": "no such thing\x07"}, r"no such thing\x07"),
        (422, {"problems": []}, "the server answered HTTP status 422"),
        (500, b"<html>", "the server answered HTTP status 500"),
        (200, b"", "the server answered HTTP status 200"),
        (200, [1], "the server answered HTTP status 200"),
    ],
)
def test_what_is_refused(control: ControlDouble, status: int, document: object, words: str) -> None:
    control.answers["GET /v1/x"] = (status, document)
    with pytest.raises(Refused) as caught:
        Control(control.path).get("/v1/x")
    assert caught.value.message == words
    assert (caught.value.status, caught.value.exit_code) == (status, 1)


def test_a_resource_keeps_octets_that_are_no_text() -> None:
    """A name on the command line may be anything; the server says what is wrong with it."""
    assert resource("accounts", "a/b?\udcff@x.test") == "/v1/accounts/a%2Fb%3F%FF@x.test"


def test_nobody_is_there(place: Path) -> None:
    missing = place / "none.sock"
    left = place / "left.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    for path in (missing, left):
        assert not Control(path).is_listening()
        with pytest.raises(NotRunning) as caught:
            Control(path).get("/v1/status")
        assert caught.value.exit_code == 3
        assert caught.value.message == (
            f"mailsuite is not running (tried {path}); start it with: systemctl start mailsuite"
        )


def test_somebody_listens(control: ControlDouble) -> None:
    assert Control(control.path).is_listening()
    assert control.requests == []


def test_a_path_that_is_no_socket(place: Path) -> None:
    (place / "file").mkdir()
    for path in (place / ("x" * 120), place / "file" / "..\x1b" / "s"):
        with pytest.raises(NotReachable) as caught:
            Control(path).get("/v1/status")
        assert caught.value.exit_code == 3
        assert caught.value.message.isprintable()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to become somebody who may not")
def test_no_permission_is_not_the_same_as_not_running(place: Path) -> None:
    path = place / "theirs.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(1)
        path.chmod(0o600)
        place.chmod(0o755)
        child = os.fork()
        if child == 0:
            try:
                os.setuid(65534)
                Control(path).is_listening()
            except NotReachable as error:
                os._exit(7 if "permission denied" in error.message and error.exit_code == 3 else 8)
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def answering(place: Path, answer: Callable[[socket.socket], None]) -> tuple[Path, threading.Thread]:
    path = place / "odd.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(1)

    def serve() -> None:
        with listening:
            connection, _ = listening.accept()
            with connection:
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    return path, thread


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "no answer from"),
        (b"\x1b[2J nonsense\r\n\r\n", "no answer from"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "no answer from"),
    ],
)
def test_the_other_side_talks_nonsense(place: Path, octets: bytes, words: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(octets)

    path, thread = answering(place, answer)
    with pytest.raises(NotReachable) as caught:
        Control(path).get("/v1/status")
    thread.join()
    assert words in caught.value.message
    assert caught.value.message.isprintable()
    assert not isinstance(caught.value, NotRunning)


def test_the_other_side_is_silent(place: Path) -> None:
    done = threading.Event()

    def answer(connection: socket.socket) -> None:
        done.wait(20)

    path, thread = answering(place, answer)
    with pytest.raises(NotReachable, match=r"nothing came from .* for 0.05 s"):
        Control(path, timeout=0.05).get("/v1/status")
    done.set()
    thread.join()


def test_an_answer_without_end_is_cut(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailsuite.cli.control.MAX_ANSWER_OCTETS", 100)

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + b" " * 200)

    path, thread = answering(place, answer)
    with pytest.raises(NotReachable, match="too long"):
        Control(path).get("/v1/status")
    thread.join()


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("accounts",), "/v1/accounts"),
        (("accounts", "joe+x@example.test"), "/v1/accounts/joe%2Bx@example.test"),
        (("accounts", "../a b?#%\r\n", "password"), "/v1/accounts/..%2Fa%20b%3F%23%25%0D%0A/password"),
    ],
)
def test_a_part_cannot_leave_its_place(parts: tuple[str, ...], path: str) -> None:
    assert resource(*parts) == path
