"""Whatever goes wrong: the right reply, one line in the log, nothing delivered and nothing left open."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from mailsuite.model import reply as replies
from mailsuite.model.failure import TemporaryFailure
from tests.delivery.case import ANN, BODY, DEFECT, FULL, JOE, LONG_BODY, Case


class EndedTests(Case):
    """All other ways in which a transaction ends: always with nothing open and nothing delivered."""

    def test_a_defect_of_the_body(self) -> None:
        self.data(JOE, ANN)
        self.assertEqual(self.end(DEFECT), DEFECT)
        self.assert_nothing_happened()
        (line,) = self.logged("smtp.message_refused")
        self.assertIn("code=550 enhanced=5.6.0", line)

    def test_a_defect_is_answered_when_all_is_undone(self) -> None:
        self.store.held_abort = Deferred()
        self.data(JOE, ANN)
        ending = self.ending(DEFECT)
        self.assertNoResult(ending)
        ending.cancel()
        self.failureResultOf(ending, CancelledError)
        self.store.held_abort.callback(None)
        self.assert_nothing_happened()

    def test_rset_and_what_implies_it(self) -> None:
        for interruption in (
            lambda session: session.reset(),
            lambda session: session.hello("again", True),
            lambda session: session.tls_started("TLSv1.3 AES"),
            lambda session: self.now(session.closed()),
        ):
            self.setUp()
            self.data(JOE, ANN)
            interruption(self.reception)
            self.assert_nothing_happened()

    def test_a_new_mail_or_data_out_of_turn(self) -> None:
        self.data(JOE)
        self.now(self.reception.start_data())
        self.assertEqual(self.store.open, 1)
        self.mail()
        self.assert_nothing_happened()

    def test_rset_does_not_wait_but_the_abort_is_kept(self) -> None:
        self.store.held_abort = Deferred()
        self.data(JOE, ANN)
        self.reception.reset()
        self.assertEqual((self.store.open, len(self.services.commits)), (2, 1))
        self.store.held_abort.callback(None)
        self.assert_nothing_happened()

    def test_a_failing_abort_is_not_lost(self) -> None:
        self.store.fail = {"abort": OSError(5, "disk")}
        self.data(JOE, ANN)
        self.reception.reset()
        self.assertEqual(len(self.logged("delivery.abort_failed")), 2)
        self.assertIn("session=s77", self.lines[0])
        self.assert_nothing_happened()

    def test_closed_waits_for_the_abort_and_survives_being_cancelled(self) -> None:
        self.store.held_abort = Deferred()
        self.data(JOE, ANN)
        closing = Deferred.fromCoroutine(self.reception.closed())
        self.assertNoResult(closing)
        closing.cancel()
        self.failureResultOf(closing, CancelledError)
        self.store.held_abort.callback(None)
        self.assert_nothing_happened()

    def test_closed_without_anything_open_any_number_of_times(self) -> None:
        self.now(self.reception.closed())
        self.now(self.reception.closed())
        self.assert_nothing_happened()

    def test_nothing_begins_after_the_end_of_the_session(self) -> None:
        self.envelope(JOE)
        self.now(self.reception.closed())
        self.assertFalse(self.now(self.reception.start_data()).is_positive)
        self.assert_nothing_happened()

    def test_an_end_without_a_beginning_is_our_mistake(self) -> None:
        self.reception.take(BODY)
        self.assertEqual(self.end(), replies.INTERNAL_ERROR)
        self.assertEqual(self.end(DEFECT), DEFECT)
        self.assert_nothing_happened()

    def test_the_envelope_is_used_up(self) -> None:
        self.data()
        self.end()
        self.assertEqual(self.now(self.reception.start_data()), replies.NO_VALID_RECIPIENTS)

    def test_a_reset_forgets_the_envelope(self) -> None:
        self.envelope(JOE)
        self.reception.reset()
        self.assertEqual(self.now(self.reception.start_data()), replies.NO_VALID_RECIPIENTS)


class FailureTests(Case):
    """Failures at every step: a failure's own reply, 451 4.3.0 for what nobody foresaw."""

    def test_at_begin_and_at_the_head(self) -> None:
        for step in ("begin", "write"):
            for failure, reply in ((FULL, replies.DISK_FULL), (ValueError("x"), replies.INTERNAL_ERROR)):
                self.setUp()
                self.store.fail = {step: failure}
                self.store.begin_at_most = 1
                self.envelope(JOE, ANN)
                self.assertEqual(self.now(self.reception.start_data()), reply)
                self.assert_nothing_happened()
                self.assertEqual(len(self.lines), 1)

    def test_data_can_be_tried_again_after_a_failure_to_begin(self) -> None:
        self.envelope(JOE)
        self.store.fail = {"write": FULL}
        self.now(self.reception.start_data())
        self.store.fail = {}
        self.assertEqual(self.now(self.reception.start_data()), replies.START_MAIL_INPUT)
        self.reception.take(BODY)
        self.assertEqual(self.end(), replies.message_accepted("id2"))

    def test_in_the_body(self) -> None:
        for failure, reply in ((FULL, replies.DISK_FULL), (ValueError("x"), replies.INTERNAL_ERROR)):
            self.setUp()
            self.data(JOE, ANN)
            self.store.fail = {"write": failure}
            self.reception.take(LONG_BODY)
            self.store.fail = {}
            self.reception.take(LONG_BODY)
            self.assertFalse(self.reception.congested)
            self.assert_nothing_happened()
            self.assertEqual(self.end(), reply)
            self.assert_nothing_happened()
            self.assertEqual(len(self.lines), 1)
            self.assertIn("id=id1", self.lines[0])

    def test_trouble_of_one_message_is_not_that_of_the_next(self) -> None:
        self.data()
        self.store.fail = {"write": FULL}
        self.reception.take(LONG_BODY)
        self.assertEqual(self.end(), replies.DISK_FULL)
        self.assertEqual(self.end(), replies.INTERNAL_ERROR)
        self.store.fail = {}
        self.data()
        self.assertEqual(self.end(), replies.message_accepted("id2"))

    def test_at_the_commit(self) -> None:
        for step in ("deliver", "after-one"):
            for failure, reply in ((FULL, replies.DISK_FULL), (ValueError("x"), replies.INTERNAL_ERROR)):
                self.setUp()
                self.store.fail = {step: failure}
                self.data(JOE, ANN)
                self.assertEqual(self.end(), reply)
                self.assert_nothing_happened()
                self.assertEqual(len(self.lines), 1)
                self.assertIn("session=s77", self.lines[0])

    def test_a_temporary_failure_is_logged_with_its_detail_and_the_client_does_not_see_it(self) -> None:
        self.store.fail = {"deliver": FULL}
        self.data()
        reply = self.end()
        self.assertNotIn(b"/var", reply.encode())
        (line,) = self.logged("smtp.unable")
        self.assertIn('code=452 enhanced=4.3.1 detail="no space on /var" id=id1', line)

    def test_of_the_directory(self) -> None:
        self.mail()
        self.directory.refuse_with = TemporaryFailure(replies.DIRECTORY_UNAVAILABLE)
        self.assertEqual(self.recipient(JOE), replies.DIRECTORY_UNAVAILABLE)
        self.directory.refuse_with = None
        self.assertEqual(self.recipient(JOE), replies.RECIPIENT_OK)

    def test_nobody_foresaw_of_the_directory(self) -> None:
        self.mail()
        self.replaced(router=None)
        self.assertEqual(self.recipient(JOE), replies.INTERNAL_ERROR)
        self.assert_one_traceback("AttributeError")

    def test_nobody_foresaw_of_policy(self) -> None:
        self.replaced(policy=None)
        self.assertEqual(self.mail(), replies.INTERNAL_ERROR)
        self.assert_one_traceback("AttributeError")

    def test_nobody_foresaw_of_the_id_source(self) -> None:
        self.replaced(new_id=None)
        self.envelope(JOE)
        self.assertEqual(self.now(self.reception.start_data()), replies.INTERNAL_ERROR)
        self.assert_nothing_happened()
        self.assert_one_traceback("TypeError")

    def test_a_work_of_its_own_that_fails_is_logged(self) -> None:
        async def broken() -> None:
            raise ValueError("lost")

        self.services.commits.start(broken())
        self.assertEqual(len(self.logged("smtp.failed")), 1)


