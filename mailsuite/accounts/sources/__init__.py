"""Places elsewhere that know whether a password is right."""
