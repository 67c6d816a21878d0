from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.address import Address
from mailsuite.model.envelope import BodyType, MailParameters
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import (
    ARGUMENT_MISSING,
    BAD_PARAMETER,
    BAD_RECIPIENT,
    BAD_SENDER,
    BROKEN_LINE_END,
    COMMAND_TOO_LONG,
    CONTROL_CHARACTER,
    FOREIGN_PROTOCOL,
    HELLO_SYNTAX,
    MAIL_SYNTAX,
    NON_ASCII_ADDRESS,
    RECIPIENT_SYNTAX,
    UNKNOWN_PARAMETER,
    Reply,
)
from mailsuite.wire.smtp.commands import (
    HTTP_VERBS,
    Command,
    MailArguments,
    parse_hello,
    parse_line,
    parse_mail,
    parse_recipient,
)

ALL = ("SIZE", "BODY", "AUTH")
JOE = Address("joe", "example.net")


def refusal(parse, *arguments) -> Reply:
    with pytest.raises(PermanentFailure) as refused:
        parse(*arguments)
    return refused.value.reply


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"NOOP\r\n", Command("NOOP", "")),
        (b"noop\r\n", Command("NOOP", "")),
        (b"NoOp  \t \r\n", Command("NOOP", "")),
        (b"EHLO mx.example.net\r\n", Command("EHLO", "mx.example.net")),
        (b"EHLO   mx  \r\n", Command("EHLO", "mx")),
        (b"MAIL FROM:<> SIZE=1\r\n", Command("MAIL", "FROM:<> SIZE=1")),
        (b"\r\n", Command("", "")),
        (b" NOOP\r\n", Command("", "NOOP")),
        (b"\xff\xfe x\r\n", Command("\udcff\udcfe", "x")),
        (b"NOOP " + b"x" * 505 + b"\r\n", Command("NOOP", "x" * 505)),
        (b"rcpt " + b"x" * 2041 + b"\r\n", Command("RCPT", "x" * 2041)),
        (b"auth PLAIN " + b"x" * 9000 + b"\r\n", Command("AUTH", "PLAIN " + "x" * 9000)),
    ],
)
def test_lines(line: bytes, command: Command) -> None:
    assert parse_line(line) == command


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"NOOP\n", BROKEN_LINE_END),
        (b"\n", BROKEN_LINE_END),
        (b"NOOP\r\r\n", BROKEN_LINE_END),
        (b"NO\rOP\r\n", BROKEN_LINE_END),
        (b"MAIL FROM:<joe\r@example.net>\r\n", BROKEN_LINE_END),
        (b"NOOP\0\r\n", CONTROL_CHARACTER),
        (b"\0NOOP\r\n", CONTROL_CHARACTER),
        (b"EHLO a\tb\r\n", CONTROL_CHARACTER),
        (b"EHLO a\x7f\r\n", CONTROL_CHARACTER),
        (b"MAIL FROM:<joe\x1b@example.net>\r\n", CONTROL_CHARACTER),
        (b"NOOP " + b"x" * 506 + b"\r\n", COMMAND_TOO_LONG),
        (b"NOOP" + b" " * 507 + b"\r\n", COMMAND_TOO_LONG),
        (b"RCPT " + b"x" * 2042 + b"\r\n", COMMAND_TOO_LONG),
        (b"GET / HTTP/1.1\r\n", FOREIGN_PROTOCOL),
        (b"post / HTTP/1.0\n", FOREIGN_PROTOCOL),
        *[(f"{verb} /".encode() + b"\r\n", FOREIGN_PROTOCOL) for verb in HTTP_VERBS],
    ],
)
def test_refused_lines(line: bytes, reply: Reply) -> None:
    assert refusal(parse_line, line) == reply


@pytest.mark.parametrize(
    "name",
    [
        "mx.example.net",
        "localhost",
        "my_host",
        "[192.0.2.1]",
        "[IPv6:2001:db8::1]",
        "192.0.2.1",
        "x" * 255,
        "-",
    ],
)
def test_names_in_hello(name: str) -> None:
    assert parse_hello(name) == name


@pytest.mark.parametrize(
    "name",
    ["a b", "a(b)", "<a>", "a;b", "a,b", 'a"b', "a\\b", "a@b", "x" * 256, "müller", "a\udcff"],
)
def test_refused_names_in_hello(name: str) -> None:
    assert refusal(parse_hello, name) == HELLO_SYNTAX


