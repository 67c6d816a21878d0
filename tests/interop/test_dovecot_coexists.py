"""Dovecot's IMAP and our SMTP and POP3 in the same Maildirs at the same time (features rows L-02, S-B04)."""

from __future__ import annotations

import contextlib
import os
import poplib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.interop.dovecot import Dovecot, needs_dovecot, owner
from tests.system.harness import Server

pytestmark = [*needs_dovecot]

JOE = "joe@example.test"


def letter(number: int) -> bytes:
    return (
        b"From: sender@elsewhere.example\r\nTo: joe@example.test\r\n"
        b"Subject: letter %d\r\nMessage-ID: <%d@elsewhere.example>\r\n\r\nThe text of letter %d.\r\n"
    ) % (number, number, number)


@attrs.frozen
class Both:
    """The two servers on one Maildir."""

    ours: Server
    dovecot: Dovecot

    def uidls(self) -> dict[bytes, bytes]:
        """Message-ID -> UIDL, as our POP3 tells them; nothing comes twice."""
        with self.ours.pop3(JOE) as client:
            listed = [line.split() for line in client.uidl()[1]]
            found = {message_id(client.top(int(number), 0)[1]): uidl for number, uidl in listed}
        assert len(found) == len(listed), "a message is shown twice"
        return found


def message_id(lines: list[bytes]) -> bytes:
    (found,) = [line for line in lines if line.lower().startswith(b"message-id:")]
    return found.split()[1]


@pytest.fixture
def both() -> Iterator[Both]:
    """In a folder that Dovecot's user may enter; pytest's own is for the one who runs it alone."""
    with tempfile.TemporaryDirectory(prefix="ms-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "d").mkdir(mode=0o755)
        server = Server(folder / "s", user=owner() if os.geteuid() == 0 else "")
        server.directory.mkdir()
        server.directory.chmod(0o755)
        ours = stack.enter_context(server)
        dovecot = stack.enter_context(Dovecot(folder / "d", f"{server.state}/mail/%d/%n"))
        yield Both(ours, dovecot)
        assert " Error: " not in dovecot.said(), dovecot.said()


def test_flags_and_moves_leave_uidls_alone(both: Both) -> None:
    for number in range(1, 6):
        both.ours.deliver(letter(number))
    before = both.uidls()
    assert len(before) == 5
    imap = both.dovecot.imap(JOE)
    assert imap.search(None, "ALL")[1] == [b"1 2 3 4 5"]
    imap.store("1:3", "+FLAGS", r"(\Seen)")
    imap.store("2", "+FLAGS", r"(\Flagged \Answered)")
    imap.store("3", "-FLAGS", r"(\Seen)")
    assert both.uidls() == before
    imap.create("Archive")
    status, _ = imap.copy("4", "Archive")
    assert status == "OK"
    imap.store("4", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    after = both.uidls()
    assert after == {id: uidl for id, uidl in before.items() if id != b"<4@elsewhere.example>"}
    imap.logout()


def test_mail_goes_both_ways(both: Both) -> None:
    imap = both.dovecot.imap(JOE)
    both.ours.deliver(letter(1))
    imap.append("INBOX", r"(\Seen)", None, letter(2))
    imap.append("INBOX", None, None, letter(3))
    both.ours.deliver(letter(4))
    uidls = both.uidls()
    assert sorted(uidls) == [b"<%d@elsewhere.example>" % number for number in range(1, 5)]
    imap.noop()
    assert len(imap.search(None, "ALL")[1][0].split()) == 4
    with both.ours.pop3(JOE) as client:
        for number in range(1, 5):
            _, lines, octets = client.retr(number)
            text = b"".join(line + b"\r\n" for line in lines)
            assert len(text) == octets
            id = message_id(lines)
            assert text.endswith(letter(int(id[1:2])))
    assert both.uidls() == uidls
    imap.logout()


def test_a_session_of_ours_goes_on_while_dovecot_deletes_and_flags(both: Both) -> None:
    for number in range(1, 7):
        both.ours.deliver(letter(number))
    imap = both.dovecot.imap(JOE)
    with both.ours.pop3(JOE) as client:
        assert client.stat()[0] == 6
        imap.store("1:6", "+FLAGS", r"(\Seen)")
        imap.store("2,5", "+FLAGS", r"(\Deleted)")
        imap.expunge()
        both.ours.deliver(letter(7))
        for number in (1, 3, 4, 6):
            assert client.retr(number)[1][-1] == b"The text of letter %d." % number
        with pytest.raises(poplib.error_proto, match=r"SYS/TEMP"):
            client.retr(2)
        client.dele(1)
        client.dele(5)  # gone already: it counts as removed
        assert client.stat()[0] == 4
    left = [b"<%d@elsewhere.example>" % number for number in (3, 4, 6, 7)]
    assert sorted(both.uidls()) == left
    imap.noop()
    assert len(imap.search(None, "ALL")[1][0].split()) == 4
    imap.logout()


def test_what_pop3_removes_is_gone_for_imap(both: Both) -> None:
    for number in range(1, 4):
        both.ours.deliver(letter(number))
    imap = both.dovecot.imap(JOE)
    assert imap.search(None, "ALL")[1] == [b"1 2 3"]
    with both.ours.pop3(JOE) as client:
        client.dele(2)
    imap.noop()
    found = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
    ids = [part[1].split()[1] for part in found if isinstance(part, tuple)]
    assert ids == [b"<1@elsewhere.example>", b"<3@elsewhere.example>"]
    names = [each for each in imap.list()[1] if isinstance(each, bytes)]
    assert all(b"mailsuite" not in each for each in names), "what is ours shows as a folder"
    imap.logout()


def test_fetched_mail_shows_as_read(both: Both) -> None:
    """As Dovecot's own POP3 does it."""
    both.ours.deliver(letter(1))
    both.ours.deliver(letter(2))
    before = both.uidls()
    with both.ours.pop3(JOE) as client:
        client.retr(1)
        client.top(2, 0)
    imap = both.dovecot.imap(JOE)
    assert imap.search(None, "SEEN")[1] == [b"1"]
    assert imap.search(None, "UNSEEN")[1] == [b"2"]
    imap.logout()
    assert both.uidls() == before


def test_both_servers_call_a_message_the_same_size(both: Both) -> None:
    for number in range(1, 4):
        both.ours.deliver(letter(number))
    client = both.dovecot.pop3(JOE)
    theirs = [line.split()[1] for line in client.list()[1]]
    client.quit()
    with both.ours.pop3(JOE) as ours:
        assert [line.split()[1] for line in ours.list()[1]] == theirs
