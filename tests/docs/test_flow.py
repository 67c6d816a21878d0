"""docs/flow.md is true: a message meets the files that it names, in that order, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.docs.journey import Journey, travel

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "flow.md").read_text("utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}
IN = SECTIONS["In: from the first octet to the knock"]
OUT = SECTIONS["Out: from the connection to the last octet"]

BESIDE_THE_SESSION = {"mailsuite/directory/logins.py", "mailsuite/notices/sqlite/subscriptions.py"}
"""Called when a question that nobody waits for is answered, and for what is written a moment later: at any
time after the login, and after the knock."""


def named(text: str) -> list[str]:
    """The files that a text names, each once, in order."""
    return list(dict.fromkeys(re.findall(r"`((?:mailsuite|twisted)/[\w/]+\.py)`", text)))


EVERYWHERE = tuple(re.findall(r"^- `(mailsuite/\w+/)`", SECTIONS["Met everywhere"], re.MULTILINE))


def told(paths: Iterable[str]) -> list[str]:
    """Without those that the page names once for all, or for any time, and without repetitions."""
    return [
        path
        for path in dict.fromkeys(paths)
        if not path.startswith(EVERYWHERE) and path not in BESIDE_THE_SESSION
    ]


def lines(paths: Iterable[str]) -> str:
    """For a comparison that shows what stands in the wrong place."""
    return "\n".join(paths)


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    return travel(tmp_path_factory.mktemp("journey"))


def test_the_page_has_what_these_tests_look_for() -> None:
    assert EVERYWHERE == (
        "mailsuite/interfaces/",
        "mailsuite/model/",
        "mailsuite/observe/",
        "mailsuite/concurrent/",
    )
    assert len(named(IN)) > 40
    assert len(named(OUT)) > 15


@pytest.mark.parametrize("path", named(PAGE))
def test_each_file_exists(path: str) -> None:
    assert (ROOT / path).is_file()


def test_what_is_said_of_the_start(journey: Journey) -> None:
    told_of_twistd = {"mailsuite/tap.py", "twisted/plugins/mailsuite_plugin.py"}
    start = set(named(SECTIONS["Before the first octet"])) - told_of_twistd
    assert start - journey.start.all == set()


def test_a_message_comes_in_by_the_files_of_the_page_and_no_others(journey: Journey) -> None:
    assert set(told(named(IN))) == set(told([*journey.reception.all, *journey.listener.all]))


def test_it_meets_them_in_that_order(journey: Journey) -> None:
    met = told([*journey.reception.main, *journey.listener.main])
    assert lines(path for path in named(IN) if path in met) == lines(met)


def test_it_goes_out_by_the_files_of_the_page_and_no_others(journey: Journey) -> None:
    met = set(told(journey.retrieval.all))
    assert set(named(OUT)) - met == set()
    assert met - set(named(OUT)) - set(named(IN)) == set()


def test_it_meets_them_in_that_order_too(journey: Journey) -> None:
    met = told(journey.retrieval.main)
    page = [path for path in named(OUT) if path in met]
    assert lines(page) == lines(path for path in met if path in page)
