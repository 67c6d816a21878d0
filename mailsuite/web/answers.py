"""Answers as users' programs get them: JSON, and where something cannot be done a problem document that says
why (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

from mailsuite.accounts.refusal import ErrorKind, RegistryError
from mailsuite.frontends.http_core import PROBLEM, Answer, HttpRequest

Document = dict[str, Any]

JSON: Final = "application/json"
_STATUS: Final[dict[ErrorKind, int]] = {
    "bad-request": 400,
    "read-only": 403,
    "not-found": 404,
    "exists": 409,
    "too-many": 429,
    "unavailable": 503,
}


class Refused(Exception):
    """The request cannot be done; ``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def document(status: int, content: Document) -> Answer:
    """A JSON object."""
    return Answer(status, _encode(content))


def problem(status: int, detail: str, **fields: str) -> Answer:
    """What speaks against a request, in a sentence for a person; *fields* are those of the header, with ``_``
    for ``-``."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Answer(
        status, _encode(content), PROBLEM, {name.replace("_", "-"): value for name, value in fields.items()}
    )


def of_refusal(error: RegistryError) -> Answer:
    """The problem document of what the rest of the server refuses."""
    if error.kind == "too-many":
        return problem(429, error.text, retry_after="300")
    return problem(_STATUS[error.kind], error.text)


def body_of(request: HttpRequest) -> Document:
    """The JSON object in a request, empty where it has no body. Raises Refused.

    It has to be declared as JSON: a page of somebody else's can have a browser send forms and text here
    without asking, and JSON it cannot.
    """
    content = request.content.read()
    if not content:
        return {}
    kind = request.field("content-type").partition(b";")[0].strip().lower()
    if kind not in {b"application/json", b"application/merge-patch+json"}:
        raise Refused(problem(415, "the body is to be application/json"))
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused(problem(400, "the body is no JSON")) from error
    if not isinstance(value, dict):
        raise Refused(problem(400, "the body is no JSON object"))
    return value


def _encode(content: Document) -> bytes:
    """UTF-8; what is no text (half of a surrogate pair) is shown as a question mark."""
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
