"""Why a message was not taken, by what real servers say."""

from __future__ import annotations

import pytest

from mailsuite.delivery.dsn_languages import LANGUAGES
from mailsuite.delivery.dsn_reasons import Reason, reason_of
from mailsuite.model import reply as replies
from mailsuite.model.outbound import Fate
from mailsuite.model.reply import Reply
from tests.delivery.dsn_cases import outcome, reply


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (reply(550, "5.1.1", "User unknown in virtual mailbox table"), Reason.UNKNOWN_MAILBOX),
        (reply(550, "5.1.10", "RESOLVER.ADR.RecipientNotFound"), Reason.UNKNOWN_MAILBOX),
        (reply(550, "5.1.2", "Host unknown"), Reason.UNKNOWN_DOMAIN),
        (reply(501, "5.1.3", "Bad recipient address syntax"), Reason.BAD_ADDRESS),
        (reply(551, "5.1.6", "User has moved to x@example.com"), Reason.MOVED),
        (reply(551, "", "User not local; please try <x@example.com>"), Reason.MOVED),
        (reply(550, "5.1.8", "Sender domain does not exist"), Reason.SENDER_REFUSED),
        (reply(550, "5.2.1", "The account is disabled"), Reason.MAILBOX_OFF),
        (reply(552, "5.2.2", "Over quota"), Reason.MAILBOX_FULL),
        (reply(552, "", "Requested mail action aborted: exceeded storage allocation"), Reason.MAILBOX_FULL),
        (reply(552, "", "Message size exceeds fixed limit"), Reason.TOO_LARGE),
        (reply(552, "5.2.3", "Message too long for mailbox"), Reason.TOO_LARGE),
        (reply(552, "5.3.4", "Message too big"), Reason.TOO_LARGE),
        (reply(553, "", "Mailbox name not allowed"), Reason.BAD_ADDRESS),
        (reply(550, "5.4.4", "Host not found"), Reason.UNKNOWN_DOMAIN),
        (reply(554, "5.4.6", "Too many hops"), Reason.LOOP),
        (reply(553, "5.6.7", "SMTPUTF8 needed"), Reason.UNICODE),
        (reply(554, "5.6.1", "No executables"), Reason.CONTENT),
        (reply(550, "5.7.1", "Message rejected as spam"), Reason.BLOCKED),
        (reply(554, "5.7.1", "Service unavailable; Client host blocked using a list"), Reason.BLOCKED),
        (reply(554, "5.7.1", "<x@y.example>: Relay access denied"), Reason.RELAYING),
        (reply(550, "5.7.1", "relaying denied"), Reason.RELAYING),
        (reply(552, "5.7.0", "Its content is a security issue"), Reason.BLOCKED),
        (reply(550, "5.7.2", "Only members may post"), Reason.NOT_ALLOWED),
        (reply(530, "5.7.0", "Authentication required"), Reason.LOGIN),
        (reply(530, "", "Authentication required"), Reason.LOGIN),
        (reply(535, "5.7.8", "Bad credentials"), Reason.LOGIN),
        (reply(550, "5.7.23", "SPF validation failed"), Reason.SENDER_REFUSED),
        (reply(550, "5.7.26", "Unauthenticated mail is not accepted"), Reason.SENDER_REFUSED),
        (reply(523, "5.7.10", "Encryption needed"), Reason.TLS),
        (reply(550, "5.7.30", "REQUIRETLS needed"), Reason.TLS),
        (reply(556, "", "Null MX"), Reason.NO_MAIL_DOMAIN),
        (reply(521, "", "Server does not accept mail"), Reason.NO_MAIL_DOMAIN),
        (reply(550, "", "No"), Reason.REFUSED),
        (reply(554, "5.0.0", "Transaction failed"), Reason.REFUSED),
        (reply(450, "4.2.2", "Mailbox full"), Reason.MAILBOX_FULL),
        (reply(450, "4.1.1", "Unverified address"), Reason.BUSY),
        (reply(450, "4.7.1", "Greylisted"), Reason.BUSY),
        (reply(451, "", "Try again later"), Reason.BUSY),
        (reply(454, "4.7.0", "TLS not available"), Reason.BUSY),
        (reply(451, "4.7.5", "Certificate problem"), Reason.TLS),
    ],
)
def test_what_other_servers_say(said: Reply, wanted: Reason) -> None:
    assert reason_of(outcome(Fate.FAILED, said)) is wanted


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (replies.NO_ANSWER, Reason.UNREACHABLE),
        (replies.DNS_UNAVAILABLE, Reason.DNS),
        (reply(556, "5.1.10", "The domain takes no mail"), Reason.NO_MAIL_DOMAIN),
        (replies.NO_MAIL_DOMAIN, Reason.UNKNOWN_DOMAIN),
        (replies.MAIL_LOOP, Reason.LOOP),
        (replies.MESSAGE_TOO_BIG, Reason.TOO_LARGE),
        (replies.RELAYING_DENIED, Reason.OURS),
        (reply(550, "5.7.1", "A rule of the administrator"), Reason.OURS),
        (reply(450, "4.7.1", "A rule of the administrator"), Reason.OURS),
        (replies.INTERNAL_ERROR, Reason.OURS),
        (replies.NEXT_HOP_LOST, Reason.UNREACHABLE),
        (replies.NEXT_HOP_ASTRAY, Reason.UNREACHABLE),
        (replies.NEXT_HOP_FULL, Reason.UNREACHABLE),
        (replies.NEXT_HOP_LACKS_TLS, Reason.TLS),
        (replies.NEXT_HOP_LACKS_SMTPUTF8, Reason.UNICODE),
        (replies.NEXT_HOP_LACKS_8BIT, Reason.CONTENT),
        (replies.NO_ROUTE, Reason.UNKNOWN_DOMAIN),
        (replies.NULL_MX, Reason.NO_MAIL_DOMAIN),
        (replies.ROUTED_TO_US, Reason.LOOP),
        (reply(554, "5.0.0", "Taken out by the administrator"), Reason.OURS),
    ],
)
def test_what_we_say_ourselves(said: Reply, wanted: Reason) -> None:
    assert reason_of(outcome(Fate.FAILED, said, host="")) is wanted


def test_nothing_was_tried() -> None:
    assert reason_of(None) is Reason.OURS


@pytest.mark.parametrize("tag", LANGUAGES)
def test_each_reason_has_words_in_each_language(tag: str) -> None:
    advice = LANGUAGES[tag].advice
    assert set(advice) == set(Reason)
    for each in advice.values():
        assert each.what.format(domain="d")[-1] == "."
        assert each.todo.format(postmaster="p", domain="d")[-1] == "."
