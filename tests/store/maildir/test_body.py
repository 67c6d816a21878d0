"""A message file, opened: what is sent is what is there, or the client is told no."""

import os

import attrs
import pytest

from mailsuite.concurrent.threads import Inline
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.message import MessageRef
from mailsuite.store.maildir import wireform
from mailsuite.store.maildir.body import open_body
from mailsuite.store.maildir.scan import Sizes, scan
from tests.store.pump import Pump

LINE = b"0123456789 and so on\r\n"


@attrs.define
class Counting:
    """Threads that count what is given to them."""

    calls: int = 0

    async def run(self, work):
        self.calls += 1
        return await Inline().run(work)


class World:
    def __init__(self, path):
        self.path, self.threads, self.pump, self.opened = path, Counting(), Pump(), []
        (path / "new").mkdir()

    def put(self, name, content):
        """Write the file; the message as a listing gives it."""
        (self.path / "new" / name).write_bytes(content)
        [ref] = [ref for ref in scan(str(self.path), Sizes()).messages if ref.key == f"new/{name}"]
        return ref

    def open(self, ref):
        body = open_body(str(self.path / ref.key), ref, self.threads)
        self.opened.append(body)
        return body

    def read(self, body):
        return self.pump.answer(body.read())

    def text(self, body):
        chunks = []
        while chunk := self.read(body):
            chunks.append(chunk)
        assert self.read(body) == b""
        return b"".join(chunks)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    for body in made.opened:
        body.close()


def ours(content, dots=0, number=1):
    return f"170000000{number}.R0.h,S={len(content)},W={len(content)},D={dots}"


@pytest.mark.parametrize("count", [0, 1, 4000, 100_000])
def test_what_we_wrote_is_read_as_it_stands(world, count):
    content = LINE * count
    body = world.open(world.put(ours(content), content))
    assert body.size == len(content)
    assert world.text(body) == content


@pytest.mark.parametrize("dots", [0, 1])
def test_a_file_of_ours_may_be_sent_as_it_stands(world, dots):
    """Whether a line begins with a dot is the session's business, and in the MessageRef."""
    body = world.open(world.put(ours(LINE * 9, dots), LINE * 9))
    assert os.pread(body.descriptor, len(LINE) * 10, 0) == LINE * 9
    body.close()
    assert body.descriptor == -1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("1700000001.x,S=22,W=22", LINE),
        ("1700000001.x,S=22,W=22:2,D=0", LINE),
        ("1700000001.x:2,S", LINE),
        ("1700000001.x,S=5,W=5,D=0", b"01234"),
    ],
)
def test_what_others_wrote_or_has_no_last_line_end_is_not_sent_as_it_stands(world, name, content):
    assert world.open(world.put(name, content)).descriptor == -1


def test_sizes_of_others_that_hide_bare_line_feeds(world):
    """S=W says that nothing needs converting; a client would see the message end at the bare dot."""
    body = world.open(world.put("1700000001.x,S=8,W=8", b"a\n.\nb\nc\n"))
    assert body.size == 12
    assert world.text(body) == b"a\r\n.\r\nb\r\nc\r\n"


@pytest.mark.parametrize("announced", [1, 7, 11, 13, 4000])
def test_a_wrong_w_of_a_small_file_is_put_right_at_opening(world, announced):
    body = world.open(world.put(f"1700000001.x,S=8,W={announced}", b"a\nb\nc\nd\n"))
    assert body.size == 12
    assert world.text(body) == b"a\r\nb\r\nc\r\nd\r\n"


@pytest.mark.parametrize("announced", [1, 399_999, 400_001, 10**12])
def test_a_wrong_w_of_a_large_file_does_not_cut_its_text(world, announced):
    body = world.open(world.put(f"1700000001.x,S=300000,W={announced}", b"ab\n" * 100_000))
    assert body.size == announced
    assert world.text(body) == b"ab\r\n" * 100_000
    assert body.size == 400_000


@pytest.mark.parametrize("size", [0, 7, 9, 10**12])
def test_a_wrong_s_is_refused(world, size):
    ref = world.put(f"1700000001.x,S={size},W=8", b"12345678")
    with pytest.raises(TemporaryFailure):
        world.open(ref)


def test_a_file_that_changed_since_it_was_measured(world):
    ref = world.put("1700000001.x", b"a\nb\n")
    (world.path / ref.key).write_bytes(b"a\nb\nc\n")
    body = world.open(ref)
    assert (ref.size, body.size) == (6, 9)
    assert world.text(body) == b"a\r\nb\r\nc\r\n"


@pytest.mark.parametrize("name", ["1700000001.x", "1700000001.x,S=220000,W=220000,D=0"])
def test_a_file_that_is_cut_short_while_it_is_read(world, name):
    ref = world.put(name, LINE * 10_000)
    body = world.open(ref)
    world.read(body)
    os.truncate(world.path / ref.key, 70_000)
    with pytest.raises(TemporaryFailure):
        world.text(body)


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system cannot read only what is cached")
def test_what_is_in_memory_needs_no_thread(world):
    body = world.open(world.put(ours(LINE * 9000), LINE * 9000))
    assert world.text(body) == LINE * 9000
    assert world.threads.calls == 0


def test_what_is_not_in_memory_is_read_in_a_thread(world, monkeypatch):
    monkeypatch.setattr(wireform, "_NOWAIT", -1)
    body = world.open(world.put(ours(LINE * 9000), LINE * 9000))
    assert world.text(body) == LINE * 9000
    assert world.threads.calls == 4


def test_reading_after_the_end_of_it_all(world):
    body = world.open(world.put(ours(LINE), LINE))
    body.close()
    body.close()
    with pytest.raises(RuntimeError):
        world.read(body)


def test_nothing_stays_open_where_opening_fails(world):
    ref = world.put("1700000001.x,S=9,W=8", b"12345678")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    with pytest.raises(TemporaryFailure):
        world.open(ref)
    assert before is None or len(os.listdir("/proc/self/fd")) == before


def test_a_ref_of_another_size_than_the_name(world):
    """The session's list is older than the file: no octet is left out for it."""
    ref = world.put(ours(LINE * 2), LINE * 2)
    body = world.open(MessageRef(ref.uidl, 1, ref.key, ref.dot_lines))
    assert (body.size, body.descriptor) == (len(LINE) * 2, -1)
    assert world.text(body) == LINE * 2
