"""Names of boxes in whole exchanges: what a client makes of our challenges lets it into the right box."""

from __future__ import annotations

import base64
import secrets

from twisted.cred.error import UnauthorizedLogin

from mailsuite.accounts.attempt import LoginRules, attempt_of
from mailsuite.model.view import Box, View
from mailsuite.wire.sasl.exchange import Exchange
from mailsuite.wire.sasl.mechanisms import MECHANISMS, Surroundings
from mailsuite.wire.sasl.steps import Challenge, ScramQuestion
from tests.accounts.fakes import SECRET, attempt, digest, facts_of, ntlm, scram
from tests.accounts.gates import JOE, NOON, password_of
from tests.accounts.test_login import LoginCase
from tests.system.mechanisms import steps

RULES = LoginRules("example.net", "#", apop="offer")
BY_OWN = ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256")
BY_DEVICE = ("CRAM-MD5", "NTLM")
NAMES = {
    "joe": Box.INBOX,
    "joe+trash@example.net": Box.TRASH,
    "Joe+Trash": Box.TRASH,
    "joe+trash#example.net": Box.TRASH,
    "joe+trash+restore@example.net": Box.RESTORE,
    "JOE+TRASH+RESTORE": Box.RESTORE,
}


class ExchangeTests(LoginCase):
    def claim(self, mechanism, name, password, facts):
        """What a whole exchange comes to."""
        surroundings = Surroundings("pop.example.net", secrets.token_bytes, lambda: NOON)
        exchange = Exchange(MECHANISMS[mechanism](surroundings))
        step = exchange.start(None)
        for answer in steps(mechanism, name, password):
            if not isinstance(step, Challenge):
                break
            step = exchange.respond(base64.b64encode(answer(step.data)))
            if isinstance(step, ScramQuestion):
                step = exchange.answer(self.do(self.login.scram_parameters(step, RULES, facts)))
        return step

    def ways(self):
        for mechanism in BY_OWN:
            yield mechanism, SECRET
        for mechanism in BY_DEVICE:
            yield mechanism, password_of("eudora")

    def test_each_mechanism_lets_into_each_box(self):
        facts = facts_of()
        for mechanism, password in self.ways():
            for name, box in NAMES.items():
                claim = self.claim(mechanism, name, password, facts)
                opened = self.successResultOf(self.maildrop(attempt_of(claim, RULES, facts)))
                self.assertEqual((opened.maildrop.account, opened.view), (JOE.address, View(box)), mechanism)
                self.do(opened.maildrop.release())

    def test_each_refuses_another_password(self):
        facts = facts_of()
        for mechanism, _ in self.ways():
            claim = self.claim(mechanism, "joe+trash@example.net", "canary-wrong", facts)
            self.refused(self.maildrop(attempt_of(claim, RULES, facts)))

    def test_none_lets_submit_from_a_box(self):
        facts = facts_of("submission")
        for mechanism, password in self.ways():
            claim = self.claim(mechanism, "joe", password, facts)
            self.successResultOf(self.submitter(attempt_of(claim, RULES, facts)))
            claim = self.claim(mechanism, "joe+trash@example.net", password, facts)
            self.refused(self.submitter(attempt_of(claim, RULES, facts)))


class SameWorkTests(LoginCase):
    """Nobody can tell by what we do for a name of a box whether there is such an account."""

    def work(self, credentials):
        self.directory.asked.clear()
        self.ring.opened = 0
        going = self.maildrop(credentials)
        self.clock.advance(20)
        self.failureResultOf(going, UnauthorizedLogin)
        return tuple(self.directory.asked), self.ring.opened

    def test_the_same_is_asked_and_opened_for_every_name(self):
        parameters = self.vault.scram_parameters("x", "sha256")
        for attempt_at in (
            lambda name: attempt(name, "wrong"),
            lambda name: digest(name, "wrong"),
            lambda name: digest(name, "wrong", mechanism="CRAM-MD5"),
            lambda name: ntlm(name, "wrong"),
            lambda name: scram(name, "wrong", parameters),
        ):
            done = {
                self.work(attempt_at(f"{name}+trash@example.net"))
                for name in ("joe", "off", "dumb", "nobody", "sender")
            }
            self.assertEqual(len(done), 1)
