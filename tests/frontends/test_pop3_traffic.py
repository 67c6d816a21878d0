"""What the log calls a view."""

from __future__ import annotations

import pytest

from mailsuite.frontends.pop3_traffic import spelled
from mailsuite.model.view import Box, View


@pytest.mark.parametrize(
    ("view", "word"),
    [
        (None, ""),
        (View(), "inbox"),
        (View(Box.TRASH), "trash"),
        (View(Box.RESTORE), "trash+restore"),
        (View(Box.INBOX, "d1"), "device"),
    ],
)
def test_a_word_for_each(view: View | None, word: str) -> None:
    assert spelled(view) == word
