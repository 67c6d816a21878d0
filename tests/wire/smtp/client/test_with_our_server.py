"""Our client and our server, joined in memory: what goes in comes out, however the octets are cut."""

from __future__ import annotations

import itertools
import re
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.envelope import (
    BodyType,
    MailParameters,
    NotifyOn,
    OutboundRecipient,
    RecipientParameters,
    Returned,
)
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.client.events import (
    Done,
    Event,
    GoAhead,
    Greeted,
    MessageReply,
    NobodyLeft,
    NotTried,
    Ready,
    RecipientReply,
    TlsNow,
    WasReset,
)
from mailsuite.wire.smtp.client.letter import CannotSend, Lack, Letter
from mailsuite.wire.smtp.client.session import ClientSession, ClientSettings
from mailsuite.wire.smtp.events import BodyChunk, BodyEnd, DataStart, Mail, Recipient
from mailsuite.wire.smtp.session import ServerSession, SessionSettings
from tests.wire.smtp.client.server import ANN, JOE, MIA, TIM, letter
from tests.wire.smtp.client.test_content_sent import normalised
from tests.wire.smtp.test_end_of_data import FALSE_ENDS

BUSY = Reply(450, "4.2.1", ("Busy",))
UNKNOWN = Reply(550, "5.1.1", ("No such user",))
ACCEPTED = replies.message_accepted("id")


@attrs.define
class Arrived:
    """A message as the server got it."""

    mail: Mail
    recipients: list[Recipient] = attrs.field(factory=list)
    content: bytes = b""
    end: BodyEnd | None = None


@attrs.define
class Link:
    """Carries octets to and fro in pieces of *sizes*, and answers for the service behind the server."""

    client: ClientSession
    server: ServerSession
    sizes: list[int] = attrs.field(factory=lambda: [1 << 20])
    refuses: dict[Address, Reply] = attrs.field(factory=dict)
    """Recipients that the service refuses."""
    arrived: list[Arrived] = attrs.field(factory=list)
    events: list[Event] = attrs.field(factory=list)
    wire: bytes = b""
    """What the client has sent."""

    def run(self) -> list[Event]:
        """Until nobody has anything to say; answers what the client was told."""
        lengths = itertools.cycle(self.sizes)
        new: list[Event] = []
        while True:
            out, back = self.client.bytes_to_send(), self.server.bytes_to_send()
            if not out and not back:
                self.events += new
                return new
            self.wire += out
            for octets, end in ((out, self._server_hears), (back, self.client.receive)):
                at = 0
                while at < len(octets):
                    length = next(lengths)
                    end(octets[at : at + length])
                    at += length
            while (event := self.client.next_event()) is not None:
                new.append(event)

    def _server_hears(self, octets: bytes) -> None:
        self.server.receive(octets)
        while (event := self.server.next_event()) is not None:
            self._serve(event)

    def _serve(self, event: object) -> None:
        match event:
            case Mail():
                self.arrived.append(Arrived(event))
                self.server.reply(replies.SENDER_OK)
            case Recipient():
                reply = self.refuses.get(event.address, replies.RECIPIENT_OK)
                if reply.is_positive:
                    self.arrived[-1].recipients.append(event)
                self.server.reply(reply)
            case DataStart():
                self.server.reply(replies.START_MAIL_INPUT)
            case BodyChunk():
                self.arrived[-1].content += event.data
            case BodyEnd():
                self.arrived[-1].end = event
                self.server.reply(event.defect or ACCEPTED)

    def meet(self) -> Ready:
        self.server.start()
        assert isinstance(self.run()[-1], Greeted)
        self.client.hello()
        ready = self.run()[-1]
        assert isinstance(ready, Ready)
        return ready

    def deliver(self, sent: Letter, *pieces: bytes) -> list[Event]:
        """Send a letter; answers the events behind GoAhead."""
        assert self.client.send(sent) is None
        assert self.run()[-1] == GoAhead()
        for piece in pieces:
            self.client.body(piece)
        self.client.end_body()
        return self.run()


def link(
    client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, sizes: list[int] | None = None
) -> Link:
    settings = SessionSettings("mx.example.net", **{"seconds": lambda: 1_700_000_000.0} | (server or {}))
    joined = Link(
        ClientSession(ClientSettings("client.example", **(client or {}))),
        ServerSession(settings),
        sizes or [1 << 20],
    )
    joined.meet()
    return joined


