"""Settings of notices: read, written, refused, and what does not fit together."""

# A table reads best with one case on a line.
# ruff: noqa: E501

from __future__ import annotations

from pathlib import Path

import pytest

from mailsuite.config.kinds_notify import STANDARD_SCHEDULE
from mailsuite.config.values import as_toml, values
from mailsuite.model.account import Domain
from mailsuite.model.notice import Level
from tests.config.conftest import LoadText

COMMAND = "[[notify.command]]\nname = 'pager'\nargv = ['/bin/true', '--a', '--a']\n"
HOUR = 3600.0


def test_what_holds_where_nothing_is_said(load_text: LoadText) -> None:
    notify = load_text("[server]\nname = 'mail.example.net'\n").accepted().notify
    assert (notify.enabled, notify.max_level, notify.coalesce, notify.max_per_hour) == (
        True,
        Level.SUBJECT,
        10.0,
        120,
    )
    assert notify.suppress == ("junk", "bulk", "own", "auto")
    assert (notify.stream.enabled, notify.webhook.enabled, notify.webpush.enabled) == (True, True, True)
    assert notify.webhook.per_second == 20
    assert (notify.webhook.per_host, notify.webhook.ports, notify.webhook.ca_file) == (4, (443, 8443), None)
    assert notify.webhook.schedule == STANDARD_SCHEDULE
    assert sum(STANDARD_SCHEDULE) == 5 + 35 * 60 + 75 * HOUR
    assert (notify.webhook.coalesce, notify.webpush.coalesce, notify.ntfy.coalesce) == (5.0, 5.0, None)
    assert notify.webpush.contact == "mailto:postmaster@mail.example.net"
    assert (notify.notifymail.udp, notify.commands) == (False, ())


def test_the_keys_of_the_specification(load_text: LoadText) -> None:
    """spec/mailsuite.toml."""
    loaded = load_text(
        "[notify]\nenabled = true\nmax_level = 'subject'\nsuppress = ['junk', 'bulk', 'own', 'auto']\n"
        "coalesce = '10s'\nmax_per_hour = 120\nallow_networks = []\n"
        "[notify.notifymail]\nenabled = true\ndefault_state = 'off'\nlearn_from = ['pop3', 'stream']\n"
        "last_ip_expiry = '24h'\nports = [79]\nconnect_timeout = '5s'\nmax_in_flight = 256\nsource_address = ''\n"
        "[notify.stream]\nenabled = true\n[notify.webhook]\nenabled = true\nper_host = 4\n"
        "[notify.webpush]\nenabled = true\ncontact = 'mailto:postmaster@example.net'\n"
    )
    assert loaded.problems == ()
    assert loaded.accepted().notify.notifymail.learn_from == ("pop3", "stream")


def test_a_program_is_a_block(load_text: LoadText) -> None:
    loaded = load_text(COMMAND + "timeout = '2s'\n")
    assert loaded.problems == ()
    (command,) = loaded.accepted().notify.commands
    assert (command.name, command.argv, command.timeout) == ("pager", ("/bin/true", "--a", "--a"), 2.0)
    assert (command.enabled, command.users) == (True, False)
    again = load_text(as_toml(values(loaded.accepted())))
    assert again.accepted().notify.commands == (command,)


def test_a_program_of_a_later_file_changes_the_earlier_one(load_text: LoadText) -> None:
    later = "[[notify.command]]\nname = 'pager'\ntimeout = '3s'\n"
    (command,) = load_text(COMMAND, files={"conf.d/a.toml": later}).accepted().notify.commands
    assert (command.argv[0], command.timeout) == ("/bin/true", 3.0)


def test_a_domain_says_what_its_accounts_are_told(load_text: LoadText) -> None:
    config = load_text(
        "[[domain]]\nname = 'a.example'\nnotify = 'deny'\nnotify_max_level = 'count'\n[[domain]]\nname = 'b.example'\n"
    ).accepted()
    first, second = (block.domain for block in config.domains)
    assert (first.notify, first.notify_max_level) == (False, Level.COUNT)
    assert (second.notify, second.notify_max_level) == (Domain("x").notify, None) == (True, None)


