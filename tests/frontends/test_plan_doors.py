"""Unix sockets, proxies and LMTP: from the configuration to the listener."""

from __future__ import annotations

from ipaddress import ip_network

from mailsuite.frontends.listener import Place
from mailsuite.frontends.plan import places
from mailsuite.frontends.unix import Rights
from tests.frontends.planned import Make

SOCKET = '[[listener]]\nname = "{0}"\nservice = "{0}"\nsocket = "/run/{0}.sock"\n'


def test_a_socket_and_its_rights(world: Make) -> None:
    more = SOCKET.format("lmtp") + 'socket_group = "mail"\nsocket_mode = "0666"\n'
    built = world("smtp", more=more)
    [place] = places(built.config)["lmtp"]
    assert place == Place("", 0, socket="/run/lmtp.sock")
    assert place.rights == Rights("", "mail", 0o666)
    assert str(place) == "/run/lmtp.sock"
    assert built.listeners["lmtp"].places == (place,)


def test_proxies(world: Make) -> None:
    built = world("pop3", "", 'proxy_from = ["192.0.2.10"]')
    assert built.listeners["pop3"].proxies == (ip_network("192.0.2.10"),)
    built = world("pop3", "max_connections_per_address = 1", 'proxy_from = ["192.0.2.10"]')
    talks = [built.connect("pop3", peer="192.0.2.10").read() for _ in range(3)]
    assert all(talk.startswith("+OK") for talk in talks), "a proxy speaks for many"
    assert built.connect("pop3", peer="192.0.2.11").read().startswith("+OK")
    assert built.connect("pop3", peer="192.0.2.11").read().startswith("-ERR")


def test_lmtp(world: Make) -> None:
    talk = world("lmtp", "").connect("lmtp")
    assert talk.read() == "220 mail.example.test LMTP\r\n"
    assert talk.say("EHLO x").startswith("500 5.5.1 ")
    assert talk.say("LHLO x").startswith("250-mail.example.test")


def test_submission_on_a_socket(world: Make) -> None:
    """It greets with the domain of whom the system names, and offers no login."""
    built = world("smtp", more=SOCKET.format("submission"))
    talk = built.connect("submission")
    assert talk.read() == "220 example.test ESMTP\r\n"
    said = talk.say("EHLO x")
    assert "AUTH" not in said
    assert "STARTTLS" not in said
    assert talk.say("AUTH PLAIN AA==").startswith("5")
