"""What the pages name is there: files, headings, settings, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mailsuite.cli.main import LazyCommand, cli
from mailsuite.config.explain import UnknownSetting, explain
from tests.docs import test_log_events
from tests.docs.blocks import PAGES, ROOT, blocks_of, commands_of

TABLES = {
    "server",
    "tls",
    "listener",
    "smtp",
    "submission",
    "pop3",
    "notify",
    "delivery",
    "log",
    "domain",
    "account",
    "guard",
    "source",
}
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def code(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(page))


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page)))


def anchors(page: Path) -> set[str]:
    """The headings as GitHub makes anchors of them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pages
def test_each_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pages
def test_each_path_is_there(page: Path) -> None:
    """Written from the root of the repository, of the package, or of the tests (in rfc.md)."""
    for word in code(page):
        if re.fullmatch(r"(?:[\w.-]+/)+[\w.-]*", word) and word.split("/")[0] in {
            *("mailsuite", "docs", "tests", "bench", "etc", "twisted", ".ci"),
            *("wire", "notify", "delivery", "store", "bus", "accounts", "frontends", "config", "directory"),
        }:
            assert (ROOT / word).exists() or (ROOT / "mailsuite" / word).exists(), word


def test_each_page_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    found, waiting = {index}, [index]
    while waiting:
        page = waiting.pop()
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target not in found:
                found.add(target)
                waiting.append(target)
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - found == set()


@pages
def test_each_setting_and_each_event_exists(page: Path) -> None:
    events = {name for name, _ in test_log_events.of_the_code()}
    for word in " ".join(code(page)).split():
        key = re.match(r"([a-z0-9]+)(?:\.[a-z0-9_]+)+$", word)
        if key and key[1] in TABLES and key[0] not in events and not word.endswith((".py", ".toml", ".db")):
            try:
                explain(key[0])
            except UnknownSetting as unknown:
                raise AssertionError(f"{word}: {unknown}") from None


def named_commands(page: Path) -> Iterator[str]:
    yield from code(page)
    for block in blocks_of(page):
        if block.language in {"sh", "console"}:
            yield from (command.text for command in commands_of(block))


@pages
def test_each_command_and_option_exists(page: Path) -> None:
    for text in named_commands(page):
        if not re.match(r"(\S*/)?mailsuite( [a-z-]|$)", text):
            continue
        words = [
            word
            for word in text.split()[1:]
            if word not in {"mailsuite.toml", ".demo/mailsuite.toml", "--config"}
        ]
        command: click.Command = cli
        while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
            child = command.get_command(click.Context(command), words.pop(0))
            assert child is not None, text
            command = child.load() if isinstance(child, LazyCommand) else child
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        given = [word for word in words if word.startswith("--")]
        if "--run" in given:
            given = given[: given.index("--run")]
        assert set(given) - known == set(), text
