"""A dictionary that keeps what was used last."""

from mailsuite.directory.bounded import Bounded


def filled(limit, *keys):
    entries = Bounded(limit)
    for key in keys:
        entries.put(key, key.upper())
    return entries


def test_the_least_used_leaves():
    entries = filled(2, "a", "b")
    assert entries.get("a") == "A"
    entries.put("c", "C")
    assert [entries.get(key) for key in "abc"] == ["A", None, "C"]
    assert len(entries) == 2


def test_putting_again_counts_as_use_and_replaces():
    entries = filled(2, "a", "b")
    entries.put("a", "again")
    entries.put("c", "C")
    assert [entries.get(key) for key in "abc"] == ["again", None, "C"]


def test_entries_can_be_taken_out():
    entries = filled(3, "a", "b")
    entries.discard("a")
    entries.discard("x")
    assert [entries.get(key) for key in "ab"] == [None, "B"]
    entries.clear()
    assert len(entries) == 0


def test_it_shows_no_entries():
    assert "A" not in repr(filled(2, "a"))


def test_looking_at_all_is_no_use():
    entries = filled(2, "a", "b")
    assert entries.items() == (("a", "A"), ("b", "B"))
    entries.put("c", "C")
    assert entries.items() == (("b", "B"), ("c", "C"))
