"""How an SMTP session goes, in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailsuite.config.layers import file_layers
from mailsuite.config.look import Look
from mailsuite.config.reading import Reading
from mailsuite.config.relations_conversation import conversation_relations
from mailsuite.config.resolve import resolve
from mailsuite.config.schema import Config
from tests.config.conftest import MACHINE, LoadText

MX = '[[listener]]\nname = "mx"\nservice = "smtp"\nbind = ["127.0.0.1"]\n'
SHORT = "write allow_short_timeouts = true beside it"


def told(folder: Path, text: str) -> list[str]:
    """What these checks say of a configuration."""
    file = folder / "mailsuite.toml"
    file.write_text(text)
    layers, problems = file_layers(file)
    reading = Reading(problems)
    config = resolve(reading.table(Config, layers), MACHINE)
    look = Look(config, reading.places, frozenset(reading.unsound), MACHINE.today)
    return [str(problem).partition(":")[2] for problem in conversation_relations(look)]


def test_what_holds_where_nothing_is_said(load_text: LoadText) -> None:
    config = load_text("").accepted()
    for settings in (config.smtp, config.submission, config.lmtp):
        assert (settings.open_timeout, settings.data_timeout, settings.allow_short_timeouts) == (
            300.0,
            180.0,
            False,
        )
        assert (settings.minimum_rate, settings.max_session, settings.max_messages) == (500, 1800.0, 1000)
        assert (settings.soft_errors, settings.error_delay, settings.hard_errors) == (10, 1.0, 20)
        assert settings.greet_delay == 0.0


def test_each_can_be_said_and_a_listener_has_its_own(load_text: LoadText) -> None:
    text = (
        '[smtp]\nopen_timeout = "6m"\ndata_timeout = "4m"\nminimum_rate = "1KiB"\nmax_session = "1h"\n'
        'max_messages = 5\ngreet_delay = "2s"\nsoft_errors = 3\nerror_delay = "500ms"\nhard_errors = 7\n'
        + MX
        + 'max_session = "never"\nminimum_rate = "0B"\nallow_short_timeouts = true\nopen_timeout = "30s"\n'
    )
    config = load_text(text).accepted()
    smtp, own = config.smtp, config.listeners[0].settings
    assert (smtp.open_timeout, smtp.data_timeout, smtp.minimum_rate, smtp.max_session) == (
        360.0,
        240.0,
        1024,
        3600.0,
    )
    assert (smtp.max_messages, smtp.greet_delay) == (5, 2.0)
    assert (smtp.soft_errors, smtp.error_delay, smtp.hard_errors) == (3, 0.5, 7)
    assert isinstance(own, type(smtp))
    assert (own.max_session, own.minimum_rate, own.open_timeout, own.data_timeout) == (None, 0, 30.0, 240.0)


@pytest.mark.parametrize("name", ["open_timeout", "idle_timeout", "data_timeout"])
@pytest.mark.parametrize("table", ["[smtp]\n", "[submission]\n", "[lmtp]\n", MX])
def test_nothing_is_shorter_than_the_standard(tmp_path: Path, table: str, name: str) -> None:
    """Features row S-A18."""
    line = len(table.splitlines()) + 1
    [problem] = told(tmp_path, f'{table}{name} = "179s"\n')
    assert problem.startswith(f'{line}: error {name} = "179s" is below the ')
    assert problem.endswith(SHORT)
    assert told(tmp_path, f'{table}{name} = "179s"\nallow_short_timeouts = true\n') == []
    assert told(tmp_path, f'{table}{name} = "5m"\n') == []


def test_a_door_may_be_quicker_by_what_its_section_says(tmp_path: Path) -> None:
    text = f'[smtp]\nallow_short_timeouts = true\n{MX}data_timeout = "10s"\n'
    assert told(tmp_path, text) == []
    [problem] = told(tmp_path, f'{text}allow_short_timeouts = false\n[pop3]\nidle_timeout = "1m"\n')
    assert problem.startswith("7: error data_timeout")


def test_a_door_that_is_closed_and_a_value_that_is_wrong_itself_say_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, f'{MX}enabled = false\ndata_timeout = "10s"\n') == []
    assert told(tmp_path, '[smtp]\ndata_timeout = "10s"\nallow_short_timeouts = "yes"\n') == []
    assert told(tmp_path, '[smtp]\nsoft_errors = 20\nhard_errors = "x"\n') == []
    assert told(tmp_path, '[smtp]\nidle_timeout = "1h"\nmax_session = "x"\n') == []


@pytest.mark.parametrize(
    "text", ["soft_errors = 20\n", "hard_errors = 9\n", "soft_errors = 5\nhard_errors = 5\n"]
)
def test_a_delay_that_never_comes(tmp_path: Path, text: str) -> None:
    [problem] = told(tmp_path, f"[smtp]\n{text}")
    assert problem.startswith("2: warning soft_errors = ")
    assert "is never reached" in problem


def test_a_time_out_that_the_session_does_not_live_to_see(tmp_path: Path) -> None:
    [problem] = told(tmp_path, '[smtp]\nidle_timeout = "40m"\n')
    assert (
        problem
        == '2: warning idle_timeout = "40m" is never reached: max_session = "30m" ends the session before'
    )
    _, *problems = told(tmp_path, '[submission]\nmax_session = "4m"\n')
    assert [each.split(" = ")[0] for each in problems] == [
        "2: warning open_timeout",
        "2: warning idle_timeout",
    ]
    assert told(tmp_path, '[smtp]\nidle_timeout = "40m"\nmax_session = "never"\n') == []


def test_a_short_session_is_doubtful(tmp_path: Path) -> None:
    [problem] = told(tmp_path, '[smtp]\nmax_session = "9m"\n')
    assert problem.startswith('2: warning max_session = "9m" is less than a large message takes')
