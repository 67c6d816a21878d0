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

    def for_now(self) -> Reply:
        """The same words, as what another time may end otherwise."""
        if self.code < 500:
            return self
        return attrs.evolve(self, code=self.code - 100, enhanced=self.enhanced.replace("5", "4", 1))


def _reply(code: int, enhanced: str, *text: str, closes: bool = False) -> Reply:
    return Reply(code, enhanced, text, closes)


# What a seam may raise. The protocol's own replies stand below.
INTERNAL_ERROR = _reply(451, "4.3.0", "Something went wrong here; please try again later")
ARCHIVE_UNREACHABLE = _reply(451, "4.3.5", "Mail is to be archived, and that is not possible just now")
STORE_UNAVAILABLE = _reply(451, "4.3.0", "The mail store is not available just now; please try again later")
DISK_FULL = _reply(452, "4.3.1", "There is no space for this message just now; please try again later")
MAILDROP_BUSY = _reply(450, "4.2.1", "The mailbox is in use; please try again later")
MESSAGE_GONE = _reply(450, "4.2.0", "The message is not there any more")
DIRECTORY_UNAVAILABLE = _reply(451, "4.3.0", "The account directory is not available just now")
OVERLOADED = _reply(451, "4.3.2", "Too busy just now; please try again later")
ALREADY_EXISTS = _reply(550, "5.3.5", "There is one of that name already")
NO_SUCH_ACCOUNT = _reply(550, "5.1.1", "There is no account of that name")
NO_SUCH_DEVICE = _reply(550, "5.1.1", "There is no device of that name")
NO_SUCH_ALIAS = _reply(550, "5.1.1", "There is no alias of that name")
NO_SUCH_SUBSCRIPTION = _reply(550, "5.1.1", "There is no subscription of that id")
NO_SUCH_DOMAIN = _reply(550, "5.1.2", "There is no domain of that name")
READ_ONLY = _reply(550, "5.3.5", "This stands in the configuration file; change it there")
NOBODY_LISTENS = _reply(550, "5.4.1", "Nothing listens there")
NO_ANSWER = _reply(450, "4.4.1", "No answer from that host")
DNS_UNAVAILABLE = _reply(
    451, "4.4.3", "The domain name system gives no answer just now; please try again later"
)

# Policy, reception and delivery: what the protocol does not answer by itself.
SENDER_OK = _reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = _reply(250, "2.1.5", "Recipient OK")
START_MAIL_INPUT = _reply(354, "", "Go ahead; end with a dot on a line of its own")
NO_VALID_RECIPIENTS = _reply(554, "5.5.1", "No valid recipients")
NO_RECIPIENT_TAKEN = _reply(503, "5.5.1", "No valid recipients")
AUTHENTICATION_SUCCEEDED = _reply(235, "2.7.0", "You are logged in")
AUTHENTICATION_FAILED = _reply(535, "5.7.8", "That name and password do not fit together")
AUTHENTICATION_UNAVAILABLE = _reply(
    454, "4.7.0", "Logging in is not possible just now; please try again later"
)
AUTHENTICATION_REQUIRED = _reply(530, "5.7.0", "Please log in first")
RELAYING_DENIED = _reply(550, "5.7.1", "Relaying denied")
NO_REMOTE_DELIVERY = _reply(550, "5.7.1", "This server does not send mail to other servers")
NOTICES_ALONE = _reply(550, "5.7.1", "This address takes only notices, which come from <>")
UNKNOWN_RECIPIENT = _reply(550, "5.1.1", "There is no mailbox of that name here")
MAILBOX_DISABLED = _reply(550, "5.2.1", "This mailbox takes no mail")
FORWARDING_LOOP = _reply(
    451, "4.4.6", "Mail for this mailbox is forwarded in a circle just now; please try again later"
)
FORWARDING_STRANDED = _reply(
    451, "4.3.5", "Mail for this mailbox cannot be forwarded just now; please try again later"
)
OVER_QUOTA = _reply(452, "4.2.2", "The mailbox is full; please try again later")
TOO_MUCH_HELD = _reply(
    452, "4.2.2", "Too much of your mail waits here to be sent later; please try again when some has left"
)
OVER_QUOTA_FOR_GOOD = _reply(552, "5.2.2", "The mailbox is full")
EXPANSION_TOO_LONG = _reply(
    451, "4.2.4", "This address leads to more addresses than it may just now; please try again later"
)
TOO_MANY_ORDERS = _reply(450, "4.7.1", "Too many commands by mail; please try again later")
CATCH_ALL_LIMITED = _reply(450, "4.7.1", "Too much mail for unknown names just now; please try again later")
HELLO_IS_OURS = _reply(550, "5.7.1", "You introduced yourself by the name or address of this server")
HELLO_MISMATCH = _reply(550, "5.7.1", "The name you introduced yourself by does not belong to your address")
SENDER_NOT_YOURS = _reply(550, "5.7.1", "Please send from an address of your own")
FROM_NOT_YOURS = _reply(550, "5.7.1", "Please write an address of your own as From, and as Sender")
SENDER_FIXED = _reply(550, "5.7.1", "This password sends from one address only, and that is another")
RECIPIENT_NOT_LISTED = _reply(550, "5.7.1", "This password may not send to that address")
ACCOUNT_OFF = _reply(550, "5.7.13", "Your account is switched off")
SENDER_BLOCKED = _reply(550, "5.7.1", "No mail is taken here from that sender")
ROUTE_IN_ADDRESS = _reply(550, "5.7.1", "No address is taken here with a route in its first part")
NO_MAIL_DOMAIN = _reply(550, "5.1.2", "No mail can be sent to that domain")
ACCOUNT_RATE_EXCEEDED = _reply(
    450, "4.7.1", "You have sent to as many recipients as you may for now; please try again later"
)
RECIPIENT_RATE_EXCEEDED = _reply(
    450, "4.7.1", "Too many recipients from your address just now; please try again later"
)
MESSAGE_RATE_EXCEEDED = _reply(
    451, "4.7.1", "Too many messages from your address just now; please try again later"
)
TOO_MANY_UNKNOWN = _reply(421, "4.7.1", "Too many recipients that do not exist", closes=True)
_MESSAGE_ACCEPTED = _reply(250, "2.0.0")


