"""The state directory: made, locked, given away; and not led astray by what lies in it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.state import MAX_SERVICES_OCTETS, State, StateError, StateLocked, Stopped


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "above" / "state"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    made = State(path)
    yield made
    made.release()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(path: Path) -> str:
    with pytest.raises(StateError) as caught:
        State(path).take()
    return str(caught.value)


def test_it_is_ours_alone_and_what_is_above_is_not(state: State, path: Path) -> None:
    before = os.umask(0o022)
    try:
        state.take()
    finally:
        os.umask(before)
    assert (mode(path), mode(path.parent), mode(state.lock_file)) == (0o700, 0o755, 0o600)
    assert state.lock_file.read_text() == f"{os.getpid()}\n"


def test_one_at_a_time(state: State, path: Path) -> None:
    state.take()
    with pytest.raises(StateLocked, match=f"{path} is in use by process {os.getpid()}$"):
        State(path).take()
    state.release()
    state.release()
    other = State(path)
    other.take()
    other.release()


def test_another_process(state: State, path: Path) -> None:
    state.take()
    code = f"from mailsuite.state import State; from pathlib import Path; State(Path({str(path)!r})).take()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"is in use by process {os.getpid()}" in done.stderr


def test_no_child_keeps_the_lock(state: State, path: Path) -> None:
    """A program that we start, and that outlives us, must not keep the next server out."""
    state.take()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        try:
            state.release()
            other = State(path)
            other.take()
            other.release()
        finally:
            child.kill()


def test_a_killed_process_leaves_no_lock(path: Path) -> None:
    code = (
        "import os, signal; from mailsuite.state import State; from pathlib import Path\n"
        f"State(Path({str(path)!r})).take(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    left = (path / "lock").read_text()
    assert left.strip().isdigit()
    state = State(path)
    state.take()
    assert state.lock_file.read_text() == f"{os.getpid()}\n", "nothing of the longer number is left"
    state.release()


@pytest.mark.parametrize("content", [b"", b"\xff\n", b"  \n"])
def test_a_holder_who_is_not_named(path: Path, content: bytes) -> None:
    path.mkdir(parents=True)
    (path / "lock").write_bytes(content)
    with (path / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StateLocked, match="process unknown"):
            State(path).take()


def test_a_failure_leaves_no_descriptor(path: Path, state: State) -> None:
    state.take()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(StateLocked):
            State(path).take()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_system_without_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert refusal(path) == f"{path} cannot be locked: No locks available"


def test_a_full_disk_is_locked_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    state = State(path)
    state.take()
    with pytest.raises(StateLocked, match="unknown"):
        State(path).take()
    state.release()


def test_places_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    hint = "(server.state says where it is)"
    assert refusal(file) == f"{file}: File exists {hint}"
    assert refusal(file / "state") == f"{file}: File exists {hint}"
    assert refusal(Path("/proc/mailsuite")) == f"/proc/mailsuite: No such file or directory {hint}"


class TestWhatSomebodyElseLaidThere:
    """The directory may belong to a user whose programs were taken over, and we may be root."""

    @pytest.fixture
    def victim(self, tmp_path: Path) -> Iterator[Path]:
        victim = tmp_path / "victim"
        victim.write_text("untouched")
        owner = victim.stat().st_uid
        yield victim
        assert victim.read_text() == "untouched"
        assert victim.stat().st_uid == owner

    def test_a_link(self, path: Path, victim: Path) -> None:
        path.mkdir(parents=True)
        (path / "lock").symlink_to(victim)
        assert "Too many levels of symbolic links" in refusal(path)

    def test_a_second_name(self, path: Path, victim: Path) -> None:
        path.mkdir(parents=True)
        (path / "lock").hardlink_to(victim)
        assert refusal(path) == f"{path}/lock is no file of ours; see what it is, and remove it"

    def test_a_pipe_or_a_directory(self, path: Path) -> None:
        path.mkdir(parents=True)
        os.mkfifo(path / "lock")
        assert "is no file of ours" in refusal(path)
        (path / "lock").unlink()
        (path / "lock").mkdir()
        assert "Is a directory" in refusal(path)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_only_what_is_new_is_given_away(self, state: State, path: Path, victim: Path) -> None:
        path.mkdir(parents=True)
        (path / "tls").mkdir()
        (path / "tls" / "link").symlink_to(victim)
        state.take()
        state.give_to(65534, 65534)
        assert state.lock_file.stat().st_uid == 65534
        assert (path.stat().st_uid, (path / "tls").stat().st_uid) == (0, 0), "it was not empty"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_new_directory_is_given_away(state: State, path: Path) -> None:
    state.take()
    state.give_to(65534, 65533)
    for each in (path, state.lock_file):
        assert (each.stat().st_uid, each.stat().st_gid) == (65534, 65533)
    assert path.parent.stat().st_uid == 0


def test_where_everything_lies() -> None:
    state = State(Path("/s"))
    assert [state.accounts_db, state.notify_db, state.tls, state.lock_file, state.services_file] == [
        Path(f"/s/{name}") for name in ("accounts.db", "notify.db", "tls", "lock", "services.json")
    ]


class TestStopped:
    """What is remembered of stopped services."""

    KNOWN = ("smtp", "submission", "pop3")

    @pytest.fixture
    def record(self, tmp_path: Path) -> Path:
        return tmp_path / "services.json"

    def test_it_comes_back_as_it_was_written(self, record: Path) -> None:
        assert Stopped.read(record, self.KNOWN) == Stopped()
        for services in ({"pop3": 1.5, "of a later version": 2.0}, {}):
            Stopped(services).write(record)
            assert Stopped.read(record, self.KNOWN) == Stopped(services)
        assert mode(record) == 0o600
        assert os.listdir(record.parent) == [record.name]

    def test_it_is_on_the_disk_before_it_has_its_name(
        self, record: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []
        sync, rename = os.fsync, Path.rename

        def fsync(descriptor: int) -> None:
            done.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            sync(descriptor)

        def renamed(path: Path, target: Path) -> Path:
            done.append("rename")
            return rename(path, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "rename", renamed)
        Stopped({"pop3": 1.0}).write(record)
        assert done == ["file", "rename", "directory"]

    def test_what_a_dead_server_left_is_no_hindrance(self, record: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").write_text("untouched")
        (tmp_path / "services.json.new").symlink_to("elsewhere")
        Stopped({"pop3": 1.0}).write(record)
        assert (tmp_path / "elsewhere").read_text() == "untouched"

    def test_a_failure_leaves_what_was_there(self, record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Stopped({"pop3": 1.0}).write(record)

        def fsync(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="No space left"):
            Stopped().write(record)
        assert Stopped.read(record, self.KNOWN).services == {"pop3": 1.0}

    @pytest.mark.parametrize(
        ("content", "stopped"),
        [
            (b'{"stopped": {"pop3": 1', ["pop3"]),
            (b'{"stopped": ["smtp", "pop3"]}', ["smtp", "pop3"]),
            (b'{"stopped": {"submission": "today"}}', ["submission"]),
            (b'["pop3"]', ["pop3"]),
            (b"pop3 \xff\n", ["pop3"]),
            (b'{"stopped": {"imap": null}}', []),
            (b"", []),
            (b"[" * 60_000, []),
        ],
    )
    def test_a_broken_one_keeps_closed_what_it_names(
        self, record: Path, content: bytes, stopped: list[str]
    ) -> None:
        record.write_bytes(content)
        os.utime(record, (7.0, 7.0))
        assert Stopped.read(record, self.KNOWN) == Stopped(dict.fromkeys(stopped, 7.0), is_whole=False)

    def test_one_that_cannot_be_read_is_named(self, record: Path) -> None:
        def reason() -> str:
            with pytest.raises(StateError) as caught:
                Stopped.read(record, self.KNOWN)
            return str(caught.value)

        record.write_bytes(b" " * (MAX_SERVICES_OCTETS + 1))
        assert reason() == f"{record} is longer than 65536 octets"
        record.unlink()
        record.symlink_to("elsewhere")
        assert reason() == f"{record}: Too many levels of symbolic links"
        record.unlink()
        os.mkfifo(record)
        assert reason().startswith(f"{record} is no file of ours")
        record.unlink()
        record.mkdir()
        assert reason() == f"{record}: Is a directory"
