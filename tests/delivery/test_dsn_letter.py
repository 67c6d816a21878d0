"""What people read. The letters stand in tests/delivery/dsn/, for review by people; after a change

    python -m tests.delivery.test_dsn_letter

writes them anew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest

from mailsuite.delivery.dsn_languages import LANGUAGES
from mailsuite.delivery.dsn_letter import MAX_TOLD, WIDTH, Enclosed, explanation, subject_of
from mailsuite.delivery.dsn_report import Reader, Report
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import Fate
from tests.delivery.dsn_cases import (
    ARRIVED,
    DAY,
    DEFERRED,
    DELIVERED,
    EVE,
    EXPIRED,
    JUERGEN,
    MAX,
    POSTMASTER,
    REFUSED,
    RELAYED,
    outcome,
    owed,
    recipient,
    reply,
    report,
)

FOLDER = Path(__file__).parent / "dsn"
DELAY, SUCCESS = NotifyOn.DELAY, NotifyOn.SUCCESS
SPAM = reply(
    554,
    "5.7.1",
    "Your message looks like spam to us. See https://help.example.org/blocked?ip=192.0.2.10&why=content",
    "If you think that this is a mistake, write to abuse@example.org.",
)
HOSTILE = reply(
    550,
    "",
    "\r\nFrom: your bank <bank@example.com>\r\n\r\n--=_boundary\r\nClick \u202ehere\u202c\x1b[31m",
    "",
    "x" * 200,
)
NXDOMAIN = outcome(Fate.FAILED, reply(550, "5.1.2", "The domain does not exist"), host="")


def one_of_each() -> list[tuple[str, int, str]]:
    """Replies that bring out all there is to say."""
    return [
        ("unknown", 550, "5.1.1"),
        ("bad", 501, "5.1.3"),
        ("moved", 551, "5.1.6"),
        ("off", 550, "5.2.1"),
        ("full", 552, "5.2.2"),
        ("no-domain", 550, "5.1.2"),
        ("no-mail", 556, ""),
        ("large", 552, "5.3.4"),
        ("blocked", 550, "5.7.0"),
        ("list", 550, "5.7.2"),
        ("sender", 550, "5.7.23"),
        ("login", 535, "5.7.8"),
        ("tls", 550, "5.7.10"),
        ("loop", 554, "5.4.6"),
        ("dns", 554, "5.4.3"),
        ("unreachable", 554, "5.4.1"),
        ("unicode", 553, "5.6.7"),
        ("content", 554, "5.6.1"),
        ("busy", 451, "4.7.1"),
        ("refused", 550, ""),
    ]


def advised() -> list[Report]:
    """All the advice, in letters that are short enough to name each."""
    people = [
        recipient(number, Address(name, "example.org"), outcome(Fate.FAILED, reply(code, enhanced, name)))
        for number, (name, code, enhanced) in enumerate(one_of_each())
    ]
    relaying = outcome(Fate.FAILED, reply(554, "5.7.1", "Relay access denied"))
    ours = outcome(Fate.FAILED, reply(554, "5.0.0", "Taken out of the queue by the administrator"), host="")
    rest = [recipient(90, EVE, relaying), recipient(91, MAX, ours), recipient(92, JUERGEN, None)]
    return [report(owed(*people)), report(owed(*rest))]


def until(_: object) -> float:
    return ARRIVED + 5 * DAY


LETTERS: Mapping[str, Report] = {
    "failed-one": report(),
    "failed-several": report(
        owed(
            recipient(0),
            recipient(1, JUERGEN, EXPIRED),
            recipient(2, Address("max", "nowhere.example"), NXDOMAIN),
        )
    ),
    "failed-spam": report(owed(recipient(last=outcome(Fate.FAILED, SPAM)))),
    "failed-hostile": report(owed(recipient(last=outcome(Fate.FAILED, HOSTILE, host="evil\r\nhost")))),
    "failed-many": report(
        owed(*(recipient(n, Address(f"user{n}", "example.org")) for n in range(MAX_TOLD + 3)))
    ),
    "failed-at-once": report(
        owed(recipient(last=outcome(Fate.FAILED, replies.DNS_UNAVAILABLE, host="", at=ARRIVED)))
    ),
    "delayed": report(owed(recipient(last=DEFERRED), kind=DELAY), retry_until=until),
    "delayed-no-end": report(owed(recipient(last=DEFERRED), recipient(1, MAX, DEFERRED), kind=DELAY)),
    "delivered": report(owed(recipient(last=DELIVERED), kind=SUCCESS)),
    "delivered-group": report(
        owed(recipient(0, last=DELIVERED), recipient(1, MAX, RELAYED), kind=SUCCESS), expanded=frozenset({0})
    ),
    "passed-on": report(owed(recipient(last=RELAYED), kind=SUCCESS)),
    "lost": report(owed(sender=None, account=None, id="dsn-1"), to=POSTMASTER, reader=Reader.POSTMASTER),
    "copy": report(owed(), to=POSTMASTER, reader=Reader.ONLOOKER),
    "advice-1": advised()[0],
    "advice-2": advised()[1],
}
ENCLOSED = {"de": "Angebot für 2026", "en": "Offer for 2026"}


def letter(name: str, tag: str) -> str:
    texts = LANGUAGES[tag]
    which = attrs.evolve(LETTERS[name], texts=texts)
    enclosed = Enclosed(ENCLOSED[tag], texts.returned_header)
    return f"Subject: {subject_of(which)}\n\n{explanation(which, enclosed)}"


@pytest.mark.parametrize("tag", LANGUAGES)
@pytest.mark.parametrize("name", LETTERS)
def test_the_letter_is_the_one_that_was_reviewed(name: str, tag: str) -> None:
    assert letter(name, tag) == (FOLDER / f"{name}.{tag}.txt").read_text("utf-8")


def test_no_other_letter_lies_there() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {f"{n}.{t}.txt" for n in LETTERS for t in LANGUAGES}


@pytest.mark.parametrize("tag", LANGUAGES)
@pytest.mark.parametrize("name", LETTERS)
def test_lines_are_short_and_nothing_is_left_to_fill_in(name: str, tag: str) -> None:
    _, _, text = letter(name, tag).partition("\n\n")
    assert all(len(line) <= WIDTH for line in text.splitlines())
    assert not set(text) & set("{}\r\x1b\u202e")


def test_nothing_of_the_message_is_known() -> None:
    text = explanation(report(owed(arrived=0.0)), Enclosed())
    assert "Subject:" not in text
    assert "Came in" not in text
    assert "attached;" not in text
    assert "Reference:  0a1b2c3d" in text


def test_the_words_of_others_are_told_apart_from_ours() -> None:
    text = letter("failed-hostile", "en")
    said = text[text.index("said:\n") :].split("\n\n")[0].splitlines()[1:]
    assert said
    assert all(line.startswith("  > ") for line in said)


def test_an_address_without_a_domain() -> None:
    text = explanation(report(owed(recipient(address=Address("postmaster", "")))), Enclosed())
    assert "at localhost." in text


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (0, "1 minute", "1 Minute"),
        (150, "2 minutes", "2 Minuten"),
        (5400, "90 minutes", "90 Minuten"),
        (4 * 3600, "4 hours", "4 Stunden"),
        (47 * 3600, "47 hours", "47 Stunden"),
        (5 * DAY, "5 days", "5 Tage"),
    ],
)
def test_spans(seconds: float, english: str, german: str) -> None:
    assert LANGUAGES["en"].span(seconds) == english
    assert LANGUAGES["de"].span(seconds) == german


def test_moments() -> None:
    assert LANGUAGES["en"].moment(ARRIVED) == "18 November 2026, 11:06 UTC"
    assert LANGUAGES["de"].moment(ARRIVED) == "18. November 2026, 11:06 UTC"


def test_one_other() -> None:
    two = report(owed(recipient(0), recipient(1, MAX)))
    assert subject_of(two) == "Not delivered: your message to eve@example.org and one other"
    german = report(owed(recipient(0), recipient(1, MAX)), texts=LANGUAGES["de"])
    assert subject_of(german) == "Nicht zugestellt: Ihre Nachricht an eve@example.org und eine weitere"


def test_refused_is_not_called_expired() -> None:
    assert "given up" not in explanation(report(owed(recipient(last=REFUSED))), Enclosed())


def test_the_page_for_people_shows_a_letter_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "read-a-bounce.md").read_text("utf-8")
    (block,) = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert explanation(report(), Enclosed("Offer", "Sentence.")).startswith(block + "\nSentence.")
    for subject in ("Not delivered", "Delayed, still trying", "Delivered", "Passed on"):
        assert f"| {subject} |" in page
        assert any(letter(name, "en").startswith(f"Subject: {subject}: ") for name in LETTERS)


def write() -> None:
    for file in FOLDER.iterdir():
        file.unlink()
    for name in LETTERS:
        for tag in LANGUAGES:
            (FOLDER / f"{name}.{tag}.txt").write_text(letter(name, tag), "utf-8")


if __name__ == "__main__":
    write()
