"""Who may send to other servers: by login, by address, by nothing that anybody can say.

Features rows S-A13, S-I09, S-M16.
"""

from __future__ import annotations

import itertools
from ipaddress import ip_address, ip_network

import pytest

from mailsuite.config.kinds_next_hops import Matches
from mailsuite.config.kinds_relaying import RelayMode
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Refuse, Route, RouteKind, Stage, StageFacts
from mailsuite.model.reply import (
    AUTHENTICATION_REQUIRED,
    INTERNAL_ERROR,
    NO_MAIL_DOMAIN,
    NO_REMOTE_DELIVERY,
    RELAYING_DENIED,
    ROUTE_IN_ADDRESS,
    UNKNOWN_RECIPIENT,
    Reply,
)
from mailsuite.model.sender_list import SenderSet, parse_sender
from mailsuite.observe.log import Log
from mailsuite.policy.chain import Chain
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying, RelayRules
from mailsuite.policy.sender import Sender
from tests.policy.asking import (
    ANN,
    EVE,
    JOE,
    LOCAL,
    at_mail,
    at_recipient,
    connection,
    judge,
    refusal,
    remote,
)

LISTED, UNLISTED = "192.0.2.1", "192.0.2.129"
LIST = (ip_network("192.0.2.0/25"), ip_network("2001:db8::/64"))
HOST = "mail.example.net"

# Whether logins are offered (the door is submission) x whether hosts are listed x who it is x where to.
TABLE = [
    # logins, list, peer, account, recipient, what the client hears
    (False, False, LISTED, None, "local", None),
    (False, False, UNLISTED, None, "local", None),
    (False, False, LISTED, None, "remote", RELAYING_DENIED),
    (False, False, UNLISTED, None, "remote", RELAYING_DENIED),
    (False, True, LISTED, None, "local", None),
    (False, True, UNLISTED, None, "local", None),
    (False, True, LISTED, None, "remote", None),
    (False, True, UNLISTED, None, "remote", RELAYING_DENIED),
    (True, False, LISTED, None, "local", AUTHENTICATION_REQUIRED),
    (True, False, UNLISTED, None, "local", AUTHENTICATION_REQUIRED),
    (True, False, LISTED, None, "remote", AUTHENTICATION_REQUIRED),
    (True, False, UNLISTED, None, "remote", AUTHENTICATION_REQUIRED),
    (True, False, LISTED, JOE, "local", None),
    (True, False, UNLISTED, JOE, "local", None),
    (True, False, LISTED, JOE, "remote", None),
    (True, False, UNLISTED, JOE, "remote", None),
    (True, True, LISTED, None, "local", None),
    (True, True, UNLISTED, None, "local", AUTHENTICATION_REQUIRED),
    (True, True, LISTED, None, "remote", None),
    (True, True, UNLISTED, None, "remote", AUTHENTICATION_REQUIRED),
    (True, True, LISTED, JOE, "local", None),
    (True, True, UNLISTED, JOE, "local", None),
    (True, True, LISTED, JOE, "remote", None),
    (True, True, UNLISTED, JOE, "remote", None),
]


def rules(listing: bool) -> RelayRules:
    return RelayRules("addresses", LIST) if listing else RelayRules("nobody", LIST)


def chain(relay: RelayRules, sends: bool = True) -> Chain:
    return Chain((Sender(relay=relay), Relaying(relay, sends, HOST), Recipients()), Log())


@pytest.mark.parametrize("row", TABLE)
def test_the_table(row: tuple[bool, bool, str, Address | None, str, Reply | None]) -> None:
    logins, listing, peer, account, where, reply = row
    who = connection("submission" if logins else "smtp", account, peer)
    recipient, route = (ANN, LOCAL) if where == "local" else (EVE, remote(EVE))
    assert refusal(chain(rules(listing)), at_recipient(recipient, route, who)) == reply
    told = NO_REMOTE_DELIVERY if reply is None and where == "remote" else reply
    assert refusal(chain(rules(listing), sends=False), at_recipient(recipient, route, who)) == told


