"""How much of the disk stays free, in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailsuite.config.kinds import BadValue
from mailsuite.config.kinds_space import FreeSpace, KeepFree
from tests.config.conftest import LoadText

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
HERE = Path("/")


def test_what_is_kept_where_nothing_is_said(load_text: LoadText) -> None:
    """The larger of 1 GiB and 5 percent (features row S-B06); but a small file system is there to be used."""
    keep = load_text("").accepted().delivery.keep_free
    assert keep == KeepFree()
    assert keep.octets_of(10 * GIB) == GIB
    assert keep.octets_of(100 * GIB) == 5 * GIB
    assert keep.octets_of(TIB) == TIB * 5 // 100
    assert keep.octets_of(16 * MIB) == 8 * MIB
    assert keep.inodes_of(1000) == 50
    assert keep.inodes_of(100_000_000) == 10_000
    assert keep.inodes_of(0) == 0


@pytest.mark.parametrize(
    ("text", "octets", "inodes"),
    [
        ("2GiB", 2 * GIB, 50),
        ("64KiB", 64 * KIB, 50),
        ("0B", 0, 0),
        ("0%", 0, 0),
        ("10%", 5 * GIB, 100),
        (" 7 % ", 50 * GIB * 7 // 100, 70),
        ("50%", 25 * GIB, 500),
        ("auto", 50 * GIB * 5 // 100, 50),
    ],
)
def test_what_can_be_said(load_text: LoadText, text: str, octets: int, inodes: int) -> None:
    keep = load_text(f'[delivery]\nkeep_free = "{text}"\n').accepted().delivery.keep_free
    assert (keep.octets_of(50 * GIB), keep.inodes_of(1000)) == (octets, inodes)


@pytest.mark.parametrize("text", ["auto", "0B", "2GiB", "7%"])
def test_it_is_written_as_it_was_said(text: str) -> None:
    kind = FreeSpace()
    assert kind.write(kind.parse(text, HERE)) == text


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("51%", "is more than 50 percent"),
        ("100%", "expected a size"),
        ("5.5%", "expected a size"),
        ("-1%", "expected a size"),
        ("2 gigs", "expected a size"),
        ("2000TiB", "expected a size"),
        ("", "expected a size"),
        (5, "has no unit"),
        (True, "has no unit"),
        ([], 'expected a size like "2GiB", a share of the file system like "5%", or "auto"'),
    ],
)
def test_what_cannot(raw: object, says: str) -> None:
    with pytest.raises(BadValue) as raised:
        FreeSpace().parse(raw, HERE)
    assert says in str(raised.value)


def test_words() -> None:
    assert (FreeSpace().word, FreeSpace().range) == (
        "size or percent",
        '0B to 1024TiB, "0%" to "50%", or "auto"',
    )
