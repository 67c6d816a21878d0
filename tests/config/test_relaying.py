"""Settings of who may send to other servers, in whose name and how much: read, written, refused."""

from __future__ import annotations

import datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from mailsuite.config.kinds import BadValue
from mailsuite.config.kinds_senders import OwnSenderList
from mailsuite.config.load import load
from mailsuite.config.look import Look
from mailsuite.config.relations_relaying import relaying_relations, too_wide
from mailsuite.config.values import values
from mailsuite.model.address import Address
from mailsuite.model.rate import Rate
from mailsuite.model.sender_list import MAX_OWN_SENDERS, NO_SENDERS, OwnSenders, parse_sender


def problems(tmp_path: Path, text: str) -> list[tuple[int | None, str, str]]:
    """What is wrong with a configuration that is right in each of its values."""
    file = tmp_path / "mailsuite.toml"
    file.write_text(text)
    found = load(file, {})
    own = [p for p in found.problems if "relay" in p.text or "sender" in p.text or "recipients" in p.text]
    assert not [p for p in found.errors if p not in own], found.problems
    if found.config is None:
        return [(p.place.line, p.severity, p.text) for p in own]
    look = Look(found.config, found.origins, frozenset(), datetime.date(2026, 11, 21))
    return [(p.place.line, p.severity, p.text) for p in dict.fromkeys(relaying_relations(look))]


