"""``twistd mailsuite``: options and makeService; the work is in app.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import ClassVar

from twisted.application.service import IService
from twisted.python import usage

from mailsuite.config.load import Loaded, find
from mailsuite.config.problems import report
from mailsuite.suite import Source, Suite


class Options(usage.Options):
    """Few, because configuration belongs in the file."""

    synopsis = "[options]"
    longdesc = "A mail server: SMTP in, POP3 out, new-mail notification."
    optParameters: ClassVar = [
        ["config", "c", None, "The configuration file (mailsuite config example prints one)."],
    ]
    optFlags: ClassVar = [["check", None, "Check the configuration and stop."]]

    source: Source
    loaded: Loaded

    def __init__(self) -> None:
        super().__init__()
        self["set"] = []

    def opt_set(self, assignment: str) -> None:
        """Set one key for this run, for example --set pop3.idle_timeout=20m."""
        self["set"].append(assignment)

    opt_s = opt_set

    def postOptions(self) -> None:
        """Load the configuration, while twistd still answers mistakes by words instead of a traceback."""
        path = Path(self["config"]) if self["config"] else find(os.environ)
        self.source = Source(path, tuple(self["set"]))
        self.loaded = self.source.load()
        problems = report(self.loaded.problems)
        if self.loaded.config is None:
            raise usage.UsageError("\n".join(problems))
        for problem in problems:
            print(problem, file=sys.stderr)  # noqa: T201 - the log is not open yet
        if self["check"]:
            raise SystemExit(0)


def makeService(options: Options) -> IService:
    """The suite as a service."""
    from twisted.internet import reactor  # noqa: PLC0415 - an entry point

    service: IService = Suite(reactor, options.source, options.loaded)
    return service
