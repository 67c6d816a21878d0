"""What logging in costs others, and what it tells a stranger. ``python -m bench.logins`` from the checkout.

The first table: how long each kind of refusal takes, without the failure delay that covers the rest; all
should be one. The second: bad logins at a fixed rate from one process, and from another how long a NOOP
takes in sessions that are logged in. Both generators share the cores with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from bench.whole import Client
from tests.system.harness import LIMITS, Server, password_of

PROBES = 8
"""Sessions that say NOOP."""
PAUSE = 0.02
"""Seconds between two NOOPs of a session."""
PROBED = tuple(f"user{number}@example.test" for number in range(PROBES))


@attrs.frozen
class Refusal:
    """One kind of login that comes to nothing."""

    name: str
    account: str
    password: str = "wrong-password-1"


def timed(port: int, refusal: Refusal) -> float:
    """Milliseconds from PASS to its answer."""
    client = Client(port)
    client.line()
    client.say(f"USER {refusal.account}\r\n".encode(), b"+OK")
    began = time.perf_counter()
    client.say(f"PASS {refusal.password}\r\n".encode(), b"-ERR [AUTH]")
    took = time.perf_counter() - began
    client.socket.close()
    return took * 1000


def refusals(server: Server, rounds: int) -> None:
    """The kinds in turn, so that whatever else the machine does befalls all alike."""
    port = server.ports["pop3-trusted"]
    device = server.control.post(
        "/v1/accounts/ann@example.test/devices", {"name": "sender", "scopes": ["submission"]}
    )
    server.control.post("/v1/accounts", {"address": "off@example.test", "password": password_of("off")})
    server.control.patch("/v1/accounts/off@example.test", {"state": "off"})
    kinds = (
        Refusal("unknown account", "nobody@example.test"),
        Refusal("wrong password", "joe@example.test"),
        Refusal("disabled account", "off@example.test", password_of("off")),
        Refusal("wrong scope", "ann@example.test", device["generated"]),
    )
    times: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            times[kind.name].append(timed(port, kind))
    print(f"{'refusal':<20}{'median ms':>10}{'p95 ms':>10}")
    for name, found in times.items():
        print(f"{name:<20}{statistics.median(found):>10.1f}{percentile(found, 95):>10.1f}")


def percentile(values: list[float], part: int) -> float:
    return statistics.quantiles(values, n=100)[part - 1]


async def attempt(port: int, outcomes: Counter[str]) -> None:
    """One bad login."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        writer.write(b"USER joe@example.test\r\nPASS wrong-password-1\r\nQUIT\r\n")
        await reader.readline()
        answer = await reader.readline()
        outcomes[answer.split(b"]")[0].decode("ascii", "replace").strip() + "]"] += 1
        writer.close()
    except OSError as error:
        outcomes[type(error).__name__] += 1


async def guess(port: int, rate: int, seconds: float) -> Counter[str]:
    """Begin *rate* bad logins a second, whether or not the earlier ones were answered."""
    outcomes: Counter[str] = Counter()
    began, running = time.monotonic(), set()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(began + number / rate - time.monotonic(), 0))
        task = asyncio.ensure_future(attempt(port, outcomes))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return outcomes


def attack(port: int, rate: int, seconds: float, results: Any) -> None:
    results.put(asyncio.run(guess(port, rate, seconds)))


def probe(port: int, seconds: float) -> list[float]:
    """Milliseconds of each NOOP in sessions that are logged in."""
    clients = []
    for account in PROBED:
        client = Client(port)
        client.line()
        client.say(f"USER {account}\r\n".encode(), b"+OK")
        client.say(f"PASS {password_of(account)}\r\n".encode(), b"+OK")
        clients.append(client)
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for client in clients:
            began = time.perf_counter()
            client.say(b"NOOP\r\n", b"+OK")
            took.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE)
    for client in clients:
        client.say(b"QUIT\r\n", b"+OK")
        client.socket.close()
    return took


def noops(server: Server, rate: int, seconds: float) -> None:
    port = server.ports["pop3-trusted"]
    report("NOOP, nobody guesses", probe(port, min(seconds, 3.0)))
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    attacker = context.Process(target=attack, args=(port, rate, seconds, results))
    attacker.start()
    time.sleep(0.5)  # it takes that long to begin
    report(f"NOOP, {rate} bad logins a second", probe(port, seconds))
    print("bad logins:", dict(results.get()))
    attacker.join()


def report(name: str, took: list[float]) -> None:
    print(
        f"{name:<32} {len(took)} probes: median {statistics.median(took):.2f} ms, "
        f"p99 {percentile(took, 99):.2f} ms, worst {max(took):.2f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="logins of each kind of refusal")
    parser.add_argument("--rate", type=int, default=200, help="bad logins a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    steps: tuple[Callable[[Server], None], ...] = (
        lambda server: refusals(server, options.rounds),
        lambda server: noops(server, options.rate, options.seconds),
    )
    accounts = ("joe@example.test", "ann@example.test", *PROBED)
    for step in steps:
        with (
            tempfile.TemporaryDirectory() as directory,
            Server(Path(directory), extra=LIMITS, accounts=accounts) as server,
        ):
            step(server)


if __name__ == "__main__":
    main()
