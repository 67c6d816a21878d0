"""The server under strace, and what its system calls prove about order.

A call *begins* and *returns* at lines of the trace; strace writes two lines for a call during which another
thread did something, so line numbers give a true order over all threads.
"""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs

from mailsuite.store.maildir.trash import DIRECTORY as DELETED
from tests.system.harness import PATIENCE, Server

TRACED = (
    "openat,creat,write,writev,pwrite64,sendto,sendmsg,sendfile,fsync,fdatasync,sync_file_range,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir"
)

_LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()(?P<rest>.*)")
_RESULT = re.compile(r"(?P<arguments>.*)\) += (?P<result>-?\d+|\?)(?P<comment>.*)")
_UNFINISHED = re.compile(r"(?P<arguments>.*) <unfinished \.\.\.>.*")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DESCRIPTOR = re.compile(r"-?\d+<([^>]*)>")


class WrongOrder(AssertionError):
    """Something was promised before it was durable."""


@attrs.frozen
class Call:
    """One system call. ``returned`` is None for one that never did."""

    name: str
    arguments: str
    began: int
    returned: int | None
    result: int

    @property
    def paths(self) -> list[str]:
        """The strings among the arguments: paths, or octets as strace shows them."""
        return _PATH.findall(self.arguments)

    @property
    def open_file(self) -> str:
        """What the descriptor in front belongs to."""
        match = _DESCRIPTOR.match(self.arguments)
        return match[1] if match else ""

    @property
    def done(self) -> int:
        """Where it returned; raises WrongOrder for a call that failed or never returned."""
        if self.returned is None or self.result < 0:
            raise WrongOrder(f"{self.name}({self.arguments}) did not succeed")
        return self.returned


def parse(trace: str) -> list[Call]:
    """The calls of a trace (strace -f -y), by their beginning."""
    calls: list[Call] = []
    under_way: dict[str, tuple[int, str, str]] = {}
    for number, line in enumerate(trace.splitlines()):
        match = _LINE.match(line)
        if match is None:
            continue  # a signal, an exit
        thread, rest = match["thread"], match["rest"]
        began, name, head = number, match["name"], ""
        if match["resumed"]:
            began, name, head = under_way.pop(thread)
        if unfinished := _UNFINISHED.fullmatch(rest):
            under_way[thread] = number, name, head + unfinished["arguments"]
        elif end := _RESULT.fullmatch(rest):
            result = -1 if end["result"] == "?" else int(end["result"])
            calls.append(Call(name, head + end["arguments"], began, number, result))
    calls += [Call(name, arguments, began, None, -1) for began, name, arguments in under_way.values()]
    return sorted(calls, key=lambda call: call.began)


SYNCS = ("fsync", "fdatasync")
MOVES = ("rename", "renameat", "renameat2", "link", "linkat")
REMOVALS = ("unlink", "unlinkat")
SENDS = ("sendto", "sendmsg", "write", "writev")


def first(calls: Iterable[Call], what: str, wanted: Callable[[Call], bool]) -> Call:
    """The first call that is *wanted*. Raises WrongOrder."""
    found = next(filter(wanted, calls), None)
    if found is None:
        raise WrongOrder(f"there is no {what}")
    return found


def synced(calls: Sequence[Call], path: str, after: int, before: int, why: str) -> int:
    """Where a sync of *path* returned that began after line *after*; it must be before line *before*."""
    for call in calls:
        if call.name in SYNCS and call.open_file == path and call.began > after:
            if call.done < before:
                return call.done
            raise WrongOrder(f"{path} was synced only after {why}")
    raise WrongOrder(f"{path} was not synced between its change and {why}")


def sent(calls: Sequence[Call], words: str) -> Call:
    """The call that sent an answer that begins so, through a socket."""
    return first(
        calls,
        f"answer {words!r}",
        lambda call: (
            call.name in SENDS
            and call.open_file.startswith(("TCP:", "socket:", "TCPv6:"))
            and any(path.startswith(words) or f"\\n{words}" in path for path in call.paths)
        ),
    )


def check_delivery(calls: Sequence[Call], maildirs: Sequence[str], answer: str) -> None:
    """Prove that a message was durable in each maildir before *answer* left. Raises WrongOrder."""
    promise = sent(calls, answer).began
    moves = [
        first(
            calls,
            f"move into {maildir}/new",
            lambda call, new=f"{maildir}/new/": (  # type: ignore[misc]
                call.name in MOVES and len(call.paths) == 2 and call.paths[1].startswith(new)
            ),
        )
        for maildir in maildirs
    ]
    visible = min(move.began for move in moves)
    for maildir, move in zip(maildirs, moves, strict=True):
        source = move.paths[0]
        written = [
            call.done
            for call in calls
            if call.name in {"write", "writev", "pwrite64"} and call.open_file == source
        ]
        if not written:
            raise WrongOrder(f"nothing was written to {source}")
        if max(written) > move.began:
            raise WrongOrder(f"{source} was written to after its move")
        synced(calls, source, max(written), visible, "the first copy became visible")
        if move.done > promise:
            raise WrongOrder(f"the move into {maildir}/new had not returned before {answer!r} left")
        synced(calls, f"{maildir}/new", move.done, promise, f"{answer!r} left")


