"""``twistd mailsuite``: options and makeService; the work is in app.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import ClassVar

from twisted.application.service import IService
from twisted.python import usage

from mailsuite.config.load import find
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

    def __init__(self) -> None:
        super().__init__()
        self["set"] = []

    def opt_set(self, assignment: str) -> None:
        """Set one key for this run, for example --set pop3.idle_timeout=20m."""
        self["set"].append(assignment)

    opt_s = opt_set


def makeService(options: Options) -> IService:
    """The suite as a service. Raises UsageError with every problem of the configuration."""
    from twisted.internet import reactor  # noqa: PLC0415 - an entry point

    path = Path(options["config"]) if options["config"] else find(os.environ)
    source = Source(path, tuple(options["set"]))
    loaded = source.load()
    problems = report(loaded.problems)
    if loaded.config is None:
        raise usage.UsageError("\n".join(problems))
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201 - the log is not open yet
    if options["check"]:
        raise SystemExit(0)
    service: IService = Suite(reactor, source, loaded)
    return service
