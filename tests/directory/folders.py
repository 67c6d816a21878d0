"""A folder of its own for each test."""

from __future__ import annotations

import pytest


class FolderCase:
    """``self.folder`` is empty and leaves nothing behind in the checkout, as mktemp() would."""

    @pytest.fixture(autouse=True)
    def _make_folder(self, tmp_path):
        self.folder = tmp_path
