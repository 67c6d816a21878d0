"""Accounts of other servers, imported into a running one: their owners log in as if nothing had happened."""

from __future__ import annotations

import poplib
import time
from pathlib import Path

import pytest

from tests.system.harness import PATIENCE, Server

SECRET = "canary-swordfish"
HASHES = {
    "crypt": "$6$c0PPer.v1vid$"
    "dfifh9o6XIs40Ju7hUghtIUvGgrneS5nyuNzxBmGh76W1CECiABHec5icjM7.xqz/r8smQ/aaIMGGJRe1jUek0",
    "bcrypt": "{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuuRmvvXelOwVFB6dClV/s7zMOxcGvi4rK",
    "ldap": "{SSHA}RRLCga9vWxgrZsXXcYLQlEvk8bvAfHSW",
    "pbkdf2": "$pbkdf2-sha256$1200$Y29wcGVyLWxhbnRlcm4$jjgmoKSqeVLuwvWEGR328ndoh4I8BlZIgGxUIvFVizM",
    "plain": f"{{PLAIN}}{SECRET}",
}


def login(server: Server, account: str, password: str) -> bytes:
    client = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], timeout=PATIENCE, context=server.tls())
    try:
        client.user(account)
        return client.pass_(password)
    finally:
        client.close()


def rehashed(server: Server, account: str) -> bool:
    return any("login.rehashed" in line and account in line for line in server.logged().splitlines())


def test_imported_accounts_log_in_and_are_hashed_anew(tmp_path: Path) -> None:
    file = tmp_path / "users"
    lines = [f"{name}@example.test:{stored}" for name, stored in HASHES.items()]
    file.write_text("\n".join([*lines, f"broken@example.test:{SECRET}", ""]))
    with Server(tmp_path) as server:
        said = server.cli("account", "import", file, status=1)
        assert said.startswith("5 made, 1 refused.\n")
        assert "line 6: broken@example.test refused" in said
        for name, stored in HASHES.items():
            account = f"{name}@example.test"
            with pytest.raises(poplib.error_proto, match="AUTH"):
                login(server, account, "wrong-swordfish")
            assert login(server, account, SECRET).startswith(b"+OK")
            deadline = time.monotonic() + PATIENCE
            while not (rehashed(server, account) or stored.startswith("{PLAIN}")):
                assert time.monotonic() < deadline, f"{account} was not hashed anew"
                time.sleep(0.02)
            assert login(server, account, SECRET).startswith(b"+OK")
        assert server.cli("account", "import", file, status=1).startswith("5 unchanged, 1 refused.\n")
        for name in HASHES:
            assert login(server, f"{name}@example.test", SECRET).startswith(b"+OK")
        shown = said + server.logged() + server.cli("account", "list")
        assert SECRET not in shown
        assert not any(stored in shown for stored in HASHES.values())
