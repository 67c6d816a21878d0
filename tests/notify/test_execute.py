"""The administrator's programs as a channel: real processes."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import attrs
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.address import Address
from mailsuite.model.failure import TellingFailed, TellingRefused
from mailsuite.model.notice import Kind, Level, Notice, Shown
from mailsuite.model.subscription import Subscription
from mailsuite.notify.channels.execute import MAX_AT_ONCE, Command, CommandChannel
from mailsuite.notify.targets import BY_LEAVE

TEXT = "$(touch /tmp/x); `id` \u202e"
NOTICE = Notice(
    "ev_1",
    Kind.MAIL_NEW,
    "a_1",
    1,
    1,
    1_700_000_000.0,
    1,
    Level.SUBJECT,
    Shown(sender="ann@example.net", subject=TEXT),
)
COUNT_BESIDE = """
import os, sys, time
folder, most = sys.argv[1], int(sys.argv[2])
mine = os.path.join(folder, str(os.getpid()))
open(mine, "w").close()
time.sleep(0.1)
beside = len(os.listdir(folder))
os.unlink(mine)
sys.exit(beside if beside > most else 0)
"""
WRITE_PID = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid()))"
WANTED = Subscription("sub_1", Address("joe", "example.test"), "", "exec", "it", "")
MADE = attrs.evolve(WANTED, options={BY_LEAVE: "yes"})
"""As an administrator's is kept."""


