"""Which way to show pop-ups."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import Any, Final

from mailsuite.client.popups.freedesktop import Freedesktop, Threads, is_there
from mailsuite.client.popups.popups import NoPopups, Popups
from mailsuite.client.popups.programs import FORMS, ByProgram, notify_send, usual

WAYS: Final = ("auto", "dbus", *FORMS, "off")
"""What the setting may say."""
_LIBRARY: Final = "the D-Bus library is missing: pip install 'mailsuite[client]'"


def popups(
    wanted: str,
    reactor: Any,
    threads: Threads,
    *,
    system: str = sys.platform,
    which: Callable[[str], str | None] = shutil.which,
) -> Popups | None:
    """The way that is *wanted*, one of WAYS; None for ``off``. Raises NoPopups where it is not to be had.

    ``auto``: D-Bus, where the library is installed, because it alone knows whether the desktop reads markup
    and can take a pop-up back; else the program of this system.
    """
    if wanted == "off":
        return None
    has_bus = system not in {"darwin", "win32"}
    if wanted == "dbus" or (wanted == "auto" and has_bus and is_there()):
        if not is_there():
            raise NoPopups(_LIBRARY)
        return Freedesktop(threads)
    name = usual(system) if wanted == "auto" else wanted
    asked = FORMS[name]
    program = which("powershell.exe" if name == "toast" else name)
    if program is None:
        more = f", and {_LIBRARY}" if asked is notify_send else ""
        raise NoPopups(f"there is no program {name} here{more}")
    return ByProgram(reactor, name, program)
