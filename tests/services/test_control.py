"""Stopping and starting one service while the others run."""

from __future__ import annotations

import errno
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from mailsuite.config.load import load
from mailsuite.frontends.doors import DoorError, Doors
from mailsuite.services.control import ServerStopping, ServiceError, UnknownService, open_places
from mailsuite.state import Stopped
from tests.concurrent.held import HeldThreads
from tests.services.case import ServicesCase

ALL = ["127.0.0.1 110", "127.0.0.1 25", "127.0.0.1 995"]


class Stopping(ServicesCase):
    def test_it_closes_its_listeners_and_no_others(self) -> None:
        self.assertEqual((self.at(), self.state(), self.state("smtp")), (ALL, "running", "running"))
        self.reactor.advance(5.0)
        self.assertEqual(self.done(self.services.stop("pop3")), 0)
        self.assertEqual(
            (self.at(), self.state(), self.state("smtp")), (["127.0.0.1 25"], "stopped", "running")
        )
        status = self.services.status("pop3")
        self.assertEqual((status.since, status.listeners, status.last_error), (5.0, (), None))
        self.assertEqual(self.remembered(), {"pop3": 5.0})

    def test_its_sessions_go_on_for_a_while(self) -> None:
        (one, wire), (_, other) = self.enter(110), self.enter(25)
        self.assertEqual(self.done(self.services.stop("pop3")), 1)
        self.assertEqual((self.state(), self.services.status("pop3").sessions), ("draining", 1))
        self.pass_time(29)
        one.dataReceived(b"still here\n")
        self.assertEqual(wire.value(), b"hello\nstill here\n")
        self.pass_time(2)
        self.assertTrue(wire.value().endswith(b"going\n"))
        self.leave(one)
        self.assertEqual((self.state(), other.value()), ("stopped", b"hello\n"))
        self.assertEqual(self.services.status("pop3").since, self.reactor.seconds() - 0.5 + 0.25)

    def test_now(self) -> None:
        session, wire = self.enter(110)
        self.done(self.services.stop("pop3", now=True))
        self.assertTrue(wire.value().endswith(b"going\n"))
        self.leave(session)
        self.assertEqual(self.state(), "stopped")

    def test_now_after_all(self) -> None:
        """Whoever stopped it loses patience."""
        _, wire = self.enter(110)
        self.done(self.services.stop("pop3"))
        self.pass_time(3)
        self.assertEqual(wire.value(), b"hello\n")
        self.assertEqual(self.done(self.services.stop("pop3", now=True)), 1)
        self.assertTrue(wire.value().endswith(b"going\n"))

    def test_twice(self) -> None:
        for _ in range(2):
            self.assertEqual(self.done(self.services.stop("pop3")), 0)
        self.assertEqual(self.state(), "stopped")

    def test_an_unknown_name(self) -> None:
        words = "there is no service 'imap'; there are smtp, submission, lmtp, pop3, notify"
        for verb in (self.services.stop, self.services.start, self.services.restart):
            self.assertEqual(self.fails(verb("imap"), UnknownService), words)
        self.assertEqual(self.at(), ALL)

    def test_what_cannot_be_remembered_is_stopped_all_the_same(self) -> None:
        (self.folder / "services.json.new").mkdir()
        words = self.fails(self.services.stop("pop3"), ServiceError)
        self.assertIn("a start of the server opens it again", words)
        self.assertEqual((self.at(), self.state()), (["127.0.0.1 25"], "stopped"))
        self.assertTrue(any("service.unrecorded" in line for line in self.lines))

    def test_it_is_remembered_outside_of_the_reactor(self) -> None:
        self.services.threads = threads = HeldThreads()
        stopping = self.running(self.services.stop("pop3"))
        self.assertNoResult(stopping)
        self.assertEqual(self.remembered(), {})
        threads.release()
        self.successResultOf(stopping)
        self.assertEqual(list(self.remembered()), ["pop3"])


