"""The client of the control API: HTTP and JSON over the running server's Unix socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import attrs

from mailsuite.cli.context import CommandFailed, NotReachable
from mailsuite.cli.terminal import clean

Document = dict[str, Any]

TIMEOUT: Final = 30.0
"""Seconds without an octet; a reload that has to read many certificates may take some."""
CHUNK_OCTETS: Final = 64 * 1024
MAX_ANSWER_OCTETS: Final = 256 * 1024 * 1024
"""Our own limit: room for a million accounts."""


class NotRunning(NotReachable):
    """Nothing listens on the socket."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"mailsuite is not running (tried {clean(str(path))}); start it with: systemctl start mailsuite"
        )


class Refused(CommandFailed):
    """The server answered that it cannot be done."""

    def __init__(self, status: int, document: Document) -> None:
        words = document.get("error")
        super().__init__(
            clean(words) if isinstance(words, str) else f"the server answered HTTP status {status}"
        )
        self.status = status
        self.document = document


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


@attrs.frozen
class Control:
    """One connection for each request. All methods answer the JSON object; they raise NotRunning,
    NotReachable and Refused."""

    path: Path
    timeout: float = TIMEOUT

    def is_listening(self) -> bool:
        """Whether somebody listens on the socket. Raises NotReachable where that cannot be found out."""
        try:
            with self._connection() as connection:
                connection.connect()
        except NotRunning:
            return False
        return True

    def get(self, resource: str) -> Document:
        return self._ask("GET", resource, None)

    def post(self, resource: str, body: Document) -> Document:
        return self._ask("POST", resource, body)

    def put(self, resource: str, body: Document) -> Document:
        return self._ask("PUT", resource, body)

    def patch(self, resource: str, body: Document) -> Document:
        return self._ask("PATCH", resource, body)

    def delete(self, resource: str) -> Document:
        return self._ask("DELETE", resource, None)

    def octets(self, resource: str) -> Iterator[bytes]:
        """What is there, as it comes; it may be larger than memory. Raises as the others do, also in the
        middle."""
        with self._connection() as connection:
            connection.request("GET", resource)
            response = connection.getresponse()
            if response.status >= 400:
                _document(response.status, response.read(MAX_ANSWER_OCTETS))
            while data := response.read(CHUNK_OCTETS):
                yield data
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)

    def _ask(self, method: str, resource: str, body: Document | None) -> Document:
        with self._connection() as connection:
            status, octets = _exchange(connection, method, resource, body)
        return _document(status, octets)

    @contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        """A connection to be; whatever fails in it becomes words."""
        connection = _UnixConnection(self.path, self.timeout)
        shown = clean(str(self.path))
        try:
            yield connection
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(self.path) from error
        except PermissionError as error:
            raise NotReachable(
                f"{shown}: permission denied; root, the server's own user and the members of "
                "server.control_group may use it"
            ) from error
        except TimeoutError as error:
            raise NotReachable(
                f"mailsuite does not answer: nothing came from {shown} for {self.timeout:g} s"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            reason = clean(str(error)) or type(error).__name__
            raise NotReachable(f"no answer from {shown}: {reason}") from error
        finally:
            connection.close()


def _exchange(
    connection: http.client.HTTPConnection, method: str, resource: str, body: Document | None
) -> tuple[int, bytes]:
    content = None if body is None else json.dumps(body).encode()
    headers = {} if content is None else {"Content-Type": "application/json"}
    connection.request(method, resource, content, headers)
    response = connection.getresponse()
    octets = response.read(MAX_ANSWER_OCTETS + 1)
    if len(octets) > MAX_ANSWER_OCTETS:
        raise http.client.HTTPException("the answer is too long")
    if response.length:
        raise http.client.IncompleteRead(octets, response.length)
    return response.status, octets


def _document(status: int, octets: bytes) -> Document:
    try:
        document = json.loads(octets)
    except ValueError as error:
        raise Refused(status, {}) from error
    if not isinstance(document, dict):
        raise Refused(status, {})
    if status >= 400:
        raise Refused(status, document)
    return document


def resource(*parts: str) -> str:
    """``/v1/`` and the parts, each quoted as one."""
    return "/".join(("/v1", *(quote(part, safe="@", errors="surrogateescape") for part in parts)))
