"""The Internet of names that tests send mail in, as whoever asks its name server sees it."""

from __future__ import annotations

import dns.message
import dns.query
import dns.rcode

from tests.zones import Exchanger, Net


def asked(net: Net, name: str, kind: str) -> tuple[str, list[str]]:
    """The code, and all records of this kind."""
    answer = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", 5, net.dns.port)
    records = [str(record) for each in answer.answer for record in each]
    return dns.rcode.to_text(answer.rcode()), sorted(records)


def test_names() -> None:
    with Net() as net:
        net.domain("a.example", "127.0.0.2", "127.0.0.3")
        net.domain(
            "b.example", *(Exchanger(5, name, ("127.0.0.4", "::1")) for name in ("x.example", "y.example"))
        )
        net.domain("c.example")
        net.host("d.example", "127.0.0.5")
        net.no_mail("e.example")
        net.alias("f.example", "a.example")
        assert asked(net, "a.example", "MX") == ("NOERROR", ["10 mx1.a.example.", "20 mx2.a.example."])
        assert asked(net, "mx2.a.example", "A") == ("NOERROR", ["127.0.0.3"])
        assert asked(net, "b.example", "MX") == ("NOERROR", ["5 x.example.", "5 y.example."])
        assert asked(net, "y.example", "AAAA") == ("NOERROR", ["::1"])
        assert asked(net, "c.example", "MX") == asked(net, "c.example", "A") == ("NOERROR", [])
        assert asked(net, "d.example", "MX") == ("NOERROR", [])
        assert asked(net, "d.example", "A") == ("NOERROR", ["127.0.0.5"])
        assert asked(net, "e.example", "MX") == ("NOERROR", ["0 ."])
        assert asked(net, "f.example", "MX")[1] == ["10 mx1.a.example.", "20 mx2.a.example.", "a.example."]
        assert asked(net, "z.example", "MX") == ("NXDOMAIN", [])


def test_trouble() -> None:
    with Net() as net:
        net.domain("a.example", "127.0.0.2")
        net.trouble("a.example", "servfail")
        assert asked(net, "a.example", "MX") == ("SERVFAIL", [])
        net.mended("a.example")
        net.mended("a.example")
        assert asked(net, "a.example", "MX")[0] == "NOERROR"
