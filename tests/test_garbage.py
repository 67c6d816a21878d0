"""The garbage collector as a server has it, and as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from mailsuite import garbage


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_lives_now_is_left_alone() -> None:
    assert gc.get_freeze_count() == 0
    garbage.settle()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() == garbage.THRESHOLDS


def test_it_is_undone() -> None:
    before = gc.get_threshold()
    undo = garbage.settle()
    undo()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
