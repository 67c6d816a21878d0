"""Mail leaves for servers that behave: octet for octet, to each recipient once, by the best way (rows S-B02,
Q-02, Q-04, Q-06, Q-10, M-10, T-07)."""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts.sources.certificates import Authority
from tests.sinks.offer import Offer, encrypting
from tests.sinks.script import DROP, GOODBYE, Plan, Point, Say, greylisting
from tests.sinks.sink import Sink
from tests.system.clients import within
from tests.system.harness import PATIENCE, Server
from tests.system.load import Letter
from tests.system.outgoing import (
    JOE,
    SENDER,
    SOON,
    HandIn,
    Shore,
    as_sent,
    forget_letters,
    hand_in,
    reports,
    submit,
    to_others,
    told,
)
from tests.zones import Exchanger, Net, has_ipv6

LETTER = (
    b"From: Ann <sender@elsewhere.example>\r\n"
    b"To: somebody\r\n"
    b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <one@elsewhere.example>\r\n"
    b"Subject: x\r\n"
    b"\r\n"
    b".\r\n.. two\r\nFrom the beginning\r\n\r\n \t\r\n.end\r\n"
)
OWN = LETTER.replace(b"Ann <sender@elsewhere.example>", b"Joe <joe@example.test>")
"""What joe may submit."""
SMART, SECRET = "server-17", "copper-basin-orchid-29"
NO_WAY = "127.0.0.250"
"""Where nobody listens."""

