"""Who is in From: by the grammar, or nobody (RFC 5322 section 3.4)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.header_addresses import (
    MAX_ADDRESSES,
    MAX_VALUE_OCTETS,
    Authors,
    read_addresses,
    read_authors,
)
from mailsuite.model.address import Address, AddressSyntaxError

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.org")


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b" joe@example.net", [JOE]),
        (b"<joe@example.net>", [JOE]),
        (b" Joe Doe <joe@example.net>", [JOE]),
        (b' "Doe, Joe <ceo@bank.example>" <joe@example.net>', [JOE]),
        (b' "Joe \\"ceo@bank.example\\" Doe" <joe@example.net>', [JOE]),
        (b" J. Doe <joe@EXAMPLE.net>", [JOE]),
        (b" (ceo@bank.example (or <so@bank.example>) \\) ) joe (x) @ (y) example.net (z)", [JOE]),
        (b" joe@example.net,\r\n\tAnn <ann@example.org>", [JOE, ANN]),
        (b" , joe@example.net ,, ann@example.org,", [JOE, ANN]),
        (b" Us: joe@example.net, ,Ann <ann@example.org>;", [JOE, ANN]),
        (b" nobody:;", []),
        (b" Us: joe@example.net;, ann@example.org", [JOE, ANN]),
        (b" <@a.example,@b.example:joe@example.net>", [JOE]),
        (b' "joe"@example.net', [JOE]),
        (b' "jo\\e"@example.net', [JOE]),
        (b' "a b"@example.net', [Address("a b", "example.net")]),
        (b' "ceo@bank.example"@example.net', [Address("ceo@bank.example", "example.net")]),
        (b" joe@[192.0.2.1]", [Address("joe", "[192.0.2.1]")]),
        (b" joe@[IPv6:2001:DB8::1]", [Address("joe", "[IPv6:2001:db8::1]")]),
        (b" =?utf-8?Q?ceo=40bank=2Eexample?= <joe@example.net>", [JOE]),
        (" Jörg <jörg@exämple.net>".encode(), [Address("jörg", "xn--exmple-cua.net")]),
        (b" J\xf6rg <joe@example.net>", [JOE]),
        (b"", []),
    ],
)
def test_by_the_grammar(value: bytes, addresses: list[Address]) -> None:
    assert list(read_addresses(value)) == addresses


@pytest.mark.parametrize(
    "value",
    [
        b"joe",
        b"Joe Doe",
        b"@example.net",
        b"joe@",
        b"<>",
        b"<joe@example.net",
        b"joe@example.net>",
        b"<joe@example.net> <ann@example.org>",
        b"<joe@example.net> x",
        b"joe@example.net <ann@example.org>",
        b"<joe@example.net>ann@example.org",
        b"joe@example.net ann@example.org",
        b"joe@example.net@example.org",
        b"joe@bank.example\x00@example.net",
        b"joe@example.net\x00",
        b"joe\x7f@example.net",
        b"joe@example.net\nann@example.org",
        b"joe@example.net; ann@example.org",
        b".joe@example.net",
        b"joe.@example.net",
        b"jo..e@example.net",
        b"jo e@example.net",
        b"jo(c)e@example.net",
        b"joe@exa(c)mple.net",
        b"joe@example . net",
        b'"joe".doe@example.net',
        b'""@example.net',
        b'"joe@example.net',
        b"joe@example.net (",
        b"joe@example.net )",
        b'"joe@example.net\\"',
        b"joe\\@example.net",
        b"joe@[192.0.2.1",
        b"joe@[300.0.2.1]",
        b"joe@example.net.",
        b"joe@-example.net",
        b"joe@" + b"a." * 200 + b"net",
        b"j" * 65 + b"@example.net",
        b"joe@ex\xe4mple.net",
        b"j\xf6rg@example.net",
        b"group: joe@example.net",
        b"group: joe@example.net ann@example.org;",
        b"group: other: joe@example.net;;",
        b": joe@example.net;",
        b"group:; ann@example.org",
        b"<@a.example joe@example.net>",
        b"<@a.example",
        b"<@a.example,b.example:joe@example.net>",
        b"<@:joe@example.net>",
        b"<Joe <joe@example.net>>",
        b"[joe@example.net]",
    ],
)
def test_what_is_not_by_the_grammar_has_no_addresses(value: bytes) -> None:
    with pytest.raises(AddressSyntaxError):
        read_addresses(value)
    assert read_authors([value]) == Authors((), True)


@pytest.mark.parametrize(
    ("values", "authors"),
    [
        ([], Authors()),
        ([b" joe@example.net"], Authors((JOE,))),
        ([b" joe@example.net", b" ann@example.org"], Authors((JOE, ANN), True)),
        ([b" joe@example.net", b" ann"], Authors((JOE,), True)),
        ([b""], Authors((), True)),
        ([b" nobody:;"], Authors((), True)),
        ([b"a@b.example," * MAX_ADDRESSES], Authors((Address("a", "b.example"),) * MAX_ADDRESSES)),
        ([b"a@b.example," * (MAX_ADDRESSES + 1)], Authors((), True)),
        ([b"a@b.example", b" " * MAX_VALUE_OCTETS], Authors((), True)),
    ],
)
def test_all_fields_together(values: list[bytes], authors: Authors) -> None:
    assert read_authors(values) == authors


names = st.text(st.characters(exclude_categories=["C"]), max_size=20).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '" '
)
comments = st.sampled_from(["", " ", "(joe@example.net)", " (a (b) \\( c) ", "\r\n\t"])
mailboxes = st.builds(
    Address.of,
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12),
    st.sampled_from(["example.net", "[192.0.2.1]", "xn--exmple-cua.net"]),
)


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Address]:
    address = draw(mailboxes)
    if draw(st.booleans()):
        return f"{draw(names)}{draw(comments)}<{draw(comments)}{address}{draw(comments)}>", address
    return f"{draw(comments)}{address}{draw(comments)}", address


@given(st.lists(written(), max_size=5))
def test_what_is_written_is_read(parts: list[tuple[str, Address]]) -> None:
    value = ",".join(text for text, _ in parts).encode()
    assert read_addresses(value) == tuple(address for _, address in parts)


@given(st.binary(max_size=200) | st.text(' \t\r\n()<>[]:;@\\,."ab1', max_size=60).map(str.encode))
def test_nothing_else_is_raised_and_nothing_is_made_up(value: bytes) -> None:
    authors = read_authors([value])
    assert authors.broken is not bool(authors.addresses)
    plain = value.decode("utf-8", "surrogateescape").replace("\\", "").lower()
    for address in authors.addresses:
        assert Address.of(address.local, address.domain) == address
        assert address.local.lower() in plain or "\t" in plain or "\r\n" in plain


@pytest.mark.parametrize(
    "part",
    [b",", b"(", b'"', b"\\", b"a ", b"a@b,", b"<", b"[", b'"\\"', b"()", b"a:;", "\u00df\uff0e".encode()],
)
def test_no_value_takes_long(part: bytes) -> None:
    before = time.process_time()
    read_authors([b"<" + part * (MAX_VALUE_OCTETS // len(part) - 1)])
    read_authors([part * (MAX_VALUE_OCTETS // len(part))])
    assert time.process_time() - before < 1.0
