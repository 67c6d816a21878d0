"""What the header filter lets through, takes out, and refuses."""

from __future__ import annotations

import time

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailsuite.delivery.header import HeaderFilter, HeaderLimits
from mailsuite.delivery.header_results import OwnResults
from mailsuite.delivery.letterhead import Letterhead
from mailsuite.model.address import Address
from mailsuite.model.facts import HeaderFacts
from mailsuite.model.reply import BARE_NEWLINE, HEADER_TOO_BIG, MAIL_LOOP, Reply

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.org")
OWN = OwnResults.of("mail.example.net")
LETTERHEAD = Letterhead(JOE, "mail.example.net", 1_700_000_000.0, "Joe Doe", "cafe")
SMALL = HeaderLimits(octets=40, fields=4, results=20, hops=2)


@attrs.frozen
class Outcome:
    octets: bytes
    facts: HeaderFacts | None
    defect: Reply | None


def through(filtered: HeaderFilter, *pieces: bytes) -> Outcome:
    octets = b"".join([filtered.feed(piece) for piece in pieces]) + filtered.finish()
    return Outcome(octets, filtered.facts, filtered.defect)


def received(message: bytes) -> bytes:
    outcome = through(HeaderFilter(OWN), message)
    assert outcome.defect is None
    assert outcome.facts is not None
    return outcome.octets


def known(filtered: HeaderFilter) -> bool:
    """Whether there are facts; one that holds is pending from then on."""
    return filtered.facts is not None


def noted(*fields: bytes) -> HeaderFilter:
    filtered = HeaderFilter(OWN)
    through(filtered, b"".join(field + b"\r\n" for field in fields) + b"\r\n")
    return filtered


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\r\n",
        b"\r\nText\r\n",
        b"\r\n\r\nText",
        b"Subject: x\r\n",
        b"Subject: x",
        b"Subject: x\r\n\r\n",
        b"Subject: x\r\n\r\nText\r\n\r\nFrom: not@a.field\r\nReturn-Path: <x@y>\r\n",
        b"Subject: x\r\n\r\nText without end",
        b"Subject: x\r\n folded\r\n\t twice\r\n \r\nTo : y\r\n\r\n\0\xff\r\n.\r\n",
        b"Bcc: x@example.org\r\n\r\nText\r\n",
        b"Authentication-Results: other.example; spf=fail\r\n\r\n",
        b"ARC-Authentication-Results: i=1; mail.example.net; none\r\nX-Return-Path: <x@y>\r\n\r\n",
        b"!#$%&'*+-/=?^_`{|}~: odd\r\n\r\n",
    ],
)
def test_octets_stay(message: bytes) -> None:
    assert received(message) == message


@pytest.mark.parametrize(
    ("message", "stored"),
    [
        (b"Return-Path: <x@y>\r\n\r\nText", b"\r\nText"),
        (b"Return-Path: <x@y>\r\n", b""),
        (b"A: 1\r\nRETURN-path\t : <x@y>\r\n\t<z>\r\nB: 2\r\n\r\nT", b"A: 1\r\nB: 2\r\n\r\nT"),
        (b"Return-Path: x\r\nA: 1\r\nReturn-Path:\r\n", b"A: 1\r\n"),
        (b"A: 1\r\nReturn-Path:", b"A: 1"),
        (
            b"Authentication-Results: x.example; none\r\nAuthentication-Results:\r\n MAIL.example.net 1;\r\n"
            b" dmarc=pass\r\nA: 1\r\n\r\nT",
            b"Authentication-Results: x.example; none\r\nA: 1\r\n\r\nT",
        ),
    ],
)
def test_what_others_must_not_write_goes(message: bytes, stored: bytes) -> None:
    assert received(message) == stored