def test_the_table_has_all_combinations() -> None:
    cells = {row[:5] for row in TABLE}
    wanted = set(
        itertools.product((True,), (True, False), (LISTED, UNLISTED), (None, JOE), ("local", "remote"))
    )
    wanted |= set(
        itertools.product((False,), (True, False), (LISTED, UNLISTED), (None,), ("local", "remote"))
    )
    assert cells == wanted
    assert len(TABLE) == len(cells)


@pytest.mark.parametrize(
    ("mode", "peer", "listed"),
    [
        ("nobody", LISTED, False),
        ("addresses", LISTED, True),
        ("addresses", UNLISTED, False),
        ("addresses", "::ffff:192.0.2.1", True),
        ("addresses", "::ffff:192.0.2.129", False),
        ("addresses", "2001:db8::77", True),
        ("addresses", "2001:db8:0:1::77", False),
        ("addresses", "::192.0.2.1", False),
        ("addresses", "64:ff9b::192.0.2.1", False),
        ("anyone", UNLISTED, True),
        ("anyone", "2001:db8:0:1::77", True),
    ],
)
def test_modes(mode: RelayMode, peer: str, listed: bool) -> None:
    assert RelayRules(mode, LIST).lists(ip_address(peer)) is listed
    who = connection("smtp", None, peer)
    reply = None if listed else RELAYING_DENIED
    assert refusal(Relaying(RelayRules(mode, LIST), True), at_recipient(EVE, remote(EVE), who)) == reply


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3"])
@pytest.mark.parametrize("network", ["10.0.0.0/8", "::ffff:10.0.0.0/104"])
def test_both_ways_to_write_an_ipv4_network_are_one(network: str, peer: str) -> None:
    assert RelayRules("addresses", (ip_network(network),)).lists(ip_address(peer))


def test_all_of_ipv6_is_none_of_ipv4() -> None:
    everything = RelayRules("addresses", (ip_network("2000::/3"),))
    assert not everything.lists(ip_address("192.0.2.1"))
    assert not everything.lists(ip_address("::ffff:192.0.2.1"))


@pytest.mark.parametrize("sender", [JOE, ANN, None, EVE])
def test_a_sender_of_ours_opens_nothing(sender: Address | None) -> None:
    """Row S-M16: the third of Apple's three ways is a relay for whoever can lie."""
    who = connection("smtp", None, UNLISTED)
    assert judge(chain(rules(True)), at_mail(sender, who)) == Accept()
    facts = StageFacts(Stage.RECIPIENT, who, sender, EVE, remote(EVE))
    assert refusal(chain(rules(True)), facts) == RELAYING_DENIED


@pytest.mark.parametrize("service", ["lmtp", "pop3", "", "SMTP", "something"])
@pytest.mark.parametrize("account", [None, JOE])
@pytest.mark.parametrize("mode", ["addresses", "anyone"])
def test_no_other_service_relays(service: str, account: Address | None, mode: RelayMode) -> None:
    """RFC 2033 section 1: LMTP delivers, and does nothing else."""
    who = connection(service, account, LISTED)
    rule = Relaying(RelayRules(mode, LIST), True)
    assert refusal(rule, at_recipient(EVE, remote(EVE), who)) == RELAYING_DENIED
    assert refusal(rule, at_recipient(ANN, LOCAL, who)) is None


def test_port_25_knows_no_logins() -> None:
    who = connection("smtp", JOE, UNLISTED)
    assert refusal(Relaying(rules(True), True), at_recipient(EVE, remote(EVE), who)) == RELAYING_DENIED


