"""Random walks through a reception, with failures anywhere: what was acknowledged is there once, nothing
else is, and nothing stays open."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.wire.smtp.events import Recipient
from tests.delivery.case import ANN, DEFECT, EVE, JOE, LONG_BODY, Case

ENDINGS = ("end", "end", "end", "defect", "leave", "reset", "hello", "tls")
STEPS = ("mail", "recipient", "data", "take", "drained", *ENDINGS)
FAILURES = ("begin", "write", "drained", "deliver", "after-one", "abort")
Step = tuple[str, Address, str, bool]


def step_of(*names: str) -> st.SearchStrategy[Step]:
    """One of these steps, with a recipient, with something that fails meanwhile or nothing, and how."""
    return st.tuples(
        st.sampled_from(names),
        st.sampled_from([JOE, ANN, EVE, Address("postmaster", "")]),
        st.sampled_from(("", "", "", *FAILURES)),
        st.booleans(),
    )


message = st.tuples(step_of("open"), step_of("take", "drained"), step_of(*ENDINGS))
walks = st.lists(message | st.tuples(step_of(*STEPS)), max_size=12).map(
    lambda parts: [step for part in parts for step in part]
)


class WalkTests(Case):
    @given(walks)
    def test_any_walk(self, walk: list[Step]) -> None:
        self.setUp()
        self.promised: Counter[Address] = Counter()
        for name, recipient, failing, temporary in walk:
            failure = TemporaryFailure(replies.DISK_FULL) if temporary else ValueError("broken")
            self.store.fail = {failing: failure} if failing else {}
            self.store.begin_at_most = len(self.store.begun) + 1
            if name in ENDINGS:
                self.finish(name)
                self.assertEqual(self.store.open, 0)
            else:
                self.go_on(name, recipient)
        self.store.fail = {}
        self.now(self.reception.closed())
        self.assert_nothing_open()
        self.assert_all_say_the_same()

    def go_on(self, name: str, recipient: Address) -> None:
        match name:
            case "open":
                self.mail()
                self.now(self.reception.recipient(Recipient(JOE)))
                self.now(self.reception.recipient(Recipient(ANN)))
                self.now(self.reception.start_data())
            case "mail":
                self.mail()
            case "recipient":
                self.now(self.reception.recipient(Recipient(recipient)))
            case "data":
                self.now(self.reception.start_data())
            case "take":
                self.reception.take(LONG_BODY)
            case "drained":
                self.now(self.reception.drained())

    def finish(self, name: str) -> None:
        meant = self.meant()
        match name:
            case "end":
                if self.end().is_positive:
                    self.promised.update(meant)
            case "defect":
                self.assertEqual(self.end(DEFECT), DEFECT)
            case "leave":
                self.leave(meant)
            case "reset":
                self.reception.reset()
            case "hello":
                self.reception.hello("again", True)
            case "tls":
                self.reception.tls_started("TLSv1.3 AES")

    def meant(self) -> set[Address]:
        """For whom a delivery is open."""
        return {delivery.account for delivery in self.store.begun if not delivery.ended}

    def leave(self, meant: set[Address]) -> None:
        """The connection is lost during the commit; the next client comes to the same server."""
        self.store.held = Deferred()
        ending = self.ending()
        ending.addErrback(lambda failure: None)
        ending.cancel()
        self.now(self.reception.closed())
        held, self.store.held = self.store.held, None
        if not {"write", "deliver", "after-one"} & set(self.store.fail):
            self.promised.update(meant)
        held.callback(None)
        self.replaced()

    def assert_all_say_the_same(self) -> None:
        """Maildrops, events, and what was acknowledged."""
        there = Counter({account: len(self.contents(account)) for account in (JOE, ANN)})
        told = Counter(event.account for event in self.intake.happenings)
        self.assertEqual(+there, +self.promised)
        self.assertEqual(told, +self.promised)