@pytest.mark.parametrize(
    ("message", "stored"),
    [
        (b"Hello there\r\n", b"\r\nHello there\r\n"),
        (b"Hello", b"\r\nHello"),
        (b"Hello\r\n\r\nthere: x\r\n", b"\r\nHello\r\n\r\nthere: x\r\n"),
        (
            b" folded: under our own field\r\nA: 1\r\n\r\n",
            b"\r\n folded: under our own field\r\nA: 1\r\n\r\n",
        ),
        (b"A: 1\r\nnot a field\r\nFrom: ceo@x\r\n\r\nT", b"A: 1\r\n\r\nnot a field\r\nFrom: ceo@x\r\n\r\nT"),
        (b"A: 1\r\nFr\xf6m: x\r\n\r\n", b"A: 1\r\n\r\nFr\xf6m: x\r\n\r\n"),
        (b"A: 1\r\n: x\r\n folded\r\n", b"A: 1\r\n\r\n: x\r\n folded\r\n"),
        (b"A: 1\r\nFrom joe Mon Jan  1\r\nB: 2\r\n", b"A: 1\r\n\r\nFrom joe Mon Jan  1\r\nB: 2\r\n"),
        (b"Return-Path: x\r\ntext\r\n", b"\r\ntext\r\n"),
        (b"\nFrom: ceo@x\n\nT\r\n", b"\r\n\nFrom: ceo@x\n\nT\r\n"),
        (b"From joe Mon Jan  1\r\nB: 2\r\n\r\nT", b"X-Mailbox-Line: From joe Mon Jan  1\r\nB: 2\r\n\r\nT"),
        (b">From joe\r\n", b"X-Mailbox-Line: >From joe\r\n"),
    ],
)
def test_the_end_of_the_header_is_plain_to_everybody(message: bytes, stored: bytes) -> None:
    assert received(message) == stored


def test_facts() -> None:
    facts = noted(b"From: Joe <joe@example.net>, ann@example.org", b"sender : ann@example.org").facts
    assert facts == HeaderFacts((JOE, ANN), (ANN,), False)
    assert noted(b"Subject: x").facts == HeaderFacts()
    assert noted(b"From: joe@example.net", b"FROM: ann@example.org").facts == HeaderFacts(
        (JOE, ANN), (), True
    )
    assert noted(b"From: joe").facts == HeaderFacts((), (), True)
    two = noted(b"From: joe@example.net", b"Sender: ann@example.org", b"Sender: joe@example.net")
    assert two.facts == HeaderFacts((JOE,), (ANN, JOE), True)


def test_facts_are_there_with_the_end_of_the_header() -> None:
    filtered = HeaderFilter(OWN)
    assert filtered.feed(b"From: joe@example.net\r\n\r") == b""
    assert not known(filtered)
    assert filtered.feed(b"\n") == b"From: joe@example.net\r\n\r\n"
    assert filtered.facts == HeaderFacts((JOE,))
    assert filtered.feed(b"piece") == b"piece"
    assert filtered.finish() == b""


@pytest.mark.parametrize(
    ("fields", "may_fail"),
    [
        ([b"TLS-Required: No"], True),
        ([b"tls-required:no"], True),
        ([b"TLS-Required: yes"], False),
        ([b"TLS-Required: no", b"TLS-Required: no"], False),
        ([b"X-TLS-Required: no"], False),
    ],
)
def test_tls_required_no(fields: list[bytes], may_fail: bool) -> None:
    assert noted(*fields).tls_may_fail is may_fail


def test_delivered_to() -> None:
    filtered = noted(
        b"Delivered-To: Joe@EXAMPLE.net", "delivered-to: jo\u0308@example.net".encode(), b"X: ann"
    )
    assert filtered.has_been_at(JOE)
    assert filtered.has_been_at(Address("JOE", "example.net"))
    assert filtered.has_been_at(Address("jö", "example.net"))
    assert not filtered.has_been_at(ANN)
    assert not HeaderFilter(OWN).has_been_at(JOE)


@pytest.mark.parametrize(
    ("message", "defect"),
    [
        (b"Received: x\r\n" * 2 + b"\r\n", None),
        (b"Received: x\r\n" * 3 + b"\r\n", MAIL_LOOP),
        (b"received :x\r\n" * 3, MAIL_LOOP),
        (b"Received: x\r\n" * 2 + b"\r\nReceived: x\r\n", None),
        (b"A: 1\r\n" * 4 + b"\r\n", None),
        (b"A: 1\r\n" * 5 + b"\r\n", HEADER_TOO_BIG),
        (b"A: " + b"1" * 35 + b"\r\n\r\n", None),
        (b"A: " + b"1" * 36 + b"\r\n\r\n", HEADER_TOO_BIG),
        (b"A: " + b"1" * 36 + b"\r\n", HEADER_TOO_BIG),
        (b"A: " + b"1" * 36, None),
        (b"A: " + b"1" * 90, HEADER_TOO_BIG),
        (b"A: 1\r\n" + b"B: 2\r\n" + b"C" * 90 + b": 3\r\n\r\n", HEADER_TOO_BIG),
        (b"A: 1\r\n " + b"1" * 90, HEADER_TOO_BIG),
        (b"A: 1\r\nno\r\n field" + b"x" * 90, HEADER_TOO_BIG),
        (b"A: 1\r\nno field\r\n\r\n" + b"x" * 90, None),
        (b"A: 1\r\nno field\r\nx\r\n" + b"x" * 90, None),
        (b"x" * 90, None),
        (b"\r\n" + b"x" * 90, None),
        (b"A: 1\nFrom: ceo@x\r\n\r\n", BARE_NEWLINE),
        (b"A: 1\rFrom: ceo@x\r\n\r\n", BARE_NEWLINE),
        (b"A: 1\n\nT\r\n", BARE_NEWLINE),
        (b"A: 1\r\n\r\nT\n\r\r\n", None),
    ],
)
def test_limits(message: bytes, defect: Reply | None) -> None:
    filtered = HeaderFilter(OWN, SMALL)
    outcome = through(filtered, message)
    assert outcome.defect == defect
    if defect is not None:
        assert (outcome.octets, outcome.facts, filtered.feed(b"more")) == (b"", None, b"")
    else:
        assert outcome.octets.replace(b"\r\n", b"") == message.replace(b"\r\n", b"")