@pytest.mark.parametrize(
    ("written", "waits", "shown"),
    [
        ('"standard"', STANDARD_SCHEDULE, '"standard"'),
        ('["5s", "1m", "5s"]', (5.0, 60.0, 5.0), '["5s", "1m", "5s"]'),
        ("[]", (), "[]"),
    ],
)
def test_when_a_web_server_is_tried_again(
    load_text: LoadText, written: str, waits: tuple[float, ...], shown: str
) -> None:
    config = load_text(f"[notify.webhook]\nschedule = {written}\n").accepted()
    assert config.notify.webhook.schedule == waits
    assert {one.key: one.text for one in values(config)}["notify.webhook.schedule"] == shown


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("standard", STANDARD_SCHEDULE),
        ("'standard'", STANDARD_SCHEDULE),
        ("5s,1m", (5.0, 60.0)),
        ('["5s"]', (5.0,)),
    ],
)
def test_the_same_from_the_environment(load_text: LoadText, text: str, waits: tuple[float, ...]) -> None:
    loaded = load_text("", environ={"MAILSUITE_NOTIFY__WEBHOOK__SCHEDULE": text})
    assert loaded.accepted().notify.webhook.schedule == waits


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "[notify]\nmax_level = 'everything'\n",
            'expected one of "knock", "count", "sender", "subject", "preview"',
        ),
        ("[notify]\nmax_level = 2\n", "expected one of"),
        ("[notify]\nsuppress = ['spam']\n", "expected one of"),
        ("[notify.webhook]\nschedule = 'often'\n", 'expected "standard", or a list of waits'),
        ("[notify.webhook]\nschedule = ['5s', 5]\n", 'did you mean "5s"?'),
        (f"[notify.webhook]\nschedule = {['1s'] * 21}\n", "the list is too long"),
        ("[notify.webhook]\nports = []\n", "at least 1"),
        ("[notify.webpush]\ncontact = 'postmaster@example.net'\n", "expected a URL"),
        ("[notify.webpush]\ncontact = 'mailto:nobody'\n", "expected a URL"),
        ("[notify.webpush]\ncontact = 'https://'\n", "expected a URL"),
        ("[notify.webpush]\ncontact = 'https://[x'\n", "expected a URL"),
        ("[notify.webpush]\ncontact = 'http://example.net/'\n", "expected a URL"),
        (f"[notify.webpush]\ncontact = 'https://{'x' * 255}'\n", "no URL that can be told"),
        ("[[notify.command]]\nname = 'pager'\n", "argv"),
        ("[[notify.command]]\nargv = ['/bin/true']\n", "name"),
        (COMMAND.replace("pager", "My pager"), "My pager"),
        (COMMAND.replace("['/bin/true', '--a', '--a']", "'/bin/true --a'"), "a program by its whole path"),
        (COMMAND.replace("['/bin/true', '--a', '--a']", "[]"), "a program by its whole path"),
        (COMMAND.replace("/bin/true", "true"), "is no path from the root"),
        (COMMAND.replace("/bin/true", "/nowhere/true"), "argv: /nowhere/true is not there"),
        (COMMAND.replace("/bin/true", "/bin"), "argv: /bin is no file"),
        (
            COMMAND.replace("/bin/true", "/etc/passwd"),
            "argv: /etc/passwd is no program that this user can run",
        ),
        (COMMAND.replace("--a", "x" * 1001, 1), "an argument is too long"),
        (COMMAND.replace("'--a', '--a'", str(["x"] * 64)[1:-1]), "the list is too long"),
        (COMMAND + COMMAND, "stands twice"),
        ("[notify.command]\nname = 'x'\n", "[[notify.command]]"),
        ("[notify.webhook]\nca_file = '/nowhere/ca.pem'\n", "ca_file: /nowhere/ca.pem is not there"),
        ("[notify.pushover]\ntoken_file = '/nowhere/token'\n", "token_file: /nowhere/token is not there"),
        ("[[domain]]\nname = 'a.example'\nnotify = true\n", 'expected one of "allow", "deny"'),
    ],
)
def test_what_is_refused(load_text: LoadText, text: str, reason: str) -> None:
    loaded = load_text(text)
    assert [problem for problem in loaded.errors if reason in problem.text], loaded.problems


def test_a_program_that_is_not_used_need_not_be_there(load_text: LoadText) -> None:
    assert load_text(COMMAND.replace("/bin/true", "/nowhere") + "enabled = false\n").problems == ()


@pytest.mark.parametrize("contact", ["mailto:joe@example.net", "https://example.net/contact"])
def test_whom_push_services_ask(load_text: LoadText, contact: str) -> None:
    assert (
        load_text(f"[notify.webpush]\ncontact = '{contact}'\n").accepted().notify.webpush.contact == contact
    )


def test_a_level_above_the_servers_comes_to_nothing(load_text: LoadText) -> None:
    domain = "[[domain]]\nname = 'a.example'\nnotify_max_level = 'preview'\n"
    (problem,) = load_text(domain).problems
    assert (problem.severity, 'notify.max_level = "subject" is less' in problem.text) == ("warning", True)
    assert load_text("[notify]\nmax_level = 'preview'\n" + domain).problems == ()


def test_the_token_of_an_application(load_text: LoadText, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("azGDORePK8gMaC0QOYAMyEEuzJnyUi\n")
    file.chmod(0o644)
    text = f"[notify.pushover]\ntoken_file = '{file}'\n"
    loaded = load_text(text)
    assert [problem.text for problem in loaded.problems] == [
        f"token_file: others can read {file}; chmod 600 {file}"
    ]
    config = loaded.accepted()
    assert config.notify.pushover.token.reveal() == "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
    assert "azGDO" not in repr(config)
    unused = load_text(text + "enabled = false\n")
    assert (unused.problems, unused.accepted().notify.pushover.token.reveal()) == ((), "")
