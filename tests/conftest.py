"""What holds for every test: how deep to look, and that a skip is a failure where all is installed."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.system import nursery

settings.register_profile(
    "mailsuite",
    deadline=None,
    max_examples=60,
    derandomize=True,  # the same for everybody; ./test --long looks further
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile("long" if os.environ.get("MAILSUITE_LONG") else "mailsuite")

signal.signal(signal.SIGINT, signal.default_int_handler)
"""In the background it is ignored, and so it would be by every program that a test starts."""

nursery.in_use = True

SLOW = ("tests/system/", "tests/interop/", "tests/docs/")
"""Where tests start servers and wait: files that take long."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, long files come first, and short ones fill what is left."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


NO_SKIPS = bool(os.environ.get("MAILSUITE_NO_SKIPS"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the skipped tests would need."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and NO_SKIPS:
        terminalreporter.write_line(f"{len(skipped)} skipped, and nothing may be here: all is installed")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if NO_SKIPS and exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
