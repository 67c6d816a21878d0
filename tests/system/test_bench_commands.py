"""``mailsuite bench``: the source and the sink against each other."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import TestCase

from mailsuite.cli.bench_sink import Manner, Sink
from mailsuite.cli.bench_source import MAX_REASONS, Load, Result, Source
from mailsuite.cli.main import cli
from mailsuite.model.address import Address
from tests.ports import free_port
from tests.sinks.sink import Sink as ScriptedSink
from tests.system.harness import PATIENCE

USUAL = Manner()
EVE, MAX = Address("eve", "there.example"), Address("max", "there.example")


class LoadTests(TestCase):
    def listen(self, manner: Manner = USUAL, drawn: float = 0.99) -> int:
        self.sink = Sink(reactor, manner, lambda: drawn)
        port = reactor.listenTCP(0, self.sink, interface="127.0.0.1")
        self.addCleanup(maybeDeferred, port.stopListening)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.sink.drained()))
        return int(port.getHost().port)

    def source(self, port: int, **load: Any) -> Source:
        settings = {"messages": 50, "sessions": 4, "size": 3000, "sender": EVE, "recipients": (EVE,), **load}
        return Source(reactor, "127.0.0.1", port, Load(**settings))

    async def test_all_messages_arrive(self) -> None:
        port = self.listen()
        result = await self.source(port, recipients=(EVE, MAX)).run()
        self.assertEqual((result.accepted, result.octets, result.failures), (50, 50 * 3000, {}))
        self.assertEqual(len(result.latencies), 50)
        self.assertGreater(result.seconds, 0)
        count = self.sink.count
        self.assertEqual((count.messages, count.recipients, count.octets), (50, 100, 50 * 3000))
        self.assertEqual(count.sessions, 4)

    async def test_sizes(self) -> None:
        port = self.listen()
        for size in (500, 501, 579, 200_000):
            result = await self.source(port, messages=1, size=size, sender=None).run()
            self.assertEqual(result.octets, size)
        result = await self.source(port, messages=1, size=1).run()
        self.assertEqual(result.accepted, 1, "a header is never cut")

    async def test_refusals_are_told_apart(self) -> None:
        port = self.listen(Manner(defer=1.0))
        result = await self.source(port).run()
        self.assertEqual(result.accepted, 0)
        ((reason, times),) = result.failures.items()
        self.assertEqual((reason[:9], times), ("451 4.3.0", 50))
        self.assertEqual(result.percentiles(50), [])

    async def test_nobody_listens(self) -> None:
        result = await self.source(free_port()).run()
        self.assertEqual((result.accepted, sum(result.failures.values())), (0, 4))
        self.assertIn("no connection: Connection was refused", next(iter(result.failures)))

    async def test_it_can_be_stopped(self) -> None:
        port = self.listen()
        source = self.source(port, messages=1_000_000)
        self.sink.told = lambda: source.stop() if self.sink.count.messages == 20 else None
        result = await source.run()
        self.assertEqual(result.failures, {})
        self.assertLess(result.accepted, 100)

    async def test_a_sink_that_ends_amid(self) -> None:
        port = self.listen()
        source = self.source(port, messages=1_000_000)

        def told() -> None:
            if self.sink.count.messages == 20:
                for session in list(self.sink.open):
                    session.cut()

        self.sink.told = told
        running = Deferred.fromCoroutine(source.run())
        while not source.result.failures:
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.002, turn.callback, None)
            await turn
        source.stop()
        await running
        self.assertGreater(source.result.accepted, 10)


def test_reasons_are_bounded() -> None:
    result = Result()
    for number in range(MAX_REASONS + 5):
        result.failed(f"reason {number}")
    assert len(result.failures) == MAX_REASONS + 1
    assert result.failures["other reasons"] == 5
    result.latencies.extend(number / 100 for number in range(100))
    assert result.percentiles(50, 95, 99) == [0.5, 0.95, 0.99]


# The commands

BENCH = (sys.executable, "-m", "mailsuite", "bench")
SINK = (*BENCH, "sink", "--listen")
SOURCE = (*BENCH, "source", "--to", "eve@there.example")


@contextmanager
def sink(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the URL that it listens at."""
    command = [*SINK, "127.0.0.1:0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = re.fullmatch(r"listening on (127\.0\.0\.1:\d+)\n", process.stderr.readline())
        assert found, "it does not listen"
        yield process, f"smtp://{found[1]}"
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def source(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SOURCE, *options], capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_a_source_and_a_sink() -> None:
    with sink("--reject", "1") as (process, url):
        taken = subprocess.run(
            [*SINK, url.removeprefix("smtp://")],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert taken.returncode == 1
        assert "Address already in use" in taken.stderr
        done = source("--server", url, "--messages", "30", "--sessions", "3", "--json")
        assert done.returncode == 1
        told = json.loads(done.stdout)
        assert (told["messages"], told["accepted"], told["latency"]) == (30, 0, {})
        assert sum(told["failures"].values()) == 30
        process.send_signal(signal.SIGINT)
        output, rest = process.communicate(timeout=PATIENCE)
        assert (process.returncode, rest) == (0, "")
        assert re.fullmatch(
            r"0 messages for 0 recipients, \d+ KiB, over 3 sessions, in [\d.]+ s: 0 a second; "
            r"0 put off, 30 rejected\n",
            output,
        )


def test_a_sink_that_has_enough() -> None:
    with sink("--messages", "20", "--json") as (process, url):
        done = source("--server", url, "--messages", "20", "--sessions", "1")
        assert done.returncode == 0, done.stderr
        first, second = done.stdout.splitlines()
        assert re.fullmatch(r"20 messages, \d+ KiB, in [\d.]+ s: \d+ a second", first)
        assert re.fullmatch(r"p50 [\d.]+ ms, p95 [\d.]+ ms, p99 [\d.]+ ms", second)
        output, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, json.loads(output)["messages"]) == (0, 20)


def test_a_source_is_stopped() -> None:
    with ScriptedSink() as there:
        process = subprocess.Popen(
            [*SOURCE, "--server", f"smtp://127.0.0.1:{there.port}", "--messages", "10000000", "--json"],
            stdout=subprocess.PIPE,
        )
        there.record.until_taken(3)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        told = json.loads(output)
        assert told["failures"] == {}
        assert told["accepted"] == len(there.record.messages)
        assert there.record.faults == ()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("source --to a@b.example --server smtp://192.88.99.1", 1, "--i-own-the-target goes on"),
        ("source --to a@b.example --server pop3://127.0.0.1", 2, "smtp://"),
        ("source --to a@b.example --size 4", 2, "is no size"),
        ("source --to a@b.example --sessions 1001", 2, "1001 is not in the range"),
        ("source", 2, "--to"),
        ("sink --listen 127.0.0.1", 2, "is no IP address with a port"),
        ("sink --listen localhost:25", 2, "is no IP address with a port"),
        ("sink --listen 127.0.0.1:70000", 2, "is no IP address with a port"),
        ("sink --defer 0.6 --reject 0.5", 2, "more than all messages"),
        ("sink --delay soon", 2, "is no duration"),
    ],
)
def test_wrong_usage(arguments: str, status: int, words: str) -> None:
    result = CliRunner().invoke(cli, ["bench", *arguments.split()])
    assert result.exit_code == status, result.output
    assert words in result.output