SWITCHES = st.fixed_dictionaries(
    {
        name: st.booleans()
        for name in ("smtputf8", "chunking", "binary", "dsn", "require_tls", "limits", "bare_paths")
    }
)
CONTENTS = st.lists(
    st.binary(max_size=50)
    | st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.\r\n", b"x" * 70_000, b"."]),
    max_size=8,
)
WISHES = MailParameters(returned=Returned.HEADER, envelope_id="a+b=c")
TO_MIA = OutboundRecipient(
    MIA, RecipientParameters(frozenset({NotifyOn.FAILURE, NotifyOn.DELAY}), "rfc822;m+a@example.org")
)


@given(
    protocol=st.sampled_from(["smtp", "lmtp"]),
    switches=SWITCHES,
    client=st.fixed_dictionaries({"pipelining": st.booleans(), "chunking": st.booleans()}),
    contents=st.lists(CONTENTS, min_size=1, max_size=3),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=6),
)
def test_every_message_arrives_as_it_was(
    protocol: str,
    switches: dict[str, bool],
    client: dict[str, bool],
    contents: list[list[bytes]],
    sizes: list[int],
) -> None:
    lmtp = protocol == "lmtp"
    joined = link(client | {"lmtp": lmtp}, switches | {"protocol": protocol, "max_text_line": 10**6}, sizes)
    joined.refuses[TIM] = UNKNOWN
    for pieces in contents:
        size = sum(map(len, pieces))
        events = joined.deliver(
            letter(JOE, TIM, TO_MIA, size=size, body=BodyType.EIGHT_BIT, parameters=WISHES), *pieces
        )
        each = [MessageReply((0,), ACCEPTED), MessageReply((2,), ACCEPTED)]
        assert events == [*(each if lmtp else [MessageReply((0, 2), ACCEPTED)]), Done()]
        arrived = joined.arrived[-1]
        assert arrived.content == normalised(b"".join(pieces))
        assert arrived.end is not None
        assert arrived.end.defect is None
        assert arrived.mail.sender == ANN
        assert arrived.mail.parameters.body is BodyType.EIGHT_BIT
        heard = arrived.mail.parameters
        assert (heard.returned, heard.envelope_id) == (
            (WISHES.returned, WISHES.envelope_id) if switches["dsn"] else (None, "")
        )
        assert [one.address for one in arrived.recipients] == [JOE, MIA]
        assert arrived.recipients[1].parameters == (
            TO_MIA.parameters if switches["dsn"] else RecipientParameters()
        )
    assert len(joined.arrived) == len(contents)
    assert joined.client.idle


@given(CONTENTS, st.lists(st.integers(1, 5000), min_size=1, max_size=6))
def test_binary_arrives_as_it_was(pieces: list[bytes], sizes: list[int]) -> None:
    joined = link(sizes=sizes)
    joined.deliver(letter(body=BodyType.BINARY), *pieces)
    assert joined.arrived[-1].content == b"".join(pieces)


INSIDES = [b"a" + mark + b"RSET\r\nb" for mark in FALSE_ENDS] + [
    b"a\r\n.\r\nMAIL FROM:<eve@example.com>\r\n",
    b"a\n.\nMAIL FROM:<eve@example.com>\n",
    b"a\r.\rMAIL FROM:<eve@example.com>\r",
    b".\r\n",
    b".",
    b"\r\n.\r\n.\r\n.\r\n",
]


@pytest.mark.parametrize("chunking", [False, True], ids=["data", "bdat"])
@pytest.mark.parametrize("content", INSIDES, ids=repr)
def test_no_half_of_an_attack(content: bytes, chunking: bool) -> None:
    """SMTP smuggling (CVE-2023-51764 and its like): one message, whatever is in it, and nothing on the wire
    that anybody could take for its end but its end."""
    expected = normalised(content)
    for pieces in ([content], [content[at : at + 1] for at in range(len(content))]):
        joined = link({"chunking": chunking})
        joined.wire = b""
        assert joined.deliver(letter(), *pieces)[-1] == Done()
        (arrived,) = joined.arrived
        assert arrived.content == expected
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", joined.wire)
        if chunking:
            assert b"BDAT %d LAST\r\n" % len(expected) + expected in joined.wire
        else:
            assert joined.wire.count(b"\r\n.\r\n") == 1
            assert joined.wire.endswith(b"\r\n.\r\n")


