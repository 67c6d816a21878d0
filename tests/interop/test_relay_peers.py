"""Postfix, OpenSMTPD and Exim take mail from us: under TLS, octet for octet, what they refuse comes back
(issue 6, rows S-B02, Q-02, Q-10, M-10, T-07)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pytest

from tests.interop.letters import PLAIN
from tests.interop.lineup import NAMES, WITHOUT, Lineup
from tests.interop.peers import ANN, JOE, LATER, NAME, NOBODY, SIZE, Peer
from tests.interop.postfix import needs_postfix
from tests.system.clients import within
from tests.system.harness import PATIENCE, Server
from tests.system.load import Letter
from tests.system.outgoing import SOON, HandIn, forget_letters, hand_in, reports, submit, to_others, told
from tests.zones import Net

WRITER = "ann@example.test"
"""Whose letter PLAIN is."""
_RELAY = """
[[relay]]
match = ["example.org"]
host = "{name}"
port = {port}
tls = "{tls}"
{more}
"""


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    with Net() as running:
        running.host(NAME, "127.0.0.1")
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, net: Net) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    with contextlib.closing(server):
        yield to_others(server, net, 25, SOON).start()


@pytest.fixture
def sender(running: Server) -> Server:
    """The server that sends; there are no old letters in it."""
    forget_letters(running, WRITER)
    running.control.post("/v1/queue/remove", {"all": True})
    return running


def send_to(sender: Server, net: Net, port: int, lineup: Lineup, tls: str = "required-starttls") -> None:
    """From now on its mail for example.org goes there; the certificate has to be right where there is TLS."""
    more = f'verify = true\nca_file = "{lineup.authority.file}"' if tls == "required-starttls" else ""
    relays = _RELAY.format(name=NAME, port=port, tls=tls, more=more)
    to_others(sender, net, 25, SOON, relays=relays)
    sender.reload()


def new_ones(peer: Peer, before: int, count: int = 1, local: str = "joe") -> Sequence[bytes]:
    """So many, once they are there."""

    def look() -> Sequence[bytes]:
        messages = peer.messages(local)[before:]
        assert len(messages) >= count, peer.said()
        return messages

    found = within(PATIENCE, look, AssertionError)
    assert len(found) == count
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_message_for_several(sender: Server, net: Net, lineup: Lineup, name: str) -> None:
    """Two get it, one is put off, one is unknown: each for itself."""
    peer = lineup.peer(name)
    send_to(sender, net, peer.port, lineup)
    before = {local: len(peer.messages(local)) for local in ("joe", "ann", "later")}
    submit(sender, PLAIN, JOE, ANN, LATER, NOBODY, sender=WRITER, mail=("BODY=8BITMIME",))
    for local in ("joe", "ann"):
        [message] = new_ones(peer, before[local], local=local)
        header, _, body = message.partition(b"\r\n\r\n")
        assert body == PLAIN.partition(b"\r\n\r\n")[2]
        assert b"with esmtps" in header.lower()

    def returned() -> None:
        [report] = reports(sender, WRITER)
        assert set(told(report)) == {NOBODY}
        assert told(report)[NOBODY]["action"] == "failed"

    within(PATIENCE, returned, ValueError)
    assert len(peer.messages("later")) == before["later"]


@pytest.mark.parametrize("name", NAMES)
def test_many_messages(sender: Server, net: Net, lineup: Lineup, name: str) -> None:
    peer = lineup.peer(name)
    send_to(sender, net, peer.port, lineup)
    before = len(peer.messages())
    letters = [Letter(f"{name}.{number}", (JOE,)) for number in range(100)]
    HandIn(sender, letters).run()
    messages = new_ones(peer, before, len(letters))
    for letter in letters:
        [message] = [each for each in messages if b"X-Load: %s\r\n" % letter.name.encode() in each]
        assert message.partition(b"\r\n\r\n")[2] == letter.text.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("name", NAMES)
def test_too_large(sender: Server, net: Net, lineup: Lineup, name: str) -> None:
    peer = lineup.peer(name)
    send_to(sender, net, peer.port, lineup)
    before = len(peer.messages())
    submit(sender, PLAIN + (b"x" * 76 + b"\r\n") * (SIZE // 60), JOE, sender=WRITER, mail=("BODY=8BITMIME",))

    def returned() -> None:
        [report] = reports(sender, WRITER)
        assert told(report)[JOE]["status"] == "5.3.4"

    within(PATIENCE, returned, ValueError)
    assert len(peer.messages()) == before


@pytest.mark.parametrize("name", ["postfix", "exim"])
def test_in_utf_8(sender: Server, net: Net, lineup: Lineup, name: str) -> None:
    """OpenSMTPD cannot."""
    peer = lineup.peer(name)
    send_to(sender, net, peer.port, lineup)
    before = len(peer.messages())
    letter = PLAIN.replace(b"A letter", "Grüße".encode())
    hand_in(sender, letter, JOE, sender="jürgen@elsewhere.example", mail=("SMTPUTF8", "BODY=8BITMIME"))
    [message] = new_ones(peer, before)
    assert "\r\nSubject: Grüße\r\n".encode() in message
    assert "jürgen@elsewhere.example".encode() in message


@pytest.mark.parametrize("word", [pytest.param(word, marks=needs_postfix) for word in WITHOUT])
def test_postfix_without_an_extension(sender: Server, net: Net, lineup: Lineup, word: str) -> None:
    """Octet for octet all the same; but 8 bits may have become 7 where it must be."""
    postfix = lineup.postfix()
    tls = "off" if word == "starttls" else "required-starttls"
    send_to(sender, net, postfix.ports_without[word], lineup, tls)
    before = len(postfix.messages())
    letter = PLAIN if word != "8bitmime" else PLAIN.replace("Grüße aus Köln".encode(), b"Greetings")
    hand_in(sender, letter, JOE, mail=("BODY=8BITMIME", "RET=FULL"))
    [message] = new_ones(postfix, before)
    assert message.endswith(letter)


@pytest.mark.parametrize("word", [pytest.param("dsn", marks=needs_postfix)])
def test_the_last_server_that_knows_dsn_says_so(sender: Server, net: Net, lineup: Lineup, word: str) -> None:
    """Row M-10: where the next one does not, a sender who asked for it hears that the mail was passed on."""
    postfix = lineup.postfix()
    send_to(sender, net, postfix.ports_without[word], lineup)
    before = len(postfix.messages())
    submit(sender, PLAIN, JOE, sender=WRITER, mail=("BODY=8BITMIME",), rcpt=("NOTIFY=SUCCESS",))
    new_ones(postfix, before)

    def relayed() -> None:
        [report] = reports(sender, WRITER)
        assert told(report)[JOE]["action"] == "relayed"

    within(PATIENCE, relayed, ValueError)
