"""JSON over HTTP: what every resource of the control API has in common."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from typing import Any, Final

import attrs
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from mailsuite.accounts.refusal import ErrorKind, RegistryError
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log

MAX_BODY_OCTETS = 64 * 1024
"""A request to the control API is a small JSON object."""

Document = dict[str, Any]

_STATUS: Final[dict[ErrorKind, int]] = {
    "bad-request": 400,
    "read-only": 403,
    "not-found": 404,
    "exists": 409,
    "too-many": 429,
    "unavailable": 503,
}


class ApiError(Exception):
    """The request cannot be done; *document* says why in words for a person."""

    def __init__(self, status: int, document: Document) -> None:
        super().__init__(document.get("error", ""))
        self.status = status
        self.document = document


def bad_request(text: str) -> ApiError:
    return ApiError(400, {"error": text})


Action = Callable[[Document], Awaitable[tuple[int, Document]]]


@attrs.frozen
class Desk:
    """What all resources share: where they log, and who owns the actions under way."""

    log: Log
    tasks: Tasks


class BoundedRequest(Request):
    """Keeps no more of a body than a request may have: one that grows longer is refused and cut off."""

    def gotLength(self, length: int | None) -> None:
        self._refused = False
        self._kept = BytesIO()
        self.content = self._kept
        if length is not None and length > MAX_BODY_OCTETS:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        if self._refused:
            return
        if self._kept.tell() + len(data) > MAX_BODY_OCTETS:
            self._refuse()
        else:
            self._kept.write(data)

    def _refuse(self) -> None:
        self._refused = True
        content = _encode({"error": f"the request has more than {MAX_BODY_OCTETS} octets"})
        head = (
            "HTTP/1.1 413 Request Entity Too Large\r\nconnection: close\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        transport: Any = self.channel.transport
        transport.write(head.encode("ascii") + content)
        self.channel.loseConnection()

    def process(self) -> None:
        if not self._refused:
            super().process()


class JsonResource(Resource):
    """Turns methods into coroutines: ``actions["GET"](body) -> (status, document)``.

    An ApiError and a RegistryError become their status, a MailFailure 503; anything unforeseen becomes 500
    without its text, and is logged. Below it there is nothing, unless a subclass or putChild() says so.
    """

    def __init__(self, desk: Desk, actions: Mapping[str, Action]) -> None:
        super().__init__()
        self._desk = desk
        self._actions = actions

    def getChild(self, path: bytes, request: Request) -> Resource:
        return Missing()

    def render(self, request: Request) -> Any:
        action = self._actions.get(request.method.decode("ascii", "replace"))
        if action is None:
            request.setHeader("allow", ", ".join(sorted(self._actions)))
            return prepare(request, 405, {"error": "this cannot be done here"})
        self._desk.tasks.start(self._answer(request, action))
        return NOT_DONE_YET

    async def _answer(self, request: Request, action: Action) -> None:
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        status, document = await self._outcome(request, action)
        if not gone:
            request.write(prepare(request, status, document))
            request.finish()

    async def _outcome(self, request: Request, action: Action) -> tuple[int, Document]:
        try:
            return await action(_body(request))
        except ApiError as error:
            return error.status, error.document
        except RegistryError as error:
            return _STATUS[error.kind], {"error": error.text}
        except MailFailure as error:
            self._desk.log.warning("control.unable", path=request.path, detail=error.detail)
            return 503, {"error": "that is not possible just now; the server's log says why"}
        except Exception:
            self._desk.log.failure("control.failed", Failure(), path=request.path)
            return 500, {"error": "something went wrong in the server; its log says what"}


class Missing(Resource):
    """Nothing is here, nor below but what putChild() puts there."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        return self

    def render(self, request: Request) -> bytes:
        return prepare(request, 404, {"error": "there is nothing at this path"})


def _body(request: Request) -> Document:
    content = request.content.read() if request.content is not None else b""
    if not content:
        return {}
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise bad_request("the request holds no JSON") from error
    if not isinstance(document, dict):
        raise bad_request("the request is no JSON object")
    return document


def _encode(document: Document) -> bytes:
    """UTF-8; what is no text (half of a surrogate pair) is shown as a question mark."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def prepare(request: Request, status: int, document: Document) -> bytes:
    """Set status and header fields for *document*; answers the octets to write."""
    content = _encode(document)
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


def flag_field(body: Document, name: str) -> bool:
    """True or false; false where it is missing. Raises ApiError where it is something else."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise bad_request(f"{name} is neither true nor false")
    return value


def optional_text(body: Document, name: str) -> str | None:
    """A string, or None where it is null or missing. Raises ApiError where it is something else."""
    return None if body.get(name) is None else text_field(body, name)
