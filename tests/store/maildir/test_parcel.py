"""A parcel that was undone stays undone, whoever still holds it."""

import errno
import os
from functools import partial
from pathlib import Path

import pytest

from mailsuite.durable.directories import Directories
from mailsuite.durable.files import Files
from mailsuite.durable.parcel import Parcel
from mailsuite.store.maildir.layout import SUBDIRECTORIES
from mailsuite.store.maildir.place import MaildirPlace

UNIQUE = "1700000000.R1Q1.host"


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    directories = Directories(str(tmp_path), Files(), SUBDIRECTORIES)
    parcel = Parcel(MaildirPlace(str(tmp_path / "joe"), UNIQUE, directories), Files())
    parcel.pieces, parcel.size = [b"one\r\n"], 5
    return parcel


def left(parcel: Parcel) -> list[str]:
    return [name for _, _, names in os.walk(parcel.place.maildir) for name in names]


STEPS = (Parcel.write, Parcel.sync, Parcel.publish)


@pytest.mark.parametrize("done", range(4))
def test_nothing_comes_back_after_an_undo(parcel: Parcel, done: int) -> None:
    for step in STEPS[:done]:
        step(parcel)
    assert parcel.undo() == (parcel.published_directory if done == 3 else "")
    assert left(parcel) == []
    for late in (partial(parcel.append, [b"two\r\n"]), parcel.sync, parcel.publish):
        with pytest.raises(OSError, match="undone") as raised:
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
    assert (Path(parcel.published_directory) / f"{UNIQUE},S=5,W=5,D=0").read_bytes() == b"one\r\n"
