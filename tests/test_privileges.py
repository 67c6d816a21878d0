"""Giving up root, in processes of their own; limits; systemd."""

from __future__ import annotations

import os
import pwd
import resource
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mailsuite.privileges import PrivilegeError, become, notify_systemd, raise_descriptor_limit
from mailsuite.state import State

NOBODY = pwd.getpwnam("nobody")
SELF = pwd.getpwuid(os.geteuid()).pw_name
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def run(code: str, *arguments: object) -> str:
    """What a process prints that runs *code* with these names: become, State, Path, os."""
    preamble = (
        "import os, sys; from pathlib import Path\n"
        "from mailsuite.privileges import become, PrivilegeError; from mailsuite.state import State\n"
    )
    command = [sys.executable, "-c", preamble + textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that everybody gets through to."""
    directory = tmp_path / "place"
    directory.mkdir()
    for above in (directory, *directory.parents):
        if above.stat().st_uid == os.geteuid() and not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o011)
    return directory


@as_root
def test_root_becomes_nobody_for_good(place: Path) -> None:
    printed = run(
        """
        os.setgroups([0, 4])
        state = State(Path(sys.argv[1]))
        state.take()
        become("nobody", state)
        print(*os.getresuid(), *os.getresgid(), *sorted(os.getgroups()))
        for back in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):
            try:
                back()
            except PermissionError:
                print("no")
        (state.path / "new").touch()
        print((state.path / "new").stat().st_uid)
        """,
        place / "state",
    )
    ids, *rest = printed.splitlines()
    uid, gid = NOBODY.pw_uid, NOBODY.pw_gid
    groups = sorted(os.getgrouplist("nobody", gid))
    assert list(map(int, ids.split())) == [uid] * 3 + [gid] * 3 + groups
    assert rest == ["no", "no", "no", str(uid)]


@as_root
def test_directories_that_the_user_could_not_make(place: Path) -> None:
    theirs, there = place / "run" / "mailsuite", place / "there"
    there.mkdir()
    run(
        "state = State(Path(sys.argv[1])); state.take(); become('nobody', state, map(Path, sys.argv[2:]))",
        place / "state",
        theirs,
        there,
    )
    assert (theirs.stat().st_uid, theirs.stat().st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
    assert theirs.parent.stat().st_uid == 0
    assert there.stat().st_uid == 0, "it was there: whose it is is not ours to say"


@as_root
def test_a_directory_that_does_not_let_the_user_in(place: Path) -> None:
    state = place / "state"
    state.mkdir(mode=0o700)
    (state / "accounts.db").touch()
    printed = run(
        """
        try:
            become("nobody", State(Path(sys.argv[1])))
        except PrivilegeError as error:
            print(error)
        """,
        state,
    )
    assert printed == f"{state} does not let 'nobody' in; try: chown -R nobody {state}\n"


@as_root
def test_a_directory_that_nobody_can_make(place: Path) -> None:
    state = State(place / "state")
    state.take()
    with pytest.raises(PrivilegeError, match="/proc/x: No such file or directory"):
        become("nobody", state, [Path("/proc/x")])
    state.release()


@as_root
def test_only_root_can(place: Path) -> None:
    printed = run(
        """
        state = State(Path(sys.argv[1]))
        state.take()
        become("nobody", state)
        for name in ("nobody", "", "root"):
            try:
                become(name, state)
            except PrivilegeError as error:
                print(error)
        """,
        place / "state",
    )
    assert printed == "server.user: only root can become 'root'\n"


@pytest.mark.parametrize("name", ["", SELF])
def test_nothing_happens(name: str, tmp_path: Path) -> None:
    become(name, State(tmp_path / "state"), [tmp_path / "needed"])
    assert list(tmp_path.iterdir()) == []


def test_a_user_who_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PrivilegeError, match="there is no user 'no-such-user'"):
        become("no-such-user", State(tmp_path))


def test_as_many_files_as_the_system_lets_us() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        assert raise_descriptor_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
        assert raise_descriptor_limit() == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class TestSystemd:
    def test_nobody_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
        notify_systemd("READY=1")

    @pytest.mark.parametrize("abstract", [False, True])
    def test_somebody_waits(self, abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        address = f"@mailsuite-test-{os.getpid()}" if abstract else os.path.relpath(tmp_path / "s")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waiting:
            waiting.bind("\0" + address[1:] if abstract else address)
            monkeypatch.setenv("NOTIFY_SOCKET", address)
            notify_systemd("READY=1")
            assert waiting.recv(100) == b"READY=1"

    def test_who_waited_is_gone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
        notify_systemd("READY=1")
