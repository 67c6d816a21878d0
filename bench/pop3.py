"""POP3 beside Dovecot, in the same run. ``python -m bench.pop3`` from the checkout.

The generator shares the cores with the servers: read the CPU columns (all processes of a server, ended ones
included), and the rates as a floor. Rounds of the servers take turns, so that whatever else the machine does
befalls all alike.
"""

from __future__ import annotations

import argparse
import ssl
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

import attrs

from bench.measure import Figure, anonymous_octets, in_parallel, rounds
from bench.peers import TUNED, Dovecot, Ours, Peer, find_dovecot, unverified
from bench.whole import Client, message

WIDTH = 16
"""Connections at once."""
PER_MAILDROP = 20
IDLE, COUNTED = 300, 45
"""Sessions that wait in our one process, and the last of them, whose memory is counted: those before have
taken the room that the heap had left."""
IDLE_DOVECOT = 90
"""As shipped, it takes no more than a hundred over TLS at once."""
LARGE_SESSIONS = 5
"""One after the other in a round: the CPU time of a process is counted in ticks of 10 ms."""
SETTLED = 3.0
"""Seconds: a directory that changed just before is listed again by us and by Dovecot."""

USERS = tuple(f"user{number}@example.test" for number in range(WIDTH))
IDLERS = tuple(f"idle{number}@example.test" for number in range(IDLE))
MIB, MIB20 = "one@example.test", "twenty@example.test"
UIDL_COUNTS = (10_000, 100_000)


def large_user(count: int, number: int) -> str:
    return f"m{count}r{number}@example.test"


def log_in(peer: Peer, user: str, tls: ssl.SSLContext | None = None) -> Client:
    client = Client(peer.tls_port if tls else peer.port, tls)
    client.line()
    client.say(f"USER {user}\r\n".encode(), b"+OK")
    client.say(f"PASS {peer.password(user)}\r\n".encode(), b"+OK")
    return client


def leave(client: Client) -> None:
    client.say(b"QUIT\r\n", b"+OK")
    client.socket.close()


def session(peer: Peer, user: str, retrievals: int, tls: ssl.SSLContext | None = None) -> int:
    """Log in, STAT, and with *retrievals* LIST, UIDL and so many RETR; QUIT. Answers the octets of the
    messages."""
    client = log_in(peer, user, tls)
    client.say(b"STAT\r\n", b"+OK")
    octets = 0
    if retrievals:
        for listing in (b"LIST\r\n", b"UIDL\r\n"):
            client.say(listing, b"+OK")
            client.multiline()
    for number in range(1, retrievals + 1):
        client.say(b"RETR %d\r\n" % number, b"+OK")
        octets += client.multiline()
    leave(client)
    return octets


@attrs.frozen
class Scenario:
    name: str
    operations: int
    work: Callable[[Peer], int]
    throughput: bool = False


