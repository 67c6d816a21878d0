"""Opening without a thread: what is in memory, and nothing that could make the reactor wait."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from mailsuite.store.maildir import cached
from mailsuite.store.maildir.cached import open_regular_cached
from mailsuite.store.maildir.scan import NotRegular

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has openat2(2)")


def test_a_file_that_was_just_written(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    number, status = open_regular_cached(str(tmp_path / "file"))
    try:
        assert os.read(number, 100) == b"content"
        assert (status.st_size, os.get_inheritable(number)) == (7, False)
        with pytest.raises(OSError, match="Bad file"):
            os.write(number, b"x")
    finally:
        os.close(number)


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    before = os.listdir("/proc/self/fd")
    for name in ("folder", "fifo"):
        with pytest.raises(NotRegular):
            open_regular_cached(str(tmp_path / name))
    with pytest.raises(OSError, match="not in memory") as caught:
        open_regular_cached(str(tmp_path / "link"))
    assert caught.value.errno == errno.ELOOP
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_what_is_not_there(tmp_path):
    with pytest.raises(OSError, match="not in memory"):
        open_regular_cached(str(tmp_path / "nothing"))


def test_a_system_without_the_call(monkeypatch, tmp_path):
    monkeypatch.setattr(cached, "_syscall", None)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="only Linux"):
        open_regular_cached(str(tmp_path / "file"))
