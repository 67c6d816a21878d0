"""NotifyMail as a way that a subscription names: what it takes, and trying it out."""

from ipaddress import ip_network

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.address import Address
from mailsuite.model.failure import TellingFailed, TellingRefused
from mailsuite.model.notice import Kind, Level, Notice
from mailsuite.model.subscription import Attempt, Subscription
from mailsuite.notify.channels.notifymail import NotifyMail
from mailsuite.notify.targets import TargetRules

JOE = Address("joe", "example.net")
RULES = TargetRules(allow_networks=(ip_network("192.168.1.0/24"),), is_own=lambda address: False)


def channel(rules=RULES, knock=None):
    return NotifyMail(lambda: rules, lambda: 10.0, knock)


def asked(target="9.9.9.9", **options):
    return Subscription("sub_1", JOE, "d1", "notifymail", target, "", (b"x",), options)


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("9.9.9.9", "9.9.9.9:79"),
        ("[9.9.9.9]", "9.9.9.9:79"),
        ("2a00:1450::7", "[2a00:1450::7]:79"),
        ("192.168.1.7", "192.168.1.7:79"),
        ("last-ip", "last-ip:79"),
    ],
)
def test_it_is_kept_in_one_form(target, kept):
    prepared = channel().prepare(asked(target))
    assert (prepared.target, prepared.target_key) == (kept, kept)
    assert (prepared.secrets, prepared.options) == ((), {"transport": "tcp"})


@pytest.mark.parametrize(
    ("subscription", "said"),
    [
        (asked("mail.example.net"), "^target: .*names are not looked up"),
        (asked("9.9.9.9:22"), "^target: port 22 is none of"),
        (asked("last-ip:22"), "^target: port 22 is none of"),
        (asked("224.0.0.1"), "^target: 224.0.0.1 is never knocked at"),
        (asked("169.254.169.254"), "^target: 169.254.169.254 is never knocked at"),
        (asked("192.168.2.7"), "^target: 192.168.2.7 is local"),
        (asked("127.0.0.1"), "^target: 127.0.0.1 is local"),
        (asked(transport="sctp"), "^options.transport: tcp or udp"),
        (asked(transport="udp"), "^options.transport: udp is switched off"),
        (asked(topic="x"), "^options.topic: "),
    ],
)
def test_what_is_refused(subscription, said):
    with pytest.raises(ValueError, match=said):
        channel().prepare(subscription)


def test_udp_where_it_is_allowed():
    rules = attrs.evolve(RULES, udp=True)
    assert channel(rules).prepare(asked(transport="udp")).options == {"transport": "udp"}


def test_the_administrator_s_leave_is_nobody_else_s_to_give():
    assert channel().prepare(asked(leave="yes")).options == {"transport": "tcp"}
    assert channel().prepare(asked(), by_admin=True).options == {"transport": "tcp", "leave": "yes"}


class ChannelTests(SynchronousTestCase):
    def setUp(self):
        self.attempt = Attempt("sub_1", 1, 0.0, 0.1, "ok")
        self.channel = channel(knock=self.knock)

    async def knock(self, id):
        assert id == "sub_1"
        return self.attempt

    def tell(self):
        notice = Notice("ev_1", Kind.TEST, "a_1", 1, 1, 0.0, 1, Level.KNOCK)
        return Deferred.fromCoroutine(self.channel.tell(asked(), notice))

    def test_provides_the_interface(self):
        verifyObject(INotifyChannel, self.channel)
        self.assertEqual(self.channel.terms.max_level, Level.KNOCK)
        self.assertFalse(self.channel.terms.verifies)

    def test_a_trial_is_one_knock(self):
        for result, failure in (
            ("ok", None),
            ("ok, but something like a finger daemon answered", None),
            ("refused", TellingRefused),
            ("timed-out", TellingFailed),
            ("too soon after the last one: wait 3 seconds", TellingFailed),
        ):
            self.attempt = attrs.evolve(self.attempt, result=result)
            if failure is None:
                self.assertEqual(self.successResultOf(self.tell()), 0)
            else:
                self.failureResultOf(self.tell(), failure)

    def test_there_is_nothing_to_verify_and_nothing_to_stop(self):
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(self.channel.verify(asked(), "c"))))
        self.successResultOf(Deferred.fromCoroutine(self.channel.stop()))