def scenarios(sessions: int) -> tuple[Scenario, ...]:
    each = max(sessions // WIDTH, 1)
    tls = unverified()

    def all_users(retrievals: int, over: ssl.SSLContext | None = None) -> Callable[[Peer], int]:
        def one(peer: Peer, user: str) -> int:
            return sum(session(peer, user, retrievals, over) for _ in range(each))

        return lambda peer: in_parallel(WIDTH, WIDTH, lambda number: one(peer, USERS[number]))

    def large(user: str, count: int, over: ssl.SSLContext | None = None) -> Callable[[Peer], int]:
        return lambda peer: sum(session(peer, user, count, over) for _ in range(LARGE_SESSIONS))

    return (
        Scenario("login, STAT, QUIT", each * WIDTH, all_users(0)),
        Scenario("session with 10 RETR of 4 KiB", each * WIDTH, all_users(10)),
        Scenario("the same over TLS", each * WIDTH, all_users(10, tls)),
        Scenario("RETR 1 MiB", 20 * LARGE_SESSIONS, large(MIB, 20), True),
        Scenario("RETR 1 MiB, TLS", 20 * LARGE_SESSIONS, large(MIB, 20, tls), True),
        Scenario("RETR 20 MiB", 5 * LARGE_SESSIONS, large(MIB20, 5), True),
        Scenario("RETR 20 MiB, TLS", 5 * LARGE_SESSIONS, large(MIB20, 5, tls), True),
    )


def fill(peers: Sequence[Peer]) -> None:
    for peer in peers:
        for user in USERS:
            peer.fill(user, message(4096), PER_MAILDROP)
        peer.fill(MIB, message(1 << 20), 20)
        peer.fill(MIB20, message(20 << 20), 5)


def measure_scenarios(peers: Sequence[Peer], count: int, sessions: int) -> None:
    fill(peers)
    time.sleep(SETTLED)
    print(
        f"{'':34}{'':20}{'CPU s/1000':>12}{'min..max':>18}{'per s':>9}{'MB/s':>8}{'CPU s/GB':>10}{'ratio':>7}"
    )
    for scenario in scenarios(sessions):
        figures: dict[str, list[Figure]] = {peer.name: [] for peer in peers}
        for number in range(count):
            for peer in peers:
                work = scenario.work
                found = rounds(peer.pid, 1, scenario.operations, lambda: work(peer), warm=not number)  # noqa: B023
                figures[peer.name] += found
        ours = median(figure.cpu_per_thousand for figure in figures[peers[0].name])
        for name, found in figures.items():
            line(scenario, name, found, ours)


def line(scenario: Scenario, name: str, figures: list[Figure], ours: float) -> None:
    cpu = [figure.cpu_per_thousand for figure in figures]
    text = f"{scenario.name:<34}{name:<20}{median(cpu):>12.2f}{f'{min(cpu):.2f}..{max(cpu):.2f}':>18}"
    text += f"{median(figure.rate for figure in figures):>9.0f}"
    if scenario.throughput:
        text += f"{median(figure.megabytes for figure in figures):>8.0f}"
        text += f"{median(figure.cpu / figure.octets * 1e9 for figure in figures):>10.2f}"
    else:
        text += " " * 18
    print(f"{text}{median(cpu) / ours:>7.1f}" if ours else text, flush=True)


def measure_uidl(peers: Sequence[Peer], count: int) -> None:
    """The time a client waits from PASS to the end of UIDL, in three sessions one after the other."""
    print(f"\n{'STAT and UIDL, ms from PASS on':<34}{'':20}{'first':>10}{'second':>10}{'third':>10}")
    for messages in UIDL_COUNTS:
        for number in range(count):
            for peer in peers:
                peer.fill(large_user(messages, number), b"Subject: x\r\n\r\n", messages)
        time.sleep(SETTLED)
        for peer in peers:
            times = [uidl_times(peer, large_user(messages, number)) for number in range(count)]
            columns = "".join(f"{median(column):>10.0f}" for column in zip(*times, strict=True))
            print(f"{f'{messages} messages':<34}{peer.name:<20}{columns}", flush=True)


def uidl_times(peer: Peer, user: str) -> list[float]:
    times = []
    for _ in range(3):
        client = Client(peer.port)
        client.line()
        client.say(f"USER {user}\r\n".encode(), b"+OK")
        began = time.perf_counter()
        client.say(f"PASS {peer.password(user)}\r\n".encode(), b"+OK")
        client.say(b"STAT\r\n", b"+OK")
        client.say(b"UIDL\r\n", b"+OK")
        client.multiline()
        times.append((time.perf_counter() - began) * 1000)
        leave(client)
        time.sleep(SETTLED)  # Dovecot has moved the messages meanwhile
    return times


def measure_idle(peers: Sequence[Peer], fresh: Callable[[], Ours]) -> None:
    """What a session that is logged in and waits costs: each in a maildrop of its own, with 20 messages.

    In ours, which is one process, it is counted on a *fresh* server: room that others have left in the heap
    would hide it.
    """
    print(f"{'idle session, anonymous KB':<34}{'':20}{'plain':>10}{'TLS':>10}")
    for peer in peers:
        columns = ""
        for tls in (None, unverified()):
            if isinstance(peer, Ours):
                with closing(fresh()) as server:
                    columns += f"{idle_octets(server, IDLERS, tls) / 1024:>10.1f}"
            else:
                columns += f"{idle_octets(peer, IDLERS[:IDLE_DOVECOT], tls) / 1024:>10.1f}"
        print(f"{'each':<34}{peer.name:<20}{columns}", flush=True)


def idle_octets(peer: Peer, users: Sequence[str], tls: ssl.SSLContext | None) -> float:
    for user in users:
        peer.fill(user, message(4096), PER_MAILDROP)
    for user in users:  # whatever is kept of an account is kept by now
        leave(log_in(peer, user, tls))
    clients = [log_in(peer, user, tls) for user in users[COUNTED:]]
    before = anonymous_octets(peer.pid)
    clients += [log_in(peer, user, tls) for user in users[:COUNTED]]
    octets = anonymous_octets(peer.pid) - before
    for client in clients:
        leave(client)
    return octets / COUNTED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=320, help="small sessions in a round")
    parser.add_argument("--directory", type=Path, help="where the servers keep their mail")
    parser.add_argument("--only", choices=("idle", "sessions", "uidl"), help="leave the other tables out")
    parser.add_argument("--dovecot", type=Path, help="folder that dovecot-core and -pop3d are unpacked in")
    options = parser.parse_args()
    large = [large_user(messages, number) for messages in UIDL_COUNTS for number in range(options.rounds)]
    with ExitStack() as stack:

        def folder() -> Path:
            made = tempfile.TemporaryDirectory(dir=options.directory, prefix="ms-bench-")
            return Path(stack.enter_context(made))

        ours = Ours(folder(), (*USERS, MIB, MIB20, *large))
        stack.callback(ours.close)
        peers: list[Peer] = [ours]
        if program := find_dovecot(options.dovecot):
            for name, more in (("Dovecot, tuned", TUNED), ("Dovecot, as shipped", "")):
                dovecot = Dovecot(name, folder(), program, more).start()
                stack.callback(dovecot.close)
                peers.append(dovecot)
        if options.only in {None, "idle"}:
            measure_idle(peers, lambda: Ours(folder(), IDLERS, keeps_no_heap=True))
        if options.only in {None, "sessions"}:
            measure_scenarios(peers, options.rounds, options.sessions)
        if options.only in {None, "uidl"}:
            measure_uidl(peers, options.rounds)


if __name__ == "__main__":
    main()
