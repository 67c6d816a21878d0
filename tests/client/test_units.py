"""The units of systemd."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mailsuite.cli.client import client
from mailsuite.client.running import REFUSED
from mailsuite.wire.finger import PORT

FOLDER = Path(__file__).parents[2] / "etc" / "systemd"
SERVICES = sorted(FOLDER.glob("mailsuite-notify*.service"))


def read(path: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(path.read_text("utf-8"))
    return unit


def test_which_there_are() -> None:
    names = [path.name for path in sorted(FOLDER.glob("mailsuite-notify*"))]
    assert names == ["mailsuite-notify.service", "mailsuite-notify@.service", "mailsuite-notify@.socket"]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_services_run_what_there_is(path: Path) -> None:
    service = read(path)["Service"]
    program, verb = service["ExecStart"].split()
    assert Path(program).name == client.name
    assert verb in client.commands
    assert int(service["RestartPreventExitStatus"]) == REFUSED


def test_the_port_is_opened_by_systemd_and_the_program_is_the_users() -> None:
    assert int(read(FOLDER / "mailsuite-notify@.socket")["Socket"]["ListenStream"]) == PORT
    assert read(FOLDER / "mailsuite-notify@.service")["Service"]["User"] == "%i"


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: install systemd"
)
def test_systemd_takes_them(tmp_path: Path) -> None:
    program = tmp_path / "mailsuite-notify"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path in FOLDER.glob("mailsuite-notify*"):
        text = path.read_text("utf-8").replace("/usr/bin/mailsuite-notify", str(program))
        (tmp_path / path.name).write_text(text)
    for name in ("mailsuite-notify@.service", "mailsuite-notify@.socket", "mailsuite-notify.service"):
        instance = tmp_path / name.replace("@", "@root")
        if "@" in name:
            instance.symlink_to(tmp_path / name)
        said = subprocess.run(
            ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", instance],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )
        ours = [line for line in said.stderr.splitlines() if "mailsuite-notify" in line]
        assert (said.returncode, ours) == (0, []), said.stderr
