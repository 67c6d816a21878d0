"""queue fsck: a stopped server's queue is looked through, and mended."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.queue.sqlite.schema import SCHEMA
from mailsuite.sqlite.database import Database
from mailsuite.state import State
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble


@pytest.fixture
def state(place: Path) -> Path:
    """A state directory with an empty queue."""
    state = State(place / "state")
    state.take()
    state.release()
    database = Database(state.path / "queue.db", SCHEMA, Inline())
    run_now(database.open())
    run_now(database.close())
    (state.path / "spool").mkdir()
    return state.path


def harm(state: Path) -> None:
    """A part of a message that nobody knows."""
    connection = sqlite3.connect(state / "queue.db")
    connection.execute(
        "INSERT INTO part (message, destination, origin, cost, state, due)"
        " VALUES (7, 'a.example', 'x', 1, 'waiting', 0)"
    )
    connection.commit()
    connection.close()


def test_a_queue_that_is_well(run: Run, state: Path) -> None:
    assert run("queue", "fsck").output == "The queue is well.\n"
    assert run("queue", "fsck", "-q").output == ""
    assert json.loads(run("queue", "fsck", "--json").output) == {"findings": []}


def test_there_is_no_queue_yet(run: Run) -> None:
    assert run("queue", "fsck").output == "The queue is well.\n"


def test_what_is_wrong_is_said_and_mended(run: Run, state: Path) -> None:
    harm(state)
    found = run("queue", "fsck")
    assert found.exit_code == 4
    assert found.stdout.startswith("wrong      Rows of messages that are not there")
    assert "in the queue; --repair mends what can be mended\n" in found.stderr
    mended = run("queue", "fsck", "--repair")
    assert mended.exit_code == 0
    assert mended.stdout.startswith("mended     Rows of messages that are not there")
    assert run("queue", "fsck").output == "The queue is well.\n"


def test_with_json(run: Run, state: Path) -> None:
    harm(state)
    result = run("queue", "fsck", "--json")
    (finding, *_) = json.loads(result.stdout)["findings"]
    assert result.exit_code == 4
    assert (finding["is_mended"], finding["is_harmless"]) == (False, False)


def test_what_cannot_be_mended(run: Run, state: Path) -> None:
    (state / "queue.db").write_bytes(b"no database" * 1000)
    result = run("queue", "fsck", "--repair")
    assert result.exit_code == 4
    assert "Restore it from a backup." in result.stdout
    assert result.stderr == "1 problem in the queue\n"


def test_a_server_that_runs(run: Run, control: ControlDouble) -> None:
    result = run("queue", "fsck")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "the server is running; stop it first: its queue is at work\n"


def test_a_server_that_begins(run: Run, state: Path) -> None:
    server = State(state)
    server.take()
    try:
        result = run("queue", "fsck")
    finally:
        server.release()
    assert result.exit_code == 3
    assert "is in use by process" in result.stderr
