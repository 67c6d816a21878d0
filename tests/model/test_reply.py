import re

import attrs
import pytest

from mailsuite.model import reply as replies
from mailsuite.model.reply import Reply, challenge, greeting, hello, message_accepted

MAX_REPLY_LINE = 512
"""Line end included (RFC 5321 section 4.5.3.1.5)."""

TABLE = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)}
NAMED = {name: value for name, value in TABLE.items() if not name.startswith("_")}
MADE = {
    "greeting": greeting("mail.example.net", "ESMTP"),
    "hello": hello("mail.example.net", "PIPELINING", "SIZE 1"),
    "challenge": challenge("VXNlcm5hbWU6"),
    "message_accepted": message_accepted("a1b2"),
}
PLAIN = {"_GREETING", "_HELLO", "greeting", "hello"}
"""Those which carry no enhanced code (RFC 2034 section 4)."""


def test_the_table_is_seen() -> None:
    assert len(NAMED) > 50
    assert "BARE_NEWLINE" in NAMED


@pytest.mark.parametrize(("name", "reply"), [*TABLE.items(), *MADE.items()])
def test_every_final_reply_has_an_enhanced_code_of_its_class(name: str, reply: Reply) -> None:
    """Features row M-09; 3xx replies have none, as RFC 3463 defines no class 3."""
    if name in PLAIN or 300 <= reply.code < 400:
        assert reply.enhanced == ""
    else:
        assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", reply.enhanced)
        assert reply.enhanced[0] == str(reply.code)[0]
    assert 200 <= reply.code < 600


@pytest.mark.parametrize(("name", "reply"), [*NAMED.items(), *MADE.items()])
def test_every_reply_is_short_printable_lines(name: str, reply: Reply) -> None:
    assert reply.text
    for line in reply.encode().split(b"\r\n")[:-1]:
        assert len(line) + 2 <= MAX_REPLY_LINE
        assert re.fullmatch(rb"\d{3}[ -][\x20-\x7e]*", line)


def test_replies_that_end_the_connection_say_so() -> None:
    """421 means that the connection closes (RFC 5321 section 3.8)."""
    assert [name for name, reply in NAMED.items() if reply.code in (221, 421) and not reply.closes] == []


def test_encoding() -> None:
    assert Reply(250, "2.0.0", ("OK",)).encode() == b"250 2.0.0 OK\r\n"
    assert Reply(220, "", ("mx ESMTP",)).encode() == b"220 mx ESMTP\r\n"
    assert Reply(214, "2.0.0", ("a", "b", "c")).encode() == b"214-2.0.0 a\r\n214-2.0.0 b\r\n214 2.0.0 c\r\n"
    assert Reply(250, "", ("mx", "SIZE 1")).encode() == b"250-mx\r\n250 SIZE 1\r\n"
    assert challenge("").encode() == b"334 \r\n"
    assert message_accepted("a1").encode() == b"250 2.0.0 OK, queued as a1\r\n"


@pytest.mark.parametrize(
    ("code", "positive", "temporary"),
    [
        (250, True, False),
        (354, True, False),
        (400, False, True),
        (499, False, True),
        (500, False, False),
        (599, False, False),
    ],
)
def test_classes(code: int, positive: bool, temporary: bool) -> None:
    reply = Reply(code, "", ("x",))
    assert reply.is_positive is positive
    assert reply.is_temporary is temporary


def test_another_text_keeps_the_rest() -> None:
    closing = replies.STOPPING.with_text("one", "two")
    assert closing == attrs.evolve(replies.STOPPING, text=("one", "two"))
    assert closing.closes
