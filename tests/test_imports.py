"""What import-linter cannot say: where the reactor may be imported, and that the tree has no strays."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENTRY_POINTS = {"mailsuite/tap.py", "mailsuite/cli/serve.py", "mailsuite/cli/bench.py"}


REACTOR = re.compile(
    r"^\s*(from twisted\.internet import .*\breactor\b|import twisted\.internet\.reactor)", re.M
)


def test_the_reactor_is_imported_by_the_entry_points_alone() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "mailsuite").rglob("*.py")
        if REACTOR.search(path.read_text())
    }
    assert found == ENTRY_POINTS


def test_the_interfaces_fit_their_pages() -> None:
    for page in (ROOT / "mailsuite" / "interfaces").glob("*.py"):
        assert page.read_text().count("\n") <= 300, page


def test_no_packages_where_twisted_has_its_own() -> None:
    assert not list((ROOT / "twisted").rglob("__init__.py"))
