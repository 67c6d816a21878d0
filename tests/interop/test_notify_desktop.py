"""Pop-ups on a desktop: the exact calls on a bus of its own, and once a real one, with a picture of it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.client.popups.freedesktop import Freedesktop
from mailsuite.client.popups.popups import NoPopups
from mailsuite.client.popups.programs import notify_send
from mailsuite.client.wording import Popup
from mailsuite.concurrent.now import run_now
from tests.interop.claws import display
from tests.interop.desktop import notifications, session_bus
from tests.interop.programs import PATIENCE, SEARCH_PATH, needs
from tests.system.notify_clients import Home

pytestmark = [needs("dbus-run-session", "dbus-daemon")]

NASTY = Popup(
    "Bob <bob@example.net>", 'Lunch & <b>more</b> \\n "\u00fcber" <a href="https://x.example">x</a>'
)


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with session_bus(str(tmp_path_factory.mktemp("session"))) as address:
        yield address


async def here(work):
    """As in a thread."""
    return work()


def test_the_exact_call_where_markup_is_read(bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    with notifications(bus, "body", "body-markup") as stub:
        way = Freedesktop(here)
        assert run_now(way.show(NASTY)) == 1
        assert stub.next() == (
            "Notify",
            (
                "mailsuite-notify",
                0,
                "mail-unread",
                "Bob <bob@example.net>",
                'Lunch &amp; &lt;b&gt;more&lt;/b&gt; \\n "\u00fcber" '
                '&lt;a href="https://x.example"&gt;x&lt;/a&gt;',
                [],
                {"urgency": ("y", 1), "category": ("s", "email.arrived")},
                -1,
            ),
        )
        run_now(way.close(1))
        assert stub.next() == ("CloseNotification", (1,))


def test_as_it_is_where_markup_is_not_read(bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    with notifications(bus, "body") as stub:
        run_now(Freedesktop(here).show(NASTY))
        assert stub.next()[1][4] == NASTY.body


def test_a_desktop_that_refuses(bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    with notifications(bus, "body") as stub:
        stub.broken = True
        with pytest.raises(NoPopups, match="ExcessNotificationGeneration"):
            run_now(Freedesktop(here).show(NASTY))


def test_nobody_shows_pop_ups(bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for address, words in (
        (bus, "does not show pop-ups"),
        ("unix:path=/nowhere", "no desktop"),
        ("tcp:host=x", "no desktop"),
    ):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with pytest.raises(NoPopups, match=words):
            run_now(Freedesktop(here).show(NASTY))


@needs("notify-send", "libnotify-bin")
def test_what_notify_send_makes_of_our_words(bus: str) -> None:
    """What it hands to a desktop that reads markup is the text, escaped once, each backslash as it was."""
    with notifications(bus, "body", "body-markup") as stub:
        argv = notify_send(NASTY).argv
        environment = {"PATH": SEARCH_PATH, "DBUS_SESSION_BUS_ADDRESS": bus, "LC_ALL": "C.UTF-8"}
        subprocess.run(argv, env=environment, check=True, timeout=PATIENCE)
        member, body = stub.next()
        assert member == "Notify"
        name, _, icon, title, text, _, hints, _ = body
        assert (name, icon, title) == ("mailsuite-notify", "mail-unread", NASTY.title)
        assert hints["category"] == ("s", "email.arrived")
        assert text == (
            'Lunch &amp; &lt;b&gt;more&lt;/b&gt; \\n "\u00fcber" '
            '&lt;a href="https://x.example"&gt;x&lt;/a&gt;'
        )


def colours(picture: Path) -> set[str]:
    command = ["convert", picture, "-unique-colors", "txt:-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    return set(re.findall(r"#[0-9A-F]{6}", said))


DUNSTRC = """\
[global]
font = Monospace 12
width = 600
origin = top-left
offset = 20x20
frame_color = "#00FF00"
[urgency_normal]
background = "#FF0000"
foreground = "#0000FF"
timeout = 0
"""


@needs("dunst")
@needs("Xvfb", "xvfb")
@needs("import", "imagemagick")
def test_a_pop_up_is_to_be_seen(tmp_path: Path) -> None:
    """``mailsuite-notify test`` on a screen that nobody looks at: in the picture are the pop-up's colours."""
    configuration, picture = tmp_path / "dunstrc", tmp_path / "screen.png"
    configuration.write_text(DUNSTRC)
    with display(tmp_path / "display") as screen, session_bus(str(tmp_path)) as bus:
        environment = {
            "PATH": SEARCH_PATH,
            "HOME": str(tmp_path),
            "DISPLAY": screen,
            "DBUS_SESSION_BUS_ADDRESS": bus,
        }
        log = (tmp_path / "dunst.log").open("wb")
        with (
            log,
            subprocess.Popen(
                ["dunst", "-conf", configuration], env=environment, stdout=log, stderr=log
            ) as dunst,
        ):
            try:
                home = Home(tmp_path, {"DBUS_SESSION_BUS_ADDRESS": bus, "DISPLAY": screen})
                said = ""
                deadline = time.monotonic() + PATIENCE
                while "was shown by dbus" not in said:  # dunst takes a moment to be there
                    assert time.monotonic() < deadline, said + (tmp_path / "dunst.log").read_text()
                    done = subprocess.run(
                        [*home.command, "test"],
                        env=home.environment(),
                        capture_output=True,
                        text=True,
                        timeout=PATIENCE,
                        check=False,
                    )
                    said = done.stdout + done.stderr
                found: set[str] = set()
                while not {"#FF0000", "#0000FF", "#00FF00"} <= found:
                    assert time.monotonic() < deadline, found
                    subprocess.run(
                        ["import", "-window", "root", picture], env=environment, check=True, timeout=PATIENCE
                    )
                    found = colours(picture)
            finally:
                dunst.terminate()
