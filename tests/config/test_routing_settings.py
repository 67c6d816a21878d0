"""Settings of where mail goes: read, written, refused, and what they make of domains and of the router."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailsuite.config.kinds_routing import Aliases, Patterns, aliases_of
from mailsuite.config.schema import Config
from mailsuite.config.values import as_toml, values
from mailsuite.model.account import Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias, AliasPattern
from mailsuite.model.origin import Origin
from mailsuite.model.rate import Rate
from tests.config.conftest import LoadText

JOE, ANN = Address("joe", "example.net"), Address("ann", "example.net")
DOMAIN = '[[domain]]\nname = "example.net"\n'


def accepted(load_text: LoadText, text: str) -> Config:
    loaded = load_text(text)
    assert not loaded.errors, loaded.errors
    return loaded.accepted()


def error(load_text: LoadText, text: str) -> str:
    (found,) = load_text(text).errors
    return str(found)


def test_what_is_said_of_a_domain(load_text: LoadText) -> None:
    config = accepted(
        load_text,
        DOMAIN
        + r"""
recipient_delimiter = "+-"
catch_all = ["Ann@example.net", "ann@example.net"]
catch_all_except = ["Root", "info"]
aliases = { Postmaster = "Joe", "first.last" = ["joe", "ann@example.net", "joe"], bin = "/dev/null" }
alias_patterns = { 'list-(.+)' = 'lists+\1', "quiet-.+" = ":discard" }
[[domain]]
name = "example.org"
same_as = "EXAMPLE.net"
catch_all = "none"
recipient_delimiter = "none"
[[domain]]
name = "example.com"
""",
    )
    first, second, third = (block.routed(block.domain) for block in config.domains)
    assert first == Domain(
        "example.net",
        Origin.FILE,
        delimiters="+-",
        catch_all=(ANN,),
        catch_all_except=frozenset({"root", "info"}),
        patterns=(AliasPattern("list-(.+)", (r"lists+\1",)), AliasPattern("quiet-.+", ())),
    )
    assert second == Domain("example.org", Origin.FILE, same_as="example.net", catch_all=(), delimiters="")
    assert third == Domain("example.com", Origin.FILE)
    assert config.domains[0].aliases_in("example.net") == (
        Alias(Address("postmaster", "example.net"), (JOE,), Origin.FILE),
        Alias(Address("first.last", "example.net"), (JOE, ANN), Origin.FILE),
        Alias(Address("bin", "example.net"), (), Origin.FILE),
    )
    again = accepted(load_text, as_toml(values(config)))
    assert again.domains == config.domains


def test_what_the_server_says(load_text: LoadText) -> None:
    config = accepted(load_text, "")
    assert (config.delivery.unknown_user, config.smtp.recipient_delimiter) == ((), "+")
    assert config.delivery.catch_all_rate == Rate(100, 3600.0)
    text = '[delivery]\nunknown_user = "catchall:Ann@example.net"\ncatch_all_rate = "5/1m"\n'
    config = accepted(load_text, f'{text}[smtp]\nrecipient_delimiter = "_-"\n')
    assert (config.delivery.unknown_user, config.smtp.recipient_delimiter) == ((ANN,), "_-")
    assert config.delivery.catch_all_rate == Rate(5, 60.0)
    again = accepted(load_text, as_toml(values(config)))
    assert (again.delivery, again.smtp) == (config.delivery, config.smtp)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('recipient_delimiter = "."', "expected characters out of +-_"),
        ('recipient_delimiter = "++"', "expected characters out of +-_"),
        ("aliases = 'joe'", "expected names and what they stand for"),
        ("aliases = { joe = 1 }", "joe: 1 is wrong here"),
        ("aliases = { joe = [] }", "joe: a list is wrong here"),
        ("aliases = { joe = ['ann', ''] }", "joe: a list is wrong here"),
        ("aliases = { joe = ['ann', ':discard'] }", "joe: :discard stands alone"),
        ("aliases = { 'a b' = 'joe' }", "a b: the part before the @ has a character that needs quoting"),
        ("aliases = { joe = '|cat' }", "joe: mail is not given to programs here"),
        ("aliases = { joe = '/var/mail/joe' }", "joe: mail is not written to files here"),
        ("aliases = { joe = ':include:/etc/list' }", "only :discard is known here"),
        ("aliases = { Joe = 'ann', joe = 'bob' }", "joe stands twice"),
        ("aliases = { 'joe@example.net' = 'ann' }", "joe@example.net: "),
        ("alias_patterns = { '(a+)+' = 'joe' }", "a group cannot be repeated"),
        ("alias_patterns = { '(.+)' = 'joe@\\1' }", "anybody could send anywhere"),
        ("catch_all = []", "expected a mail address or a list of them"),
        ("catch_all = 'joe'", "there is no @ in it"),
        ("catch_all_except = ['a b']", "needs quoting"),
        ("same_as = 'example net'", "expected a host name"),
    ],
)
def test_what_is_refused_of_a_domain(load_text: LoadText, line: str, why: str) -> None:
    assert why in error(load_text, f"{DOMAIN}{line}\n")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('unknown_user = "bounce"', 'expected "reject", or for example "catchall:box@example.net"'),
        ('unknown_user = "catchall:box"', "there is no @ in it"),
        ('catch_all_rate = "0"', "is no limit, and without one"),
        ("catch_all_rate = 0", "is no limit, and without one"),
        ('catch_all_rate = "often"', "is no rate"),
    ],
)
def test_what_is_refused_of_delivery(load_text: LoadText, line: str, why: str) -> None:
    assert why in error(load_text, f"[delivery]\n{line}\n")


def problems(load_text: LoadText, text: str) -> list[tuple[str, str]]:
    return [(one.severity, one.text) for one in load_text(text).problems]


def test_what_leads_somewhere_is_no_problem(load_text: LoadText) -> None:
    text = f"""{DOMAIN}aliases = {{ sales = ["joe", "ann@example.org"] }}
