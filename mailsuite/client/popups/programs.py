"""Pop-ups by a program of the system: notify-send, osascript on macOS, PowerShell on Windows.

A stranger's words are arguments or variables of the environment, never part of a script.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final

import attrs

from mailsuite.client.command import NOTHING, run_to_end
from mailsuite.client.popups.freedesktop import ICON
from mailsuite.client.popups.popups import NoPopups
from mailsuite.client.wording import Popup

SECONDS: Final = 20.0
"""For the program; PowerShell takes some to start."""

_APPLE_SCRIPT: Final = (
    "on run arguments",
    "display notification (item 3 of arguments) with title (item 2 of arguments)",
    "end run",
)
_SPACE: Final = "Windows.UI.Notifications"
_TOAST: Final = f"""\
$manager = [{_SPACE}.ToastNotificationManager, {_SPACE}, ContentType = WindowsRuntime]
$toast = $manager::GetTemplateContent([{_SPACE}.ToastTemplateType]::ToastText02)
$lines = $toast.GetElementsByTagName('text')
[void]$lines.Item(0).AppendChild($toast.CreateTextNode($env:MAILSUITE_NOTIFY_TITLE))
[void]$lines.Item(1).AppendChild($toast.CreateTextNode($env:MAILSUITE_NOTIFY_BODY))
$application = '{{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}}\\WindowsPowerShell\\v1.0\\powershell.exe'
$manager::CreateToastNotifier($application).Show([{_SPACE}.ToastNotification]::new($toast))
"""


@attrs.frozen
class Started:
    """What is run for a pop-up."""

    argv: Sequence[str]
    environment: Mapping[str, str] = NOTHING


def notify_send(popup: Popup) -> Started:
    """libnotify's notify-send(1). It cannot say whether the desktop reads markup, so all is escaped, which
    most do; and it reads backslash sequences in the body, so that each is doubled."""
    body = escape(popup.body, quote=False).replace("\\", "\\\\")
    options = ("--app-name=mailsuite-notify", f"--icon={ICON}", "--category=email.arrived")
    return Started(("notify-send", *options, "--", popup.title, body))


def osascript(popup: Popup) -> Started:
    """The first argument is a word of ours: one with a dash would be taken for an option."""
    script = [word for line in _APPLE_SCRIPT for word in ("-e", line)]
    return Started(("osascript", *script, "mailsuite-notify", popup.title, popup.body))


def toast(popup: Popup) -> Started:
    """Windows 10 and later."""
    script = base64.b64encode(_TOAST.encode("utf-16-le")).decode("ascii")
    options = ("-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand")
    shown = {"MAILSUITE_NOTIFY_TITLE": popup.title, "MAILSUITE_NOTIFY_BODY": popup.body}
    return Started(("powershell.exe", *options, script), shown)


FORMS: Final[Mapping[str, Callable[[Popup], Started]]] = {
    "notify-send": notify_send,
    "osascript": osascript,
    "toast": toast,
}


@attrs.frozen
class ByProgram:
    """One of FORMS. What it has shown cannot be taken back."""

    reactor: Any
    name: str
    program: str
    """Its path."""

    async def ready(self) -> None:
        """The program is there; more is not known before it was run."""

    async def show(self, popup: Popup) -> int:
        started = FORMS[self.name](popup)
        argv = (self.program, *started.argv[1:])
        status = await run_to_end(self.reactor, self.reactor, argv, SECONDS, started.environment)
        if status:
            raise NoPopups(f"{started.argv[0]} has failed (exit status {status})")
        return 0

    async def close(self, shown: int) -> None:
        """Nothing to do."""


def usual(system: str = sys.platform) -> str:
    """The form of this system."""
    return {"darwin": "osascript", "win32": "toast"}.get(system, "notify-send")