def texts(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "mailsuite.toml"
    file.write_text(text)
    return {one.key: one.text for one in values(load(file, {}).accepted())}


@pytest.mark.parametrize(
    ("written", "mode", "shown"),
    [
        ("true", "reject", '"reject"'),
        ("false", "off", '"off"'),
        ('"log"', "log", '"log"'),
        ('"fix"', "fix", '"fix"'),
        ('"reject"', "reject", '"reject"'),
    ],
)
def test_how_names_are_checked(tmp_path: Path, written: str, mode: str, shown: str) -> None:
    file = tmp_path / "mailsuite.toml"
    file.write_text(f"[submission]\nsender_must_match = {written}\n")
    assert load(file, {}).accepted().submission.sender_must_match == mode
    assert texts(tmp_path, file.read_text())["submission.sender_must_match"] == shown
    by_environment = load(None, {}, [f"submission.sender_must_match={written}"])
    assert by_environment.accepted().submission.sender_must_match == mode


@pytest.mark.parametrize(
    ("written", "rate", "shown"),
    [
        ('"200/1h"', Rate(200, 3600.0), '"200/1h"'),
        ('"1 / 30s"', Rate(1, 30.0), '"1/30s"'),
        ('"1000000/24h"', Rate(1_000_000, 86400.0), '"1000000/24h"'),
        ('"0"', None, '"0"'),
        ("0", None, '"0"'),
    ],
)
def test_rates(tmp_path: Path, written: str, rate: Rate | None, shown: str) -> None:
    text = f"[submission]\nrate_per_account = {written}\n[smtp]\nmessages_per_address = {written}\n"
    (tmp_path / "mailsuite.toml").write_text(text)
    config = load(tmp_path / "mailsuite.toml", {}).accepted()
    assert (config.submission.rate_per_account, config.smtp.messages_per_address) == (rate, rate)
    assert texts(tmp_path, text)["submission.rate_per_account"] == shown


def test_what_holds_where_nothing_is_said() -> None:
    config = load(None, {}).accepted()
    assert config.submission.rate_per_account == Rate(200, 3600.0)
    assert config.submission.sender_must_match == "reject"
    assert (config.smtp.relay, config.smtp.relay_networks, config.submission.relay_networks) == (
        "nobody",
        (),
        (),
    )
    smtp = config.smtp
    assert (smtp.messages_per_address, smtp.recipients_per_address) == (None, None)
    assert (smtp.unknown_recipients_delay, smtp.unknown_recipients_close, smtp.unknown_recipients_ban) == (
        0,
        0,
        0,
    )
    assert (smtp.block_senders, smtp.block_sender_files, smtp.accept_senders, smtp.accept_sender_files) == (
        (),
    ) * 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[submission]\nrate_per_account = "200"\n', "is no rate"),
        ('[submission]\nrate_per_account = "0/1h"\n', "is out of range"),
        ('[submission]\nrate_per_account = "5/2d"\n', "is out of range: expected a duration from 1s to 24h"),
        ("[submission]\nrate_per_account = 200\n", 'or "0" for no limit'),
        ("[submission]\nrate_per_account = false\n", "expected a number and a span of time"),
        ('[submission]\nsender_must_match = "yes"\n', 'one of "off", "log", "fix", "reject"'),
        ('[smtp]\nrelay = "everybody"\n', '"nobody", "addresses", "anyone"'),
        ('[smtp]\nrelay = "local-users"\n', "would be an open relay, for anybody can write a sender of ours"),
        ('[smtp]\nrelay = "local-senders"\n', "users log in instead"),
        ('[smtp]\nblock_senders = ["example"]\n', "a domain with a dot in it is meant"),
        ('[smtp]\nblock_senders = ["@example.org"]\n', "expected an address, a domain, or what is below one"),
        ('[smtp]\nrelay_networks = ["192.0.2.1/24"]\n', "host bits set"),
        ('[smtp]\nrelay_domains = ["*"]\n', '"*" would be an open relay; name the domains'),
        ('[smtp]\nrelay_domains = ["example.org", "*"]\n', '"*" would be an open relay'),
        ('[smtp]\nrelay_domains = ["*.org"]\n', '"*.org" is no domain with a dot in it'),
        ('[smtp]\nrelay_domains = ["example"]\n', '"example" is no domain with a dot in it'),
        ('[smtp]\nrelay_domains = ["[192.0.2.1]"]\n', "is an address literal"),
        ('[smtp]\nrelay_domains = ["example.org", "Example.ORG"]\n', "stands twice in the list"),
        ('[smtp]\nrelay_recipients = ["ann"]\n', "a domain with a dot in it is meant"),
        ('[smtp]\nrelay_recipients = "a@example.org"\n', "expected a list of recipient in square brackets"),
        ('[smtp]\nrelay_domains = "example.org"\n', "expected a list of domains in square brackets"),
    ],
)
def test_wrong_values(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mailsuite.toml").write_text(text)
    (problem,) = load(tmp_path / "mailsuite.toml", {}).errors
    assert words in problem.text
    assert problem.place.line == 2


def test_entries_are_shown_as_they_were_written(tmp_path: Path) -> None:
    text = '[smtp]\nblock_senders = ["Eve@example.org", "*.Example.com"]\n'
    assert texts(tmp_path, text)["smtp.block_senders"] == '["Eve@example.org", "*.Example.com"]'


def test_domains_that_anybody_brings_mail_for(tmp_path: Path) -> None:
    text = '[smtp]\nrelay_domains = ["Example.org", "*.Bücher.example"]\n'
    assert texts(tmp_path, text)["smtp.relay_domains"] == '["example.org", "*.xn--bcher-kva.example"]'
    assert load(None, {}).accepted().smtp.relay_domains.patterns == ()


def test_domains_beside_an_open_relay(tmp_path: Path) -> None:
    text = f'[smtp]\nrelay = "anyone"\n{SWITCH}relay_domains = ["example.org"]\n'
    assert (4, "warning", 'relay_domains is not used: relay = "anyone" takes mail for all') in problems(
        tmp_path, text
    )


def test_what_accounts_and_devices_may_send(tmp_path: Path) -> None:
    for name in ("secret", "other"):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(f"amber-river-violet-{name}\n")
    (tmp_path / "mailsuite.toml").write_text(
        '[[account]]\naddress = "joe@example.net"\nsend_as = ["Desk@example.net", "*@shop.example"]\n'
        '[[account.device]]\nname = "printer"\npassword_file = "secret"\nscopes = ["submission"]\n'
        'sender = "joe+printer@example.net"\nrecipients = ["ann@example.net", "*@office.example"]\n'
        '[[account.device]]\nname = "phone"\npassword_file = "other"\n'
    )
    config = load(tmp_path / "mailsuite.toml", {}).accepted()
    account = config.accounts[0]
    assert account.account.send_as == (Address("desk", "example.net"), Address("*", "shop.example"))
    printer, phone = (block.device("id", b"sealed") for block in account.devices)
    assert printer.sender == Address("joe+printer", "example.net")
    assert printer.recipients == (Address("ann", "example.net"), Address("*", "office.example"))
    assert (phone.sender, phone.recipients) == (None, ())


SWITCH = "i_know_this_is_an_open_relay = true\n"


@pytest.mark.parametrize("table", ["smtp", "submission"])
@pytest.mark.parametrize(
    ("networks", "wide"),
    [
        (["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32", "fd00::/32"], ""),
        (["0.0.0.0/0"], "0.0.0.0/0 is so large"),
        (["::/0"], "::/0 is so large"),
        (["::ffff:0.0.0.0/96"], "0.0.0.0/0 is so large"),
        (["::ffff:0:0/97", "128.0.0.0/1"], "0.0.0.0/0, which these make together, is so large"),
        (["0.0.0.0/1", "128.0.0.0/1"], "0.0.0.0/0, which these make together, is so large"),
        (["64.0.0.0/7"], "64.0.0.0/7 is so large"),
        (["12.0.0.0/8", "13.0.0.0/8"], "12.0.0.0/7, which these make together, is so large"),
        (["2000::/3"], "2000::/3 is so large"),
        (["2001:db8::/31"], "2001:db8::/31 is so large"),
        (["::/1", "8000::/1"], "::/0, which these make together, is so large"),
    ],
)
def test_networks_that_are_nearly_everybody(
    tmp_path: Path, table: str, networks: list[str], wide: str
) -> None:
    mode = 'relay = "addresses"\n' if table == "smtp" else ""
    text = f"[{table}]\n{mode}relay_networks = {networks!r}\n"
    line = 3 if mode else 2
    found = problems(tmp_path, text)
    if not wide:
        assert found == []
        return
    ((place, severity, words),) = found
    assert (place, severity) == (line, "error")
    assert wide in words
    assert "i_know_this_is_an_open_relay = true" in words
    ((place, severity, words),) = problems(tmp_path, text + SWITCH)
    assert (place, severity) == (line, "warning")
    assert wide in words


def test_a_relay_for_anyone_wants_to_be_meant(tmp_path: Path) -> None:
    text = '[smtp]\nrelay = "anyone"\n'
    ((line, severity, words),) = problems(tmp_path, text)
    assert (line, severity) == (2, "error")
    assert "lets the whole world send" in words
    ((line, severity, words),) = problems(tmp_path, text + SWITCH)
    assert (line, severity) == (2, "warning")
    assert "blocked" in words


BACKUP = '[smtp]\nrelay_domains = ["example.org", "*.example.org"]\n'
OURS = '[[domain]]\nname = "example.net"\n'
LISTENER = '[[listener]]\nname = "in"\nservice = "smtp"\nport = 2525\n'


@pytest.mark.parametrize(
    ("text", "line", "severity", "words"),
    [
        (LISTENER + 'relay = "anyone"\n', 5, "error", "lets the whole world send"),
        (
            LISTENER + 'relay = "addresses"\nrelay_networks = ["0.0.0.0/1"]\n',
            6,
            "error",
            "nearly an open relay",
        ),
        ('[smtp]\nrelay = "addresses"\n', 2, "warning", "nobody may send to other servers here"),
        ('[smtp]\nrelay_networks = ["192.0.2.1"]\n', 2, "warning", 'for that, write relay = "addresses"'),
        ("[smtp]\n" + SWITCH, 2, "warning", "is for nothing here"),
        (
            BACKUP + '[queue]\noutgoing = "local-only"\n',
            2,
            "error",
            'relay_domains and queue.outgoing = "local-only": no mail leaves for them; write "allow"',
        ),
        (
            '[smtp]\nrelay_recipients = ["ann@example.org"]\n',
            2,
            "warning",
            "relay_recipients: ann@example.org is in none of relay_domains, and not used",
        ),
        (
            BACKUP + 'relay_recipients = ["example.org", "a@b.example.org", "*.example.net"]\n',
            3,
            "warning",
            "relay_recipients: *.example.net is in none of relay_domains",
        ),
        ('[smtp]\nrelay_recipient_files = ["x"]\n', 2, "warning", "relay_recipient_files is not used"),
        (
            BACKUP + 'relay_recipients = ["a@b.example.org"]\n',
            3,
            "warning",
            "relay_recipients has nobody in example.org: only its postmaster gets mail",
        ),
        (BACKUP + '[[domain]]\nname = "example.org"\n', 2, "warning", "example.org is a domain of ours"),
        (
            '[smtp]\nrelay_domains = ["mail.example.org"]\n[server]\nname = "mail.example.org"\n',
            2,
            "warning",
            "mail.example.org is this server",
        ),
        (
            LISTENER + 'relay_domains = ["example.net"]\n' + OURS,
            5,
            "warning",
            "example.net is a domain of ours",
        ),
        ('[submission]\nsender_must_match = "off"\n', 2, "warning", "in the name of any other"),
        (
            "[smtp]\nunknown_recipients_delay = 10\nunknown_recipients_close = 10\n",
            2,
            "warning",
            "unknown_recipients_delay = 10 comes to nothing: the session ends after 10",
        ),
        ('[smtp]\naccept_senders = ["example.org"]\n', 2, "warning", "accept_senders is not used"),
        ('[smtp]\naccept_sender_files = ["x"]\n', 2, "warning", "accept_sender_files is not used"),
    ],
)
def test_what_else_is_told(tmp_path: Path, text: str, line: int, severity: str, words: str) -> None:
    ((place, level, said),) = problems(tmp_path, text)
    assert (place, level) == (line, severity)
    assert words in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[smtp]\nunknown_recipients_delay = 5\nunknown_recipients_close = 10\n",
        '[smtp]\nblock_senders = ["example.org"]\naccept_senders = ["joe@example.org"]\n',
        LISTENER + "enabled = false\nrelay = 'anyone'\n",
        LISTENER,
        BACKUP,
        BACKUP + 'relay_recipients = ["a@b.example.org"]\nrelay_recipient_files = ["x"]\n',
        '[smtp]\nrelay_domains = ["a.example.org"]\nrelay_recipients = ["*.example.org"]\n',
        BACKUP + 'relay_recipients = ["a@example.org", "b@example.org", "*.b.example.org"]\n',
        BACKUP + OURS + '[queue]\noutgoing = "hold"\n',
        BACKUP + '[[domain]]\nname = "sub.example.org"\n',
        '[smtp]\nrelay_domains = []\n[queue]\noutgoing = "local-only"\n',
        LISTENER + "enabled = false\nrelay_domains = ['example.net']\n" + OURS,
    ],
)
def test_what_is_well(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []


def test_no_network_is_not_too_wide() -> None:
    assert too_wide(()) is None
    assert too_wide((ip_network("10.0.0.0/8"), ip_network("12.0.0.0/8"))) is None


def test_lists_of_accounts_and_domains(tmp_path: Path) -> None:
    text = """
[[domain]]
name = "example.net"
block_senders = ["*.example.com"]
[[account]]
address = "joe@example.net"
block_senders = ["Eve@example.org"]
accept_senders = ["shop.example.com", "example.org"]
[[account]]
address = "ann@example.net"
"""
    path = tmp_path / "mailsuite.toml"
    path.write_text(text, encoding="utf-8")
    config = load(path, {}).accepted()
    (domain,), (joe, ann) = config.domains, config.accounts
    assert domain.domain.senders == OwnSenders((parse_sender("*.example.com"),))
    assert joe.account.senders.blocks(Address("eve", "example.org")) is False
    assert joe.account.senders.accept == (parse_sender("shop.example.com"), parse_sender("example.org"))
    assert ann.account.senders is NO_SENDERS


def test_a_list_of_an_account_is_bounded(tmp_path: Path) -> None:
    kind = OwnSenderList()
    full = [f"a{number}@example.org" for number in range(MAX_OWN_SENDERS)]
    assert len(kind.parse(full, tmp_path)) == MAX_OWN_SENDERS
    with pytest.raises(BadValue, match="has 1001 entries, and 1000 are the most"):
        kind.parse([*full, "one.example"], tmp_path)
    with pytest.raises(BadValue, match="expected a list of sender in square brackets"):
        kind.parse("one.example", tmp_path)
    assert kind.range == "at most 1000"
