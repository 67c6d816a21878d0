"""Why sessions end that nobody asked to end, in the words of the log (features row S-A12)."""

from __future__ import annotations

from typing import Final

from mailsuite.model.account import Account, AccountState

ACCOUNT_REMOVED: Final = "the account was removed"
ACCOUNT_REPLACED: Final = "the account stands in the configuration file now"
ACCOUNT_OFF: Final = "the account was switched off"
POP3_DENIED: Final = "POP3 was closed to the account"
DEVICE_REMOVED: Final = "the device was removed"
DEVICE_PASSWORD: Final = "the device has another password"  # noqa: S105 - words, no password
DEVICE_EXPIRED: Final = "the device has expired"
DEVICE_NARROWED: Final = "the device may do less than before"
DEVICE_VIEW: Final = "the device sees another view of the maildrop"
_OF_POP3: Final = frozenset({POP3_DENIED, DEVICE_VIEW})


def concerns(reason: str, service: str) -> bool:
    """Whether sessions of this service end for that reason: who may not use POP3 may still send."""
    return reason not in _OF_POP3 or service == "pop3"


def barred(before: Account, after: Account) -> str:
    """What was taken from an account that could log in; empty where nothing was."""
    if before.state is AccountState.OFF:
        return ""
    if after.state is AccountState.OFF:
        return ACCOUNT_OFF
    return POP3_DENIED if before.pop3 and not after.pop3 else ""
