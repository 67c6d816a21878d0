"""The file operations themselves, and the directories made with them."""

import errno
import os

import pytest

from mailsuite.durable import directories as directories_module
from mailsuite.durable import files as files_module
from mailsuite.durable.directories import Directories
from mailsuite.durable.files import Files, temporary_failure
from mailsuite.model.reply import DISK_FULL, STORE_UNAVAILABLE


@pytest.fixture
def pair(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"ours")
    return source, target


class Numbered:
    """An exclusive rename that answers with an error number."""

    def __init__(self, number):
        self.number = number

    def __call__(self, *arguments):
        files_module.ctypes.set_errno(self.number)
        return -1


@pytest.mark.parametrize("move", [Files.move, Files.publish])
@pytest.mark.parametrize(
    "renameat2", [files_module._renameat2, None, Numbered(errno.EINVAL), Numbered(errno.ENOSYS)]
)
def test_move(pair, monkeypatch, renameat2, move):
    monkeypatch.setattr(files_module, "_renameat2", renameat2)
    source, target = map(str, pair)
    move(Files(), source, target)
    assert pair[1].read_bytes() == b"ours"
    assert not pair[0].exists()
    pair[0].write_bytes(b"second")
    with pytest.raises(FileExistsError):
        move(Files(), source, target)
    assert (pair[0].read_bytes(), pair[1].read_bytes()) == (b"second", b"ours")


def test_move_says_why_not(pair, monkeypatch):
    monkeypatch.setattr(files_module, "_renameat2", Numbered(errno.EIO))
    with pytest.raises(OSError, match="source") as raised:
        Files().move(*map(str, pair))
    assert raised.value.errno == errno.EIO


class Unlinking:
    """unlink(2) that fails for the names given, before or after it takes effect."""

    def __init__(self, *names, error=None, before=os.unlink):
        self.names = names
        self.error = error or PermissionError(errno.EPERM, "Operation not permitted")
        self.before = before

    def __call__(self, path, real=os.unlink):
        if os.path.basename(path) not in self.names:
            return real(path)
        if self.before is not None:
            self.before(path)
        raise self.error


def refused(*names):
    return Unlinking(*names, before=None)


def test_a_file_is_in_place_even_if_tmp_cannot_be_emptied(pair, monkeypatch):
    monkeypatch.setattr(files_module, "_renameat2", None)
    monkeypatch.setattr(files_module.os, "unlink", refused("source"))
    Files().publish(*map(str, pair))
    assert pair[1].read_bytes() == b"ours"


def test_a_move_whose_old_name_stays_is_none(pair, monkeypatch):
    monkeypatch.setattr(files_module.os, "unlink", refused("source"))
    with pytest.raises(PermissionError):
        Files().move_by_link(*map(str, pair))
    assert (pair[0].read_bytes(), pair[1].exists()) == (b"ours", False)


def test_a_move_that_cannot_be_taken_back_has_failed(pair, monkeypatch):
    monkeypatch.setattr(files_module.os, "unlink", refused("source", "target"))
    with pytest.raises(PermissionError):
        Files().move_by_link(*map(str, pair))
    assert pair[0].read_bytes() == b"ours"


def test_an_unlink_that_was_carried_out_whatever_it_answers(pair, monkeypatch):
    monkeypatch.setattr(files_module.os, "unlink", Unlinking("source", error=FileNotFoundError()))
    Files().move_by_link(*map(str, pair))
    assert (pair[0].exists(), pair[1].read_bytes()) == (False, b"ours")


def test_another_file_in_the_place_of_the_old_name(pair, monkeypatch):
    def replaced(path):
        os.rename(path, path + ".moved")
        pair[0].write_bytes(b"theirs")

    monkeypatch.setattr(files_module.os, "unlink", Unlinking("source", before=replaced))
    Files().move_by_link(*map(str, pair))
    assert (pair[0].read_bytes(), pair[1].read_bytes()) == (b"theirs", b"ours")


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(files_module.os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    descriptor = Files().create(str(tmp_path / "file"))
    Files().write(descriptor, b"0123456789")
    Files().close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_write_back_is_only_a_hint(tmp_path, monkeypatch):
    Files().start_writeback(-1)
    monkeypatch.setattr(files_module, "_sync_file_range", None)
    Files().start_writeback(-1)


def test_create_never_opens_what_is_there(tmp_path):
    (tmp_path / "file").write_bytes(b"theirs")
    os.symlink(tmp_path / "elsewhere", tmp_path / "link")
    for name in ("file", "link"):
        with pytest.raises(FileExistsError):
            Files().create(str(tmp_path / name))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("number", "reply"),
    [
        (errno.ENOSPC, DISK_FULL),
        (errno.EDQUOT, DISK_FULL),
        (errno.EIO, STORE_UNAVAILABLE),
        (None, STORE_UNAVAILABLE),
    ],
)
def test_what_a_client_is_told(number, reply):
    failure = temporary_failure(OSError(number, "reason", "/secret/path"))
    assert failure.reply == reply
    assert "/secret/path" not in b"".join(text.encode() for text in failure.reply.text).decode()
    assert "/secret/path" in failure.detail


def test_directories_remembered_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(directories_module, "MAX_KNOWN", 4)
    directories = Directories(str(tmp_path / "a" / "b"), Files(), ("tmp", "cur"))
    for number in range(10):
        directories.ensure(str(tmp_path / "a" / "b" / "domain" / str(number)))
        assert (tmp_path / "a" / "b" / "domain" / str(number) / "cur").is_dir()
        assert len(directories._known) <= 6


def test_what_is_above_the_base_is_only_made_when_missing(tmp_path):
    synced = []

    class Noting(Files):
        def sync_directory(self, path):
            synced.append(os.path.relpath(path, tmp_path))
            super().sync_directory(path)

    base = tmp_path / "a" / "b"
    Directories(str(base), Noting()).ensure(str(base / "domain" / "local"))
    assert synced == [".", "a", "a/b", "a/b/domain", "a/b/domain/local"]
    synced.clear()
    Directories(str(base), Noting()).ensure(str(base / "domain" / "local"))
    assert synced == ["a/b", "a/b/domain", "a/b/domain/local"]
