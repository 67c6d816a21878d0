"""The users' side of the server over HTTP: which path and method means what. Nothing of an administrator's is
here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import attrs

from mailsuite.accounts.refusal import RegistryError
from mailsuite.frontends.http import HttpSession
from mailsuite.frontends.http_core import Answer, HttpRequest
from mailsuite.model.failure import MailFailure
from mailsuite.notify.office import Caller
from mailsuite.web.answers import Document, Refused, body_of, of_refusal, problem
from mailsuite.web.visitors import Visitors

BASE: Final = "/notify/v1"
_ORIGIN: Final = re.compile(r"https?://[^/]*", re.IGNORECASE)
"""What stands before the path in the absolute form, which a server has to take (RFC 9112 section 3.2.2)."""
_READING: Final = frozenset({"GET", "HEAD"})


@attrs.frozen
class Visit:
    """A request of somebody who is known."""

    caller: Caller
    session: HttpSession
    request: HttpRequest
    body: Document
    visitors: Visitors
    id: str = ""
    """What stands in the path for ``{id}``."""

    def asked(self, name: str) -> str:
        """What stands behind the question mark under this name; empty: nothing. Of several, the last."""
        values = (self.request.args or {}).get(name.encode("ascii"), [b""])
        return bytes(values[-1]).decode("utf-8", "replace")


Action = Callable[[Visit], Awaitable[Answer | None]]
"""Answers a visit; None: it has done so itself. Raises Refused, RegistryError, MailFailure."""
Routes = Mapping[str, Mapping[str, Action]]
"""By path below BASE, with ``{id}`` in it or without, and method."""


@attrs.frozen
class Site:
    """An Application (frontends/http.py)."""

    visitors: Visitors
    routes: Routes
    _patterns: tuple[tuple[re.Pattern[str], Mapping[str, Action]], ...] = attrs.field(init=False)

    @_patterns.default
    def _compile(self) -> tuple[tuple[re.Pattern[str], Mapping[str, Action]], ...]:
        return tuple(
            (re.compile(re.escape(BASE + path).replace(r"\{id\}", "(?P<id>[A-Za-z0-9_-]{1,64})")), actions)
            for path, actions in self.routes.items()
        )

    async def __call__(self, session: HttpSession, request: HttpRequest) -> Answer | None:
        """Answer, whatever comes; a mistake of ours is the session's to answer."""
        try:
            return await self._answer(session, request)
        except Refused as refused:
            return refused.answer
        except RegistryError as error:
            return of_refusal(error)
        except MailFailure as failure:
            session.log.warning("notify.unable", detail=failure.reason)
            return problem(503, "that is not possible just now", retry_after="5")

    async def _answer(self, session: HttpSession, request: HttpRequest) -> Answer | None:
        actions, id = self._found(request.path.decode("utf-8", "replace"))
        method = request.method.decode("ascii", "replace")
        action = actions.get("GET" if method == "HEAD" else method)
        if action is None:
            raise Refused(problem(405, "this cannot be done here", allow=", ".join(_allowed(actions))))
        if method not in _READING and request.field("sec-fetch-site") == b"cross-site":
            raise Refused(problem(403, "another site may change nothing here"))
        caller = await self.visitors.identify(session, request)
        return await action(Visit(caller, session, request, body_of(request), self.visitors, id))

    def _found(self, path: str) -> tuple[Mapping[str, Action], str]:
        below = _ORIGIN.sub("", path, count=1) if path[:1] != "/" else path
        for pattern, actions in self._patterns:
            if found := pattern.fullmatch(below):
                return actions, found.groupdict().get("id", "")
        raise Refused(problem(404, "there is nothing at this path"))


def _allowed(actions: Mapping[str, Action]) -> list[str]:
    return sorted({*actions, *(["HEAD"] if "GET" in actions else [])})
