"""A kept listing is always what a new one would be."""

import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mailsuite.store.maildir import listings as listings_module
from mailsuite.store.maildir import marks as marks_module
from mailsuite.store.maildir import scan as scan_module
from mailsuite.store.maildir.listings import LISTING_WEIGHT, Listings
from mailsuite.store.maildir.marks import SETTLED_SECONDS
from mailsuite.store.maildir.scan import Sizes, scan

LATER = SETTLED_SECONDS + 1


class Time:
    """Ours runs ahead of the file system's by as much as a test says."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def maildir(tmp_path):
    for name in ("tmp", "new", "cur"):
        (tmp_path / name).mkdir()
    return tmp_path


def add(maildir, number, content=b"\r\n", place="new"):
    path = maildir / place / f"{1700000000 + number}.x{number},S={len(content)},W={len(content)},D=0"
    path.write_bytes(content)
    return path


def now_of(maildir):
    return max(os.stat(maildir / name).st_ctime_ns for name in ("new", "cur")) / 1e9


def settled(maildir, **how):
    """Listings whose clock says that all that happened is long ago."""
    return Listings(clock=Time(now_of(maildir) + LATER), **how)


def test_a_maildir_that_nothing_happened_to_is_listed_once(maildir):
    add(maildir, 1)
    listings = settled(maildir)
    first = listings.scan(str(maildir))
    assert [ref.size for ref in first.messages] == [2]
    assert listings.scan(str(maildir)) is first


@pytest.mark.parametrize("place", ["new", "cur"])
def test_what_comes_goes_and_moves_is_seen(maildir, place):
    add(maildir, 1)
    listings = settled(maildir)
    listings.scan(str(maildir))
    path = add(maildir, 2, place=place)
    assert [ref.uidl for ref in listings.scan(str(maildir)).messages] == ["1700000001.x1", "1700000002.x2"]
    listings.clock.now = now_of(maildir) + LATER
    listings.scan(str(maildir))
    path.rename(maildir / "cur" / (path.name + ":2,S"))
    assert listings.scan(str(maildir)).messages[1].key == f"cur/{path.name}:2,S"
    listings.clock.now = now_of(maildir) + LATER
    listings.scan(str(maildir))
    (maildir / "cur" / (path.name + ":2,S")).unlink()
    assert len(listings.scan(str(maildir)).messages) == 1


def test_a_change_within_the_tick_of_the_listing_is_seen(maildir, monkeypatch):
    """Two changes that the file system gives one time: the first listing must not be trusted."""
    monkeypatch.setattr(marks_module, "mark_of", lambda directory: (1, 1, 5_000_000_000, 5_000_000_000))
    listings = Listings(clock=Time(5.0 + SETTLED_SECONDS))
    add(maildir, 1)
    assert len(listings.scan(str(maildir)).messages) == 1
    add(maildir, 2)
    assert len(listings.scan(str(maildir)).messages) == 2


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, SETTLED_SECONDS])
def test_a_clock_that_is_behind_keeps_nothing(maildir, ahead):
    add(maildir, 1)
    listings = Listings(clock=Time(now_of(maildir) + ahead))
    assert listings.scan(str(maildir)) is not listings.scan(str(maildir))


def test_a_directory_whose_time_was_set_back_is_listed_again(maildir):
    """rsync and tar set the time of a directory to what it was elsewhere."""
    add(maildir, 1)
    os.utime(maildir / "new", ns=(10**18, 10**18))
    listings = settled(maildir)
    listings.scan(str(maildir))
    add(maildir, 2)
    os.utime(maildir / "new", ns=(10**18, 10**18))
    assert len(listings.scan(str(maildir)).messages) == 2


def test_another_directory_in_its_place(maildir):
    add(maildir, 1)
    listings = settled(maildir)
    listings.scan(str(maildir))
    (maildir / "new").rename(maildir / "old")
    (maildir / "new").mkdir()
    assert listings.scan(str(maildir)).messages == ()


def test_a_directory_that_is_not_there_yet(tmp_path):
    listings = Listings(clock=Time(1e10))
    assert listings.scan(str(tmp_path)) is listings.scan(str(tmp_path))
    (tmp_path / "cur").mkdir()
    add(tmp_path, 1, place="cur")
    assert len(listings.scan(str(tmp_path)).messages) == 1


def test_a_measured_file_that_is_written_anew_in_its_place(maildir):
    path = maildir / "new" / "1.foreign"
    path.write_bytes(b"a\nb\n")
    listings = settled(maildir)
    first = listings.scan(str(maildir))
    assert listings.scan(str(maildir)) is first
    path.write_bytes(b"a\nb\nc\n")
    assert [ref.size for ref in listings.scan(str(maildir)).messages] == [9]


def test_a_measured_file_that_went_at_this_moment(maildir):
    """The directory was looked at just before: the sizes tell."""
    (maildir / "new" / "1.foreign").write_bytes(b"a\n")
    listing = settled(maildir).scan(str(maildir))
    (maildir / "new" / "1.foreign").unlink()
    assert not listing.holds(str(maildir), Sizes())


def test_many_measured_sizes_are_looked_at_when_they_are_retrieved(maildir, monkeypatch):
    for number in range(3):
        (maildir / "new" / f"{number}.foreign").write_bytes(b"a\n")
    listings = settled(maildir)
    first = listings.scan(str(maildir))
    monkeypatch.setattr(scan_module, "MAX_CHECKED_SIZES", 2)
    (maildir / "new" / "1.foreign").write_bytes(b"longer\n")
    assert listings.scan(str(maildir)) is first
    monkeypatch.setattr(scan_module, "MAX_CHECKED_SIZES", 3)
    assert listings.scan(str(maildir)) is not first


def test_a_listing_that_lacks_a_message_is_not_kept(maildir, monkeypatch):
    (maildir / "new" / "1.foreign").write_bytes(b"a\n")
    real = scan_module.open_regular

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(scan_module, "open_regular", refuse)
    listings = settled(maildir)
    assert len(listings.scan(str(maildir)).unreadable) == 1
    monkeypatch.setattr(scan_module, "open_regular", real)
    assert len(listings.scan(str(maildir)).messages) == 1


def test_what_is_kept_is_bounded_by_messages(tmp_path, monkeypatch):
    monkeypatch.setattr(listings_module, "MAX_KEPT_MESSAGES", 2 * (3 + LISTING_WEIGHT))
    maildirs = []
    for name in "abc":
        path = tmp_path / name
        for directory in ("new", "cur"):
            (path / directory).mkdir(parents=True)
        for number in range(3):
            add(path, number)
        maildirs.append(str(path))
    a, b, c = maildirs
    listings = Listings(clock=Time(1e10))
    first, second = listings.scan(a), listings.scan(b)
    assert listings.scan(a) is first
    third = listings.scan(c)
    assert listings.scan(a) is first
    assert listings.scan(c) is third
    assert listings.scan(b) is not second
    assert len(listings._kept) == 2
    assert listings._weight == 2 * (3 + LISTING_WEIGHT)


def test_a_maildrop_beyond_all_bounds_pushes_nobody_out(tmp_path, monkeypatch):
    monkeypatch.setattr(listings_module, "MAX_KEPT_MESSAGES", 2 + LISTING_WEIGHT)
    small, large = tmp_path / "small", tmp_path / "large"
    for path, count in ((small, 2), (large, 3)):
        (path / "new").mkdir(parents=True)
        for number in range(count):
            add(path, number)
    listings = Listings(clock=Time(1e10))
    kept = listings.scan(str(small))
    assert listings.scan(str(large)) is not listings.scan(str(large))
    assert listings.scan(str(small)) is kept


def test_threads_share_it(maildir):
    for number in range(50):
        add(maildir, number)
    listings = settled(maildir)
    together = threading.Barrier(4)

    def look(_):
        together.wait(20)
        return listings.scan(str(maildir))

    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            found = list(pool.map(look, range(4)))
            assert {listing.messages for listing in found} == {found[0].messages}
    assert listings._weight == 50 + LISTING_WEIGHT


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens to a maildir at whatever speed, the answer is that of a fresh listing."""

    @initialize()
    def begin(self):
        self.directory = tempfile.TemporaryDirectory()
        self.maildir = Path(self.directory.name)
        (self.maildir / "new").mkdir()
        (self.maildir / "cur").mkdir()
        self.time = Time(now_of(self.maildir))
        self.listings = Listings(clock=self.time)
        self.count = 0

    def teardown(self):
        if hasattr(self, "directory"):
            self.directory.cleanup()

    def any_file(self, data):
        files = sorted([*(self.maildir / "new").iterdir(), *(self.maildir / "cur").iterdir()])
        return data.draw(st.sampled_from(files)) if files else None

    @rule(place=st.sampled_from(["new", "cur"]), foreign=st.booleans())
    def deliver(self, place, foreign):
        self.count += 1
        if foreign:
            (self.maildir / place / f"{1700000000 + self.count}.f").write_bytes(b"x\n" * self.count)
        else:
            add(self.maildir, self.count, place=place)

    @rule(data=st.data())
    def remove(self, data):
        if path := self.any_file(data):
            path.unlink()

    @rule(data=st.data())
    def flag(self, data):
        if path := self.any_file(data):
            path.rename(self.maildir / "cur" / (path.name.partition(":")[0] + ":2,S"))

    @rule(data=st.data(), content=st.sampled_from([b"a\n", b"bb\n", b"c\r\nd\r\n!"]))
    def write_anew(self, data, content):
        path = self.any_file(data)
        if path and ",S=" not in path.name:
            path.write_bytes(content)

    @rule(seconds=st.sampled_from([0.0, 1.0, LATER]))
    def pass_time(self, seconds):
        self.time.now = now_of(self.maildir) + seconds

    @invariant()
    def the_answer_is_that_of_a_fresh_listing(self):
        if hasattr(self, "listings"):
            assert self.listings.scan(str(self.maildir)) == scan(str(self.maildir), Sizes())


AnyHistory.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestAnyHistory = AnyHistory.TestCase
