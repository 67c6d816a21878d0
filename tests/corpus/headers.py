"""Headers: large, many, folded, not quite right."""

from __future__ import annotations

from collections.abc import Callable

from tests.corpus.letter import CRLF, base64_lines, letter, lines, noise

BODY = lines(b"See above.")

HEADERS: dict[str, Callable[[], bytes]] = {
    "header-utf-8": lambda: letter("Grüße ✉ 日本".encode(), BODY, "X-Größe: 3 €".encode()),
    "header-latin-1": lambda: letter("Grüße".encode("latin-1"), BODY),
    "header-encoded-words": lambda: letter(
        b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?B?4pyJ8J+OiQ==?= =?broken", BODY
    ),
    "header-folded": lambda: letter(b"folded\r\n over\r\n\tseveral\r\n   lines", BODY),
    "header-folded-into-nothing": lambda: letter(b"folded\r\n \r\n\t\r\n and on", BODY),
    "header-trailing-space": lambda: letter(b"spaces   ", BODY, b"X-Tab: \t", b"X-Empty:", b"X-Space: "),
    "header-no-space": lambda: lines(b"Subject:tight", b"X:1", b"y :2", b"Z\t: 3") + CRLF + BODY,
    "header-no-colon": lambda: lines(b"Subject: x", b"this line has none", b"X-After: y") + CRLF + BODY,
    "header-twice": lambda: letter(b"one", BODY, b"Subject: two", b"From: x@elsewhere.example", b"From: "),
    "header-many": lambda: letter(b"many fields", BODY, *(b"X-%d: %d" % (n, n * n) for n in range(20_000))),
    "header-many-received": lambda: (
        lines(
            *(
                b"Received: from a%d.example by b.example; Sat, 21 Nov 2026 10:00:00 +0000" % n
                for n in range(90)
            )
        )
        + letter(b"a long way", BODY)
    ),
    "header-200k-folded": lambda: letter(
        b"200 KiB", BODY, b"X-Large: " + b"\r\n ".join([b"z" * 70] * 2850), b"X-Last: 1"
    ),
    "header-200k-lines": lambda: letter(b"200 KiB", BODY, *(b"X-Large: " + b"z" * 50_000 for _ in range(4))),
    "header-many-recipients": lambda: letter(
        b"to all", BODY, b"Cc: " + b",\r\n\t".join(b"user%04d@example.test" % n for n in range(2000))
    ),
    "header-like-ours": lambda: (
        lines(
            b"Return-Path: <forged@elsewhere.example>",
            b"Delivered-To: joe@example.test",
            b"Received: from x ([192.0.2.1])",
            b"\tby y with ESMTP id 0;",
            b"\tSat, 21 Nov 2026 10:00:00 +0000",
        )
        + letter(b"forged", BODY)
    ),
    "header-quoted": lambda: letter(
        b"quoted", BODY, b'Cc: "Joe \\"the\\" Doe; x:y" <joe@example.test>, group: a@x.example, b@y.example;'
    ),
    "header-comments": lambda: letter(
        b"comments", BODY, b"Cc: (a (nested) \\) comment) joe@example.test (x)"
    ),
    "dkim": lambda: (
        lines(
            b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=example.test; s=s2026;",
            b"\th=from:to:subject:date:message-id; bh=" + base64_lines(noise(32)).strip() + b";",
            b"\tb=" + base64_lines(noise(192)).replace(CRLF, CRLF + b"\t ").strip(),
        )
        + letter(b"signed", lines(b"white space counts:   ", b"", b"", b""))
    ),
    "arc": lambda: (
        lines(
            b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.test; s=arc; t=1795255200;",
            b"        b=" + base64_lines(noise(48, 2)).strip(),
            b"ARC-Authentication-Results: i=1; mx.example.test;",
            b"       dkim=pass header.i=@example.test; spf=pass smtp.mailfrom=ann@example.test",
        )
        + letter(b"forwarded", BODY)
    ),
    "list": lambda: letter(
        b"[list] digest",
        BODY,
        b"List-Id: The list <list.example.test>",
        b"List-Unsubscribe: <mailto:leave@example.test>,\r\n <https://example.test/leave?u=1&v=2>",
        b"Precedence: bulk",
    ),
}
