"""Whatever happens in whatever order: nobody is told too much at once, and in the end all have been told."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from mailsuite.concurrent.now import run_now
from mailsuite.model.failure import TellingFailed, TellingRefused
from mailsuite.model.notice import Kind
from mailsuite.model.subscription import SubscriptionState
from mailsuite.notify.turns import DispatcherSettings
from tests.notify.stage import JOE, Stage

MOST = 6
IDS = {"latest": "s1", "each": "s2", "once": "s3"}
_SPAN = st.sampled_from([0.0, 0.3, 4.0, 11.0, 70.0, 700.0, 3700.0])

_STEPS = st.one_of(
    st.tuples(st.just("mail"), st.integers(1, 4)),
    st.tuples(st.just("junk"), st.integers(1, 2)),
    st.tuples(st.just("fetch"), st.integers(0, 20)),
    st.tuples(st.just("run"), _SPAN),
    st.tuples(st.just("answer"), st.sampled_from(["ok", "failed", "refused", "wait"])),
    st.tuples(st.just("release"), st.none()),
)
_RESTART = st.tuples(st.just("restart"), st.none())


@attrs.define
class Play:
    """What was done to a stage."""

    stage: Stage = attrs.field(factory=lambda: Stage(DispatcherSettings(max_per_hour=MOST)))
    wanted: dict[int, str] = attrs.field(factory=dict)
    """The UIDLs of what is to be told, by seq."""
    fetched: set[str] = attrs.field(factory=set)
    gates: list[Deferred[Any]] = attrs.field(factory=list)
    manner: str = "ok"
    number: int = 0
    shared: bool = False
    """Whether all go to one host."""

    def __attrs_post_init__(self) -> None:
        for name, channel in self.stage.channels.items():
            channel.answer = self._answer
            key = "shared.example:443" if self.shared else f"{name}.example:443"
            self.stage.follow(IDS[name], channel=name, target_key=key)

    def _answer(self, *_: object) -> object:
        if self.manner == "wait":
            self.gates.append(Deferred())
            return self.gates[-1]
        return {
            "ok": 200,
            "failed": TellingFailed("http 503", 503),
            "refused": TellingRefused("http 400", 400),
        }[self.manner]

    def step(self, what: str, value: Any) -> None:
        if what in ("mail", "junk"):
            uidls = [f"u{self.number + each}" for each in range(value)]
            self.number += value
            head = self.stage.head()
            if what == "mail":
                self.wanted |= {head + 1 + index: uidl for index, uidl in enumerate(uidls)}
            self.stage.mail(*uidls, junk=what == "junk")
        elif what == "fetch":
            if f"u{value}" in self.wanted.values():
                self.fetched.add(f"u{value}")
                self.stage.fetch(f"u{value}")
        elif what == "run":
            self.stage.run(value)
        elif what == "answer":
            self.manner = value
        elif what == "release":
            self._release()
        elif what == "restart":
            self.stage.stop()
            self.gates.clear()
            self.stage.restart()

    def _release(self) -> None:
        gates, self.gates = self.gates, []
        for gate in gates:
            if not gate.called:
                gate.callback(200)
        self.stage.run(0.0)

    def finish(self) -> None:
        """From here on all goes well, for as long as it takes."""
        self.manner = "ok"
        for _ in range(3):
            self._release()
            for id in IDS.values():
                if self.stage.standing(id).subscription.state is SubscriptionState.SUSPENDED:
                    cursor = attrs.evolve(self.stage.cursor(id), fails=0, failing_since=0.0, due=0.0)
                    self.stage.book.keep(cursor)
                    self.stage.change(id, state=SubscriptionState.ACTIVE)
            self.stage.run(2 * 3600.0)
        for id in IDS.values():
            run_now(self.stage.book.attempts(id))

    def check(self, *, restarted: bool) -> None:
        head, stage = self.stage.head(), self.stage
        for name, id in IDS.items():
            channel = stage.channels[name]
            assert channel.most_at_once <= 1
            assert stage.cursor(id).acked == head
            told = [one.notice for one in channel.told]
            lasting = [seq for seq, uidl in self.wanted.items() if uidl not in self.fetched]
            given_up = {letter.seq for letter in run_now(stage.kept.dead_letters(id))}
            refused = {one.notice.seq for one in channel.asked} - {one.seq for one in told}
            if lasting:
                assert max(one.notice.seq for one in channel.asked) >= lasting[-1]
            if lasting and not refused and not given_up:
                assert told[-1].seq >= lasting[-1]
            assert {notice.kind for notice in told} <= {Kind.MAIL_NEW}
            assert {notice.seq for notice in told} <= set(self.wanted)
            assert len({(notice.seq, notice.id) for notice in told}) == len({notice.id for notice in told})
            if restarted:
                continue
            seqs = [notice.seq for notice in told]
            assert seqs == sorted(set(seqs))
            assert sum(notice.count for notice in told) <= len(self.wanted)
            if not refused and not given_up and name != "once":
                assert sum(notice.count for notice in told) >= len(lasting)
            times = [one.at for one in channel.asked]
            for index in range(len(times) - MOST):
                assert times[index + MOST] - times[index] >= 3599.0
        assert not stage.dispatcher.waiting
        assert not stage.dispatcher.in_flight


@settings(max_examples=60, deadline=None)
@given(st.lists(_STEPS, max_size=25), st.booleans())
def test_in_one_life(steps: list[tuple[str, Any]], shared: bool) -> None:
    _play(steps, shared)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(_STEPS, _RESTART), max_size=25), st.booleans())
def test_over_restarts(steps: list[tuple[str, Any]], shared: bool) -> None:
    _play(steps, shared)


def _play(steps: list[tuple[str, Any]], shared: bool) -> None:
    play = Play(shared=shared)
    for what, value in steps:
        play.step(what, value)
    play.finish()
    play.check(restarted=any(what == "restart" for what, _ in steps))
    play.stage.stop()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=40))
def test_the_last_notice_is_never_older_than_the_last_mail(pauses: list[float]) -> None:
    stage = Stage()
    stage.follow()
    for number, pause in enumerate(pauses):
        stage.run(pause)
        stage.mail(f"u{number}")
    stage.run(10.1)
    told = stage.told()
    assert told[-1][1] == len(pauses)
    assert sum(count for _, _, count in told) == len(pauses)
    times = [at for at, _, _ in told]
    assert all(later - earlier >= 9.99 for earlier, later in pairwise(times))
    assert run_now(stage.events.heads([JOE])) == {JOE: len(pauses)}
    stage.stop()
