"""What a sink does at the points of a dialogue where it is not to do what any server does.

That is a table of the points of interest, and for each of them a plan:

- an act, always: ``"450 4.2.1 later"``, ``DROP``, ``tarpit("250 Ok", 0.01)``;
- a list of plans, each for one time, over all sessions; None, and whatever comes after the last, is as usual;
- a mapping of plans by what the point is about: the recipient at RCPT (and at END in LMTP), the sender at
  MAIL (and at END), the name at EHLO, the user at AUTH;
- a callable that is given the Scene, in the thread of the session, and answers a plan.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import attrs

Point = Literal[
    "CONNECT",
    "TLS",
    "EHLO",
    "HELO",
    "LHLO",
    "STARTTLS",
    "AUTH",
    "MAIL",
    "RCPT",
    "DATA",
    "BDAT",
    "BODY",
    "END",
    "AFTER",
    "RSET",
    "NOOP",
    "QUIT",
]
"""The commands, and besides: CONNECT is before the greeting, TLS in the place of the handshake, BODY where
the first octets of a body are there, END at its end (the final dot, or the last chunk), AFTER behind the
answer to that, before the next command. Who leaves at END has taken the message, and its client cannot know
(RFC 1047)."""


@attrs.frozen
class Say:
    """Answer so, and go on as the code asks for."""

    text: str | bytes
    """Lines without their CRLF, "\n" between them; octets go out as they are."""
    then: Leave | None = None
    pace: float = 0.0
    """Seconds before each octet."""

    @property
    def octets(self) -> bytes:
        if isinstance(self.text, bytes):
            return self.text
        return self.text.replace("\n", "\r\n").encode() + b"\r\n"

    @property
    def code(self) -> int:
        """That of the first reply in it; 0 where there is none."""
        for line in self.octets.split(b"\r\n"):
            if line[:3].isdigit() and line[3:4] != b"-":
                return int(line[:3])
        return 0


@attrs.frozen
class Leave:
    """End the session: without a word, with RST in the place of FIN, or by never doing anything again until
    the client leaves."""

    how: Literal["drop", "reset", "hang"]


@attrs.frozen
class Wait:
    """Until *gate* is set; then go on by *then*."""

    gate: threading.Event
    then: Act | str | None = None


Act = Say | Leave | Wait
Plan = Act | str | None | Sequence["Plan"] | Mapping[str, "Plan"] | Callable[["Scene"], "Plan"]

DROP = Leave("drop")
RESET = Leave("reset")
HANG = Leave("hang")
GOODBYE = Say("421 4.3.2 Closing", then=DROP)


def tarpit(text: str, seconds: float = 1.0) -> Say:
    """Say it, an octet in so many seconds."""
    return Say(text, pace=seconds)


def many_lines(code: int, lines: int, width: int = 70) -> Say:
    """A reply of so many lines."""
    line = "x" * width
    return Say("\n".join([*(f"{code}-{line}" for _ in range(lines - 1)), f"{code} {line}"]))


def endless(code: int, octets: int) -> Say:
    """So much of one line that has no end, and then the end of the session."""
    return Say(b"%d " % code + b"x" * octets, then=DROP)


@attrs.frozen
class Scene:
    """Where a dialogue is when a callable is asked."""

    point: Point
    key: str
    """What the point is about: see above; empty where it is about nothing."""
    session: int
    """The sessions of a sink are counted from 1."""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    """Those that were taken."""


@attrs.define(eq=False)
class Script:
    """The table, and how much of its lists is used up. Any thread may ask."""

    table: Mapping[Point, Plan]
    otherwise: Plan = None
    """For all points that are not in the table."""
    _used: dict[int, tuple[Sequence[Plan], int]] = attrs.field(factory=dict, init=False)
    """By the identity of a list, which is kept so that no other one gets it."""
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def act(self, scene: Scene) -> Act | None:
        """What is to be done here; None is as usual."""
        plan: Any = self.table.get(scene.point, self.otherwise)
        while True:
            if isinstance(plan, str):
                return Say(plan)
            if plan is None or isinstance(plan, Say | Leave | Wait):
                return plan
            if isinstance(plan, Mapping):
                plan = plan.get(scene.key)
            elif isinstance(plan, Sequence):
                plan = self._next(plan)
            else:
                plan = plan(scene)

    def _next(self, plans: Sequence[Plan]) -> Plan:
        with self._guard:
            turn = self._used.get(id(plans), (plans, 0))[1]
            self._used[id(plans)] = plans, turn + 1
        return plans[turn] if turn < len(plans) else None


def greylisting(reply: str = "450 4.7.1 Greylisted, come again") -> Callable[[Scene], Plan]:
    """For RCPT: the first time that a sender wants this recipient, not yet."""
    seen: set[tuple[str, str]] = set()
    guard = threading.Lock()

    def plan(scene: Scene) -> Plan:
        with guard:
            known = (scene.sender, scene.key) in seen
            seen.add((scene.sender, scene.key))
        return None if known else reply

    return plan


TROUBLE: tuple[Act, ...] = (DROP, RESET, GOODBYE, Say("451 4.3.0 Not now"))


def failing(seed: int, share: float, acts: Sequence[Act] = TROUBLE) -> Callable[[Scene], Plan]:
    """Something of *acts* at random points, at this share of them. The numbers are those of the seed; which
    session draws which of them is up to the threads. Where no command waits for an answer there is none."""
    chance = random.Random(seed)
    guard = threading.Lock()

    def plan(scene: Scene) -> Plan:
        with guard:
            act = chance.choice(acts) if chance.random() < share else None
        unasked = scene.point in {"BODY", "AFTER"} and isinstance(act, Say) and act.then is None
        return None if unasked else act

    return plan
