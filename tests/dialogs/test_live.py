"""Every dialogue against one running server, each with an account of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.dialogs.configured import DOORS, configured
from tests.dialogs.dialog import load
from tests.dialogs.live import LiveServer
from tests.dialogs.play import Cut, play
from tests.dialogs.scene import Scene, fill_maildir
from tests.system.harness import Server

FILES = sorted(Path(__file__).parent.glob("*.txt"))
SCENES = {
    path: attrs.evolve(Scene(), user=f"user{number}@example.test") for number, path in enumerate(FILES, 1)
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with configured(tmp_path_factory.mktemp("live"), SCENES.values()) as running:
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


def test_nothing_unforeseen_was_logged(server: Server) -> None:
    assert [line for line in server.logged().splitlines() if "traceback=" in line] == []
