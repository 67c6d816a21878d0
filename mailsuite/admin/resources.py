"""JSON over HTTP: what every resource of the control API has in common."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from mailsuite.concurrent.tasks import Tasks
from mailsuite.observe.log import Log

MAX_BODY_OCTETS = 64 * 1024
"""A request to the control API is a small JSON object."""

Document = dict[str, Any]


class ApiError(Exception):
    """The request cannot be done; *document* says why in words for a person."""

    def __init__(self, status: int, document: Document) -> None:
        super().__init__(document.get("error", ""))
        self.status = status
        self.document = document


def bad_request(text: str) -> ApiError:
    return ApiError(400, {"error": text})


Action = Callable[[Document], Awaitable[tuple[int, Document]]]


class JsonResource(Resource):
    """Turns methods into coroutines: ``actions["GET"](body) -> (status, document)``.

    An ApiError becomes its status; anything unforeseen becomes 500 without its text, and is logged.
    """

    def __init__(self, log: Log, actions: dict[str, Action]) -> None:
        super().__init__()
        self._log = log
        self._actions = actions
        self._tasks = Tasks(lambda failure: log.failure("control.failed", failure))

    def render(self, request: Request) -> Any:
        action = self._actions.get(request.method.decode("ascii", "replace"))
        if action is None:
            request.setHeader("allow", ", ".join(sorted(self._actions)))
            return _finish(request, 405, {"error": "this cannot be done here"})
        self._tasks.start(self._answer(request, action))
        return NOT_DONE_YET

    async def _answer(self, request: Request, action: Action) -> None:
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        try:
            status, document = await action(_body(request))
        except ApiError as error:
            status, document = error.status, error.document
        except Exception:
            self._log.failure("control.failed", Failure(), path=request.path)
            status, document = 500, {"error": "something went wrong in the server; its log says what"}
        if not gone:
            request.write(_finish(request, status, document))
            request.finish()


def _body(request: Request) -> Document:
    content = request.content.read(MAX_BODY_OCTETS + 1) if request.content is not None else b""
    if len(content) > MAX_BODY_OCTETS:
        raise bad_request("the request is too long")
    if not content:
        return {}
    try:
        document = json.loads(content)
    except ValueError as error:
        raise bad_request("the request holds no JSON") from error
    if not isinstance(document, dict):
        raise bad_request("the request is no JSON object")
    return document


def _finish(request: Request, status: int, document: Document) -> bytes:
    content = json.dumps(document, ensure_ascii=False).encode() + b"\n"
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json")
    request.setHeader("content-length", str(len(content)))
    request.setHeader("cache-control", "no-store")
    return content


def text_field(body: Document, name: str, default: str | None = None) -> str:
    """A string out of a request. Raises ApiError where it is missing or no string."""
    value = body.get(name, default)
    if not isinstance(value, str):
        raise bad_request(f"{name} is missing" if name not in body else f"{name} is no text")
    return value


def optional_text(body: Document, name: str) -> str | None:
    """A string, or None where it is null or missing. Raises ApiError where it is something else."""
    return None if body.get(name) is None else text_field(body, name)