_RELAYS = """
[[relay]]
match = ["*.verify.example"]
tls = "required-starttls"
verify = true
ca_file = "{ca}"
[[relay]]
match = ["*.encrypt.example"]
tls = "required-starttls"
verify = false
[[relay]]
match = ["*.clear.example"]
tls = "off"
[[relay]]
match = ["implicit.smart.example"]
host = "{host}"
port = {implicit}
tls = "implicit"
verify = true
ca_file = "{ca}"
username = "{user}"
password_file = "{secret}"
[[relay]]
match = ["*.smart.example"]
host = "127.0.0.249"
port = {port}
fallback = ["{host}"]
tls = "required-starttls"
verify = true
ca_file = "{ca}"
username = "{user}"
password_file = "{secret}"
[[relay]]
match = ["lmtp.example"]
host = "{host}"
port = {lmtp}
transport = "lmtp"
[[relay]]
match = ["away.example"]
transport = "discard"
[[relay]]
match = ["never.example"]
transport = "error:5.7.1 We do not write to them"
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def smart(authority: Authority) -> Iterator[dict[str, Sink]]:
    """Next servers, each with its port."""
    address = "127.0.0.240"
    safe = authority.sign(address, "smart.example")
    logins = {SMART: SECRET}
    offers = {
        "implicit": encrypting(safe, implicit=True, logins=logins),
        "starttls": encrypting(safe, logins=logins),
        "lmtp": Offer(lmtp=True),
    }
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Sink({}, offer, (address,))) for name, offer in offers.items()}


@pytest.fixture(scope="module")
def shore(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, smart: dict[str, Sink]
) -> Iterator[Shore]:
    folder = tmp_path_factory.mktemp("server")
    secret = folder / "smart-secret"
    secret.touch(mode=0o600)
    secret.write_text(f"{SECRET}\n")
    with Net() as net, contextlib.closing(Server(folder)) as server:
        net.zone.authentic = True
        shore = Shore(server, net, smart["starttls"].port)
        relays = _RELAYS.format(
            ca=authority.file,
            host="127.0.0.240",
            user=SMART,
            secret=secret,
            port=shore.port,
            implicit=smart["implicit"].port,
            lmtp=smart["lmtp"].port,
        )
        to_others(server, net, shore.port, SOON, relays=relays).start()
        yield shore


@pytest.fixture(autouse=True)
def no_old_letters(shore: Shore) -> None:
    forget_letters(shore.server)


def failure(server: Server) -> dict[str, dict[str, str]]:
    """What the one notice of a failure says, as soon as it is there."""

    def look() -> dict[str, dict[str, str]]:
        [report] = reports(server)
        return told(report)

    found = within(PATIENCE, look, ValueError)
    assert {fields["action"] for fields in found.values()} == {"failed"}
    return found


# The letter


def test_octet_for_octet(shore: Shore) -> None:
    with shore.place() as place:
        hand_in(shore.server, LETTER, place.at())
        [message] = place.record.until_taken(1)
    as_sent(message, LETTER)
    assert message.sender == SENDER
    assert message.session.hello == "EHLO mail.example.test"
    assert message.session.commands[:1] == ["EHLO mail.example.test"]
    assert place.record.faults == ()


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_any_size(shore: Shore, size: int) -> None:
    letter = LETTER + (b".x\r\n" * (size // 4))
    with shore.place() as place:
        hand_in(shore.server, letter, place.at())
        [message] = place.record.until_taken(1)
    as_sent(message, letter)
    assert place.record.faults == ()


@pytest.mark.parametrize(
    "extensions", [(), ("PIPELINING",), ("8BITMIME",), ("PIPELINING", "8BITMIME"), ("CHUNKING",)]
)
def test_with_few_extensions(shore: Shore, extensions: tuple[str, ...]) -> None:
    with shore.place({}, Offer(extensions=extensions, size=None)) as place:
        hand_in(shore.server, LETTER, place.at(), place.at("b"))
        [message] = place.record.until_taken(1)
    as_sent(message, LETTER)
    assert message.taken_for == (place.at(), place.at("b"))
    assert place.record.faults == ()


def test_helo_where_ehlo_is_not_known(shore: Shore) -> None:
    with shore.place({"EHLO": "502 5.5.1 What?"}) as place:
        hand_in(shore.server, LETTER, place.at())
        [message] = place.record.until_taken(1)
    assert message.session.hello == "HELO mail.example.test"
    assert message.parameters == ()
    assert place.record.faults == ()


def test_one_round_trip(shore: Shore) -> None:
    with shore.place() as place:
        hand_in(shore.server, LETTER, place.at(), place.at("b"))
        [message] = place.record.until_taken(1)
    assert message.session.pipelined >= 2


def test_what_the_sender_wants_to_be_told_goes_on(shore: Shore) -> None:
    with shore.place() as place:
        hand_in(
            shore.server,
            LETTER,
            place.at(),
            mail=("RET=HDRS", "ENVID=a+2Bb"),
            rcpt=("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;j+2Bx@there.example"),
        )
        [message] = place.record.until_taken(1)
    assert {"RET=HDRS", "ENVID=a+2Bb"} <= set(message.parameters)
    [recipient] = message.recipients
    notify, original = sorted(recipient.parameters)
    assert set(notify.removeprefix("NOTIFY=").split(",")) == {"SUCCESS", "FAILURE"}
    assert original == "ORCPT=rfc822;j+2Bx@there.example"


# Each recipient for itself


def test_taken_put_off_and_refused_in_one_message(shore: Shore) -> None:
    table: dict[Point, Plan] = {}
    with shore.place(table) as place:
        good, later, bad = place.at("good"), place.at("later"), place.at("bad")
        place.sink.script.table = {"RCPT": {later: ["450 4.2.1 Later"], bad: "550 5.1.1 Nobody"}}
        submit(shore.server, OWN, good, later, bad)
        place.record.until_taken(2)
        found = failure(shore.server)
        assert place.record.copies(lambda _: "") == {("", good): 1, ("", later): 1}
    assert set(found) == {bad}
    assert found[bad]["status"] == "5.1.1"
    assert "550 5.1.1 Nobody" in found[bad]["diagnostic-code"]


def test_all_refused_at_the_end(shore: Shore) -> None:
    with shore.place({"END": "554 5.6.0 Not this"}) as place:
        submit(shore.server, OWN, place.at("a"), place.at("b"))
        found = failure(shore.server)
        assert set(found) == {place.at("a"), place.at("b")}
        assert {fields["status"] for fields in found.values()} == {"5.6.0"}
        assert len(place.record.transactions) == 1


def test_all_hosts_let_nobody_in_for_ever(shore: Shore) -> None:
    """RFC 5321 section 4.2.1: 554 in the place of a greeting, as from a host that takes no mail."""
    with shore.place({"CONNECT": Say("554 5.3.2 None of us", then=DROP)}) as place:
        submit(shore.server, OWN, place.at())
        assert failure(shore.server)[place.at()]["status"] == "5.3.2"


def test_greylisted(shore: Shore) -> None:
    with shore.place({"RCPT": greylisting()}) as place:
        hand_in(shore.server, LETTER, place.at(), place.at("b"))
        place.record.until(lambda record: sum(record.copies().values()) == 2)
        assert set(place.record.copies(lambda _: "").values()) == {1}


def test_lmtp_answers_for_each(shore: Shore, smart: dict[str, Sink]) -> None:
    sink = smart["lmtp"]
    sink.script.table = {"END": {"full@lmtp.example": ["452 4.2.2 Full"], "no@lmtp.example": "550 5.2.1 Off"}}
    submit(shore.server, OWN, *(f"{local}@lmtp.example" for local in ("good", "full", "no")))
    found = failure(shore.server)
    sink.record.until_taken(2)
    assert sink.record.copies(lambda _: "") == {("", "good@lmtp.example"): 1, ("", "full@lmtp.example"): 1}
    assert set(found) == {"no@lmtp.example"}
    assert sink.record.faults == ()


# Where to


def test_the_second_host_where_the_first_is_away(shore: Shore) -> None:
    with shore.place() as place:
        net, domain = shore.net, f"second.{place.domain}"
        net.domain(domain, NO_WAY, Exchanger(20, f"mx.{place.domain}", ()))
        hand_in(shore.server, LETTER, f"a@{domain}")
        [message] = place.record.until_taken(1)
    assert message.taken_for == (f"a@{domain}",)


@pytest.mark.parametrize(
    "act", [DROP, GOODBYE, Say("554 5.7.1 Go away", then=DROP)], ids=["drop", "421", "554"]
)
def test_the_second_host_where_the_first_lets_nobody_in(shore: Shore, act: Plan) -> None:
    with shore.place({"CONNECT": act}) as first, shore.place() as second:
        domain = f"both.{first.domain}"
        exchangers = (Exchanger(n, f"mx.{place.domain}", ()) for n, place in ((10, first), (20, second)))
        shore.net.domain(domain, *exchangers)
        hand_in(shore.server, LETTER, f"a@{domain}")
        second.record.until_taken(1)
        assert first.record.sessions != ()


def test_equals_share(shore: Shore) -> None:
    with shore.place() as first, shore.place() as second:
        for number in range(24):
            exchangers = (Exchanger(10, f"mx.{place.domain}", ()) for place in (first, second))
            shore.net.domain(f"n{number}.{first.domain}", *exchangers)
        wanted = [Letter(f"equal.{number}", (f"a@n{number}.{first.domain}",)) for number in range(24)]
        HandIn(shore.server, wanted).run()
        both = (first.record, second.record)
        within(PATIENCE, lambda: _all_there(24, *(record.messages for record in both)), AssertionError)
        assert first.record.messages
        assert second.record.messages


def _all_there(count: int, *parts: tuple[object, ...]) -> None:
    assert sum(map(len, parts)) == count


def test_a_domain_without_mx(shore: Shore) -> None:
    with shore.place() as place:
        domain = f"host.{place.domain}"
        shore.net.host(domain, place.sink.addresses[0])
        hand_in(shore.server, LETTER, f"a@{domain}")
        place.record.until_taken(1)


@pytest.mark.skipif(not has_ipv6(), reason="there is no ::1")
def test_the_other_version_of_ip(shore: Shore) -> None:
    with shore.place() as place:
        domain = f"both.{place.domain}"
        shore.net.domain(domain, Exchanger(10, f"mx.{domain}", ("::1", *place.sink.addresses)))
        hand_in(shore.server, LETTER, f"a@{domain}")
        place.record.until_taken(1)


@pytest.mark.parametrize(("kind", "status"), [("no mail", "5.1.10"), ("no such domain", "5.1.2")])
def test_there_is_no_way(shore: Shore, kind: str, status: str) -> None:
    domain = f"{kind.replace(' ', '-')}.nowhere.example"
    if kind == "no mail":
        shore.net.no_mail(domain)
    submit(shore.server, OWN, f"a@{domain}")
    assert failure(shore.server)[f"a@{domain}"]["status"] == status


def test_a_name_server_in_trouble_puts_off(shore: Shore) -> None:
    """That is no reason to send mail back."""
    with shore.place() as place:
        shore.net.trouble(place.domain, "servfail")
        submit(shore.server, OWN, place.at())
        deferred = f'recipient={place.at()} host="" tls="" code=451'
        within(PATIENCE, lambda: shore.server.logged().index(deferred), ValueError)
        assert reports(shore.server) == []


# TLS


@pytest.mark.parametrize("below", ["there.example", "encrypt.example", "verify.example"])
def test_with_a_right_certificate(shore: Shore, authority: Authority, below: str) -> None:
    domain = f"right.{below}"
    with shore.place({}, encrypting(authority.sign(f"mx.{domain}")), domain=domain) as place:
        hand_in(shore.server, LETTER, place.at())
        [message] = place.record.until_taken(1)
    assert message.session.tls is not None
    assert message.session.tls.name == f"mx.{domain}"
    as_sent(message, LETTER)
    assert place.record.faults == ()


@pytest.mark.parametrize("below", ["there.example", "encrypt.example"])
@pytest.mark.parametrize("wrong", ["expired", "name", "authority"])
def test_with_a_wrong_certificate(
    shore: Shore, authority: Authority, tmp_path: Path, below: str, wrong: str
) -> None:
    """Whoever wants TLS and no more takes any."""
    domain = f"{wrong}.{below}"
    with shore.place({}, _wrong(wrong, domain, authority, tmp_path), domain=domain) as place:
        hand_in(shore.server, LETTER, place.at())
        [message] = place.record.until_taken(1)
        assert message.session.tls is not None


def _wrong(what: str, domain: str, authority: Authority, folder: Path) -> Offer:
    signer = Authority(folder) if what == "authority" else authority
    return encrypting(
        signer.sign("other.example" if what == "name" else f"mx.{domain}", expired=what == "expired")
    )


def test_a_handshake_that_fails(shore: Shore, authority: Authority) -> None:
    """Then it goes in the clear, where that may be."""
    domain = "broken.there.example"
    table: dict[Point, Plan] = {"TLS": Say(b"nonsense\r\n")}
    with shore.place(table, encrypting(authority.sign(f"mx.{domain}")), domain=domain) as place:
        hand_in(shore.server, LETTER, place.at())
        [message] = place.record.until_taken(1)
    assert message.session.tls is None


def test_never_without_the_tls_that_is_asked_for(shore: Shore, authority: Authority, tmp_path: Path) -> None:
    """Each is tried twice, and nothing is said of the message."""
    verify = [f"{wrong}.verify.example" for wrong in ("expired", "name", "authority")]
    broken, none = "broken.encrypt.example", "none.encrypt.example"
    offers = {domain: _wrong(domain.partition(".")[0], domain, authority, tmp_path) for domain in verify}
    offers |= {broken: encrypting(authority.sign(f"mx.{broken}")), none: Offer()}
    with contextlib.ExitStack() as stack:
        places = []
        for domain, offer in offers.items():
            table: dict[Point, Plan] = {"TLS": Say(b"nonsense\r\n")} if domain == broken else {}
            places.append(stack.enter_context(shore.place(table, offer, domain=domain)))
        HandIn(shore.server, [Letter(f"never.{place.domain}", (place.at(),)) for place in places]).run()
        for place in places:
            place.record.until(lambda record: len(record.sessions) >= 2)
            assert place.record.transactions == ()


def test_tls_can_be_off(shore: Shore, authority: Authority) -> None:
    domain = "off.clear.example"
    with shore.place({}, encrypting(authority.sign(f"mx.{domain}")), domain=domain) as place:
        hand_in(shore.server, LETTER, place.at())
        [message] = place.record.until_taken(1)
    assert message.session.tls is None


@pytest.mark.parametrize("knows", [True, False])
def test_requiretls(shore: Shore, authority: Authority, knows: bool) -> None:
    domain = f"required-{knows}.verify.example".lower()
    offer = encrypting(authority.sign(f"mx.{domain}"), require_tls=knows)
    with shore.place({}, offer, domain=domain) as place:
        submit(shore.server, OWN, place.at(), mail=("REQUIRETLS",))
        if knows:
            [message] = place.record.until_taken(1)
            assert "REQUIRETLS" in message.parameters
        else:
            assert failure(shore.server)[place.at()]["status"] == "5.7.30"
            assert place.record.transactions == ()
        assert place.record.faults == ()


# Next servers


@pytest.mark.parametrize("kind", ["implicit", "starttls"])
def test_a_next_server_with_a_login(shore: Shore, smart: dict[str, Sink], kind: str) -> None:
    """The first one that is named for *.smart.example is away."""
    record = smart[kind].record
    hand_in(shore.server, LETTER, f"a@{kind}.smart.example")
    message = record.until_taken(1)[-1]
    assert message.taken_for == (f"a@{kind}.smart.example",)
    assert message.session.login == SMART
    assert message.session.tls is not None
    assert record.faults == ()


def test_thrown_away_and_returned(shore: Shore) -> None:
    submit(shore.server, OWN, "a@away.example", "a@never.example")
    found = failure(shore.server)
    assert set(found) == {"a@never.example"}
    assert found["a@never.example"]["status"] == "5.7.1"


# What the other server cannot


def test_utf8_address_where_it_is_not_known(shore: Shore) -> None:
    letter = OWN.replace(b"Subject: x", "Subject: Grüße".encode())
    with shore.place({}, Offer(extensions=("8BITMIME",))) as place:
        submit(shore.server, letter, place.at("jürgen"), mail=("SMTPUTF8", "BODY=8BITMIME"))
        [fields] = failure(shore.server).values()
        assert fields["status"] in {"5.6.7", "5.6.9"}
        assert place.record.messages == ()
        assert place.record.faults == ()


def test_utf8_goes_on(shore: Shore) -> None:
    letter = OWN.replace(b"Subject: x", "Subject: Grüße".encode())
    with shore.place() as place:
        submit(shore.server, letter, place.at("jürgen"), mail=("SMTPUTF8", "BODY=8BITMIME"))
        [message] = place.record.until_taken(1)
    assert message.taken_for == (place.at("jürgen"),)
    assert "SMTPUTF8" in message.parameters
    assert place.record.faults == ()


def test_8_bit_where_it_is_not_known(shore: Shore) -> None:
    """In 7 bits, or back to its sender; never as if the other side could."""
    letter = OWN + "Grüße\r\n".encode()
    with shore.place({}, Offer(extensions=("PIPELINING",))) as place:
        submit(shore.server, letter, place.at(), mail=("BODY=8BITMIME",))

        def look() -> None:
            assert place.record.messages or reports(shore.server)

        within(PATIENCE, look, AssertionError)
        assert place.record.faults == ()
        assert all(message.body.isascii() for message in place.record.messages)


def test_8_bit_that_is_none(shore: Shore) -> None:
    """Many clients say so of every text."""
    with shore.place({}, Offer(extensions=("PIPELINING",))) as place:
        hand_in(shore.server, LETTER, place.at(), mail=("BODY=8BITMIME",))
        [message] = place.record.until_taken(1)
    as_sent(message, LETTER)
    assert place.record.faults == ()


def test_too_large_for_the_other_side(shore: Shore) -> None:
    with shore.place({}, Offer(size=1000)) as place:
        submit(shore.server, OWN + b"x\r\n" * 1000, place.at())
        assert failure(shore.server)[place.at()]["status"] == "5.3.4"
        assert all(each.reached == "MAIL" for each in place.record.transactions)


# Sessions


def test_sessions_are_used_again(shore: Shore) -> None:
    count = 100
    with shore.place() as place:
        wanted = [Letter(f"again.{number}", (place.at(),)) for number in range(count)]
        HandIn(shore.server, wanted).run()
        place.record.until_taken(count)
        assert set(place.record.copies().values()) == {1}
        assert len(place.record.sessions) <= 20
        assert place.record.faults == ()
        bodies = {message.name: message.body for message in place.record.messages}
    assert all(bodies[letter.name].endswith(letter.text) for letter in wanted)


def test_held_and_released(own_server: Server) -> None:
    with Net() as net, contextlib.closing(own_server):
        shore = Shore(own_server, net)
        to_others(own_server, net, shore.port, SOON, 'outgoing = "hold"').start()
        with shore.place() as place:
            wanted = [Letter(f"held.{number}", (place.at(),)) for number in range(20)]
            HandIn(own_server, wanted).run()
            submit(own_server, OWN, JOE)
            within(PATIENCE, lambda: own_server.messages()[0], IndexError)
            assert place.record.sessions == ()
            to_others(own_server, net, shore.port, SOON, 'outgoing = "allow"')
            own_server.reload()
            place.record.until_taken(20)
            assert set(place.record.copies().values()) == {1}


def test_local_only(own_server: Server) -> None:
    with Net() as net:
        to_others(own_server, net, 25, 'outgoing = "local-only"').start()
        with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"5\.7\.1"):
            submit(own_server, OWN, "a@there.example")
