"""PAM through the system's libpam: the few calls that checking a password takes.

Blocks, for as long as the modules of the service like. No package is needed: pam(3) is stable, and what
there is on the package index leaves out what matters here, which is that an empty password is never right
(PAM_DISALLOW_NULL_AUTHTOK), that nobody sleeps two seconds in our threads after a wrong one
(PAM_FAIL_DELAY), and another directory than /etc/pam.d (pam_start_confdir).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint, c_void_p, cast
from pathlib import Path
from typing import Any, Final

import attrs

FOLDERS: Final = (Path("/etc/pam.d"), Path("/usr/lib/pam.d"), Path("/usr/etc/pam.d"))
"""Where libpam looks for a service; for one that is nowhere it takes the service "other"."""
MAX_MESSAGES = 32
"""PAM_MAX_NUM_MSG."""

_SILENT = 0x8000
_DISALLOW_NULL_AUTHTOK = 0x0001
_FAIL_DELAY = 10
_PROMPT_ECHO_OFF = 1
_PROMPT_ECHO_ON = 2
_BUFFER_ERROR = 5
_CONVERSATION_ERROR = 19

_SUCCESS = 0
_REFUSALS: Final = frozenset(
    {
        6,  # PAM_PERM_DENIED
        7,  # PAM_AUTH_ERR
        10,  # PAM_USER_UNKNOWN
        11,  # PAM_MAXTRIES
        12,  # PAM_NEW_AUTHTOK_REQD
        13,  # PAM_ACCT_EXPIRED
        17,  # PAM_CRED_EXPIRED
        27,  # PAM_AUTHTOK_EXPIRED
    }
)
"""Of _pam_types.h: what says that this person may not, or not with this password."""


class PamError(Exception):
    """PAM could not say; the message is PAM's own, and has neither name nor password in it."""


class _Message(Structure):
    _fields_ = [("style", c_int), ("text", c_char_p)]


class _Response(Structure):
    _fields_ = [("text", c_void_p), ("code", c_int)]


_Converse = CFUNCTYPE(c_int, c_int, POINTER(POINTER(_Message)), POINTER(POINTER(_Response)), c_void_p)
_Delay = CFUNCTYPE(None, c_int, c_uint, c_void_p)


class _Conversation(Structure):
    _fields_ = [("converse", _Converse), ("data", c_void_p)]


_no_delay = _Delay(lambda code, microseconds, data: None)
"""Instead of sleeping here: whoever guesses is slowed down where no thread waits."""


@attrs.frozen(eq=False)
class LibPam:
    """The library, loaded. LibPam.load() raises OSError where there is none on this machine."""

    pam: Any
    libc: Any

    @classmethod
    def load(cls) -> LibPam:
        pam, libc = ctypes.CDLL("libpam.so.0"), ctypes.CDLL(None)
        start = [c_char_p, c_char_p, POINTER(_Conversation)]
        for name, result, arguments in (
            ("pam_start", c_int, [*start, POINTER(c_void_p)]),
            ("pam_end", c_int, [c_void_p, c_int]),
            ("pam_authenticate", c_int, [c_void_p, c_int]),
            ("pam_acct_mgmt", c_int, [c_void_p, c_int]),
            ("pam_set_item", c_int, [c_void_p, c_int, c_void_p]),
            ("pam_strerror", c_char_p, [c_void_p, c_int]),
        ):
            _declare(pam, name, result, arguments)
        if hasattr(pam, "pam_start_confdir"):
            _declare(pam, "pam_start_confdir", c_int, [*start, c_char_p, POINTER(c_void_p)])
        _declare(libc, "calloc", c_void_p, [c_size_t, c_size_t])
        _declare(libc, "strdup", c_void_p, [c_char_p])
        _declare(libc, "free", None, [c_void_p])
        return cls(pam, libc)

    def check(self, service: str, username: bytes, password: bytes, folder: Path | None = None) -> bool:
        """Whether *service* lets *username* in with *password*. Raises PamError.

        *folder* is where the service's file lies, if elsewhere than usual.
        """
        if not any((one / service).is_file() for one in ([folder] if folder else FOLDERS)):
            raise PamError(f"there is no PAM service {service!r}")
        converse = self._conversation(username, password)
        conversation = _Conversation(converse, None)
        handle = c_void_p()
        name = service.encode("ascii")
        if folder is None:
            code = self.pam.pam_start(name, username, byref(conversation), byref(handle))
        else:
            path = str(folder).encode()
            code = self.pam.pam_start_confdir(name, username, byref(conversation), path, byref(handle))
        if code != _SUCCESS:
            raise PamError(self._words(code))
        try:
            self.pam.pam_set_item(handle, _FAIL_DELAY, cast(_no_delay, c_void_p))
            code = self.pam.pam_authenticate(handle, _SILENT | _DISALLOW_NULL_AUTHTOK)
            if code == _SUCCESS:
                code = self.pam.pam_acct_mgmt(handle, _SILENT | _DISALLOW_NULL_AUTHTOK)
        finally:
            self.pam.pam_end(handle, code)
        if code != _SUCCESS and code not in _REFUSALS:
            raise PamError(self._words(code))
        return bool(code == _SUCCESS)

    def _words(self, code: int) -> str:
        words: bytes = self.pam.pam_strerror(None, code) or b""
        return f"{words.decode('utf-8', 'replace')} ({code})"

    def _conversation(self, username: bytes, password: bytes) -> Any:
        """Answers what the modules ask for: the password unseen, the name seen, nothing to what they tell."""
        said = {_PROMPT_ECHO_OFF: password, _PROMPT_ECHO_ON: username}

        def converse(count: int, messages: Any, responses: Any, data: object) -> int:
            if not 0 < count <= MAX_MESSAGES:
                return _CONVERSATION_ERROR
            block = self.libc.calloc(count, ctypes.sizeof(_Response))
            if not block:
                return _BUFFER_ERROR
            answers = cast(block, POINTER(_Response))
            for number in range(count):
                answer = said.get(messages[number].contents.style)
                answers[number].text = self.libc.strdup(answer) if answer is not None else None
            responses[0] = answers  # the module frees it
            return _SUCCESS

        return _Converse(converse)


def _declare(library: Any, name: str, result: Any, arguments: list[Any]) -> None:
    function: Callable[..., Any] = getattr(library, name)
    function.restype, function.argtypes = result, arguments  # type: ignore[attr-defined]