def check_told(calls: Sequence[Call], maildir: str, database: str, answer: str) -> None:
    """Prove that what happened to an account was written down after its message was durable, and was durable
    before *answer* left. Raises WrongOrder."""
    promise = sent(calls, answer).began
    kept = synced(calls, f"{maildir}/new", -1, promise, f"{answer!r} left")
    log = f"{database}-wal"
    written = [
        call.done for call in calls if call.name == "pwrite64" and call.open_file == log and call.began > kept
    ]
    if not written or min(written) > promise:
        raise WrongOrder(f"nothing was written to {log} between the message and {answer!r}")
    synced(calls, log, min(written), promise, f"{answer!r} left")


def check_new_directories(calls: Sequence[Call], pattern: str, answer: str) -> None:
    """Prove that each directory whose path matches, and that was made before *answer* left, was durable in
    its parent by then."""
    promise = sent(calls, answer).began
    made = [
        call
        for call in calls
        if call.name in {"mkdir", "mkdirat"}
        and call.result == 0
        and call.began < promise
        and re.fullmatch(pattern, call.paths[0])
    ]
    if not made:
        raise WrongOrder(f"no directory was made that matches {pattern}")
    for call in made:
        parent = call.paths[0].rpartition("/")[0]
        synced(calls, parent, call.done, promise, f"{answer!r} left")


def check_removal(calls: Sequence[Call], maildir: str, count: int, answer: str) -> None:
    """Prove that *count* messages were durably gone before *answer* left. Raises WrongOrder."""
    promise = sent(calls, answer).began
    removals = [
        call
        for call in calls
        if call.name in REMOVALS and call.result == 0 and call.paths[0].startswith(f"{maildir}/new/")
    ]
    if len(removals) != count:
        raise WrongOrder(f"{len(removals)} messages were removed, not {count}")
    last = max(call.done for call in removals)
    if last > promise:
        raise WrongOrder(f"a message was removed after {answer!r} left")
    synced(calls, f"{maildir}/new", last, promise, f"{answer!r} left")


def check_keeping(calls: Sequence[Call], maildir: str, count: int, answer: str) -> None:
    """Prove that *count* messages were durably where deleted mail is kept, and then durably gone from the
    inbox, before *answer* left: a crash between leaves them in one place at least. Raises WrongOrder."""
    promise, kept = sent(calls, answer).began, f"{maildir}/{DELETED}"
    moves = [
        call
        for call in calls
        if call.name in MOVES
        and call.result == 0
        and call.paths[0].startswith(f"{maildir}/new/")
        and call.paths[1].startswith(f"{kept}/")
    ]
    if len(moves) != count:
        raise WrongOrder(f"{len(moves)} messages were moved to {kept}, not {count}")
    last = max(call.done for call in moves)
    if last > promise:
        raise WrongOrder(f"a message was moved after {answer!r} left")
    arrived = synced(calls, kept, last, promise, f"{answer!r} left")
    synced(calls, f"{maildir}/new", arrived, promise, f"{answer!r} left")


@functools.cache
def why_not() -> str:
    """Why strace cannot be used here, or nothing."""
    try:
        probe = subprocess.run(
            ["strace", "-D", "-f", "-o", "/dev/null", "true"],
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        return "needs strace (Debian package strace)"
    return (
        "" if probe.returncode == 0 else f"strace may not trace here: {probe.stderr.decode(errors='replace')}"
    )


def traced(server: Server, trace: Path, *options: str) -> Server:
    """Let *server* run under strace once it is started. Its process is the server, not strace."""
    strace = ("strace", "-D", "-f", "-q", "-y", "-s", "256", "-o", str(trace), "-e", f"trace={TRACED}")
    server.command = (*strace, *options, sys.executable, "-m", "mailsuite")
    return server


def read_trace(trace: Path, pid: int) -> list[Call]:
    """The calls of a server that has ended; strace may still be writing when it has."""
    deadline = time.monotonic() + PATIENCE
    end = re.compile(rf"^{pid} +\+\+\+ ", re.MULTILINE)
    while not end.search(text := trace.read_text(errors="replace")):
        if time.monotonic() > deadline:
            raise AssertionError("strace has not ended its trace")
        time.sleep(0.01)
    return parse(text)
