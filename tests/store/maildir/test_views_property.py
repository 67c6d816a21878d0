"""Three devices, plain logins, deliveries, retention's sweeps and crashes in any order (features row B-01).

A small model says what each device has deleted; the store must agree after every step. A crash is a file
operation after which none happens any more; then a new store finds the same directory.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailsuite.concurrent.threads import Inline
from mailsuite.model.retention import DAY, MaildropRules, Retention
from mailsuite.model.view import Box, View
from mailsuite.store.device_views import SEEN_GRAIN
from mailsuite.store.maildir.layout import Layout
from mailsuite.store.maildir.store import MaildirStore
from tests.store.maildirs import JOE
from tests.store.pump import Pump
from tests.store.recording import RecordingFiles

DEVICES = ("desk", "laptop", "phone")
FORGET = 60 * DAY
CLASSIC = View()
NEVER = 10_000
"""More file operations than a step has."""

some = st.integers(1, 7)
"""Which of the listed messages, as bits: one of three stands for every third."""
crashes = st.one_of(st.just(NEVER), st.integers(0, 12))


class Crash(Exception):
    """The process is gone."""


class MortalFiles(RecordingFiles):
    """Dies at an operation, before or after it took effect; from then on nothing happens."""

    left = NEVER
    after_effect = False
    dead = False

    def _do(self, operation, path, act):
        if self.dead:
            if operation == "close":
                act()  # the system does that
            raise Crash
        self.left -= 1
        if self.left < 0:
            self.dead = True
            if self.after_effect or operation == "close":
                act()
            raise Crash
        return act()

    def sync(self, descriptor):
        """What a power failure would lose is another test's concern, and this one is quicker so."""
        self._do("sync", self.paths[descriptor], lambda: None)

    def sync_directory(self, path):
        self._do("sync_directory", path, lambda: None)


