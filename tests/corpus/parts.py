"""What mail programs build of parts: attachments, reports, signatures, invitations."""

from __future__ import annotations

import binascii
from collections.abc import Callable

from tests.corpus.letter import CRLF, base64_lines, letter, lines, mime, multipart, noise, part

PLAIN = part(b"text/plain; charset=us-ascii", lines(b"Please see below.", b"."))


def attachment(octets: int) -> bytes:
    """A file of noise in base64."""
    file = part(
        b'application/octet-stream; name="noise.bin"',
        base64_lines(noise(octets)),
        b"Content-Transfer-Encoding: base64",
        b'Content-Disposition: attachment; filename="noise.bin"',
    )
    return mime(b"a file", b'multipart/mixed; boundary="=_file"', multipart(b"=_file", PLAIN, file))


def nested(depth: int) -> bytes:
    """Parts in parts, so deep."""
    inner = part(b"text/plain", lines(b"the innermost", b"."))
    for level in range(depth):
        boundary = b"level-%d" % level
        inner = part(b'multipart/mixed; boundary="%s"' % boundary, multipart(boundary, PLAIN, inner))
    return lines(b"Subject: nested", b"MIME-Version: 1.0") + inner


def uuencoded(data: bytes) -> bytes:
    pieces = (data[start : start + 45] for start in range(0, len(data), 45))
    body = b"".join(binascii.b2a_uu(piece).rstrip(b"\n") + CRLF for piece in pieces)
    return lines(b"begin 644 noise.bin") + body + lines(b"`", b"end")


def delivery_report() -> bytes:
    """RFC 3464."""
    status = lines(
        b"Reporting-MTA: dns; mail.example.test",
        b"",
        b"Final-Recipient: rfc822; nobody@elsewhere.example",
        b"Action: failed",
        b"Status: 5.1.1",
        b"Diagnostic-Code: smtp; 550 5.1.1 There is no mailbox of that name here",
    )
    returned = letter(b"the one that came back", lines(b".", b"From a line"))
    return mime(
        b"Undelivered mail",
        b'multipart/report; report-type=delivery-status; boundary="report/1"',
        multipart(
            b"report/1",
            PLAIN,
            part(b"message/delivery-status", status),
            part(b"message/rfc822", returned),
            preamble=lines(b"This is a report.", b""),
        ),
    )


def signed() -> bytes:
    """RFC 3156: the white space at the ends of lines is part of what was signed."""
    text = part(b"text/plain; format=flowed", lines(b"Signed. ", b"-- ", b"Ann", b".", b" "))
    signature = lines(
        b"-----BEGIN PGP SIGNATURE-----", b"", b"iHUEABYKAB0WIQ", b"=abcd", b"-----END PGP SIGNATURE-----"
    )
    return mime(
        b"signed",
        b'multipart/signed; micalg=pgp-sha512; protocol="application/pgp-signature"; boundary="sig"',
        multipart(b"sig", text, part(b"application/pgp-signature", signature)),
    )


def invitation() -> bytes:
    event = lines(
        b"BEGIN:VCALENDAR",
        b"VERSION:2.0",
        b"METHOD:REQUEST",
        b"BEGIN:VEVENT",
        b"UID:1@example.test",
        b"DTSTART:20261224T180000Z",
        "SUMMARY:Weihnachten für alle mit einer langen Zeile\\, die gefaltet".encode(),
        b"  ist",
        b"END:VEVENT",
        b"END:VCALENDAR",
    )
    return mime(
        b"invitation",
        b'multipart/alternative; boundary="cal"',
        multipart(
            b"cal",
            PLAIN,
            part(b"text/html", lines(b"<p>.</p>", b".class { color: red }")),
            part(
                b'text/calendar; method=REQUEST; charset="utf-8"', event, b"Content-Transfer-Encoding: 8bit"
            ),
        ),
    )


PARTS: dict[str, Callable[[], bytes]] = {
    "attachment-10k": lambda: attachment(10_000),
    "attachment-3m": lambda: attachment(3 * 1024 * 1024),
    "attachment-30m": lambda: attachment(30 * 1024 * 1024),
    "attachment-8bit": lambda: mime(
        b"binary as it is",
        b'multipart/mixed; boundary="b"',
        multipart(b"b", part(b"image/png", noise(300_000).translate(None, b"\r\n\0")[:50_000])),
        b"8bit",
    ),
    "nested-20": lambda: nested(20),
    "nested-200": lambda: nested(200),
    "signed-pgp": signed,
    "invitation": invitation,
    "delivery-report": delivery_report,
    "message-in-message": lambda: mime(
        b"fwd", b"message/rfc822", letter(b"inner", b"") + mime(b"innermost", b"text/plain", lines(b"."))
    ),
    "partial": lambda: mime(
        b"1 of 2", b'message/partial; id="p@example.test"; number=1; total=2', lines(b"half")
    ),
    "alternative-without-end": lambda: mime(
        b"no end", b'multipart/alternative; boundary="never"', lines(b"--never", b"", b"text", b"--neve")
    ),
    "multipart-empty": lambda: mime(b"no parts", b'multipart/mixed; boundary="e"', lines(b"--e--")),
    "boundary-of-dots": lambda: mime(
        b"dots",
        b'multipart/mixed; boundary=".."',
        multipart(b"..", PLAIN, PLAIN, epilogue=lines(b".", b"..")),
    ),
    "quoted-printable": lambda: mime(
        b"soft breaks",
        b"text/plain; charset=utf-8",
        lines(b"soft=", b" break=20", b"=2E", b".=", b".", b"=", b"=C3=BC =", b"", b"tab=09"),
        b"quoted-printable",
    ),
    "flowed": lambda: mime(
        b"flowed",
        b"text/plain; format=flowed; delsp=yes",
        lines(b"> quoted ", b">> twice ", b" From stuffed", b" .stuffed", b"soft ", b"end", b"-- ", b"sig"),
    ),
    "utf-16": lambda: mime(
        b"utf-16",
        b"text/plain; charset=utf-16",
        base64_lines("Grüße ✉ in sechzehn".encode("utf-16")),
        b"base64",
    ),
    "uuencode": lambda: letter(b"uuencode", lines(b"A file:", b"") + uuencoded(noise(5000))),
    "yenc": lambda: letter(
        b"yEnc",
        lines(b"=ybegin line=128 size=4000 name=x")
        + lines(*(noise(400, seed).translate(None, b"\r\n\0")[:128] for seed in range(31)))
        + lines(b"=yend size=4000"),
    ),
    "winmail": lambda: mime(
        b"tnef", b'application/ms-tnef; name="winmail.dat"', base64_lines(noise(3000)), b"base64"
    ),
    "patch": lambda: letter(
        b"[PATCH] x",
        lines(b"--- a/x\t", b"+++ b/x\t", b"@@ -1,2 +1,2 @@", b" ", b"-.", b"+..", b"-- ", b"2.47"),
    ),
    "html-one-line": lambda: mime(b"html", b"text/html", lines(b"<p>" + b"<b>.</b> " * 6000 + b"</p>")),
    "read-receipt": lambda: mime(
        b"read",
        b'multipart/report; report-type=disposition-notification; boundary="mdn"',
        multipart(
            b"mdn",
            PLAIN,
            part(b"message/disposition-notification", lines(b"Disposition: manual-action; displayed")),
        ),
    ),
}
