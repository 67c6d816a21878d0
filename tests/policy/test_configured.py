"""From a configuration to the rules of lists and bans."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from mailsuite.config.kinds_next_hops import Matches
from mailsuite.config.load import load
from mailsuite.config.schema import Config, Smtp, Submission
from mailsuite.model.access import parse_entry
from mailsuite.model.sender_list import parse_sender
from mailsuite.policy.access import AccessRules
from mailsuite.policy.bans import BanRules
from mailsuite.policy.configured import (
    access_rules,
    all_sender_rules,
    ban_rules,
    probing_rules,
    relay_rules,
    sender_rules,
)
from mailsuite.policy.probing import ProbingRules
from mailsuite.policy.relaying import RelayRules
from mailsuite.policy.sender_lists import SenderRules

LISTENERS = """
[pop3.access]
policy = "deny-all-except"
list   = ["192.0.2.0/24", "allow 198.51.100.1"]
files  = ["friends.list"]

[[listener]]
name    = "pop3"
service = "pop3"
port    = 2110
trusted_networks = []

[[listener]]
name    = "pop3-open"
service = "pop3"
port    = 2111
access  = { policy = "allow-all-except", files = [] }

[[listener]]
name    = "pop3-shut"
service = "pop3"
port    = 2112
enabled = false

[[listener]]
name    = "mx"
service = "smtp"
port    = 2525

[[listener]]
name    = "figures"
service = "metrics"
bind    = ["127.0.0.1"]
port    = 2199
"""


def loaded(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "mailsuite.toml"
    file.write_text(f'[server]\nname = "mail.example.test"\nstate = "{tmp_path}/state"\n{text}')
    result = load(file, {}, ())
    assert result.config is not None, result.problems
    return result.config


def test_each_open_listener_has_a_list(tmp_path: Path) -> None:
    entries = tuple(map(parse_entry, ("192.0.2.0/24", "allow 198.51.100.1")))
    assert access_rules(loaded(tmp_path, LISTENERS)) == {
        "pop3": AccessRules("pop3.access", "deny-all-except", entries, (tmp_path / "friends.list",)),
        "pop3-open": AccessRules("listener.pop3-open.access", "allow-all-except", entries, ()),
        "mx": AccessRules("smtp.access", "allow-all-except", (), ()),
    }


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", BanRules(900.0, 86400.0, (ip_network("127.0.0.0/8"), ip_network("::1")))),
        (
            '[guard]\nban = "until-restart"\nban_maximum = "2h"\nnever_ban = ["192.0.2.0/24"]\n'
            'admin_networks = ["2001:db8::/32", "192.0.2.0/24"]\n',
            BanRules(None, 7200.0, (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))),
        ),
        (
            '[guard]\nnever_ban = []\nadmin_networks = []\n[[listener]]\nname = "mx"\nservice = "smtp"\n'
            'proxy_from = ["192.0.2.10"]\n[[listener]]\nname = "shut"\nservice = "pop3"\nenabled = false\n'
            'proxy_from = ["192.0.2.11"]\n',
            BanRules(900.0, 86400.0, (ip_network("192.0.2.10"),)),
        ),
    ],
)
def test_how_long_and_whom_never(tmp_path: Path, text: str, rules: BanRules) -> None:
    assert ban_rules(loaded(tmp_path, text)) == rules


RELAYING = """
[smtp]
relay = "addresses"
relay_networks = ["192.0.2.0/24", "::ffff:10.0.0.0/104"]
recipient_delimiter = "-"
block_senders = ["eve@example.org"]
block_sender_files = ["kill.list"]
accept_senders = ["*.example.org"]
accept_sender_files = ["accept.list"]
unknown_recipients_delay = 5
unknown_recipients_close = 10
unknown_recipients_ban = 50

[submission]
relay_networks = ["2001:db8::/64"]

[[listener]]
name    = "mx"
service = "smtp"
port    = 2525

[[listener]]
name    = "inside"
service = "smtp"
port    = 2526
relay   = "nobody"
relay_domains = ["example.org"]
relay_recipients = ["ann@example.org"]
relay_recipient_files = ["there.list"]
block_senders = []
block_sender_files = []

[[listener]]
name    = "shut"
service = "smtp"
port    = 2527
enabled = false
block_senders = ["example.com"]

[[listener]]
name    = "submission"
service = "submission"
port    = 2587
"""


def test_who_may_relay_where(tmp_path: Path) -> None:
    config = loaded(tmp_path, RELAYING)
    found = {
        block.name: relay_rules(block.settings)
        for block in config.listeners
        if isinstance(block.settings, Smtp | Submission)
    }
    four = (ip_network("192.0.2.0/24"), ip_network("10.0.0.0/8"))
    assert found["mx"] == RelayRules("addresses", four, delimiters="-")
    assert found["inside"] == RelayRules(
        "nobody",
        four,
        Matches(("example.org",)),
        "-",
    )
    assert found["submission"] == RelayRules("addresses", (ip_network("2001:db8::/64"),))
    bare = loaded(tmp_path, "")
    assert relay_rules(bare.smtp) == RelayRules("nobody")
    assert relay_rules(bare.submission) == RelayRules("addresses", ())


def test_who_is_blocked_and_who_probes(tmp_path: Path) -> None:
    config = loaded(tmp_path, RELAYING)
    entries = {text: parse_sender(text) for text in ("eve@example.org", "*.example.org")}
    accepted = ((entries["*.example.org"],), (tmp_path / "accept.list",))
    general = SenderRules((entries["eve@example.org"],), (tmp_path / "kill.list",), *accepted)
    assert sender_rules(config.smtp) == general
    assert all_sender_rules(config) == (
        general,
        SenderRules((), (), *accepted),
        SenderRules((parse_sender("ann@example.org"),), (tmp_path / "there.list",)),
    )
    assert probing_rules(config.smtp) == ProbingRules(5, 10, 50)
    assert probing_rules(loaded(tmp_path, "").smtp) == ProbingRules()
