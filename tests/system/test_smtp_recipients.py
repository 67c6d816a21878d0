"""Who gets a message of many recipients, each of whom has an answer of their own (features rows M-16, M-20,
L-03, L-07, S-B02, and reliability.md section 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.system.clients import Client, connect, pid_of, resident_octets, smtp
from tests.system.harness import LIMITS, LISTENERS, Server
from tests.system.letters import (
    ANN,
    BOB,
    JOE,
    TAKEN,
    bdat,
    data,
    envelope,
    files,
    rcpt,
    reached,
    stuffed,
    submitting,
    the_one,
    values,
)

MAX_GROWTH = 24 << 20
"""What an attack may cost in memory (reliability.md section 2)."""
FULL, OFF, AWAY, IDN = "full@example.test", "off@example.test", "away@example.test", "jörg@xn--kse-qla.test"
EVERYBODY = (JOE, ANN, BOB, FULL, OFF, AWAY, IDN)
DOORS = """
[[listener]]
name    = "lmtp"
service = "lmtp"
bind    = ["127.0.0.1"]
port    = 0

[[listener]]
name    = "generous"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
max_recipients = 1000
"""
DOMAINS = """
aliases = { team = ["joe", "ann"], mixed = ["joe", "full"], out = "eve@elsewhere.example", bin = ":discard" }
[[domain]]
name = "same.test"
same_as = "example.test"
[[domain]]
name = "käse.test"
"""
OK, UNKNOWN, OVER, REMOTE, DISABLED = (
    b"250 2.1.5 ",
    b"550 5.1.1 ",
    b"452 4.2.2 ",
    b"550 5.7.1 ",
    b"550 5.2.1 ",
)
TOO_MANY, STRANDED = b"452 4.5.3 ", b"451 4.3.5 "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = LIMITS.replace("[submission]\n", '[submission]\nrate_per_account = "0"\n')
    running = Server(tmp_path_factory.mktemp("recipients"), extra, LISTENERS + DOORS, domain=DOMAINS)
    running.more = "".join(
        (
            running.account(FULL, 'quota = "0,1"'),
            running.account(OFF, 'state = "off"'),
            running.account(AWAY, 'state = "forward"', f'forward = "{BOB}"'),
            running.account("jörg@käse.test"),
        )
    )
    with running:
        with smtp(running) as client:
            envelope(client, FULL)
            assert data(client, b"Subject: fill\r\n\r\n").startswith(TAKEN)
        yield running
        assert [line for line in running.logged().splitlines() if " error " in line] == []


def letter(text: str) -> bytes:
    return f"Subject: {text}\r\n\r\n.\r\n{text}\r\n".encode()


def lmtp(server: Server) -> Client:
    client = connect(server, "lmtp")
    client.line()
    client.say(b"LHLO client.example", b"250")
    return client


# Everything in one transaction

MIXED: list[tuple[str, bytes]] = [
    ("nobody@example.test", UNKNOWN),
    (JOE, OK),
    (FULL, OVER),
    ("eve@elsewhere.example", REMOTE),
    (OFF, DISABLED),
    ("team@example.test", OK),
    ("mixed@example.test", OVER),
    ("out@example.test", STRANDED),
    (AWAY, OK),
    ("joe+tag@same.test", OK),
    ("bin@example.test", OK),
    ("nobody@same.test", UNKNOWN),
    ("joe%elsewhere.example@example.test", UNKNOWN),
    ("@elsewhere.example:bob@example.test", OK),
]
TO_WHOM = {JOE: 1, ANN: 1, BOB: 1}


def pipelined(client: Client, text: str, end: Callable[[Client, bytes], bytes]) -> tuple[list[bytes], bytes]:
    """All in one segment, up to DATA or BDAT."""
    commands = b"".join(b"RCPT TO:<%s>\r\n" % name.encode() for name, _ in MIXED)
    client.send(b"MAIL FROM:<joe@example.test>\r\n" + commands)
    client.reply()
    return [client.reply()[:10] for _ in MIXED], end(client, letter(text))


def one_by_one(client: Client, text: str, end: Callable[[Client, bytes], bytes]) -> tuple[list[bytes], bytes]:
    client.say(b"MAIL FROM:<joe@example.test>", b"250")
    return rcpt(client, *(name for name, _ in MIXED)), end(client, letter(text))


@pytest.mark.parametrize("end", [data, bdat])
@pytest.mark.parametrize("how", [one_by_one, pipelined])
@pytest.mark.parametrize("door", ["mx", "submissions"])
def test_each_recipient_has_a_truthful_answer(
    server: Server, door: str, how: Callable[..., tuple[list[bytes], bytes]], end: Callable[..., bytes]
) -> None:
    """And the message reaches exactly those who were accepted, once each."""
    text = f"mixed {door} {how.__name__} {end.__name__}."
    opened = smtp(server) if door == "mx" else submitting(server)
    with opened as client:
        answers, last = how(client, text, end)
        client.say(b"NOOP", b"250")
    assert list(zip([name for name, _ in MIXED], answers, strict=True)) == MIXED
    assert last.startswith(TAKEN)
    assert reached(server, text.encode(), *EVERYBODY) == TO_WHOM


def test_each_recipient_of_lmtp(server: Server) -> None:
    """The same answers, and behind the message one for each that was accepted, in order (RFC 2033)."""
    with lmtp(server) as client:
        client.say(b"MAIL FROM:<joe@example.test>", b"250")
        answers = rcpt(client, *(name for name, _ in MIXED))
        assert list(zip([name for name, _ in MIXED], answers, strict=True)) == MIXED
        client.say(b"DATA", b"354")
        client.send(stuffed(letter("mixed lmtp.")) + b".\r\n")
        assert [client.reply()[:10] for _ in range(answers.count(OK))] == [TAKEN] * answers.count(OK)
        client.say(b"NOOP", b"250")
    assert reached(server, b"mixed lmtp.", *EVERYBODY) == TO_WHOM


def test_who_turns_out_to_be_full_keeps_it_from_all(server: Server) -> None:
    """Nothing was promised by SIZE, so RCPT could not know. In SMTP there is one answer, and so one fate; in
    LMTP each has their own (row M-20)."""
    small = "small@example.test"
    server.control.post("/v1/accounts", {"address": small, "without_password": True})
    server.control.patch(f"/v1/accounts/{small}", {"quota": "3KiB"})
    server.control.post("/v1/aliases", {"address": "list@example.test", "targets": [ANN, small]})
    big = letter("too much for one.") + b"y" * 3000 + b"\r\n"
    everywhere = (*EVERYBODY, small)
    for recipients in ((JOE, small), ("list@example.test",), (JOE, "list@example.test")):
        before = files(server, everywhere)
        with smtp(server) as client:
            envelope(client, *recipients)
            assert data(client, big).startswith(OVER)
            envelope(client, *recipients)
            assert bdat(client, big[:50], big[50:]).startswith(OVER)
        assert files(server, everywhere) == before
    with lmtp(server) as client:
        envelope(client, JOE, small, "list@example.test", BOB)
        client.say(b"DATA", b"354")
        client.send(stuffed(big) + b".\r\n")
        assert [client.reply()[:10] for _ in range(4)] == [TAKEN, OVER, OVER, TAKEN]
    assert reached(server, b"too much for one.", *everywhere) == {JOE: 1, ANN: 1, BOB: 1}


def test_a_domain_and_a_name_in_all_their_forms(server: Server) -> None:
    """A-label and U-label, composed and decomposed: one mailbox, one copy (row M-05)."""
    forms = [IDN, "jo\u0308rg@käse.test", "jörg@ka\u0308se.test", "JÖRG@KÄSE.test", "jörg@käse.test"]
    with smtp(server) as client:
        envelope(client, *forms, words=b" SMTPUTF8")
        assert data(client, letter("in all forms.")).startswith(TAKEN)
        client.say(b"MAIL FROM:<>", b"250")
        assert rcpt(client, IDN, JOE) == [b"553 5.6.7 ", OK]
        client.say(b"RSET", b"250")
        client.say(b"MAIL FROM:<> SMTPUTF8", b"250")
        for lookalike in ("j\u043ee@example.test", "joe@ex\u0430mple.test", "joe@\u0435xample.test"):
            assert rcpt(client, lookalike)[0] in {UNKNOWN, REMOTE}
    assert reached(server, b"in all forms.", *EVERYBODY) == {IDN: 1}


def test_a_second_transaction_knows_nothing_of_the_first(server: Server) -> None:
    for end in (b"RSET", b"EHLO again.example", b"HELO again.example"):
        text = f"after {end.decode()}."
        with smtp(server) as client:
            envelope(client, JOE, BOB)
            client.say(end, b"250")
            client.say(b"DATA", b"503")
            client.say(b"RCPT TO:<joe@example.test>", b"503")
            envelope(client, ANN, sender="second@elsewhere.example")
            assert data(client, letter(text)).startswith(TAKEN)
        assert reached(server, text.encode(), *EVERYBODY) == {ANN: 1}
        assert values(the_one(server, ANN, text.encode()), "Return-Path") == [b"<second@elsewhere.example>"]


# Very many


def test_a_whole_transaction_in_one_segment(server: Server) -> None:
    """A hundred recipients, the message and the next transaction, and not one answer is lost."""
    names = [f"joe+{number}@example.test" for number in range(99)] + [ANN, BOB, "nobody@example.test"]
    one = b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<%s>\r\n" % name.encode() for name in names) + b"DATA\r\n"
    with smtp(server) as client:
        for number in range(2):
            text = f"in one segment {number}."
            client.send(one)
            answers = [client.reply()[:10] for _ in range(len(names) + 2)]
            assert answers == [b"250 2.1.0 ", *[OK] * 100, TOO_MANY, TOO_MANY, b"354 Go ahe"]
            client.send(stuffed(letter(text)) + b".\r\n")
            assert client.reply().startswith(TAKEN)
            assert reached(server, text.encode(), *EVERYBODY) == {JOE: 1, ANN: 1}


@pytest.mark.parametrize("name", [b"ann@example.test", b"nobody%d@example.test", b"eve%d@elsewhere.example"])
def test_twenty_thousand_recipients(server: Server, name: bytes) -> None:
    """It is over long before, and costs no memory."""
    process = pid_of(server)
    before = peak = resident_octets(process)
    names = [name % number if b"%d" in name else name for number in range(20_000)]
    with smtp(server) as client:
        client.say(b"MAIL FROM:<>", b"250")
        answers: list[bytes] = []
        try:
            for start in range(0, len(names), 500):
                client.send(b"".join(b"RCPT TO:<%s>\r\n" % each for each in names[start : start + 500]))
                answers += [client.reply() for _ in range(500)]
                peak = max(peak, resident_octets(process))
        except ConnectionError:
            pass
        answers += client.read[-500:]
    said = [answer for answer in answers if answer]
    assert len(said) < 5_000
    assert any(answer.startswith(b"421 4.7.0 ") for answer in said)
    assert sum(answer.startswith(b"250") for answer in client.read) <= 200
    assert peak - before < MAX_GROWTH


def test_a_client_that_is_over_the_limit_may_go_on(server: Server) -> None:
    """452 is for it to come again (RFC 5321 section 4.5.3.1.10): hundreds of it are borne, and the first
    hundred get the message."""
    with smtp(server) as client:
        client.say(b"MAIL FROM:<>", b"250")
        answers = rcpt(client, *[f"ann+{number}@example.test" for number in range(600)])
        assert answers == [OK] * 100 + [TOO_MANY] * 500
        assert data(client, letter("beyond a hundred.")).startswith(TAKEN)
    assert reached(server, b"beyond a hundred.") == {ANN: 1}


def test_a_thousand_where_a_listener_says_so(server: Server) -> None:
    with smtp(server, "generous") as client:
        client.say(b"MAIL FROM:<>", b"250")
        names = [f"ann+{number}@example.test" for number in range(1000)]
        client.send(b"".join(b"RCPT TO:<%s>\r\n" % name.encode() for name in names))
        assert {client.reply()[:10] for _ in names} == {OK}
        client.say(b"RCPT TO:<joe@example.test>", TOO_MANY)
        assert data(client, letter("a thousand.")).startswith(TAKEN)
    assert reached(server, b"a thousand.") == {ANN: 1}


def test_refusals_that_are_temporary_come_to_an_end_too(server: Server) -> None:
    """Whoever asks a thousand times for a mailbox that is full is no mail server."""
    with smtp(server) as client:
        client.say(b"MAIL FROM:<>", b"250")
        said: list[bytes] = []
        while len(said) < 3000 and not (said and said[-1].startswith(b"421")):
            said.append(client.say(b"RCPT TO:<full@example.test>"))
    assert said[:500] == [said[0]] * 500
    assert said[-1].startswith(b"421 4.7.0 ")
