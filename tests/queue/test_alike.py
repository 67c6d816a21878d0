"""Whatever is done to both, the queue in memory and the embedded one come to the same."""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.concurrent.threads import Inline
from mailsuite.durable.committer import Committer
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope, OutboundRecipient, RecipientParameters
from mailsuite.model.outbound import FROM, QueueFilter, Room
from mailsuite.observe.log import Log
from mailsuite.queue.memory import MemoryQueue
from mailsuite.queue.memory_desk import MemoryDesk
from mailsuite.queue.sqlite.desk import SqliteDesk
from mailsuite.queue.sqlite.fsck import check
from mailsuite.queue.sqlite.queue import SqliteQueue
from tests.contracts.outbound_queue_sending import BUSY, GONE, NOON, TAKEN
from tests.contracts.queue_desk import NO_MORE
from tests.queue.queues import UnsyncedConnection, UnsyncedFiles
from tests.store.pump import Pump

DOMAINS = ("a.example", "b.example", "c.example")
IDS = tuple("mnopq")
NOTIFY = (None, frozenset({NotifyOn.NEVER}), frozenset({NotifyOn.SUCCESS, NotifyOn.FAILURE}))
ROUTES = (
    lambda sender, recipient: recipient.domain,
    lambda sender, recipient: "smarthost",
    lambda sender, recipient: recipient.local[-1],
    lambda sender, recipient: recipient.domain + (f"{FROM}{sender.local}" if sender else ""),
)

ids = st.sampled_from(IDS)
some = st.one_of(st.just(QueueFilter()), ids.map(lambda id: QueueFilter(ids=frozenset({id}))))
recipients = st.lists(
    st.builds(
        lambda local, domain, notify: OutboundRecipient(Address(local, domain), RecipientParameters(notify)),
        st.sampled_from(("r1", "r2")),
        st.sampled_from(DOMAINS),
        st.sampled_from(NOTIFY),
    ),
    min_size=1,
    max_size=4,
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), ids, recipients, st.sampled_from((0, 0, 50))),
        st.tuples(st.just("claim"), st.sampled_from((0, 5, 30, 100))),
        st.tuples(
            st.just("record"),
            st.integers(0, 9),
            st.lists(st.sampled_from((TAKEN, BUSY, GONE, None)), min_size=4, max_size=4),
            st.sampled_from((None, *NotifyOn)),
        ),
        st.tuples(st.just("give_back"), st.integers(0, 9)),
        st.tuples(st.just("told"), st.integers(0, 3)),
        st.tuples(st.just("reroute"), st.sampled_from(ROUTES)),
        st.tuples(st.sampled_from(("hold", "release", "retry", "remove", "bounce", "redirect")), some),
    ),
    max_size=25,
)


class Both:
    """Does each step to both, and compares what can be seen."""

    def __init__(self, root):
        self.pump = Pump()
        self.committer = Committer(self.pump, Log(), UnsyncedFiles())
        self.committer.start()
        memory = MemoryQueue()
        embedded = SqliteQueue(
            root,
            self.committer,
            Inline(),
            Inline(),
            files=UnsyncedFiles(),
            factory=UnsyncedConnection,
            clock=lambda: NOON,
        )
        self.pump.answer(embedded.open())
        self.pairs = ((memory, MemoryDesk(memory)), (embedded, SqliteDesk(embedded)))
        self.queues, self.now = (memory, embedded), NOON
        self.leases = ({}, {})

    def answers(self, *coroutines):
        return [self.pump.answer(coroutine) for coroutine in coroutines]

    def alike(self, what):
        entries = self.answers(*(desk.find(QueueFilter(), self.now) for _, desk in self.pairs))
        assert entries[0] == entries[1], what
        for one, other in (
            self.answers(*(queue.next_due() for queue in self.queues)),
            self.answers(*(desk.errors(self.now) for _, desk in self.pairs)),
            self.answers(*(desk.shape(self.now, (10, 50)) for _, desk in self.pairs)),
            [
                {(each.message.id, each.kind): each for each in owed}
                for owed in self.answers(*(queue.owed(99) for queue in self.queues))
            ],
        ):
            assert blurred(one) == blurred(other), what

    def put(self, id, recipients, wait):
        envelope = OutboundEnvelope(
            id, None, tuple(recipients), arrived=self.now, release=self.now + wait if wait else 0
        )
        for queue in self.queues:
            queuing = queue.begin(envelope)
            queuing.write(b"x")
            self.answers(queuing.prepare(), queuing.commit())

    def claim(self, seconds):
        self.now += seconds
        for queue, known in zip(self.queues, self.leases, strict=True):
            known.update(
                (key(lease), lease)
                for lease in self.answers(queue.claim(self.now, self.now + 60, 999, Room(999)))[0]
            )
        assert set(self.leases[0]) == set(self.leases[1])

    def chosen(self, number):
        """The leases of the same parts, held or lost by now."""
        keys = sorted(self.leases[0])
        return [known[keys[number % len(keys)]] for known in self.leases] if keys else []

    def record(self, number, outcomes, owed):
        pairs = list(zip(self.queues, self.chosen(number), strict=False))
        results = []
        for queue, lease in pairs:
            said = {
                each.number: outcome
                for each, outcome in zip(lease.recipients, outcomes, strict=False)
                if outcome is not None
            }
            notices = dict.fromkeys(said, owed) if owed else {}
            results += self.answers(queue.record(lease, said, self.now + 40, notices))
        assert len(set(results)) < 2

    def give_back(self, number):
        for queue, lease in zip(self.queues, self.chosen(number), strict=False):
            self.answers(queue.give_back([lease], self.now + 7))

    def told(self, number):
        for queue in self.queues:
            owed = sorted(
                self.answers(queue.owed(99))[0], key=lambda each: (each.message.id, each.kind.value)
            )
            if owed:
                self.answers(queue.told(owed[number % len(owed)]))

    def reroute(self, route):
        self.answers(*(queue.reroute(route) for queue in self.queues))

    def change(self, verb, which):
        rest = {"bounce": [NO_MORE], "redirect": [Address("to", "b.example")]}.get(verb, [])
        told = ([], [])
        results = self.answers(
            *(
                getattr(desk, verb)(which, self.now, *rest, changed=ids.extend)
                for (_, desk), ids in zip(self.pairs, told, strict=True)
            )
        )
        assert results[0] == results[1] == len(told[0]), verb
        assert told[0] == told[1], verb

    def close(self):
        self.answers(self.queues[1].close())
        self.committer.stop()


def key(lease):
    return lease.message.id, lease.destination, tuple(each.number for each in lease.recipients)


def blurred(seen):
    """Any one of the last replies may stand for a destination."""
    if isinstance(seen, tuple) and seen and hasattr(seen[0], "destination"):
        return [(each.destination, each.counts) for each in seen]
    return seen


@settings(max_examples=2000 if os.environ.get("MAILSUITE_LONG") else 25)
@given(steps)
def test_both_come_to_the_same(doings):
    root = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
    both = Both(root)
    try:
        for verb, *arguments in doings:
            if hasattr(both, verb):
                getattr(both, verb)(*arguments)
            else:
                both.change(verb, *arguments)
            both.alike((verb, *arguments))
        spooled = [path for path in (root / "spool").rglob("*") if path.is_file()]
        assert len(spooled) == len(both.queues[0].messages)
        both.close()
        assert check(root) == ()
    finally:
        both.committer.stop()
        shutil.rmtree(root)
