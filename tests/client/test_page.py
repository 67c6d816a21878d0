"""What the page says to write into the settings can be read."""

from __future__ import annotations

import re
from pathlib import Path

from mailsuite.client.settings import LISTENER_PORT, Preferences

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "mailsuite-notify.md"


def test_the_settings_on_the_page(tmp_path: Path) -> None:
    (block,) = re.findall(
        r"^```text\n(# ~/\.config/.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    file = tmp_path / "config.toml"
    file.write_text(block)
    found = Preferences.read(file)
    assert (found.popup, found.port, found.fetch) == ("auto", LISTENER_PORT, ("mbsync", "--all"))
    assert found.quiet is not None
