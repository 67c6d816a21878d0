"""The fenced blocks of the pages: what stands in them, and the rules by which they are tried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md", *(ROOT / "docs").rglob("*.md")]
)

LANGUAGES = {
    "toml": "loaded as a configuration",
    "sh": "run, each line",
    "console": "run, each line that begins with $, and compared with what stands below",
    "ini": "read as a systemd unit, and its ExecStart run",
    "json": "read as JSON",
    "muttrc": "read by mutt",
    "postfix": "main.cf, read by postconf",
    "haproxy": "checked by haproxy",
    "python": "a program: written to the file that its first line names, for the commands below it",
    "text": "what a program prints, or a form; nothing to try",
}

ELSEWHERE = {
    "pip install standardwebhooks": "one of our own dependencies for development",
    "./run": "the first thing that .ci/run does",
    "./test": "the last thing that .ci/run does",
    "python3 -m venv mail": "tests/system/test_packaging.py",
    "mail/bin/pip install .": "tests/system/test_packaging.py",
    ".venv/bin/python -m bench.whole": "takes minutes: whoever publishes a figure runs it",
    ".venv/bin/python -m bench.pop3": "takes minutes: whoever publishes a figure runs it",
    ".venv/bin/python -m bench.smtp": "takes minutes and wants root: whoever publishes a figure runs it",
    ".venv/bin/python -m bench.relay": "takes minutes and wants root: whoever publishes a figure runs it",
    ".venv/bin/python -m bench.client_core": "takes a minute: whoever publishes a figure runs it",
    ".venv/bin/python -m bench.idle": "wants thousands of descriptors: whoever publishes a figure runs it",
    ".venv/bin/python -m bench.queue": "takes minutes: whoever publishes a figure runs it",
    ".venv/bin/python -m bench.notify": "takes minutes: whoever publishes a figure runs it",
    ".venv/bin/python -m bench.logins": "takes a minute: whoever publishes a figure runs it",
}
"""Commands that are not run by the tests of this folder, and who runs them."""

_FENCE = re.compile(r"^(`{3,})([^\n]*)\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)


@attrs.frozen
class Block:
    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@attrs.frozen
class Command:
    """A command, and what the page says it prints; None where it says nothing."""

    text: str
    printed: tuple[str, ...] | None

    @property
    def is_elsewhere(self) -> bool:
        return self.text in ELSEWHERE


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for fence in _FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, fence.start()) + 1, fence[2].strip(), fence[3])


def commands_of(block: Block) -> Iterator[Command]:
    """Those of a block whose language is ``sh`` or ``console``."""
    lines = [re.sub(r"\s+#.*", "", line).rstrip() for line in block.text.splitlines()]
    if block.language == "sh":
        yield from (Command(line, None) for line in lines if line and not line.startswith("#"))
        return
    command, printed = "", list[str]()
    for line in [*lines, "$ "]:
        if line.startswith("$"):
            if command:
                yield Command(command, tuple(printed))
            command, printed = line.removeprefix("$").strip(), []
        else:
            printed.append(line)


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