class Devices(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
        self.pump = Pump()
        self.now = 1_795_000_000.0
        self.mail = {}
        """All that was ever delivered."""
        self.removed = set()
        """What is in the trash."""
        self.deleted = {}
        """What each device that was ever here has deleted."""
        self.seen = {}
        self.store = None
        self.revive()

    def teardown(self):
        self.store.stop()
        shutil.rmtree(self.root)

    def revive(self):
        """A new process."""
        if self.store is not None:
            self.store.stop()
        self.files = MortalFiles(self.root)
        self.store = MaildirStore(
            Layout.below(self.root / "mail"), self.pump, Inline(), files=self.files, clock=lambda: self.now
        )
        self.store.rules = MaildropRules(keep_deleted=10_000 * DAY, view_forget=FORGET)
        self.store.start()

    # -- what the model says

    def inbox(self):
        return [uidl for uidl in self.mail if uidl not in self.removed]

    def shown(self, device):
        return [uidl for uidl in self.inbox() if uidl not in self.deleted.get(device, ())]

    def holding(self):
        return [device for device, at in self.seen.items() if self.now - at <= FORGET]

    def unwanted(self):
        """What every device that holds mail has deleted."""
        holding = self.holding()
        return {
            uidl
            for uidl in self.inbox()
            if holding and all(uidl in self.deleted[device] for device in holding)
        }

    # -- what the store says

    def answer(self, coroutine):
        return self.pump.answer(coroutine)

    def listed(self, view=CLASSIC):
        drop = self.answer(self.store.open_maildrop(JOE, view))
        self.answer(drop.release())
        return [ref.uidl for ref in drop.messages]

    def in_trash(self):
        return {one.uidl for one in self.answer(self.store.deleted(JOE))}

    def look(self):
        """After a crash: what it did not come to is as before, what it did is done; learn which."""
        inbox = self.listed()
        trash = self.in_trash()
        assert sorted([*inbox, *trash]) == sorted(self.mail), "lost, or there twice"
        self.removed = trash
        states = {device: self.store._maildir(JOE).views.read(device) for device in self.deleted}
        return {device: {uidl for uidl in self.mail if state.hides(uidl)} for device, state in states.items()}

    def come(self, device):
        """The device logs in: from now on it holds mail."""
        self.deleted.setdefault(device, set())
        if self.now - self.seen.get(device, 0.0) > SEEN_GRAIN:
            self.seen[device] = self.now

    def session(self, view, delete, retrieve=0, crash=NEVER, after_effect=False):
        """Answers what was deleted and retrieved, and whether QUIT was answered."""
        drop = self.answer(self.store.open_maildrop(JOE, view))
        chosen = [
            [ref for n, ref in enumerate(drop.messages) if which >> n % 3 & 1] for which in (delete, retrieve)
        ]
        self.files.left, self.files.after_effect = crash, after_effect
        try:
            assert self.answer(drop.update(*chosen)) == 0
            done = True
        except Crash:
            done = False
        self.answer(drop.release())
        self.files.left = NEVER
        if not done:
            self.revive()
        return [{ref.uidl for ref in refs} for refs in chosen], done

    # -- what happens

    @initialize(count=st.integers(2, 6), devices=st.integers(0, 3))
    def begin(self, count, devices):
        for _ in range(count):
            self.deliver()
        for device in DEVICES[:devices]:
            self.a_device_looks(device, NEVER, False)

    @rule()
    def deliver(self):
        self.now += 1  # within a second, mail of two processes is in no order
        content = b"Subject: %d\r\n\r\n" % len(self.mail)
        delivery = self.store.begin(JOE)
        delivery.write(content)
        (stored,) = self.answer(self.store.deliver([delivery]))
        self.mail[stored.uidl] = content

    @rule(device=st.sampled_from(DEVICES), crash=crashes, after_effect=st.booleans())
    def a_device_looks(self, device, crash, after_effect):
        self.files.left, self.files.after_effect = crash, after_effect
        try:
            shown = self.listed(View(device=device))
        except Crash:
            self.revive()
            view = self.store._maildir(JOE).views.read(device)
            assert view is not None or device not in self.seen
            if view is not None:
                assert view.seen in (self.now, self.seen.get(device))
                self.deleted.setdefault(device, set())
                self.seen[device] = view.seen
        else:
            self.files.left = NEVER
            self.come(device)
            assert shown == self.shown(device)

    @rule(device=st.sampled_from(DEVICES))
    def a_device_is_enrolled(self, device):
        self.answer(self.store.enroll_view(JOE, device))
        if device not in self.deleted:
            self.come(device)

    @precondition(inbox)
    @rule(device=st.sampled_from(DEVICES), delete=some, crash=crashes, after_effect=st.booleans())
    def a_device_deletes(self, device, delete, crash, after_effect):
        self.come(device)
        before = set(self.deleted[device])
        wanted = set(self.shown(device))
        (deleted, _), done = self.session(View(device=device), delete, 0, crash, after_effect)
        assert deleted <= wanted
        if done:
            self.deleted[device] |= deleted
            self.removed |= self.unwanted() & deleted
            return
        may_go = before | deleted
        inbox = self.inbox()
        hidden = self.look()
        assert before <= hidden[device] <= may_go
        self.deleted[device] = hidden[device]
        assert self.removed.isdisjoint(
            uidl for uidl in inbox if uidl not in self.unwanted_by(self.deleted)
        ), "removed, and somebody waits for it"

    def unwanted_by(self, deleted):
        holding = self.holding()
        return {uidl for uidl in self.mail if holding and all(uidl in deleted[device] for device in holding)}

    @precondition(inbox)
    @rule(delete=some, crash=crashes, after_effect=st.booleans())
    def a_plain_login_deletes(self, delete, crash, after_effect):
        before = set(self.removed)
        (deleted, _), done = self.session(CLASSIC, delete, 0, crash, after_effect)
        if done:
            self.removed |= deleted
            return
        hidden = self.look()
        assert before <= self.removed <= before | deleted
        assert hidden == self.deleted

    @precondition(lambda self: self.removed or any(self.deleted.values()))
    @rule(device=st.sampled_from(("", *DEVICES)), retrieve=some, crash=crashes, after_effect=st.booleans())
    def somebody_restores(self, device, retrieve, crash, after_effect):
        removed, deleted = set(self.removed), {name: set(uidls) for name, uidls in self.deleted.items()}
        (_, back), done = self.session(View(Box.RESTORE, device), 0, retrieve, crash, after_effect)
        expected = {
            name: uidls - (back if name == device else back & removed) for name, uidls in deleted.items()
        }
        if done:
            self.removed -= back
            self.deleted = expected
            return
        hidden = self.look()
        assert removed - back <= self.removed <= removed
        for name, uidls in hidden.items():
            assert expected[name] <= uidls <= deleted[name]
        self.deleted = hidden

    @rule(crash=crashes, after_effect=st.booleans())
    def the_housekeeper_comes(self, crash, after_effect):
        before, unwanted = set(self.removed), self.unwanted()
        self.files.left, self.files.after_effect = crash, after_effect
        try:
            removed = self.answer(self.store.expire(JOE, Retention(), self.now))
        except Crash:
            self.revive()
            hidden = self.look()
            assert before <= self.removed <= before | unwanted
        else:
            self.files.left = NEVER
            assert removed.messages == len(unwanted)
            self.removed |= unwanted
            return
        assert hidden == self.deleted

    @precondition(lambda self: self.seen)
    @rule(device=st.sampled_from(DEVICES))
    def a_device_is_removed(self, device):
        self.answer(self.store.forget_view(JOE, device))
        self.deleted.pop(device, None)
        self.seen.pop(device, None)

    @rule(days=st.sampled_from((1, 30, 59)))
    def time_passes(self, days):
        self.now += days * DAY

    @rule()
    def it_is_started_again(self):
        self.revive()

    @invariant()
    def each_sees_what_it_has_not_deleted(self):
        """The store is asked for its state, not by a login: that would make a device hold mail."""
        assert self.listed() == self.inbox()
        assert self.in_trash() == self.removed
        views = self.store._maildir(JOE).views
        for device, deleted in self.deleted.items():
            view = views.read(device)
            assert [uidl for uidl in self.inbox() if not view.hides(uidl)] == self.shown(device)
            assert {uidl for uidl in self.mail if view.hides(uidl)} <= deleted

    @invariant()
    def all_of_it_is_there_octet_by_octet(self):
        for view, expected in ((CLASSIC, self.inbox()), (View(Box.TRASH), self.removed)):
            drop = self.answer(self.store.open_maildrop(JOE, view))
            found = {}
            for ref in drop.messages:
                body = self.answer(drop.open(ref))
                found[ref.uidl] = self.answer(body.read())
                body.close()
            self.answer(drop.release())
            assert found == {uidl: self.mail[uidl] for uidl in expected}


TestDevices = Devices.TestCase
TestDevices.settings = settings(stateful_step_count=40)