class Starting(ServicesCase):
    def stop(self) -> None:
        self.done(self.services.stop("pop3"))

    def test_it_opens_what_is_configured(self) -> None:
        self.stop()
        self.reactor.advance(7.0)
        self.done(self.services.start("pop3"))
        self.assertEqual((self.at(), self.state()), (ALL, "running"))
        self.assertEqual(self.services.status("pop3").since, 7.0)
        self.assertEqual(self.meets(110), "pop")
        self.assertEqual(self.remembered(), {})

    def test_what_runs_is_left_alone(self) -> None:
        opened = self.reactor.opened
        self.done(self.services.start("pop3"))
        self.assertEqual((self.reactor.opened, self.state()), (opened, "running"))

    def test_who_was_about_to_leave_stays(self) -> None:
        _, wire = self.enter(110)
        self.stop()
        self.pass_time(10)
        self.done(self.services.start("pop3"))
        self.assertEqual((self.state(), self.services.status("pop3").sessions), ("running", 1))
        self.pass_time(60)
        self.assertEqual((wire.value(), wire.aborted), (b"hello\n", False))

    def test_a_busy_port(self) -> None:
        """Then nothing is opened, and the error is there for whoever asks."""
        self.stop()
        self.reactor.listenTCP(995, None, interface="127.0.0.1")
        words = "listener pops: cannot listen on 127.0.0.1 port 995: Address already in use"
        self.assertEqual(self.fails(self.services.start("pop3"), ServiceError), words)
        self.assertEqual((self.at(), self.state()), (["127.0.0.1 25", "127.0.0.1 995"], "stopped"))
        error = self.services.status("pop3").last_error
        assert error is not None
        self.assertEqual((error.words, error.at), (words, self.reactor.seconds()))
        self.assertEqual(list(self.remembered()), ["pop3"])
        self.assertTrue(any("service.start_failed" in line for line in self.lines))

    def test_what_only_root_may_open_is_opened_at_the_next_start(self) -> None:
        self.stop()

        def refuse(interface: str, port: int) -> None:
            raise CannotListenError(interface, port, OSError(errno.EACCES, "?"))

        self.reactor.refuse = refuse
        words = self.fails(self.services.start("pop3"), ServiceError)
        self.assertTrue(
            words.endswith("port 110: Permission denied; it is opened at the next start of the server"), words
        )
        self.assertEqual((self.state(), self.remembered()), ("stopped", {}))
        self.reload(self.pop, self.mx)
        self.assertEqual(self.at(), ["127.0.0.1 25"])

    def test_a_service_without_listeners(self) -> None:
        self.assertEqual(self.state("submission"), "stopped")
        for _ in range(2):  # as the server was started, and once it was stopped
            words = self.fails(self.services.start("submission"), ServiceError)
            self.assertEqual(words, "submission has no listener that is enabled")
            self.done(self.services.stop("submission"))

    def test_what_cannot_be_remembered_is_started_all_the_same(self) -> None:
        self.stop()
        (self.folder / "services.json.new").mkdir()
        words = self.fails(self.services.start("pop3"), ServiceError)
        self.assertIn("a start of the server leaves it closed", words)
        self.assertEqual((self.at(), self.state()), (ALL, "running"))


class Restarting(ServicesCase):
    def test_when_the_sessions_are_gone(self) -> None:
        session, _ = self.enter(110)
        restarting = self.running(self.services.restart("pop3"))
        self.assertNoResult(restarting)
        self.assertEqual((self.state(), self.at(), self.remembered()), ("draining", ["127.0.0.1 25"], {}))
        self.leave(session)
        self.assertEqual(self.successResultOf(restarting), 1)
        self.assertEqual((self.state(), self.at()), ("running", ALL))

    def test_now(self) -> None:
        session, wire = self.enter(110)
        restarting = self.running(self.services.restart("pop3", now=True))
        self.assertTrue(wire.value().endswith(b"going\n"))
        self.leave(session)
        self.successResultOf(restarting)

    def test_whoever_stops_it_meanwhile_wins(self) -> None:
        session, _ = self.enter(110)
        restarting = self.running(self.services.restart("pop3"))
        self.done(self.services.stop("pop3"))
        self.leave(session)
        words = str(self.failureResultOf(restarting, ServiceError).value)
        self.assertEqual(words, "pop3 was stopped while it restarted")
        self.assertEqual((self.state(), self.at()), ("stopped", ["127.0.0.1 25"]))

    def test_whoever_starts_it_meanwhile_ends_the_waiting(self) -> None:
        _, wire = self.enter(110)
        restarting = self.running(self.services.restart("pop3"))
        self.done(self.services.start("pop3"))
        self.assertEqual(self.successResultOf(restarting), 1)
        self.assertEqual((self.state(), self.at(), wire.value()), ("running", ALL, b"hello\n"))

    def test_twice_at_once(self) -> None:
        session, _ = self.enter(110)
        first = self.running(self.services.restart("pop3"))
        second = self.running(self.services.restart("pop3", now=True))
        self.leave(session)
        self.assertEqual([self.successResultOf(each) for each in (first, second)], [1, 1])
        self.assertEqual((self.state(), self.at()), ("running", ALL))

    def test_a_port_that_somebody_took_leaves_it_stopped(self) -> None:
        session, _ = self.enter(110)
        restarting = self.running(self.services.restart("pop3"))
        self.reactor.listenTCP(995, None, interface="127.0.0.1")
        self.leave(session)
        self.failureResultOf(restarting, ServiceError)
        self.assertEqual((self.state(), list(self.remembered())), ("stopped", ["pop3"]))


