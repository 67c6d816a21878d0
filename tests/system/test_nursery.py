"""A server of the nursery is to the system what the program is that somebody starts."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.system.clients import pid_of, within
from tests.system.harness import PATIENCE, Server


def seen_by_the_system(server: Server) -> dict[str, object]:
    """Descriptors, signals, limits, folder and mask of the process, but for its databases."""
    process = Path(f"/proc/{pid_of(server)}")
    status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", (process / "status").read_text(), re.MULTILINE))
    files = [str(file.readlink()) for file in (process / "fd").iterdir()]
    inherited = [file for file in files if not file.startswith(str(server.state))]
    return {
        "descriptors": sorted(
            re.sub(r"\d+", "", file.removeprefix(str(server.directory))) for file in inherited
        ),
        "signals": [status[name] for name in ("SigBlk", "SigIgn", "SigCgt")],
        "rights": [status[name] for name in ("Uid", "Gid", "Groups", "CapEff", "Umask")],
        "limits": (process / "limits").read_text(),
        "folder": (process / "cwd").readlink(),
    }


def test_it_is_the_same(tmp_path: Path) -> None:
    for name in ("made", "begun"):
        (tmp_path / name).mkdir()
    with contextlib.ExitStack() as running:
        made, begun = (
            running.enter_context(Server(tmp_path / name, fresh=fresh))
            for name, fresh in (("made", False), ("begun", True))
        )
        for server, is_made in ((made, True), (begun, False)):
            command = Path(f"/proc/{pid_of(server)}/cmdline").read_text()
            assert ("tests.system.nursery" in command) == is_made

        def same() -> None:
            """Once the connections of the harness have gone."""
            ours, theirs = seen_by_the_system(made), seen_by_the_system(begun)
            for what, value in ours.items():
                assert value == theirs[what], what

        within(PATIENCE, same, AssertionError, FileNotFoundError)


def test_how_it_ended(own_server: Server) -> None:
    own_server.start()
    process = own_server.process
    assert process is not None
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    own_server.kill()
    assert process.returncode == -signal.SIGKILL
    own_server.start()
    assert own_server.stop() == 0


def test_the_environment_is_that_of_now(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILSUITE_SERVER__NAME", "now.example.test")
    own_server.start()
    with own_server.smtp() as client:
        assert client.ehlo()[1].startswith(b"now.example.test")
