"""nodemailer, what programs in JavaScript send mail by: PLAIN, LOGIN and CRAM-MD5."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.doors import ANN, Doors
from tests.interop.letters import split_trace
from tests.interop.programs import Desk, Done, needs

NODEMAILER = Path("/usr/share/nodejs/nodemailer")
"""Where Debian has it; a Node.js that is not Debian's does not look there by itself."""

pytestmark = [
    needs("node", "nodejs"),
    pytest.mark.skipif(
        not NODEMAILER.exists(), reason="nodemailer is missing: install the Debian package node-nodemailer"
    ),
]

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")

SCRIPT = """
const options = JSON.parse(process.argv[2]);
options.tls.ca = require("fs").readFileSync(options.tls.ca);
require(options.module).createTransport(options).sendMail({
    from: "ann@example.test", to: "joe@example.test", subject: "Hi", text: "A letter\\n",
}).then(info => console.log(info.response), error => {
    console.log(error.code, error.responseCode, error.response);
    process.exitCode = 1;
});
"""


def send(
    desk: Desk,
    doors: Doors,
    mechanism: str,
    password: str,
    *,
    listener: str = "submissions",
    status: int = 0,
) -> Done:
    options = {
        "module": str(NODEMAILER),
        "host": "localhost",
        "port": doors.server.ports[listener],
        "secure": listener != "submission",
        "requireTLS": True,
        "name": "client.example",
        "authMethod": mechanism,
        "auth": {"user": ANN, "pass": password},
        "tls": {"ca": str(doors.server.certificate)},
    }
    return desk.run("node", desk.file("send.js", SCRIPT), json.dumps(options), status=status)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_sending(doors: Doors, desk: Desk, listener: str, mechanism: str) -> None:
    with doors.lets_in("submission", ANN, mechanism):
        said = send(desk, doors, mechanism, doors.secret(ANN, mechanism), listener=listener).said
    assert said.startswith("250 2.0.0 OK, queued as ")
    [message] = doors.server.messages()
    assert split_trace(message)[1].endswith(b"\r\n\r\nA letter\r\n")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password(doors: Doors, desk: Desk, mechanism: str) -> None:
    with doors.refuses("wrong-digest" if mechanism == "CRAM-MD5" else "wrong-password"):
        said = send(desk, doors, mechanism, "wrong", status=1).said
    assert said.startswith("EAUTH 535 535 5.7.8 ")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_not_offered(doors: Doors, desk: Desk, mechanism: str) -> None:
    """nodemailer does not look at what is offered; it is told."""
    listener = "submission-hidden" if mechanism != "CRAM-MD5" else "submission-shown"
    with doors.hears_nothing():
        said = send(desk, doors, mechanism, doors.secret(ANN, mechanism), listener=listener, status=1).said
    assert said.startswith("EAUTH 504 504 5.5.4 ")