class AtAReload(ServicesCase):
    def test_what_is_stopped_stays_so_and_is_started_by_what_is_in_force(self) -> None:
        self.done(self.services.stop("pop3"))
        other = self.listener("other", 2110)
        self.assertEqual(self.reload(other, self.mx), ([], []))
        self.assertEqual((self.at(), self.state()), (["127.0.0.1 25"], "stopped"))
        self.done(self.services.start("pop3"))
        self.assertEqual(self.at(), ["127.0.0.1 2110", "127.0.0.1 25"])

    def test_it_waits_for_no_sessions(self) -> None:
        session, wire = self.enter(110)
        self.done(self.services.stop("pop3"))
        self.assertFalse(self.services.turn.locked)
        self.reload(self.listener("pop", 110), self.mx)
        self.assertEqual((self.state(), self.services.status("pop3").sessions), ("draining", 1))
        self.pass_time(31)
        self.assertTrue(wire.value().endswith(b"going\n"))
        self.leave(session)
        self.assertEqual(self.state(), "stopped")

    def test_a_stop_waits_for_a_reload(self) -> None:
        held = self.successResultOf(self.services.turn.acquire())
        stopping = self.running(self.services.stop("pop3"))
        self.assertEqual((self.at(), self.state()), (ALL, "running"))
        held.release()
        self.reactor.advance(0)
        self.successResultOf(stopping)

    def test_a_service_that_the_configuration_has_no_more(self) -> None:
        self.reactor.advance(3.0)
        self.reload(self.mx)
        status = self.services.status("pop3")
        self.assertEqual((status.state, status.since), ("stopped", 3.0))
        self.reload(self.pop, self.mx)
        self.assertEqual(self.state(), "running")

    def test_a_listener_that_cannot_be_opened_is_an_error_of_its_service(self) -> None:
        self.reactor.listenTCP(587, None, interface="127.0.0.1")
        wanted = [self.pop, self.pops, self.mx, self.listener("new", 587, service="submission")]
        self.fails(self.services.open(wanted), DoorError)
        error = self.services.status("submission").last_error
        assert error is not None
        self.assertIn("port 587: Address already in use", error.words)
        self.assertIsNone(self.services.status("pop3").last_error)

    def test_listeners_of_what_is_no_service_are_open(self) -> None:
        self.reload(self.pop, self.listener("figures", 9100, service="metrics"))
        self.assertIn("127.0.0.1 9100", self.at())


class AtAStart(ServicesCase):
    def test_what_was_stopped_is_not_opened(self) -> None:
        self.reactor.advance(2.0)
        self.done(self.services.stop("pop3"))
        self.become()
        self.reactor.advance(100.0)
        self.doors = Doors(self.reactor, self.log)
        self.begin()
        status = self.services.status("pop3")
        self.assertEqual((status.state, status.since, self.at()), ("stopped", 2.0, ["127.0.0.1 25"]))
        self.done(self.services.start("pop3"))
        self.assertEqual(self.at(), ALL)

    def test_no_socket_of_it_is_opened_as_root(self) -> None:
        file = Path(self.folder) / "mailsuite.toml"
        block = '[[listener]]\nname = "{0}"\nservice = "{0}"\nbind = ["127.0.0.1"]\nport = {1}\n'
        file.write_text(
            '[server]\nname = "mail.example.test"\nadmin = "joe@example.test"\n'
            + f'state = "{self.folder}/state"\n'
            + block.format("smtp", 25)
            + block.format("pop3", 110)
        )
        config = load(file, {}).accepted()
        self.assertEqual(list(open_places(config, Stopped())), ["smtp", "pop3"])
        self.assertEqual(list(open_places(config, Stopped({"pop3": 1.0}))), ["smtp"])


class AtTheEnd(ServicesCase):
    def test_nobody_is_waited_for_here_and_nothing_is_opened(self) -> None:
        _, wire = self.enter(110)
        restarting = self.running(self.services.restart("pop3"))
        stopping: Deferred[object] = self.running(self.services.stop("smtp"))
        self.successResultOf(stopping)
        self.services.end()
        self.failureResultOf(restarting, ServerStopping)
        self.assertEqual((self.at(), wire.value()), ([], b"hello\n"))
        for verb in (self.services.stop, self.services.start, self.services.restart):
            self.assertEqual(self.fails(verb("pop3"), ServerStopping), "the server is stopping")