@pytest.mark.parametrize("network", ["127.0.0.0/8", "::1/128", "0.0.0.0/0"])
def test_who_lists_this_machine_still_has_nothing_sent_to_it(network: str) -> None:
    rule = Relaying(RelayRules("addresses", (ip_network(network),)), True, HOST)
    who = connection("submission", JOE)
    for domain in ("[127.0.0.1]", "[127.9.9.9]", "[IPv6:::1]", "[0.0.0.0]"):
        recipient = Address("joe", domain)
        assert refusal(rule, at_recipient(recipient, remote(recipient), who)) == NO_MAIL_DOMAIN


@pytest.mark.parametrize(("mode", "reply"), [("nobody", NO_MAIL_DOMAIN), ("anyone", NO_MAIL_DOMAIN)])
def test_a_list_that_is_not_used_reaches_nobody(mode: RelayMode, reply: Reply) -> None:
    recipient = Address("eve", "[192.0.2.9]")
    rule = Relaying(RelayRules(mode, LIST), True, HOST)
    assert refusal(rule, at_recipient(recipient, remote(recipient), connection("submission", JOE))) == reply


OWN = frozenset(map(ip_address, ("9.9.9.10", "192.0.2.8")))
MAY = [
    connection("submission", JOE),
    connection("smtp", None, LISTED),
    connection("submission", None, LISTED),
]


@pytest.mark.parametrize("who", MAY)
@pytest.mark.parametrize(
    ("local", "domain", "reply"),
    [
        ("eve", "example.org", None),
        ("eve+tag", "sub.example.org", None),
        ("eve", "xn--exmple-4nf.net", None),
        ("eve", "example.1a", None),
        ("eve%example.com", "example.org", ROUTE_IN_ADDRESS),
        ("example.com!eve", "example.org", ROUTE_IN_ADDRESS),
        ("eve@example.com", "example.org", ROUTE_IN_ADDRESS),
        ("@example.net:eve@example.com", "example.org", ROUTE_IN_ADDRESS),
        ("joe%example.net", HOST, ROUTE_IN_ADDRESS),
        ("eve", "[9.9.9.9]", None),
        ("eve", "[IPv6:2606:4700::1]", None),
        ("eve%example.com", "[9.9.9.9]", ROUTE_IN_ADDRESS),
        ("eve", "[192.0.2.9]", None),  # a listed host
        ("eve", "[IPv6:::ffff:192.0.2.9]", None),
        ("eve", "[192.0.2.129]", NO_MAIL_DOMAIN),
        ("eve", "[9.9.9.10]", NO_MAIL_DOMAIN),  # our own
        ("eve", "[192.0.2.8]", NO_MAIL_DOMAIN),  # our own, though it is listed
        ("eve", "[10.1.2.3]", NO_MAIL_DOMAIN),
        ("eve", "[169.254.169.254]", NO_MAIL_DOMAIN),
        ("eve", "[224.0.0.1]", NO_MAIL_DOMAIN),
        ("eve", "[IPv6:fe80::1]", NO_MAIL_DOMAIN),
        ("eve", "[IPv6:fd00::1]", NO_MAIL_DOMAIN),
        ("eve", "[IPv6:::ffff:10.1.2.3]", NO_MAIL_DOMAIN),
        ("eve", "[IPv6:64:ff9b::a01:203]", NO_MAIL_DOMAIN),
        ("eve", "[IPv6:2002:a01:203::1]", NO_MAIL_DOMAIN),
        ("joe", "[127.0.0.1]", NO_MAIL_DOMAIN),
        ("joe", "[IPv6:::1]", NO_MAIL_DOMAIN),
        ("joe", "[IPv6:::ffff:127.0.0.1]", NO_MAIL_DOMAIN),
        ("joe", "[0.0.0.0]", NO_MAIL_DOMAIN),
        ("joe", "[IPv6:::]", NO_MAIL_DOMAIN),
        ("joe", "localhost", NO_MAIL_DOMAIN),
        ("joe", "127.0.0.1", NO_MAIL_DOMAIN),
        ("joe", "3221225985", NO_MAIL_DOMAIN),
        ("joe", HOST, NO_MAIL_DOMAIN),
        ("joe", "", NO_MAIL_DOMAIN),
    ],
)
def test_who_may_relay_still_does_not_play_tricks(
    who: object, local: str, domain: str, reply: Reply | None
) -> None:
    recipient = Address(local, domain)
    facts = StageFacts(Stage.RECIPIENT, who, JOE, recipient, remote(recipient))  # type: ignore[arg-type]
    rule = Relaying(rules(True), True, HOST, is_own=OWN.__contains__)
    assert refusal(rule, facts) == reply
    denied = refusal(
        rule,
        at_recipient(recipient, remote(recipient), connection("smtp", None, UNLISTED)),
    )
    assert denied == RELAYING_DENIED


