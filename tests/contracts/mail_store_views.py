"""What every IMailStore promises of device views, of deleted mail that comes back, and of retention."""

from __future__ import annotations

import attrs

from mailsuite.model.failure import MaildropInUse, MailFailure, MessageGone, PermanentFailure
from mailsuite.model.retention import DAY, MaildropRules, Retention, Usage
from mailsuite.model.view import Box, View
from tests.contracts.mail_store import ANN, CLASSIC, DOTTED, JOE, SHORT, MailStoreCase

DESK, LAPTOP, PHONE = (View(device=device) for device in ("desk", "laptop-2", "0123456789abcdef"))
TRASH, RESTORE = View(Box.TRASH), View(Box.RESTORE)
THIRD = b"Subject: third\r\n\r\nand last\r\n"
NEVER = Retention()


def trash_of(view, box=Box.TRASH):
    return attrs.evolve(view, box=box)


class MailViewsContract(MailStoreCase):
    def set_rules(self, **rules):
        self.store.rules = MaildropRules(**rules)

    def session(self, view=CLASSIC, delete=(), retrieve=(), account=JOE):
        """A session that deletes and retrieves those with these contents, and quits; what it saw."""
        maildrop = self.opened(account, view)
        contents = {self.content(maildrop, ref): ref for ref in maildrop.messages}
        deleted = [contents[content] for content in delete]
        retrieved = [contents[content] for content in retrieve]
        self.assertEqual(self.answer(maildrop.update(deleted, retrieved)), 0)
        self.answer(maildrop.release())
        return list(contents)

    def uidls(self, view=CLASSIC, account=JOE):
        maildrop = self.opened(account, view)
        self.answer(maildrop.release())
        return [ref.uidl for ref in maildrop.messages]

    def expire(self, retention=NEVER, rehearse=False, account=JOE):
        return self.answer(self.store.expire(account, retention, self.now, rehearse))

    def restart(self):
        self.store, before = self.restarted(self.store), self.store
        self.store.rules = before.rules

    def deliver_two(self):
        self.delivered(SHORT)
        self.delivered(DOTTED)

    # -- deleted mail

    def test_what_is_deleted_can_be_brought_back_as_it_was(self):
        self.deliver_two()
        self.delivered(THIRD)
        uidls = self.uidls()
        self.session(delete=[DOTTED])
        self.now += 13 * DAY
        self.restart()
        self.assertEqual(self.seen(), [SHORT, THIRD])
        (deleted,) = self.answer(self.store.deleted(JOE))
        self.assertEqual(
            (deleted.uidl, deleted.size, deleted.at), (uidls[1], len(DOTTED), self.now - 13 * DAY)
        )
        self.assertEqual(self.answer(self.store.undelete(JOE, [deleted.uidl, "nothing"])), 1)
        self.assertEqual((self.seen(), self.uidls()), ([SHORT, DOTTED, THIRD], uidls))
        self.assertEqual(self.answer(self.store.deleted(JOE)), ())
        self.assertEqual(self.answer(self.store.undelete(JOE, uidls)), 0)

    def test_the_latest_deletion_comes_first(self):
        self.deliver_two()
        uidls = self.uidls()
        self.session(delete=[SHORT])
        self.now += 60
        self.session(delete=[DOTTED])
        self.assertEqual([one.uidl for one in self.answer(self.store.deleted(JOE))], uidls[::-1])
        self.assertEqual(self.seen(view=TRASH), [SHORT, DOTTED], "a maildrop is in the order of its messages")

    def test_it_is_kept_for_so_long_and_no_longer(self):
        self.deliver_two()
        uidls = self.uidls()
        self.session(delete=[SHORT])
        self.now += 14 * DAY - 1
        self.assertEqual(self.seen(view=TRASH), [SHORT])
        self.now += 1
        self.assertEqual(self.seen(view=TRASH), [])
        self.assertEqual(self.answer(self.store.deleted(JOE)), ())
        self.assertEqual(self.answer(self.store.undelete(JOE, uidls)), 0)
        self.session(RESTORE)
        self.assertEqual(self.seen(), [DOTTED])

    def test_nothing_is_kept_where_the_rules_say_so(self):
        self.set_rules(keep_deleted=0)
        self.deliver_two()
        self.session(delete=[SHORT])
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage(1, len(DOTTED), 0, 0))
        self.set_rules()
        self.assertEqual(self.answer(self.store.deleted(JOE)), ())
        self.assertEqual(self.seen(), [DOTTED])

    def test_rules_hold_for_sessions_that_are_open(self):
        self.delivered()
        maildrop = self.opened()
        self.set_rules(keep_deleted=0)
        self.answer(maildrop.update(maildrop.messages, []))
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage())

    def test_purge(self):
        self.deliver_two()
        self.session(delete=[SHORT])
        self.now += DAY
        self.session(delete=[DOTTED])
        self.assertEqual(self.answer(self.store.purge(JOE, self.now - DAY)), 0)
        self.assertEqual(self.answer(self.store.purge(JOE, self.now)), 1)
        self.assertEqual(self.seen(view=TRASH), [DOTTED])
        self.assertEqual(self.answer(self.store.purge(JOE, float("inf"))), 1)
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage())
        self.assertEqual(self.answer(self.store.purge(JOE, float("inf"))), 0)

    def test_usage(self):
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage())
        self.deliver_two()
        self.delivered(THIRD)
        self.session(delete=[DOTTED])
        octets = len(SHORT) + len(THIRD)
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage(2, octets, 1, len(DOTTED)))
        self.assertEqual(self.answer(self.store.usage(ANN)), Usage())

    # -- the trash by POP3

    def test_reading_in_the_trash_restores_nothing(self):
        self.deliver_two()
        uidls = self.uidls()
        self.session(delete=[DOTTED])
        self.assertEqual(self.session(TRASH, retrieve=[DOTTED]), [DOTTED])
        self.assertEqual(self.uidls(TRASH), uidls[1:])
        self.assertEqual(self.seen(), [SHORT])

    def test_deleting_in_the_trash_is_for_good(self):
        self.deliver_two()
        self.session(delete=[SHORT, DOTTED])
        self.session(TRASH, delete=[SHORT])
        self.session(RESTORE, delete=[DOTTED])
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage())

    def test_what_is_retrieved_from_the_trash_to_restore_is_back(self):
        self.deliver_two()
        uidls = self.uidls()
        self.session(delete=[SHORT, DOTTED])
        self.assertEqual(self.session(RESTORE, retrieve=[DOTTED]), [SHORT, DOTTED])
        self.assertEqual((self.seen(), self.uidls()), ([DOTTED], uidls[1:]))
        self.assertEqual(self.seen(view=TRASH), [SHORT])

    def test_a_client_that_deletes_what_it_retrieves_gets_it_back_all_the_same(self):
        self.deliver_two()
        self.session(delete=[SHORT, DOTTED])
        self.session(RESTORE, retrieve=[DOTTED], delete=[DOTTED, SHORT])
        self.assertEqual((self.seen(), self.seen(view=TRASH)), ([DOTTED], []))

    def test_without_quit_nothing_comes_back(self):
        self.delivered()
        self.session(delete=[SHORT])
        self.assertEqual(self.seen(view=RESTORE), [SHORT])
        self.assertEqual((self.seen(), self.seen(view=TRASH)), ([], [SHORT]))

    def test_what_others_have_taken_from_the_trash_is_gone(self):
        self.deliver_two()
        self.session(delete=[SHORT, DOTTED])
        maildrop = self.opened(view=RESTORE)
        first, second = maildrop.messages
        self.answer(self.store.purge(JOE, float("inf")))
        with self.assertRaises(MessageGone):
            self.answer(maildrop.open(first))
        self.assertEqual(self.answer(maildrop.update([first], [second])), 0)
        self.assertEqual((self.seen(), self.answer(self.store.usage(JOE))), ([], Usage()))

    # -- locks

    def test_each_view_has_a_lock_of_its_own(self):
        views = [attrs.evolve(view, box=box) for view in (CLASSIC, DESK, LAPTOP) for box in Box]
        opened = [self.opened(view=view) for view in views]
        for view, maildrop in zip(views, opened, strict=True):
            with self.assertRaises(MaildropInUse):
                self.opened(view=view)
            self.answer(maildrop.release())
            again = self.opened(view=view)
            self.answer(maildrop.release())
            with self.assertRaises(MaildropInUse):
                self.opened(view=view)
            self.answer(again.release())

    def test_an_id_that_no_device_has(self):
        for device in ("..", "a/b", "A", "a.lock", "a b", "ä", "a\n", "x" * 41):
            for box in Box:
                with self.assertRaises(PermanentFailure):
                    self.opened(view=View(box, device))
            for change in (self.store.forget_view, self.store.enroll_view):
                with self.assertRaises(PermanentFailure):
                    self.answer(change(JOE, device))

    # -- device views

    def test_a_device_deletes_for_itself_until_all_have(self):
        self.deliver_two()
        uidls = self.uidls()
        for view in (DESK, LAPTOP, PHONE):
            self.assertEqual(self.uidls(view), uidls)
        self.session(DESK, delete=[SHORT])
        self.session(LAPTOP, delete=[SHORT])
        self.restart()
        self.assertEqual(self.uidls(DESK), uidls[1:])
        self.assertEqual(self.uidls(LAPTOP), uidls[1:])
        self.assertEqual(self.uidls(PHONE), uidls)
        self.assertEqual(self.uidls(), uidls, "a plain login sees what is there")
        self.assertEqual(self.answer(self.store.deleted(JOE)), ())
        self.session(PHONE, delete=[SHORT])
        self.assertEqual(self.uidls(), uidls[1:])
        self.assertEqual([one.uidl for one in self.answer(self.store.deleted(JOE))], uidls[:1])

    def test_the_only_device_deletes_at_once(self):
        self.deliver_two()
        self.session(DESK, delete=[DOTTED])
        self.assertEqual((self.seen(), self.seen(view=TRASH)), ([SHORT], [DOTTED]))

    def test_a_plain_login_deletes_for_all(self):
        self.deliver_two()
        self.uidls(DESK)
        self.session(delete=[SHORT])
        self.assertEqual(self.seen(view=DESK), [DOTTED])

    def test_new_mail_is_there_for_each(self):
        self.delivered(SHORT)
        self.session(DESK, delete=[SHORT])
        self.uidls(LAPTOP)
        self.delivered(DOTTED)
        self.assertEqual((self.seen(view=DESK), self.seen(view=LAPTOP)), ([DOTTED], [DOTTED]))

    def test_two_sessions_at_once_both_see_that_all_have_deleted_it(self):
        self.delivered()
        desk, laptop = self.opened(view=DESK), self.opened(view=LAPTOP)
        for maildrop in (desk, laptop):
            self.assertEqual(self.answer(maildrop.update(maildrop.messages, [])), 0)
        self.assertEqual(self.seen(), [])
        self.assertEqual(len(self.answer(self.store.deleted(JOE))), 1)

    def test_a_device_that_stays_away_holds_nothing(self):
        self.deliver_two()
        self.uidls(LAPTOP)
        self.now += 59 * DAY
        self.session(DESK, delete=[SHORT])
        self.assertEqual(self.expire(), Usage())
        self.now += DAY
        self.assertEqual(self.expire(), Usage(), "sixty days are not over yet")
        self.now += 1
        self.assertEqual(self.expire(rehearse=True), Usage(1, len(SHORT)))
        self.assertEqual(self.seen(), [SHORT, DOTTED])
        self.assertEqual(self.expire(), Usage(1, len(SHORT)))
        self.assertEqual((self.seen(), self.seen(view=TRASH)), ([DOTTED], [SHORT]))
        self.assertEqual(self.seen(view=LAPTOP), [DOTTED])

    def test_a_device_that_comes_back_in_time_holds_on(self):
        self.deliver_two()
        self.uidls(LAPTOP)
        self.now += 59 * DAY
        self.session(DESK, delete=[SHORT])
        self.uidls(LAPTOP)
        self.now += 59 * DAY
        self.uidls(DESK)
        self.assertEqual(self.expire(), Usage())
        self.assertEqual(self.seen(view=LAPTOP), [SHORT, DOTTED])

    def test_a_clock_that_was_wrong_takes_nothing_from_a_device(self):
        """The machine starts in 1970, a device looks for mail, then the clock is set."""
        self.deliver_two()
        self.uidls(LAPTOP)
        self.now, right = 60.0, self.now
        self.uidls(LAPTOP)
        self.session(DESK, delete=[SHORT])
        self.now = right + 60
        self.uidls(DESK)
        self.assertEqual(self.expire(), Usage())
        self.assertEqual(self.seen(view=LAPTOP), [SHORT, DOTTED])

    def test_a_device_of_the_future_is_here(self):
        self.now, right = self.now + 3650 * DAY, self.now
        self.uidls(LAPTOP)
        self.now = right
        self.deliver_two()
        self.session(DESK, delete=[SHORT])
        self.assertEqual(self.expire(), Usage())
        self.assertEqual(self.seen(view=LAPTOP), [SHORT, DOTTED])

    def test_where_no_device_is_left_nothing_is_removed(self):
        self.deliver_two()
        self.session(DESK, delete=[SHORT])
        self.session(LAPTOP)
        self.delivered(THIRD)
        self.session(DESK, delete=[THIRD])
        self.now += 61 * DAY
        self.assertEqual(self.expire(), Usage())
        self.assertEqual(self.seen(), [DOTTED, THIRD])

    def test_a_view_that_is_forgotten_holds_nothing(self):
        self.delivered()
        self.uidls(DESK)
        self.uidls(LAPTOP)
        self.assertEqual(self.answer(self.store.views(JOE)), ("desk", "laptop-2"))
        self.session(DESK, delete=[SHORT])
        self.assertEqual(self.expire(), Usage())
        self.answer(self.store.forget_view(JOE, "laptop-2"))
        self.answer(self.store.forget_view(JOE, "laptop-2"))
        self.answer(self.store.forget_view(ANN, "laptop-2"))
        self.assertEqual(self.answer(self.store.views(JOE)), ("desk",))
        self.assertEqual(self.expire(), Usage(1, len(SHORT)))

    def test_whose_maildrops_there_are(self):
        self.assertEqual(self.answer(self.store.maildrops()), ())
        self.delivered()
        self.assertEqual(self.answer(self.store.maildrops()), (JOE,))
        self.delivered(account=ANN)
        self.restart()
        self.assertEqual(self.answer(self.store.maildrops()), (ANN, JOE))

    def test_a_view_that_was_forgotten_begins_anew(self):
        self.delivered()
        self.uidls(LAPTOP)
        self.session(DESK, delete=[SHORT])
        self.answer(self.store.forget_view(JOE, "desk"))
        self.assertEqual(self.seen(view=DESK), [SHORT])

    def test_a_session_whose_device_is_removed_deletes_nothing(self):
        self.delivered()
        maildrop = self.opened(view=DESK)
        self.answer(self.store.forget_view(JOE, "desk"))
        try:
            left = self.answer(maildrop.update(maildrop.messages, []))
        except MailFailure:
            left = 1
        self.assertEqual(left, 1)
        self.assertEqual((self.seen(), self.answer(self.store.views(JOE))), ([SHORT], ()))

    # -- a device that has not logged in yet

    def enroll(self, view, account=JOE):
        self.answer(self.store.enroll_view(account, view.device))

    def test_a_device_holds_mail_from_the_moment_it_is_enrolled(self):
        self.deliver_two()
        self.enroll(LAPTOP)
        self.session(DESK, delete=[SHORT])
        self.delivered(THIRD)
        self.session(DESK, delete=[THIRD])
        self.restart()
        self.assertEqual(self.expire(), Usage())
        self.assertEqual(self.answer(self.store.views(JOE)), ("desk", "laptop-2"))
        self.assertEqual(self.seen(view=LAPTOP), [SHORT, DOTTED, THIRD])

    def test_it_holds_mail_for_as_long_as_one_that_was_there(self):
        self.deliver_two()
        self.enroll(LAPTOP)
        self.now += 60 * DAY
        self.session(DESK, delete=[SHORT])
        self.assertEqual(self.expire(), Usage())
        self.now += 1
        self.assertEqual(self.expire(), Usage(1, len(SHORT)))

    def test_where_there_is_a_view_it_stays_what_it_is(self):
        self.deliver_two()
        self.uidls(LAPTOP)
        self.session(DESK, delete=[SHORT])
        self.now += 59 * DAY
        self.enroll(DESK)
        self.enroll(LAPTOP)
        self.assertEqual(self.seen(view=DESK), [DOTTED])
        self.now += DAY + 1
        self.assertEqual(self.expire(), Usage(1, len(SHORT)), "the laptop was not there meanwhile")

    def test_what_is_too_old_when_it_is_enrolled_it_does_not_see(self):
        self.delivered(SHORT)
        self.now += 10 * DAY
        self.delivered(DOTTED)
        self.set_rules(view_history=7 * DAY)
        self.enroll(DESK)
        self.now += 30 * DAY
        self.assertEqual(self.seen(view=DESK), [DOTTED])

    def test_a_maildrop_that_nothing_came_to(self):
        self.enroll(DESK, ANN)
        self.assertEqual(self.answer(self.store.views(ANN)), ("desk",))
        self.delivered(SHORT, ANN)
        self.assertEqual(self.seen(ANN, DESK), [SHORT])

    # -- how much a new device sees

    def test_a_new_device_sees_what_is_new_enough(self):
        self.delivered(SHORT)
        self.now += 10 * DAY
        self.delivered(DOTTED)
        self.set_rules(view_history=7 * DAY)
        self.assertEqual(self.seen(view=DESK), [DOTTED])
        self.now += 30 * DAY
        self.assertEqual(self.seen(view=DESK), [DOTTED], "it is asked once")

    def test_what_a_device_never_saw_is_not_deleted_by_it(self):
        self.delivered(SHORT)
        self.now += 10 * DAY
        self.set_rules(view_history=0.0)
        self.assertEqual(self.seen(view=DESK), [])
        self.assertEqual(self.seen(view=trash_of(DESK)), [])
        self.assertEqual(self.expire(), Usage())
        self.assertEqual(self.seen(), [SHORT])

    def test_what_a_device_never_saw_waits_for_the_others_only(self):
        self.delivered(SHORT)
        self.uidls(DESK)
        self.now += 10 * DAY
        self.set_rules(view_history=DAY)
        self.assertEqual(self.seen(view=LAPTOP), [])
        self.session(DESK, delete=[SHORT])
        self.assertEqual((self.seen(), self.seen(view=TRASH)), ([], [SHORT]))

    # -- the trash of a device

    def two_devices(self):
        self.deliver_two()
        self.uidls(LAPTOP)
        self.session(DESK, delete=[SHORT])

    def test_a_device_sees_in_its_trash_what_it_alone_has_deleted(self):
        self.two_devices()
        self.assertEqual(self.session(trash_of(DESK), retrieve=[SHORT]), [SHORT])
        self.assertEqual(self.seen(view=DESK), [DOTTED])
        for view in (CLASSIC, LAPTOP, PHONE):
            self.assertEqual(self.seen(view=trash_of(view)), [])

    def test_and_what_is_deleted_for_all(self):
        self.two_devices()
        self.session(LAPTOP, delete=[SHORT])
        self.session(delete=[DOTTED])
        for view in (CLASSIC, DESK, LAPTOP, PHONE):
            self.assertEqual(self.seen(view=trash_of(view)), [SHORT, DOTTED])

    def test_it_brings_back_what_it_alone_has_deleted(self):
        self.two_devices()
        self.session(trash_of(DESK, Box.RESTORE), retrieve=[SHORT])
        self.assertEqual(self.seen(view=DESK), [SHORT, DOTTED])
        self.assertEqual(self.seen(view=trash_of(DESK)), [])
        self.session(LAPTOP, delete=[SHORT])
        self.assertEqual(self.seen(), [SHORT, DOTTED], "one waits again")

    def test_what_was_deleted_for_all_comes_back_for_all(self):
        self.two_devices()
        self.session(LAPTOP, delete=[SHORT])
        self.session(trash_of(LAPTOP, Box.RESTORE), retrieve=[SHORT])
        self.assertEqual(self.expire(), Usage())
        for view in (CLASSIC, DESK, LAPTOP):
            self.assertEqual(self.seen(view=view), [SHORT, DOTTED])

    def test_undelete_brings_it_back_for_all(self):
        self.deliver_two()
        uidls = self.uidls()
        self.session(DESK, delete=[SHORT])
        self.assertEqual(self.answer(self.store.undelete(JOE, uidls)), 1)
        self.assertEqual(self.expire(), Usage())
        self.assertEqual(self.uidls(DESK), uidls)

    def test_it_may_forget_what_it_alone_has_deleted(self):
        self.two_devices()
        self.session(trash_of(DESK), delete=[SHORT])
        self.assertEqual(self.seen(view=trash_of(DESK)), [])
        self.assertEqual((self.seen(view=DESK), self.seen(view=LAPTOP)), ([DOTTED], [SHORT, DOTTED]))
        self.session(LAPTOP, delete=[SHORT])
        self.assertEqual(self.seen(view=trash_of(DESK)), [], "for ever")
        self.assertEqual(self.seen(view=trash_of(LAPTOP)), [SHORT])

    def test_a_message_that_the_others_delete_meanwhile(self):
        self.two_devices()
        maildrop = self.opened(view=trash_of(DESK, Box.RESTORE))
        (ref,) = maildrop.messages
        self.session(LAPTOP, delete=[SHORT])
        self.assertEqual(self.content(maildrop, ref), SHORT)
        self.assertEqual(self.answer(maildrop.update([], [ref])), 0)
        self.assertEqual(self.seen(), [SHORT, DOTTED])

    def test_a_device_that_was_never_here_has_the_trash_of_all(self):
        self.delivered()
        self.session(delete=[SHORT])
        self.assertEqual(self.seen(view=trash_of(PHONE)), [SHORT])
        self.session(trash_of(PHONE), delete=[SHORT])
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage())
        self.assertEqual(self.answer(self.store.views(JOE)), (), "it waits for no mail")

    def test_what_it_has_deleted_is_in_its_trash_for_as_long_as_all_else(self):
        self.two_devices()
        self.now += 14 * DAY - 1
        self.assertEqual(self.seen(view=trash_of(DESK)), [SHORT])
        self.now += 1
        self.assertEqual(self.seen(view=trash_of(DESK)), [])
        self.assertEqual(self.seen(view=DESK), [DOTTED])

    # -- retention

    def test_retention(self):
        self.delivered(SHORT)
        self.now += DAY
        self.delivered(DOTTED)
        self.now += 30 * DAY
        month = Retention(30 * DAY, 30 * DAY)
        self.assertEqual(self.expire(month, rehearse=True), Usage(1, len(SHORT)))
        self.assertEqual(self.seen(), [SHORT, DOTTED])
        self.assertEqual(self.expire(month), Usage(1, len(SHORT)), "thirty days are not over for the other")
        self.assertEqual((self.seen(), self.seen(view=TRASH)), ([DOTTED], [SHORT]))
        self.assertEqual(self.expire(month), Usage())
        self.assertEqual(self.expire(month, account=ANN), Usage())

    def test_without_retention_mail_stays(self):
        self.delivered()
        self.now += 10_000 * DAY
        self.assertEqual(self.expire(), Usage())
        self.assertEqual(self.seen(), [SHORT])

    def test_what_was_retrieved_counts_as_read(self):
        self.deliver_two()
        self.delivered(THIRD)
        uidls = self.uidls()
        self.session(retrieve=[SHORT])
        self.session(DESK, retrieve=[DOTTED])
        self.assertEqual(self.uidls(), uidls)
        self.now += 2 * DAY
        self.assertEqual(self.expire(Retention(read=DAY)), Usage(2, len(SHORT) + len(DOTTED)))
        self.assertEqual(self.expire(Retention(unread=DAY)), Usage(1, len(THIRD)))

    def test_nothing_is_marked_where_the_rules_say_so(self):
        self.set_rules(mark_seen=False)
        self.delivered()
        self.session(retrieve=[SHORT])
        self.now += 2 * DAY
        self.assertEqual(self.expire(Retention(read=DAY)), Usage())

    def test_a_mark_comes_with_quit_alone(self):
        self.delivered()
        self.assertEqual(self.seen(), [SHORT])
        self.now += 2 * DAY
        self.assertEqual(self.expire(Retention(read=DAY)), Usage())

    def test_retention_does_not_wait_for_devices_or_sessions(self):
        self.delivered()
        self.uidls(DESK)
        maildrop = self.opened(view=LAPTOP)
        self.now += 2 * DAY
        self.assertEqual(self.expire(Retention(DAY, DAY)), Usage(1, len(SHORT)))
        with self.assertRaises(MessageGone):
            self.answer(maildrop.open(maildrop.messages[0]))
        self.assertEqual(self.answer(maildrop.update(maildrop.messages, maildrop.messages)), 0)
        self.assertEqual((self.seen(), self.seen(view=TRASH)), ([], [SHORT]))
