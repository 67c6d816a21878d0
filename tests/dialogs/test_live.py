"""Every dialogue against one running server, each with an account of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.dialogs.configured import DOORS, configured
from tests.dialogs.dialog import load
from tests.dialogs.live import LiveServer, main
from tests.dialogs.play import Cut, play
from tests.dialogs.scene import Scene, fill_maildir
from tests.system.harness import Server

FILES = sorted(Path(__file__).parent.glob("*.txt"))
SCENES = {
    path: attrs.evolve(Scene(), user=f"user{number}@example.test") for number, path in enumerate(FILES, 1)
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with_secret = [SCENES[path].user for path in FILES if load(path).has_secret]
    with configured(tmp_path_factory.mktemp("live"), SCENES.values(), with_secret) as running:
        yield running


@pytest.fixture(scope="module")
def target(server: Server) -> LiveServer:
    ports = {door: server.ports[name] for door, name in DOORS.items()}
    return LiveServer("127.0.0.1", ports, server.tls())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dialogue(path: Path, server: Server, target: LiveServer) -> None:
    scene = SCENES[path]
    dialog = load(path, scene)
    fill_maildir(server.maildir(scene.user))
    play(dialog, target, Cut.TOGETHER if dialog.together else Cut.LINES)


def from_a_shell(server: Server, tmp_path: Path, *arguments: str) -> int:
    scene = Scene()
    password = tmp_path / "password"
    password.write_text(scene.password + "\n", encoding="utf-8")
    known = ("--password-file", str(password), "--maildir", str(server.maildir(scene.user)))
    pop3s = ("--pop3s-port", str(server.ports["pop3s"]))
    return main([*arguments, *known, *pop3s])


def test_from_a_shell(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(FILES[0].with_stem(stem)) for stem in ("smtp-session", "smtp-starttls-unavailable")]
    port = str(server.ports["mx"])
    assert from_a_shell(server, tmp_path, *files, "--service", "smtp", "--port", port) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok       smtp-session: SMTP: a whole session, and what of it is in the maildrop",
        "skipped  smtp-starttls-unavailable: no port for it",
        "2 dialogues, 0 failed, 1 skipped",
    ]


def test_from_a_shell_what_goes_wrong(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "pop3-wrong.txt"
    wrong.write_text("# POP3: wrong\nservice: pop3\ntls: yes\nS: -ERR\n", encoding="utf-8")
    broken = tmp_path / "broken.txt"
    broken.write_text("# POP3: broken\nservice: pop3\nX\n", encoding="utf-8")
    files = (str(wrong), str(broken))
    port = str(server.ports["pop3s"])
    assert from_a_shell(server, tmp_path, *files, "--service", "pop3", "--tls-port", port) == 1
    said = capsys.readouterr().out
    assert "FAILED   pop3-wrong: pop3-wrong.txt:4 (lines): expected '-ERR', got b'+OK" in said
    assert "FAILED   broken: broken.txt:3: this is neither a step nor a setting: 'X'" in said
    assert said.endswith("2 dialogues, 2 failed, 0 skipped\n")


def test_nothing_unforeseen_was_logged(server: Server) -> None:
    assert [line for line in server.logged().splitlines() if "traceback=" in line] == []
