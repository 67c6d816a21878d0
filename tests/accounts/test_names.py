"""Whose account a login name means, and which names are nobody's."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.accounts.names import MAX_NAME_OCTETS, account_address, login_address
from mailsuite.concurrent.now import run_now
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

JOE = Address("joe", "example.net")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("joe@example.net", JOE),
        ("JOE@Example.NET", JOE),
        ("joe", JOE),
        ("Joe", JOE),
        ("joe.doe+list", Address("joe.doe+list", "example.net")),
        ("joe@MÜNCHEN.example", Address("joe", "xn--mnchen-3ya.example")),
        ("joe@xn--mnchen-3ya.example", Address("joe", "xn--mnchen-3ya.example")),
        ("joe@ex\u0430mple.net", Address("joe", "xn--exmple-4nf.net")),
        ("o'brien@example.org", Address("o'brien", "example.org")),
        ("a" * 64, Address("a" * 64, "example.net")),
        ("J\u00dcRGEN", Address("j\u00fcrgen", "example.net")),
        ("ju\u0308rgen@example.net", Address("j\u00fcrgen", "example.net")),
        ("\uff2a\uff4f\uff45", JOE),  # full-width letters, as an input method gives them
        ("\u0623\u062d\u0645\u062f", Address("\u0623\u062d\u0645\u062f", "example.net")),
        ("jo\u0435", Address("jo\u0435", "example.net")),  # somebody else than joe
    ],
)
def test_a_name_means_an_account(name, address):
    assert account_address(name, "example.net") == address


@pytest.mark.parametrize(
    "name",
    [
        "",
        "@",
        "joe@",
        "@example.net",
        "joe@@example.net",
        "joe@doe@example.net",
        ".",
        "..",
        "../joe",
        "joe/../ann",
        "joe/doe",
        "/etc/passwd",
        "joe@../../etc",
        "joe@example.net/x",
        "joe\\doe",
        "joe..doe",
        ".joe",
        "joe.",
        "joe\0",
        "joe\0@example.net",
        "joe@example.net\0",
        "joe@example\0.net",
        "joe\n",
        "joe@example.net\n",
        "joe@example.net\r",
        "joe\x7f",
        "joe\t",
        " joe",
        "joe ",
        "joe doe",
        "*",
        "j*e",
        "j?e",
        "[j]oe",
        "*@example.net",
        "joe@*",
        "joe@example.*",
        '"joe"',
        '"joe"@example.net',
        "<joe@example.net>",
        "joe,ann",
        "\u212aoe",  # the Kelvin sign becomes an ASCII k in lower case
        "jo\u00e9/doe",
        "jo\u00e9*",
        "jo\u200de",
        "\ufb01nn",  # a ligature
        "jo\u00a0e",
        "jo\u2024e",  # a compatible full stop
        "a\u0660\u06f0",  # digits of two scripts, from right to left
        "\u00e9" * 33,
        "\udc80",
        "joe@\udc80",
        "joe@[192.0.2.1",
        "a" * 65,
        "a" * 64 + "@" + "a." * 130 + "net",
        "a" * 1_000_000,
    ],
)
def test_such_a_name_is_nobody_s(name):
    with pytest.raises(AddressSyntaxError):
        account_address(name, "example.net")


def test_without_a_default_domain_a_bare_name_is_nobody_s():
    with pytest.raises(AddressSyntaxError):
        account_address("joe")


def test_the_longest_name_of_all_is_read():
    domain = ".".join(["d" * 63] * 3 + ["d" * 63])
    name = "a" * 64 + "@" + domain
    assert len(name) == MAX_NAME_OCTETS
    assert account_address(name) == Address("a" * 64, domain)


@given(st.text(max_size=400), st.sampled_from(["", "example.net"]))
def test_any_text_is_an_account_or_refused(text, default_domain):
    try:
        address = account_address(text, default_domain)
    except AddressSyntaxError:
        return
    assert address == address.canonical == Address.parse(str(address))
    assert address.domain.isascii()
    assert not set(str(address)) & set("/*?\\\0")


@attrs.frozen
class Rules:
    default_domain: str = "example.net"
    alternate_at: str = ""


def found(name, *accounts, rules=Rules("example.net", "#$%"), boxes=False):
    directory = MemoryDirectory([Account(Address.parse(each)) for each in accounts])
    named = run_now(login_address(name, rules, directory, boxes=boxes))
    if named is None:
        return None
    return f"{named.address} {named.box.value}".strip()


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("joe", "joe@example.net"),
        ("joe#example.org", "joe@example.org"),
        ("JOE#Example.ORG", "joe@example.org"),
        ("joe$example.org", "joe@example.org"),
        ("joe#doe#example.org", "joe#doe@example.org"),
        ("joe#doe%example.org", "joe#doe@example.org"),
        ("joe%doe#example.org", "joe%doe@example.org"),
        ("joe#doe@example.org", "joe#doe@example.org"),
        ("joe!example.org", "joe!example.org@example.net"),
        ("joe#exa mple", None),
        ("joe#", "joe#@example.net"),
        ("#joe", "#joe@example.net"),
    ],
)
def test_the_last_alternate_at_stands_for_it(name, address):
    assert found(name) == address


def test_a_literal_name_wins():
    both = ("joe#example.org@example.net", "joe@example.org")
    assert found("joe#example.org", *both) == both[0]
    assert found("joe#example.org", both[1]) == both[1]
    assert found("joe#example.org@example.net", *both) == both[0]


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("joe@example.net", "joe@example.net"),
        ("joe+trash@example.net", "joe@example.net trash"),
        ("JOE+Trash@Example.NET", "joe@example.net trash"),
        ("joe+trash", "joe@example.net trash"),
        ("joe+trash+restore@example.net", "joe@example.net trash+restore"),
        ("joe+TRASH+restore", "joe@example.net trash+restore"),
        ("joe+trash#example.org", "joe@example.org trash"),
        ("joe+trash+restore%example.org", "joe@example.org trash+restore"),
        ("joe#doe+trash", "joe#doe@example.net trash"),
        ("joe+list+trash", "joe+list@example.net trash"),
        ("JÜRGEN+trash@example.net", "jürgen@example.net trash"),
        ("joe\uff0btrash", "joe@example.net trash"),
        ("a" * 64 + "+trash", "a" * 64 + "@example.net trash"),
        ("joe+trash+trash", "joe+trash@example.net trash"),
        ("joe+restore", "joe+restore@example.net"),
        ("joe+", "joe+@example.net"),
        ("joe+trashcan", "joe+trashcan@example.net"),
        ("joe.+trash", "joe.+trash@example.net"),
        ("+trash", "+trash@example.net"),
        ("../joe+trash", None),
        ("joe+trash@", None),
        ("a" * 65 + "+trash", None),
    ],
)
def test_an_ending_names_a_box(name, meaning):
    assert found(name, boxes=True) == meaning


def test_an_account_that_is_called_so_literally_wins_over_a_box():
    literal, owner = "joe+trash@example.net", "joe@example.net"
    for name in ("joe+trash@example.net", "JOE+trash", "joe+trash#example.net"):
        assert found(name, literal, owner, boxes=True) == literal
        assert found(name, owner, boxes=True) == f"{owner} trash"
        assert found(name, boxes=True) == f"{owner} trash", "there need be nobody"
    assert found("joe+trash+restore", literal, owner, boxes=True) == f"{owner} trash+restore"
    assert found("joe+trash+trash", literal, owner, boxes=True) == f"{literal} trash"
    assert found("joe#example.org+trash", "joe#example.org+trash@example.net", boxes=True) == (
        "joe#example.org+trash@example.net"
    )


def test_where_boxes_have_no_names_it_is_somebody_of_that_name():
    assert found("joe+trash@example.net", "joe@example.net") == "joe+trash@example.net"


@pytest.mark.parametrize("rules", [Rules(), Rules("example.net", "#%")])
def test_the_directory_is_asked_the_same_whoever_exists(rules):
    class Counting(MemoryDirectory):
        asked = ()

        async def account(self, address):
            self.asked = (*self.asked, address)
            return await super().account(address)

    for name in ("joe+trash@example.net", "joe+trash+restore", "joe+trash#example.net"):
        asked = []
        for accounts in ([], [Account(JOE)]):
            directory = Counting(accounts)
            run_now(login_address(name, rules, directory, boxes=True))
            asked.append(directory.asked)
        assert asked[0] == asked[1]


@given(st.text(max_size=40), st.sampled_from(["", "+trash", "+trash+restore"]))
def test_any_name_with_an_ending_means_an_account_or_nobody(text, ending):
    named = run_now(login_address(text + ending, Rules(), MemoryDirectory(), boxes=True))
    plain = run_now(login_address(text, Rules(), MemoryDirectory()))
    if named is not None:
        assert named.address == named.address.canonical == Address.parse(str(named.address))
    if plain is not None and "@" not in text and ending:
        assert named is not None
        assert (named.address, f"+{named.box.value}") == (plain.address, ending)


def test_without_alternates_the_name_is_taken_as_it_is():
    assert found("joe#example.org", rules=Rules()) == "joe#example.org@example.net"


def test_a_directory_that_is_away_is_said_so():
    directory = MemoryDirectory(refuse_with=TemporaryFailure(DIRECTORY_UNAVAILABLE))
    with pytest.raises(TemporaryFailure):
        run_now(login_address("joe#example.org", Rules("example.net", "#"), directory))
