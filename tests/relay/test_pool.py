"""Sessions that are kept between two messages."""

from __future__ import annotations

from mailsuite.relay.pool import KEPT_SECONDS, MAX_MAILS, MAX_SECONDS
from tests.relay.stage import NONE, Server, StageCase


class PoolCase(StageCase):
    def kept(self, key: str = "key") -> Server:
        """A session that waits for more."""
        server = self.server()
        self.pool.give(key, server.session)
        return server

    def server(self) -> Server:
        found = self.next(self.opening(NONE))
        server = self.accept()
        server.greet()
        self.successResultOf(found)
        return server

    def test_the_last_one_comes_first_and_each_once(self) -> None:
        first, second = self.kept(), self.kept()
        self.assertIs(self.pool.take("key"), second.session)
        self.assertIs(self.pool.take("key"), first.session)
        self.assertIsNone(self.pool.take("key"))
        self.turn(KEPT_SECONDS + 1)
        self.assertEqual(first.heard() + second.heard(), b"")

    def test_for_the_same_place_alone(self) -> None:
        self.kept()
        self.assertIsNone(self.pool.take("another key"))

    def test_one_that_nobody_wants_says_goodbye(self) -> None:
        first = self.kept()
        self.turn(KEPT_SECONDS / 2)
        second = self.kept()
        self.turn(KEPT_SECONDS / 2)
        self.assertEqual((first.heard(), second.heard()), (b"QUIT\r\n", b""))
        self.assertIs(self.pool.take("key"), second.session)
        first.say("221 Bye")
        self.turn()
        self.assertEqual(len(self.goodbyes), 0)

    def test_the_only_one(self) -> None:
        server = self.kept()
        self.turn(KEPT_SECONDS)
        self.assertEqual(server.heard(), b"QUIT\r\n")
        server.say("221 Bye")
        self.turn()
        self.assertIsNone(self.pool.take("key"))
        self.assertEqual(self.left(), [])

    def test_one_that_was_sent_away_meanwhile_is_closed(self) -> None:
        """Though its server keeps the connection."""
        server = self.kept()
        server.say("421 4.3.2 Closing")
        self.assertFalse(server.wire.disconnecting)
        self.assertIsNone(self.pool.take("key"))
        self.turn()
        self.assertTrue(server.wire.disconnecting)
        self.assertEqual(len(self.goodbyes), 0)
        self.assertEqual(self.left(), [])

    def test_one_that_has_done_enough_is_not_kept(self) -> None:
        for attribute, enough in (("mails", MAX_MAILS), ("began", -MAX_SECONDS)):
            server = self.server()
            setattr(server.session, attribute, enough)
            self.pool.give("key", server.session)
            self.assertEqual(server.heard(), b"QUIT\r\n")
            self.assertIsNone(self.pool.take("key"))

    def test_all_go_at_the_end(self) -> None:
        servers = self.kept(), self.kept(), self.kept("another key")
        self.pool.close()
        for server in servers:
            self.assertEqual(server.heard(), b"QUIT\r\n")
            server.say("221 Bye")
        self.turn()
        self.assertEqual((len(self.goodbyes), self.left()), (0, []))
