"""A parcel that was undone stays undone, whoever still holds it."""

import errno
import os
from functools import partial
from pathlib import Path

import pytest

from mailsuite.store.maildir.directories import Directories
from mailsuite.store.maildir.files import Files
from mailsuite.store.maildir.parcel import Parcel

UNIQUE = "1700000000.R1Q1.host"


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    parcel = Parcel(str(tmp_path / "joe"), UNIQUE, Directories(str(tmp_path), Files()), Files())
    parcel.pieces, parcel.size = [b"one\r\n"], 5
    return parcel


def left(parcel: Parcel) -> list[str]:
    return [name for _, _, names in os.walk(parcel.maildir) for name in names]


STEPS = (Parcel.write, Parcel.sync, Parcel.publish)


@pytest.mark.parametrize("done", range(4))
def test_nothing_comes_back_after_an_undo(parcel: Parcel, done: int) -> None:
    for step in STEPS[:done]:
        step(parcel)
    assert parcel.undo() == (parcel.new_directory if done == 3 else "")
    assert left(parcel) == []
    for late in (partial(parcel.append, [b"two\r\n"]), parcel.sync, parcel.publish):
        with pytest.raises(OSError, match="aborted") as raised:
            late()
        assert raised.value.errno == errno.ECANCELED
    assert parcel.undo() == ""
    assert left(parcel) == []


def test_what_is_written_is_not_kept_in_memory(parcel: Parcel) -> None:
    parcel.write()
    assert parcel.pieces == []
    parcel.sync()
    parcel.write()
    parcel.publish()
    assert (Path(parcel.new_directory) / f"{UNIQUE},S=5,W=5,D=0").read_bytes() == b"one\r\n"