catch_all = "box@example.org"
[[domain]]
name = "example.org"
same_as = "example.net"
"""
    assert problems(load_text, text) == []


@pytest.mark.parametrize(
    ("text", "severity", "why"),
    [
        (f'{DOMAIN}same_as = "example.net"\n', "error", "same_as names the domain itself"),
        (f'{DOMAIN}same_as = "example.org"\n', "warning", "example.org is no domain of this file"),
        (f'{DOMAIN}aliases = {{ joe = "joe" }}\n', "error", "joe@example.net leads to itself"),
        (f'{DOMAIN}aliases = {{ joe = "joe@far.example" }}\n', "warning", "leads to joe@far.example: far"),
        (f'{DOMAIN}catch_all = "joe@far.example"\n', "warning", "catch_all: joe@far.example: far"),
        ('[delivery]\nunknown_user = "catchall:x@far.example"\n', "warning", "unknown_user: x@far.example"),
        (
            f'{DOMAIN}aliases = {{ joe = "ann" }}\n[[account]]\naddress = "joe@example.net"\nstate = "off"\n',
            "warning",
            "joe@example.net is an account, which gets its mail itself",
        ),
        (
            '[[listener]]\nname = "mx"\nservice = "smtp"\nrecipient_delimiter = "-"\n',
            "error",
            "recipient_delimiter in a listener",
        ),
    ],
)  # fmt: skip
def test_what_leads_nowhere(load_text: LoadText, text: str, severity: str, why: str) -> None:
    found = problems(load_text, text)
    assert [one for one, said in found if why in said] == [severity], found


def test_domains_that_stand_for_one_another(load_text: LoadText) -> None:
    other = '[[domain]]\nname = "example.org"\nsame_as = "example.com"\n'
    ((severity, said), _) = problems(load_text, f'{DOMAIN}same_as = "example.org"\n{other}')
    assert severity == "error"
    assert said.endswith('example.org itself stands for example.com; write same_as = "example.com"')
    circle = f'{DOMAIN}same_as = "example.org"\n{other.replace("example.com", "example.net")}'
    assert [severity for severity, _ in problems(load_text, circle)] == ["error", "error"]


def test_names_that_toml_would_read_otherwise(tmp_path: Path) -> None:
    for kind, names in ((Aliases(), ["a.b", "a=b"]), (Patterns(), [r"a\.b", '"'])):
        written = kind.write(tuple((name, ("joe", "ann")) for name in names))
        assert isinstance(written, dict)
        assert [key[0] + key[-1] for key in written] == ['""', '""']
    assert aliases_of((("x", ()),), "a.example") == {Address("x", "a.example"): ()}
