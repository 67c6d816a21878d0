"""docs/rfc.md is true as far as a test can tell: what it names exists, what the code cites stands in it."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
PAGE = (ROOT / "docs" / "rfc.md").read_text("utf-8")

_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)*|[A-Z])\b"
_CITATION = re.compile(
    rf"RFC ?([0-9]+)(?:,? (?:section|appendix)s? ({_NUMBER}(?:(?:, | and | to ){_NUMBER})*))?"
)
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


@attrs.frozen(order=True)
class Citation:
    """``section`` is empty where a whole RFC is named."""

    rfc: int
    section: str


@attrs.frozen
class Row:
    """A line of a table."""

    heading: str
    cells: tuple[str, ...]

    @property
    def status(self) -> str:
        return self.cells[2]

    def __str__(self) -> str:
        return f"{self.heading.partition(':')[0]} {self.cells[0]}"


def rows() -> Iterator[Row]:
    for part in PAGE.split("\n## ")[1:]:
        heading, _, text = part.partition("\n")
        for line in text.splitlines():
            cells = tuple(cell.strip() for cell in line.strip("| ").split(" | "))
            if line.startswith("| ") and cells[0] not in {"section", "convention", "RFC"}:
                yield Row(heading, tuple(cell.rstrip("| ") for cell in (*cells, "", "")[:4]))


ROWS = list(rows())


def cited(text: str) -> Iterator[Citation]:
    """What a text cites; comments and docstrings may break lines anywhere."""
    for number, sections in _CITATION.findall(re.sub(r"\s*\n\s*(?:#\s+)?", " ", text)):
        if not sections:
            yield Citation(int(number), "")
        for part in re.split(r", | and ", sections):
            first, to, last = part.partition(" to ")
            if to:
                yield from (Citation(int(number), str(n)) for n in range(int(first), int(last) + 1))
            elif part:
                yield Citation(int(number), first)


@functools.cache
def on_the_page() -> frozenset[Citation]:
    known = {Citation(citation.rfc, "") for citation in cited(PAGE)} | set(cited(PAGE))
    for row in ROWS:
        if row.heading == "Used in passing":
            [whole] = cited(row.cells[0])
            sections = row.cells[1]
        else:
            wholes = [citation for citation in cited(row.heading) if not citation.section]
            if not wholes:
                continue
            whole, sections = wholes[0], row.cells[0]
        known |= {Citation(whole.rfc, section) for section in sections.split(", ")}
    return frozenset(known)


@functools.cache
def names_in(path: str) -> frozenset[str]:
    """The test functions and methods of a file below tests/; a missing file has none."""
    file = TESTS / path
    tree = ast.parse(file.read_text("utf-8")) if file.is_file() else ast.Module([], [])
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, functions) if node.name.startswith("test_")
    )


def test_the_page_is_seen() -> None:
    assert len(ROWS) > 120
    assert Citation(1939, "7") in on_the_page()
    assert set(cited("RFC 5321 sections 2.3.8,\n4.1.1.4 and C (RFC 1939 sections 3 to 5), RFC 2920.")) == {
        *(Citation(5321, section) for section in ("2.3.8", "4.1.1.4", "C")),
        *(Citation(1939, section) for section in "345"),
        Citation(2920, ""),
    }


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_row_says_how_we_stand(row: Row) -> None:
    assert row.cells[1]
    if row.heading != "Used in passing":
        assert re.search(r"\b(done|differs|not yet|n/a|does it|alone)\b", row.status), row.status
    if "not yet" in row.status:
        assert re.search(r"not yet[^;.]*: \w+", row.status), "a topic is missing"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_is_done_has_a_test(row: Row) -> None:
    if row.status.startswith("done") or row.heading == "Used in passing":
        assert _TEST.search(row.cells[3]), row


@pytest.mark.parametrize(("path", "name"), sorted(set(_TEST.findall(PAGE))))
def test_each_named_test_exists(path: str, name: str) -> None:
    assert name in names_in(path)


def test_nothing_in_the_test_columns_is_anything_else() -> None:
    for row in ROWS:
        assert _TEST.sub("", row.cells[3]).strip(", ") == "", row


@pytest.mark.parametrize(
    "path", sorted((ROOT / "mailsuite").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_each_citation_of_the_code_stands_on_the_page(path: Path) -> None:
    missing = set(cited(path.read_text("utf-8"))) - on_the_page()
    assert missing == set()
