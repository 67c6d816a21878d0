"""nodemailer's other sides: UTF-8, delivery reports, pools, LMTP, TLS that must be, large letters."""

from __future__ import annotations

import json
from email import message_from_bytes
from typing import Any

import pytest

from tests.interop.hall import JOERG, MAX_MESSAGE
from tests.interop.letters import split_trace
from tests.interop.programs import Desk, Done
from tests.interop.test_nodemailer_logins import NODEMAILER, pytestmark
from tests.system.harness import PASSWORDS, Server
from tests.system.sockets import SocketServer, letters

__all__ = ["pytestmark"]

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"

SCRIPT = """
const { transport, mails } = JSON.parse(require("fs").readFileSync(process.argv[2]));
if (transport.tls) transport.tls.ca = require("fs").readFileSync(transport.tls.ca);
const chat = (level, fields, text, ...rest) => console.log(`${fields.tnx}: ${text}`, ...rest);
const logger = { level() {} };
for (const level of ["trace", "debug", "info", "warn", "error", "fatal"])
    logger[level] = (fields, text, ...rest) => chat(level, fields, text, ...rest);
const transporter = require(transport.module).createTransport({ ...transport, logger, debug: true });
Promise.all(mails.map(mail => transporter.sendMail(mail))).then(infos => {
    for (const info of infos) console.log("RESULT", JSON.stringify(info));
}, error => {
    console.log("FAILED", error.code, error.responseCode, error.response || error.message);
    process.exitCode = 1;
}).finally(() => transporter.close());
"""


def send(
    desk: Desk, server: Server, listener: str, *mails: dict[str, Any], status: int = 0, **transport: Any
) -> Done:
    """All at once, with one transporter."""
    options = {
        "module": str(NODEMAILER),
        "host": "localhost",
        "port": server.ports[listener],
        "name": "client.example",
        "tls": {"ca": str(server.certificate)},
    }
    task = desk.file("task.json", json.dumps({"transport": options | transport, "mails": mails}))
    return desk.run("node", desk.file("send.js", SCRIPT), task, status=status)


def logged_in(listener: str) -> dict[str, Any]:
    return {"secure": listener == "submissions", "auth": {"user": ANN, "pass": PASSWORDS[ANN]}}


def mail(**more: Any) -> dict[str, Any]:
    return {"from": "x@elsewhere.example", "to": JOE, "subject": "Hi", "text": "A letter\n"} | more


def test_addresses_in_utf_8(hall: SocketServer, desk: Desk) -> None:
    """It says SMTPUTF8 by itself where the envelope needs it."""
    envelope = {"from": "jürgen@elsewhere.example", "to": [JOERG, JOE]}
    done = send(desk, hall, "mx", mail(envelope=envelope, to=JOERG, subject="Grüße"))
    assert "MAIL FROM:<jürgen@elsewhere.example> SMTPUTF8" in done.said
    for account in (JOERG, JOE):
        [message] = letters(hall, account)
        assert message.startswith("Return-Path: <jürgen@elsewhere.example>\r\n".encode())
        assert b" with UTF8SMTPS id " in split_trace(message)[0]


def test_what_the_sender_wants_to_be_told(hall: SocketServer, desk: Desk) -> None:
    wishes = {
        "id": "some+=id",
        "return": "headers",
        "notify": ["success", "failure", "delay"],
        "recipient": ANN,
    }
    done = send(desk, hall, "submissions", mail(**{"from": ANN}, dsn=wishes), **logged_in("submissions"))
    assert " RET=HDRS ENVID=some+2B+3Did" in done.said
    assert f" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{ANN}" in done.said
    assert len(letters(hall, JOE)) == 1


@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_a_pool(hall: SocketServer, desk: Desk, listener: str) -> None:
    """Forty letters over three connections, seven on each before it is closed: all come, and come once."""
    mails = [mail(**{"from": ANN}, to=[JOE, BOB], text=f"Letter {number}\n") for number in range(40)]
    pool = {"pool": True, "maxConnections": 3, "maxMessages": 7}
    done = send(desk, hall, listener, *mails, **pool, **logged_in(listener))
    assert done.said.count("RESULT") == 40
    for account in (JOE, BOB):
        bodies = [message.partition(b"\r\n\r\n")[2] for message in letters(hall, account)]
        assert sorted(bodies) == sorted(b"Letter %d\r\n" % number for number in range(40))


def test_tls_that_must_be(hall: SocketServer, desk: Desk) -> None:
    assert "RESULT" in send(desk, hall, "mx", mail(), requireTLS=True).said
    done = send(desk, hall, "mx-clear", mail(), requireTLS=True, status=1)
    assert "STARTTLS" in done.said
    assert "454 4.7.0" in done.said
    assert "MAIL FROM" not in done.said
    [message] = letters(hall, JOE)
    assert b" with ESMTPS id " in split_trace(message)[0]


def test_a_large_attachment(hall: SocketServer, desk: Desk) -> None:
    content = bytes(range(256)) * (MAX_MESSAGE // 2 // 256)
    file = desk.file("attachment.bin", content)
    attached = {"attachments": [{"path": str(file), "contentType": "application/octet-stream"}]}
    send(desk, hall, "submissions", mail(**{"from": ANN}, **attached), **logged_in("submissions"))
    [message] = letters(hall, JOE)
    [part] = [each for each in message_from_bytes(message).walk() if each.get_filename()]
    assert part.get_payload(decode=True) == content


def test_one_that_is_too_large(hall: SocketServer, desk: Desk) -> None:
    """It does not say SIZE; so the letter is read to its end, and then refused."""
    large = mail(text="x" * 70 + "\n" + ("y" * 70 + "\n") * (MAX_MESSAGE // 70))
    assert "FAILED EMESSAGE 552 552 5.3.4" in send(desk, hall, "mx", large, status=1).said
    assert letters(hall, JOE) == []


def test_one_that_is_known_to_be_too_large(hall: SocketServer, desk: Desk) -> None:
    """It believes the SIZE that EHLO says, and does not begin."""
    envelope = {"from": "x@elsewhere.example", "to": [JOE], "size": MAX_MESSAGE + 1}
    done = send(desk, hall, "mx", mail(envelope=envelope), status=1)
    assert f"Message size larger than allowed {MAX_MESSAGE}" in done.said
    assert "MAIL FROM" not in done.said


def test_eight_bits(hall: SocketServer, desk: Desk) -> None:
    envelope = {"from": "x@elsewhere.example", "to": [JOE], "use8BitMime": True}
    raw = "From: x@elsewhere.example\r\nSubject: 8\r\n\r\n.Grüße\r\n..\r\n"
    done = send(desk, hall, "mx", {"envelope": envelope, "raw": raw})
    assert " BODY=8BITMIME" in done.said
    [message] = letters(hall, JOE)
    assert split_trace(message)[1] == raw.encode()


def test_lmtp(hall: SocketServer, desk: Desk) -> None:
    """Who is refused at RCPT is told so; the others have their copy, and each its answer."""
    done = send(desk, hall, "lmtp", mail(to=[JOE, "nobody@example.test", BOB]), lmtp=True)
    assert '"rejected":["nobody@example.test"]' in done.said
    assert f'"accepted":["{JOE}","{BOB}"]' in done.said
    assert "LHLO client.example" in done.said
    for account in (JOE, BOB):
        [message] = letters(hall, account)
        assert b" with LMTPS id " in split_trace(message)[0]
