"""org.freedesktop.Notifications over D-Bus (Desktop Notifications Specification 1.2).

jeepney talks to the bus, blocking, in a thread of its own: one connection for each pop-up, so that a desktop
that comes and goes is found again, and no loop beside Twisted's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import attrs

from mailsuite.client.popups.popups import NoPopups
from mailsuite.client.wording import Popup

T = TypeVar("T")

CALL_SECONDS: Final = 5.0
"""For one call; a desktop that is well answers in a few milliseconds."""
_NAME: Final = "org.freedesktop.Notifications"
_PATH: Final = "/org/freedesktop/Notifications"
_NORMAL: Final = 1
_AS_THE_DESKTOP_LIKES: Final = -1
ICON: Final = "mail-unread"
"""Of the Icon Naming Specification."""


class Threads(Protocol):
    """Runs what blocks."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


@attrs.frozen
class Freedesktop:
    """Text is escaped where the desktop says that it reads markup, and nowhere else."""

    threads: Threads
    name: str = "dbus"

    async def ready(self) -> None:
        await self.threads(lambda: _with_bus(lambda call: call("GetCapabilities", "", ())))

    async def show(self, popup: Popup) -> int:
        return await self.threads(lambda: _shown(popup))

    async def close(self, shown: int) -> None:
        if shown:
            await self.threads(lambda: _with_bus(lambda call: call("CloseNotification", "u", (shown,))))


def find_session() -> None:
    """Where nobody has said which bus is the user's: it has a usual place. For services of the system that
    run as a user, and for the keyring as well."""
    usual = f"/run/user/{os.getuid()}/bus" if hasattr(os, "getuid") else ""
    if "DBUS_SESSION_BUS_ADDRESS" not in os.environ and usual and Path(usual).is_socket():
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={usual}"


def is_there() -> bool:
    """Whether the library is."""
    try:
        import jeepney  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return False
    return True


def _shown(popup: Popup) -> int:
    def show(call: Call) -> int:
        (capabilities,) = call("GetCapabilities", "", ())
        body = escape(popup.body, quote=False) if "body-markup" in capabilities else popup.body
        hints: dict[str, tuple[str, Any]] = {"urgency": ("y", _NORMAL), "category": ("s", "email.arrived")}
        sent: tuple[Any, ...] = (
            "mailsuite-notify",
            0,
            ICON,
            popup.title,
            body,
            [],
            hints,
            _AS_THE_DESKTOP_LIKES,
        )
        (shown,) = call("Notify", "susssasa{sv}i", sent)
        return int(shown)

    return _with_bus(show)


Call = Callable[[str, str, tuple[Any, ...]], tuple[Any, ...]]


def _with_bus(work: Callable[[Call], T]) -> T:
    """Do *work* with a connection to the session's bus. Raises NoPopups."""
    from jeepney import DBusAddress, new_method_call  # noqa: PLC0415 - an extra
    from jeepney.io.blocking import open_dbus_connection  # noqa: PLC0415
    from jeepney.wrappers import DBusErrorResponse, unwrap_msg  # noqa: PLC0415

    address = DBusAddress(_PATH, bus_name=_NAME, interface=_NAME)
    try:
        with open_dbus_connection("SESSION") as bus:

            def call(member: str, signature: str, body: tuple[Any, ...]) -> tuple[Any, ...]:
                message = new_method_call(address, member, signature or None, body)
                answered: tuple[Any, ...] = unwrap_msg(bus.send_and_get_reply(message, timeout=CALL_SECONDS))
                return answered

            return work(call)
    except DBusErrorResponse as error:
        raise NoPopups(f"the desktop does not show pop-ups: {error.name}") from error
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        # KeyError: there is no DBUS_SESSION_BUS_ADDRESS; RuntimeError: it names no Unix socket.
        raise NoPopups("there is no desktop session here that D-Bus leads to") from error
