"""What somebody asks of a subscription, as JSON has it, and what they are shown of one.

The shapes are part of the API (docs/reference/notify-api.json) and of the control API. Target, secrets and
options are taken and never given back (RFC 8620 section 7.2.1): whoever reads somebody's mail of today must
not learn where his notices go.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import attrs

from mailsuite.accounts.refusal import bad, parsed
from mailsuite.config.kinds import Kind, ListOf, Member, OneOf, OrNone, Text, printable
from mailsuite.config.kinds_notify import NoticeLevel
from mailsuite.config.measures import Duration, Size, duration_text
from mailsuite.model.notice import Importance, Level
from mailsuite.model.notice import Kind as NoticeKind
from mailsuite.model.subscription import (
    OWN_PASSWORD,
    Attempt,
    DeadLetter,
    NoticeFilter,
    QuietSpan,
    QuietTimes,
    Standing,
    Subscription,
    WhileQuiet,
)

Document = dict[str, Any]

MAX_NAME_CHARACTERS: Final = 100
MAX_TARGET_CHARACTERS: Final = 512
MAX_OPTIONS: Final = 16
MAX_OPTION_CHARACTERS: Final = 4096
MAX_PATTERNS: Final = 50
MAX_PATTERN_CHARACTERS: Final = 200
MAX_SPANS: Final = 21
"""Three for each day of the week."""
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
URGENCIES: Final = ("very-low", "low", "normal", "high")
"""RFC 8030 section 5.3."""
WANTED: Final = ("bulk", "own", "auto")
"""Of what the server keeps quiet about, what a subscription may want all the same; junk never."""

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_OPTION = re.compile(r"[a-z][a-z0-9_]{0,31}(\.[A-Za-z0-9-]{1,64})?")


@attrs.frozen
class _Moment(Kind[float]):
    """A moment as RFC 3339 writes it; seconds since the epoch."""

    @property
    def word(self) -> str:
        return "moment"

    @property
    def expects(self) -> str:
        return 'date and time with an offset, for example "2026-12-31T23:59:00Z"'

    def parse(self, raw: object, base: Path) -> float:
        try:
            moment = datetime.datetime.fromisoformat(printable(raw, self))
        except ValueError as error:
            raise self.refuse(raw) from error
        if moment.tzinfo is None:
            raise self.refuse(raw, "has no offset")
        return moment.timestamp()


@attrs.frozen
class _TimeOfDay(Kind[int]):
    """Minutes after midnight."""

    @property
    def word(self) -> str:
        return "time"

    @property
    def expects(self) -> str:
        return 'a time of the day from "00:00" to "23:59"'

    def parse(self, raw: object, base: Path) -> int:
        found = _TIME.fullmatch(printable(raw, self))
        if found is None:
            raise self.refuse(raw)
        return int(found[1]) * 60 + int(found[2])


@attrs.frozen
class _Zone(Kind[str]):
    """A name of the IANA time zone database that this machine knows."""

    @property
    def word(self) -> str:
        return "time zone"

    @property
    def expects(self) -> str:
        return 'a name of the time zone database, for example "Europe/Berlin"'

    def parse(self, raw: object, base: Path) -> str:
        name = printable(raw, self)
        if name not in _zones():
            raise self.refuse(raw, "is no time zone")
        return name


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _patterns(example: str) -> Kind[tuple[str, ...]]:
    return ListOf(Text(MAX_PATTERN_CHARACTERS, r".+", example), 0, f'["{example}"]')


_IMPORTANCES: Final = tuple(each.name.lower() for each in Importance)
FILTER: Final[dict[str, Kind[Any]]] = {
    "kinds": ListOf(Member(NoticeKind), 1, '["mail.new"]'),
    "senders": _patterns("*@example.net"),
    "lists": _patterns("announce.example.net"),
    "subjects": _patterns("*invoice*"),
    "labels": _patterns("shop"),
    "importance": OneOf(_IMPORTANCES),
    "smallest": Size(0, 1 << 40),
    "largest": Size(0, 1 << 40),
    "wanted": ListOf(OneOf(WANTED), 0, '["bulk"]'),
    "if_unfetched_after": Duration(minimum=0.0, maximum=7 * 86400.0),
}
_SPAN: Final[dict[str, Kind[Any]]] = {
    "days": ListOf(OneOf(DAYS), 1, '["mon", "tue"]'),
    "begin": _TimeOfDay(),
    "end": _TimeOfDay(),
}
_QUIET: Final[dict[str, Kind[Any]]] = {
    "zone": _Zone(),
    "manner": Member(WhileQuiet),
    "breakthrough": _patterns("*@example.net"),
}
CHANGEABLE: Final[dict[str, Kind[Any]]] = {
    "name": Text(MAX_NAME_CHARACTERS, like="Firefox on the laptop"),
    "level": NoticeLevel(),
    "window": OrNone(Duration(minimum=0.0, maximum=3600.0)),
    "urgency": OneOf(URGENCIES),
    "expires": _Moment(),
}
_FIXED: Final[dict[str, Kind[Any]]] = {
    "channel": Text(32, r"[a-z][a-z0-9_-]*", "webhook"),
    "target": Text(MAX_TARGET_CHARACTERS, like="https://example.net/hook"),
}
IMMUTABLE: Final = (*_FIXED, "options", "id", "account", "device")
"""What another subscription is made for."""


def wish(fields: Mapping[str, object]) -> dict[str, Any]:
    """The fields of a Subscription that is to be, out of *fields*: channel and, as far as they are given,
    target, options and all that changes() takes.

    Raises RegistryError with a sentence that names the field."""
    given = {name: value for name, value in fields.items() if value is not None}
    values = parsed(_FIXED, {name: given.pop(name) for name in _FIXED if name in given})
    if "channel" not in values:
        raise bad("channel is missing")
    values.setdefault("target", "")
    values["options"] = _options(given.pop("options", {}))
    return values | changes(given)


def changes(fields: Mapping[str, object]) -> dict[str, Any]:
    """The fields of a Subscription that may change, out of *fields*; null is the default. Raises
    RegistryError likewise, also for what never changes."""
    values: dict[str, Any] = {}
    plain: dict[str, object] = {}
    for name, value in fields.items():
        if name in IMMUTABLE:
            raise bad(f"{name} never changes; make another subscription and remove this one")
        if name == "filter":
            values["filter"] = NoticeFilter() if value is None else _filter(value)
        elif name == "quiet":
            values["quiet"] = None if value is None else _quiet(value)
        elif value is None and name in CHANGEABLE:
            values[name] = _default(name)
        else:
            plain[name] = value
    _refuse_unknown(plain, (*CHANGEABLE, "filter", "quiet"), "a subscription")
    return values | parsed(CHANGEABLE, plain)


def _refuse_unknown(fields: Mapping[str, object], known: Sequence[str], what: str) -> None:
    for name in fields:
        if name not in known:
            raise bad(f"{what} has no field {name[:40]!r}; it has {', '.join(known[:-1])} and {known[-1]}")


def _default(name: str) -> Any:
    return getattr(attrs.fields(Subscription), name).default


def _table(value: object, what: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise bad(f"{what} is no JSON object")
    return {name: each for name, each in value.items() if each is not None}


def _filter(value: object) -> NoticeFilter:
    values = parsed(FILTER, _table(value, "filter"), "filter")
    for name in ("senders", "lists", "subjects", "labels"):
        _bounded(values.get(name, ()), f"filter.{name}")
    for name in ("kinds", "wanted"):
        if name in values:
            values[name] = frozenset(values[name])
    if "importance" in values:
        values["importance"] = Importance[values["importance"].upper()]
    made = NoticeFilter(**values)
    if made.largest and made.largest < made.smallest:
        raise bad("filter.largest: it is below filter.smallest, so that no message passes")
    return made


def _bounded(patterns: tuple[str, ...], what: str) -> None:
    if len(patterns) > MAX_PATTERNS:
        raise bad(f"{what}: there are more than {MAX_PATTERNS}")


def _quiet(value: object) -> QuietTimes:
    fields = _table(value, "quiet")
    spans = fields.pop("spans", None)
    _refuse_unknown(fields, (*_QUIET, "spans"), "quiet")
    values = parsed(_QUIET, fields, "quiet")
    if "zone" not in values:
        raise bad("quiet.zone is missing")
    if not isinstance(spans, list) or not spans:
        raise bad('quiet.spans: expected a list of spans, for example [{"begin": "22:00", "end": "07:00"}]')
    if len(spans) > MAX_SPANS:
        raise bad(f"quiet.spans: there are more than {MAX_SPANS}")
    _bounded(values.get("breakthrough", ()), "quiet.breakthrough")
    return QuietTimes(spans=tuple(_span(each) for each in spans), **values)


def _span(value: object) -> QuietSpan:
    values = parsed(_SPAN, _table(value, "quiet.spans"), "quiet.spans")
    for name in ("begin", "end"):
        if name not in values:
            raise bad(f"quiet.spans.{name} is missing")
    days = frozenset(map(DAYS.index, values.get("days", DAYS)))
    return QuietSpan(days, values["begin"], values["end"])


def _options(value: object) -> dict[str, str]:
    options = _table(value, "options")
    if len(options) > MAX_OPTIONS:
        raise bad(f"options: there are more than {MAX_OPTIONS}")
    kind = Text(MAX_OPTION_CHARACTERS)
    taken = {}
    for name, each in options.items():
        if not _OPTION.fullmatch(name):
            raise bad(f"options: {name[:40]!r} is no name of an option")
        if not isinstance(each, str) or len(each) > kind.maximum:
            raise bad(f"options.{name}: expected a text of {kind.range}")
        taken[name] = each
    return taken


# What they are shown


def subscription_document(standing: Standing, told: Level | None) -> Document:
    """A subscription without what is secret of it, and how it went. *told* is the most that it gets, whatever
    it asks for; None: nothing at all. Times are seconds since the epoch."""
    subscription, cursor = standing.subscription, standing.cursor
    return {
        "id": subscription.id,
        "account": str(subscription.account),
        "device": None if subscription.device == OWN_PASSWORD else subscription.device,
        "channel": subscription.channel,
        "host": subscription.target_key,
        "name": subscription.name,
        "level": subscription.level.word,
        "told": None if told is None else min(subscription.level, told).word,
        "filter": _filter_document(subscription.filter),
        "quiet": None if subscription.quiet is None else _quiet_document(subscription.quiet),
        "window": None if subscription.window is None else duration_text(subscription.window),
        "urgency": subscription.urgency,
        "created": subscription.created,
        "expires": subscription.expires,
        "state": subscription.state.value,
        "reason": subscription.reason,
        "health": {
            "last_ok": cursor.last_ok or None,
            "last_try": cursor.last_try or None,
            "last_result": cursor.last_result,
            "fails": cursor.fails,
            "due": cursor.due or None,
            "sent": cursor.sent,
            "useful": cursor.useful,
        },
    }


def attempt_document(attempt: Attempt) -> Document:
    """One try to tell: no word of the other side's is in it, for else somebody could read by it what our
    server can reach and he cannot."""
    return {
        "subscription": attempt.subscription,
        "seq": attempt.seq,
        "at": attempt.at,
        "ms": round(attempt.took * 1000.0, 1),
        "result": attempt.result,
        "code": attempt.code or None,
    }


def letter_document(letter: DeadLetter) -> Document:
    """A notice that was given up, and can be told again."""
    return {
        "subscription": letter.subscription,
        "first": letter.first,
        "seq": letter.seq,
        "at": letter.at,
        "result": letter.result,
        "code": letter.code or None,
    }


def _filter_document(made: NoticeFilter) -> Document:
    return {
        "kinds": sorted(kind.value for kind in made.kinds),
        "senders": list(made.senders),
        "lists": list(made.lists),
        "subjects": list(made.subjects),
        "labels": list(made.labels),
        "importance": made.importance.name.lower(),
        "smallest": FILTER["smallest"].write(made.smallest),
        "largest": FILTER["largest"].write(made.largest),
        "wanted": sorted(made.wanted),
        "if_unfetched_after": duration_text(made.if_unfetched_after),
    }


def _quiet_document(quiet: QuietTimes) -> Document:
    return {
        "zone": quiet.zone,
        "manner": quiet.manner.value,
        "breakthrough": list(quiet.breakthrough),
        "spans": [
            {
                "days": [DAYS[day] for day in sorted(span.days)],
                "begin": f"{span.begin // 60:02}:{span.begin % 60:02}",
                "end": f"{span.end // 60:02}:{span.end % 60:02}",
            }
            for span in quiet.spans
        ],
    }
