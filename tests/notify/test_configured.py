"""The notifier's settings as the configuration has them."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from mailsuite.config.load import load
from mailsuite.model.account import NotifyState
from mailsuite.model.notice import Level
from mailsuite.notify.configured import intake_settings, notifier_settings
from mailsuite.notify.intake import IntakeSettings
from mailsuite.notify.notifier import NotifierSettings

HEAD = '[server]\nname = "mail.example.test"\nadmin = "joe@example.test"\nstate = "{state}"\n'


def read(folder: Path, text: str) -> NotifierSettings:
    file = folder / "mailsuite.toml"
    file.write_text(HEAD.format(state=folder / "state") + text)
    return notifier_settings(load(file, {}).accepted())


def test_defaults(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert (settings.enabled, settings.window) == (True, 10.0)
    assert settings.rules.ports == {79}


def test_each_setting_reaches_its_place(tmp_path: Path) -> None:
    text = (
        '[notify]\ncoalesce = "3s"\nallow_networks = ["198.51.100.0/24"]\n[notify.notifymail]\n'
        'max_in_flight = 7\ndefault_state = "off"\nlast_ip_expiry = "2h"\nports = [79, 1079]\n'
    )
    settings = read(tmp_path, text)
    assert (settings.window, settings.max_in_flight) == (3.0, 7)
    rules = settings.rules
    assert (rules.default_state, rules.last_ip_expiry) == (NotifyState.OFF, 7200.0)
    assert (rules.ports, rules.allow_networks) == (frozenset({79, 1079}), (ip_network("198.51.100.0/24"),))


def test_either_switch_is_enough(tmp_path: Path) -> None:
    assert not read(tmp_path, "[notify]\nenabled = false\n").enabled
    assert not read(tmp_path, "[notify.notifymail]\nenabled = false\n").enabled


def test_who_is_followed(tmp_path: Path) -> None:
    def settings(text: str) -> IntakeSettings:
        read(tmp_path, text)
        return intake_settings(load(tmp_path / "mailsuite.toml", {}).accepted())

    usual = settings("")
    assert (usual.enabled, usual.max_level) == (True, Level.SUBJECT)
    assert usual.notifymail is not None
    changed = settings(
        '[notify]\nenabled = false\nmax_level = "count"\n[notify.notifymail]\nenabled = false\n'
    )
    assert (changed.enabled, changed.max_level, changed.notifymail) == (False, Level.COUNT, None)
