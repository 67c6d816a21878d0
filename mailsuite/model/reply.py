"""Every reply that this server can give, SMTP and POP3, in one table.

Code elsewhere names a reply; nobody types a number. Texts never carry exception text or anything that a
stranger sent, except where a template says so.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Reply:
    """An SMTP reply: code, enhanced status code (RFC 3463) and one or more lines of text."""

    code: int
    enhanced: str
    """``"2.1.0"``; empty for the greeting and for HELO and EHLO (RFC 2034 section 4)."""
    text: tuple[str, ...]
    closes: bool = False
    """The connection ends after this reply."""

    @property
    def is_positive(self) -> bool:
        return self.code < 400

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    def encode(self) -> bytes:
        """The reply as octets, each line ended by CRLF, multi-line where there are several lines."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        last = len(self.text) - 1
        return "".join(
            f"{self.code}{' ' if index == last else '-'}{prefix}{line}\r\n"
            for index, line in enumerate(self.text)
        ).encode("utf-8")

    def with_text(self, *text: str) -> Reply:
        """The same codes with another text."""
        return attrs.evolve(self, text=text)


def _reply(code: int, enhanced: str, *text: str, closes: bool = False) -> Reply:
    return Reply(code, enhanced, text, closes)


# What a seam may raise. The protocol's own replies stand below.
INTERNAL_ERROR = _reply(451, "4.3.0", "Something went wrong here; please try again later")
STORE_UNAVAILABLE = _reply(451, "4.3.0", "The mail store is not available just now; please try again later")
DISK_FULL = _reply(452, "4.3.1", "There is no space for this message just now; please try again later")
MAILDROP_BUSY = _reply(450, "4.2.1", "The mailbox is in use; please try again later")
MESSAGE_GONE = _reply(450, "4.2.0", "The message is not there any more")
DIRECTORY_UNAVAILABLE = _reply(451, "4.3.0", "The account directory is not available just now")
OVERLOADED = _reply(451, "4.3.2", "Too busy just now; please try again later")
ALREADY_EXISTS = _reply(550, "5.3.5", "There is one of that name already")
NO_SUCH_ACCOUNT = _reply(550, "5.1.1", "There is no account of that name")
READ_ONLY = _reply(550, "5.3.5", "This stands in the configuration file; change it there")
NOBODY_LISTENS = _reply(550, "5.4.1", "Nothing listens there")
NO_ANSWER = _reply(450, "4.4.1", "No answer from that host")

# Policy, reception and delivery: what the protocol does not answer by itself.
SENDER_OK = _reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = _reply(250, "2.1.5", "Recipient OK")
START_MAIL_INPUT = _reply(354, "", "Go ahead; end with a dot on a line of its own")
NO_VALID_RECIPIENTS = _reply(554, "5.5.1", "No valid recipients")
AUTHENTICATION_SUCCEEDED = _reply(235, "2.7.0", "You are logged in")
AUTHENTICATION_FAILED = _reply(535, "5.7.8", "That name and password do not fit together")
AUTHENTICATION_UNAVAILABLE = _reply(454, "4.7.0", "Logging in is not possible just now; please try again later")
AUTHENTICATION_REQUIRED = _reply(530, "5.7.0", "Please log in first")
RELAYING_DENIED = _reply(550, "5.7.1", "Relaying denied")
NO_REMOTE_DELIVERY = _reply(550, "5.7.1", "This server does not send mail to other servers yet")
UNKNOWN_RECIPIENT = _reply(550, "5.1.1", "There is no mailbox of that name here")
SENDER_NOT_YOURS = _reply(550, "5.7.1", "Please send from the address that you logged in with")
_MESSAGE_ACCEPTED = _reply(250, "2.0.0")


def message_accepted(message_id: str) -> Reply:
    """The message is safe; the id is ours, as in the log and in the Received field."""
    return _MESSAGE_ACCEPTED.with_text(f"OK, queued as {message_id}")
