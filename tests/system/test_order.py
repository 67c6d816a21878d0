"""What is promised is durable first: the order of system calls, seen from outside (promise 1, house rule 29).

A killed process leaves the page cache to the kernel, so killing cannot tell whether fsync was called in time.
strace can: fsync(file) has returned before the rename begins, the rename before fsync(directory), and that
before the answer leaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest

from tests.system.clients import begin_data, pid_of, pop3, smtp
from tests.system.harness import LIMITS, NOTHING_KEPT, Server
from tests.system.tracing import (
    DELETED,
    Call,
    WrongOrder,
    check_delivery,
    check_keeping,
    check_new_directories,
    check_removal,
    check_told,
    parse,
    read_trace,
    traced,
    why_not,
)

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"


@attrs.frozen
class Story:
    """A server's calls, and the answers that it gave."""

    server: Server
    calls: Sequence[Call]
    first: str
    several: str
    large: str


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """One message into a new maildir, one for three, a large one, two deletions; then the end."""
    if reason := why_not():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("traced")
    server = traced(Server(directory), directory / "trace")
    server.settings = {JOE: 'notifymail = { state = "last-ip" }'}  # so that his mail is written down
    with server.start():
        pid = pid_of(server)
        first = hand_in(server, b"Subject: first\r\n\r\n", JOE)
        several = hand_in(server, b"Subject: several\r\n\r\n", JOE, ANN, BOB)
        large = hand_in(server, b"Subject: large\r\n\r\n" + b"%s\r\n" % (b"x" * 78) * 8000, ANN, BOB)
        delete_both(server)
    return Story(server, read_trace(directory / "trace", pid), first, several, large)


def hand_in(server: Server, message: bytes, *recipients: str) -> str:
    """Deliver; the line that says so, which no other message has."""
    with smtp(server) as client:
        begin_data(client, *recipients)
        client.send(message + b".\r\n")
        answer = client.line().decode()
        assert answer.startswith("250 2.0.0 ")
        return answer


def test_one_message(story: Story) -> None:
    check_delivery(story.calls, [str(story.server.maildir(JOE))], story.first)


def test_the_row_that_tells_of_it(story: Story) -> None:
    check_told(
        story.calls, str(story.server.maildir(JOE)), str(story.server.state / "notify.db"), story.first
    )


def test_one_message_for_three(story: Story) -> None:
    maildirs = [str(story.server.maildir(account)) for account in (JOE, ANN, BOB)]
    start = next(i for i, call in enumerate(story.calls) if story.first in call.arguments)
    check_delivery(story.calls[start:], maildirs, story.several)


def test_a_message_that_is_spooled_while_it_arrives(story: Story) -> None:
    start = next(i for i, call in enumerate(story.calls) if story.several in call.arguments)
    maildirs = [str(story.server.maildir(account)) for account in (ANN, BOB)]
    check_delivery(story.calls[start:], maildirs, story.large)


def test_new_directories(story: Story) -> None:
    """From the state directory down: an entry that is lost loses all that is below."""
    check_new_directories(story.calls, rf"{story.server.state}(/mail.*)?", story.several)


def test_quit(story: Story) -> None:
    """What is deleted can be brought back: it is moved."""
    maildir = str(story.server.maildir(JOE))
    check_keeping(story.calls, maildir, 2, "+OK Goodbye")
    check_new_directories(story.calls, re.escape(f"{maildir}/{DELETED}"), "+OK Goodbye")


