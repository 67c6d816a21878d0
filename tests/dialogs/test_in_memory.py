"""Every dialogue in memory, however its octets arrive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialogs.dialog import Dialog, load
from tests.dialogs.memory import MemoryServer, Template
from tests.dialogs.play import Cut, cuts_of, play
from tests.dialogs.scene import Scene

SCENE = Scene()
PLAYS = [
    pytest.param(dialog, cut, id=f"{dialog.name}-{cut.value}")
    for path in sorted(Path(__file__).parent.glob("*.txt"))
    for dialog in [load(path, SCENE)]
    for cut in cuts_of(dialog)
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template.read(tmp_path_factory.mktemp("dialogs"), SCENE)


@pytest.mark.parametrize(("dialog", "cut"), PLAYS)
def test_dialogue(dialog: Dialog, cut: Cut, template: Template) -> None:
    server = MemoryServer(template, SCENE)
    play(dialog, server, cut)
    assert server.left_behind() == []
