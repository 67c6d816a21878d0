"""Running the user's command: real processes, never two at a time."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailsuite.client import command
from mailsuite.client.command import NOT_STARTED, CommandRunner, run_to_end

WRITE_DOWN = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


def exists(path: Path) -> bool:
    return path.exists()


class CommandTests(TestCase):
    def setUp(self) -> None:
        self.statuses: list[int] = []
        self.waiting: list[tuple[int, Deferred[None]]] = []
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = Path(self.folder.name, "written")

    def ended(self, status: int) -> None:
        self.statuses.append(status)
        for count, done in list(self.waiting):
            if len(self.statuses) >= count and not done.called:
                done.callback(None)

    def after(self, count: int) -> Deferred[None]:
        """Fires when so many runs have ended."""
        done: Deferred[None] = Deferred()
        self.waiting.append((count, done))
        if len(self.statuses) >= count:
            done.callback(None)
        return done

    def runner(self, *argv: str) -> CommandRunner:
        return CommandRunner(reactor, reactor, argv, self.ended)

    async def test_the_text_is_its_standard_input(self) -> None:
        runner = self.runner(sys.executable, "-c", WRITE_DOWN, str(self.file))
        runner.run("hello; $(touch x) `touch y`\n")
        await self.after(1)
        self.assertEqual(self.file.read_text(), "hello; $(touch x) `touch y`\n")
        self.assertEqual(self.statuses, [0])

    async def test_arguments_pass_no_shell(self) -> None:
        runner = self.runner(sys.executable, "-c", WRITE_DOWN, f"{self.file} & $HOME; *")
        runner.run("x")
        await self.after(1)
        self.assertTrue(exists(Path(f"{self.file} & $HOME; *")))

    async def test_what_comes_meanwhile_is_run_once_afterwards(self) -> None:
        runner = self.runner(sys.executable, "-c", WRITE_DOWN, str(self.file))
        for text in ("first\n", "second\n", "third\n"):
            runner.run(text)
        await self.after(2)
        self.assertEqual(self.file.read_text(), "first\nthird\n")
        runner.run("fourth\n")
        await self.after(3)
        self.assertEqual(self.file.read_text(), "first\nthird\nfourth\n")

    async def test_exit_statuses(self) -> None:
        for code, status in (
            ("raise SystemExit(3)", 3),
            ("import os; os.kill(os.getpid(), 9)", -9),
        ):
            self.statuses.clear()
            self.runner(sys.executable, "-c", code).run("not read")
            await self.after(1)
            self.assertEqual(self.statuses, [status])

    async def test_a_large_text_to_a_program_that_reads_nothing(self) -> None:
        self.runner(sys.executable, "-c", "pass").run("x" * 1_000_000)
        await self.after(1)
        self.assertEqual(self.statuses, [0])

    async def test_stopping_ends_it_and_runs_nothing_more(self) -> None:
        runner = self.runner(sys.executable, "-c", "import time; time.sleep(600)")
        runner.run("first")
        runner.run("second")
        await runner.stop()
        self.assertEqual(self.statuses, [-15])
        await runner.stop()

    async def test_stopping_what_will_not_stop(self) -> None:
        self.patch(command, "PATIENCE", 0.1)
        ready = Path(self.folder.name, "ready")
        code = (
            "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
            "open(sys.argv[1], 'w').close(); time.sleep(600)"
        )
        runner = self.runner(sys.executable, "-c", code, str(ready))
        runner.run("first")
        while not exists(ready):
            pause: Deferred[None] = Deferred()
            reactor.callLater(0.01, pause.callback, None)
            await pause
        await runner.stop()
        self.assertEqual(self.statuses, [-9])

    async def test_what_takes_too_long_is_ended(self) -> None:
        runner = CommandRunner(
            reactor, reactor, [sys.executable, "-c", "import time; time.sleep(600)"], self.ended, 0.1
        )
        runner.run("x")
        await self.after(1)
        self.assertEqual(self.statuses, [-15])

    async def test_a_program_is_run_to_its_end(self) -> None:
        code = "import os, sys; sys.exit(int(os.environ['STATUS']) + len(sys.stdin.read()))"
        argv = [sys.executable, "-c", code]
        self.assertEqual(await run_to_end(reactor, reactor, argv, 30, {"STATUS": "3"}), 3)

    async def test_a_program_that_takes_too_long(self) -> None:
        argv = [sys.executable, "-c", "import time; time.sleep(600)"]
        self.assertEqual(await run_to_end(reactor, reactor, argv, 0.1, {}), -15)


def test_where_its_output_goes_cannot_be_said_everywhere() -> None:
    assert command._output("win32") == {}
    assert command._output("linux") == {"childFDs": {0: "w", 1: 1, 2: 2}}


class NoSuchProgramTests(TestCase):
    async def test_one_that_is_not_there(self) -> None:
        class Broken:
            def spawnProcess(self, *arguments: object, **more: object) -> None:
                raise FileNotFoundError("gone")

        self.assertEqual(await run_to_end(Broken(), reactor, ["gone"], 1, {}), NOT_STARTED)

    def test_a_program_that_cannot_be_started(self) -> None:
        class Broken:
            def spawnProcess(self, *arguments: object, **more: object) -> None:
                raise FileNotFoundError("gone")

        statuses: list[int] = []
        runner = CommandRunner(Broken(), reactor, ["gone"], statuses.append)
        runner.run("x")
        runner.run("y")
        self.assertEqual(statuses, [NOT_STARTED, NOT_STARTED])
