"""What the files have to cover: each command that the cores know in each state, and reply codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from mailsuite.wire.pop3.commands import Keyword
from mailsuite.wire.smtp.state import CONDITIONS, LMTP_CONDITIONS, NOT_DONE
from tests.dialogs.dialog import Closed, Connect, Dialog, Expect, Send, StartTls, load

DIALOGS = [load(path) for path in sorted(Path(__file__).parent.glob("*.txt"))]

SMTP_VERBS = set(CONDITIONS) | NOT_DONE
SMTP_STATES = (
    "before EHLO",
    "after EHLO",
    "after MAIL",
    "after RCPT",
    "in DATA",
    "after login",
    "after STARTTLS",
)
HELLOS = ("EHLO", "HELO", "LHLO")
LMTP_VERBS = set(LMTP_CONDITIONS) - {"STARTTLS", "AUTH", "VRFY"}
"""Those that LMTP has, and that do there what they do elsewhere or something else."""
POP3_KEYWORDS = {keyword.value for keyword in Keyword} | {"LAST", "XTND"}
POP3_STATES = ("AUTHORIZATION", "AUTHORIZATION, TLS", "TRANSACTION", "TRANSACTION, TLS")


@attrs.define
class SmtpWalk:
    """Follows one connection by the replies that are expected. The state of a command is the one it meets."""

    met: set[tuple[str, str]]
    replies: list[tuple[str, str]]
    """Verb and expected reply; no verb: the greeting, or the last words."""
    greeted: bool = False
    secured: bool = False
    logged_in: bool = False
    transaction: str = ""
    exchanging: bool = False
    lines: list[bytes] = attrs.field(factory=list)

    @property
    def state(self) -> str:
        if self.transaction:
            return f"after {self.transaction}"
        if self.logged_in:
            return "after login"
        if self.greeted:
            return "after EHLO"
        return "after STARTTLS" if self.secured else "before EHLO"

    def start_tls(self) -> None:
        self.greeted = self.logged_in = False
        self.secured = True

    def reply(self, text: str) -> None:
        """The reply to the next of what was sent."""
        if not self.lines:
            self.replies.append(("", text))
        elif self.transaction == "DATA":
            self._message()
            self.replies.append((".", text))
        elif self.exchanging:
            self.lines.pop(0)
            self._authentication(text)
        else:
            self._command(_word(self.lines.pop(0)), text)

    def _message(self) -> None:
        while self.lines and (line := self.lines.pop(0)) != b".":
            self.met.add((_word(line), "in DATA"))
        self.transaction = ""

    def _command(self, verb: str, text: str) -> None:
        self.met.add((verb, self.state))
        self.replies.append((verb, text))
        if verb == "AUTH":
            self._authentication(text)
        elif text[0] not in "23":
            return
        elif verb in HELLOS:
            self.greeted, self.transaction = True, ""
        elif verb in ("MAIL", "RCPT", "DATA"):
            self.transaction = verb
        elif verb == "RSET":
            self.transaction = ""

    def _authentication(self, text: str) -> None:
        self.exchanging = text.startswith("334")
        self.logged_in = self.logged_in or text.startswith("235")


@attrs.define
class Pop3Walk:
    """The same for POP3."""

    met: set[tuple[str, str]]
    secured: bool = False
    logged_in: bool = False
    lines: list[bytes] = attrs.field(factory=list)

    @property
    def state(self) -> str:
        return ("TRANSACTION" if self.logged_in else "AUTHORIZATION") + (", TLS" if self.secured else "")

    def start_tls(self) -> None:
        self.secured = True

    def reply(self, text: str) -> None:
        if not self.lines or not text.startswith(("+OK", "-ERR")):
            return
        keyword = _word(self.lines.pop(0))
        self.met.add((keyword, self.state))
        if keyword in ("PASS", "APOP") and text.startswith("+OK"):
            self.logged_in = True


def _word(line: bytes) -> str:
    return line.split(b" ")[0].decode("latin-1").upper()


@attrs.define
class Survey:
    """What all the files together contain."""

    smtp: set[tuple[str, str]] = attrs.field(factory=set)
    lmtp: set[tuple[str, str]] = attrs.field(factory=set)
    pop3: set[tuple[str, str]] = attrs.field(factory=set)
    replies: list[tuple[str, str]] = attrs.field(factory=list)

    def take(self, dialog: Dialog) -> None:
        walks = (self._walk(each) for each in dialog.connects)
        walk = next(walks)
        for step in dialog.steps:
            match step:
                case Send():
                    self._send(walk, step.data)
                case Expect():
                    walk.reply(step.pattern.text)
                case StartTls():
                    walk.start_tls()
                case Closed():
                    walk.lines.clear()
                case Connect():
                    walk = next(walks)

    def _walk(self, connect: Connect) -> SmtpWalk | Pop3Walk:
        if connect.service == "pop3":
            return Pop3Walk(self.pop3, secured=connect.tls == "yes")
        return SmtpWalk(self.lmtp if connect.service == "lmtp" else self.smtp, self.replies)

    @staticmethod
    def _send(walk: SmtpWalk | Pop3Walk, data: bytes) -> None:
        walk.lines += [line.removesuffix(b"\r") for line in data.removesuffix(b"\n").split(b"\n")]


def survey() -> Survey:
    found = Survey()
    for dialog in DIALOGS:
        found.take(dialog)
    return found


FOUND = survey()


@pytest.mark.parametrize("state", SMTP_STATES)
def test_every_smtp_verb_in_every_state(state: str) -> None:
    assert {verb for verb in SMTP_VERBS if (verb, state) not in FOUND.smtp} == set()


@pytest.mark.parametrize("state", POP3_STATES)
def test_every_pop3_keyword_in_every_state(state: str) -> None:
    assert {keyword for keyword in POP3_KEYWORDS if (keyword, state) not in FOUND.pop3} == set()


def test_every_lmtp_verb() -> None:
    assert {verb for verb in LMTP_VERBS if verb not in {met for met, _ in FOUND.lmtp}} == set()


def test_a_command_without_dialogues_is_missed() -> None:
    assert ("XCLIENT", "before EHLO") not in FOUND.smtp
    assert ("LANG", "AUTHORIZATION") not in FOUND.pop3


def _replies_with_enhanced_codes() -> Iterator[str]:
    """RFC 2034 section 4: all of 2xx, 4xx and 5xx but the greeting and what EHLO and HELO get."""
    for verb, text in FOUND.replies:
        greets = text.startswith("220 {host}") or verb in HELLOS
        if not greets and not text.startswith("3"):
            yield text


def test_every_smtp_reply_is_expected_with_its_enhanced_code() -> None:
    replies = list(_replies_with_enhanced_codes())
    assert len(replies) > 500
    assert {text for text in replies if not re.match(r"([245])[0-9.]* ?\1\.[0-9]", text)} == set()


@pytest.mark.parametrize("dialog", DIALOGS, ids=lambda dialog: dialog.name)
def test_form(dialog: Dialog) -> None:
    """The name says the service; the last step sees to it that nothing the server says goes unseen."""
    assert dialog.name.partition("-")[0] == dialog.service
    assert dialog.title.partition(":")[0].lower() == dialog.service
    assert isinstance(dialog.steps[-1], Closed)


def test_titles_differ() -> None:
    assert len({dialog.title for dialog in DIALOGS}) == len(DIALOGS)
