"""A configuration from a text, on a machine that is the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from mailsuite.config.load import Loaded, load
from mailsuite.config.machine import Machine

MACHINE = Machine("host.example.net", Path("/var/lib/mailsuite"))

LoadText = Callable[..., Loaded]


@pytest.fixture
def load_text(tmp_path: Path) -> LoadText:
    """Loads a text as mailsuite.toml; further files of the folder by name."""

    def loaded(
        text: str,
        *,
        files: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Sequence[str] = (),
    ) -> Loaded:
        for name, content in {"mailsuite.toml": text, **(files or {})}.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content, "utf-8")
        return load(tmp_path / "mailsuite.toml", environ or {}, overrides, MACHINE)

    return loaded
