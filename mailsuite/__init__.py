"""A mail suite on Twisted: SMTP takes mail in, POP3 hands it over, a notifier tells the user."""

__version__ = "0.1.0"
