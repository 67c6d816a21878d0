"""kill -9 at each step of putting and recording: what was acknowledged is there, and nobody gets it twice."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.outbound import Room
from mailsuite.queue.sqlite.fsck import check
from mailsuite.queue.sqlite.sweeping import sweep
from tests.queue.dying import BUSY, CONTENTS, NOON
from tests.queue.queues import QueueOnDisk

LONG = bool(os.environ.get("MAILSUITE_LONG"))
KILLS = 10
ROOT = Path(__file__).parents[2]


class KilledTests(QueueOnDisk, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.forking = subprocess.Popen(
            [sys.executable, "-m", "tests.queue.dying"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.forking.communicate)
        self.place = self.root

    def acknowledged(self, fatal):
        """What a process that dies at this step was told; whether it died is the last word."""
        self.forking.stdin.write(f"{self.root} {fatal}\n")
        self.forking.stdin.flush()
        words = []
        while not words or not words[-1].startswith(("steps", "died")):
            words.append(self.forking.stdout.readline().strip())
            self.assertTrue(words[-1])
        return words

    def fresh_root(self):
        self.root = Path(tempfile.mkdtemp(prefix="q", dir=self.place))

    def test_nothing_is_lost_and_nothing_comes_twice(self):
        self.fresh_root()
        *words, last = self.acknowledged(-1)
        self.assertEqual(len(words), 8)
        self.verify(words, -1)
        total = int(last.partition(" ")[2])
        self.assertGreater(total, 80)
        for fatal in range(0, total, 1 if LONG else total // KILLS):
            self.fresh_root()
            *words, last = self.acknowledged(fatal)
            self.assertEqual(last, "died", fatal)
            self.verify(words, fatal)
            shutil.rmtree(self.root)

    def verify(self, words, fatal):
        queue = self.open_queue()
        queue.opened_at += 60
        self.answer(sweep(queue))
        there = {}
        for lease in self.answer(queue.claim(NOON + 99, NOON + 199, 99, Room(99))):
            there[lease.message.id] = [each.number for each in lease.recipients]
            content = self.answer(queue.content(lease.message.id).read(1_000_000))
            self.assertEqual(content, CONTENTS[lease.message.id], fatal)
            if lease.message.id == "a" and lease.recipients[0].number == 1:
                self.assertEqual((lease.recipients[0].tries, lease.recipients[0].last), (1, BUSY))
        for id, allowed in self.expected(words).items():
            self.assertIn(there.get(id), allowed, (id, fatal))
        owed = [each.recipients[0].number for each in self.answer(queue.owed(9))]
        self.assertIn(owed, self.expected_notices(words), fatal)
        self.assertEqual(len(self.spooled()), len(there), fatal)
        self.answer(queue.close())
        self.assertEqual(check(self.root), (), fatal)

    def expected(self, words):
        """Who may still be to get what, of each message that was put, None: nobody."""
        return {
            id: states
            for id, states in (
                ("a", self.after("a", words, [[0, 1]], [[1]])),
                ("b", self.after("b", words, [[0]], [None])),
                ("c", [[0]]),
            )
            if f"put {id}" in words
        }

    def after(self, id, words, before, afterwards):
        """What may be found, by whether an outcome was recorded, was about to be, or not."""
        if {f"recorded {id}", f"over {id}"} & set(words):
            return afterwards
        return before + afterwards if f"claimed {id}" in words else before

    def expected_notices(self, words):
        if "told a" in words:
            return [[]]
        if "put c" in words:  # about to be told
            return [[], [1]]
        if "recorded a" in words:
            return [[1]]
        return [[], [1]] if "claimed a" in words else [[]]
