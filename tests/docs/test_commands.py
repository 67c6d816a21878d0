"""docs/reference/commands.md is what its generator makes of the commands as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mailsuite.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
GENERATOR = ROOT / "docs" / "reference" / "commands.py"
PAGE = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")


def test_the_page_is_not_stale() -> None:
    made = subprocess.run(
        [sys.executable, GENERATOR], capture_output=True, check=True, timeout=60
    ).stdout.decode()
    assert made == PAGE, "python docs/reference/commands.py > docs/reference/commands.md"


def test_each_command_stands_on_it() -> None:
    shown = {name: f"## `mailsuite {name}" in PAGE for name in COMMANDS}
    assert shown == {name: not place.hidden for name, place in COMMANDS.items()}
