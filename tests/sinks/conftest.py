"""Certificates for all tests of the sinks."""

from __future__ import annotations

import pytest

from tests.accounts.sources.certificates import Authority


@pytest.fixture(scope="package")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