def content(file: Path) -> str:
    """Of a file that may not be there."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def python(program: str, *more: str, timeout: float = 10.0) -> Command:
    return Command((sys.executable, "-c", program, *more), timeout)


class CommandChannelTests(TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def channel(self, command: Command) -> CommandChannel:
        channel = CommandChannel(reactor, reactor, {"it": command})
        verifyObject(INotifyChannel, channel)
        self.addCleanup(lambda: Deferred.fromCoroutine(channel.stop()))
        return channel

    async def test_the_notice_is_its_standard_input_and_nothing_else_reaches_it(self) -> None:
        program = (
            "import json, os, sys; text = sys.stdin.read();"
            "json.dump([text, sys.argv[1:], dict(os.environ), os.getcwd()], open(sys.argv[1], 'w'))"
        )
        file = str(self.folder / "a b; c")
        self.assertEqual(await self.channel(python(program, file)).tell(MADE, NOTICE), 0)
        text, arguments, environment, place = json.loads(content(Path(file)))
        self.assertEqual(json.loads(text)["subject"], TEXT)
        self.assertTrue(text.endswith("\n"))
        self.assertEqual(arguments, [file])
        self.assertLessEqual(environment.keys(), {"PATH", "LC_CTYPE"})
        self.assertEqual(place, "/")

    async def test_what_it_writes_is_thrown_away(self) -> None:
        program = "import sys; sys.stdout.write('x' * 1_000_000); sys.stderr.write('y' * 1_000_000)"
        self.assertEqual(await self.channel(python(program)).tell(MADE, NOTICE), 0)

    async def test_one_that_reads_nothing_is_told_all_the_same(self) -> None:
        self.assertEqual(await self.channel(Command(("/bin/true",))).tell(MADE, NOTICE), 0)

    async def test_its_exit_status_tells_what_to_do(self) -> None:
        with self.assertRaisesRegex(TellingFailed, "^exit status 75$"):
            await self.channel(python("raise SystemExit(75)")).tell(MADE, NOTICE)
        with self.assertRaisesRegex(TellingRefused, "^exit status 3$"):
            await self.channel(python("raise SystemExit(3)")).tell(MADE, NOTICE)
        with self.assertRaisesRegex(TellingRefused, "^ended by signal 9$"):
            await self.channel(python("import os; os.kill(os.getpid(), 9)")).tell(MADE, NOTICE)

    async def test_one_that_hangs_is_killed(self) -> None:
        with self.assertRaisesRegex(TellingRefused, r"^killed after 0\.2 s$"):
            await self.channel(python("import time; time.sleep(60)", timeout=0.2)).tell(MADE, NOTICE)

    async def test_what_it_leaves_running_is_not_waited_for(self) -> None:
        file = self.folder / "pid"
        program = (
            "import subprocess, sys;"
            "open(sys.argv[1], 'w').write(str(subprocess.Popen(['/bin/sleep', '20']).pid))"
        )
        telling = Deferred.fromCoroutine(self.channel(python(program, str(file))).tell(MADE, NOTICE))
        try:
            self.assertEqual(await telling.addTimeout(10.0, reactor), 0)
        finally:
            os.kill(int(content(file)), signal.SIGKILL)

    async def test_one_that_users_may_choose_no_more(self) -> None:
        channel = self.channel(attrs.evolve(python("pass"), users=True))
        theirs, ours = channel.prepare(WANTED), channel.prepare(WANTED, by_admin=True)
        self.assertEqual(await channel.tell(theirs, NOTICE), 0)
        channel.commands = {"it": python("pass")}
        with self.assertRaisesRegex(TellingRefused, "^the configuration gives users that command no more$"):
            await channel.tell(theirs, NOTICE)
        self.assertEqual(await channel.tell(ours, NOTICE), 0)
        with self.assertRaisesRegex(ValueError, "^options.leave: "):
            channel.prepare(MADE, by_admin=True)

    async def test_one_that_is_not_there(self) -> None:
        for path in ("/nowhere/at/all", str(self.folder), __file__):
            if path != str(self.folder):  # a directory may be "executed", and fails all the same
                with self.assertRaisesRegex(TellingRefused, "cannot be started"):
                    await self.channel(Command((path,))).tell(MADE, NOTICE)
        with self.assertRaises(TellingRefused):
            await self.channel(Command((str(self.folder),))).tell(MADE, NOTICE)

    async def test_a_command_that_the_configuration_lost(self) -> None:
        with self.assertRaisesRegex(TellingRefused, "no such command"):
            await self.channel(python("")).tell(attrs.evolve(WANTED, target="gone"), NOTICE)

    async def test_few_run_at_once(self) -> None:
        channel = self.channel(python(COUNT_BESIDE, str(self.folder), str(MAX_AT_ONCE)))
        runs = [Deferred.fromCoroutine(channel.tell(MADE, NOTICE)) for _ in range(3 * MAX_AT_ONCE)]
        results = await DeferredList(runs, consumeErrors=True)
        self.assertEqual(results, [(True, 0)] * 3 * MAX_AT_ONCE)

    async def test_who_is_cancelled_ends_it(self) -> None:
        file = self.folder / "pid"
        channel = self.channel(python(f"{WRITE_PID}; import time; time.sleep(60)", str(file)))
        running = Deferred.fromCoroutine(channel.tell(MADE, NOTICE))
        while not (pid := content(file)):
            await _turn()
        running.cancel()
        with self.assertRaises(CancelledError):
            await running
        while content(Path(f"/proc/{pid}/status")):
            await _turn()

    def test_only_commands_of_the_configuration_can_be_named(self) -> None:
        true = Command(("/bin/true",))
        channel = CommandChannel(Clock(), Clock(), {"it": true, "two": attrs.evolve(true, users=True)})
        self.assertEqual(channel.prepare(WANTED, by_admin=True).target_key, "exec:it")
        self.assertEqual(channel.prepare(attrs.evolve(WANTED, target="two")).target_key, "exec:two")
        with self.assertRaisesRegex(ValueError, "no command 'it'; there are: two$"):
            channel.prepare(WANTED)
        with self.assertRaisesRegex(ValueError, "no command '/bin/sh'; there are: it, two$"):
            channel.prepare(attrs.evolve(WANTED, target="/bin/sh"), by_admin=True)
        with self.assertRaisesRegex(ValueError, "^options.x: exec has no such option$"):
            channel.prepare(attrs.evolve(WANTED, options={"x": "y"}), by_admin=True)


def _turn() -> Deferred[None]:
    turn: Deferred[None] = Deferred()
    reactor.callLater(0.005, turn.callback, None)
    return turn
