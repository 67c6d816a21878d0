"""Start, stop, reload and their failures, with a real process and real sockets."""

from __future__ import annotations

import os
import poplib
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from tests.ports import free_port
from tests.system.clients import connect, within
from tests.system.harness import LIMITS, LISTENERS, PASSWORDS, PATIENCE, Server

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")


def cli(server: Server, *arguments: str, text: str = "", status: int = 0) -> str:
    """Run the command line against a server; answer all that it prints."""
    command = [sys.executable, "-m", "mailsuite", "--config", str(server.config), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


class Line:
    """A raw client, line by line. Closed at the end of the test."""

    opened: ClassVar[list[Line]] = []

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb")
        self.opened.append(self)

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def read(self) -> bytes:
        return self.file.readline()

    def say(self, data: bytes) -> bytes:
        self.socket.sendall(data)
        line = self.read()
        while line[3:4] == b"-":
            line = self.read()
        return line


@pytest.fixture(autouse=True)
def _hang_up() -> Iterator[None]:
    yield
    while Line.opened:
        Line.opened.pop().close()


def test_sessions_hear_of_the_end(own_server: Server) -> None:
    own_server.start()
    smtp, pop3 = Line(own_server.ports["mx"]), Line(own_server.ports["pop3"])
    assert smtp.read().startswith(b"220 ")
    assert pop3.read().startswith(b"+OK")
    assert own_server.stop() == 0
    assert smtp.read().startswith(b"421 4.3.2 ")
    assert pop3.read().startswith(b"-ERR [SYS/TEMP] ")
    assert smtp.read() == pop3.read() == b""
    assert "suite.stopped" in own_server.logged()


def test_a_message_under_way_is_finished(own_server: Server) -> None:
    own_server.start()
    client = Line(own_server.ports["mx"])
    client.read()
    for command in (b"EHLO x.example\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<joe@example.test>\r\n"):
        assert client.say(command).startswith(b"250")
    assert client.say(b"DATA\r\n").startswith(b"354")
    client.socket.sendall(b"Subject: half\r\n\r\nhalf")
    process = own_server.process
    assert process is not None
    process.terminate()
    pop3 = own_server.ports["pop3"]
    while True:  # the listeners close before the sessions are drained
        try:
            socket.create_connection(("127.0.0.1", pop3), timeout=PATIENCE).close()
        except ConnectionResetError:  # it closed between the two halves of the handshake
            continue
        except ConnectionRefusedError:
            break
    assert client.say(b" and whole\r\n.\r\n").startswith(b"250 2.0.0")
    assert client.read().startswith(b"421 4.3.2")
    assert process.wait(PATIENCE) == 0
    own_server.start()
    [message] = own_server.messages()
    assert message.endswith(b"Subject: half\r\n\r\nhalf and whole\r\n")


def test_marked_messages_stay_when_the_service_stops(own_server: Server) -> None:
    own_server.start()
    own_server.deliver(b"Subject: one\r\n\r\n")
    client = Line(own_server.ports["pop3-trusted"])
    client.read()
    client.say(b"USER joe@example.test\r\n")
    assert client.say(b"PASS " + PASSWORDS["joe@example.test"].encode() + b"\r\n").startswith(b"+OK")
    assert client.say(b"DELE 1\r\n").startswith(b"+OK")
    own_server.stop()
    assert client.read().startswith(b"-ERR [SYS/TEMP]")
    own_server.start()
    assert len(own_server.messages()) == 1


def test_reload_changes_what_differs_and_closes_nothing(own_server: Server) -> None:
    own_server.start()
    old = Line(own_server.ports["pop3"])
    assert b"POP3 ready" in old.read()
    own_server.extra = LIMITS + 'banner = "Good day"\n'
    own_server.listeners = LISTENERS + (
        '[[listener]]\nname = "second"\nservice = "pop3"\nbind = ["127.0.0.1"]\nport = 0\n'
        'tls = "starttls"\nendpoint = ""\nbanner = "Second door"\n'
    ).replace("port = 0", f"port = {free_port()}")
    own_server.accounts = (*own_server.accounts[:2],)
    own_server.write_config()
    shown = cli(own_server, "reload")
    assert "pop3.banner" in shown
    before = own_server.ports
    own_server.read_ports()
    assert before["pop3"] == own_server.ports["pop3"]
    assert old.say(b"NOOP\r\n").startswith(b"-ERR"), "the old session lives, and is not logged in"
    assert b"Good day" in Line(own_server.ports["pop3"]).read()
    assert b"Second door" in Line(own_server.ports["second"]).read()
    with own_server.smtp() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail("", ["bob@example.test"], b"Subject: gone\r\n\r\n")
    own_server.listeners = LISTENERS
    own_server.write_config()
    second = own_server.ports["second"]
    cli(own_server, "reload")
    with pytest.raises(ConnectionRefusedError):
        Line(second)


def test_a_bad_file_changes_nothing(own_server: Server) -> None:
    own_server.start()
    good = own_server.config.read_text()
    own_server.config.write_text(good + "\n[pop3x]\nbanner = 3\n")
    shown = cli(own_server, "reload", status=4)
    assert "mailsuite.toml:" in shown
    assert "pop3x" in shown
    own_server.config.write_text(good.replace('tls     = "implicit"', 'tls = "implicit"\nport = 1\n', 1))
    cli(own_server, "reload", status=4)
    busy = socket.create_server(("127.0.0.1", 0))
    with busy:
        listener = '[[listener]]\nname = "busy"\nservice = "smtp"\nbind = ["127.0.0.1"]\nport = %d\n'
        own_server.config.write_text(good + listener % busy.getsockname()[1])
        shown = cli(own_server, "reload", status=4)
    assert "listener busy: cannot listen on 127.0.0.1" in shown
    assert "Address already in use" in shown
    own_server.read_ports()
    assert "busy" not in own_server.ports
    own_server.deliver(b"Subject: still here\r\n\r\n")
    assert len(own_server.messages()) == 1


def test_hang_up_reloads(own_server: Server) -> None:
    own_server.start()
    own_server.extra = LIMITS + 'banner = "After the signal"\n'
    own_server.write_config()
    assert own_server.process is not None
    own_server.process.send_signal(signal.SIGHUP)
    within(PATIENCE, lambda: greets(own_server, b"After the signal"), AssertionError)


def greets(server: Server, words: bytes) -> None:
    """A signal has no answer: look whether it shows."""
    with connect(server, "pop3") as client:
        assert words in client.line()


def test_a_new_certificate_is_served_without_a_restart(own_server: Server, tmp_path: Path) -> None:
    own_server.start()
    with own_server.pop3():
        pass
    old = own_server.certificate.read_bytes()
    own_server.certificate.unlink()
    cli(own_server, "reload")
    assert own_server.certificate.read_bytes() != old
    with own_server.pop3() as client:  # trusts the new one only
        client.noop()


def test_a_busy_port_is_named(own_server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        own_server.listeners = (
            f'[[listener]]\nname = "mx"\nservice = "smtp"\nbind = ["127.0.0.1"]\nport = {port}\n'
        )
        with pytest.raises(AssertionError) as failed:
            own_server.start()
    assert f"mailsuite: listener mx: cannot listen on 127.0.0.1 port {port}: Address already in use" in str(
        failed.value
    )
    assert "Traceback" not in str(failed.value)


def test_one_server_for_one_state_directory(own_server: Server, tmp_path: Path) -> None:
    own_server.start()
    other = Server(tmp_path)
    with pytest.raises(AssertionError) as failed, other:
        other.start()
    assert own_server.process is not None
    assert f"is in use by process {own_server.process.pid}" in str(failed.value)


def test_twistd_is_the_same_server(own_server: Server) -> None:
    own_server.write_config()
    own_server.extra = LIMITS
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [*TWISTD, "--nodaemon", "--pidfile=", "mailsuite", "--config", str(own_server.config)]
    with own_server.log.open("ab") as log:
        own_server.process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=own_server.directory
        )
    wait_for_control(own_server)
    own_server.read_ports()
    own_server.deliver(b"Subject: by twistd\r\n\r\n")
    assert len(own_server.messages()) == 1
    assert own_server.stop() == -signal.SIGTERM, "twistd ends itself by the signal that ended the reactor"
    assert "suite.stopped" in own_server.logged()


def wait_for_control(server: Server) -> None:
    """Wait until the control socket answers, as long as the process lives."""
    assert server.process is not None
    while not server.control.is_listening():
        try:
            status = server.process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"ended with {status}: {server.logged()}")


