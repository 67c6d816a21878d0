"""Any input, in any pieces: replies and never an exception, the same ones however it was cut."""

import itertools
import re
from base64 import b64decode, b64encode

from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.model import reply as replies
from mailsuite.wire.smtp.events import (
    PIPELINED_DATA,
    STARTTLS_INJECTION,
    Authenticate,
    BodyChunk,
    BodyEnd,
    DataStart,
    Mail,
    Recipient,
    Reset,
    Violation,
)
from tests.wire.proofs import ScramClient
from tests.wire.smtp.conftest import Begin

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")
SCRAM = ScramClient()
SCRAM_FIRST = b64encode(SCRAM.first())


def scram_final() -> bytes:
    """The sessions have the same nonce each time, so this is always right."""
    conversation = Begin()(True, auth_mechanisms=MECHANISMS)
    challenge = conversation.say("EHLO x", f"AUTH SCRAM-SHA-256 {SCRAM_FIRST.decode()}").removeprefix("334 ")
    return b64encode(SCRAM.final(b64decode(challenge)))


SCRAM_FINAL = scram_final()

VOCABULARY = [
    b"EHLO x",
    b"HELO x",
    b"MAIL FROM:<a@b>",
    b"MAIL FROM:<> SIZE=5",
    b"MAIL FROM:<a@b> BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=x+2By",
    b"MAIL FROM:a@b REQUIRETLS",
    "MAIL FROM:<\u00f6@\u00f6> SMTPUTF8".encode(),
    b"RCPT TO:<a@b>",
    b"RCPT TO:<a@b> NOTIFY=NEVER ORCPT=rfc822;a+40b",
    b"RCPT TO:<postmaster>",
    "RCPT TO:<\u00f6@b>".encode(),
    b"DATA",
    b"BDAT 0",
    b"BDAT 0 LAST",
    b"BDAT 7",
    b"BDAT 30 LAST",
    b"BDAT 3000",
    b"BDAT x",
    b"BDAT",
    b"LHLO x",
    b"EXPN x",
    b"GET / HTTP/1.1",
    b"\x16\x03\x01",
    b".",
    b"..",
    b"text",
    b"RSET",
    b"NOOP",
    b"VRFY x",
    b"HELP",
    b"QUIT",
    b"STARTTLS",
    b"AUTH PLAIN AGEAYg==",
    b"AUTH LOGIN",
    b"AUTH CRAM-MD5",
    b"AUTH SCRAM-SHA-256",
    b"AUTH SCRAM-SHA-256-PLUS",
    b"AUTH SCRAM-SHA-256 " + SCRAM_FIRST,
    SCRAM_FIRST,
    SCRAM_FINAL,
    b"=",
    b"YQ==",
    b"*",
    b"FOO",
    b"x" * 300,
    b"\xff\0",
    b"",
]
LINE_ENDS = [b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b""]
LINES = st.tuples(st.sampled_from(VOCABULARY), st.sampled_from(LINE_ENDS)).map(b"".join)
SCRAM_LOGIN = b"EHLO x\r\nAUTH SCRAM-SHA-256 " + SCRAM_FIRST + b"\r\n" + SCRAM_FINAL + b"\r\n"
CHUNKS = b"EHLO x\r\nLHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 5\r\nab\r\nc"
TRANSACTION = b"EHLO x\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n"
STREAMS = st.lists(
    LINES | st.binary(max_size=20) | st.sampled_from([TRANSACTION, SCRAM_LOGIN, CHUNKS]), max_size=25
).map(b"".join)
SERVICE = st.fixed_dictionaries(
    {},
    optional={
        Mail: st.sampled_from([replies.SENDER_OK, replies.UNKNOWN_RECIPIENT]),
        Recipient: st.sampled_from([replies.RECIPIENT_OK, replies.UNKNOWN_RECIPIENT, replies.STOPPING]),
        DataStart: st.sampled_from([replies.START_MAIL_INPUT, replies.INTERNAL_ERROR, replies.OK]),
        BodyEnd: st.sampled_from([replies.OK, replies.INTERNAL_ERROR]),
        Authenticate: st.sampled_from([replies.AUTHENTICATION_SUCCEEDED, replies.AUTHENTICATION_FAILED]),
    },
)
REPLY = re.compile(r"(220|250|334|354)[ -].*|([245])\d\d[ -]\2\.\d{1,3}\.\d{1,3} [ -~]+")
"""Those without an enhanced code are the greeting, HELO, EHLO and 3xx; 250 is looked at more closely."""


