"""Questions and responses as octets: right ones, wrong ones, and those to other questions."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from ipaddress import ip_address

import attrs
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.dns import Association
from mailsuite.resolver.codec import (
    UDP_PAYLOAD,
    Miscased,
    NoExtensions,
    Stray,
    Truncated,
    Unusable,
    asked,
    read,
)
from mailsuite.resolver.message import MAX_RECORDS
from mailsuite.resolver.question import Question, Type, plain, reverse_name, text_of
from mailsuite.resolver.records import values_of
from tests.dns_server import Zone

NAME = "host.example.test"


def all_ones(count):
    return (1 << count) - 1


def zeros(count):
    return 0


def sent(name=NAME, kind=Type.A, bits=all_ones, **more):
    return asked(Question(name, kind), bits, **more)


def zone(**settings):
    made = Zone(**settings)
    made.host(NAME, "192.0.2.1")
    return made


def response(to, fault=None, of=None):
    made = of or zone()
    if fault is not None:
        made.faults[""] = fault
    *_, last = made.respond(to.encode(), "udp")
    return last


def test_a_query_on_the_wire():
    query = dns.message.from_wire(sent(bits=lambda count: 0b1001 if count == len(NAME) else 0xBEEF).encode())
    assert query.id == 0xBEEF
    assert query.question[0].to_text() == "HosT.example.test. IN A"
    assert query.flags == dns.flags.RD | dns.flags.AD
    assert (query.edns, query.payload, query.ednsflags) == (0, UDP_PAYLOAD, 0)
    assert dns.message.from_wire(sent(edns=False).encode()).edns == -1


def test_letter_case_is_drawn_and_no_letter_of_it_left_out():
    assert sent(bits=zeros).name.to_text() == "host.example.test."
    assert sent(bits=all_ones).name.to_text() == "HOST.EXAMPLE.TEST."


def test_an_answer():
    question = sent()
    octets = response(question)
    reading = read(octets, question)
    assert values_of(Type.A, reading.records) == (ip_address("192.0.2.1"),)
    assert (reading.exists, reading.authentic, reading.ttl) == (True, False, 300)
    assert (reading.octets, reading.alias) == (len(octets), "")
    assert read(response(question, of=zone(authentic=True)), question).authentic


@pytest.mark.parametrize(("name", "exists"), [(NAME, True), ("none.test", False), ("example.test", True)])
def test_there_is_none(name, exists):
    question = sent(name, Type.TXT)
    reading = read(response(question, of=zone(minimum=77)), question)
    assert (reading.records, reading.exists, reading.ttl) == ((), exists, 77)


def test_without_soa_it_is_not_kept():
    question = sent("none.test")
    reading = read(response(question, "no-soa"), question)
    assert (reading.exists, reading.ttl) == (False, 0)
    known = sent(NAME, Type.TXT)
    assert read(response(known, "no-soa"), known).ttl == 0


def aliases():
    made = zone()
    made.add("one.test", "CNAME", "Two.test.")
    made.add("two.test", "CNAME", f"{NAME}.")
    made.add("lost.test", "CNAME", "none.test.")
    made.add("odd.test", "CNAME", r"a\.b.test.")
    made.add("ring.test", "CNAME", "ring.test.")
    return made


def test_aliases_are_followed_within_a_response():
    question = sent("one.test")
    assert len(read(response(question, of=aliases()), question).records) == 1
    question = sent("lost.test")
    assert not read(response(question, of=aliases()), question).exists


def test_the_first_alias_alone():
    question = sent("one.test")
    reading = read(response(question, "unfinished", aliases()), question)
    assert (reading.records, reading.alias) == ((), "two.test")
    question = sent("odd.test")
    with pytest.raises(Unusable, match="no name"):
        read(response(question, "unfinished", aliases()), question)


def test_a_circle():
    question = sent("ring.test")
    with pytest.raises(Unusable, match="on and on"):
        read(response(question, of=aliases()), question)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("servfail", Unusable),
        ("refused", Unusable),
        ("no-edns", NoExtensions),
        ("garbage", Unusable),
        ("wrong-id", Stray),
        ("wrong-name", Stray),
        ("wrong-type", Stray),
        ("lower-case", Miscased),
        ("truncate", Truncated),
        ("huge", Truncated),
        ("referral", Unusable),
    ],
)
def test_what_is_no_answer(fault, error):
    question = sent()
    with pytest.raises(error) as caught:
        read(response(question, fault), question)
    assert type(caught.value) is error


def test_letter_case_is_not_looked_at_where_nobody_can_guess():
    question = attrs.evolve(sent(), cased=False)
    assert read(response(question, "lower-case"), question).records


def test_a_server_that_refuses_what_has_no_extensions():
    question = sent(edns=False)
    answer = dns.message.make_response(dns.message.from_wire(question.encode()))
    answer.set_rcode(dns.rcode.FORMERR)
    with pytest.raises(Unusable) as caught:
        read(answer.to_wire(), question)
    assert type(caught.value) is Unusable


def test_a_response_without_a_question_is_none():
    question = sent()
    answer = dns.message.from_wire(response(question))
    answer.question = []
    with pytest.raises(Stray):
        read(answer.to_wire(), question)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda octets: octets[:2] + b"\x00\x00" + octets[4:],
        lambda octets: octets[:2] + bytes([octets[2] | 0x78]) + octets[3:],
        lambda octets: octets[:11],
        lambda octets: b"",
    ],
)
def test_what_is_no_response(spoil):
    question = sent()
    with pytest.raises(Stray):
        read(spoil(response(question)), question)


def test_contradictions():
    question = sent()
    answer = dns.message.from_wire(response(question))
    answer.set_rcode(dns.rcode.NXDOMAIN)
    with pytest.raises(Unusable, match="no such name"):
        read(answer.to_wire(), question)
    octets = response(question)
    with pytest.raises(Unusable, match="malformed"):
        read(octets + b"x", question)
    with pytest.raises(Unusable, match="malformed"):
        read(octets[:-3], question)


@given(st.binary(max_size=300))
def test_no_octets_do_more_than_be_refused(octets):
    question = sent(bits=zeros)
    for data in (octets, question.encode()[:2] + b"\x80\x80" + octets, response(question) + octets):
        with suppress(Stray, Miscased, Truncated, Unusable):
            read(data, question)


@given(st.data())
def test_no_spoilt_response_does_more_than_be_refused(data):
    question = sent("one.test", bits=zeros)
    octets = bytearray(response(question, of=aliases()))
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(2, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        reading = read(bytes(octets), question)
    except (Stray, Miscased, Truncated, Unusable):
        return
    values_of(Type.A, reading.records)


# Records


def values(kind, *texts):
    made = Zone()
    made.add(NAME, kind.name, *texts)
    question = sent(NAME, kind)
    return values_of(kind, read(response(question, of=made), question).records)


def test_hosts_that_are_no_names_are_left_out():
    odd = (r"a\.b.test.", r"a\032b.test.", r"\255.test.", ".", "good.TEST.")
    assert values(Type.PTR, *odd) == ("good.test",)
    assert values(Type.MX, r"5 a\032b.test.", "10 good.test.") == ((10, "good.test"),)


def test_a_null_mx_is_one_alone():
    assert values(Type.MX, "5 .") == ((0, ""),)
    assert values(Type.MX, "0 .", "10 b.test.", "5 a.test.") == ((5, "a.test"), (10, "b.test"))
    assert values(Type.MX, r"5 a\032b.test.") == ()


def test_texts_and_associations():
    assert values(Type.TXT, '"a" "b"', '"c"') == (b"ab", b"c")
    assert values(Type.TLSA, "3 1 0 abcd") == (Association(3, 1, 0, b"\xab\xcd"),)
    assert values(Type.AAAA, "2001:db8::1") == (ip_address("2001:db8::1"),)


def test_an_answer_is_of_limited_size():
    many = [f"192.0.{number // 200}.{number % 200}" for number in range(MAX_RECORDS + 20)]
    assert len(values(Type.A, *many)) == MAX_RECORDS


def deep_names(count):
    """A response that names *count* hosts, each with as many labels as fit: 18 octets for each."""
    question = sent("1.2.0.192.in-addr.arpa", Type.PTR)
    header = struct.pack("!6H", question.id, 0x8180, 1, count, 0, 0)
    octets = header + question.name.to_wire() + struct.pack("!2H", Type.PTR, 1)
    deep = len(octets) + 12
    for number in range(count):
        label = b"%04x" % number
        host = b"\4" + label + (struct.pack("!H", 0xC000 + deep + 5) if number else b"\1a" * 120 + b"\0")
        octets += struct.pack("!3HIH", 0xC00C, Type.PTR, 1, 0, len(host)) + host
    return question, octets


def test_names_of_many_labels_cost_what_they_weigh():
    """Whoever has an address says what its names are, and may not keep us busy by that: as many calls as it
    takes to look at each label once, where the library makes a hundred times as many."""
    question, octets = deep_names(3000)
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        reading = read(octets, question)
    finally:
        sys.setprofile(None)
    assert len(reading.records) == MAX_RECORDS
    assert values_of(Type.PTR, reading.records)[1].startswith("0001.a.a.a.")
    assert calls < 200_000


def message(**sections):
    """A response to sent(), with records of these sections as text."""
    made = dns.message.make_response(dns.message.from_wire(sent().encode()))
    made.flags |= dns.flags.RA
    for section, records in sections.items():
        for name, *record in records:
            getattr(made, section).append(dns.rrset.from_text(name, *record))
    return made.to_wire()


def test_what_nobody_asked_for_is_passed_over():
    signature = "A 8 2 300 20300101000000 20200101000000 1 example.test. AAAA"
    stranger = ("other.test.", 300, "IN", "A", "192.0.2.66")
    answer = ((f"{NAME}.", 300, "IN", "RRSIG", signature), stranger, (f"{NAME}.", 60, "IN", "A", "192.0.2.1"))
    further = ((f"{NAME}.", 300, "IN", "A", "192.0.2.77"),)
    reading = read(message(answer=answer, additional=further), sent())
    assert (values_of(Type.A, reading.records), reading.ttl) == ((ip_address("192.0.2.1"),), 60)


def test_only_the_zone_itself_says_for_how_long_there_is_none():
    start = ("IN", "SOA", "a. b. 1 2 3 4 60")
    assert read(message(authority=(("test.", 300, *start),)), sent()).ttl == 60
    assert read(message(authority=(("elsewhere.", 300, *start),)), sent()).ttl == 0


def test_a_time_beyond_all_times_is_none():
    octets = message(answer=((f"{NAME}.", 0x7FFFFFFF, "IN", "A", "192.0.2.1"),))
    assert read(octets, sent()).ttl == 0x7FFFFFFF
    assert read(octets.replace(b"\x7f\xff\xff\xff", b"\x80\0\0\0"), sent()).ttl == 0


def test_a_version_of_extensions_that_the_server_does_not_know():
    made = dns.message.make_response(dns.message.from_wire(sent().encode()))
    made.set_rcode(dns.rcode.BADVERS)
    with pytest.raises(NoExtensions, match="BADVERS"):
        read(made.to_wire(), sent())


@pytest.mark.parametrize("label", [b"\x40", b"\xbf"])
def test_labels_of_a_kind_that_there_is_not(label):
    octets = message(answer=((f"{NAME}.", 300, "IN", "TXT", "x"),))
    place = octets.index(b"\xc0\x0c")
    with pytest.raises(Unusable, match="FormError"):
        read(octets[:place] + label + b"x" * 191 + octets[place:], sent())


def test_two_records_for_extensions():
    made = message()
    extension = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
    octets = made[:10] + b"\0\2" + made[12:].removesuffix(extension) + extension * 2
    with pytest.raises(Unusable, match="FormError"):
        read(octets, sent())


# Names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mail.Example.NET", "mail.example.net"),
        ("mail.example.net.", "mail.example.net"),
        ("_25._tcp.mail.example.net", "_25._tcp.mail.example.net"),
        ("localhost", "localhost"),
        ("-a.test", "-a.test"),
        ("a" * 63 + ".test", "a" * 63 + ".test"),
        ("a" * 64 + ".test", None),
        (("a" * 62 + ".") * 4 + "b", ("a" * 62 + ".") * 4 + "b"),
        (("a" * 62 + ".") * 4 + "bc", None),
        ("", None),
        (".", None),
        ("a..b", None),
        ("a.b..", None),
        ("a b", None),
        ("a\n", None),
        ("[192.0.2.1]", None),
        ("bücher.test", None),
    ],
)
def test_what_is_a_name(text, name):
    assert plain(text) == name


def test_the_root_has_no_text():
    assert text_of(dns.name.root) == ""
    assert text_of(dns.name.from_text("A.test.")) == "a.test"


def test_where_names_of_addresses_stand():
    assert reverse_name(ip_address("192.0.2.1")) == "1.2.0.192.in-addr.arpa"
    assert reverse_name(ip_address("2001:db8::1")) == "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"
