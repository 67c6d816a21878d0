"""The conformance suite against Dovecot and Courier: it runs, and the page about them is true."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.interop import foreign
from tests.interop.dovecot import needs_dovecot
from tests.interop.programs import SEARCH_PATH
from tests.interop.verdicts import OF

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can unpack Courier over the system")
needs_apt = pytest.mark.skipif(shutil.which("apt-get", path=SEARCH_PATH) is None, reason="needs apt-get")


def check(server: foreign.Foreign) -> None:
    found = foreign.outcomes(server)
    assert len(found) > 60, "hardly any dialogue could be played"
    deviating = {stem for stem, words in found.items() if words}
    assert deviating == foreign.told(foreign.PAGE, server.name), found
    assert deviating == OF[server.name].keys(), "each has a verdict, and no verdict is left over"


@pytest.mark.skipif(needs_dovecot[0].args[0] or needs_dovecot[1].args[0], reason="Dovecot is missing")
def test_dovecot() -> None:
    with foreign.dovecot() as server:
        check(server)
        assert not foreign.obeys_injection(server)


@needs_root
@needs_apt
def test_courier() -> None:
    with foreign.courier() as server:
        check(server)
        assert foreign.obeys_injection(server), "the page says so"
