"""The letter to the owner of a subscription that is left alone."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import get_args

import attrs
import pytest
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.now import run_now
from mailsuite.config.queue import NoticeLanguage
from mailsuite.delivery.message_facts import message_facts
from mailsuite.model.failure import TellingFailed, TemporaryFailure
from mailsuite.model.message import Stored
from mailsuite.model.notice import Level
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.model.subscription import Subscription
from mailsuite.notify.owner_letters import OwnerLetters, new_id
from mailsuite.notify.suspension_letter import TEXTS, letter
from mailsuite.store.memory import MemoryStore
from tests.notify.stage import EPOCH, JOE, Stage

PHONE = Subscription(
    id="sub_1",
    account=JOE,
    device="",
    channel="webhook",
    target="https://hooks.example.org/secret-path",
    target_key="hooks.example.org:443",
    name="Phone {reason}\u202e",
)


def written(tag: str = "en", subscription: Subscription = PHONE, reason: str = "http 503") -> bytes:
    return letter(subscription, reason, TEXTS[tag], hostname="mail.example.net", id="notify-1", seconds=EPOCH)


def read(octets: bytes) -> EmailMessage:
    return email.message_from_bytes(octets, policy=email.policy.default)


def test_every_language_can_be_chosen() -> None:
    assert set(TEXTS) == set(get_args(NoticeLanguage))


@pytest.mark.parametrize("tag", sorted(TEXTS))
def test_it_says_what_and_why_and_what_to_do(tag: str) -> None:
    message = read(written(tag))
    assert (message["Auto-Submitted"], message["Content-Language"]) == ("auto-generated", tag)
    assert (message["Return-Path"], message["To"]) == ("<>", "joe@example.net")
    assert message["Subject"].endswith("webhook")
    text = message.get_content()
    for told in ("Phone {reason}", "webhook", "hooks.example.org:443", "http 503", "notify resume sub_1"):
        assert told in text
    for hidden in ("secret-path", "\u202e"):
        assert hidden not in text
    assert all(line.endswith(b"\r") for line in written(tag).split(b"\n")[:-1])
    assert max(map(len, text.splitlines())) <= 100
    assert all(attrs.astuple(TEXTS[tag]))


def test_nobody_is_told_of_it_where_the_server_keeps_quiet_about_programs() -> None:
    assert message_facts(written(), None, Level.SUBJECT).auto


def test_nothing_that_a_user_says_makes_a_field() -> None:
    eve = attrs.evolve(PHONE, name="x\r\nBcc: eve@example.org", target_key="", channel="ntfy")
    message = read(written(subscription=eve, reason="y\r\n\r\nz"))
    assert "Bcc" not in message
    assert "target:       -" in message.get_content()


def test_ids_are_all_different() -> None:
    assert new_id() != new_id()


class OwnerLettersCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryStore()
        self.told: list[tuple[Stored, bytes]] = []
        self.language: str | Exception = "de"

        async def tell(stored: Stored, octets: bytes) -> None:
            self.told.append((stored, octets))

        async def language_of(*_: object) -> str:
            if isinstance(self.language, Exception):
                raise self.language
            return self.language

        self.letters = OwnerLetters(
            self.store, "mail.example.net", lambda: EPOCH, tell, language_of, lambda: "en"
        )

    def test_it_is_in_the_maildrop_in_the_language_of_its_reader(self) -> None:
        for language, tag in (("de", "de"), ("", "en"), ("fr", "en")):
            self.language = language
            run_now(self.letters.suspended(PHONE, "http 503"))
            self.assertEqual(read(self.told[-1][1])["Content-Language"], tag)
        self.language = TemporaryFailure(DIRECTORY_UNAVAILABLE, "away")
        run_now(self.letters.suspended(PHONE, "http 503"))
        self.assertEqual(read(self.told[-1][1])["Content-Language"], "en")
        self.assertEqual(self.store.contents(JOE), tuple(octets for _, octets in self.told))
        self.assertEqual([stored.account for stored, _ in self.told], [JOE] * 4)

    def test_the_dispatcher_has_it_written_once(self) -> None:
        stage = Stage()
        self.addCleanup(stage.stop)
        stage.dispatcher.turns.after.owner = self.letters.suspended
        stage.channels["latest"].answer = lambda *_: TellingFailed("http 503", 503)
        stage.follow(name="Phone")
        stage.mail("a")
        stage.run(5000.0)
        stage.mail("b")
        stage.run(5000.0)
        self.assertEqual(len(self.store.contents(JOE)), 1)

    def test_a_maildrop_that_takes_nothing(self) -> None:
        self.store.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "disk")
        with self.assertRaises(TemporaryFailure):
            run_now(self.letters.suspended(PHONE, "http 503"))
        self.assertEqual(self.told, [])
