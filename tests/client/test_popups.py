"""What is run for a pop-up, and which way is chosen. Real desktops: tests/interop/test_notify_desktop.py."""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailsuite.client.popups.choice import WAYS, popups
from mailsuite.client.popups.freedesktop import Freedesktop
from mailsuite.client.popups.popups import NoPopups
from mailsuite.client.popups.programs import ByProgram, notify_send, osascript, toast
from mailsuite.client.threads import InThread
from mailsuite.client.wording import Popup

NASTY = Popup('-e "$(id)" \'; <b>&', 'x\\n <a href="https://evil.example">`id`</a> $env:PATH')


def test_notify_send_escapes_markup_and_backslashes() -> None:
    argv = notify_send(NASTY).argv
    assert argv[0] == "notify-send"
    assert argv[-3:] == (
        "--",
        NASTY.title,
        'x\\\\n &lt;a href="https://evil.example"&gt;`id`&lt;/a&gt; $env:PATH',
    )


def test_osascript_gets_text_as_arguments_behind_a_word_of_ours() -> None:
    argv = osascript(NASTY).argv
    assert argv[0] == "osascript"
    script = [argv[place + 1] for place, word in enumerate(argv[:-3]) if word == "-e"]
    assert script[0] == "on run arguments"
    assert argv[-3:] == ("mailsuite-notify", NASTY.title, NASTY.body)
    assert not any("evil" in line or "$(" in line for line in script)


def test_a_toast_gets_text_by_the_environment() -> None:
    started = toast(NASTY)
    assert started.argv[0] == "powershell.exe"
    script = base64.b64decode(started.argv[-1]).decode("utf-16-le")
    assert "evil" not in " ".join(started.argv) + script
    assert "CreateTextNode($env:MAILSUITE_NOTIFY_TITLE)" in script
    assert "'{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'" in script
    assert started.environment == {
        "MAILSUITE_NOTIFY_TITLE": NASTY.title,
        "MAILSUITE_NOTIFY_BODY": NASTY.body,
    }


def chosen(wanted: str, system: str = "linux", *there: str) -> object:
    def which(name: str) -> str | None:
        return f"/bin/{name}" if name in there else None

    way = popups(wanted, reactor, InThread(reactor), system=system, which=which)
    return way if way is None else way.name


@pytest.mark.parametrize(
    ("wanted", "system", "there", "name"),
    [
        ("off", "linux", (), None),
        ("auto", "linux", (), "dbus"),
        ("auto", "linux", ("notify-send",), "dbus"),
        ("notify-send", "linux", ("notify-send",), "notify-send"),
        ("auto", "darwin", ("osascript",), "osascript"),
        ("auto", "win32", ("powershell.exe",), "toast"),
        ("dbus", "linux", (), "dbus"),
    ],
)
def test_which_way(wanted: str, system: str, there: tuple[str, ...], name: str | None) -> None:
    assert chosen(wanted, system, *there) == name


def test_a_way_that_is_not_there() -> None:
    with pytest.raises(NoPopups, match="no program osascript"):
        chosen("auto", "darwin")
    with pytest.raises(NoPopups, match="no program toast"):
        chosen("toast")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jeepney", None)
    assert chosen("auto", "linux", "notify-send") == "notify-send"
    with pytest.raises(NoPopups, match=r"mailsuite\[client\]"):
        chosen("dbus")
    with pytest.raises(NoPopups, match=r"mailsuite\[client\]"):
        chosen("auto")


def test_each_way_can_be_named() -> None:
    assert WAYS == ("auto", "dbus", "notify-send", "osascript", "toast", "off")


class ProgramTests(TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.program, self.words = Path(folder.name, "notify-send"), Path(folder.name, "words")
        self.program.write_text(f'#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done > "{self.words}"\n')
        self.program.chmod(0o755)

    async def test_the_words_reach_the_program(self) -> None:
        way = ByProgram(reactor, "notify-send", str(self.program))
        self.assertEqual(await way.show(Popup("Bob", "Lunch?")), 0)
        await way.close(0)
        self.assertEqual(self.words.read_text().splitlines()[-3:], ["--", "Bob", "Lunch?"])

    async def test_a_program_that_fails(self) -> None:
        way = ByProgram(reactor, "notify-send", "/bin/false")
        with self.assertRaisesRegex(NoPopups, "exit status 1"):
            await way.show(Popup("Bob", "Lunch?"))

    async def test_where_there_is_no_bus(self) -> None:
        way = Freedesktop(InThread(reactor))
        self.patch(__import__("os"), "environ", {"HOME": "/nowhere"})
        with self.assertRaisesRegex(NoPopups, "no desktop session"):
            await way.show(Popup("Bob", "Lunch?"))
        await way.close(0)
