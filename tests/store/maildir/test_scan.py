"""Sizes that names do not tell: read once, looked at again."""

import os

import pytest

from mailsuite.model.message import MessageRef
from mailsuite.store.maildir import scan as scan_module
from mailsuite.store.maildir.scan import NotRegular, Sizes, scan


@pytest.fixture
def reads(monkeypatch):
    """Which files were read."""
    found = []
    real = scan_module.open_regular

    def opening(path):
        found.append(os.path.basename(path))
        return real(path)

    monkeypatch.setattr(scan_module, "open_regular", opening)
    return found


def test_a_listing_knows_what_was_measured(tmp_path):
    (tmp_path / "new").mkdir()
    for name in ("1.foreign", "2.sized,S=2,W=2", "1700000001.x,S=2,W=2,D=0"):
        (tmp_path / "new" / name).write_bytes(b"\r\n")
    listing = scan(str(tmp_path), Sizes())
    assert len(listing.messages) == 3
    assert listing.measured == (MessageRef("1.foreign", 2, "new/1.foreign"),)


def test_a_file_is_read_once_whatever_it_is_called_later(tmp_path, reads):
    sizes, path = Sizes(), tmp_path / "1.x"
    path.write_bytes(b"a\nb\n")
    assert [sizes.of(str(path), "1.x") for _ in range(3)] == [6, 6, 6]
    renamed = path.rename(tmp_path / "1.x:2,S")
    assert sizes.of(str(renamed), "1.x") == 6
    assert reads == ["1.x"]


def test_a_file_with_another_content_is_read_again(tmp_path, reads):
    sizes, path = Sizes(), tmp_path / "1.x"
    path.write_bytes(b"a\nb\n")
    sizes.of(str(path), "1.x")
    path.write_bytes(b"ab\r\n")
    os.utime(path, ns=(1, 1))
    assert sizes.of(str(path), "1.x") == 4
    assert len(reads) == 2


def test_a_link_in_the_place_of_a_file_is_no_message(tmp_path):
    sizes, path = Sizes(), tmp_path / "1.x"
    path.write_bytes(b"a\n")
    sizes.of(str(path), "1.x")
    path.rename(tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(NotRegular):
        sizes.of(str(path), "1.x")


def test_a_file_that_is_gone(tmp_path):
    with pytest.raises(FileNotFoundError):
        Sizes().of(str(tmp_path / "1.x"), "1.x")


def test_a_file_that_goes_while_it_is_listed_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "new").mkdir()
    for name in ("1.x", "2.x"):
        (tmp_path / "new" / name).write_bytes(b"a\n")
    real = scan_module._entries

    def taking_one(maildir):
        entries = list(real(maildir))
        (tmp_path / "new" / "1.x").unlink()
        return iter(entries)

    monkeypatch.setattr(scan_module, "_entries", taking_one)
    listing = scan(str(tmp_path), Sizes())
    assert ([ref.uidl for ref in listing.messages], listing.unreadable) == (["2.x"], ())