def test_results_have_a_limit() -> None:
    limits = attrs.evolve(SMALL, octets=4096)
    field = b"Authentication-Results: x.example;\r\n"
    assert through(HeaderFilter(OWN, limits), field + b"\r\n").defect is None
    assert through(HeaderFilter(OWN, limits), field * 2 + b"\r\n").defect == HEADER_TOO_BIG


def test_the_usual_limits() -> None:
    hop = b"Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\r\n"
    assert through(HeaderFilter(OWN), hop * 100 + b"\r\n").defect is None
    assert through(HeaderFilter(OWN), hop * 101 + b"\r\n").defect == MAIL_LOOP
    assert through(HeaderFilter(OWN), b"A: 1\r\n" * 2000 + b"\r\n").defect is None
    assert through(HeaderFilter(OWN), b"A: 1\r\n" * 2001 + b"\r\n").defect == HEADER_TOO_BIG
    assert through(HeaderFilter(OWN), b"A: " + b"1" * 262139 + b"\r\n\r\n").defect is None
    assert through(HeaderFilter(OWN), b"A: " + b"1" * 262140 + b"\r\n\r\n").defect == HEADER_TOO_BIG


def test_a_submission_is_completed() -> None:
    filtered = HeaderFilter(OWN, letterhead=LETTERHEAD)
    outcome = through(filtered, b"Subject: x\r\nBcc: ann@example.org,\r\n joe@example.net\r\n\r\nText\r\n")
    assert outcome.octets == (
        b"Subject: x\r\n"
        b"From: Joe Doe <joe@example.net>\r\n"
        b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
        b"Message-ID: <cafe@mail.example.net>\r\n"
        b"\r\nText\r\n"
    )
    assert outcome.facts == HeaderFacts((JOE,))


ADDED = (
    b"From: Joe Doe <joe@example.net>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
    b"Message-ID: <cafe@mail.example.net>\r\n"
)


@pytest.mark.parametrize(
    ("message", "stored"),
    [
        (b"", ADDED),
        (b"\r\n", ADDED + b"\r\n"),
        (b"\r\nText", ADDED + b"\r\nText"),
        (b"Text: x\r\n", b"Text: x\r\n" + ADDED),
        (b"Text: x", b"Text: x\r\n" + ADDED[:-2]),
        (b"Text\r\nFrom: ceo@x\r\n", ADDED + b"\r\nText\r\nFrom: ceo@x\r\n"),
        (b"Bcc: x\r\n\r\nText", ADDED + b"\r\nText"),
        (b"Bcc: x\r\n", ADDED),
        (b"bcc : x\r\nResent-Bcc: y\r\nA: 1\r\n\r\n", b"A: 1\r\n" + ADDED + b"\r\n"),
    ],
)
def test_submissions_of_any_shape(message: bytes, stored: bytes) -> None:
    assert through(HeaderFilter(OWN, letterhead=LETTERHEAD), message).octets == stored


def test_a_submission_that_lacks_nothing_stays_octet_for_octet() -> None:
    message = b"FROM : x\r\ndate:\r\nMessage-Id: y\r\nDKIM-Signature: v=1\r\n\r\nText\r\n"
    assert through(HeaderFilter(OWN, letterhead=LETTERHEAD), message).octets == message


def held(message: bytes) -> HeaderFilter:
    filtered = HeaderFilter(OWN, letterhead=LETTERHEAD, holds=True)
    half = message.index(b"\r\n\r\n") + 5
    assert filtered.feed(message[:half]) == b""
    assert filtered.pending
    assert filtered.feed(message[half:]) == b""
    assert filtered.finish() == b""
    assert filtered.facts is not None
    return filtered


