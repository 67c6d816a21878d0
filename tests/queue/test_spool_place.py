"""Where contents lie: what is written at one time is on one shelf."""

from __future__ import annotations

import os

from mailsuite.queue.spool.place import SHELVES, fresh_name, path_of

MINUTE = 60 * 10**9


def shelf(name: str) -> str:
    return os.path.basename(os.path.dirname(path_of("/spool", name)))


def test_names_of_one_moment_share_a_shelf() -> None:
    assert len({shelf(fresh_name()) for _ in range(100)}) <= 2


def test_all_shelves_are_used_in_turn() -> None:
    start = 1_795_000_000 * 10**9
    used = {shelf(f"{start + minute * MINUTE:016x}00000000") for minute in range(30)}
    assert used == set(SHELVES)