def test_hello_needs_a_name() -> None:
    assert refusal(parse_hello, "") == ARGUMENT_MISSING


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("FROM:<joe@example.net>", MailArguments(JOE)),
        ("from:<joe@example.net>", MailArguments(JOE)),
        ("FROM: <joe@example.net>", MailArguments(JOE)),
        ("FROM:<>", MailArguments(None)),
        ("FROM:<> SIZE=0", MailArguments(None, MailParameters(size=0))),
        ("FROM:<> size=1234 body=8bitmime", MailArguments(None, MailParameters(BodyType.EIGHT_BIT, 1234))),
        ("FROM:<>   BODY=7BIT  ", MailArguments(None)),
        ("FROM:<> SIZE=99999999999999999999", MailArguments(None, MailParameters(size=99999999999999999999))),
        ("FROM:<> AUTH=<>", MailArguments(None)),
        ("FROM:<> AUTH=joe+40example.net", MailArguments(None)),
    ],
)
def test_mail(argument: str, arguments: MailArguments) -> None:
    assert parse_mail(argument, ALL) == arguments


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", MAIL_SYNTAX),
        ("FROM", MAIL_SYNTAX),
        ("FROM:", MAIL_SYNTAX),
        ("FROM :<>", MAIL_SYNTAX),
        ("TO:<>", MAIL_SYNTAX),
        ("FORM:<>", MAIL_SYNTAX),
        ("<>", MAIL_SYNTAX),
        ("FROM:joe@example.net", MAIL_SYNTAX),
        ("FROM:<joe@example.net", MAIL_SYNTAX),
        ("FROM:<joe@example.net>>", MAIL_SYNTAX),
        ("FROM:<joe@example.net>SIZE=1", MAIL_SYNTAX),
        ("FROM:<joe>", BAD_SENDER),
        ("FROM:< >", BAD_SENDER),
        ("FROM:<j\udcc3\udcb6e@example.net>", NON_ASCII_ADDRESS),
        ("FROM:<> SIZE", BAD_PARAMETER),
        ("FROM:<> SIZE=", BAD_PARAMETER),
        ("FROM:<> SIZE=-1", BAD_PARAMETER),
        ("FROM:<> SIZE=1e3", BAD_PARAMETER),
        ("FROM:<> SIZE=100000000000000000000", BAD_PARAMETER),
        ("FROM:<> SIZE=1 size=1", BAD_PARAMETER),
        ("FROM:<> BODY", BAD_PARAMETER),
        ("FROM:<> BODY=BINARYMIME", BAD_PARAMETER),
        ("FROM:<> AUTH", BAD_PARAMETER),
        ("FROM:<> AUTH=a+zz", BAD_PARAMETER),
        ("FROM:<> =1", BAD_PARAMETER),
        ("FROM:<> SIZE=1=1", BAD_PARAMETER),
        ("FROM:<> SIZE=1\udcff", BAD_PARAMETER),
        ("FROM:<> -X=1", BAD_PARAMETER),
        ("FROM:<> FOO=BAR", UNKNOWN_PARAMETER),
        ("FROM:<> FOO", UNKNOWN_PARAMETER),
        ("FROM:<> SMTPUTF8", UNKNOWN_PARAMETER),
        ("FROM:<> RET=HDRS", UNKNOWN_PARAMETER),
    ],
)
def test_refused_mail(argument: str, reply: Reply) -> None:
    assert refusal(parse_mail, argument, ALL) == reply


@pytest.mark.parametrize("parameter", ["SIZE=1", "BODY=8BITMIME", "AUTH=<>"])
def test_parameters_of_extensions_that_were_not_offered(parameter: str) -> None:
    assert refusal(parse_mail, f"FROM:<> {parameter}", ()) == UNKNOWN_PARAMETER


@pytest.mark.parametrize("argument", ["TO:<joe@example.net>", "to: <@a.example:joe@example.net>"])
def test_recipients(argument: str) -> None:
    assert parse_recipient(argument) == JOE


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", RECIPIENT_SYNTAX),
        ("FROM:<joe@example.net>", RECIPIENT_SYNTAX),
        ("TO:joe@example.net", RECIPIENT_SYNTAX),
        ("TO:<>", BAD_RECIPIENT),
        ("TO:<joe>", BAD_RECIPIENT),
        ("TO:<joe@example.net> NOTIFY=NEVER", UNKNOWN_PARAMETER),
        ("TO:<joe@example.net> SIZE=1", UNKNOWN_PARAMETER),
        ("TO:<joe@example.net> =", BAD_PARAMETER),
    ],
)
def test_refused_recipients(argument: str, reply: Reply) -> None:
    assert refusal(parse_recipient, argument) == reply


@given(st.binary(max_size=80).map(lambda octets: octets.replace(b"\n", b"") + b"\r\n"))
def test_any_line_is_a_command_or_refused(line: bytes) -> None:
    try:
        command = parse_line(line)
    except PermanentFailure:
        return
    for parse in (parse_hello, parse_recipient, lambda argument: parse_mail(argument, ALL)):
        with suppress(PermanentFailure):
            parse(command.argument)
