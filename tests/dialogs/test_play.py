"""The player of dialogues: a server that does anything but what the file says is found out."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from tests.dialogs.dialog import parse
from tests.dialogs.play import Cut, Mismatch, Missing, play

HEAD = "# title\nservice: pop3\n"


@attrs.define
class Parrot:
    """Answers each line of the client, and connecting, with what it was taught."""

    answers: Sequence[bytes]
    closes: bool = True
    sent: list[bytes] = attrs.field(factory=list)
    secured: int = 0
    connections: list[tuple[str, str]] = attrs.field(factory=list)
    _waiting: bytes = b""
    _given: int = 0

    def connect(self, service: str, tls: str, login: str) -> Parrot:
        self.connections.append((service, tls))
        self._answer()
        return self

    def _answer(self) -> None:
        if self._given < len(self.answers):
            self._waiting += self.answers[self._given]
            self._given += 1

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        for _ in range(data.count(b"\n")):
            self._answer()

    def line(self) -> bytes:
        line, end, rest = self._waiting.partition(b"\n")
        if not end:
            raise Missing("nothing")
        self._waiting = rest
        return line + end

    def unread(self) -> bytes:
        return self._waiting

    def start_tls(self) -> None:
        self.secured += 1

    def closed(self) -> None:
        if self._waiting or not self.closes:
            raise Missing(f"open: {self._waiting!r}")

    def close(self) -> None:
        """Nothing is held."""


def played(steps: str, *answers: bytes, cut: Cut = Cut.LINES, closes: bool = True) -> Parrot:
    parrot = Parrot(answers, closes)
    play(parse(HEAD + steps), parrot, cut)
    return parrot


def test_a_dialogue_that_goes_well() -> None:
    steps = (
        "S: +OK\nC: STLS\nS: +OK\nSTARTTLS\nC: A\nC: B\nS: a\nS: b\nCLOSED\nCONNECT smtp\nS: 220\nCLOSED\n"
    )
    parrot = played(steps, b"+OK\r\n", b"+OK\r\n", b"a\r\n", b"b\r\n", b"220\r\n")
    assert parrot.connections == [("pop3", "no"), ("smtp", "no")]
    assert parrot.secured == 1


@pytest.mark.parametrize(
    ("cut", "sent"),
    [
        (Cut.LINES, [b"A\r\n", b"B", b"C\r\n"]),
        (Cut.TOGETHER, [b"A\r\nBC\r\n"]),
        (Cut.OCTETS, [b"A", b"\r", b"\n", b"B", b"C", b"\r", b"\n"]),
    ],
)
def test_cuts(cut: Cut, sent: list[bytes]) -> None:
    assert played("C: A\nC+: B\nC: C\n", cut=cut).sent == sent


def test_lines_in_any_order() -> None:
    played("S*: a\nS*: c\nS!: d\nS: .\n", b"b\r\nc\r\na\r\n.\r\n")


def test_the_last_line_counts_among_them() -> None:
    played("S*: 250...B\nS: 250 ...\n", b"250-A\r\n250 B\r\n")


@pytest.mark.parametrize(
    ("steps", "answers", "reason"),
    [
        ("S: +OK\n", [], "nothing"),
        ("S: +OK\n", [b"-ERR\r\n"], "expected '+OK', got b'-ERR'"),
        ("S: +OK\n", [b"+OK\n"], "does not end with CRLF"),
        ("S: +OK\n", [b"+OK\r\n+OK\r\n"], r"the server has sent more: b'+OK\r\n'"),
        ("S: +OK\nC: x\nS: +OK\n", [b"+OK\r\n+OK\r\n"], "dialogue.txt:4 (lines): the server has sent more"),
        ("S: +OK\nCLOSED\n", [b"+OK\r\nx\r\n"], "dialogue.txt:4 (lines): open"),
        ("S*: a\nS: .\n", [b"b\r\n.\r\n"], "among these lines none fits 'a'"),
        ("S!: b...\nS: .\n", [b"bc\r\n.\r\n"], "this line must not come, for it fits 'b...': b'bc'"),
        ("S!: ...\nS: .\n", [b".\r\n"], "this line must not come"),
        ("S*: a\nS: .\n", [b"a\r\n"], "nothing"),
        ("S: {=one}\nS: {=one}\n", [b"a\r\nb\r\n"], "expected '{=one}', got b'b'"),
        ("S2: a\n", [b"a\r\nb\r\n"], "expected 'a', got b'b'"),
    ],
)
def test_what_goes_wrong(steps: str, answers: list[bytes], reason: str) -> None:
    with pytest.raises(Mismatch) as raised:
        played(steps, *answers)
    assert reason in str(raised.value)


def test_a_server_that_does_not_close() -> None:
    with pytest.raises(Mismatch, match="open"):
        played("S: +OK\nCLOSED\n", b"+OK\r\n", closes=False)


def test_the_message_shows_what_was_said() -> None:
    with pytest.raises(Mismatch) as raised:
        played("S: +OK\nC: STAT\nS: +OK\n", b"+OK\r\n", b"-ERR\r\n")
    assert "C: b'STAT\\r\\n'\n  S: b'-ERR\\r\\n'" in str(raised.value)
