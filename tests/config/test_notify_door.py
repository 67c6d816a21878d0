"""Doors that users come to over HTTPS: what the configuration says of them, and what it may not say."""

from __future__ import annotations

import pytest

from mailsuite.config.explain import explain
from mailsuite.config.schema import NotifyDoor
from mailsuite.config.values import as_toml, values
from tests.config.conftest import LoadText

DOOR = '[[listener]]\nname = "users"\nservice = "notify"\n'


def test_a_door_by_its_defaults(load_text: LoadText) -> None:
    loaded = load_text(DOOR + '[[domain]]\nname = "example.net"\n')
    config = loaded.accepted()
    (door,) = config.listeners
    assert (door.port, door.tls) == (8443, "implicit")
    assert isinstance(door.settings, NotifyDoor)
    assert (door.settings.default_domain, door.settings.max_streams_per_account) == ("example.net", 20)
    assert config.notify.default_domain == "example.net"


def test_a_door_of_its_own(load_text: LoadText) -> None:
    text = DOOR + 'max_connections = 7\naccess.list = ["192.0.2.0/24"]\n[notify]\nmax_connections = 9\n'
    config = load_text(text).accepted()
    (door,) = config.listeners
    assert isinstance(door.settings, NotifyDoor)
    assert (door.settings.max_connections, config.notify.max_connections) == (7, 9)
    assert len(door.settings.access.list) == 1
    assert config.notify.access.list == ()
    shown = as_toml(values(config))
    assert "max_connections = 7" in shown


def test_alternate_at_is_that_of_pop3(load_text: LoadText) -> None:
    config = load_text(DOOR + '[pop3]\nalternate_at = "#"\n').accepted()
    assert config.notify.alternate_at == "#"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DOOR + 'tls = "starttls"\n', 'tls = "starttls": HTTP has no such command'),
        (DOOR + 'tls = "required-starttls"\n', 'tls = "required-starttls": HTTP has no such command'),
        (DOOR + 'tls = "off"\n', "so nobody could log in; did you mean 'implicit'?"),
        (DOOR + 'tls = "off"\nbind = ["192.0.2.1"]\n', "so nobody could log in"),
        (DOOR + 'max_level = "knock"\n', "unknown"),
        (DOOR + "max_streams_per_account = 0\n", "out of range"),
    ],
)
def test_what_it_may_not_say(load_text: LoadText, text: str, words: str) -> None:
    loaded = load_text(text)
    assert loaded.config is None
    assert words in "\n".join(problem.text for problem in loaded.problems)


def test_in_clear_on_this_machine_alone(load_text: LoadText) -> None:
    loaded = load_text(DOOR + 'tls = "off"\nbind = ["127.0.0.1", "::1"]\n')
    assert loaded.accepted().listeners[0].tls == "off"


def test_what_may_stand_in_a_listener_is_said() -> None:
    assert 'service = "notify"' in explain("notify.max_connections")
    assert "[[listener]]" not in explain("notify.max_level")
