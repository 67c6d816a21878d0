"""What went wrong last in each service."""

from __future__ import annotations

import pytest
from twisted.python.failure import Failure

from mailsuite.services.errors import SERVICES, LastError, LastErrors, ServiceLog


@pytest.fixture
def errors() -> LastErrors:
    return LastErrors(lambda: 7.0)


def test_the_last_one_of_each(errors: LastErrors) -> None:
    for number in range(3):
        errors.record("pop3", f"error {number}")
    errors.record("imap", "is no service")
    assert [errors.of(name) for name in SERVICES] == [None, None, None, LastError(7.0, "error 2"), None]
    assert errors.of("imap") is None


def test_a_failure_that_is_logged_is_one(errors: LastErrors) -> None:
    """Also by a log that was bound for a session; what the exception says stays in the log."""
    lines: list[str] = []
    log = ServiceLog(lambda line, level: lines.append(line), errors=errors).bind(session="1")
    log.failure("pop3.failed", Failure(ZeroDivisionError("with details")))
    log.failure("notify.failed", Failure(ZeroDivisionError()))
    log.error("smtp.unable")
    assert errors.of("pop3") == LastError(7.0, "a mistake of ours, ZeroDivisionError; the log tells where")
    assert errors.of("smtp") is None
    assert "with details" in lines[0]
    assert "session=1" in lines[0]
