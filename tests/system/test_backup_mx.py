"""Mail for domains elsewhere, brought by strangers: as their backup MX, and as the gateway in front of their
server (features row Q-11)."""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.offer import Offer
from tests.sinks.sink import Sink
from tests.system.clients import within
from tests.system.harness import LIMITS, PATIENCE, Server
from tests.system.outgoing import SENDER, SOON, Shore, as_sent, to_others
from tests.system.test_relay import REFUSED, UNLISTED, session
from tests.zones import Exchanger, Net

LETTER = b"From: Ann <sender@elsewhere.example>\r\nSubject: x\r\n\r\nHello.\r\n"
GATE = "127.0.0.240"
DOMAINS = 'relay_domains = ["*.backup.example", "gate.example", "office.example"]'
RELAYS = """
[[relay]]
match = ["gate.example"]
host = "{host}"
port = {smtp}
[[relay]]
match = ["office.example"]
host = "{host}"
port = {lmtp}
transport = "lmtp"
"""


@pytest.fixture(scope="module")
def inside() -> Iterator[dict[str, Sink]]:
    """The servers behind this one."""
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(Sink({}, Offer(lmtp=name == "lmtp"), (GATE,)))
            for name in ("smtp", "lmtp")
        }


@pytest.fixture(scope="module")
def shore(tmp_path_factory: pytest.TempPathFactory, inside: dict[str, Sink]) -> Iterator[Shore]:
    with Net() as net, contextlib.closing(Server(tmp_path_factory.mktemp("server"))) as server:
        shore = Shore(server, net)
        relays = RELAYS.format(host=GATE, **{name: sink.port for name, sink in inside.items()})
        to_others(server, net, shore.port, SOON, relays=relays)
        server.extra = server.extra.replace("[smtp]\n", f"[smtp]\n{DOMAINS}\n")
        server.start()
        yield shore


def backed_up(shore: Shore, name: str, best: str = "", worse: str = "") -> str:
    """A domain whose second MX is this server."""
    domain = f"{name}.backup.example"
    exchangers = [Exchanger(20, "mail.example.test", ("127.0.0.1",))]
    exchangers += [Exchanger(10, f"mx1.{domain}", (best,))] if best else []
    exchangers += [Exchanger(30, f"mx3.{domain}", (worse,))] if worse else []
    shore.net.domain(domain, *exchangers)
    return domain


def withheld(shore: Shore, words: str) -> None:
    """The postmaster is to hear of it, and nobody else."""

    def told() -> None:
        lines = shore.server.logged().splitlines()
        [failed] = [line for line in lines if "relay.given_up" in line and words in line]
        [id] = [word for word in failed.split() if word.startswith("id=")]
        assert any("notice.withheld" in line and id in line for line in lines)

    within(PATIENCE, told, AssertionError, ValueError)


def test_to_the_better_exchanger(shore: Shore) -> None:
    best, worse = shore.address(), shore.address()
    with (
        Sink({}, Offer(), (best,), port=shore.port) as first,
        Sink({}, Offer(), (worse,), port=shore.port) as last,
    ):
        domain = backed_up(shore, "up", best, worse)
        shore.server.deliver(LETTER, f"a@{domain}", f"b@{domain}")
        [message] = first.record.until_taken(1)
        assert message.taken_for == (f"a@{domain}", f"b@{domain}")
        as_sent(message, LETTER)
        assert last.record.sessions == ()


def test_it_waits_for_the_better_one_and_never_takes_a_worse(shore: Shore) -> None:
    best, worse = shore.address(), shore.address()
    with Sink({}, Offer(), (worse,), port=shore.port) as last:
        domain = backed_up(shore, "down", best, worse)
        shore.server.deliver(LETTER, f"a@{domain}")

        def put_off() -> None:
            assert [
                1
                for line in shore.server.logged().splitlines()
                if "relay.deferred" in line and domain in line
            ]

        within(PATIENCE, put_off, AssertionError)
        with Sink({}, Offer(), (best,), port=shore.port) as first:
            [message] = first.record.until_taken(1)
        assert message.taken_for == (f"a@{domain}",)
        assert last.record.sessions == ()


