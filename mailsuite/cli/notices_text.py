"""Who is told of new mail, how, and how it went, in lines for people."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

import click

from mailsuite.cli.control import Document
from mailsuite.cli.queue_text import age_text, aligned
from mailsuite.cli.terminal import clean, count_text, time_text

COLUMNS: Final = ("ID", "ACCOUNT", "CHANNEL", "TO", "NAME", "TELLS", "STATE", "LAST")
SOON: Final = 60.0
"""Seconds: a login that comes so soon after a knock came because of it (notifications.md section 5)."""
WHILE_QUIET: Final = {
    "hold": "one notice at the end",
    "drop": "dropped",
    "digest": "a list of all at the end",
}
STATES: Final = {"off": "off", "last-ip": "where the last login came from", "static": "a fixed address"}

_LISTENER: Final = "The user needs a NotifyMail program, e.g.  mailsuite notify listen"
ADVICE: Final = {
    "refused": "nothing listens there. The user may have switched it off.",
    "timed-out": "no answer. A firewall is in the way, or it is switched off.",
    "no-route": "this server has no way to IPv6, and so nobody's listener is to blame.",
    "unreachable": "there is no way there from this server.",
    "no-such-host": "there is no host of that name. Look at the URL; another one needs another subscription.",
    "unresolved": "the name cannot be looked up just now. Try again later.",
    "not-allowed": "notices may not go there; see notify.allow_networks and notify.webhook.ports.",
    "tls": "no TLS. Look at the certificate there; notify.webhook.ca_file has a CA of your own trusted.",
    "lost": "it closed the connection without an answer.",
    "protocol": "what answers there is no web server.",
    "http 400": "it does not take what we send. Look at its own log.",
    "http 401": "it wants other credentials. Make another subscription with the right token.",
    "http 403": "it does not let us in. Make another subscription with the right token.",
    "http 404": "there is nothing at that path.",
    "http 410": "it says that it is gone for good; nothing is sent there any more.",
    "http 413": "it finds the notice too large.",
    "http 429": "it gets too much. A longer window sends less:  mailsuite notify change ID --window 1m",
    "dead": "it said that it is gone. Remove it:  mailsuite notify remove ID",
    "unverified": "it has not shown that it wants notices. With the code that it was sent:  "
    "mailsuite notify confirm ID CODE",
    "no login from anywhere in time": "the user has to fetch mail first; knocks go where that came from.",
    "no login from that address in time": "the user has to log in from there first.",
    "the port is not allowed": "add it to notify.notifymail.ports.",
    "the address is not allowed": "add its network to notify.allow_networks.",
    "UDP is not allowed": "see notify.notifymail.udp.",
    "switched off for the server": "notify.enabled or notify.notifymail.enabled is false.",
}
"""What is wrong and what to do, by the result, where its words alone do not say."""
ANSWERED: Final = (
    "something answers there, a finger daemon probably; a NotifyMail program is silent (RFC 4146 section 3)"
)


def short_time(moment: float, now: float) -> str:
    """``14:02:11``, with the day where that is another one."""
    text = time.strftime("%H:%M:%S", time.localtime(moment))
    day = time_text(moment)[:10]
    return text if day == time_text(now)[:10] else f"{day} {text}"


# The list


def print_subscriptions(subscriptions: Sequence[Document], now: float) -> None:
    """One line for each, below their headings."""
    heading, *lines = aligned([COLUMNS, *(_row(each, now) for each in subscriptions)])
    click.echo(click.style(heading, bold=True))
    for line in lines:
        click.echo(line)


def _row(each: Document, now: float) -> tuple[str, ...]:
    health = each["health"]
    tried = (
        f"{health['last_result']}, {age_text(now - health['last_try'])} ago" if health["last_try"] else "-"
    )
    return (
        each["id"],
        each["account"],
        each["channel"],
        each["host"] or "-",
        each["name"] or "-",
        each["told"],
        each["state"],
        tried,
    )


# One account


def print_account(document: Document, now: float) -> None:
    """All that tells an account."""
    click.echo(clean(document["account"]))
    click.echo()
    for line in notifymail_lines(document["notifymail"], now):
        click.echo(clean(line))
    for each in document["subscriptions"]:
        click.echo()
        print_subscription(each, now)


def notifymail_lines(notifymail: Document, now: float) -> Iterator[str]:
    """The account's own NotifyMail: where to, how it went, and why not."""
    state = STATES.get(notifymail["state"], str(notifymail["state"]))
    yield _line("notifymail", state if not notifymail["target"] else f"{state}: {notifymail['target']}")
    if not notifymail["enabled"]:
        yield _line("", "switched off for the server: notify.enabled, notify.notifymail.enabled")
    elif notifymail["untold"] and notifymail["state"] != "off":
        yield _line("", f"no knock: {notifymail['untold']}")
    if notifymail["suspended_until"]:
        until = short_time(notifymail["suspended_until"], now)
        yield _line("", f"left alone until {until}, or until the next login: {notifymail['last_result']}")
    if notifymail["last_ok"]:
        yield _line("last knock", _last_knock(notifymail, now))
    elif notifymail["last_try"]:
        yield _line("last knock", f"{short_time(notifymail['last_try'], now)}, {notifymail['last_result']}")
    if notifymail["sent"]:
        yield _line("so far", _useful(notifymail["sent"], notifymail["useful"], "knock"))


