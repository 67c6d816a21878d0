"""Fixtures of the listeners' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frontends.planned import DOMAIN, DOOR, Make, World


@pytest.fixture
def world(tmp_path: Path) -> Make:
    """world(service, keys of its section, keys of its listener, more of the file)"""

    def make(service: str, section: str = "", door: str = 'tls = "starttls"', more: str = "") -> World:
        text = f"[{service}]\n{section}\n{DOOR.format(service=service)}{door}\n{more}{DOMAIN}"
        return World(tmp_path, text)

    return make
