"""One Maildir that many programs work in, one step after the other, and what must be in it then."""

from __future__ import annotations

import imaplib
import poplib
import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs

from tests.interop.both import JOE, Both, letter, message_id
from tests.interop.programs import Desk
from tests.system.boxes import boxed
from tests.system.clients import within
from tests.system.harness import PASSWORDS, PATIENCE

PLAIN = ""
"""A session with the account's password; others are those of devices."""
DEVICES = {"laptop": "amber-river-violet-anchor", "phone": "cobalt-meadow-lantern-quartz"}
"""Their passwords. Each has a view of its own."""
ARCHIVE = "Archive"


@attrs.define
class Session:
    """A POP3 session of ours that stays open while others work."""

    client: poplib.POP3
    ids: dict[int, int]
    """Number in the session -> number of the letter."""
    marked: set[int] = attrs.field(factory=set)
    """Letters."""


@attrs.define
class Household:
    """Each step is taken by a program and by the model; look() compares the two. Letters have numbers."""

    both: Both
    desk: Desk
    random: random.Random
    imap: imaplib.IMAP4 = attrs.field(init=False)
    passwords: dict[str, str] = attrs.field(factory=lambda: {PLAIN: PASSWORDS[JOE], **DEVICES})
    sessions: dict[str, Session] = attrs.field(factory=dict)
    letters: Iterator[int] = attrs.field(factory=lambda: iter(range(1, 1000)))
    # The model
    inbox: set[int] = attrs.field(factory=set)
    hidden: dict[str, set[int]] = attrs.field(factory=dict)
    """By device: what it has deleted and another device has not."""
    trash: set[int] = attrs.field(factory=set)
    archive: set[int] = attrs.field(factory=set)
    saved: set[int] = attrs.field(factory=set)
    """What mutt has moved to a Maildir elsewhere."""
    uidls: dict[int, bytes] = attrs.field(factory=dict)
    """For all time, once told."""

    def __attrs_post_init__(self) -> None:
        self.imap = self.both.dovecot.imap(JOE)
        self.imap.create(ARCHIVE)
        for device in DEVICES:
            self.hidden[device] = set()
            self.open(device)  # one that was never here is not waited for
            self.quit(device)
        self.desk.maildir("saved")
        self.desk.file(
            "muttrc",
            f'set folder="{self.desk.home}" editor=false\n'
            "set copy=no move=no quit=yes delete=yes sleep_time=0 wait_key=no confirmappend=no\n"
            "set header_cache='' sort=mailbox-order\n",
        )

    def step(self) -> None:
        """One of them, at random."""
        steps: list[Callable[[], None]] = [self.deliver] * 5 + [self.append, self.flag, self.copy]
        steps += [self.move, self.expunge] + [self.save_with_mutt] * (2 if self.inbox else 0)
        for name in self.passwords:
            if name in self.sessions:
                acts = (self.retr, self.dele, self.dele, self.dele, self.quit, self.quit, self.drop)
                steps += [partial(act, name) for act in acts]
            else:
                steps += [partial(self.open, name)] * 3
        self.random.choice(steps)()

    def one_of_each(self) -> None:
        """What must have happened at least once: POP3 removes, IMAP and mutt move."""
        for _ in range(5):
            self.deliver()
        self.open(PLAIN)
        self.dele(PLAIN)
        self.quit(PLAIN)
        self.move()
        self.save_with_mutt()

    def deliver(self) -> None:
        number = next(self.letters)
        self.both.ours.deliver(letter(number))
        self.inbox.add(number)

    # IMAP

    def append(self) -> None:
        number = next(self.letters)
        status, words = self.imap.append("INBOX", None, None, letter(number))
        assert status == "OK", words
        self.inbox.add(number)

    def flag(self) -> None:
        if found := self._any_by_imap():
            flag = self.random.choice((r"(\Seen)", r"(\Flagged)", r"(\Answered \Draft)"))
            self._imap("STORE", found[0], self.random.choice(("+FLAGS", "-FLAGS")), flag)

    def copy(self) -> None:
        if (found := self._any_by_imap()) and found[1] not in self.archive:
            self._imap("COPY", found[0], ARCHIVE)
            self.archive.add(found[1])

    def move(self) -> None:
        if (found := self._any_by_imap()) and found[1] not in self.archive:
            self._imap("MOVE", found[0], ARCHIVE)
            self.archive.add(found[1])
            self._gone(found[1])

    def expunge(self) -> None:
        if found := self._any_by_imap():
            self._imap("STORE", found[0], "+FLAGS", r"(\Deleted)")
            status, words = self.imap.expunge()
            assert status == "OK", words
            self._gone(found[1])

    def _imap(self, *command: str) -> None:
        status, words = self.imap.uid(*command)
        assert status == "OK", words

    def _any_by_imap(self) -> tuple[str, int] | None:
        """UID and letter, of one that is there: Dovecot shows what others took away a moment longer."""
        shown = [found for found in self.shown_by_imap() if found[1] in self.inbox]
        return self.random.choice(shown) if shown else None

    def shown_by_imap(self) -> list[tuple[str, int]]:
        self.imap.noop()
        status, parts = self.imap.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        assert status == "OK", parts
        found = []
        for part in parts:
            if isinstance(part, tuple):
                uid = re.search(rb"UID ([0-9]+)", part[0])
                assert uid
                found.append((uid[1].decode(), number_of(part[1].splitlines())))
        return found

    # mutt

    def save_with_mutt(self) -> None:
        """It moves the letter that it shows first to another Maildir."""
        saved = self.desk.home / "saved"
        keys = f"<first-entry><save-message>{saved}<enter><quit>"
        box = self.both.ours.maildir(JOE)
        rc = self.desk.home / "muttrc"
        self.desk.run_in_terminal("mutt", "-n", "-F", rc, "-f", box, "-e", f'push "{keys}"')
        (number,) = letters_in(saved) - self.saved
        self.saved.add(number)
        self._gone(number)

    # POP3

    def open(self, name: str) -> None:
        client = within(PATIENCE, lambda: self._logged_in(JOE, name), poplib.error_proto)
        self.sessions[name] = Session(client, self._listed(client))
        assert set(self.sessions[name].ids.values()) == self.inbox - self.hidden.get(name, set())

    def _logged_in(self, user: str, name: str) -> poplib.POP3:
        """Whoever just went away without QUIT may still hold the lock."""
        client = poplib.POP3("127.0.0.1", self.both.ours.ports["pop3-trusted"], timeout=PATIENCE)
        try:
            client.user(user)
            client.pass_(self.passwords[name])
        except poplib.error_proto:
            client.close()
            raise
        return client

    def _listed(self, client: poplib.POP3) -> dict[int, int]:
        """Letters by their numbers in this session; none twice, each with the UIDL that it always had."""
        found: dict[int, int] = {}
        for line in client.uidl()[1]:
            index, uidl = line.split()
            number = number_of(client.top(int(index), 0)[1])
            assert number not in found.values(), f"letter {number} is shown twice"
            assert self.uidls.setdefault(number, uidl) == uidl, f"letter {number} has another UIDL"
            found[int(index)] = number
        return found

    def _any(self, name: str) -> tuple[Session, int] | None:
        session = self.sessions[name]
        left = [index for index, number in session.ids.items() if number not in session.marked]
        return (session, self.random.choice(left)) if left else None

    def retr(self, name: str) -> None:
        if not (found := self._any(name)):
            return
        session, index = found
        number = session.ids[index]
        try:
            lines = session.client.retr(index)[1]
        except poplib.error_proto:
            if number in self.inbox:
                raise
        else:
            assert b"".join(line + b"\r\n" for line in lines).endswith(letter(number))

    def dele(self, name: str) -> None:
        if found := self._any(name):
            session, index = found
            session.client.dele(index)
            session.marked.add(session.ids[index])

    def quit(self, name: str) -> None:
        session = self.sessions.pop(name)
        assert session.client.quit().startswith(b"+OK")
        there = session.marked & self.inbox
        if name:
            self.hidden[name] |= there
            there = set.intersection(self.inbox, *self.hidden.values())
        self.trash |= there
        for number in there:
            self._gone(number)

    def drop(self, name: str) -> None:
        self.sessions.pop(name).client.close()

    def _gone(self, number: int) -> None:
        self.inbox.discard(number)
        for hidden in self.hidden.values():
            hidden.discard(number)

    # What there is

    def look(self) -> None:
        """Every program sees what the model says."""
        within(PATIENCE, self._look_by_imap, AssertionError)
        for name in self.passwords.keys() - self.sessions.keys():
            self.open(name)
            self.quit(name)
        trash = within(PATIENCE, lambda: self._logged_in(boxed(JOE, "+trash"), PLAIN), poplib.error_proto)
        assert set(self._listed(trash).values()) == self.trash
        trash.quit()
        assert letters_in(self.desk.home / "saved") == self.saved
        assert self._archived() == sorted(self.archive)
        folders = [each for each in self.imap.list()[1] if isinstance(each, bytes)]
        assert len(folders) == 2, f"something of ours shows as a folder: {folders}"

    def _look_by_imap(self) -> None:
        """Within the second of a change Dovecot may still tell what was there before it."""
        shown = [number for _, number in self.shown_by_imap()]
        assert sorted(shown) == sorted(self.inbox)

    def _archived(self) -> list[int]:
        return sorted(
            number_of(file.read_bytes().splitlines())
            for folder in ("new", "cur")
            for file in (self.both.ours.maildir(JOE) / f".{ARCHIVE}" / folder).iterdir()
        )


def number_of(lines: list[bytes]) -> int:
    """Which letter has this header."""
    found = re.match(rb"<([0-9]+)@", message_id(lines))
    assert found, lines
    return int(found[1])


def letters_in(maildir: Path) -> set[int]:
    files = [file for folder in ("new", "cur") for file in (maildir / folder).iterdir()]
    found = {number_of(file.read_bytes().splitlines()) for file in files}
    assert len(found) == len(files), "a letter is there twice"
    return found