@pytest.mark.parametrize(
    ("mode", "service", "account", "known"),
    [
        ("nobody", "submission", JOE, True),
        ("addresses", "submission", JOE, True),
        ("addresses", "submission", None, True),
        ("addresses", "smtp", None, True),
        ("anyone", "submission", JOE, True),
        ("anyone", "submission", None, False),
        ("anyone", "smtp", None, False),
        ("anyone", "smtp", JOE, False),
    ],
)
def test_for_whom_it_vouches(mode: RelayMode, service: str, account: Address | None, known: bool) -> None:
    """Row Q-08: notices go to who is known, not to whom an open relay lets pass."""
    who = connection(service, account, LISTED)
    rule = chain(RelayRules(mode, LIST))
    assert judge(rule, at_recipient(EVE, remote(EVE), who)) == Accept(vouched=known)
    assert judge(rule, at_recipient(ANN, LOCAL, who)) == Accept()


DOMAINS = Matches(("example.org", "*.branch.example", "mail.example.net", "127.0.0.1"))


@pytest.mark.parametrize("mode", ["nobody", "addresses", "anyone"])
@pytest.mark.parametrize("peer", [LISTED, UNLISTED])
@pytest.mark.parametrize(
    ("local", "domain", "reply"),
    [
        ("eve", "example.org", None),
        ("eve+tag", "example.org", None),
        ("eve", "north.branch.example", None),
        ("eve", "a.north.branch.example", None),
        ("eve", "branch.example", RELAYING_DENIED),
        ("eve", "sub.example.org", RELAYING_DENIED),
        ("eve", "myexample.org", RELAYING_DENIED),
        ("eve", "example.org.example.com", RELAYING_DENIED),
        ("eve", "mybranch.example", RELAYING_DENIED),
        ("eve", ".branch.example", RELAYING_DENIED),
        ("eve", "example.com", RELAYING_DENIED),
        ("eve", "", RELAYING_DENIED),
        ("eve", "[9.9.9.9]", RELAYING_DENIED),
        ("eve%example.com", "example.org", ROUTE_IN_ADDRESS),
        ("example.com!eve", "example.org", ROUTE_IN_ADDRESS),
        ("eve@example.com", "example.org", ROUTE_IN_ADDRESS),
        ("eve@example.org", "example.com", RELAYING_DENIED),
        ("joe", HOST, NO_MAIL_DOMAIN),
        ("joe", "127.0.0.1", NO_MAIL_DOMAIN),
    ],
)
def test_domains_that_anybody_brings_mail_for(
    mode: RelayMode, peer: str, local: str, domain: str, reply: Reply | None
) -> None:
    """Row Q-11: as a backup MX, or in front of another server."""
    rule = Relaying(RelayRules(mode, LIST, DOMAINS), True, HOST)
    recipient = Address(local, domain)
    facts = at_recipient(recipient, remote(recipient), connection("smtp", None, peer))
    is_known = mode == "addresses" and peer == LISTED
    if is_known or mode == "anyone":
        before = Relaying(RelayRules(mode, LIST), True, HOST)
        assert judge(rule, facts) == judge(before, facts)
    elif reply is None:
        assert judge(rule, facts) == Accept(vouched=False)
        away = Relaying(RelayRules(mode, LIST, DOMAINS), False, HOST)
        assert refusal(away, facts) == NO_REMOTE_DELIVERY
    else:
        assert refusal(rule, facts) == reply


