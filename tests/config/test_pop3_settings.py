"""Settings of POP3, of who may connect, of what is kept, and of certificates: read, overridden, refused."""

from __future__ import annotations

import math

import pytest

from mailsuite.config.load import load
from mailsuite.config.values import values
from mailsuite.model.retention import DAY, Retention


def loaded(tmp_path, text):
    path = tmp_path / "mailsuite.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {})


def accepted(tmp_path, text):
    found = loaded(tmp_path, text)
    assert not found.errors, found.errors
    return found.config


def problems(tmp_path, text):
    return [(one.severity, one.text) for one in loaded(tmp_path, text).problems]


LISTENER = """
[[listener]]
name = "one"
service = "pop3"
bind = ["127.0.0.1"]
port = 0
"""


@pytest.mark.parametrize(
    ("written", "meant"),
    [('"never"', math.inf), ('"retrieval"', 0.0), ('"30d"', 30 * DAY), ('"1d"', DAY)],
)
def test_how_long_mail_stays(tmp_path, written, meant):
    config = accepted(tmp_path, f"[pop3]\ndelete_after = {written}\n")
    assert config.pop3.delete_after == meant
    (shown,) = [one for one in values(config) if one.key == "pop3.delete_after"]
    assert shown.text == written.replace("1d", "24h")


@pytest.mark.parametrize("written", ['"1h"', "30", '"soon"', '"0d"', "true"])
def test_what_is_no_such_time(tmp_path, written):
    ((severity, text),) = problems(tmp_path, f"[pop3]\ndelete_after = {written}\n")
    assert severity == "error"
    assert '"never" or "retrieval"' in text or "did you mean" in text


def test_unread_mail_cannot_go_at_retrieval(tmp_path):
    ((severity, text),) = problems(tmp_path, '[pop3]\ndelete_unread_after = "retrieval"\n')
    assert severity == "error"
    assert 'or "never"' in text


def test_retention_of_listeners_domains_and_accounts(tmp_path):
    config = accepted(
        tmp_path,
        """
[pop3]
delete_after = "90d"
delete_unread_after = "120d"
[[domain]]
name = "example.net"
delete_after = "30d"
[[domain]]
name = "example.org"
[[account]]
address = "joe@example.net"
delete_unread_after = "2d"
""",
    )
    assert config.pop3.retention == Retention(90 * DAY, 120 * DAY)
    assert config.domains[0].retention == Retention(30 * DAY, None)
    assert config.domains[1].retention is None
    assert config.accounts[0].delete_unread_after == 2 * DAY
    assert config.accounts[0].delete_after is None


def test_users_are_told_of_by_name_where_mail_goes_when_it_was_fetched(tmp_path):
    ((severity, text),) = problems(tmp_path, '[pop3]\ndelete_after = "retrieval"\n')
    assert severity == "warning"
    assert "a second computer finds nothing" in text


def test_without_the_flag_nothing_counts_as_read(tmp_path):
    text = '[pop3]\ndelete_after = "30d"\n[delivery]\nmark_seen = false\n'
    ((severity, words),) = problems(tmp_path, text)
    assert severity == "warning"
    assert "delete_unread_after" in words


def test_a_listener_has_an_access_list_of_its_own(tmp_path):
    text = f"""{LISTENER}
access = {{ policy = "deny-all-except" }}
[pop3.access]
list = ["192.0.2.1", "198.51.100.0/24"]
"""
    config = accepted(tmp_path, text)
    (listener,) = config.listeners
    assert config.pop3.access.policy == "allow-all-except"
    assert listener.settings.access.policy == "deny-all-except"
    assert [entry.text for entry in listener.settings.access.list] == ["192.0.2.1", "198.51.100.0/24"]
    shown = {one.key: one.text for one in values(config) if one.key.startswith("listener.one.access")}
    assert shown == {"listener.one.access.policy": '"deny-all-except"'}