def test_our_server_refuses_what_we_would_never_send() -> None:
    """The check of the check: without the change these octets would not pass."""
    joined = link({"chunking": False})
    joined.client.send(letter())
    joined.run()
    joined.server.receive(b"a\n.\nb\r\n.\r\n")
    ends = []
    while (event := joined.server.next_event()) is not None:
        ends.append(event)
    assert [event.defect for event in ends if isinstance(event, BodyEnd)] == [replies.BARE_NEWLINE]


@pytest.mark.parametrize("pipelining", [True, False])
def test_more_recipients_than_the_server_takes(pipelining: bool) -> None:
    """With LIMITS, and without: all get it, in as many transactions as it takes."""
    people = tuple(Address.parse(f"user{number}@example.net") for number in range(7))
    for limits in (True, False):
        joined = link({"pipelining": pipelining}, {"max_recipients": 3, "limits": limits})
        rest = people
        while rest:
            joined.client.send(letter(*rest))
            before = joined.run()
            joined.client.end_body()
            assert joined.run() == [MessageReply(tuple(range(min(3, len(rest)))), ACCEPTED), Done()]
            left = [event.numbers for event in before if isinstance(event, NotTried)]
            rest = tuple(rest[number] for number in (left[0] if left else ()))
        assert [len(each.recipients) for each in joined.arrived] == [3, 3, 1]


def test_fewer_messages_than_the_server_takes() -> None:
    joined = link(server={"mail_max": 2})
    joined.deliver(letter())
    joined.deliver(letter())
    cannot = joined.client.send(letter())
    assert isinstance(cannot, CannotSend)
    assert cannot.lack is Lack.ROOM


@pytest.mark.parametrize("client", [{}, {"pipelining": False}, {"chunking": False}, {"lmtp": True}])
def test_nobody_wants_it(client: dict[str, bool]) -> None:
    joined = link(client, {"protocol": "lmtp"} if "lmtp" in client else {})
    joined.refuses |= {JOE: UNKNOWN, MIA: BUSY}
    for _ in range(2):
        joined.client.send(letter(JOE, MIA))
        events = joined.run()
        assert events[1:] == [RecipientReply(0, UNKNOWN), RecipientReply(1, BUSY), NobodyLeft()]
    joined.refuses.clear()
    assert joined.deliver(letter(), b"x")[-1] == Done()
    assert joined.arrived[-1].content == b"x\r\n"
    assert not joined.server.in_transaction


@pytest.mark.parametrize("chunking", [False, True])
def test_more_than_the_server_takes(chunking: bool) -> None:
    joined = link({"chunking": chunking}, {"max_message": 100})
    cannot = joined.client.send(letter(size=101))
    assert isinstance(cannot, CannotSend)
    assert cannot.lack is Lack.SIZE
    # A size that was not known.
    events = joined.deliver(letter(size=0), b"x" * 200)
    assert events == [MessageReply((0,), replies.MESSAGE_TOO_BIG), Done()]
    assert joined.client.idle


def test_beyond_ascii() -> None:
    somebody = Address.parse("jörg@example.net")
    parameters = RecipientParameters(None, "utf-8;jörg@käse.example")
    joined = link()
    joined.deliver(
        letter(OutboundRecipient(somebody, parameters), utf8_header=True), "Subject: ä\r\n".encode()
    )
    assert joined.arrived[0].recipients == [Recipient(somebody, parameters)]
    assert joined.arrived[0].mail.parameters.smtputf8
    cannot = link(server={"smtputf8": False}).client.send(letter(JOE, somebody))
    assert isinstance(cannot, CannotSend)
    assert cannot.recipients == (1,)


def test_tls_and_then_a_promise_of_tls() -> None:
    joined = link(server={"tls_available": True})
    secret = letter(parameters=MailParameters(require_tls=True))
    cannot = joined.client.send(secret)
    assert isinstance(cannot, CannotSend)
    assert cannot.lack is Lack.REQUIRE_TLS
    joined.client.start_tls()
    assert joined.run() == [TlsNow()]
    joined.server.tls_started()
    joined.client.tls_started()
    (ready,) = joined.run()
    assert isinstance(ready, Ready)
    assert ready.extensions.require_tls
    joined.deliver(secret, b"x")
    assert joined.arrived[0].mail.parameters.require_tls


def test_reset_and_quit() -> None:
    joined = link()
    joined.client.reset()
    assert joined.run() == [WasReset()]
    joined.client.quit()
    joined.run()
    assert joined.client.ended
    assert joined.server.closing


def test_the_server_stops_meanwhile() -> None:
    joined = link()
    joined.server.drain()
    (event,) = joined.run()
    assert event.reply.code == 421
