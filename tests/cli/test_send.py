"""send against a small SMTP server: the dialogue, the words for people, and no password anywhere."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.control_double import STATUS, ControlDouble
from tests.cli.mail_doubles import PASSWORD, USER, SmtpDouble

TO = ("--to", "ann@example.test")


@pytest.fixture
def smtp(server_tls: ssl.SSLContext) -> Iterator[SmtpDouble]:
    double = SmtpDouble(server_tls)
    with double.serving():
        yield double


def verbs(double: SmtpDouble) -> list[str]:
    return [line.split(" ")[0].upper() for line in double.seen]


def test_a_text_is_sent_under_tls_where_that_is_offered(run: Run, smtp: SmtpDouble) -> None:
    result = run(
        "send", *TO, "--server", f"smtp://127.0.0.1:{smtp.port}", "--subject", "Grüße", "--text", "ä\n.\nb="
    )
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first == "accepted  250 2.0.0 OK, queued as Q7F3K2."
    assert second.startswith(f"          by 127.0.0.1:{smtp.port}, TLSv1.3, in ")
    assert second.endswith(" ms")
    assert result.stderr == ""
    assert verbs(smtp) == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert smtp.under_tls == [False, False, True, True, True, True, True]
    message = message_from_bytes(smtp.messages[0], policy=default)
    assert smtp.seen[3] == f"MAIL FROM:<ann@example.test> SIZE={len(smtp.messages[0])}"
    assert smtp.seen[4] == "RCPT TO:<ann@example.test>"
    assert (message["From"], message["To"], message["Subject"]) == ("ann@example.test",) * 2 + ("Grüße",)
    assert message["Message-ID"].endswith("@example.test>")
    assert message["Date"].datetime.tzinfo is not None
    assert message.get_content().splitlines() == ["ä", ".", "b="]


def test_a_file_is_sent_as_it_stands(run: Run, smtp: SmtpDouble, place: Path) -> None:
    file = place / "letter.eml"
    file.write_bytes(b"Subject: x\n\n.\n..two\r\n\xff\nend")
    url = f"smtp://127.0.0.1:{smtp.port}"
    sent = b"Subject: x\r\n\r\n.\r\n..two\r\n\xff\r\nend\r\n"
    assert run("send", *TO, "--from", "joe@example.test", "--server", url, "-q", str(file)).output == ""
    assert run("send", *TO, "--null-sender", "--server", url, "-", input=file.read_bytes()).exit_code == 0
    assert smtp.messages == [sent, sent]
    mails = [line for line in smtp.seen if line.startswith("MAIL")]
    assert mails == [
        f"MAIL FROM:<joe@example.test> SIZE={len(sent)} BODY=8BITMIME",
        f"MAIL FROM:<> SIZE={len(sent)} BODY=8BITMIME",
    ]


def test_for_programs(run: Run, smtp: SmtpDouble) -> None:
    result = run(
        "send", *TO, "--to", "nobody@example.test", "--server", f"smtp://127.0.0.1:{smtp.port}", "--json"
    )
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert 0 < document.pop("seconds") < 20
    assert document == {
        "server": f"127.0.0.1:{smtp.port}",
        "tls": "TLSv1.3",
        "accepted": ["ann@example.test"],
        "refused": [{"address": "nobody@example.test", "reply": r"550 5.1.1 nobody of that name\x1b[2J"}],
        "reply": "250 2.0.0 OK, queued as Q7F3K2.",
        "queue_id": "Q7F3K2",
    }


def test_some_recipients_are_refused(run: Run, smtp: SmtpDouble) -> None:
    result = run("send", *TO, "--to", "nobody@example.test", "--server", f"smtp://127.0.0.1:{smtp.port}")
    assert result.exit_code == 1
    assert result.stderr == "refused   nobody@example.test: 550 5.1.1 nobody of that name\\x1b[2J\n"
    assert result.stdout.startswith("accepted  250")
    assert len(smtp.messages) == 1


def test_all_recipients_are_refused(run: Run, smtp: SmtpDouble) -> None:
    result = run("send", "--to", "nobody@example.test", "--server", f"smtp://127.0.0.1:{smtp.port}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "nobody@example.test: 550 5.1.1 nobody of that name\\x1b[2J\n"
    assert "DATA" not in verbs(smtp)


@pytest.mark.parametrize("scheme", ["submission", "smtp"])
@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN", "LOGIN"])
@pytest.mark.parametrize("source", ["file", "stdin", "prompt"])
def test_a_login_shows_up_nowhere(
    *, run: Run, smtp: SmtpDouble, place: Path, scheme: str, mechanisms: str, source: str
) -> None:
    smtp.extensions = ("STARTTLS", f"AUTH {mechanisms}")
    file = place / "password"
    file.write_text(PASSWORD)
    options = {"file": ("--password-file", str(file)), "stdin": ("--stdin",), "prompt": ()}[source]
    given = None if source == "file" else f"{PASSWORD}\n"
    url = f"{scheme}://joe%40example.test@127.0.0.1:{smtp.port}"
    result = run("send", *TO, "--server", url, "--transcript", *options, input=given)
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    spoken = [line for line in smtp.seen if "AUTH" in line]
    for line in spoken:
        assert line.split(" ")[-1] not in result.output or line.endswith("LOGIN")
    assert "S: 235 in" in result.stderr
    assert smtp.under_tls[verbs(smtp).index("AUTH")]
    assert f"MAIL FROM:<{USER}>" in smtp.seen


def test_the_transcript_is_the_dialogue(run: Run, smtp: SmtpDouble) -> None:
    smtp.extensions = ("AUTH PLAIN",)
    url = f"smtp://127.0.0.1:{smtp.port}"
    result = run(
        "send",
        *TO,
        "--server",
        url,
        "--user",
        USER,
        "--stdin",
        "--tls",
        "off",
        "--transcript",
        input=PASSWORD,
    )
    lines = result.stderr.splitlines()
    assert lines[0] == "S: 220 mx.example.test ESMTP"
    assert lines[1].startswith("C: ehlo ")
    assert lines[2:6] == ["S: 250 mx.example.test", "S: 250 AUTH PLAIN", "C: AUTH (hidden)", "S: 235 in"]
    assert lines[-5:] == [
        "S: 354 go on",
        f"C: (the message, {len(smtp.messages[0])} octets)",
        "S: 250 2.0.0 OK, queued as Q7F3K2.",
        "C: QUIT",
        "S: 221 bye",
    ]


def test_a_user_whose_name_is_no_text(run: Run, smtp: SmtpDouble) -> None:
    smtp.extensions = ("AUTH PLAIN",)
    smtp.replies["AUTH"] = "535 5.7.8 no"
    url = f"smtp://127.0.0.1:{smtp.port}"
    result = run(
        "send", *TO, "--server", url, "--user", "\udcff", "--tls", "off", "--stdin", input="canary-5\n"
    )
    assert (result.exit_code, result.stderr) == (1, "login: 535 5.7.8 no\n")


def test_a_wrong_password_is_not_repeated(run: Run, smtp: SmtpDouble) -> None:
    url = f"submission://{USER}@127.0.0.1:{smtp.port}"
    result = run("send", *TO, "--server", url, "--stdin", "--transcript", input="canary-5\n")
    assert result.exit_code == 1
    assert result.stderr.endswith("login: 535 5.7.8 no\n")
    assert "canary-5" not in result.output


@pytest.mark.parametrize(
    ("options", "extensions", "words"),
    [
        (("--tls", "required"), (), "does not offer STARTTLS"),
        (("--user", USER, "--stdin"), (), "does not offer STARTTLS"),
        (("--user", USER, "--stdin"), ("STARTTLS",), "no way to log in that is known here (none at all)"),
        (("--user", USER, "--stdin"), ("STARTTLS", "AUTH GSSAPI"), "known here (GSSAPI)"),
    ],
)
def test_what_the_server_does_not_offer(
    run: Run, smtp: SmtpDouble, options: tuple[str, ...], extensions: tuple[str, ...], words: str
) -> None:
    smtp.extensions = extensions
    result = run("send", *TO, "--server", f"smtp://127.0.0.1:{smtp.port}", *options, input=PASSWORD)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr
    assert "MAIL" not in verbs(smtp)


def test_8bit_needs_8bitmime(run: Run, smtp: SmtpDouble) -> None:
    smtp.extensions = ()
    url = f"smtp://127.0.0.1:{smtp.port}"
    result = run("send", *TO, "--server", url, "-", input=b"Subject: \xe4\n\n")
    assert (result.exit_code, "8BITMIME" in result.stderr) == (1, True)
    assert run("send", *TO, "--server", url, "--text", "ä").exit_code == 0
    assert "MAIL FROM:<ann@example.test>" in smtp.seen


@pytest.mark.parametrize(
    ("word", "reply", "status", "words"),
    [
        ("GREETING", "554 5.7.1 go away\x1b", 1, r"greeting: 554 5.7.1 go away\x1b"),
        ("STARTTLS", "454 4.7.0 not now", 1, "STARTTLS: 454 4.7.0 not now"),
        ("MAIL", "550 5.7.1 not you", 1, "sender <ann@example.test>: 550 5.7.1 not you"),
        ("DATA", "451 4.3.0 later", 1, "DATA: 451 4.3.0 later"),
        ("RCPT", "451-4.3.0 one\r\n451 4.3.0 two", 1, "ann@example.test: 451 4.3.0 one 4.3.0 two"),
        ("EHLO", "502 what", 0, ""),
        ("QUIT", "421 no", 0, ""),
    ],
)
def test_other_answers(*, run: Run, smtp: SmtpDouble, word: str, reply: str, status: int, words: str) -> None:
    smtp.replies[word] = reply
    result = run("send", *TO, "--server", f"smtp://127.0.0.1:{smtp.port}")
    assert result.exit_code == status
    assert result.stderr == (f"{words}\n" if words else "")


def test_neither_ehlo_nor_helo(run: Run, smtp: SmtpDouble) -> None:
    smtp.replies |= {"EHLO": "502 what", "HELO": "502 what"}
    assert "EHLO and HELO: 502 what" in run("send", *TO, "--server", f"smtp://127.0.0.1:{smtp.port}").stderr


def test_a_server_that_cuts_after_250_has_taken_it(run: Run, smtp: SmtpDouble, monkeypatch: Any) -> None:
    taken = SmtpDouble.answer

    def cut_at_quit(self: SmtpDouble, wire: Any, word: str, text: str) -> bool:
        return word != "QUIT" and taken(self, wire, word, text)

    monkeypatch.setattr(SmtpDouble, "answer", cut_at_quit)
    result = run("send", *TO, "--server", f"smtp://127.0.0.1:{smtp.port}")
    assert (result.exit_code, result.stderr) == (0, "")
    monkeypatch.setattr(
        SmtpDouble, "answer", lambda self, wire, word, text: word == "EHLO" and wire.say("250 x") is None
    )
    result = run("send", *TO, "--server", f"smtp://127.0.0.1:{smtp.port}")
    assert (result.exit_code, result.stdout) == (3, "")


def test_implicit_tls(run: Run, server_tls: ssl.SSLContext) -> None:
    double = SmtpDouble(server_tls, implicit_tls=True)
    with double.serving():
        result = run("send", *TO, "--server", f"smtps://127.0.0.1:{double.port}")
        plain = run("send", *TO, "--server", f"smtps://127.0.0.1:{double.port}", "--tls", "off")
    assert result.exit_code == 0
    assert all(double.under_tls)
    assert verbs(double) == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert plain.exit_code == 2


def test_tls_with_somebody_who_speaks_none(run: Run, smtp: SmtpDouble) -> None:
    result = run("send", *TO, "--server", f"smtps://127.0.0.1:{smtp.port}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no TLS could be agreed on" in result.stderr


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_of_nobody_known_is_refused(
    run: Run, server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Only for this test mail.example.test is this machine."""
    found = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: found(
            "127.0.0.1" if host == "mail.example.test" else host, *rest, **more
        ),
    )
    double = SmtpDouble(server_tls, implicit_tls=scheme == "smtps")
    with double.serving():
        url = f"{scheme}://mail.example.test:{double.port}"
        refused = run("send", *TO, "--server", url)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "the certificate is not good: self" in refused.stderr
        assert "--insecure" in refused.stderr
        assert double.messages == []
        assert run("send", *TO, "--server", url, "--insecure").exit_code == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert run("send", *TO, "--server", url).exit_code == 0