def converse(begin, pieces, answers, **keywords):
    limits = {"max_message": 200, "max_text_line": 100, "max_recipients": 2, "mail_max": 4}
    conversation = begin(answers=answers, **(limits | keywords))
    conversation.wakes = True
    heard = b"".join(conversation.send(piece) for piece in pieces)
    return conversation, heard


def check(conversation, heard: bytes) -> None:
    assert heard == b"" or heard.endswith(b"\r\n")
    for line in heard.decode("ascii").split("\r\n")[:-1]:
        assert len(line) + 2 <= 512
        assert REPLY.fullmatch(line)
        if line.startswith("250 "):
            assert line[4:].startswith(("2.", "mx.example.net", "ENHANCEDSTATUSCODES"))
    open_transaction = False
    for event in conversation.events:
        match event:
            case Mail():
                assert not open_transaction
                open_transaction = conversation.answers[Mail].is_positive
            case Recipient() | DataStart() | BodyChunk():
                assert open_transaction
            case BodyEnd() | Reset():
                assert open_transaction
                open_transaction = False
    assert open_transaction == conversation.session.in_transaction


def comparable(conversation):
    """The events, without the octets of messages that turned out to be broken."""
    events = list(conversation.events)
    for at, event in reversed(list(enumerate(events))):
        last = at == len(events) - 1
        follower = None if last else events[at + 1]
        if isinstance(event, BodyChunk) and not (isinstance(follower, BodyEnd) and follower.defect is None):
            del events[at]
    return events


def out_of_step(conversation) -> bool:
    """Whether the outcome rests on what had already arrived, as it must where a client may not go on."""
    kinds = {event.kind for event in conversation.events if isinstance(event, Violation)}
    return bool(kinds & {STARTTLS_INJECTION, PIPELINED_DATA})


SETTINGS = st.fixed_dictionaries(
    {
        "tls_active": st.booleans(),
        "tls_available": st.just(True),
        "auth_mechanisms": st.just(MECHANISMS),
        "protocol": st.sampled_from(["smtp", "smtp", "lmtp"]),
        "normalise_newlines": st.booleans(),
        "bare_paths": st.booleans(),
        "chunking": st.sampled_from([True, True, False]),
        "soft_errors": st.integers(0, 3),
        "hard_errors": st.sampled_from([3, 20]),
        "error_delay": st.sampled_from([0.0, 1.0]),
        "overlong": st.sampled_from(["error", "close"]),
    }
)


@given(STREAMS, SERVICE, SETTINGS, st.lists(st.integers(0, 500), max_size=8))
@settings(max_examples=500, deadline=None)
def test_any_split_gives_the_same_session(begin, stream, answers, keywords, cuts) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    splits = [
        [stream],
        [stream[at : at + 1] for at in range(len(stream))],
        [stream[a:b] for a, b in itertools.pairwise(edges)],
    ]
    outcomes = []
    for pieces in splits:
        conversation, heard = converse(begin, pieces, answers, **keywords)
        check(conversation, heard)
        assert len(conversation.session._intake) <= 12288
        outcomes.append((conversation, heard))
    if any(out_of_step(conversation) for conversation, _ in outcomes):
        return
    first, *others = outcomes
    for other in others:
        assert other[1] == first[1]
        assert comparable(other[0]) == comparable(first[0])
        assert other[0].session.closing == first[0].session.closing


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
@settings(deadline=None)
def test_any_octets_are_answered(begin, pieces, in_body) -> None:
    conversation, _ = converse(begin, [TRANSACTION] if in_body else [], {})
    check(conversation, conversation.send(*pieces))


@given(STREAMS, st.integers(0, 200), st.sampled_from(["drain", "timed_out", "tls_started"]))
@settings(deadline=None)
def test_the_end_may_come_at_any_time(begin, stream, when, what) -> None:
    conversation, heard = converse(begin, [stream[:when]], {}, tls_available=True)
    if what != "tls_started" or conversation.session._exchange.tls_awaited:
        getattr(conversation.session, what)()
    check(conversation, heard + conversation.send(stream[when:]))
    conversation.session.timed_out()
    conversation.run()
    assert conversation.session.closing
    assert not conversation.session.in_transaction
    assert conversation.session.next_event() is None
