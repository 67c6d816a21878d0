"""Showing a configuration, and comparing two."""

from __future__ import annotations

from mailsuite.config.load import Loaded
from mailsuite.config.schema import Config
from mailsuite.config.values import Change, as_toml, changes, values, with_origins
from tests.config.conftest import LoadText

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdCBvZiBhIHRlc3Q$bm90IGV2ZW4gYW4gZXhhbXBsZSwgb25seSBhIHRlc3Q"
TEXT = f"""\
[pop3]
idle_timeout = "20m"
max_command = 512
trusted_networks = ["192.0.2.0/24"]
[notify.notifymail]
last_ip_expiry = "24h"
default_state = "last-ip"
[[listener]]
name = "pop3s"
service = "pop3"
tls = "implicit"
banner = "my \\"own\\""
[[domain]]
name = "example.net"
[[account]]
address = "joe@example.net"
name = "Joe \\U000e0001"
password_hash = "{HASH}"
notifymail = {{ state = "static", address = "192.0.2.7" }}
"""


def config_of(loaded: Loaded) -> Config:
    assert loaded.config is not None, loaded.problems
    return loaded.config


def test_what_is_shown_loads_to_the_same(load_text: LoadText) -> None:
    for text in ("", TEXT):
        config = config_of(load_text(text))
        shown = as_toml(values(config))
        again = config_of(
            load_text(shown.replace("# password_hash is set, and not shown", f"password_hash = '{HASH}'"))
        )
        assert again == config


def test_only_what_differs_from_the_defaults(load_text: LoadText) -> None:
    loaded = load_text(TEXT)
    shown = [one for one in values(config_of(loaded)) if one.is_changed(loaded.origins)]
    assert as_toml(shown) == (
        '[[listener]]\nname = "pop3s"\nservice = "pop3"\ntls = "implicit"\nbanner = "my \\"own\\""\n'
        '\n[pop3]\ntrusted_networks = ["192.0.2.0/24"]\nidle_timeout = "20m"\n'
        '\n[notify.notifymail]\ndefault_state = "last-ip"\n'
        '\n[[domain]]\nname = "example.net"\n'
        '\n[[account]]\naddress = "joe@example.net"\nname = "Joe \\U000e0001"\n'
        "# password_hash is set, and not shown\n"
        'notifymail.state = "static"\nnotifymail.address = "192.0.2.7"\n'
    )


def test_nothing_differs_in_an_empty_file(load_text: LoadText) -> None:
    loaded = load_text("")
    assert not [one for one in values(config_of(loaded)) if one.is_changed(loaded.origins)]


def test_each_value_has_its_place(load_text: LoadText) -> None:
    loaded = load_text(TEXT, overrides=["log.level=debug"])
    lines = with_origins(values(config_of(loaded)), loaded.origins).splitlines()
    assert 'pop3.idle_timeout = "20m"   mailsuite.toml:2' in lines
    assert "pop3.max_connections = 2000   default" in lines
    assert 'log.level = "debug"   --set log.level' in lines
    assert 'listener.pop3s.banner = "my \\"own\\""   mailsuite.toml:12' in lines
    assert "account.joe@example.net.password_hash = (hidden)   mailsuite.toml:18" in lines
    assert 'account.joe@example.net.notifymail.state = "static"   mailsuite.toml:19' in lines


def test_a_hash_is_shown_nowhere(load_text: LoadText) -> None:
    loaded = load_text(TEXT)
    shown = list(values(config_of(loaded)))
    assert HASH not in as_toml(shown) + with_origins(shown, loaded.origins) + repr(shown) + repr(loaded)
    changed = config_of(load_text(TEXT.replace(HASH, HASH[:-1] + "f")))
    [change] = changes(config_of(loaded), changed)
    assert change == Change("account.joe@example.net.password_hash", "(hidden)", "(hidden)", "live")


def test_what_changed_between_two(load_text: LoadText) -> None:
    old = config_of(load_text(TEXT))
    assert changes(old, old) == ()
    text = TEXT.replace('"20m"', '"15m"').replace('tls = "implicit"', "port = 0")
    new = config_of(load_text(text + "[[account]]\naddress = 'ann@example.net'\n[server]\nstate='/srv'\n"))
    found = {change.key: change for change in changes(old, new)}
    assert found["pop3.idle_timeout"] == Change("pop3.idle_timeout", '"20m"', '"15m"', "new sessions")
    assert found["listener.pop3s.port"] == Change("listener.pop3s.port", "995", "0", "live")
    assert found["account.ann@example.net.address"].old is None
    assert found["server.state"].applied == "restart"
    assert "listener.pop3s.idle_timeout" not in found
    assert {change.key: change for change in changes(new, old)}["account.ann@example.net.address"].new is None