def test_a_password_is_not_sent_in_clear_to_another_machine(
    run: Run, smtp: SmtpDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: found("127.0.0.1", *rest, **more))
    smtp.extensions = ("AUTH PLAIN",)
    url = f"smtp://{USER}@mail.example.test:{smtp.port}"
    result = run("send", *TO, "--server", url, "--tls", "starttls", "--stdin", input=PASSWORD)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a password is not sent without TLS" in result.stderr
    assert verbs(smtp) == ["EHLO"]


def test_nobody_listens(run: Run, smtp: SmtpDouble) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = run("send", *TO, "--server", f"smtp://127.0.0.1:{port}")
    assert (result.exit_code, result.stderr) == (3, f"127.0.0.1:{port}: nothing listens there\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--to", "ann"],
        ["--to", "änn@example.test"],
        [*TO, "--from", "x"],
        [*TO, "--text", "x", "file"],
        [*TO, "--subject", "x", "-"],
        [*TO, "--stdin", "-"],
        [*TO, "--server", "smtp://127.0.0.1:1", "--stdin"],
        [*TO, "--server", "http://127.0.0.1:1"],
        [*TO, "--server", "smtp://127.0.0.1:1", "--subject", "a\nb"],
        [*TO, "--server", "smtp://127.0.0.1:1", "--text", "\udcff"],
    ],
)
def test_wrong_usage(run: Run, arguments: list[str]) -> None:
    result = run("send", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_file_that_is_no_message(run: Run, place: Path) -> None:
    url = ("--server", "smtp://127.0.0.1:1")
    file = place / "x"
    assert "No such file" in run("send", *TO, *url, str(file)).stderr
    file.write_text("just a text\n")
    result = run("send", *TO, *url, str(file))
    assert (result.exit_code, "--text" in result.stderr) == (1, True)


def test_the_running_server_is_the_default(run: Run, smtp: SmtpDouble, control: ControlDouble) -> None:
    def service(name: str, *addresses: str) -> dict[str, object]:
        listeners = [{"name": "shut", "addresses": [], "tls": "off"}]
        listeners += [{"name": "open", "addresses": list(addresses), "tls": "starttls"}]
        return {"service": name, "listeners": listeners}

    def answer(*services: dict[str, object]) -> None:
        control.answers["GET /v1/status"] = (200, {**STATUS, "services": list(services)})

    for host in ("127.0.0.1", "*", "0.0.0.0"):
        answer(service("pop3", "127.0.0.1:1"), service("smtp", f"{host}:{smtp.port}"))
        assert run("send", *TO).exit_code == 0
    answer(service("smtp", "127.0.0.1:1"), service("submission", f"127.0.0.1:{smtp.port}"))
    result = run("send", *TO, "--user", USER, "--stdin", input=PASSWORD)
    assert result.exit_code == 0
    assert len(smtp.messages) == 4
    answer(service("smtp"))
    result = run("send", *TO)
    assert (result.exit_code, "--server" in result.stderr) == (1, True)


def test_without_a_server_there_is_no_default(run: Run) -> None:
    result = run("send", *TO)
    assert result.exit_code == 3
    assert "mailsuite is not running" in result.stderr
