"""Dovecot's IMAP and our SMTP and POP3 in the same Maildirs at the same time (features rows L-02, S-B04)."""

from __future__ import annotations

import poplib
from collections.abc import Iterator

import pytest

from tests.interop.both import JOE, Both, both_servers, letter, message_id
from tests.interop.dovecot import needs_dovecot

pytestmark = [*needs_dovecot]


@pytest.fixture
def both() -> Iterator[Both]:
    with both_servers() as running:
        yield running


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
