"""What the pages say to type or to write works: every command is run, every configuration is loaded."""

from __future__ import annotations

import configparser
import datetime
import getpass
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.config.load import load
from mailsuite.config.problems import report
from mailsuite.frontends.certificates import self_signed
from tests.docs.blocks import (
    BLOCKS,
    ELSEWHERE,
    LANGUAGES,
    PAGES,
    ROOT,
    Block,
    Command,
    blocks_of,
    commands_of,
)
from tests.docs.stage import SECRET, Stage, fits, moved
from tests.system.harness import PATIENCE


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def test_blocks_are_seen() -> None:
    assert len(of("toml")) >= 4
    assert len(of("sh", "console")) >= 8


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_each_block_has_a_rule(block: Block) -> None:
    assert block.language in LANGUAGES, f"{block}: nothing is known about ```{block.language}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_is_left_open(page: Path) -> None:
    fences = re.findall(r"^\s*```", page.read_text("utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(list(blocks_of(page)))


def test_nothing_is_elsewhere_without_need() -> None:
    commands = {command.text for block in of("sh", "console") for command in commands_of(block)}
    assert set(ELSEWHERE) - commands == set()


# Configurations


def prepared(text: str, directory: Path) -> Path:
    """The configuration as a file, with all that it names beside it."""
    text = moved(text, directory)
    text = text.replace('user  = "mailsuite"', f'user  = "{getpass.getuser()}"')
    if "certificate" in text:
        certificate, key = self_signed(
            "mail.example.net", directory / "tls", datetime.datetime.now(datetime.UTC)
        )
        text = re.sub(r'^(certificate\s*=\s*)".*"$', rf'\1"{certificate}"', text, flags=re.MULTILINE)
        text = re.sub(r'^(key\s*=\s*)".*"$', rf'\1"{key}"', text, flags=re.MULTILINE)
    for name in re.findall(r'^(?!password_)(?:\w+_)?file\s*=\s*"(.*)"$', text, re.MULTILINE):
        file = directory / name
        assert file.is_relative_to(directory), f"{name} is a file of this machine"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(f"{SECRET}\n")
    path = directory / "mailsuite.toml"
    path.write_text(text)
    return path


WARNED_OF = {"docs/howto/old-clients.md": ("cram-md5", "ntlm", "mail goes in the clear")}
"""What the check of the configuration warns of, as the page says."""


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_each_configuration_can_be_used(block: Block, tmp_path: Path) -> None:
    loaded = load(prepared(block.text, tmp_path), {"MAILSUITE_SERVER__STATE": str(tmp_path)}, ())
    words = WARNED_OF.get(str(block.page.relative_to(ROOT)), ())
    assert [line for line in report(loaded.problems) if not any(word in line for word in words)] == []
    assert loaded.config is not None


# Commands


def followed(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language in {"sh", "console"}]


def needs_stage(page: Path) -> bool:
    return any(not command.is_elsewhere for block in followed(page) for command in commands_of(block))


BEFORE = {
    "docs/tutorials/first-mail.md": [Command("./run", None)],
    "docs/howto/notifymail.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/require-apop.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
        Command("mailsuite fetch pop3://joe@example.net@127.0.0.1:2110", None),
    ],
    "docs/howto/old-clients.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/device-views.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/metrics.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/services.md": [Command("mailsuite --config mailsuite.toml serve", None)],
    "docs/howto/notice-stream.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/subscriptions-by-http.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/ntfy-gotify-pushover.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/quiet-hours.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/run-a-program.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/web-push.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/webhook.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
    "docs/howto/mailsuite-notify.md": [
        Command("mailsuite --config mailsuite.toml serve", None),
        Command("mailsuite --config mailsuite.toml account add joe@example.net --generate", None),
    ],
}
"""What a page takes as done."""

STEP_BY_STEP = {"docs/howto/require-apop.md", "docs/howto/old-clients.md", "docs/howto/webhook.md"}
"""Pages on which each configuration takes the place of the one before; on others only the first is tried."""

EXIT_STATUS = {
    "mailsuite --config mailsuite.toml config check --what-if pop3.apop=require": 4,
    "mailsuite --config mailsuite.toml route eve@example.org --from 192.0.2.200": 1,
    "mailsuite --config mailsuite.toml queue fsck": 1,
    "mailsuite-notify doctor": 4,
    'curl -sN --max-time 1 --cacert state/tls/self-signed.pem --user "joe@example.net:$PASSWORD" '
    "https://127.0.0.1:8443/notify/v1/stream": 28,
}
"""Commands that tell something by it, as the page says."""

AFTER = {"docs/howto/notifymail.md": "fetched", "docs/howto/webhook.md": "tickets.txt"}
"""The file that is there when the page was followed: a knock came, and fetchmail was run."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as made:
        yield made


@pytest.mark.parametrize(
    "page", [page for page in PAGES if needs_stage(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_a_page_can_be_followed(page: Path, stage: Stage) -> None:
    name = str(page.relative_to(ROOT))
    configurations = [block.text for block in blocks_of(page) if block.language == "toml"]
    if configurations:
        stage.configure("" if name in STEP_BY_STEP else configurations[0])
    for command in BEFORE.get(name, []):
        stage.run(command)
    for block in blocks_of(page):
        if block.language == "toml" and name in STEP_BY_STEP:
            stage.configure(block.text)
        for command in commands_of(block) if block.language in {"sh", "console"} else ():
            if not command.is_elsewhere:
                stage.run(command, EXIT_STATUS.get(command.text, 0))
        if block.language == "python":
            stage.save(block.text)
    if name in AFTER:
        stage.appeared(AFTER[name])


def test_the_end_of_another_number_is_no_port(tmp_path: Path) -> None:
    """No server is asked where it listens: none runs."""
    stage = Stage(tmp_path, notifymail_port=42465)
    assert stage._shifted("mailsuite notify listen --port 1079") == "mailsuite notify listen --port 42465"


def test_what_is_printed_is_compared() -> None:
    assert fits(["port 79", "... ok", "end"], ["port 1079", "all is ok", "end"])
    assert fits(["a", "...", "b"], ["a", "x", "y", "b"])
    assert fits(["..."], [])
    assert not fits(["port 79"], ["port x"])
    assert not fits(["a"], ["a", "b"])
    assert not fits(["a", "b"], ["a"])
    assert not fits([], ["a"])


# Other files


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_each_document_can_be_read(block: Block) -> None:
    assert json.loads(block.text)


@pytest.mark.skipif(
    shutil.which("postconf") is None, reason="Postfix is not installed (apt-get install postfix)"
)
@pytest.mark.parametrize("block", of("postfix"), ids=str)
def test_postfix_knows_each_setting(block: Block, tmp_path: Path) -> None:
    """postconf(1) warns of parameters that nothing uses, and of values that it cannot read."""
    (tmp_path / "main.cf").write_text(f"compatibility_level = 3.6\n{block.text}")
    (tmp_path / "master.cf").touch()
    done = subprocess.run(
        ["postconf", "-c", tmp_path, "-n"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in block.text.splitlines() if line and line not in done.stdout.splitlines()] == []


@pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed (apt-get install haproxy)"
)
@pytest.mark.parametrize("block", of("haproxy"), ids=str)
def test_haproxy_takes_it(block: Block, tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(block.text)
    done = subprocess.run(
        ["haproxy", "-c", "-f", tmp_path / "haproxy.cfg"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


@pytest.mark.parametrize("block", of("ini"), ids=str)
def test_each_unit_can_be_read(block: Block, stage: Stage) -> None:
    unit = configparser.ConfigParser(strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(block.text)
    known = {"Unit", "Socket", "Service", "Install"}
    assert set(unit.sections()) <= known
    if unit.has_section("Service"):
        command = unit["Service"]["ExecStart"].removeprefix("/usr/bin/")
        stage.run(Command(f"{command.partition(' --')[0]} --help", None))
        options = re.findall(r"--[a-z-]+", command.partition(" --run ")[0])
        page = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
        assert all(f"`{option}" in page for option in options)


@pytest.mark.skipif(shutil.which("mutt") is None, reason="mutt is not installed (apt-get install mutt)")
@pytest.mark.parametrize("block", of("muttrc"), ids=str)
def test_mutt_knows_each_setting(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "muttrc"
    file.write_text(block.text)
    names = re.findall(r"^set (\w+)", block.text, re.MULTILINE)
    done = subprocess.run(
        ["mutt", "-n", "-F", file, *(word for name in names for word in ("-Q", name))],
        env={"HOME": str(tmp_path), "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(names)