def message_accepted(message_id: str) -> Reply:
    """The message is safe; the id is ours, as in the log and in the Received field."""
    return _MESSAGE_ACCEPTED.with_text(f"OK, queued as {message_id}")


# What the protocol answers by itself (RFC 5321 section 4.2; enhanced codes: RFC 3463, RFC 5248).
OK = _reply(250, "2.0.0", "OK")
CLOSING = _reply(221, "2.0.0", "Goodbye", closes=True)
CANNOT_VERIFY = _reply(252, "2.5.0", "Send some mail, and it will be seen whether it arrives")
HELP = _reply(
    214,
    "2.0.0",
    "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS AUTH HELP QUIT",
    "The standard is RFC 5321",
)
LMTP_HELP = HELP.with_text(
    "LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS AUTH HELP QUIT", "The standard is RFC 2033"
)

UNKNOWN_COMMAND = _reply(500, "5.5.1", "There is no such command")
NOT_IMPLEMENTED = _reply(502, "5.5.1", "This command is not available here")
BROKEN_LINE_END = _reply(500, "5.5.2", "A line ends with CR LF, and has neither alone")
CONTROL_CHARACTER = _reply(500, "5.5.2", "A command has no control characters")
COMMAND_TOO_LONG = _reply(500, "5.5.2", "This line is too long")
NO_ARGUMENT_TAKEN = _reply(501, "5.5.4", "This command takes no argument")
ARGUMENT_MISSING = _reply(501, "5.5.4", "This command needs an argument")
HELLO_SYNTAX = _reply(501, "5.5.4", "Say the name of your host, or its address in brackets")
MAIL_SYNTAX = _reply(501, "5.5.4", "Syntax: MAIL FROM:<address> and parameters")
RECIPIENT_SYNTAX = _reply(501, "5.5.4", "Syntax: RCPT TO:<address> and parameters")
BAD_SENDER = _reply(501, "5.1.7", "That is no address a sender can have")
BAD_RECIPIENT = _reply(501, "5.1.3", "That is no address a recipient can have")
NON_ASCII_ADDRESS = _reply(553, "5.6.7", "Addresses beyond ASCII are not taken here")
SMTPUTF8_NEEDED = _reply(553, "5.6.7", "An address beyond ASCII needs the parameter SMTPUTF8")
BAD_PARAMETER = _reply(501, "5.5.4", "A parameter is malformed, or is there twice")
UNKNOWN_PARAMETER = _reply(555, "5.5.4", "A parameter is not known here")
RELEASE_TOO_LATE = _reply(501, "5.5.4", "No message is held here for so long; EHLO says for how long one is")
RELEASE_IS_PAST = _reply(501, "5.5.4", "The time up to which the message is to be held is past")

