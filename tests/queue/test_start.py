"""Opening a queue, and finding what is next, costs the same however much is in it (features row Q-01)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.queue import fill
from mailsuite.model.outbound import Room
from tests.queue.queues import QueueOnDisk, UnsyncedConnection

LONG = bool(os.environ.get("MAILSUITE_LONG"))
MESSAGES = 1_000_000 if LONG else 10_000
"""Putting a million takes minutes."""
FEW, MANY = 200, 5_000
CLAIMED = 20
SECONDS = 10
MEBIBYTES = 300
"""Of a process that has opened the queue, put, leased and recorded."""
NOON = 1_700_000_000.0
OPENED = re.compile(r"^open: ([0-9.]+) s, next due 0;", re.MULTILINE)
RESIDENT = re.compile(r"([0-9]+) MiB resident")
CHECKOUT = Path(__file__).parents[2]


class CountingConnection(UnsyncedConnection):
    """Counts the steps of the machine that runs statements."""

    steps = 0

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.set_progress_handler(self._count, 1)

    def _count(self):
        CountingConnection.steps += 1


class Start(QueueOnDisk, SynchronousTestCase):
    def steps(self, messages):
        """Those of opening a queue of so many, half of them due, and of leasing a few of them."""
        fill(self.root, messages, messages // 10, with_files=False)
        CountingConnection.steps = 0
        queue = self.open_queue(factory=CountingConnection)
        leases = self.answer(queue.claim(NOON, NOON + 60, CLAIMED, Room(CLAIMED)))
        steps = CountingConnection.steps
        self.assertEqual(len(leases), CLAIMED)
        self.answer(queue.close())
        for each in self.root.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        return steps

    def test_what_is_next_is_found_without_looking_at_the_rest(self):
        few, many = self.steps(FEW), self.steps(MANY)
        self.assertLess(many, 2 * few)

    def test_any_number_is_opened_soon_and_fill_no_memory(self):
        command = [sys.executable, "-m", "bench.queue", "--messages", str(MESSAGES), "--rounds", "1"]
        told = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
        (seconds,) = OPENED.findall(told)
        self.assertLess(float(seconds), SECONDS, told)
        self.assertLess(max(map(int, RESIDENT.findall(told))), MEBIBYTES, told)
