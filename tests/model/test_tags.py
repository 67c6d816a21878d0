"""Where a tag may begin."""

from __future__ import annotations

import pytest

from mailsuite.model.tags import MAX_SPLITS, splits


@pytest.mark.parametrize(
    ("local", "delimiters", "expected"),
    [
        ("joe", "+", []),
        ("joe+x", "+", [("joe", "+x")]),
        ("joe+", "+", [("joe", "+")]),
        ("+joe", "+", []),
        ("joe+a-b", "+-", [("joe+a", "-b"), ("joe", "+a-b")]),
        ("joe+a-b", "", []),
    ],
)
def test_longest_name_first(local: str, delimiters: str, expected: list[tuple[str, str]]) -> None:
    assert list(splits(local, delimiters)) == expected


def test_many_delimiters_cost_few_questions() -> None:
    found = list(splits("joe" + "+" * 60, "+"))
    assert len(found) == MAX_SPLITS
    assert found[0][0] == "joe" + "+" * 59
    assert found[-1] == ("joe", "+" * 60)
