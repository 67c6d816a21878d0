"""The conformance suite against Postfix: it runs, and the page about it is true."""

from __future__ import annotations

from tests.interop import foreign, foreign_smtp
from tests.interop.postfix import needs_postfix
from tests.interop.verdicts import OF

pytestmark = [*needs_postfix]


def test_postfix() -> None:
    with foreign_smtp.postfix() as server:
        found = foreign_smtp.outcomes(server)
        said = b"STARTTLS\r\nNOOP\r\n"
        assert not foreign.obeys_injection(server, foreign_smtp.DOORS[0], said), "the page says so"
    assert len(found) > 70, "hardly any dialogue could be played"
    deviating = {stem for stem, words in found.items() if words}
    assert deviating == foreign.told(foreign_smtp.PAGE, server.name), found
    assert deviating == OF[server.name].keys(), "each has a verdict, and no verdict is left over"
