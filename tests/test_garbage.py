"""The garbage collector as a server has it, and as it was."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from mailsuite import garbage
from mailsuite.cli.main import main


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


def test_a_command_searches_as_seldom_as_a_server_and_not_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["mailsuite", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert gc.get_threshold() == garbage.THRESHOLDS
    assert gc.get_freeze_count() > 10_000


def test_it_is_undone() -> None:
    before = gc.get_threshold()
    undo = garbage.settle()
    undo()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
