"""Subscriptions by mail: who may, what can be said, and what the answer says."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from hashlib import sha256

import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.commands import Order
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device, Scope
from mailsuite.model.failure import TellingFailed, TemporaryFailure
from mailsuite.model.reply import TOO_MANY_ORDERS
from mailsuite.notify.mail_commands import BURST, MailCommands
from mailsuite.observe.log import Log
from mailsuite.store.memory import MemoryStore
from tests.notify.test_office import ANN, JOE, OWNER, PHONE, House

NOTIFY = Address("notify", "example.net")
TARGET = "https://a.example/hook/S3CRET"
DEVICES = (
    Device("phone", "Phone", b"", scopes=frozenset({Scope.SUBMISSION, Scope.NOTIFY})),
    Device("printer", "Printer", b"", scopes=frozenset({Scope.SUBMISSION})),
)


class Post:
    """An office that is written to."""

    def __init__(self) -> None:
        self.house = House()
        self.house.hook.name = "ntfy"
        self.house.office.channels = {"ntfy": self.house.hook, "quick": self.house.quick}
        self.directory = MemoryDirectory([Account(JOE), Account(ANN)])
        for device in DEVICES:
            run_now(self.directory.add_device(JOE, device))
        self.store, self.lines = MemoryStore(), list[str]()
        log = Log(lambda line, level: self.lines.append(line))
        self.commands = MailCommands(
            self.house.office,
            self.directory,
            self.store,
            Arrivals(lambda: self.house.now, log),
            "mail.example.net",
            "notify",
            lambda: self.house.now,
            log,
        )

    def takes(self, recipient: Address = NOTIFY, account: Address = JOE, device: str = "") -> bool:
        return run_now(self.commands.takes(recipient, account, device))

    def order(
        self,
        subject: str,
        text: str = "",
        device: str = "",
        sender: Address | None = JOE,
        header: str = "",
    ) -> None:
        octets = f"From: somebody@else.example\r\nSubject: {subject}\r\n{header}\r\n{text}\r\n".encode()
        run_now(self.commands.obey(Order(JOE, device, NOTIFY, sender, octets)))

    @property
    def answers(self) -> list[EmailMessage]:
        policy = email.policy.default
        return [email.message_from_bytes(each, policy=policy) for each in self.store.contents(JOE)]

    def asked(self, subject: str, text: str = "", device: str = "") -> str:
        """What is answered."""
        before = len(self.answers)
        self.order(subject, text, device)
        (answer,) = self.answers[before:]
        return str(answer.get_content())

    def ids(self) -> list[str]:
        return [each["id"] for each in run_now(self.house.office.of(OWNER))]


@pytest.fixture
def post() -> Post:
    return Post()


# Who may


def test_who_logged_in_by_a_password_for_notices(post: Post) -> None:
    assert post.takes()
    assert post.takes(Address.parse("NOTIFY@EXAMPLE.net"))
    assert post.takes(device="phone")
    assert not post.takes(device="printer")
    assert not post.takes(device="gone")


def test_only_an_address_of_ours_that_nobody_has(post: Post) -> None:
    assert not post.takes(Address("notify", "example.org"))
    assert not post.takes(Address("notify2", "example.net"))
    post.commands.local = None
    assert not post.takes(Address("notify", "example.net"))
    post.commands.local = "ann"
    assert not post.takes(ANN)
    run_now(post.directory.add_alias(Alias(Address("help", "example.net"), (JOE,))))
    post.commands.local = "help"
    assert not post.takes(Address("help", "example.net"))


def test_there_is_an_end_to_it(post: Post) -> None:
    for _ in range(BURST):
        assert post.takes()
    with pytest.raises(TemporaryFailure) as refusal:
        post.takes()
    assert refusal.value.reply == TOO_MANY_ORDERS
    assert post.takes(account=ANN)
    post.house.now += 120
    assert post.takes()


# What is answered


def test_the_answer_is_a_letter_that_no_program_answers(post: Post) -> None:
    post.order("help")
    (answer,) = post.answers
    assert answer["Return-Path"] == "<>"
    assert answer["Auto-Submitted"] == "auto-replied"
    assert (answer["To"], answer["From"]) == (str(JOE), f"Notices <{NOTIFY}>")
    assert answer["Subject"] == "Notices: help"
    assert "add ntfy https://" in answer.get_content()


def test_it_goes_to_who_logged_in_whatever_the_letter_says(post: Post) -> None:
    post.order("list", sender=Address("eve", "example.org"))
    assert len(post.answers) == 1
    assert post.store.contents(ANN) == ()


def test_programs_are_not_answered(post: Post) -> None:
    post.order("list", sender=None)
    post.order("list", header="Auto-Submitted: auto-replied\r\n")
    assert post.answers == []
    assert sum("notify.order_ignored" in line for line in post.lines) == 2


def test_subscribing_and_confirming(post: Post) -> None:
    said = post.asked(f"add ntfy {TARGET} sender")
    assert "A code was sent there" in said
    code = post.house.hook.sent[0]
    assert code not in said
    (id,) = post.ids()
    assert "it is wrong; 4 more can be tried" in post.asked("confirm 0123")
    assert "You are told by this from now on" in post.asked(f"Re: confirm {code}")
    (made,) = run_now(post.house.office.of(OWNER))
    assert (made["id"], made["state"], made["level"]) == (id, "active", "sender")
    assert "S3CRET" not in str([str(each) for each in post.answers] + post.lines)


def test_one_that_needs_no_code(post: Post) -> None:
    assert "from now on" in post.asked("add quick <https://a.example/x>")


def test_a_code_that_could_not_be_sent(post: Post) -> None:
    post.house.hook.fails = TellingFailed("refused: nobody listens there")
    said = post.asked(f"add ntfy {TARGET}")
    assert "refused: nobody listens there" in said
    assert "Nothing is sent there before that is mended." in said


def test_which_one_is_confirmed(post: Post) -> None:
    assert "there is nothing to confirm" in post.asked("confirm 0123")
    for _ in range(2):
        post.order(f"add ntfy {TARGET}")
    assert "say which one: confirm ID CODE" in post.asked(f"confirm {post.house.hook.sent[0]}")
    first, _ = [each["id"] for each in run_now(post.house.office.of(OWNER))]
    by_id = {each.subscription.id: each.subscription.code for each in post.house.book.all()}
    codes = {sha256(code.encode()).hexdigest(): code for code in post.house.hook.sent}
    assert "from now on" in post.asked(f"confirm {first} {codes[by_id[first]]}")


def test_listing_removing_off_and_on(post: Post) -> None:
    assert "told by nothing yet" in post.asked("list")
    one, other = post.house.active(channel="quick", name="the shop"), post.house.active(channel="quick")
    said = post.asked("LIST")
    assert f'{one} "the shop"' in said
    assert "quick to a.example:443, tells: knock, active" in said
    assert "paused" in post.asked("off")
    assert [post.house.state(id).value for id in (one, other)] == ["paused", "paused"]
    assert "There is nothing active." in post.asked("off")
    assert one in post.asked(f"on {one}")
    assert [post.house.state(id).value for id in (one, other)] == ["active", "paused"]
    assert other in post.asked("on")
    assert "This is removed" in post.asked(f"remove {one}")
    assert post.ids() == [other]


def test_the_order_may_stand_in_the_text(post: Post) -> None:
    assert "told by nothing yet" in post.asked("for the server", "list\r\n-- \r\nJoe")
    assert "Write one of these" in post.asked("hello", "how are you?")


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("add ntfy", "say by which channel and where to"),
        ("add webhook https://a.example/x", "a webhook has a secret, which is never sent by mail"),
        ("add pigeon x", "'pigeon' is not offered here"),
        ("add ntfy http://a.example/x", "expected a URL"),
        ("confirm", "say the code, too"),
        ("remove", "say which one"),
        ("remove sub_none", "there is no subscription"),
        ("off sub_none", "there is no subscription"),
    ],
)
def test_what_cannot_be_done(post: Post, order: str, words: str) -> None:
    said = post.asked(order)
    assert said.startswith("That cannot be done: "), said
    assert words in said


def test_a_device_has_no_more_than_its_rights(post: Post) -> None:
    id = post.house.active(channel="quick")
    assert "told by nothing yet" in post.asked("list", device="phone")
    assert "there is no subscription" in post.asked(f"remove {id}", device="phone")
    post.order("add quick https://a.example/x", device="phone")
    (theirs,) = run_now(post.house.office.of(PHONE))
    assert theirs["device"] == "phone"


def test_commands_of_administrators_stay_theirs(post: Post) -> None:
    said = post.asked("add ntfy https://a.example/hook/for-administrators")
    assert "only an administrator chooses that" in said


def test_no_answer_no_success(post: Post) -> None:
    post.store.refuse_with = TemporaryFailure(TOO_MANY_ORDERS)
    with pytest.raises(TemporaryFailure):
        post.order("list")
