"""Loading: all sources in their order of authority, all problems in one run.

default < mailsuite.toml < conf.d/*.toml by name < environment < --set
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from mailsuite.config.layers import environment_layer, file_layers, override_layer
from mailsuite.config.look import Look
from mailsuite.config.machine import Machine
from mailsuite.config.passwords import with_passwords, with_relay_password, with_tokens
from mailsuite.config.problems import ConfigurationError, Place, Problem, in_order
from mailsuite.config.reading import Reading
from mailsuite.config.relations import relations
from mailsuite.config.resolve import resolve
from mailsuite.config.schema import Config
from mailsuite.config.surroundings import surroundings

_SYSTEM_FILE = Path("/etc/mailsuite/mailsuite.toml")


@attrs.frozen
class Loaded:
    """What came of loading. There is a configuration exactly where there is no error."""

    config: Config | None
    problems: tuple[Problem, ...]
    origins: Mapping[str, Place]
    """Where each value that somebody wrote stands, by dotted key; what is absent is a default."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def accepted(self) -> Config:
        """The configuration. Raises ConfigurationError, which says all that is wrong."""
        if self.config is None:
            raise ConfigurationError(self.problems)
        return self.config


def find(environ: Mapping[str, str]) -> Path | None:
    """The file that is meant where nobody names one: MAILSUITE_CONFIG, the system's, or none."""
    named = environ.get("MAILSUITE_CONFIG")
    if named:
        return Path(named)
    try:
        return _SYSTEM_FILE if _SYSTEM_FILE.is_file() else None
    except OSError:  # it lies where we may not look, and whoever reads it says so
        return _SYSTEM_FILE


def load(
    path: Path | None,
    environ: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    machine: Machine | None = None,
) -> Loaded:
    """Load *path* and all that has more authority. Never raises: what is wrong is in the problems.

    *path* None: no file at all, only defaults, environment and *overrides* (``key=value``).
    """
    if environ is None:
        environ = os.environ
    layers, problems = file_layers(path) if path is not None else ([], [])
    for layer, more in (environment_layer(environ), override_layer(overrides)):
        layers.append(layer)
        problems += more
    reading = Reading(problems)
    draft = reading.table(Config, layers)
    machine = machine or Machine.here(environ)
    config = resolve(draft, machine)
    look = Look(config, reading.places, frozenset(reading.unsound), machine.today)
    reading.problems += relations(look)
    reading.problems += surroundings(look)
    accounts = tuple(with_passwords(account, look, reading) for account in config.accounts)
    relays = tuple(with_relay_password(relay, look, reading) for relay in config.relays)
    notify = with_tokens(config.notify, look, reading)
    found = in_order(reading.problems)
    failed = any(problem.severity == "error" for problem in found)
    whole = attrs.evolve(config, accounts=accounts, relays=relays, notify=notify)
    return Loaded(None if failed else whole, found, reading.places)
