"""What is kept between two runs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mailsuite.client.files import Places, is_private, places, write_private
from mailsuite.client.kept import MAX_IDS, Kept


def test_the_first_look_finds_nothing_new(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "x")
    assert kept.looked(["a", "b"]) == 0
    assert kept.looked(["a", "b", "c"]) == 1
    assert kept.looked(["c"]) == 0
    assert kept.looked(["a", "d", "e"]) == 3


def test_what_the_stream_has_told_is_not_told_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "x")
    kept.looked([])
    kept.told += 2
    assert kept.looked(["a", "b", "c"]) == 1
    kept.told += 5
    assert kept.looked(["a", "b", "c"]) == 0
    assert kept.looked(["a", "b", "c", "d"]) == 1


def test_where_the_stream_stood_is_over_when_all_was_looked_at(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "x", last_id="912")
    kept.looked_silently(["a"])
    assert (kept.last_id, kept.looked(["a", "b"]), kept.last_id) == ("912", 1, "")
    kept.last_id = "913"
    assert (kept.looked(["a", "b", "c"], stream_goes_on=True), kept.last_id) == (1, "913")


def test_it_survives(tmp_path: Path) -> None:
    path = tmp_path / "state" / "alice.json"
    kept = Kept(path)
    kept.looked(["a"])
    kept.told, kept.last_id = 3, "912"
    assert kept.is_new("ev_1")
    kept.write()
    again = Kept.read(path)
    assert (again.seen, again.told, again.last_id) == (kept.seen, 3, "912")
    assert not again.is_new("ev_1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b'"a"' not in path.read_bytes()  # digests alone


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"seen": 3, "told": 0, "last_id": "", "ids": []}', "\xff",
             '{"seen": [], "told": "x", "last_id": "", "ids": []}']
)  # fmt: skip
def test_what_cannot_be_read_never_was(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kept"
    path.write_text(text, "latin-1")
    assert Kept.read(path) == Kept(path)


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    Kept(tmp_path / "state" / "x").write()


def test_ids_have_a_bound(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "x")
    assert kept.is_new("")
    assert kept.is_new("")
    for number in range(2 * MAX_IDS):
        assert kept.is_new(f"ev_{number}")
    assert len(kept.ids) == MAX_IDS
    assert not kept.is_new(f"ev_{2 * MAX_IDS - 1}")


def test_where_things_are() -> None:
    found = places({"HOME": "/home/alice"}, "linux")
    assert found.settings == Path("/home/alice/.config/mailsuite-notify/config.toml")
    assert found.kept("alice@example.org") == Path(
        "/home/alice/.local/state/mailsuite-notify/alice@example.org.json"
    )
    named = {"HOME": "/home/alice", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "not/absolute"}
    assert places(named, "linux") == Places(Path("/c/mailsuite-notify"), found.state)
    assert "Application Support" in str(places({"HOME": "/Users/alice"}, "darwin").config)
    assert places({"APPDATA": "/a", "HOME": "/u"}, "win32").config == Path("/a/mailsuite-notify")


@pytest.mark.parametrize(
    "address", ["../../etc/passwd@example.org", ".@example.org", "a/b@example.org", "a\0b@x.example"]
)
def test_an_address_is_no_path(address: str) -> None:
    found = places({"HOME": "/home/alice"}, "linux")
    for path in (found.account(address), found.password(address), found.kept(address)):
        assert not path.name.startswith(".")
        assert "\0" not in path.name
    assert found.account(address).parent == found.accounts


def test_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    assert is_private(path)
    write_private(path, "x")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert is_private(path)
    path.chmod(0o640)
    assert not is_private(path)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "there", "x")
    assert [each.name for each in tmp_path.iterdir()] == ["there"]
