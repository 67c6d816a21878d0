"""The decisions of docs/adr: numbered, listed, each with its three sections."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ADR = Path(__file__).parents[2] / "docs" / "adr"
PAGES = sorted(path for path in ADR.glob("*.md") if path.name != "README.md")
MAX_LINES = 60
"""One page."""


def test_numbers_follow_one_another() -> None:
    assert [int(path.name[:4]) for path in PAGES] == list(range(1, len(PAGES) + 1))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_has_its_form(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.fullmatch(r"\d{4}(-[a-z0-9]+)+\.md", path.name)
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert re.findall("^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= MAX_LINES


def test_the_list_is_complete() -> None:
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", (ADR / "README.md").read_text("utf-8"), re.MULTILINE)
    titles = [(path, path.read_text("utf-8").partition("\n")[0]) for path in PAGES]
    assert [(f"# {number}. {title}", name) for number, title, name in listed] == [
        (title, path.name) for path, title in titles
    ]