EXIST = SenderSet.of(map(parse_sender, ("Ann@example.org", "j+x@example.org", "*.branch.example")))


@pytest.mark.parametrize("mode", ["nobody", "addresses", "anyone"])
@pytest.mark.parametrize("peer", [LISTED, UNLISTED])
@pytest.mark.parametrize(
    ("local", "domain", "exists"),
    [
        ("ann", "example.org", True),
        ("ANN", "example.org", True),
        ("ann+shop", "example.org", True),
        ("ann+shop+two", "example.org", True),
        ("ann-shop", "example.org", False),
        ("j+x", "example.org", True),
        ("j+x+y", "example.org", True),
        ("j", "example.org", False),
        ("j+y", "example.org", False),
        ("+ann", "example.org", False),
        ("eve", "example.org", False),
        ("ann", "north.branch.example", True),
        ("Postmaster", "example.org", True),
    ],
)
def test_who_exists_there(mode: RelayMode, peer: str, local: str, domain: str, exists: bool) -> None:
    """Who is known, or an open relay, sends to anybody: a list is for strangers."""
    rule = Relaying(RelayRules(mode, LIST, DOMAINS), True, HOST, exist=lambda: EXIST)
    recipient = Address(local, domain)
    facts = at_recipient(recipient, remote(recipient), connection("smtp", None, peer))
    may = exists or mode == "anyone" or (mode == "addresses" and peer == LISTED)
    assert refusal(rule, facts) == (None if may else UNKNOWN_RECIPIENT)


@pytest.mark.parametrize(
    ("local", "domain", "reply"),
    [
        ("eve%x", "example.org", ROUTE_IN_ADDRESS),
        ("eve", "example.com", RELAYING_DENIED),
        ("ann", "example.com", RELAYING_DENIED),
        ("postmaster", "example.com", RELAYING_DENIED),
    ],
)
def test_who_exists_opens_nothing_else(local: str, domain: str, reply: Reply) -> None:
    rule = Relaying(RelayRules("nobody", (), DOMAINS), True, HOST, exist=lambda: EXIST)
    recipient = Address(local, domain)
    facts = at_recipient(recipient, remote(recipient), connection("smtp", None, UNLISTED))
    assert refusal(rule, facts) == reply
    entry = SenderSet.of([parse_sender("example.com")])
    rule = Relaying(RelayRules("nobody", (), DOMAINS), True, HOST, exist=lambda: entry)
    assert refusal(rule, facts) == reply


@pytest.mark.parametrize("service", ["submission", "lmtp", "SMTP", ""])
def test_other_services_know_no_such_domains(service: str) -> None:
    rule = Relaying(RelayRules("nobody", LIST, DOMAINS), True, HOST)
    who = connection(service, None, LISTED)
    assert refusal(rule, at_recipient(EVE, remote(EVE), who)) == RELAYING_DENIED


def test_what_is_not_known_fails_closed() -> None:
    rule = Relaying(RelayRules("anyone"), True)
    assert judge(rule, at_recipient(EVE, None)) == Refuse(INTERNAL_ERROR)
    nobody = StageFacts(Stage.RECIPIENT, connection(), JOE, None, Route(RouteKind.REMOTE))
    assert judge(rule, nobody) == Refuse(INTERNAL_ERROR)


@pytest.mark.parametrize("kind", sorted(set(RouteKind) - {RouteKind.REMOTE}, key=str))
def test_what_is_ours_is_for_other_rules(kind: RouteKind) -> None:
    assert judge(Relaying(), at_recipient(ANN, Route(kind), connection("smtp", None))) == Accept()
