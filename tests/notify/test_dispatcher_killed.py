"""kill -9 at each step between a message that is acknowledged and its notice: after the next start everybody
has been told of all, and what comes twice has the same id."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notify.dying import MESSAGES, SUBSCRIBERS

LONG = bool(os.environ.get("MAILSUITE_LONG"))
KILLS = 6
ROOT = Path(__file__).parents[2]

Forking = subprocess.Popen[str]


@pytest.fixture
def forking() -> Iterator[Forking]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.notify.dying"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.communicate()


def lived(forking: Forking, file: Path, fatal: int = -1) -> list[list[str]]:
    """What a process has said that dies at this step; whether it died is the last."""
    assert forking.stdin is not None
    assert forking.stdout is not None
    forking.stdin.write(f"{file} {fatal}\n")
    forking.stdin.flush()
    words: list[list[str]] = []
    while not words or words[-1][0] not in ("steps", "died"):
        words.append(forking.stdout.readline().split())
        assert words[-1]
    return words


def test_after_the_next_start_all_is_told(forking: Forking, tmp_path: Path) -> None:
    words = lived(forking, tmp_path / "whole.db")
    check(words, MESSAGES)
    total = int(words[-1][1])
    assert total > 50
    for fatal in range(0, total, 1 if LONG else total // KILLS):
        file = tmp_path / f"{fatal}.db"
        died = lived(forking, file, fatal)
        assert died[-1] == ["died"], fatal
        acknowledged = max((int(word[1]) for word in died if word[0] == "acknowledged"), default=0)
        check(died + lived(forking, file), acknowledged)


def check(words: list[list[str]], acknowledged: int) -> None:
    ids: dict[str, set[str]] = {}
    for subscriber in SUBSCRIBERS:
        told = [
            (int(seq), int(count), id)
            for word, *rest in words
            if word == "told"
            for name, seq, count, id in [rest]
            if name == subscriber
        ]
        seqs = [seq for seq, _, _ in told]
        assert max(seqs, default=0) >= acknowledged
        assert len(seqs) - len(set(seqs)) <= 1
        if subscriber == "in-order":
            first = list(dict.fromkeys(seqs))
            assert first == sorted(first)
            assert set(range(1, acknowledged + 1)) <= set(seqs)
        assert sum(count for _, count, _ in told) >= acknowledged
        for seq, _, id in told:
            ids.setdefault(str(seq), set()).add(id)
    assert all(len(same) == 1 for same in ids.values())
    assert len(set.union(set(), *ids.values())) == len(ids)
