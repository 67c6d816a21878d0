"""What a door would say: the same as its rules say in a session."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from twisted.internet.task import Clock

from mailsuite.concurrent.now import run_now
from mailsuite.config.load import load
from mailsuite.config.schema import Config, Listener
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, ConnectionFacts, Route, RouteKind, Stage, StageFacts
from mailsuite.model.reply import (
    AUTHENTICATION_REQUIRED,
    NO_MAIL_DOMAIN,
    NO_REMOTE_DELIVERY,
    RECIPIENT_OK,
    RELAYING_DENIED,
    ROUTE_IN_ADDRESS,
    UNKNOWN_RECIPIENT,
    Reply,
)
from mailsuite.observe.log import Log
from mailsuite.policy.chain import Chain
from mailsuite.policy.hearing import Hearing, Question
from mailsuite.policy.ruleset import rules_for
from tests.policy.asking import ANN, EVE, JOE, LOCAL, UNKNOWN, remote
from tests.policy.test_ruleset import Written, grounds

TEXT = """
[server]
name = "mail.example.net"
admin = "joe@example.net"
state = "{state}"

[[domain]]
name = "example.net"

[[listener]]
name = "mx"
service = "smtp"
port = 2525

[[listener]]
name = "relay"
service = "smtp"
port = 2526
relay = "addresses"
relay_networks = ["192.0.2.0/28"]

[[listener]]
name = "backup"
service = "smtp"
port = 2527
relay_domains = ["example.org"]
relay_recipients = ["eve@example.org"]

[[listener]]
name = "submissions"
service = "submission"
port = 2465
tls = "implicit"

[[listener]]
name = "printers"
service = "submission"
port = 2587
tls = "required-starttls"
relay_networks = ["192.0.2.0/28"]

[[listener]]
name = "lmtp"
service = "lmtp"
port = 2424

[[listener]]
name = "pop3s"
service = "pop3"
port = 2995
tls = "implicit"
"""
LISTED, STRANGER = ip_address("192.0.2.7"), ip_address("198.51.100.1")
HACKED = Address("eve%example.com", "example.org")
ALONE = Address("eve", "localhost")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Listener]:
    folder = tmp_path_factory.mktemp("doors")
    file = folder / "mailsuite.toml"
    file.write_text(TEXT.format(state=folder / "state"))
    config: Config = load(file, {}).accepted()
    return {each.name: each for each in config.listeners}


def asked(door: Listener, recipient: Address, route: Route, peer=LISTED, *, sends: bool = True) -> Hearing:
    return run_now(Question(recipient, route, sends, "mail.example.net", Written()).at(door, peer))


@pytest.mark.parametrize(
    ("door", "peer", "reply", "logged_in"),
    [
        ("mx", LISTED, RELAYING_DENIED, None),
        ("relay", LISTED, RECIPIENT_OK, None),
        ("relay", ip_address("::ffff:192.0.2.7"), RECIPIENT_OK, None),
        ("relay", STRANGER, RELAYING_DENIED, None),
        ("backup", LISTED, RECIPIENT_OK, None),
        ("backup", STRANGER, RECIPIENT_OK, None),
        ("submissions", LISTED, AUTHENTICATION_REQUIRED, RECIPIENT_OK),
        ("printers", LISTED, RECIPIENT_OK, None),
        ("printers", STRANGER, AUTHENTICATION_REQUIRED, RECIPIENT_OK),
        ("lmtp", LISTED, RELAYING_DENIED, None),
    ],
)
def test_who_may_send_elsewhere(
    doors: dict[str, Listener], door: str, peer, reply: Reply, logged_in: Reply | None
) -> None:
    assert asked(doors[door], EVE, remote(EVE), peer) == Hearing(reply, logged_in)
    to_us = Hearing(reply if reply is AUTHENTICATION_REQUIRED else RECIPIENT_OK, logged_in)
    assert asked(doors[door], ANN, LOCAL, peer) == to_us


@pytest.mark.parametrize(
    ("recipient", "sends", "reply"),
    [(EVE, False, NO_REMOTE_DELIVERY), (HACKED, True, ROUTE_IN_ADDRESS), (ALONE, True, NO_MAIL_DOMAIN)],
)
def test_what_nobody_may(doors: dict[str, Listener], recipient: Address, sends: bool, reply: Reply) -> None:
    assert asked(doors["relay"], recipient, remote(recipient), sends=sends) == Hearing(reply)
    denied = RELAYING_DENIED if recipient is ALONE else reply
    heard = asked(doors["backup"], recipient, remote(recipient), STRANGER, sends=sends)
    assert heard == Hearing(denied)
    heard = asked(doors["submissions"], recipient, remote(recipient), sends=sends)
    assert heard == Hearing(AUTHENTICATION_REQUIRED, reply)


def test_somebody_who_is_not_listed(doors: dict[str, Listener]) -> None:
    other = Address("ann", "example.org")
    assert asked(doors["backup"], other, remote(other), STRANGER) == Hearing(UNKNOWN_RECIPIENT)


def test_a_domain_that_is_not_listed(doors: dict[str, Listener]) -> None:
    other = Address("eve", "example.com")
    assert asked(doors["backup"], other, remote(other), STRANGER) == Hearing(RELAYING_DENIED)


def test_a_recipient_who_does_not_exist(doors: dict[str, Listener]) -> None:
    nobody = Address("nobody", "example.net")
    assert asked(doors["mx"], nobody, UNKNOWN) == Hearing(UNKNOWN_RECIPIENT)
    assert asked(doors["lmtp"], nobody, UNKNOWN) == Hearing(UNKNOWN_RECIPIENT)


def test_a_door_that_takes_no_mail(doors: dict[str, Listener]) -> None:
    with pytest.raises(TypeError, match="pop3s takes no mail"):
        asked(doors["pop3s"], EVE, remote(EVE))


def test_all_rules_of_the_door_say_the_same(doors: dict[str, Listener]) -> None:
    """Of a session that has come as far as RCPT."""
    clock = Clock()
    for name in ("mx", "relay", "backup", "submissions", "printers", "lmtp"):
        door = doors[name]
        for sends in (False, True):
            rules = rules_for(door.settings, grounds(clock, sends))  # type: ignore[arg-type]
            chain = Chain(rules, Log())
            for peer in (LISTED, STRANGER):
                for recipient, route in (
                    (ANN, LOCAL),
                    (Address("nobody", "example.net"), UNKNOWN),
                    (EVE, remote(EVE)),
                    (HACKED, remote(HACKED)),
                    (ALONE, remote(ALONE)),
                    (JOE, Route(RouteKind.LOOP)),
                ):
                    heard = asked(door, recipient, route, peer, sends=sends)
                    account = None if heard.logged_in is None else JOE
                    who = ConnectionFacts("s", name, door.service, peer, 1, account=account)
                    facts = StageFacts(Stage.RECIPIENT, who, JOE, recipient, route)
                    verdict = run_now(chain.check(facts))
                    said = RECIPIENT_OK if isinstance(verdict, Accept) else verdict.reply
                    assert said == (heard.logged_in or heard.reply), (name, sends, peer, recipient)