def test_where_we_are_the_best_it_goes_in_no_circle(shore: Shore) -> None:
    worse = shore.address()
    with Sink({}, Offer(), (worse,), port=shore.port) as last:
        domain = backed_up(shore, "mine", "", worse)
        shore.server.deliver(LETTER, f"a@{domain}")
        withheld(shore, f"a@{domain}")
        assert last.record.sessions == ()
    assert shore.server.logged().count("5.4.6") >= 1


@pytest.mark.parametrize(("domain", "behind"), [("gate.example", "smtp"), ("office.example", "lmtp")])
def test_in_front_of_another_server(shore: Shore, inside: dict[str, Sink], domain: str, behind: str) -> None:
    shore.server.deliver(LETTER, f"a@{domain}")
    [message] = inside[behind].record.until_taken(1)
    assert message.taken_for == (f"a@{domain}",)
    as_sent(message, LETTER)


def test_who_is_not_there_makes_no_backscatter(shore: Shore) -> None:
    with shore.place() as stranger, shore.place({"RCPT": "550 5.1.1 Nobody"}, domain="no.backup.example"):
        shore.server.deliver(LETTER, "nobody@no.backup.example", sender=stranger.at())
        withheld(shore, "nobody@no.backup.example")
        assert stranger.record.sessions == ()


@pytest.mark.parametrize("domain", ["backup.example", "sub.gate.example", "elsewhere.example"])
def test_nothing_else_opens(shore: Shore, domain: str) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"5\.7\.1 Relaying denied"):
        shore.server.deliver(LETTER, f"a@{domain}", sender=SENDER)


def test_a_list_of_those_who_exist(tmp_path: Path) -> None:
    """By a file; what route says of it is the same with the server and without."""
    (tmp_path / "there.list").write_text("ann@gate.example  # and nobody else\n")
    rules = 'relay_domains = ["gate.example"]\nrelay_recipient_files = ["there.list"]\n'
    extra = LIMITS.replace("[smtp]\n", f"[smtp]\n{rules}") + '[queue]\noutgoing = "hold"\n'
    question = ("route", "bob@gate.example", "--from", "198.51.100.9", "--listener", "mx")
    with Server(tmp_path, extra) as server:
        with session(server, "mx", UNLISTED, False) as client:
            client.say(b"MAIL FROM:<eve@elsewhere.example>", b"250")
            client.say(b"RCPT TO:<ann+shop@gate.example>", b"250 2.1.5")
            client.say(b"RCPT TO:<bob@gate.example>", b"550 5.1.1")
        assert "550 5.1.1 There is no mailbox of that name here" in server.cli(*question, status=1)
        server.stop()
        assert "550 5.1.1 There is no mailbox of that name here" in server.cli(*question, status=1)
        (tmp_path / "there.list").write_text("ann\n")
        assert "there.list:1: a domain with a dot in it is meant" in server.cli(*question, status=1)


def test_nothing_comes_of_any_trick(shore: Shore) -> None:
    for batch in range(0, len(REFUSED), 8):  # a client with too many errors is turned away
        with session(shore.server, "mx", UNLISTED, False) as client:
            client.say(b"MAIL FROM:<eve@elsewhere.example>", b"250")
            for recipient in REFUSED[batch : batch + 8]:
                reply = client.say(b"RCPT TO:" + recipient)
                assert reply[:1] == b"5", (recipient, reply)


def test_what_is_told_beforehand(shore: Shore) -> None:
    said = shore.server.cli("route", "a@gate.example", "--from", "198.51.100.9", "--listener", "mx")
    assert "250 2.1.5 Recipient OK" in said