HELLO_FIRST = _reply(503, "5.5.1", "Send EHLO first")
LHLO_FIRST = _reply(503, "5.5.1", "Send LHLO first")
MAIL_FIRST = _reply(503, "5.5.1", "Send MAIL first")
RECIPIENT_FIRST = _reply(503, "5.5.1", "Send RCPT first")
TRANSACTION_OPEN = _reply(503, "5.5.1", "Not within a mail transaction")
TOO_MANY_RECIPIENTS = _reply(452, "4.5.3", "No more recipients for this message; send it again to the others")
SIZE_APART = _reply(
    452, "4.5.3", "This recipient takes messages of another size; please send it to them apart"
)
TOO_MANY_MESSAGES = _reply(
    421, "4.7.0", "No more messages on this connection; please open another", closes=True
)
CHUNK_SYNTAX = _reply(501, "5.5.4", "Syntax: BDAT octets, and LAST behind the last ones")
CHUNKS_ONLY = _reply(503, "5.5.1", "Not between the chunks of a message")
BINARY_NEEDS_CHUNKS = _reply(503, "5.5.1", "What is announced as BINARYMIME comes by BDAT")
MESSAGE_TOO_BIG = _reply(552, "5.3.4", "The message is too big")
HEADER_TOO_BIG = _reply(552, "5.3.4", "The header of the message is too big")
MAIL_LOOP = _reply(554, "5.4.6", "The message goes in a circle, or has come by too many servers")
BARE_NEWLINE = _reply(550, "5.5.2", "The message has a CR or LF that is not part of a CR LF")
TEXT_LINE_TOO_LONG = _reply(500, "5.6.0", "The message has a line that is too long")

TLS_READY = _reply(220, "2.0.0", "Begin TLS now")
TLS_ACTIVE = _reply(503, "5.5.1", "TLS is active already")
TLS_UNAVAILABLE = _reply(454, "4.7.0", "TLS is not available just now")
TLS_FIRST = _reply(530, "5.7.0", "Must issue a STARTTLS command first")
LOGGED_IN_ALREADY = _reply(503, "5.5.1", "You are logged in already")
MECHANISM_UNKNOWN = _reply(504, "5.5.4", "This mechanism is not available here")
EXCHANGE_MALFORMED = _reply(501, "5.5.2", "That is not what this mechanism defines")
EXCHANGE_CANCELLED = _reply(501, "5.5.2", "Authentication is cancelled")
EXCHANGE_TOO_LONG = _reply(500, "5.5.6", "This line is too long for an authentication")

STOPPING = _reply(421, "4.3.2", "The service stops; please come back in a while", closes=True)
TOO_MANY_CONNECTIONS = _reply(
    421, "4.3.2", "Too many connections just now; please try again later", closes=True
)
ACCESS_DENIED = _reply(554, "5.7.1", "No connections are taken here from your address", closes=True)
TIMED_OUT = _reply(421, "4.4.2", "This took too long", closes=True)
TOO_MANY_ERRORS = _reply(421, "4.7.0", "Too many errors", closes=True)
TOO_MANY_FAILED_LOGINS = _reply(421, "4.7.0", "Too many failed logins", closes=True)
TOO_MANY_COMMANDS = _reply(421, "4.7.0", "Too many commands without a message", closes=True)
FOREIGN_PROTOCOL = _reply(421, "4.7.0", "This is SMTP", closes=True)
TOO_EARLY = _reply(554, "5.5.0", "You spoke before the greeting", closes=True)
OUT_OF_STEP = _reply(554, "5.5.0", "You sent more before you had an answer", closes=True)

