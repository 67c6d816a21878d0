"""URLs that users name: what is taken, in which spelling, and in which words the rest is refused."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.account import IPAddress
from mailsuite.notify.outgoing.addresses import AddressRules
from mailsuite.notify.outgoing.targets import MAX_URL, UrlError, UrlRules, objection, web_target


def nobody(address: IPAddress) -> bool:
    return False


OUTSIDE = AddressRules(is_own=nobody)
STRICT = UrlRules(OUTSIDE)
HOME = UrlRules(
    AddressRules((ip_network("192.168.1.0/24"), ip_network("fd00::/8")), is_own=nobody),
    ports=frozenset({80, 443, 8123}),
)


@pytest.mark.parametrize(
    ("url", "spelling", "key"),
    [
        ("https://hooks.example.net", "https://hooks.example.net/", "hooks.example.net:443"),
        ("HTTPS://Hooks.Example.NET:443/A?b=C", "https://hooks.example.net/A?b=C", "hooks.example.net:443"),
        ("https://hooks.example.net:/", "https://hooks.example.net/", "hooks.example.net:443"),
        ("https://hooks.example.net:8443?x", "https://hooks.example.net:8443/?x", "hooks.example.net:8443"),
        ("https://hooks.example.net./a", "https://hooks.example.net/a", "hooks.example.net:443"),
        ("https://B\u00fccher.example/", "https://xn--bcher-kva.example/", "xn--bcher-kva.example:443"),
        ("https://8.8.8.8/dns", "https://8.8.8.8/dns", "8.8.8.8:443"),
        (
            "https://[2001:4860:4860:0::8888]/",
            "https://[2001:4860:4860::8888]/",
            "[2001:4860:4860::8888]:443",
        ),
        ("https://[2a00::1]:8443/", "https://[2a00::1]:8443/", "[2a00::1]:8443"),
        ("https://[::ffff:8.8.8.8]/", "https://8.8.8.8/", "8.8.8.8:443"),
        ("https://\uff18.8.8.8/", "https://8.8.8.8/", "8.8.8.8:443"),
        ("https://a/b//c/../d%2F@:!$&'()*+,;=~", "https://a/b//c/../d%2F@:!$&'()*+,;=~", "a:443"),
    ],
)
def test_what_is_taken(url: str, spelling: str, key: str) -> None:
    target = web_target(url, STRICT)
    assert (target.url, target.key) == (spelling, key)
    assert web_target(target.url, STRICT) == target


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "write the whole URL"),
        ("hooks.example.net/a", "write the whole URL"),
        ("https:hooks.example.net", "write the whole URL"),
        ("https:/hooks.example.net", "write the whole URL"),
        (r"https:\\hooks.example.net", "write the whole URL"),
        (" https://hooks.example.net", "write the whole URL"),
        ("\nhttps://hooks.example.net", "write the whole URL"),
        ("http://hooks.example.net/", "http:// is not possible; use https://"),
        ("ftp://hooks.example.net/", "ftp:// is not possible"),
        ("file:///etc/passwd", "file:// is not possible"),
        ("gopher://hooks.example.net:443/_x", "gopher:// is not possible"),
        ("https://", "no host"),
        ("https:///a", "no host"),
        ("https://:443/", "no host"),
        ("https://joe@hooks.example.net/", "user name or a password"),
        ("https://joe:secret@hooks.example.net/", "user name or a password"),
        ("https://8.8.8.8@10.0.0.1/", "user name or a password"),
        ("https://hooks.example.net/a#b", "fragment"),
        ("https://hooks.example.net#b", "fragment"),
        ("https://hooks.example.net/a b", "percent-encoded"),
        ("https://hooks.example.net/\u00fc", "percent-encoded"),
        ("https://hooks.example.net/a\r\nHost: b", "percent-encoded"),
        ("https://hooks.example.net/a\x00", "percent-encoded"),
        (r"https://hooks.example.net\@10.0.0.1/", "percent-encoded"),
        ("https://hooks.example.net/<a>", "percent-encoded"),
        ("https://hooks.example.net:x/", "cannot be read"),
        ("https://hooks.example.net:-1/", "cannot be read"),
        ("https://hooks.example.net:443:443/", "cannot be read"),
        ("https://hooks.example.net:\u0664\u0664\u0663/", "cannot be read"),
        ("https://hooks.example.net:000443/", "cannot be read"),
        ("https://2001:db8::1/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://[::1]x/", "cannot be read"),
        ("https://x[::1]/", "cannot be read"),
        ("https://hooks.example.net:25/", "port 25 is not one that notices may go to (443, 8443)"),
        ("https://hooks.example.net:0/", "port 0 is not one"),
        ("https://hooks.example.net:99999/", "port 99999 is not one"),
        ("https://-a.example/", "is no name of a host"),
        ("https://a..example/", "is no name of a host"),
        ("https://a_b.example/", "is no name of a host"),
        ("https://%31%30.0.0.1/", "is no name of a host"),
        ("https://a b.example/", "is no name of a host"),
        ("https://a\tb.example/", "is no name of a host"),
        (f"https://{'a' * 64}.example/", "is no name of a host"),
        ("https://\u2488example/", "is no name of a host"),
        # Forms of 127.0.0.1 that some programs know
        ("https://127.1/", "127.1 is no IP address in its usual form"),
        ("https://0x7f.1/", "0x7f.1 is no IP address in its usual form"),
        ("https://0x7f000001/", "no IP address in its usual form"),
        ("https://2130706433/", "2130706433 is no IP address in its usual form"),
        ("https://0177.0.0.1/", "no IP address in its usual form"),
        ("https://127.0.0.1.2/", "no IP address in its usual form"),
        ("https://256.0.0.1/", "no IP address in its usual form"),
        (
            "https://127.0.0.1/",
            "127.0.0.1 is local; for notices to go there, add its network to notify.allow",
        ),
        ("https://127.0.0.1./", "127.0.0.1 is local"),
        ("https://127\u30020\u30020\u30021/", "127.0.0.1 is local"),
        ("https://10.0.0.1/", "10.0.0.1 is local"),
        ("https://[::1]/", "::1 is local"),
        ("https://[::ffff:127.0.0.1]/", "127.0.0.1 is local"),
        ("https://[::ffff:7f00:1]/", "127.0.0.1 is local"),
        ("https://[::127.0.0.1]/", "is never connected to"),
        ("https://[64:ff9b::7f00:1]/", "is never connected to"),
        ("https://[2002:7f00:1::]/", "is never connected to"),
        ("https://169.254.169.254/", "169.254.169.254 is never connected to"),
        ("https://0.0.0.0/", "0.0.0.0 is never connected to"),
        ("https://[::]/", ":: is never connected to"),
        ("https://[2a00::1%eth0]/", "names a zone"),
        ("https://[8.8.8.8]/", "no IPv6 address in the brackets"),
        ("https://[]/", "no IPv6 address in the brackets"),
        ("https://a/" + "b" * MAX_URL, "longer than 512 characters"),
    ],
)
def test_what_is_refused(url: str, words: str) -> None:
    with pytest.raises(UrlError) as raised:
        web_target(url, STRICT)
    assert words in str(raised.value)
    assert str(raised.value).isprintable()


def test_a_refusal_says_nothing_of_the_path() -> None:
    for url in ("https://10.0.0.1/s3cret", "https://a.example:25/s3cret", "https://a.example/s3cret x"):
        with pytest.raises(UrlError) as raised:
            web_target(url, STRICT)
        assert "s3cret" not in str(raised.value)


def test_a_target_does_not_show_its_path() -> None:
    assert "s3cret" not in repr(web_target("https://hooks.example.net/s3cret?s3cret", STRICT))


def test_512_characters_are_taken() -> None:
    url = "https://a.example/"
    assert web_target(url + "b" * (MAX_URL - len(url)), STRICT)


@pytest.mark.parametrize(
    ("url", "key", "authority"),
    [
        ("https://192.168.1.5/", "192.168.1.5:443", "192.168.1.5"),
        ("http://192.168.1.5/api", "192.168.1.5:80", "192.168.1.5"),
        ("http://192.168.1.5:8123/", "192.168.1.5:8123", "192.168.1.5:8123"),
        ("http://[fd12::1]:443/", "[fd12::1]:443", "[fd12::1]:443"),
        ("http://home.example/", "home.example:80", "home.example"),
    ],
)
def test_by_leave_of_an_administrator(url: str, key: str, authority: str) -> None:
    target = web_target(url, HOME)
    assert (target.key, target.authority) == (key, authority)


def refusal(url: str, rules: UrlRules) -> str:
    """In which words; empty: it is taken."""
    try:
        web_target(url, rules)
    except UrlError as error:
        return str(error)
    return ""


def test_in_the_clear_only_where_an_administrator_said_so() -> None:
    for address in ("8.8.8.8", "192.168.2.5"):
        words = f"{address} is in none of notify.allow_networks; elsewhere notices need https://"
        assert refusal(f"http://{address}/", HOME) == words
    assert refusal("https://192.168.2.5/", HOME).startswith("192.168.2.5 is local")
    named = web_target("http://home.example/", HOME)
    assert objection(named, ip_address("192.168.1.5"), HOME) == ""
    assert "elsewhere notices need https://" in objection(named, ip_address("8.8.8.8"), HOME)
    named = web_target("https://home.example/", HOME)
    assert objection(named, ip_address("8.8.8.8"), HOME) == ""
    assert "is local" in objection(named, ip_address("10.0.0.1"), HOME)


def test_the_address_of_a_host_that_is_one() -> None:
    assert web_target("https://8.8.8.8/", STRICT).address == ip_address("8.8.8.8")
    assert web_target("https://a.example/", STRICT).address is None


@given(st.text(max_size=60) | st.text("htps:/@[]%.#?\\1270x:ff", max_size=60).map("https://".__add__))
def test_whatever_is_written_is_taken_or_refused(text: str) -> None:
    words = refusal(text, STRICT)
    assert words.isprintable()
    if not words:
        target = web_target(text, STRICT)
        assert web_target(target.url, STRICT) == target
        assert re.fullmatch(r"https://[!-~]+", target.url)
        assert target.address is None or target.address.is_global
