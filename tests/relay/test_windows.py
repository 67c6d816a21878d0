"""How much goes to each destination at a time, and when it is left alone."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model import reply as replies
from mailsuite.model.outbound import Fate, Outcome, Room
from mailsuite.model.reply import Reply
from mailsuite.relay import windows as module
from mailsuite.relay.windows import (
    IDLE_SECONDS,
    ROOM_AT_REST,
    USUAL,
    Omen,
    Rest,
    Sign,
    Turn,
    Windows,
    omen_of,
)

HOUR = 3600.0
A = "a.test"
REFUSED = Outcome(Fate.DEFERRED, replies.NO_ANSWER)
TOO_MANY = Outcome(Fate.DEFERRED, Reply(421, "4.7.0", ("Too many connections",)), "mx.a.test")
TAKEN, ANSWERED, SLOWER = Omen(Sign.TAKEN), Omen(Sign.ANSWERED), Omen(Sign.SLOWER)
DOWN, BUSY = Omen(Sign.DOWN, REFUSED), Omen(Sign.BUSY, TOO_MANY)


@attrs.define
class Desk:
    """Windows with a clock that stands, and no jitter."""

    now: float = 1000.0
    most: int = 20
    longest: float = 4 * HOUR
    windows: Windows = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.windows = Windows(lambda: self.now, lambda: 0.5)

    def room(self, destination: str = A) -> int:
        return self.windows.room().of(destination)

    def begin(self, destination: str = A) -> Turn:
        turn = self.windows.begin(destination, self.most)
        assert isinstance(turn, Turn)
        return turn

    def end(self, turn: Turn, omen: Omen | None) -> None:
        self.windows.end(turn, omen, self.most, self.longest)

    def run(self, omen: Omen, destination: str = A) -> None:
        self.end(self.begin(destination), omen)

    def fill(self) -> list[Turn]:
        """As much as there is room for."""
        return [self.begin() for _ in range(self.room())]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def widen(desk: Desk, to: int) -> None:
    """Until there is room for so many."""
    turns = desk.fill()
    while len(turns) < to:
        desk.end(turns.pop(0), TAKEN)
        turns += desk.fill()
    assert desk.room() == 0
    for turn in turns:
        desk.end(turn, ANSWERED)
    assert desk.room() == to


def test_two_at_first(desk: Desk) -> None:
    assert (USUAL, desk.room()) == (2, 2)
    first = desk.begin()
    assert desk.room() == 1
    desk.begin()
    assert desk.room() == 0
    assert desk.windows.begin(A, 20) is None
    assert desk.room("b.test") == 2
    desk.end(first, ANSWERED)
    assert desk.room() == 1


def test_one_more_for_as_many_as_went_well_as_there_is_room_for(desk: Desk) -> None:
    rooms = []
    keep = desk.begin()
    for _ in range(9):
        desk.run(TAKEN)
        rooms.append(desk.room() + 1)
    assert rooms == [2, 3, 3, 3, 4, 4, 4, 4, 5]
    desk.end(keep, TAKEN)


def test_up_to_twenty_and_no_further(desk: Desk) -> None:
    widen(desk, 20)
    for _ in range(100):
        desk.run(TAKEN)
    assert desk.room() == 20


def test_what_one_message_is_answered_with_changes_nothing(desk: Desk) -> None:
    widen(desk, 5)
    for _ in range(50):
        desk.run(ANSWERED)
    assert desk.room() == 5


def test_half_as_many_where_it_is_too_much(desk: Desk) -> None:
    widen(desk, 20)
    keep = desk.begin()
    rooms = []
    for _ in range(3):
        desk.run(BUSY)
        rooms.append(desk.room() + 1)
    assert rooms == [10, 5, 2]
    assert desk.windows.resting(A) is None
    desk.run(BUSY)
    assert desk.room() == 0
    assert desk.windows.resting(A) is None
    desk.end(keep, None)


@pytest.mark.parametrize("omen", [BUSY, SLOWER, DOWN])
def test_many_that_fail_together_count_once(desk: Desk, omen: Omen) -> None:
    widen(desk, 20)
    turns = desk.fill()
    for turn in turns:
        desk.end(turn, omen)
    assert desk.room() == 10
    assert desk.windows.resting(A) is None


def test_what_began_before_is_no_sign_of_now(desk: Desk) -> None:
    widen(desk, 8)
    turns = desk.fill()
    desk.end(turns[0], BUSY)
    for turn in turns[1:]:
        desk.end(turn, TAKEN)
    assert desk.room() == 4


def test_nobody_there_at_first_is_a_rest_for_all(desk: Desk) -> None:
    """Connection failures stop the whole destination (Q-03)."""
    desk.run(DOWN)
    assert desk.windows.resting(A) == Rest(1060.0, REFUSED)
    assert desk.windows.begin(A, 20) == Rest(1060.0, REFUSED)
    assert desk.room() == ROOM_AT_REST
    assert desk.room("b.test") == USUAL


def test_nobody_there_any_more_is_less_first(desk: Desk) -> None:
    widen(desk, 8)
    keep = desk.begin()
    for window in (4, 2):
        desk.run(DOWN)
        assert desk.room() == window - 1
    desk.run(DOWN)
    assert desk.room() == 0
    assert desk.windows.resting(A) is None
    desk.end(keep, None)
    desk.run(DOWN)
    assert desk.windows.resting(A) is not None


def test_it_rests_where_even_one_is_too_much(desk: Desk) -> None:
    keep = desk.begin()
    desk.run(BUSY)
    desk.end(keep, BUSY)
    assert desk.windows.resting(A) is None
    desk.most = 1
    desk.run(BUSY)
    assert desk.windows.resting(A) == Rest(1060.0, TOO_MANY)


def test_two_that_are_sent_away_together_are_followed_by_one_alone(desk: Desk) -> None:
    turns = [desk.begin(), desk.begin()]
    for turn in turns:
        desk.end(turn, BUSY)
    assert (desk.windows.resting(A), desk.room()) == (None, 1)
    desk.run(BUSY)
    assert desk.windows.resting(A) == Rest(1060.0, TOO_MANY)


def test_who_wants_less_never_rests(desk: Desk) -> None:
    """Greylisting, for one: 450 4.7.1 says nothing about the next message."""
    desk.most = 1
    for _ in range(10):
        desk.run(SLOWER)
    assert desk.windows.resting(A) is None
    assert desk.room() == USUAL


def test_one_alone_looks_whether_somebody_is_there(desk: Desk) -> None:
    desk.run(DOWN)
    desk.now += 59.9
    assert desk.room() == ROOM_AT_REST
    desk.now += 0.1
    assert desk.room() == 1
    probe = desk.begin()
    assert desk.room() == 0
    assert desk.windows.begin(A, 20) is None
    desk.end(probe, ANSWERED)
    assert desk.room() == USUAL
    assert desk.windows.resting(A) is None


def test_longer_each_time_up_to_the_longest(desk: Desk) -> None:
    rests = []
    for _ in range(10):
        desk.run(DOWN)
        rest = desk.windows.resting(A)
        assert rest is not None
        rests.append((rest.until - desk.now) / 60)
        desk.now = rest.until
    assert rests == [1, 2, 4, 8, 16, 32, 64, 128, 216, 216]


def test_a_good_answer_ends_all_that(desk: Desk) -> None:
    for _ in range(5):
        desk.run(DOWN)
        desk.now += 10 * HOUR
    desk.run(TAKEN)
    desk.run(DOWN)
    assert desk.windows.resting(A) is not None
    assert desk.windows.resting(A).until == desk.now + 60  # type: ignore[union-attr]


def test_a_probe_that_breaks_off_found_somebody(desk: Desk) -> None:
    desk.run(DOWN)
    desk.now += 60
    desk.run(SLOWER)
    assert desk.windows.resting(A) is None
    assert desk.windows.begin(A, 20) is not None


def test_a_probe_that_is_sent_away_rests_on(desk: Desk) -> None:
    desk.run(DOWN)
    desk.now += 60
    desk.run(BUSY)
    assert desk.windows.resting(A) == Rest(desk.now + 120, TOO_MANY)


def test_a_probe_that_we_break_off_leaves_all_as_it_was(desk: Desk) -> None:
    desk.run(DOWN)
    desk.now += 60
    desk.end(desk.begin(), None)
    assert desk.room() == 1
    desk.run(DOWN)
    assert desk.windows.resting(A) == Rest(desk.now + 120, REFUSED)


def test_no_more_than_the_limit_in_all(desk: Desk) -> None:
    desk.windows.limit = 3
    turns = [desk.begin(f"{name}.test") for name in "abc"]
    assert desk.windows.free == 0
    assert desk.windows.begin("d.test", 20) is None
    desk.end(turns[0], TAKEN)
    assert desk.windows.free == 1
    desk.windows.limit = 1
    assert desk.windows.free == 0


def test_each_source_of_a_destination_has_a_window_of_its_own(desk: Desk) -> None:
    other = f"{A} from 192.0.2.11"
    widen(desk, 5)
    desk.run(DOWN, other)
    desk.run(BUSY)
    assert (desk.windows.resting(other), desk.windows.resting(A)) == (Rest(desk.now + 60, REFUSED), None)
    assert desk.room() == 2
    desk.now += 60
    assert desk.room(other) == 1


def test_no_more_than_the_limit_of_each_source(desk: Desk) -> None:
    desk.windows.per_source = 2
    turns = [desk.begin(f"{name}.test from 192.0.2.11") for name in "ab"]
    assert desk.windows.begin("c.test from 192.0.2.11", 20) is None
    room = desk.windows.room()
    assert (room.from_each, room.sources) == (2, {"192.0.2.11": 0})
    usual = [desk.begin(f"{name}.test") for name in "ab"]
    assert desk.windows.room().sources == {"192.0.2.11": 0, "": 0}
    desk.windows.per_source = 1
    assert desk.windows.room().sources == {"192.0.2.11": 0, "": 0}
    desk.windows.per_source = None
    turns.append(desk.begin("c.test from 192.0.2.11"))
    assert desk.windows.room().of_source("192.0.2.11", 7) == 7
    desk.windows.per_source = 4
    for turn in usual:
        desk.end(turn, TAKEN)
    room = desk.windows.room()
    assert room.sources == {"192.0.2.11": 1}
    assert [room.of_source(source, 9) for source in ("192.0.2.11", "", "192.0.2.12")] == [1, 4, 4]
    for turn in turns:
        desk.end(turn, ANSWERED)
    assert desk.windows.room().sources == {}


def test_fewer_where_that_is_said(desk: Desk) -> None:
    desk.most = 1
    turn = desk.begin()
    assert desk.windows.begin(A, 1) is None
    assert desk.room() == 0
    desk.end(turn, TAKEN)
    wide = Desk()
    widen(wide, 10)
    wide.most = 3
    assert isinstance(wide.windows.begin(A, 3), Turn)
    assert wide.room() == 2


def test_what_is_nothing_special_is_forgotten_at_once(desk: Desk) -> None:
    for number in range(100):
        desk.run(TAKEN, f"{number}.test")
    assert desk.windows.room() == Room(USUAL)


def test_what_was_not_used_for_long_is_forgotten(desk: Desk) -> None:
    widen(desk, 10)
    desk.now += IDLE_SECONDS
    desk.run(TAKEN, "b.test")
    assert desk.room() == 10
    desk.now += 1
    desk.run(TAKEN, "b.test")
    assert desk.room() == USUAL


def test_a_rest_is_not_forgotten_for_its_length(desk: Desk) -> None:
    for _ in range(9):
        desk.run(DOWN)
        desk.now += 1 if _ == 8 else 10 * HOUR
    desk.now += 1.5 * HOUR
    desk.run(TAKEN, "b.test")
    assert desk.windows.resting(A) is not None


def test_not_too_many_are_remembered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN", 3)
    busy = [desk.begin(f"busy{number}.test") for number in range(3)]
    for number in range(10):
        desk.run(DOWN, f"{number}.test")
    assert len(desk.windows.room().destinations) <= 5
    assert all(desk.room(turn.destination) == 1 for turn in busy)
    for turn in busy:
        desk.end(turn, TAKEN)


def test_an_end_of_a_rest_that_was_forgotten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN", 1)
    desk.run(DOWN)
    desk.run(DOWN, "b.test")
    desk.run(DOWN, "c.test")
    desk.now += 60
    assert desk.room() == USUAL


OMENS = st.sampled_from([TAKEN, ANSWERED, SLOWER, DOWN, BUSY, None])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), OMENS, st.floats(0, 500)), max_size=60))
def test_whatever_happens_the_counts_are_right(steps: list[tuple[str, bool, Omen | None, float]]) -> None:
    """No more at a time than there is room for, nothing negative, nothing stuck."""
    desk, active = Desk(most=4), dict[str, list[Turn]]()
    desk.windows.limit = 8
    for name, begins, omen, seconds in steps:
        desk.now += seconds
        turns = active.setdefault(name, [])
        if begins:
            room = desk.room(name)
            got = desk.windows.begin(name, 4)
            if isinstance(got, Turn):
                assert room > 0
                turns.append(got)
        elif turns:
            desk.end(turns.pop(0), omen)
        assert len(turns) <= 4
        assert desk.windows.free == 8 - sum(map(len, active.values()))
        assert all(room >= 0 for room in desk.windows.room().destinations.values())
    for turns in active.values():
        for turn in turns:
            desk.end(turn, ANSWERED)
    desk.now += 10 * HOUR
    for name in active:
        assert isinstance(desk.windows.begin(name, 4), Turn)


def outcome(fate: Fate, code: int = 250, enhanced: str = "", host: str = "mx.test") -> Outcome:
    return Outcome(fate, Reply(code, enhanced, ("x",)), host)


@pytest.mark.parametrize(
    ("outcomes", "unreachable", "omen"),
    [
        ([outcome(Fate.RELAYED)], None, TAKEN),
        ([outcome(Fate.DELIVERED)], None, TAKEN),
        ([outcome(Fate.FAILED, 550, "5.1.1")], None, ANSWERED),
        ([outcome(Fate.DEFERRED, 450, "4.2.0")], None, ANSWERED),
        ([outcome(Fate.DEFERRED, 450)], None, ANSWERED),
        ([outcome(Fate.FAILED, 554, "5.7.1")], None, ANSWERED),
        ([outcome(Fate.DEFERRED, 450, "4.7.1")], None, SLOWER),
        ([outcome(Fate.DEFERRED, 451, "4.4.2", "")], None, SLOWER),
        ([outcome(Fate.RELAYED), outcome(Fate.FAILED, 550, "5.1.1")], None, TAKEN),
        ([outcome(Fate.RELAYED), outcome(Fate.DEFERRED, 450, "4.7.1")], None, SLOWER),
        ([outcome(Fate.RELAYED), TOO_MANY], None, BUSY),
        ([], REFUSED, DOWN),
        ([outcome(Fate.DEFERRED, 450, "4.4.1")], REFUSED, DOWN),
        ([], Outcome(Fate.FAILED, replies.NULL_MX), ANSWERED),
        ([], None, ANSWERED),
    ],
)
def test_what_an_attempt_says_of_its_destination(
    outcomes: list[Outcome], unreachable: Outcome | None, omen: Omen
) -> None:
    assert omen_of(outcomes, unreachable) == omen