def test_quit_where_nothing_is_kept(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    server = traced(Server(tmp_path, LIMITS + NOTHING_KEPT), tmp_path / "trace")
    with server.start():
        pid = pid_of(server)
        for text in (b"1", b"2"):
            hand_in(server, b"Subject: %s\r\n\r\n" % text, JOE)
        delete_both(server)
    calls = read_trace(tmp_path / "trace", pid)
    check_removal(calls, str(server.maildir(JOE)), 2, "+OK Goodbye")


def delete_both(server: Server) -> None:
    with pop3(server, JOE) as client:
        client.send(b"DELE 1\r\nDELE 2\r\nQUIT\r\n")
        assert client.rest().endswith(b"+OK Goodbye\r\n")


# The proof itself, on traces made by hand: it must fail where the order is wrong.

DELIVERY = """\
2 mkdir("/s/mail", 0700) = 0
2 openat(AT_FDCWD</>, "/s", O_RDONLY|O_DIRECTORY) = 7</s>
2 fsync(7</s>) = 0
2 mkdir("/s/mail/joe", 0700 <unfinished ...>
1 sendto(9<TCP:[127.0.0.1:25->127.0.0.1:4]>, "354 Go ahead\\r\\n", 14, 0, NULL, 0) = 14
2 <... mkdir resumed>) = 0
2 fsync(7</s/mail>) = 0
2 write(8</s/mail/joe/tmp/1.a>, "Return-Path"..., 300) = 300
3 write(9</s/mail/ann/tmp/1.b>, "Return-Path"..., 300) = 300
2 fsync(8</s/mail/joe/tmp/1.a> <unfinished ...>
3 fdatasync(9</s/mail/ann/tmp/1.b>) = 0
2 <... fsync resumed>) = 0
2 renameat2(AT_FDCWD</>, "/s/mail/joe/tmp/1.a", AT_FDCWD</>, "/s/mail/joe/new/1.a,S=9", RENAME_NOREPLACE) = 0
2 link("/s/mail/ann/tmp/1.b", "/s/mail/ann/new/1.b,S=300") = 0
2 fsync(8</s/mail/joe/new>) = 0
2 fsync(8</s/mail/ann/new>) = 0
1 sendto(9<TCP:[127.0.0.1:25->127.0.0.1:4]>, "250 2.1.0 OK\\r\\n250 2.0.0 OK, queued\\r\\n", 36) = 36
2 --- SIGTERM {si_signo=SIGTERM} ---
2 +++ exited with 0 +++
"""
BOTH = ["/s/mail/joe", "/s/mail/ann"]

TOLD = """\
2 fsync(8</s/mail/joe/new>) = 0
3 pwrite64(5</s/notify.db-wal>, "row"..., 4096, 0) = 4096
3 fdatasync(5</s/notify.db-wal>) = 0
1 sendto(9<TCP:[127.0.0.1:25->127.0.0.1:4]>, "250 2.0.0 OK, queued\\r\\n", 36) = 36
"""

REMOVAL = """\
1 sendto(9<TCP:[127.0.0.1:110->127.0.0.1:4]>, "+OK 3 messages\\r\\n", 14, 0, NULL, 0) = 14
2 unlink("/s/mail/joe/new/1.a,S=300") = 0
2 unlink("/s/mail/joe/new/1.b,S=300") = -1 ENOENT (No such file or directory)
2 unlink("/s/mail/joe/new/1.c,S=300") = 0
2 fsync(8</s/mail/joe/new>) = 0
1 writev(9<TCP:[127.0.0.1:110->127.0.0.1:4]>, [{iov_base="+OK Goodbye\\r\\n", iov_len=13}], 1) = 13
"""

KEEPING = """\
2 renameat2(AT_FDCWD</>, "/s/mail/joe/new/1.a,S=9", 5</s>, "/s/mail/joe/mailsuite.deleted/7_1.a,S=9", 1) = 0
2 link("/s/mail/joe/new/1.c,S=300", "/s/mail/joe/mailsuite.deleted/7_1.c,S=300") = 0
2 fsync(8</s/mail/joe/mailsuite.deleted>) = 0
2 fsync(8</s/mail/joe/new>) = 0
1 writev(9<TCP:[127.0.0.1:110->127.0.0.1:4]>, [{iov_base="+OK Goodbye\\r\\n", iov_len=13}], 1) = 13
"""


def prove_delivery(trace: str) -> None:
    calls = parse(trace)
    check_delivery(calls, BOTH, "250 2.0.0 OK, queued")
    check_new_directories(calls, "/s/mail.*", "250 2.0.0 OK, queued")


def prove_removal(trace: str) -> None:
    check_removal(parse(trace), "/s/mail/joe", 2, "+OK Goodbye")


def prove_keeping(trace: str) -> None:
    check_keeping(parse(trace), "/s/mail/joe", 2, "+OK Goodbye")


def without(pattern: str) -> Callable[[str], str]:
    """The trace without the lines that match."""
    return lambda trace: "".join(line for line in trace.splitlines(True) if not re.search(pattern, line))


def later(pattern: str, behind: str) -> Callable[[str], str]:
    """The trace with the lines that match one pattern put behind the line that matches the other."""

    def move(trace: str) -> str:
        lines = trace.splitlines(True)
        moved = [line for line in lines if re.search(pattern, line)]
        kept = [line for line in lines if line not in moved]
        place = next(i for i, line in enumerate(kept) if re.search(behind, line)) + 1
        return "".join(kept[:place] + moved + kept[place:])

    return move


def returns_later(pattern: str, behind: str) -> Callable[[str], str]:
    """The trace in which a call begins where it did and returns only behind another line."""

    def move(trace: str) -> str:
        found = next(line for line in trace.splitlines(True) if re.search(pattern, line))
        head, _, result = found.rpartition(")")
        thread, name = head.split(" ")[0], head.split(" ")[1].partition("(")[0]
        trace = trace.replace(found, f"{head} <unfinished ...>\n")
        lines = trace.splitlines(True)
        place = next(i for i, line in enumerate(lines) if re.search(behind, line)) + 1
        return "".join([*lines[:place], f"{thread} <... {name} resumed>){result}", *lines[place:]])

    return move


def failing(pattern: str) -> Callable[[str], str]:
    """The trace in which a call did not succeed."""
    return lambda trace: "".join(
        re.sub(r"= \d+$", "= -1 EIO (Input/output error)", line) if re.search(pattern, line) else line
        for line in trace.splitlines(True)
    )


def test_the_proof_accepts_what_is_right() -> None:
    prove_delivery(DELIVERY)
    prove_removal(REMOVAL)
    prove_keeping(KEEPING)


@pytest.mark.parametrize(
    "doctored",
    [
        pytest.param(without(r"fdatasync"), id="a file is not synced"),
        pytest.param(later(r"fdatasync", r"renameat2"), id="a file is synced after the other is visible"),
        pytest.param(later(r"fdatasync", r"link"), id="a file is synced after its move"),
        pytest.param(later(r"fdatasync", r"fsync\(8</s/mail/ann/new"), id="a file is synced last"),
        pytest.param(later(r"fsync resumed", r"renameat2"), id="a sync returns after the move"),
        pytest.param(failing(r"fdatasync"), id="the sync of a file fails"),
        pytest.param(failing(r"fsync resumed"), id="the sync of a file fails, in two lines"),
        pytest.param(without(r"^3 write"), id="nothing is written"),
        pytest.param(later(r"^3 write", r"fdatasync"), id="a file is written after its sync"),
        pytest.param(later(r"^3 write", r"link"), id="a file is written after its move"),
        pytest.param(without(r"link"), id="a copy is never moved"),
        pytest.param(failing(r"link"), id="a move fails"),
        pytest.param(later(r"link", r"ann/new>"), id="a move after the sync of its directory"),
        pytest.param(later(r"link", r"250 2.0.0"), id="a move after the answer"),
        pytest.param(returns_later(r"link", r"ann/new>"), id="a move returns after the sync began"),
        pytest.param(without(r"ann/new>"), id="a directory is not synced"),
        pytest.param(failing(r"ann/new>"), id="the sync of a directory fails"),
        pytest.param(later(r"ann/new>", r"250 2.0.0"), id="a directory is synced after the answer"),
        pytest.param(returns_later(r"ann/new>", r"250 2.0.0"), id="the sync returns after the answer"),
        pytest.param(without(r"fsync\(7</s>"), id="a new directory is not durable"),
        pytest.param(without(r"fsync\(7</s/mail>"), id="a new maildir is not durable"),
        pytest.param(later(r"fsync\(7</s/mail>", r"mkdir\(\"/s/mail/joe"), id="synced while it is made"),
        pytest.param(without(r"mkdir"), id="no directory is new"),
        pytest.param(without(r"250 2.0.0"), id="there is no answer"),
    ],
)
def test_the_proof_of_a_delivery_fails(doctored: Callable[[str], str]) -> None:
    trace = doctored(DELIVERY)
    assert trace != DELIVERY
    with pytest.raises(WrongOrder):
        prove_delivery(trace)


@pytest.mark.parametrize(
    "doctored",
    [
        pytest.param(without(r"fsync"), id="the directory is not synced"),
        pytest.param(later(r"fsync", r"Goodbye"), id="the directory is synced after the answer"),
        pytest.param(returns_later(r"fsync", r"Goodbye"), id="the sync returns after the answer"),
        pytest.param(failing(r"fsync"), id="the sync fails"),
        pytest.param(later(r"1\.c", r"fsync"), id="one is removed after the sync"),
        pytest.param(later(r"1\.c", r"Goodbye"), id="one is removed after the answer"),
        pytest.param(without(r"1\.c"), id="one is not removed"),
        pytest.param(without(r"Goodbye"), id="there is no answer"),
    ],
)
def test_the_proof_of_a_removal_fails(doctored: Callable[[str], str]) -> None:
    trace = doctored(REMOVAL)
    assert trace != REMOVAL
    with pytest.raises(WrongOrder):
        prove_removal(trace)


@pytest.mark.parametrize(
    "doctored",
    [
        pytest.param(without(r"deleted>"), id="the new place is not synced"),
        pytest.param(without(r"joe/new>"), id="the old place is not synced"),
        pytest.param(later(r"deleted>", r"joe/new>"), id="the old place is synced first"),
        pytest.param(later(r"deleted>", r"Goodbye"), id="the new place is synced after the answer"),
        pytest.param(later(r"joe/new>", r"Goodbye"), id="the old place is synced after the answer"),
        pytest.param(returns_later(r"joe/new>", r"Goodbye"), id="a sync returns after the answer"),
        pytest.param(failing(r"deleted>"), id="a sync fails"),
        pytest.param(later(r"link", r"deleted>"), id="one is moved after the sync"),
        pytest.param(later(r"link", r"Goodbye"), id="one is moved after the answer"),
        pytest.param(without(r"link"), id="one is not moved"),
        pytest.param(without(r"Goodbye"), id="there is no answer"),
    ],
)
def test_the_proof_of_keeping_fails(doctored: Callable[[str], str]) -> None:
    trace = doctored(KEEPING)
    assert trace != KEEPING
    with pytest.raises(WrongOrder):
        prove_keeping(trace)


def test_a_call_that_never_returned() -> None:
    [call] = parse("2 fsync(7</s> <unfinished ...>\n2 +++ killed by SIGKILL +++\n")
    assert call.returned is None
    with pytest.raises(WrongOrder):
        _ = call.done
    [call] = parse("2 fsync(7</s> <unfinished ...>) = ?\n2 +++ killed by SIGKILL +++\n")
    assert call.returned is None


def test_the_proof_of_a_row_accepts_the_right_order() -> None:
    check_told(parse(TOLD), "/s/mail/joe", "/s/notify.db", "250 2.0.0")


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((1, 2, 0, 3), id="the row comes first"),
        pytest.param((0, 1, 3, 2), id="the reply waits for no sync"),
        pytest.param((0, 3, 1, 2), id="the reply waits for no row"),
        pytest.param((0, 2, 3), id="there is no row"),
    ],
)
def test_the_proof_of_a_row_notices(order: tuple[int, ...]) -> None:
    lines = TOLD.splitlines()
    trace = "\n".join(lines[number] for number in order)
    with pytest.raises(WrongOrder):
        check_told(parse(trace), "/s/mail/joe", "/s/notify.db", "250 2.0.0")
