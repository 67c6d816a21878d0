"""The listening program on a reactor in memory."""

from __future__ import annotations

import errno
import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ConnectionDone, ProcessDone, ProcessTerminated
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.client.listening import ListenProgram, Wishes, cannot_listen
from mailsuite.client.receiver import ACTION_INTERVAL
from mailsuite.wire.finger import KNOCK

LOOPBACK = ip_address("127.0.0.1")
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


class Reactor(MemoryReactorClock):
    """A reactor in memory that keeps the processes it was asked for, and runs shutdown triggers."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[tuple[object, str, list[str]]] = []
        self.before_shutdown: list[object] = []

    def spawnProcess(self, protocol, program, arguments, environment, **more):
        self.processes.append((protocol, program, arguments))
        transport = StringTransport()
        transport.writeToChild = lambda descriptor, data: transport.write(data)
        transport.closeStdin = transport.loseConnection
        transport.signalProcess = lambda name: protocol.processEnded(Failure(ProcessTerminated(None, 15)))
        protocol.makeConnection(transport)

    def addSystemEventTrigger(self, phase, event, function, *arguments):
        self.before_shutdown.append(function)


class ProgramTestCase(SynchronousTestCase):
    def start(self, address: object = LOOPBACK, port: int = 4079, **wishes: object) -> Deferred[None]:
        self.reactor = Reactor()
        self.out: list[str] = []
        self.errors: list[str] = []
        program = ListenProgram(
            self.reactor, Wishes(address, port, **wishes), self.say, self.errors.append, lambda: NOON
        )
        self.running = Deferred.fromCoroutine(program.run())
        return self.running

    def say(self, line: str) -> None:
        self.out.append(line)

    def knock(self, peer: str = "198.41.0.4") -> None:
        factory = self.reactor.tcpServers[0][1]
        protocol = factory.buildProtocol(IPv4Address("TCP", peer, 40000))
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(KNOCK)
        protocol.connectionLost(Failure(ConnectionDone()))

    def end_command(self, reason: Exception | None = None) -> None:
        self.reactor.processes[-1][0].processEnded(Failure(reason or ProcessDone(0)))

    def shut_down(self) -> None:
        for function in self.reactor.before_shutdown:
            self.successResultOf(function())


class PrintingTests(ProgramTestCase):
    def test_it_says_where_it_listens_then_who_knocks(self) -> None:
        self.start()
        self.assertEqual(self.reactor.tcpServers[0][0], 4079)
        self.assertEqual(self.reactor.tcpServers[0][3], "127.0.0.1")
        self.knock()
        self.knock("9.9.9.9")
        self.knock("9.9.9.10")
        self.reactor.advance(ACTION_INTERVAL)
        self.assertEqual(len(self.out), 3)
        self.assertRegex(self.out[0], r"^listening on .*:\d+$")
        self.assertEqual(self.out[1], "2026-11-21T12:00:00+00:00 knock from 198.41.0.4")
        self.assertEqual(self.out[2], "2026-11-21T12:00:00+00:00 knock from 9.9.9.10 (the last of 2)")
        self.assertNoResult(self.running)

    def test_json(self) -> None:
        self.start(as_json=True)
        self.knock()
        listening, knock = map(json.loads, self.out)
        self.assertEqual(listening["event"], "listening")
        self.assertEqual(set(listening), {"event", "address", "port"})
        expected = {"event": "knock", "time": "2026-11-21T12:00:00+00:00", "peer": "198.41.0.4", "knocks": 1}
        self.assertEqual(knock, expected)

    def test_once(self) -> None:
        self.start(once=True)
        self.assertNoResult(self.running)
        self.knock()
        self.successResultOf(self.running)
        self.knock()
        self.reactor.advance(ACTION_INTERVAL)
        self.assertEqual(len(self.out), 2)

    def test_a_reader_that_has_gone_ends_it(self) -> None:
        def gone(line: str) -> None:
            raise BrokenPipeError

        self.say = gone
        self.start()
        self.assertEqual(self.failureResultOf(self.running, SystemExit).value.code, 1)

    def test_ipv6(self) -> None:
        self.start(ip_address("::1"))
        self.assertEqual(self.reactor.tcpServers[0][3], "::1")

    def test_a_place_that_is_taken(self) -> None:
        def taken(reactor: Reactor, port: int, *others: object, **more: object) -> None:
            raise CannotListenError("127.0.0.1", port, OSError(errno.EADDRINUSE, "in use"))

        self.patch(Reactor, "listenTCP", taken)
        self.start()
        self.assertEqual(self.failureResultOf(self.running, SystemExit).value.code, 1)
        self.assertIn("127.0.0.1:4079 is in use", self.errors[0])
        self.assertEqual(self.out, [])

    def test_shutting_down(self) -> None:
        self.start()
        self.shut_down()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class RunningTests(ProgramTestCase):
    command = ("fetchmail", "--check")

    def test_the_command_gets_the_knock_on_its_standard_input(self) -> None:
        self.start(command=self.command)
        self.knock()
        [(protocol, program, arguments)] = self.reactor.processes
        self.assertEqual((program, arguments), ("fetchmail", ["fetchmail", "--check"]))
        self.assertEqual(json.loads(protocol.transport.value())["peer"], "198.41.0.4")
        self.assertEqual(len(self.out), 1)

    def test_a_knock_meanwhile_runs_it_again_afterwards(self) -> None:
        self.start(command=self.command)
        self.knock()
        self.reactor.advance(ACTION_INTERVAL)
        self.knock()
        self.assertEqual(len(self.reactor.processes), 1)
        self.end_command()
        self.assertEqual(len(self.reactor.processes), 2)
        self.assertNoResult(self.running)

    def test_a_failing_command_is_told_and_listening_goes_on(self) -> None:
        self.start(command=self.command)
        self.knock()
        self.end_command(ProcessTerminated(3, None))
        self.reactor.advance(ACTION_INTERVAL)
        self.knock()
        self.end_command(ProcessTerminated(None, 9))
        self.assertEqual(self.errors[-2:], ["fetchmail: exit status 3", "fetchmail: ended by signal 9"])
        self.assertNoResult(self.running)

    def test_once_waits_for_the_command_and_ends_as_it_does(self) -> None:
        self.start(command=self.command, once=True)
        self.knock()
        self.assertNoResult(self.running)
        self.end_command()
        self.successResultOf(self.running)
        self.start(command=self.command, once=True)
        self.knock()
        self.end_command(ProcessTerminated(3, None))
        self.failureResultOf(self.running, SystemExit)

    def test_shutting_down_ends_the_command(self) -> None:
        self.start(command=self.command)
        self.knock()
        self.shut_down()
        self.assertIn("fetchmail: ended by signal 15", self.errors)
        self.assertEqual(len(self.reactor.processes), 1)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, ["no right to listen on port 79", "--port 1079", "ListenStream=79"]),
        (errno.EPERM, ["no right to listen on port 79", "--port 1079", "ListenStream=79"]),
        (errno.EADDRINUSE, ["[2a00::1]:79 is in use", "--port"]),
        (errno.EADDRNOTAVAIL, ["no address 2a00::1", "--bind"]),
        (errno.EAFNOSUPPORT, ["cannot listen on [2a00::1]:79: not supported"]),
    ],
)
def test_why_it_cannot_listen(code: int, words: list[str]) -> None:
    error = CannotListenError("2a00::1", 79, OSError(code, "not supported"))
    message = cannot_listen(error, Wishes(ip_address("2a00::1"), 79))
    for word in words:
        assert word in message
