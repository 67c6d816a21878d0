"""Whatever is done to both, log and subscriptions in memory and those in notify.db answer the same."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.notice import Happening, Kind, MessageFacts
from mailsuite.model.subscription import Attempt, Cursor, DeadLetter, preference_id
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from tests.contracts.subscriptions import FULL, PLAIN
from tests.notices.files import NotifyDbCase

accounts = st.sampled_from([Address(local, "example.net") for local in ("joe", "ann", "Zoë b")])
moments = st.integers(0, 20).map(float)
seqs = st.integers(0, 12)
text = st.text(st.characters(), max_size=12)
happenings = st.builds(
    Happening,
    accounts,
    st.sampled_from(Kind),
    moments,
    size=st.integers(0, 2**40),
    facts=st.none() | st.builds(MessageFacts, sender=text, subject=text, junk=st.booleans()),
    detail=text,
)
log_steps = st.one_of(
    st.tuples(st.just("append"), st.lists(happenings, max_size=5)),
    st.tuples(st.just("read"), accounts, seqs, st.integers(0, 6)),
    st.tuples(st.just("heads"), st.lists(accounts, max_size=3)),
    st.tuples(st.just("grown_since"), moments),
    st.tuples(st.just("trim"), moments, st.integers(0, 5)),
    st.tuples(st.just("erase"), accounts),
)

ids = st.sampled_from([PLAIN.id, FULL.id, preference_id(PLAIN.account)])
wishes = st.builds(
    lambda base, id, **changes: attrs.evolve(base, id=id, **changes),
    st.sampled_from([PLAIN, FULL]),
    st.sampled_from([PLAIN.id, FULL.id]),
    account=accounts,
    device=st.sampled_from(["", "d1"]),
    target=text,
    options=st.dictionaries(text, text, max_size=2),
    window=st.none() | st.floats(0, 100),
    guesses=st.integers(0, 5),
)
attempts = st.builds(Attempt, ids, seqs, moments, st.floats(0, 9), st.sampled_from(["ok", "refused"]))
subscription_steps = st.one_of(
    st.tuples(st.just("all")),
    st.tuples(st.just("preferences")),
    st.tuples(st.just("add"), wishes, seqs),
    st.tuples(st.just("change"), wishes),
    st.tuples(st.just("remove"), ids),
    st.tuples(
        st.just("record"), st.lists(st.builds(Cursor, ids, seqs, moments)), st.lists(attempts, max_size=60)
    ),
    st.tuples(st.just("attempts"), ids),
    st.tuples(st.just("bury"), st.builds(DeadLetter, ids, seqs, seqs, moments, st.just("http 500"))),
    st.tuples(st.just("dead_letters"), ids),
    st.tuples(st.just("unbury"), ids, seqs),
    st.tuples(st.just("trim"), moments),
)


def outcome(subject, step):
    """What it answers, in an order of ours, or what it says no with."""
    name, *arguments = step
    answered = []
    Deferred.fromCoroutine(getattr(subject, name)(*arguments)).addBoth(answered.append)
    [result] = answered
    failure = getattr(result, "value", None)
    if isinstance(failure, MailFailure):
        return failure.reply
    if name in {"all", "preferences"}:
        return sorted(result, key=repr)
    return result


class AlikeTests(NotifyDbCase, SynchronousTestCase):
    @settings(max_examples=40, deadline=None)
    @given(st.lists(log_steps, max_size=25))
    def test_the_log(self, steps):
        memory, on_disk = MemoryEventLog(), self.opened().event_log
        for table in ("account_log", "log_head"):
            self.wipe(on_disk, table)
        for step in steps:
            assert outcome(memory, step) == outcome(on_disk, step), step

    @settings(max_examples=40, deadline=None)
    @given(st.lists(subscription_steps, max_size=25))
    def test_the_subscriptions(self, steps):
        memory, on_disk = MemorySubscriptions(), self.opened().subscriptions
        for table in ("subscription", "cursor", "attempt", "dead_letter"):
            self.wipe(on_disk, table)
        for step in [*steps, ("all",), ("preferences",)]:
            assert outcome(memory, step) == outcome(on_disk, step), step

    def wipe(self, subject, table):
        """An earlier example used the same file."""
        self.answer(subject.commits.run(lambda connection: connection.execute(f"DELETE FROM {table}")))
