"""Who is told of what, by wishes and by what the server keeps quiet about."""

# A table reads best with one case on a line.

from __future__ import annotations

import attrs
import pytest

from mailsuite.model.address import Address
from mailsuite.model.notice import Entry, Happening, Importance, Kind, MessageFacts
from mailsuite.model.subscription import NoticeFilter, QuietSpan, QuietTimes, Subscription, WhileQuiet
from mailsuite.notify.judging import TELL, Rules, Ruling, Verdict, judge, suppressed

JOE = Address("joe", "example.net")
NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z, a Saturday
HOUR = 3600.0
ALWAYS = QuietSpan(frozenset(range(7)), 0, 0)
AFTERNOON = QuietSpan(frozenset(range(7)), 12 * 60, 14 * 60)
FACTS = MessageFacts("ann@Example.org", "Ann", "Invoice 7 für Joe", "list.example.org", "shop")


def subscription(wish: NoticeFilter | None = None, quiet: QuietTimes | None = None) -> Subscription:
    return Subscription(
        id="sub_1",
        account=JOE,
        device="",
        channel="webhook",
        target="",
        target_key="",
        filter=wish or NoticeFilter(),
        quiet=quiet,
    )


def mail(facts: MessageFacts | None = FACTS, at: float = NOON, size: int = 1000) -> Entry:
    return Entry(1, Happening(JOE, Kind.MAIL_NEW, at, "u1", size, facts))


def told(wish: NoticeFilter, entry: Entry | None = None, **rules: object) -> Verdict:
    return judge(entry or mail(), subscription(wish), Rules(**{"now": NOON, **rules}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (NoticeFilter(), ""),
        (NoticeFilter(kinds=frozenset({Kind.QUOTA_REACHED})), "kind"),
        (NoticeFilter(senders=("*@example.org",)), ""),
        (NoticeFilter(senders=("joe@*", "ANN@example.ORG")), ""),
        (NoticeFilter(senders=("*@example.net",)), "sender"),
        (NoticeFilter(senders=("ann",)), "sender"),
        (NoticeFilter(lists=("list.*",)), ""),
        (NoticeFilter(lists=("other.*",)), "list"),
        (NoticeFilter(subjects=("*INVOICE ? FÜR*",)), ""),
        (NoticeFilter(subjects=("*invoice ?? für*",)), "subject"),
        (NoticeFilter(labels=("sh?p",)), ""),
        (NoticeFilter(labels=("[a-z]*",)), "label"),
        (NoticeFilter(importance=Importance.NORMAL), ""),
        (NoticeFilter(importance=Importance.HIGH), "importance"),
        (NoticeFilter(smallest=1000, largest=1000), ""),
        (NoticeFilter(smallest=1001), "size"),
        (NoticeFilter(largest=999), "size"),
        (NoticeFilter(senders=("*@example.org",), labels=("other",)), "label"),
    ],
)  # fmt: skip
def test_all_that_is_wished_must_hold(wish: NoticeFilter, reason: str) -> None:
    verdict = told(wish)
    assert verdict == (Verdict(Ruling.SKIP, reason) if reason else TELL)


def test_a_message_that_nothing_is_known_of() -> None:
    assert told(NoticeFilter(), mail(None)) == TELL
    assert told(NoticeFilter(senders=("*",)), mail(None)) == TELL
    assert told(NoticeFilter(senders=("?*",)), mail(None)) == Verdict(Ruling.SKIP, "sender")


@pytest.mark.parametrize("name", ["junk", "bulk", "own", "auto"])
def test_what_nobody_is_told_of(name: str) -> None:
    facts = attrs.evolve(FACTS, **{name: True})  # type: ignore[arg-type]
    skipped = Verdict(Ruling.SKIP, name)
    assert told(NoticeFilter(), mail(facts)) == skipped
    assert (
        told(NoticeFilter(), mail(facts), suppress=frozenset({"bulk", "own", "auto", "junk"} - {name}))
        == TELL
    )
    wanted = NoticeFilter(wanted=frozenset({name}))
    assert told(wanted, mail(facts)) == (skipped if name == "junk" else TELL)
    everything = MessageFacts(junk=True, bulk=True, own=True, auto=True)
    assert suppressed(everything, frozenset({name})) == name
    assert suppressed(everything, frozenset()) == ""


