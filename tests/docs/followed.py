"""Runs ``mailsuite`` and notes in which order its modules come into play.

    python followed.py FILE ARGUMENTS...    is    mailsuite ARGUMENTS...

At each SIGUSR1 one line of JSON is added to FILE: the modules whose code was called since the last one, in
the order of their first calls; those of the main thread, where the reactor runs, apart from those of other
threads. Importing is no call.
"""

from __future__ import annotations

import inspect
import json
import re
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

_GENERATED = re.compile(r"<attrs generated \w+ (mailsuite[\w.]*)\.\w+>")


class Follower:
    """A profile function that remembers the first call of each module of mailsuite."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._main: dict[str, None] = {}
        self._others: dict[str, None] = {}

    def start(self) -> None:
        signal.signal(signal.SIGUSR1, self.cut)
        threading.setprofile(lambda frame, event, argument: self.look(self._others, frame, event))
        sys.setprofile(lambda frame, event, argument: self.look(self._main, frame, event))

    def look(self, seen: dict[str, None], frame: FrameType, event: str) -> None:
        code = frame.f_code
        if (
            event != "call" or not code.co_flags & inspect.CO_OPTIMIZED
        ):  # bodies of modules and classes are not
            return
        generated = _GENERATED.match(code.co_filename)
        module = generated[1] if generated else frame.f_globals.get("__name__") or ""
        if module.startswith("mailsuite."):
            seen.setdefault(module)

    def cut(self, number: int, frame: FrameType | None) -> None:
        line = json.dumps({"main": list(self._main), "others": list(self._others)})
        self._main.clear()
        self._others.clear()
        with self._file.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    follower = Follower(Path(sys.argv.pop(1)))
    sys.argv[0] = "mailsuite"
    follower.start()
    from mailsuite.cli.main import main

    main()