def _last_knock(notifymail: Document, now: float) -> str:
    at, login = notifymail["last_ok"], notifymail["last_login"]
    text = short_time(at, now)
    if login is None or login < at:
        return f"{text}, nobody has fetched since"
    after = login - at
    return (
        f"{text}, fetched {after:.0f} s later"
        if after <= SOON
        else f"{text}, and a login at {short_time(login, now)}"
    )


def _useful(sent: int, useful: int, what: str) -> str:
    share = f"{100 * useful / sent:.0f} % useful: a login within a minute"
    return f"{count_text(sent, what)}, {share}"


def print_subscription(each: Document, now: float) -> None:
    """One subscription."""
    for line in subscription_lines(each, now):
        click.echo(clean(line))


def subscription_lines(each: Document, now: float) -> Iterator[str]:
    """What is told, where to, and how it went."""
    name = f'  "{each["name"]}"' if each["name"] else ""
    yield _line(each["channel"], f"{each['host'] or '-'}{name}")
    yield _line("id", each["id"])
    reason = f": {each['reason']}" if each["reason"] else ""
    yield _line("state", f"{each['state']}{reason}")
    yield _line("tells", _tells(each))
    yield from _of(each["filter"])
    if each["quiet"] is not None:
        yield from _quiet(each["quiet"])
    if each["window"] is not None:
        yield _line("window", each["window"])
    if each["urgency"] != "normal":
        yield _line("urgency", each["urgency"])
    device = "" if each["device"] is None else f" by the device {each['device']}"
    yield _line("made", f"{time_text(each['created'])}{device}")
    if each["expires"] is not None:
        yield _line("expires", time_text(each["expires"]))
    yield from _health(each["health"], now)


def _tells(each: Document) -> str:
    if each["told"] == each["level"]:
        return str(each["told"])
    return f"{each['told']}; it asks for {each['level']}, and server, domain or channel allow no more"


def _of(filter: Document) -> Iterator[str]:
    """Only what says more than nothing."""
    said = [", ".join(filter["kinds"])]
    for field, word in (
        ("senders", "from"),
        ("lists", "by the list"),
        ("subjects", "about"),
        ("labels", "to the tag"),
    ):
        if filter[field]:
            said.append(f"{word} {' or '.join(filter[field])}")
    if filter["importance"] != "low":
        said.append(f"of {filter['importance']} importance")
    for field, word in (("smallest", "from"), ("largest", "up to")):
        if filter[field] != "0B":
            said.append(f"{word} {filter[field]}")
    if filter["if_unfetched_after"] != "0s":
        said.append(f"if nobody has fetched it after {filter['if_unfetched_after']}")
    yield _line("of", ", ".join(said))
    if filter["wanted"]:
        yield _line("", f"also what is {' or '.join(filter['wanted'])}")


