"""The plugin is found however the suite was installed: a wheel, an editable install, a bare checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what git would give, so that builds leave nothing in the tree."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignore = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for name in ("mailsuite", "twisted"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    return copy


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A new environment without mailsuite; the libraries are those of the environment of the tests."""
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    python = environment / "bin" / "python"
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    (Path(site) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


TWISTD = "import sys; sys.argv = ['twistd', '--help']; from twisted.scripts.twistd import run; run()"
TWIST = "from twisted.application.twist._twist import Twist; Twist.main(['twist', '--help'])"


def listed(python: Path, cwd: Path, **environment: str) -> None:
    for program in (TWISTD, TWIST):
        shown = run(python, "-c", program, cwd=cwd, **environment)
        assert "A mail server: SMTP in, POP3 out" in shown


def install(python: Path, *what: str | Path, cwd: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", python]
    run(*pip, "install", "--no-deps", "--no-build-isolation", "--no-index", *what, cwd=cwd)


def test_wheel(checkout: Path, python: Path, tmp_path: Path) -> None:
    install(python, checkout, cwd=tmp_path)
    listed(python, tmp_path)
    where = run(python, "-c", "import mailsuite; print(mailsuite.__file__)", cwd=tmp_path)
    assert str(python.parents[1]) in where
    assert run(python.parent / "mailsuite", "--version", cwd=tmp_path)


def test_editable(checkout: Path, python: Path, tmp_path: Path) -> None:
    install(python, "--editable", checkout, cwd=tmp_path)
    listed(python, tmp_path)
    where = run(python, "-c", "import mailsuite; print(mailsuite.__file__)", cwd=tmp_path)
    assert str(checkout) in where


def test_checkout(checkout: Path, python: Path, tmp_path: Path) -> None:
    listed(python, tmp_path, PYTHONPATH=str(checkout))
