"""UIDLs in lines are found as in a set."""

from __future__ import annotations

import pytest

from mailsuite.store.passed import MAX_LOOKUPS, PassedLines

UIDLS = ["1.a", "1.aa", "1.ab", "2.b"]


def test_there_and_back() -> None:
    lines = PassedLines.of(reversed(UIDLS))
    assert lines.lines == b"1.a\n1.aa\n1.ab\n2.b\n"
    assert (list(lines), len(lines), bool(lines)) == (UIDLS, 4, True)
    assert not PassedLines.of([])


@pytest.mark.parametrize("uidl", [*UIDLS, "1", "a", ".a", "1.", "1.abc", "b", ""])
def test_what_is_in_it(uidl: str) -> None:
    lines = PassedLines.of(UIDLS)
    answers = {uidl in lines for _ in range(3 * MAX_LOOKUPS)}
    assert answers == {uidl in UIDLS}


def test_a_few_lookups_make_no_set() -> None:
    lines = PassedLines.of(UIDLS)
    for expected in (*[None] * MAX_LOOKUPS, frozenset(UIDLS), frozenset(UIDLS)):
        assert "2.b" in lines
        assert lines._all == expected
