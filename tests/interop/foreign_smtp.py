"""Our SMTP dialogues played against Postfix, and the page that tells where it deviates.

python -m tests.interop.foreign_smtp > docs/reference/smtp-servers.md
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.dialogs.dialog import load
from tests.dialogs.scene import Scene
from tests.interop.foreign import AT_ONCE, DIALOGUES, ROOT, Door, Foreign, played, tables
from tests.interop.postfix import Postfix
from tests.interop.programs import SEARCH_PATH

PAGE = ROOT / "docs" / "reference" / "smtp-servers.md"
DOORS: tuple[Door, ...] = (("smtp", "no", "usual"), ("smtp", "yes", "usual"))
SCENE = Scene()

_SETTINGS = f"""
myhostname = {SCENE.host}
message_size_limit = {SCENE.max_message}
mynetworks = 127.0.0.2/32
smtpd_error_sleep_time = 0
smtpd_helo_required = yes
strict_rfc821_envelopes = yes
smtpd_relay_restrictions = reject_unauth_destination
relay_domains_reject_code = 550
"""
"""As we do: loopback is a stranger, EHLO comes first, 550 refuses relaying, and an error costs no second."""


@contextlib.contextmanager
def postfix() -> Iterator[Foreign]:
    """Debian's Postfix with the host name and the largest message of the scene."""
    version = subprocess.run(
        ["postconf", "-d", "-h", "mail_version"],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": SEARCH_PATH},
    ).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="ms-") as name:
        base = Path(name)
        base.chmod(0o755)
        with Postfix(base, users=("joe", "ann", "postmaster"), more=_SETTINGS) as server:
            ports = dict(zip(DOORS, (server.port, server.tls_port), strict=True))
            yield Foreign("Postfix", version, "127.0.0.1", ports, server.maildir)


def dialogues() -> list[Path]:
    """Those that begin where TLS is offered and no way to log in. Where one goes on to POP3, to see what has
    arrived, it ends."""
    begins = {path: load(path).connects[0] for path in sorted(DIALOGUES.glob("smtp-*.txt"))}
    return [path for path, door in begins.items() if (door.service, door.tls, door.login) in DOORS]


def outcomes(server: Foreign) -> dict[str, str]:
    """How each of the dialogues went: empty where it went as ours does."""
    paths = dialogues()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        words = pool.map(lambda path: played(path, server, SCENE), paths)
        return {path.stem: each for path, each in zip(paths, words, strict=True)}


_HEAD = """\
# Where Postfix deviates

Our dialogues (`tests/dialogs/smtp-*.txt`) are a conformance suite that can be played against any server;
[its README](../../tests/dialogs/README.md) says how. This page is made by
`python -m tests.interop.foreign_smtp`, which plays those that need no settings of ours against Debian 12's
Postfix, and `tests/interop/test_foreign_smtp.py` checks that it is true. Postfix is told its host name, the
largest message, to ask for EHLO first, to take addresses as RFC 5321 writes them alone, to refuse relaying
by 550, not to wait after errors, and not to trust loopback; everything else is as it comes. Where a dialogue
goes on to POP3 to see what has arrived, it ends here.

A dialogue ends with the first step that goes another way, so one difference may hide another. The tables say
in which line of the file that is, to which command, what we expect and what came. Not every difference is a
fault: where the RFCs leave a choice our dialogues know one answer, ours; those are in a table of their own.

Of the faults one matters to users: as it comes, this version ends a message at a dot between bare LFs
(`smtp-data-false-ends`), and what follows is obeyed as commands. That is SMTP smuggling, CVE-2023-51764;
`smtpd_forbid_bare_newline = normalize` ends it.
"""


def page(server: Foreign, found: Mapping[str, str]) -> str:
    """*found*: what outcomes() gave."""
    return f"{_HEAD}\n{tables(server, found)}"


def main() -> None:
    with postfix() as server:
        sys.stdout.write(page(server, outcomes(server)))


if __name__ == "__main__":
    main()
