"""Makes ``twistd mailsuite`` known. Nothing else is imported here, so that ``twistd --help`` stays fast."""

from twisted.application.service import ServiceMaker

mailsuite = ServiceMaker(
    "mailsuite",
    "mailsuite.tap",
    "A mail server: SMTP in, POP3 out, new-mail notification.",
    "mailsuite",
)
