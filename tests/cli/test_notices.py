"""notify list, show, add and so on, against the control socket: what people and programs see."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from mailsuite.cli.notices_text import ADVICE, result_text, short_time
from mailsuite.cli.notices_wish import DAYS, quiet_of
from mailsuite.cli.terminal import time_text
from mailsuite.notify.own_knocks import SWITCHED_OFF
from mailsuite.notify.targets import Untold
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

NOW = 1_795_000_000.0
ID = "sub_0a1b2c3d4e5f6071"
JOE = "joe@example.net"
SECRET = "tk_S3CRET"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


FILTER = {
    "kinds": ["mail.new"],
    "senders": [],
    "lists": [],
    "subjects": [],
    "labels": [],
    "importance": "low",
    "smallest": "0B",
    "largest": "0B",
    "wanted": [],
    "if_unfetched_after": "0s",
}
HEALTH = {
    "last_ok": None,
    "last_try": None,
    "last_result": "",
    "fails": 0,
    "due": None,
    "sent": 0,
    "useful": 0,
}


def subscription(**fields: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "account": JOE,
        "device": None,
        "channel": "webhook",
        "host": "hooks.example.com:443",
        "name": "",
        "level": "count",
        "told": "count",
        "filter": FILTER,
        "quiet": None,
        "window": None,
        "urgency": "normal",
        "created": NOW - 86400,
        "expires": None,
        "state": "active",
        "reason": "",
        "health": HEALTH,
        **fields,
    }


def notifymail(**fields: Any) -> dict[str, Any]:
    return {
        "enabled": True,
        "state": "last-ip",
        "target": "192.0.2.77:79",
        "untold": None,
        "suspended_until": None,
        "last_login": None,
        **HEALTH,
        **fields,
    }


FAILING = subscription(
    id="sub_failing",
    account="ann@example.net",
    channel="ntfy",
    host="ntfy.example.com:443",
    name="phone\x1b[2J",
    state="suspended",
    reason="http 503 for 3 d",
    health={**HEALTH, "last_try": NOW - 7200, "last_result": "http 503", "fails": 9, "last_ok": NOW - 90000},
)


def answer(control: ControlDouble, request: str, document: Any, status: int = 200) -> None:
    control.answers[request] = (status, document)


def cells(line: str) -> list[str]:
    return [part.strip() for part in line.split("   ") if part.strip()]


def lines_of(run: Run, *arguments: str) -> dict[str, str]:
    """What ``show`` says, by the word at the beginning of each line; what goes on stands behind it."""
    shown: dict[str, str] = {}
    last = ""
    result = run("notify", "show", *arguments)
    assert result.exit_code == 0, result.output
    for line in result.stdout.splitlines():
        word, text = line[:12].strip(), line[13:]
        if word:
            last = word
            shown[last] = text
        elif text:
            shown[last] += f" | {text}"
    return shown


# Looking

LIST = "GET /v1/notices?{}count=500&after={}"


def test_the_list(run: Run, control: ControlDouble) -> None:
    answer(control, LIST.format("", ""), {"subscriptions": [subscription()], "total": 2, "after": f"{JOE} x"})
    answer(
        control,
        LIST.format("", "joe%40example.net+x"),
        {"subscriptions": [FAILING], "total": 2, "after": None},
    )
    head, first, second = run("notify", "list").stdout.splitlines()
    assert cells(head) == ["ID", "ACCOUNT", "CHANNEL", "TO", "NAME", "TELLS", "STATE", "LAST"]
    assert cells(first) == [
        "sub_failing",
        "ann@example.net",
        "ntfy",
        "ntfy.example.com:443",
        r"phone\x1b[2J",
        "count",
        "suspended",
        "http 503, 2 h ago",
    ]
    assert cells(second) == [ID, JOE, "webhook", "hooks.example.com:443", "-", "count", "active", "-"]
    assert run("notify", "list", "-q").stdout == f"sub_failing\n{ID}\n"
    assert json.loads(run("notify", "list", "--json").stdout) == {"subscriptions": [FAILING, subscription()]}


def test_filters_of_the_list(run: Run, control: ControlDouble) -> None:
    nothing = {"subscriptions": [], "total": 0, "after": None}
    asked = "account=joe%40example.net&channel=ntfy&state=paused&"
    answer(control, LIST.format(asked, ""), nothing)
    listed = run("notify", "list", JOE, "--channel", "ntfy", "--state", "paused")
    assert (listed.exit_code, listed.stdout, listed.stderr) == (0, "", "There is no such subscription.\n")
    answer(control, LIST.format("", ""), nothing)
    assert "mailsuite notify add ACCOUNT CHANNEL TARGET" in run("notify", "list").stderr
    assert run("notify", "list", "-q").output == ""
    assert run("notify", "list", "--state", "asleep").exit_code == 2


def test_all_that_tells_an_account(run: Run, control: ControlDouble) -> None:
    last = NOW - 100
    knocks = notifymail(
        last_ok=last, last_try=last, last_result="sent", last_login=last + 3, sent=8, useful=6
    )
    document = {"account": JOE, "notifymail": knocks, "subscriptions": [subscription(), FAILING]}
    answer(control, f"GET /v1/accounts/{JOE}/notices", document)
    shown = run("notify", "show", JOE)
    assert shown.stdout.splitlines()[:5] == [
        JOE,
        "",
        "notifymail   where the last login came from: 192.0.2.77:79",
        f"last knock   {short_time(last, NOW)}, fetched 3 s later",
        "so far       8 knocks, 75 % useful: a login within a minute",
    ]
    assert shown.stdout.splitlines()[5:8] == ["", "webhook      hooks.example.com:443", f"id           {ID}"]
    assert r'ntfy         ntfy.example.com:443  "phone\x1b[2J"' in shown.stdout.splitlines()
    assert json.loads(run("notify", "show", JOE, "--json").stdout) == document


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"state": "off", "target": None, "untold": "off"}, {"notifymail": "off"}),
        (
            {"state": "static", "enabled": False},
            {
                "notifymail": "a fixed address: 192.0.2.77:79 | switched off for the server: notify.enabled, "
                "notify.notifymail.enabled"
            },
        ),
        (
            {"target": None, "untold": "no login from anywhere in time"},
            {"notifymail": "where the last login came from | no knock: no login from anywhere in time"},
        ),
        (
            {"suspended_until": NOW + 60, "last_result": "refused", "last_try": NOW - 5},
            {
                "notifymail": "where the last login came from: 192.0.2.77:79 | left alone until "
                f"{short_time(NOW + 60, NOW)}, or until the next login: refused",
                "last knock": f"{short_time(NOW - 5, NOW)}, refused",
            },
        ),
        (
            {"last_ok": NOW - 500, "last_login": NOW - 600},
            {"last knock": f"{short_time(NOW - 500, NOW)}, nobody has fetched since"},
        ),
        (
            {"last_ok": NOW - 500, "last_login": NOW - 400},
            {"last knock": f"{short_time(NOW - 500, NOW)}, and a login at {short_time(NOW - 400, NOW)}"},
        ),
    ],
)
def test_notifymail_in_words(
    run: Run, control: ControlDouble, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    document = {"account": JOE, "notifymail": notifymail(**fields), "subscriptions": []}
    answer(control, f"GET /v1/accounts/{JOE}/notices", document)
    shown = lines_of(run, JOE)
    assert {word: shown.get(word) for word in expected} == expected


def test_one_subscription_with_all_that_it_may_say(run: Run, control: ControlDouble) -> None:
    full = subscription(
        level="preview",
        told="subject",
        device="phone",
        name="the shop",
        filter={
            "kinds": ["mail.new", "quota.reached"],
            "senders": ["*@example.com", "ann@*"],
            "lists": ["announce.example.com"],
            "subjects": ["*invoice*"],
            "labels": ["shop"],
            "importance": "high",
            "smallest": "1KiB",
            "largest": "10MiB",
            "wanted": ["bulk", "own"],
            "if_unfetched_after": "5m",
        },
        quiet={
            "zone": "Europe/Berlin",
            "manner": "hold",
            "breakthrough": ["boss@example.com"],
            "spans": [
                {"days": ["mon", "tue"], "begin": "22:00", "end": "07:00"},
                {"days": list(DAYS), "begin": "12:00", "end": "13:00"},
            ],
        },
        window="30s",
        urgency="high",
        expires=NOW + 86400,
        health={
            "last_ok": NOW - 90000,
            "last_try": NOW - 10,
            "last_result": "http 503",
            "fails": 2,
            "due": NOW + 300,
            "sent": 1,
            "useful": 0,
        },
    )
    answer(control, f"GET /v1/notices/subscriptions/{ID}", {"subscription": full})
    assert lines_of(run, ID) == {
        "webhook": 'hooks.example.com:443  "the shop"',
        "id": ID,
        "state": "active",
        "tells": "subject; it asks for preview, and server, domain or channel allow no more",
        "of": "mail.new, quota.reached, from *@example.com or ann@*, by the list announce.example.com, about "
        "*invoice*, to the tag shop, of high importance, from 1KiB, up to 10MiB, if nobody has fetched it "
        "after 5m | also what is bulk or own",
        "quiet": "mon,tue 22:00-07:00 Europe/Berlin | every day 12:00-13:00 Europe/Berlin | then one notice "
        "at the end | but not for boss@example.com",
        "window": "30s",
        "urgency": "high",
        "made": f"{time_text(NOW - 86400)} by the device phone",
        "expires": time_text(NOW + 86400),
        "last try": f"{short_time(NOW - 10, NOW)}, http 503",
        "last told": short_time(NOW - 90000, NOW),
        "failures": f"2 in a row, next try {short_time(NOW + 300, NOW)}",
        "so far": "1 notice, 0 % useful: a login within a minute",
    }
    assert json.loads(run("notify", "show", ID, "--json").stdout) == {"subscription": full}


def test_why_it_stopped(run: Run, control: ControlDouble) -> None:
    answer(control, "GET /v1/notices/subscriptions/sub_failing", {"subscription": FAILING})
    shown = lines_of(run, "sub_failing")
    assert (shown["state"], shown["failures"]) == ("suspended: http 503 for 3 d", "9 in a row")


def test_what_was_sent_lately(run: Run, control: ControlDouble) -> None:
    attempts = [
        {"subscription": ID, "seq": 9, "at": NOW - 5, "ms": 38.2, "result": "ok", "code": 200},
        {
            "subscription": ID,
            "seq": 0,
            "at": NOW - 9,
            "ms": 5000.0,
            "result": "timed-out: \x1b",
            "code": None,
        },
    ]
    given_up = [
        {"subscription": ID, "first": 2, "seq": 4, "at": NOW - 99, "result": "http 500", "code": 500},
        {"subscription": ID, "first": 5, "seq": 5, "at": NOW - 98, "result": "http 500", "code": 500},
    ]
    path = f"GET /v1/notices/subscriptions/{ID}/deliveries"
    answer(control, path, {"attempts": attempts, "given_up": given_up})
    head, first, second, *buried = run("notify", "deliveries", ID).stdout.splitlines()
    assert cells(head) == ["AT", "SEQ", "TOOK", "RESULT"]
    assert cells(first) == [short_time(NOW - 5, NOW), "9", "38 ms", "ok"]
    assert cells(second)[1:] == ["-", "5000 ms", r"timed-out: \x1b"]
    assert buried == [
        f"given up at {short_time(NOW - 99, NOW)}: 2 to 4, http 500",
        f"given up at {short_time(NOW - 98, NOW)}: 5, http 500",
    ]
    document = json.loads(run("notify", "deliveries", ID, "--json").stdout)
    assert document == {"attempts": attempts, "given_up": given_up}
    answer(control, path, {"attempts": [], "given_up": []})
    assert run("notify", "deliveries", ID).output == "Nothing was sent there yet.\n"


def test_the_key_for_browsers(run: Run, control: ControlDouble) -> None:
    answer(control, "GET /v1/notices/key", {"key": "BKey"})
    assert run("notify", "key").stdout == "BKey\n"
    assert json.loads(run("notify", "key", "--json").stdout) == {"key": "BKey"}
    answer(control, "GET /v1/notices/key", {"error": "Web Push is off: notify.webpush.enabled"}, 404)
    refused = run("notify", "key")
    assert (refused.exit_code, refused.stderr) == (1, "Web Push is off: notify.webpush.enabled\n")


# Making

MAKE = "POST /v1/notices"


def sent(control: ControlDouble) -> Any:
    return control.requests[-1][2]


def test_adding_one(run: Run, control: ControlDouble) -> None:
    made = {"subscription": subscription(state="unverified"), "secret": "whsec_abc"}
    answer(control, MAKE, made, 201)
    added = run("notify", "add", JOE, "webhook", "https://hooks.example.com/in")
    assert added.exit_code == 0, added.output
    assert added.stdout.splitlines() == [
        f"{ID}: webhook to hooks.example.com:443, tells: count",
        "Secret, shown once:  whsec_abc",
    ]
    assert added.stderr == (
        "A code was sent there, and nothing else is until it has come back:  "
        f"mailsuite notify confirm {ID} CODE\n"
    )
    assert sent(control) == {
        "account": JOE,
        "channel": "webhook",
        "target": "https://hooks.example.com/in",
        "verified": False,
    }
    assert run("notify", "add", JOE, "webhook", "https://x/", "-q").output == f"{ID}\nwhsec_abc\n"
    assert json.loads(run("notify", "add", JOE, "webhook", "https://x/", "--json").stdout) == made


def test_adding_one_that_nobody_need_confirm(run: Run, control: ControlDouble) -> None:
    made = {"subscription": subscription(level="preview", told="subject"), "secret": None}
    answer(control, MAKE, made, 201)
    added = run("notify", "add", JOE, "pushover", "--verified", "--option", "user=u=1", "--level", "preview")
    assert added.stdout == f"{ID}: webhook to hooks.example.com:443, tells: subject\n"
    assert added.stderr.startswith("It asks for preview, which is more than the server, the domain or")
    assert sent(control) == {
        "account": JOE,
        "channel": "pushover",
        "verified": True,
        "options": {"user": "u=1"},
        "level": "preview",
    }
    assert run("notify", "add", JOE, "pushover", "-q").output == f"{ID}\n"


def test_a_code_that_could_not_be_sent(run: Run, control: ControlDouble) -> None:
    unsent = subscription(state="unverified", reason="the code could not be sent: refused")
    answer(control, MAKE, {"subscription": unsent, "secret": None}, 201)
    added = run("notify", "add", JOE, "webhook", "https://x/")
    words = f"the code could not be sent: refused. A new code:  mailsuite notify confirm {ID} --send\n"
    assert (added.exit_code, added.stderr) == (0, words)


WISH = (
    "--name phone --level sender --only mail.new --only quota.reached --from *@example.com --list a.b "
    "--subject *x* --label shop --importance high --smallest 1KiB --largest 1MiB --want bulk "
    "--unfetched-after 5m --while-quiet digest --break-through boss@example.com --window 30s "
    "--urgency high --expires 2027-01-31"
)


def test_what_is_wished(run: Run, control: ControlDouble) -> None:
    answer(control, MAKE, {"subscription": subscription(), "secret": None}, 201)
    hours = ["--quiet-hours", "mo-fr 22:00-07:00 Europe/Berlin"]
    run("notify", "add", JOE, "ntfy", "https://ntfy.example.com/t", *WISH.split(), *hours)
    body = sent(control)
    assert body["filter"] == {
        "kinds": ["mail.new", "quota.reached"],
        "senders": ["*@example.com"],
        "lists": ["a.b"],
        "subjects": ["*x*"],
        "labels": ["shop"],
        "importance": "high",
        "smallest": "1KiB",
        "largest": "1MiB",
        "wanted": ["bulk"],
        "if_unfetched_after": "5m",
    }
    assert body["quiet"] == {
        "zone": "Europe/Berlin",
        "spans": [{"days": ["mon", "tue", "wed", "thu", "fri"], "begin": "22:00", "end": "07:00"}],
        "manner": "digest",
        "breakthrough": ["boss@example.com"],
    }
    others = ("name", "level", "window", "urgency", "expires")
    assert [body[name] for name in others] == ["phone", "sender", "30s", "high", "2027-01-31T00:00:00Z"]


@pytest.mark.parametrize(
    ("text", "days", "hours"),
    [
        ("22:00-07:00 Europe/Berlin", "mon tue wed thu fri sat sun", "22:00 07:00"),
        ("sat,sun 00:00-24:00 UTC", "sat sun", "00:00 00:00"),
        ("Fri-Mon 18:00-23:59 UTC", "mon fri sat sun", "18:00 23:59"),
        ("Monday,we 01:00-02:00 UTC", "mon wed", "01:00 02:00"),
    ],
)
def test_quiet_hours(text: str, days: str, hours: str) -> None:
    (span,) = quiet_of([text], None, ())["spans"]
    assert (span["days"], [span["begin"], span["end"]]) == (days.split(), hours.split())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "22:00-07:00",
        "mon 22:00 07:00 UTC",
        "m 22:00-07:00 UTC",
        "mon-tue-wed 22:00-07:00 UTC",
        "mon- 22:00-07:00 UTC",
        "holidays 22:00-07:00 UTC",
        "mon 22-7 UTC",
    ],
)
def test_what_are_no_quiet_hours(run: Run, text: str) -> None:
    refused = run("notify", "add", JOE, "ntfy", "https://x/", "--quiet-hours", text)
    assert (refused.exit_code, '"mon-fri 22:00-07:00 Europe/Berlin"' in refused.stderr) == (2, True)


def test_one_time_zone_for_all_quiet_hours(run: Run) -> None:
    hours = ("--quiet-hours", "mon 22:00-07:00 UTC", "--quiet-hours", "sat 22:00-07:00 Asia/Tokyo")
    refused = run("notify", "add", JOE, "ntfy", "https://x/", *hours)
    assert (refused.exit_code, "the same time zone" in refused.stderr) == (2, True)


def test_secrets_are_no_arguments(run: Run, control: ControlDouble, place: Path) -> None:
    answer(control, MAKE, {"subscription": subscription(), "secret": None}, 201)
    for name in ("token", "secret", "auth", "header.Authorization"):
        refused = run("notify", "add", JOE, "ntfy", "https://x/", "--option", f"{name}={SECRET}")
        assert (refused.exit_code, f"--option-file {name}=FILE" in refused.stderr) == (2, True)
        assert SECRET not in refused.output
    assert control.requests == []
    file = place / "token"
    file.write_text(f"{SECRET}\nmore\n")
    added = run("notify", "add", JOE, "ntfy", "https://x/", "--option-file", f"token={file}")
    assert (added.exit_code, SECRET in added.output) == (0, False)
    assert sent(control)["options"] == {"token": SECRET}
    run("notify", "add", JOE, "ntfy", "https://x/", "--option-file", "token=-", input=f"{SECRET}\r\n")
    assert sent(control)["options"] == {"token": SECRET}
    file.write_text("https://hooks.example.com/S3CRET\n")
    run("notify", "add", JOE, "webhook", "--target-file", str(file))
    assert sent(control)["target"] == "https://hooks.example.com/S3CRET"


def test_what_is_wrong_with_what_is_given(run: Run, control: ControlDouble, place: Path) -> None:
    (place / "empty").write_text("\n")
    (place / "long").write_text("x" * 5000)
    (place / "odd").write_bytes(b"\xff\n")
    add = ("notify", "add", JOE, "ntfy")
    for arguments, status, words in (
        ((*add, "https://x/", "--target-file", "-"), 2, "TARGET and --target-file exclude each other"),
        ((*add, "--target-file", "-", "--option-file", "token=-"), 2, "there is one stdin only"),
        ((*add, "--option", "topic"), 2, "--option: expected NAME=..., not 'topic'"),
        ((*add, "--option-file", "=x"), 2, "--option-file: expected NAME=..."),
        ((*add, "--target-file", str(place / "none")), 1, "No such file or directory"),
        ((*add, "--target-file", str(place / "empty")), 1, "there is nothing in the first line"),
        ((*add, "--target-file", str(place / "long")), 1, "has more than 4096 octets"),
        ((*add, "--target-file", str(place / "odd")), 1, "is not UTF-8"),
    ):
        refused = run(*arguments)
        assert (refused.exit_code, words in refused.stderr) == (status, True), refused.output
    assert control.requests == []


# Changing

ONE = f"/v1/notices/subscriptions/{ID}"


def test_changing_keeps_what_is_not_said(run: Run, control: ControlDouble) -> None:
    present = subscription(
        filter={**FILTER, "senders": ["*@example.com"], "labels": ["shop"]},
        quiet={"zone": "UTC", "manner": "drop", "breakthrough": [], "spans": []},
    )
    answer(control, f"GET {ONE}", {"subscription": present})
    answer(control, f"PATCH {ONE}", {"subscription": subscription(level="preview", told="subject")})
    changed = run("notify", "change", ID, "--from", "", "--importance", "high", "--while-quiet", "hold")
    assert (changed.exit_code, changed.stdout) == (0, f"{ID} is changed.\n")
    assert changed.stderr.startswith("It asks for preview")
    assert sent(control) == {
        "filter": {**FILTER, "labels": ["shop"], "senders": [], "importance": "high"},
        "quiet": {"zone": "UTC", "manner": "hold", "breakthrough": [], "spans": []},
    }
    control.requests.clear()
    changed = run("notify", "change", ID, "--level", "sender", "--json")
    assert control.requests == [("PATCH", ONE, {"level": "sender"})]
    assert json.loads(changed.stdout)["subscription"]["id"] == ID
    assert run("notify", "change", ID, "--level", "sender", "-q").output == ""
    assert run("notify", "change", ID).exit_code == 2


def test_confirming(run: Run, control: ControlDouble) -> None:
    answer(control, f"POST {ONE}/confirm", {"subscription": subscription()})
    confirmed = run("notify", "confirm", ID, "0123")
    assert confirmed.output == f"{ID} is confirmed, and told from now on.\n"
    assert sent(control) == {"code": "0123"}
    answer(control, f"POST {ONE}/code", {"subscription": subscription(state="unverified")})
    assert "A code was sent there" in run("notify", "confirm", ID, "--send").stderr
    assert json.loads(run("notify", "confirm", ID, "--send", "--json").stdout)["subscription"]["id"] == ID
    assert run("notify", "confirm", ID, "--send", "-q").output == ""
    for arguments in ((), ("0123", "--send")):
        assert run("notify", "confirm", ID, *arguments).exit_code == 2
    answer(control, f"POST {ONE}/confirm", {"error": "code: it is wrong; 4 more can be tried"}, 400)
    refused = run("notify", "confirm", ID, "x")
    assert (refused.exit_code, refused.stderr) == (1, "code: it is wrong; 4 more can be tried\n")


@pytest.mark.parametrize(
    ("verb", "state", "words"),
    [
        ("pause", "paused", "is told nothing until you resume it."),
        ("resume", "active", "is told again."),
    ],
)
def test_pausing_and_resuming(run: Run, control: ControlDouble, verb: str, state: str, words: str) -> None:
    answer(control, f"PATCH {ONE}", {"subscription": subscription(state=state)})
    assert run("notify", verb, ID, ID).output == f"{ID} {words}\n" * 2
    assert [body for _, _, body in control.requests] == [{"state": state}] * 2
    document = json.loads(run("notify", verb, ID, "--json").stdout)
    assert document == {"subscriptions": [subscription(state=state)]}
    assert run("notify", verb, ID, "-q").output == ""
    assert run("notify", verb).exit_code == 2


def test_removing(run: Run, control: ControlDouble) -> None:
    answer(control, f"GET {ONE}", {"subscription": subscription()})
    answer(control, f"DELETE {ONE}", {"subscription": subscription()})
    removed = run("notify", "remove", ID, input="y\n")
    assert removed.stdout == f"{ID} is removed.\n"
    assert removed.stderr.startswith(f"{JOE}: webhook to hooks.example.com:443\nRemove, for good?")
    control.requests.clear()
    assert run("notify", "remove", ID, input="n\n").exit_code == 1
    assert [method for method, _, _ in control.requests] == ["GET"]
    assert run("notify", "remove", ID, "--yes", "-q").output == ""
    assert json.loads(run("notify", "remove", ID, "-y", "--json").stdout) == {
        "subscriptions": [subscription()]
    }


# Trying


def tried(**fields: Any) -> dict[str, Any]:
    return {
        "id": None,
        "channel": "notifymail",
        "name": "",
        "host": "192.0.2.77:79",
        "result": "sent",
        "code": None,
        "ms": 9.2,
        **fields,
    }


TRY = f"POST /v1/accounts/{JOE}/notices/test"


def test_one_by_every_way(run: Run, control: ControlDouble) -> None:
    web = tried(id=ID, channel="webpush", name="Firefox on laptop", host="push.example.com:443")
    results = [tried(result="refused"), {**web, "result": "ok", "code": 201, "ms": 180.0}]
    answer(control, TRY, {"results": results})
    done = run("notify", "test", JOE)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "notifymail   192.0.2.77:79       refused: nothing listens there. The user needs a NotifyMail "
        "program, e.g.  mailsuite notify listen",
        "webpush      Firefox on laptop   ok, 180 ms",
    ]
    done = run("notify", "test", JOE, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (1, {"results": results})
    answer(control, TRY, {"results": [tried()]})
    assert (run("notify", "test", JOE).exit_code, run("notify", "test", JOE, "-q").output) == (0, "")


def test_nothing_to_try(run: Run, control: ControlDouble) -> None:
    answer(control, TRY, {"results": []})
    done = run("notify", "test", JOE)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"mailsuite account change {JOE} --notifymail last-ip" in done.stderr


def test_one_subscription_alone(run: Run, control: ControlDouble) -> None:
    attempt = {"subscription": ID, "seq": 0, "at": NOW, "ms": 5.0, "result": "http 404", "code": 404}
    answer(control, f"GET {ONE}", {"subscription": subscription()})
    answer(control, f"POST {ONE}/test", {"attempt": attempt})
    done = run("notify", "test", ID)
    assert done.exit_code == 1
    assert done.stdout == "webhook   hooks.example.com:443   http 404: there is nothing at that path.\n"


def test_telling_again_what_was_given_up(run: Run, control: ControlDouble) -> None:
    letters = [{"first": seq, "seq": seq, "at": NOW, "result": "http 500"} for seq in (3, 7)]
    answer(control, f"GET {ONE}/deliveries", {"attempts": [], "given_up": letters})
    attempt = {"subscription": ID, "seq": 3, "at": NOW, "ms": 5.0, "result": "ok", "code": 200}
    answer(control, f"POST {ONE}/replay", {"attempt": attempt})
    done = run("notify", "replay", ID)
    assert (done.exit_code, done.stdout) == (0, "3  ok, 5 ms\n" * 2)
    assert [body for method, _, body in control.requests if method == "POST"] == [{"seq": 3}, {"seq": 7}]
    control.requests.clear()
    assert json.loads(run("notify", "replay", ID, "7", "--json").stdout) == {"attempts": [attempt]}
    assert [body for _, _, body in control.requests] == [{"seq": 7}]
    answer(control, f"POST {ONE}/replay", {"attempt": {**attempt, "result": "http 503"}})
    control.requests.clear()
    failed = run("notify", "replay", ID)
    assert (failed.exit_code, len(control.requests)) == (1, 2)  # the second is not tried
    assert failed.stdout == "3  http 503: something is wrong there; its own log says what.\n"
    answer(control, f"GET {ONE}/deliveries", {"attempts": [], "given_up": []})
    assert run("notify", "replay", ID).output == "Nothing was given up.\n"
    assert run("notify", "replay", ID, "-q").output == ""


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("ok", "ok, 5 ms"),
        ("sent", "ok, 5 ms"),
        ("answered", "ok, 5 ms; something answers there"),
        ("timed-out", "timed-out: no answer."),
        ("tls: the certificate is for another name", "tls: the certificate is for another name; no TLS."),
        ("http 302", "http 302: it sends us elsewhere"),
        ("http 503", "http 503: something is wrong there"),
        ("unverified", "unverified: it has not shown that it wants notices. With the code that it was sent"),
        ("dead", f"dead: it said that it is gone. Remove it:  mailsuite notify remove {ID}"),
        ("exit status 3", "exit status 3"),
        ("the port is not allowed", "the port is not allowed: add it to notify.notifymail.ports."),
    ],
)
def test_what_is_wrong_and_what_to_do(result: str, expected: str) -> None:
    assert result_text(result, "webhook", ID, 5.0).startswith(expected)


def test_each_reason_for_no_knock_has_an_advice() -> None:
    for untold in Untold:
        assert untold is Untold.OFF or untold.value in ADVICE
    assert SWITCHED_OFF in ADVICE


def test_each_advice_names_the_subscription() -> None:
    for result in ADVICE:
        assert " ID" not in result_text(result, "webhook", ID, None)
    assert result_text("dead", "webhook", None, None).endswith("mailsuite notify remove ID")
    assert result_text("ok", "webhook", None, None) == "ok"


# No server


@pytest.mark.parametrize(
    "command",
    [
        f"list|show {JOE}|show {ID}|deliveries {ID}|key|add {JOE} ntfy https://x/|change {ID} --level count",
        f"confirm {ID} x|pause {ID}|resume {ID}|remove {ID}|remove {ID} -y|test {JOE}|test {ID}|replay {ID}",
    ],
)
def test_a_server_has_to_run(run: Run, command: str) -> None:
    for each in command.split("|"):
        result = run("notify", *each.split())
        assert (result.exit_code, "mailsuite is not running" in result.stderr) == (3, True), each