def test_what_is_about_no_message_is_judged_by_its_kind_alone() -> None:
    quota = Entry(1, Happening(JOE, Kind.QUOTA_REACHED, NOON, size=80, detail="80 percent"))
    wish = NoticeFilter(
        kinds=frozenset({Kind.QUOTA_REACHED}), senders=("ann@*",), smallest=1000, if_unfetched_after=60.0
    )
    assert told(wish, quota) == TELL
    assert told(NoticeFilter(), quota) == Verdict(Ruling.SKIP, "kind")


def test_what_was_fetched_is_old_news() -> None:
    assert told(NoticeFilter(), fetched={"u1"}) == Verdict(Ruling.SKIP, "fetched")
    assert told(NoticeFilter(), fetched={"u2"}) == TELL
    nameless = attrs.evolve(mail(), happening=attrs.evolve(mail().happening, uidl=""))
    assert told(NoticeFilter(), nameless, fetched={""}) == TELL


def test_somebody_is_told_only_of_what_nobody_has_fetched_by_then() -> None:
    wish = NoticeFilter(if_unfetched_after=300.0)
    waits = Verdict(Ruling.WAIT, until=NOON + 300.0)
    assert told(wish, now=NOON) == told(wish, now=NOON + 299.9) == waits
    assert told(wish, now=NOON + 300.0) == TELL
    for now in (NOON, NOON + 300.0):
        assert told(wish, now=now, fetched={"u1"}) == Verdict(Ruling.SKIP, "fetched")
    assert told(wish, mail(attrs.evolve(FACTS, junk=True)), now=NOON) == Verdict(Ruling.SKIP, "junk")


@pytest.mark.parametrize(
    ("manner", "at", "now", "verdict"),
    [
        (WhileQuiet.HOLD, 11.9, 11.9, TELL),
        (WhileQuiet.HOLD, 12.1, 12.1, Verdict(Ruling.WAIT, until=NOON + 2 * HOUR)),
        (WhileQuiet.DIGEST, 12.1, 13.9, Verdict(Ruling.WAIT, until=NOON + 2 * HOUR)),
        (WhileQuiet.HOLD, 12.1, 14.0, Verdict(Ruling.TELL, held=True)),
        (WhileQuiet.DIGEST, 13.0, 15.0, Verdict(Ruling.TELL, held=True)),
        (WhileQuiet.DROP, 12.1, 12.1, Verdict(Ruling.SKIP, "quiet")),
        (WhileQuiet.DROP, 12.1, 20.0, Verdict(Ruling.SKIP, "quiet")),
        (WhileQuiet.DROP, 11.9, 12.1, Verdict(Ruling.WAIT, until=NOON + 2 * HOUR)),
        (WhileQuiet.DROP, 11.9, 14.1, TELL),
        (WhileQuiet.DROP, 14.0, 14.0, TELL),
    ],
)  # fmt: skip
def test_quiet_times(manner: WhileQuiet, at: float, now: float, verdict: Verdict) -> None:
    quiet = QuietTimes("UTC", (AFTERNOON,), manner)
    begin = NOON - 12 * HOUR
    assert judge(mail(at=begin + at * HOUR), subscription(quiet=quiet), Rules(begin + now * HOUR)) == verdict


@pytest.mark.parametrize("manner", list(WhileQuiet))
def test_somebody_gets_through(manner: WhileQuiet) -> None:
    quiet = QuietTimes("UTC", (ALWAYS,), manner, ("*@Example.ORG",))
    assert judge(mail(), subscription(quiet=quiet), Rules(NOON)) == TELL
    for other in (attrs.evolve(FACTS, sender="ann@example.com"), None):
        assert judge(mail(other), subscription(quiet=quiet), Rules(NOON)).ruling is not Ruling.TELL


def test_who_gets_through_still_has_to_be_wanted() -> None:
    quiet = QuietTimes("UTC", (ALWAYS,), breakthrough=("*",))
    junk = mail(attrs.evolve(FACTS, junk=True))
    assert judge(junk, subscription(quiet=quiet), Rules(NOON)) == Verdict(Ruling.SKIP, "junk")


def test_what_is_quiet_and_early_waits_for_both() -> None:
    quiet = QuietTimes("UTC", (AFTERNOON,))
    one = subscription(NoticeFilter(if_unfetched_after=3 * HOUR), quiet)
    assert judge(mail(), one, Rules(NOON)).until == NOON + 3 * HOUR
    two = subscription(NoticeFilter(if_unfetched_after=60.0), quiet)
    assert judge(mail(), two, Rules(NOON + 60.0)).until == NOON + 2 * HOUR