class BackPressureTests(Case):
    def test_congested_is_what_the_store_says(self) -> None:
        self.assertFalse(self.reception.congested)
        self.data()
        self.assertFalse(self.reception.congested)
        self.store.memory.congested = True
        self.assertTrue(self.reception.congested)
        waiting = Deferred.fromCoroutine(self.reception.drained())
        self.assertNoResult(waiting)
        self.store.memory.relieve()
        self.successResultOf(waiting)
        self.assertEqual(self.end(), replies.message_accepted("id1"))

    def test_drained_without_a_body(self) -> None:
        self.now(self.reception.drained())

    def test_a_failure_to_drain_is_kept_for_the_end(self) -> None:
        self.data()
        self.store.fail = {"drained": FULL}
        self.now(self.reception.drained())
        self.assertEqual(self.end(), replies.DISK_FULL)
        self.assert_nothing_happened()

    def waiting(self) -> Deferred[None]:
        self.data()
        self.store.memory.congested = True
        return Deferred.fromCoroutine(self.reception.drained())

    def test_a_wait_that_is_cancelled_is_no_failure(self) -> None:
        waiting = self.waiting()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.lines, [])
        self.now(self.reception.closed())
        self.assert_nothing_happened()

    def test_a_failure_to_drain_what_was_reset_meanwhile_is_nobodys(self) -> None:
        waiting = self.waiting()
        self.store.fail = {"drained": FULL}
        self.reception.reset()
        self.store.memory.relieve()
        self.successResultOf(waiting)
        self.assertEqual(self.lines, [])
        self.store.fail = {}
        self.data()
        self.assertEqual(self.end(), replies.message_accepted("id2"))