def _quiet(quiet: Document) -> Iterator[str]:
    for number, span in enumerate(quiet["spans"]):
        days = "every day" if len(span["days"]) == 7 else ",".join(span["days"])
        yield _line("" if number else "quiet", f"{days} {span['begin']}-{span['end']} {quiet['zone']}")
    yield _line("", f"then {WHILE_QUIET.get(quiet['manner'], quiet['manner'])}")
    if quiet["breakthrough"]:
        yield _line("", f"but not for {' or '.join(quiet['breakthrough'])}")


def _health(health: Document, now: float) -> Iterator[str]:
    if health["last_try"] is not None:
        yield _line("last try", f"{short_time(health['last_try'], now)}, {health['last_result']}")
    if health["last_ok"] is not None and health["last_ok"] != health["last_try"]:
        yield _line("last told", short_time(health["last_ok"], now))
    if health["fails"]:
        due = health["due"]
        again = f", next try {short_time(due, now)}" if due is not None and due > now else ""
        yield _line("failures", f"{health['fails']} in a row{again}")
    if health["sent"]:
        yield _line("so far", _useful(health["sent"], health["useful"], "notice"))


def _line(name: str, text: str) -> str:
    return f"{name:<12} {text}"


# Results


def advice(result: str, channel: str, id: str | None) -> str:
    """What is wrong, and what to do; empty where the result says it all."""
    word = result.partition(":")[0]
    if channel == "notifymail" and word == "refused":
        return f"nothing listens there. {_LISTENER}"
    text = ADVICE.get(word, "")
    if word.startswith("http 3"):
        text = "it sends us elsewhere, which is not followed. Make another subscription with the right URL."
    elif word.startswith("http 5"):
        text = "something is wrong there; its own log says what."
    return text if id is None else text.replace(" ID", f" {id}")


def result_text(result: str, channel: str, id: str | None, ms: float | None) -> str:
    """``ok, 38 ms``, or what is wrong and what to do."""
    if result in ("ok", "sent", "answered"):
        took = "" if ms is None else f", {ms:.0f} ms"
        return f"ok{took}; {ANSWERED}" if result == "answered" else f"ok{took}"
    words = advice(result, channel, id)
    if not words:
        return result
    return f"{result}; {words}" if ":" in result else f"{result}: {words}"


def is_ok(result: str) -> bool:
    """Whether something was handed over."""
    return result in ("ok", "sent", "answered")


def print_results(results: Sequence[Document]) -> None:
    """One line for each way."""
    rows = [
        (
            each["channel"],
            each["name"] or each["host"] or "-",
            result_text(each["result"], each["channel"], each["id"], each["ms"]),
        )
        for each in results
    ]
    for line in aligned(rows):
        click.echo(line)


def print_deliveries(document: Document, now: float) -> None:
    """What was tried lately, and what was given up and can be told again."""
    rows = [("AT", "SEQ", "TOOK", "RESULT")]
    rows += [
        (
            short_time(each["at"], now),
            str(each["seq"]) if each["seq"] else "-",
            f"{each['ms']:.0f} ms",
            each["result"],
        )
        for each in document["attempts"]
    ]
    heading, *lines = aligned(rows, frozenset({1, 2}))
    click.echo(click.style(heading, bold=True))
    for line in lines:
        click.echo(line)
    for each in document["given_up"]:
        seqs = str(each["seq"]) if each["first"] == each["seq"] else f"{each['first']} to {each['seq']}"
        text = f"given up at {short_time(each['at'], now)}: {seqs}, {each['result']}"
        click.echo(clean(text))