# What we say ourselves about a message that another server should have taken.
NEXT_HOP_LOST = _reply(451, "4.4.2", "The connection to the next server was lost before it had answered")
NEXT_HOP_SLOW = _reply(451, "4.4.2", "The next server did not answer in time")
NEXT_HOP_ASTRAY = _reply(451, "4.5.0", "The next server said what is no SMTP")
NEXT_HOP_FULL = _reply(451, "4.4.5", "The next server takes no more of that on this connection")
NEXT_HOP_LACKS_MECHANISM = _reply(454, "4.7.4", "The next server offers no way to log in that is safe")
NEXT_HOP_LACKS_SPACE = _reply(552, "5.3.4", "The message is bigger than the next server takes any")
NEXT_HOP_LACKS_REQUIRETLS = _reply(
    550, "5.7.30", "The next server cannot promise TLS for the rest of the way"
)
NEXT_HOP_LACKS_SMTPUTF8 = _reply(
    550, "5.6.7", "The next server takes no addresses and no header fields beyond ASCII"
)
NEXT_HOP_LACKS_BINARY = _reply(554, "5.6.3", "The next server takes no binary messages")
NEXT_HOP_LACKS_8BIT = _reply(554, "5.6.1", "The next server takes no text beyond 7 bits")
NEXT_HOP_LACKS_TLS = _reply(451, "4.7.4", "The next server offers no TLS, and nothing is sent there without")
NEXT_HOP_TLS_FAILED = _reply(451, "4.7.5", "TLS with the next server came to nothing")
GIVEN_UP_BY_ADMINISTRATOR = _reply(554, "5.0.0", "The administrator of this server has given it up")
SINK_DEFERS = _reply(451, "4.3.0", "This is a sink, which was told to put off some messages")
SINK_REJECTS = _reply(554, "5.3.0", "This is a sink, which was told to reject some messages")
DISCARDED = _reply(250, "2.0.0", "Thrown away, as the configuration says")
DELIVERED = _reply(250, "2.1.5", "Delivered")

# Where mail for another domain cannot go.
NULL_MX = _reply(556, "5.1.10", "That domain takes no mail at all")
DOMAIN_UNKNOWN = _reply(550, "5.1.2", "There is no such domain")
NO_ROUTE = _reply(550, "5.4.4", "No server takes mail for that domain")
ROUTED_TO_US = _reply(554, "5.4.6", "Mail for that domain would come back to this server")
TLS_UNCHECKABLE = _reply(451, "4.7.5", "The certificate of the next server cannot be checked just now")
_UNREACHABLE = _reply(451, "4.4.1")
_UNPROVEN = _reply(451, "4.7.5")
MAX_REASON_CHARACTERS = 400
"""Of why no address of a host answers; ten addresses have room in it."""
_REFUSED_BY_RULE = _reply(550, "5.7.1")
_DEFERRED_BY_RULE = _reply(450, "4.7.1")


def next_hop_unreachable(host: str, reason: str) -> Reply:
    """No address of a host answers, in the words of our system."""
    return _UNREACHABLE.with_text(f"{host}: {reason}"[:MAX_REASON_CHARACTERS])


def next_hop_unproven(reason: str) -> Reply:
    """The next server could not prove who it is, in our words."""
    return _UNPROVEN.with_text(f"The next server could not prove who it is: {reason}")


def given_up_by_administrator(reason: str) -> Reply:
    """An administrator has given a message up, and says why."""
    return GIVEN_UP_BY_ADMINISTRATOR.with_text(reason)


def refused_by_rule(enhanced: str, text: str) -> Reply:
    """What the configuration says in the place of the next server; with a code 4.x.x it is for now."""
    reply = _DEFERRED_BY_RULE if enhanced.startswith("4") else _REFUSED_BY_RULE
    return attrs.evolve(reply, enhanced=enhanced or reply.enhanced, text=(text,))


_CHUNK_TAKEN = _reply(250, "2.0.0")
_GREETING = _reply(220, "")
_HELLO = _reply(250, "")
_CHALLENGE = _reply(334, "")


def greeting(hostname: str, banner: str) -> Reply:
    """The first words of a connection (RFC 5321 section 4.2)."""
    return _GREETING.with_text(f"{hostname} {banner}")


def hello(hostname: str, *extensions: str) -> Reply:
    """The answer to HELO, or with its list of extensions to EHLO (RFC 5321 section 4.1.1.1)."""
    return _HELLO.with_text(hostname, *extensions)


def challenge(base64: str) -> Reply:
    """What the client has to answer in an authentication (RFC 4954 section 4)."""
    return _CHALLENGE.with_text(base64)


def chunk_taken(octets: int) -> Reply:
    """The octets of a chunk are here, and more are to come (RFC 3030 section 2)."""
    return _CHUNK_TAKEN.with_text(f"{octets} octets are here")
