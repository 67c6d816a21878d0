"""Passwords checked by PAM with pam_pwdfile, whose file htpasswd or openssl makes; no root is needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mailsuite.accounts.sources.libpam import LibPam, PamError

MODULE = "pam_pwdfile.so"
PLACES = [*Path("/usr/lib").glob(f"*/security/{MODULE}"), *Path("/lib").glob(f"*/security/{MODULE}")]

pytestmark = pytest.mark.skipif(
    not PLACES, reason=f"{MODULE} is missing: install the Debian package libpam-pwdfile"
)


def crypted(password: str) -> str:
    done = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [f"{name}:{crypted(password)}" for name, password in (("joe", "canary"), ("jörg", "grün x"))]
    (tmp_path / "passwords").write_text("\n".join([*lines, "none:", ""]))
    (tmp_path / "mailtest").write_text(
        f"auth required {MODULE} pwdfile={tmp_path}/passwords\naccount required pam_permit.so\n"
    )
    return tmp_path


def says(folder: Path, name: str, password: str, service: str = "mailtest") -> bool:
    return LibPam.load().check(service, name.encode(), password.encode(), folder)


def test_yes_and_no(folder: Path) -> None:
    for _ in range(3):
        assert says(folder, "joe", "canary")
        assert says(folder, "jörg", "grün x")
        assert not says(folder, "joe", "grün x")
        assert not says(folder, "joe", "canary ")
        assert not says(folder, "nobody", "canary")


def test_no_password_is_nobodys(folder: Path) -> None:
    for name in ("joe", "none", "nobody"):
        assert not says(folder, name, "")


def test_no_name_says_more_than_a_name(folder: Path) -> None:
    for name in ("joe:", "joe\n", "joe:x", " joe", "", "../joe", "*", "j" * 5000):
        assert not says(folder, name, "canary"), name


def test_a_file_that_is_away_is_no_wrong_password(folder: Path) -> None:
    (folder / "passwords").unlink()
    with pytest.raises(PamError, match=r"\(9\)"):
        says(folder, "joe", "canary")


def test_a_second_module_asks_again(folder: Path) -> None:
    """Two modules of a stack that each ask for the password: the first knows nobody, the second does."""
    (folder / "empty").write_text("x:y\n")
    (folder / "both").write_text(
        f"auth sufficient {MODULE} pwdfile={folder}/empty\n"
        f"auth required {MODULE} pwdfile={folder}/passwords\n"
        "account required pam_permit.so\n"
    )
    assert says(folder, "joe", "canary", "both")
    assert not says(folder, "joe", "wrong", "both")


def test_many_questions_leave_nothing_behind(folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(300):
        assert says(folder, "joe", "canary" if number % 2 else "x") == bool(number % 2)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