HELD = b"From: ceo@x\r\nDate: x\r\nSender: boss@x\r\nMessage-ID: x\r\n\r\nText\r\n"


def test_what_is_held_waits_for_a_decision() -> None:
    filtered = held(HELD)
    assert filtered.release() == HELD
    assert not filtered.pending
    assert filtered.release() == b""
    assert filtered.feed(b"more") == b"more"


def test_a_message_that_ends_with_its_header_is_held_too() -> None:
    filtered = HeaderFilter(OWN, holds=True)
    assert filtered.feed(b"A: 1\r\n") == b""
    assert not known(filtered)
    assert filtered.finish() == b""
    assert known(filtered)
    assert filtered.release() == b"A: 1\r\n"


def test_another_author() -> None:
    assert held(HELD).replace_from(JOE, "Joe") == (
        b"Date: x\r\nMessage-ID: x\r\nFrom: Joe <joe@example.net>\r\n\r\nText\r\n"
    )
    filtered = held(HELD)
    filtered.release()
    assert filtered.replace_from(JOE) == b""
    assert held(b"Date: x\r\nMessage-ID: x\r\n\r\nText").replace_from(ANN) == (
        b"Date: x\r\nMessage-ID: x\r\nFrom: ann@example.org\r\n\r\nText"
    )


def test_another_sender() -> None:
    assert held(HELD).replace_sender(JOE) == (
        b"From: ceo@x\r\nDate: x\r\nMessage-ID: x\r\nSender: joe@example.net\r\n\r\nText\r\n"
    )
    filtered = held(HELD)
    filtered.release()
    assert filtered.replace_sender(JOE) == b""


lines = st.sampled_from(
    [
        b"\r\n",
        b"Received: x\r\n",
        b"Return-Path: <x@y>\r\n",
        b"Authentication-Results: mail.example.net; none\r\n",
        b"From: joe@example.net\r\n",
        b"Bcc: x\r\n",
        b" folded\r\n",
        b"no field\r\n",
        b"From \r\n",
        b"A: 1\n",
        b"\r",
        b"text\r\n\r\n",
    ]
)
messages = st.lists(lines | st.binary(max_size=8), max_size=10).map(b"".join)


@given(messages, st.integers(1, 7), st.booleans(), st.booleans())
@example(b"A: 1\r\n\r\n", 1, False, False)
def test_how_it_is_cut_does_not_matter(message: bytes, size: int, submitted: bool, holds: bool) -> None:
    def run(pieces: list[bytes]) -> Outcome:
        filtered = HeaderFilter(OWN, SMALL, LETTERHEAD if submitted else None, holds)
        outcome = through(filtered, *pieces)
        assert filtered.pending is (holds and outcome.defect is None)
        return attrs.evolve(outcome, octets=outcome.octets + filtered.release())

    whole = run([message])
    assert run([message[at : at + size] for at in range(0, len(message), size)]) == whole
    assert (whole.facts is None) is (whole.defect is not None)


@given(messages)
def test_the_body_stays_octet_for_octet(message: bytes) -> None:
    body = b"\r\n" + message
    for letterhead in (None, LETTERHEAD):
        filtered = HeaderFilter(OWN, letterhead=letterhead)
        assert through(filtered, b"A: 1\r\nReturn-Path: x\r\n" + body).octets.endswith(body)


@given(messages)
def test_what_was_filtered_once_is_not_changed_again(message: bytes) -> None:
    once = through(HeaderFilter(OWN, letterhead=LETTERHEAD), message)
    if once.defect is None:
        assert through(HeaderFilter(OWN, letterhead=LETTERHEAD), once.octets).octets == once.octets


@pytest.mark.parametrize(
    "part",
    [b"a:\r\n", b"\r\n ", b"a", b" ", b"a b", b"\r", b"\n", b"From: (\r\n", b"Delivered-To: \xc3\xb6\r\n"],
)
def test_no_header_takes_long(part: bytes) -> None:
    before = time.process_time()
    filtered = HeaderFilter(OWN)
    filtered.feed(b"A: ")
    for _ in range(4):
        filtered.feed(part * (65536 // len(part)))
    filtered.finish()
    assert time.process_time() - before < 1.0


def test_pieces_of_one_octet_do_not_take_long() -> None:
    before = time.process_time()
    filtered = HeaderFilter(OWN)
    for _ in range(262_200):
        filtered.feed(b"a")
    assert filtered.facts is not None
    assert time.process_time() - before < 5.0
