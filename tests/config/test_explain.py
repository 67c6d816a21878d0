"""``explain`` beyond what every setting has (tests/config/test_schema.py)."""

from __future__ import annotations

import pytest

from mailsuite.config.explain import UnknownSetting, explain


def test_a_setting_of_a_service_may_stand_in_a_listener() -> None:
    assert explain("pop3.idle_timeout") == (
        "pop3.idle_timeout\n"
        "  A session in which nothing happens for so long is closed, without deleting anything.\n"
        "\n"
        "  type      duration\n"
        '  default   "10m"\n'
        "  range     1s to 24h\n"
        '  caution   less than "10m" is below the ten minutes RFC 1939 asks for\n'
        "  applied   at a reload, for sessions that begin later\n"
        '  also in   a [[listener]] with service = "pop3", for that listener alone\n'
        "  set by    the file, MAILSUITE_POP3__IDLE_TIMEOUT, or --set pop3.idle_timeout=...\n"
    )


def test_an_override_explains_the_settings_behind_it() -> None:
    text = explain("listener.trusted_networks")
    assert text.startswith("pop3.trusted_networks\n")
    assert text.count("  type ") == 1
    assert explain("listener.default_domain").count("  type ") == 3


def test_blocks_are_set_by_the_file_alone() -> None:
    assert "--set" not in explain("listener.port")
    assert "--set" not in explain("account.notifymail.state")


@pytest.mark.parametrize("key", ["pop3", "[pop3]", "[[listener]]", "listener", "notify.notifymail"])
def test_a_table_tells_what_it_has(key: str) -> None:
    text = explain(key)
    assert text.startswith(f"[[{key.strip('[]')}]]" if "listener" in key else f"[{key.strip('[]')}]")
    assert len(text.splitlines()) > 5


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("pop3.idle_timout", "did you mean 'pop3.idle_timeout'?"),
        (
            "idle_timeout",
            "did you mean pop3.idle_timeout or smtp.idle_timeout or submission.idle_timeout "
            "or lmtp.idle_timeout or notify.idle_timeout?",
        ),
        ("max_command", "did you mean pop3.max_command?"),
        ("pop", "did you mean 'pop3'?"),
        ("zzzzzz", "mailsuite config example shows all"),
        ("", "mailsuite config example shows all"),
        ("listener.dkim", "unknown setting 'listener.dkim'"),
    ],
)
def test_an_unknown_key_gets_a_suggestion(key: str, says: str) -> None:
    with pytest.raises(UnknownSetting) as caught:
        explain(key)
    assert says in str(caught.value)