def test_twistd_names_all_that_is_wrong(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text("[pop3]\nidle_timout = 3\n[smtp]\nmax_message = -1\n")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*TWISTD, "--nodaemon", "--pidfile=", "mailsuite", "--config", str(config)],
        env=os.environ | {"PYTHONPATH": str(root)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "bad.toml:2:" in said
    assert "idle_timeout" in said
    assert "bad.toml:4:" in said
    assert "Traceback" not in said


def test_accounts_take_effect_at_once(own_server: Server) -> None:
    own_server.start()
    with own_server.smtp() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail("", ["eve@example.test"], b"Subject: too early\r\n\r\n")
    cli(own_server, "account", "add", "eve@example.test", "--stdin", text="first-password-1\n")
    own_server.deliver(b"Subject: for eve\r\n\r\n", "eve@example.test")

    def log_in(password: str) -> bool:
        client = poplib.POP3_SSL("127.0.0.1", own_server.ports["pop3s"], context=own_server.tls())
        try:
            client.user("eve@example.test")
            client.pass_(password)
        except poplib.error_proto as error:
            if b"[AUTH]" not in error.args[0]:
                raise
            return False
        else:
            assert client.stat()[0] == 1
            return True
        finally:
            client.quit()

    assert log_in("first-password-1")
    assert log_in("first-password-1"), "from the cache"
    cli(own_server, "account", "password", "eve@example.test", "--stdin", text="second-password-2\n")
    assert not log_in("first-password-1")
    assert log_in("second-password-2")
    cli(own_server, "account", "remove", "eve@example.test", "--yes")
    assert not log_in("second-password-2")
    logged = own_server.logged()
    for secret in ("first-password-1", "second-password-2", *PASSWORDS.values(), "$argon2id$"):
        assert secret not in logged
        assert secret not in cli(own_server, "config", "show")


def test_without_a_server_the_command_line_works_on_the_store(own_server: Server) -> None:
    own_server.write_config()
    shown = cli(own_server, "account", "add", "eve@example.test", "--generate")
    assert "eve@example.test" in shown
    assert "eve@example.test" in cli(own_server, "account", "list")
    cli(own_server, "status", status=3)
    own_server.start()
    assert "eve@example.test" in cli(own_server, "account", "list")
    shown = cli(own_server, "status")
    assert str(own_server.ports["pop3s"]) in shown


def test_too_many_connections(own_server: Server) -> None:
    own_server.extra = (
        "[pop3]\nmax_connections_per_address = 2\n[smtp]\nmax_connections = 1\n"
        "[guard]\nadmin_networks = []\n"  # loopback has a reserve, and no limit of one address
    )
    own_server.start()
    first, second = Line(own_server.ports["pop3"]), Line(own_server.ports["pop3-trusted"])
    assert first.read().startswith(b"+OK")
    assert second.read().startswith(b"+OK")
    third = Line(own_server.ports["pop3"])
    assert third.read().startswith(b"-ERR [SYS/TEMP]")
    assert third.read() == b""
    first.say(b"QUIT\r\n")
    assert first.read() == b""
    assert Line(own_server.ports["pop3"]).read().startswith(b"+OK")
    smtp = Line(own_server.ports["mx"])
    smtp.read()
    refused = Line(own_server.ports["mx"])
    assert refused.read().startswith(b"421 4.3.2")
    assert refused.read() == b""
    assert smtp.say(b"NOOP\r\n").startswith(b"250")


def test_an_empty_file_starts_on_loopback(tmp_path: Path) -> None:
    config = tmp_path / "empty.toml"
    config.write_text("")
    shown = subprocess.run(
        [sys.executable, "-m", "mailsuite", "--config", str(config), "config", "show", "--json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    ).stdout
    assert "127.0.0.1" in shown
    assert "0.0.0.0" not in shown


def test_a_control_socket_that_somebody_removed_does_not_keep_the_server(own_server: Server) -> None:
    own_server.start()
    own_server.socket.unlink()
    assert own_server.stop() == 0
    assert "suite.stopped" in own_server.logged()
    assert "Traceback" not in own_server.logged()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_demo_takes_its_server_along(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "mailsuite", "demo", "--directory", str(tmp_path / "demo")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            shown = ""
            while "Ctrl-C stops it" not in shown:
                line = demo.stdout.readline()
                assert line, shown
                shown += line
            assert "OK          the whole way works." in shown
            port = int(shown.partition("submission ")[2].split()[0])
            demo.send_signal(number)
            assert demo.wait(PATIENCE) == 0
        finally:
            demo.kill()
    with pytest.raises(ConnectionRefusedError):
        Line(port)


def test_as_many_files_as_the_system_lets_us(own_server: Server) -> None:
    own_server.command = ("sh", "-c", 'ulimit -Sn 256; exec "$0" "$@"', *own_server.command)
    own_server.start()
    assert own_server.process is not None
    limits = Path(f"/proc/{own_server.process.pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max open files")]
    soft, hard = line.split()[3:5]
    assert soft == hard