def test_a_wrong_entry_is_named_with_its_line(tmp_path):
    found = loaded(tmp_path, '[pop3.access]\nlist = ["192.0.2.300"]\n')
    (problem,) = found.errors
    assert problem.place.line == 2
    assert "192.0.2.300" in problem.text


def test_an_unknown_key_of_an_access_list_in_a_listener(tmp_path):
    (problem,) = loaded(tmp_path, f'{LISTENER}access = {{ polcy = "deny-all-except" }}\n').errors
    assert "polcy" in problem.text


@pytest.mark.parametrize("name", ["eth0", "lo", "br-lan", "eth0.12"])
def test_interfaces_are_places_to_listen(tmp_path, name):
    config = accepted(tmp_path, LISTENER.replace("127.0.0.1", name))
    assert config.listeners[0].bind == (name,)


@pytest.mark.parametrize(
    "name", ["192.0.2.300", "a name", "mail.example.net", "1.2.3", "waytoolonganinterface"]
)
def test_what_is_no_place_to_listen(tmp_path, name):
    assert loaded(tmp_path, LISTENER.replace("127.0.0.1", name)).errors


def test_certificates_for_further_names(tmp_path):
    config = accepted(
        tmp_path,
        """
[[certificate]]
certificate = "a.pem"
key = "a.key"
names = ["Mail.Example.ORG", "*.bücher.example"]
""",
    )
    (block,) = config.certificates
    assert block.names == ("mail.example.org", "*.xn--bcher-kva.example")
    assert block.certificate == tmp_path / "a.pem"


@pytest.mark.parametrize("name", ["*", "a.*.example", "192.0.2.1/24", ""])
def test_what_no_certificate_is_for(tmp_path, name):
    text = f'[[certificate]]\ncertificate = "a.pem"\nkey = "a.key"\nnames = ["{name}"]\n'
    assert loaded(tmp_path, text).errors


def test_bans(tmp_path):
    assert accepted(tmp_path, "").guard.ban == 900.0
    assert accepted(tmp_path, '[guard]\nban = "until-restart"\n').guard.ban is None
    ((severity, text),) = problems(tmp_path, '[guard]\nban = "2h"\nban_maximum = "1h"\n')
    assert severity == "error"
    assert "shorter" in text
    ((severity, text),) = problems(tmp_path, '[guard]\nban = "for ever"\n')
    assert 'or "until-restart"' in text


def test_figures_are_not_for_everybody(tmp_path):
    text = """
[[listener]]
name = "figures"
service = "metrics"
bind = ["127.0.0.1"]
"""
    config = accepted(tmp_path, text)
    assert (config.listeners[0].port, config.listeners[0].tls) == (9110, "off")
    assert problems(tmp_path, text) == []
    ((severity, words),) = problems(tmp_path, f'{text}allow = ["0.0.0.0/0"]\n')
    assert severity == "warning"
    ((severity, words),) = problems(tmp_path, f'{text}tls = "starttls"\n')
    assert severity == "error"
    assert "HTTP" in words


@pytest.mark.parametrize("key", ['delete_after = "30d"', 'delete_unread_after = "30d"'])
def test_mail_stays_as_long_whatever_the_door(tmp_path, key):
    (problem,) = loaded(tmp_path, f"{LISTENER}{key}\n").errors
    assert "the same by every door" in problem.text
    assert problem.place.line == 7


def test_accounts_and_devices_become_values_of_the_model(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("amber-river-violet-anchor\n")
    secret.chmod(0o600)
    config = accepted(
        tmp_path,
        f"""
[[account]]
address = "joe@example.net"
delete_after = "retrieval"
[[account.device]]
name = "laptop"
password_file = "{secret}"
view = true
expires = "2090-01-31"
""",
    )
    (account,) = config.accounts
    assert account.account.retention == Retention(0.0, None)
    device = account.devices[0].device("id", b"sealed")
    assert device.view
    assert device.expires == 3789504000.0
