"""Hand-made bad configurations (bar U4): each gives the right line and a way out, and no traceback."""

# A table reads best with one case on a line.
# ruff: noqa: E501

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.conftest import LoadText

HASH = "$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNoLCBvbmx5IGFuIGV4YW1wbGU"
JOE = f'[[account]]\naddress = "joe@example.net"\npassword_hash = "{HASH}"\n'
DEVICE = '[[account.device]]\nname = "Eudora"\npassword_file = "/nowhere"\n'
BARE = "[[account]]\naddress = 'joe@example.net'\n"
HOOK = "[[source]]\nname = 'x'\ntype = 'http'\nurl = 'https://auth.example.net/check'\n"
POP3S = '[[listener]]\nname = "pop3s"\nservice = "pop3"\n'

BAD = [
    # What is no TOML, or no text
    ("a bracket is missing", "[pop3\nbanner = 1", 1, "no TOML: expected ']'"),
    ("a colon", "[pop3]\nidle_timeout: '10m'\n", 2, '; a setting is written name = "value"'),
    ("a word of Python", "[notify]\nenabled = True\n", 2, "true and false are written small"),
    ("an inline table on several lines", "[[account]]\nnotifymail = {\n state = 'off' }\n", 2, "stands on one line"),
    ("a value is missing", "schema = 1\n[pop3]\nbanner =\n", 3, "no TOML: invalid value"),
    ("quotes are missing", "[pop3]\nidle_timeout = 10m\n", 2, "; texts, times and sizes stand in quotes"),
    ("quotes are not closed", '[log]\nlevel = "info\n', 2, "no TOML: illegal character"),
    ("a key stands twice", "[pop3]\nmax_command = 512\nmax_command = 513\n", 3, "no TOML: cannot overwrite a value"),
    ("a table stands twice", "[pop3]\n[smtp]\n[pop3]\n", 3, "the table pop3 stands twice"),
    ("a deep table stands twice", "[notify.notifymail]\n[notify.notifymail]\n", 2, "the table notify.notifymail stands twice"),
    ("the end comes too early", "[pop3]\n\ntrusted_networks = [\n", 3, "no TOML"),
    ("a number without end", "[pop3]\n\nmax_connections = " + "9" * 5000 + "\n", 3, "no TOML: a number has more than 4300 digits"),
    ("a huge count", "[pop3]\nmax_connections = 0x" + "f" * 5000 + "\n", 2, "fff… is out of range: expected a whole number"),
    ("a huge time", "[pop3]\nidle_timeout = 0x" + "f" * 5000 + "\n", 2, "fff… has no unit: expected a duration"),
    ("a huge size", "[smtp]\nmax_message = 0x" + "f" * 5000 + "\n", 2, "fff… has no unit: expected a size"),
    ("digits of another script", "[pop3]\nidle_timeout = '\u0661\u0660m'\n", 2, "is no duration"),
    # Unknown keys
    ("a typo", "[pop3]\nidle_timout = '10m'\n", 2, "unknown setting 'idle_timout' in [pop3]; did you mean 'idle_timeout'?"),
    ("a typo in a table", "\n[sumbission]\n", 2, "unknown table 'sumbission'; did you mean 'submission'?"),
    ("a plural", POP3S.replace("[[listener]]", "[[listeners]]"), 1, "did you mean 'listener'?"),
    ("a table of a later day", "[console]\nsession = '8h'\n", 1, "unknown table 'console'; see: mailsuite config example"),
    ("a key of a later day", "[server]\nworkers = 2\n", 2, "unknown setting 'workers' in [server]; see"),
    ("a key at the top", "banner = 'x'\n", 1, "it belongs in [pop3] or [smtp] or [submission]"),
    ("a key in the wrong table", "[server]\ntrusted_networks = []\n", 2, "it belongs in [pop3]"),
    ("a block's key in a table", "[tls]\npassword_hash = 'x'\n", 2, "it belongs in [[account]]"),
    ("a dotted typo", "pop3.bannner = 'x'\n", 1, "did you mean 'banner'?"),
    ("a deep typo", "[notify.notifymail]\nport = [79]\n", 2, "in [notify.notifymail]; did you mean 'ports'?"),
    ("a deep table that is none", "[notify]\nnotifymail = true\n", 2, "write [notify.notifymail] and its settings below"),
    ("a deep table as a list", "[[notify.notifymail]]\n", 1, "with single brackets, [notify.notifymail]"),
    ("a table of a block that is none", JOE + "notifymail = 'off'\n", 4, "write notifymail = { ... }"),
    ("a state folder of a long name", "[server]\nstate = '/" + "a" * 300 + "'\n", 2, "cannot be reached: File name too long"),
    ("a deep table", "[notify]\n[notify.notifymails]\n", 2, "did you mean 'notifymail'?"),
    ("a typo in a listener", POP3S + "prot = 995\n", 4, "unknown setting 'prot' in [[listener]]; did you mean 'port'?"),
    ("another service's key", POP3S + "max_recipients = 5\n", 4, "it belongs in [smtp] or [submission]"),
    ("a typo in an override", POP3S + "bannr = 'x'\n", 4, "did you mean 'banner'?"),
    ("a typo in an account", JOE + "pasword_file = 'x'\n", 4, "in [[account]]; did you mean 'password_file'?"),
    ("a typo in an inline table", JOE + "notifymail = { stat = 'off' }\n", 4, "did you mean 'state'?"),
    ("a password in the file", JOE + "password = 'x'\n", 4, "did you mean 'password_"),
    ("a quoted key", "[pop3]\n'idle\\ntimeout' = 1\n", 2, "unknown setting 'idle\\\\ntimeout'"),
    # Tables and values mixed up
    ("a value for a table", "pop3 = true\n", 1, "pop3 is a table: write [pop3] and its settings below"),
    ("double brackets", "[[pop3]]\n", 1, "write it with single brackets, [pop3]"),
    ("single brackets", "[listener]\nname = 'x'\n", 1, "write it with double brackets, [[listener]]"),
    ("a list of words", "domain = ['example.net']\n", 1, "domain is a list of [[domain]] blocks"),
    ("a table for a value", "[pop3.banner]\ntext = 'x'\n", 1, "banner: a table is wrong here"),
    ("a word for an inline table", JOE + "notifymail = 'last-ip'\n", 4, "notifymail is a table"),
    # Values
    ("a newer schema", "schema = 2\n", 1, "schema: 2 is out of range"),
    ("a number without unit", "[pop3]\nidle_timeout = 600\n", 2, 'did you mean "600s"?'),
    ("a unit in words", "[smtp]\nidle_timeout = '5 minutes'\n", 2, 'for example "30s", "10m" or "2h"'),
    ("a span too long", "[notify.notifymail]\nlast_ip_expiry = '31d'\n", 2, "expected a duration from 1m to 30d"),
    ("a size with the wrong unit", "[smtp]\nmax_message = '50MB'\n", 2, 'did you mean "50MiB"?'),
    ("a size as a number", "[smtp]\nmax_message = 1048576\n", 2, 'did you mean "1MiB"?'),
    ("a negative count", "[pop3]\nmax_connections = -1\n", 2, "expected a whole number from 0"),
    ("a count in quotes", "[pop3]\nmax_connections = '20'\n", 2, "expected a whole number"),
    ("a boolean in quotes", "[notify]\nenabled = 'true'\n", 2, "true or false, without quotes"),
    ("no host name", "[server]\nname = 'mail_1.example.net'\n", 2, 'for example "mail.example.net"'),
    ("no mail address", "[server]\nadmin = 'postmaster'\n", 2, "there is no @ in it"),
    ("no network", "[pop3]\ntrusted_networks = ['192.0.2.7/24']\n", 2, 'did you mean "192.0.2.0/24"?'),
    ("no list", "[pop3]\ntrusted_networks = '192.0.2.0/24'\n", 2, "in square brackets"),
    ("an unknown word", "[log]\nlevel = 'warn'\n", 2, "did you mean 'warning'?"),
    ("an unknown target", "[log]\nto = 'jurnal'\n", 2, "did you mean 'journal'?"),
    ("an unknown mode", "[tls]\nmode = 'acme'\n", 2, 'expected one of "self-signed", "files"'),
    ("an old TLS version", "[tls]\nminimum_version = '1.1'\n", 2, 'expected one of "1.2", "1.3"'),
    ("a TLS version as a number", "[tls]\nminimum_version = 1.2\n", 2, 'expected one of "1.2", "1.3"'),
    (
        "a greeting that APOP's stamp makes too long",
        f'[server]\nname = "mail.example.net"\n[pop3]\nbanner = "{"b" * 400}"\napop = "offer"\n'
        f'response_name = "{"a" * 30}.example.net"',
        4,
        "makes a greeting of 538 octets",
    ),
    ("a greeting of two lines", '[pop3]\nbanner = "a\\r\\nb"\n', 2, "control character"),
    ("a greeting too long", f"[smtp]\nbanner = '{'x' * 401}'\n", 2, "is too long"),
    ("an unknown placeholder", "[delivery]\npath = '/mail/{user}'\n", 2, "known are {state}, {domain} and {local}"),
    ("a path without the person", "[delivery]\npath = '/mail/{domain}'\n", 2, "has no {local}"),
    ("a home folder", "[server]\nstate = '~/mail'\n", 2, '"~", which is not expanded here'),
    ("no mechanism", "[submission]\nauth = []\n", 2, 'for example ["plain", "scram-sha-256"]'),
    ("no mechanism at one door", POP3S.replace("pop3", "submission") + "auth = []\n", 4, "too short"),
    ("a later mechanism", "[pop3]\nauth = ['plain', 'oauthbearer']\n", 2, 'one of "plain", "login", "scram-sha-1"'),
    ("a mechanism in capitals", "[pop3]\nauth = ['SCRAM-SHA-256']\n", 2, "did you mean 'scram-sha-256'?"),
    ("a mechanism twice", "[pop3]\nauth = ['plain', 'plain']\n", 2, "stands twice in the list"),
    ("DIGEST-MD5", "[pop3]\nauth = ['digest-md5']\n", 2, '"digest-md5": DIGEST-MD5 is historic (RFC 6331)'),
    ("DIGEST-MD5 in capitals", "[submission]\nauth = ['DIGEST-MD5']\n", 2, "is historic (RFC 6331)"),
    ("GSSAPI", "[submission]\nauth = ['gssapi']\n", 2, "Kerberos is not spoken here"),
    ("ANONYMOUS", "[pop3]\nauth = ['anonymous']\n", 2, "nobody logs in here without being somebody"),
    ("APOP as a mechanism", "[pop3]\nauth = ['apop']\n", 2, 'write apop = "offer"'),
    ("USER as a mechanism", "[pop3]\nauth = ['user']\n", 2, "USER and PASS need not be named"),
    ("APOP as a truth", "[pop3]\napop = true\n", 2, 'expected one of "off", "offer", "require"'),
    ("APOP at a door", POP3S + "apop = 'required'\n", 4, "did you mean 'require'?"),
    ("APOP at a domain", "[[domain]]\nname = 'a.example'\napop = 'on'\n", 3, 'expected one of "off"'),
    ("APOP for submission", "[submission]\napop = 'offer'\n", 2, "it belongs in [pop3] or [[domain]]"),
    ("a letter for the @", "[pop3]\nalternate_at = '#x'\n", 2, "has 'x', which may be part of any login name"),
    ("no time", "[submission]\nfuture_release = 'never'\n", 2, "is no duration: expected a duration from 0s to 365d"),
    ("a plus for the @", "[submission]\nalternate_at = '+'\n", 2, "has '+', which"),
    ("a blank for the @", POP3S + "alternate_at = ' '\n", 4, "has ' ', which"),
    ("the @ for the @", "[pop3]\nalternate_at = '@'\n", 2, "has '@', which"),
    ("a paragraph for the @", "[pop3]\nalternate_at = '\u00a7'\n", 2, "has '\u00a7', which is not ASCII"),
    ("a tab for the @", '[pop3]\nalternate_at = "\\t"\n', 2, "has a control character"),
    ("a delay without unit", "[guard]\nfailure_delay = 2\n", 2, 'did you mean "2s"?'),
    ("a delay too long", "[guard]\nfailure_delay_maximum = '2m'\n", 2, "expected a duration from 0s to 1m"),
    ("the longest delay is shorter", "[guard]\nfailure_delay = '20s'\n", 2, 'failure_delay_maximum = "16s" is shorter than failure_delay = "20s"'),
    ("the longest delay is too short", "[guard]\nfailure_delay_maximum = '0s'\n", 2, 'failure_delay_maximum = "0s" is shorter'),
    ("an unknown account state", JOE + "state = 'disabled'\n", 4, 'one of "enabled", "off", "forward"'),
    ("a forward to nobody", JOE + "state = 'forward'\n", 4, 'for example forward = "ann@example.net"'),
    ("a forward to a name", JOE + "state = 'forward'\nforward = 'ann'\n", 5, "there is no @ in it"),
    ("a forward to itself", JOE + "state = 'forward'\nforward = 'Joe@example.net'\n", 5, "in a circle: joe@example.net to joe@example.net"),
    ("a circle", JOE + "state = 'forward'\nforward = 'a@b.example'\n[[account]]\naddress = 'a@b.example'\nstate = 'forward'\nforward = 'joe@example.net'\n", 9, "a@b.example to joe@example.net to a@b.example"),
    ("a copy in words", JOE + "keep_copy = 'yes'\n", 4, "true or false, without quotes"),
    ("POP3 as a truth", JOE + "pop3 = true\n", 4, 'expected one of "allow", "deny"'),
    # Blocks within blocks
    ("a device without name", JOE + "\n[[account.device]]\npassword_file = 'x'\n", 5, "device has no name: expected a text"),
    ("a device without password", JOE + DEVICE.replace("password_file", "#"), 4, "device 'Eudora' has no password_file"),
    ("a device of many", JOE + "[account.device]\nname = 'x'\n", 4, "write it with double brackets, [[account.device]]"),
    ("a device that is none", JOE + "device = ['x']\n", 4, "device is a list of [[account.device]] blocks"),
    ("a device of nobody", "[[device]]\nname = 'x'\n", 1, "unknown table 'device'; did you mean [[account.device]]?"),
    ("a device before its account", "[[account.device]]\nname = 'x'\n", 1, "write it with double brackets, [[account]]"),
    ("a typo in a device", JOE + DEVICE + "mechanism = []\n", 7, "unknown setting 'mechanism' in [[account.device]]; did you mean 'mechanisms'?"),
    ("a device's key in an account", JOE + "scopes = ['pop3']\n", 4, "it belongs in [[account.device]]"),
    ("two devices", JOE + DEVICE + DEVICE.replace("Eudora", "EUDORA"), 8, "device 'EUDORA' stands twice; the first is at mailsuite.toml:5"),
    ("a device name that does not print", JOE + DEVICE.replace("Eudora", "a\u200eb"), 5, "does not print"),
    ("a device name of nothing", JOE + DEVICE.replace("Eudora", ""), 5, "is empty"),
    ("a device name too long", JOE + DEVICE.replace("Eudora", "x" * 65), 5, "expected a text in quotes of 1 to 64 characters"),
    ("a device password that is not there", JOE + DEVICE, 6, "/nowhere is not there"),
    ("a device password of a long name", JOE + DEVICE.replace("nowhere", "a" * 300), 6, "cannot be reached: File name too long"),
    ("a mechanism that needs no seal", JOE + DEVICE + "mechanisms = ['plain']\n", 7, 'one of "apop", "cram-md5", "ntlm"'),
    ("a scope of no service", JOE + DEVICE + "scopes = ['smtp']\n", 7, 'one of "pop3", "submission", "notify", "console"'),
    ("no scope", JOE + DEVICE + "scopes = []\n", 7, "expected at least 1"),
    ("a device's wrong network", JOE + DEVICE + "networks = ['192.0.2.9/24']\n", 7, 'did you mean "192.0.2.0/24"?'),
    ("no day", JOE + DEVICE + "expires = 'soon'\n", 7, '"soon" is no day: expected a day, for example "2027-01-31"'),
    ("a day of no calendar", JOE + DEVICE + "expires = '2027-02-30'\n", 7, "is in no calendar"),
    ("a moment", JOE + DEVICE + "expires = 2027-01-31T10:00:00Z\n", 7, "has a time of day"),
    # Sources
    ("a source without its key", "[[source]]\nname = 'x'\ntype = 'passwd-file'\n", 3, "needs file"),
    ("a source's file that is not there", "[[source]]\nname = 'x'\ntype = 'passwd-file'\nfile = '/nowhere'\n", 4, "/nowhere is not there"),
    ("a plain password as hash", JOE.replace(HASH, "secret"), 3, "put a plain password into a file of its own"),
    ("an unknown service", "[[listener]]\nname = 'x'\nservice = 'pop'\n", 3, "did you mean 'pop3'?"),
    ("an unknown TLS use", POP3S + "tls = 'stls'\n", 4, "did you mean 'starttls'?"),
    ("a port too high", POP3S + "port = 99500\n", 4, "expected a whole number from 0 to 65535"),
    ("no bind address", POP3S + "bind = ['localhost']\n", 4, '"*" for every address'),
    ("an empty bind list", POP3S + "bind = []\n", 4, 'for example ["*"]'),
    ("a wrong override", POP3S + "idle_timeout = 5\n", 4, 'did you mean "5s"?'),
    ("no endpoint", POP3S + "endpoint = '995'\n", 4, '"systemd:domain=INET6:name=pop3s"'),
    ("a name with a blank", "[[listener]]\nname = 'my door'\nservice = 'pop3'\n", 2, 'for example "pop3s"'),
    ("a notice to everybody", JOE + "notifymail = { address = '255.255.255.255' }\n", 4, "no address of one machine"),
    ("a notice to a name", JOE + "notifymail = { address = 'pc.example.net' }\n", 4, "is no IP address"),
    ("an unknown state", JOE + "notifymail.state = 'lastip'\n", 4, "did you mean 'last-ip'?"),
    # What is missing
    ("a listener without name", "\n[[listener]]\nservice = 'pop3'\n", 2, "has no name: expected"),
    ("a listener without service", "[[listener]]\nname = 'x'\n", 1, "listener 'x' has no service: expected one of"),
    ("an account without address", "[[account]]\nname = 'Joe'\n", 1, "has no address: expected a mail address"),
    ("a domain without name", "[[domain]]\n", 1, "has no name: expected a host name"),
    # Relations
    ("two listeners of one name", POP3S + POP3S + "port = 1\n", 5, "listener 'pop3s' stands twice; the first is at mailsuite.toml:2"),
    ("two accounts", JOE + JOE.replace("joe@", "Joe@"), 5, "'joe@example.net' stands twice"),
    ("two domains", "[[domain]]\nname='a.example'\n[[domain]]\nname='A.example'\n", 4, "'a.example' stands twice"),
    ("two doors at one place", POP3S + "port = 995\n" + POP3S.replace("pop3s", "b") + "port = 995\nbind = ['::1']\n", 8, "wants [::1]:995, which listener 'pop3s' has (mailsuite.toml:4)"),
    ("files without certificate", "[tls]\nmode = 'files'\nkey = '/dev/null'\n", 2, 'needs a certificate: certificate = "/etc'),
    ("files without key", "[tls]\nmode = 'files'\ncertificate = '/dev/null'\n", 2, "needs a key"),
    ("a certificate that is not there", "[tls]\nmode = 'files'\ncertificate = '/nowhere/c'\nkey = '/nowhere/k'\n", 3, "/nowhere/c is not there"),
    ("a key that is not there", "[tls]\nmode = 'files'\ncertificate = '/nowhere/c'\nkey = '/nowhere/k'\n", 4, "/nowhere/k is not there"),
    ("a listener's lone certificate", POP3S + "certificate = '/nowhere/c'\n", 4, "certificate without key"),
    ("a listener's lone key", POP3S + "key = '/nowhere/k'\n", 4, "key without certificate"),
    ("endpoint and port", POP3S + "endpoint = 'tcp:995'\nport = 995\n", 5, "port and endpoint together"),
    ("endpoint and bind", POP3S + "endpoint = 'tcp:995'\nbind = ['*']\n", 5, "bind and endpoint together"),
    ("POP3 without TLS or trust", POP3S + "port = 110\ntls = 'off'\nauth = ['plain', 'scram-sha-256-plus']\n", 5, 'tls = "off" on *:110 and trusted_networks is empty: nobody could log in'),
    ("the same, with the list elsewhere", POP3S + "tls = 'off'\n[pop3]\nauth = []\ntrusted_networks = []\n", 4, "is empty (line 7): nobody could log in"),
    ("the same, by an endpoint", POP3S + "tls = 'off'\nendpoint = 'tcp:110'\nauth = []\n", 4, 'tls = "off" on tcp:110'),
    ("submission without TLS", POP3S.replace("pop3", "submission") + "tls = 'off'\nauth = ['plain']\n", 4, "did you mean 'required-starttls'?"),
    ("two secrets", JOE + "password_file = '/dev/null'\n", 4, "password_hash and password_file together"),
    ("no password file", '[[account]]\naddress = "a@b.example"\npassword_file = "nowhere"\n', 3, "nowhere is not there"),
    ("a folder as password file", '[[account]]\naddress = "a@b.example"\npassword_file = "/tmp"\n', 3, "is no file"),
    ("an address that is no folder", JOE.replace("joe@", "a/b@"), 2, "cannot name a folder"),
    ("a port that may not be named", JOE + "notifymail = { port = 7979 }\n", 4, "none of notify.notifymail.ports (79)"),
    ("a private notice address", JOE + "notifymail.address = '192.168.1.5'\n", 4, 'add "192.168.1.5" or its network to notify.allow_networks'),
    ("a loopback notice address", JOE + "notifymail.address = '127.0.0.1'\n", 4, "notify.allow_networks"),
    ("no such user", "[server]\nuser = 'nobody-at-all'\n", 2, "there is no user 'nobody-at-all'"),
    ("no such group", "[server]\ncontrol_group = 'nobody-at-all'\n", 2, "there is no group 'nobody-at-all'"),
    ("state is a file", "[server]\nstate = '/dev/null'\n", 2, "/dev/null is no folder"),
    ("a socket path too long", f"[server]\nstate = '/{'x' * 120}'\n", 2, "name a shorter path"),
    ("a greeting line too long", f"[server]\nname = '{'a' * 60}.{'b' * 60}.example'\n[smtp]\nbanner = '{'x' * 400}'\n", 4, "RFC 5321 allows 512"),
]  # fmt: skip

DOUBTFUL = [
    ("POP3 times out early", "[pop3]\nidle_timeout = '9m'\n", 2, 'idle_timeout = "9m" is below the ten minutes RFC 1939 asks for'),
    ("a listener times out early", POP3S + "idle_timeout = '1m'\n", 4, "ten minutes RFC 1939"),
    ("few recipients", "[smtp]\nmax_recipients = 99\n", 2, "max_recipients = 99 is below the hundred"),
    ("small messages", "[smtp]\nmax_message = '63KiB'\n", 2, "below the 64 KiB"),
    ("trust in everybody", "[pop3]\ntrusted_networks = ['10.0.0.0/8', '0.0.0.0/0']\n", 2, "0.0.0.0/0 in trusted_networks is everybody"),
    ("trust in everybody at one door", POP3S + "trusted_networks = ['::/0']\n", 4, "::/0 in trusted_networks is everybody"),
    ("a name that is no login name", JOE.replace("joe@", "j*e@"), 2, "nobody can log in to j*e@example.net"),
    ("a name that RFC 8265 forbids", JOE.replace("joe@", "\ufb01n@"), 2, "beyond ASCII only what RFC 8265 allows"),
    ("a name that is folded", JOE.replace("joe@", "\uff4aoe@"), 2, "beyond ASCII only what RFC 8265 allows"),
    ("a static state without address", JOE + "notifymail = { state = 'static' }\n", 4, 'for example address = "192.0.2.77"'),
    ("static for all", "[notify.notifymail]\ndefault_state = 'static'\n", 2, 'acts as "last-ip"'),
    ("learning from nobody", "[notify.notifymail]\nlearn_from = []\n", 2, "only fixed ones are knocked at"),
    ("nobody can log in", "[[account]]\naddress = 'joe@example.net'\n", 1, "nobody can log in to it"),
    ("nobody can log in while a source is off", BARE + HOOK + "enabled = false\n", 1, "nobody can log in to it"),
    ("nobody can log in by a source for others", BARE + HOOK + "domains = ['b.example']\n", 1, "nobody can log in to it"),
    ("a postmaster who takes no mail", "[server]\nadmin = 'Joe@Example.net'\n" + JOE + "state = 'off'\n", 6, "mail for postmaster is refused"),
    ("a certificate for nothing", "[tls]\ncertificate = '/nowhere'\n", 2, 'for that, write mode = "files"'),
    ("no door is open", POP3S + "enabled = false\n", 4, "nobody can reach this server"),
    ("forced TLS at the MX", POP3S.replace("pop3", "smtp") + "tls = 'required-starttls'\n", 4, "did you mean 'starttls'?"),
    ("POP3 without TLS here", POP3S + "tls = 'off'\nauth = []\nbind = ['127.0.0.1', '::1']\n", 4, "[::1]:110 and trusted_networks is empty"),
    ("submission without TLS here", POP3S.replace("pop3", "submission") + "tls = 'off'\nauth = ['login']\nbind = ['::1']\n", 4, "nobody could log in"),
    ("POP3 without TLS, but with SCRAM", POP3S + "tls = 'off'\n", 4, "is empty: only SCRAM-SHA-256 can be used to log in there, and mail goes in the clear; did you mean 'starttls'?"),
    ("POP3 without TLS, but with APOP", POP3S + "tls = 'off'\napop = 'offer'\nauth = ['plain']\n", 4, "only APOP can be used"),
    ("the same, with more", POP3S + "tls = 'off'\n[pop3]\napop = 'offer'\n", 4, "only APOP or SCRAM-SHA-256 can"),
    ("submission without TLS, but with SCRAM", POP3S.replace("pop3", "submission") + "tls = 'off'\n", 4, "*:587: only SCRAM-SHA-256 can be used to log in there, and mail goes in the clear; did you mean 'required-starttls'?"),
    ("NTLM", "[pop3]\nauth = ['scram-sha-256', 'ntlm']\n", 2, "auth: ntlm proves a password by MD4 and MD5, which are broken"),
    ("NTLM needs devices", "[submission]\nauth = ['ntlm']\n", 2, "it works only with device passwords that name it"),
    ("CRAM-MD5", "[submission]\nauth = ['cram-md5', 'plain']\n", 2, "cram-md5 lets whoever listens guess at the password fast"),
    ("CRAM-MD5 at a door", POP3S + "auth = ['cram-md5']\n", 4, "scram-sha-256 hides the password better"),
    ("APOP and nothing beside", "[pop3]\napop = 'require'\nauth = ['plain']\n", 2, "APOP alone is left"),
    ("the same, at a door", POP3S + "auth = []\n[pop3]\n\napop = 'require'\n", 4, "APOP alone is left"),
    ("APOP for those who cannot", JOE + "[pop3]\napop = 'require'\n", 5, 'apop = "require", and joe@example.net of this file cannot use it'),
    ("the same, at a door", JOE + POP3S + "apop = 'require'\n", 7, "--what-if pop3.apop=require tells who would be locked out"),
    ("the same, of many", "[pop3]\napop = 'require'\n" + "".join(JOE.replace("joe", name) for name in "abcde"), 2, "a@example.net, b@example.net, c@example.net and 2 more of this file"),
    ("the same, at a domain", "[pop3]\napop = 'offer'\n" + JOE + "[[domain]]\nname = 'example.net'\napop = 'require'\n", 8, "joe@example.net of this file"),
    ("APOP and nothing beside for a domain", "[pop3]\nauth = ['login']\n[[domain]]\nname = 'a.example'\napop = 'require'\n", 5, "APOP alone is left"),
    ("a domain without APOP where it is required", "[pop3]\napop = 'require'\n[[domain]]\nname = 'a.example'\napop = 'off'\n", 5, "listener 'pop3', which requires APOP, takes passwords for these accounts again, and offers everybody to show one"),
    ("POP3 without TLS, but with APOP for a domain", POP3S + "tls = 'off'\nauth = []\n[[domain]]\nname = 'a.example'\napop = 'offer'\n", 4, "only APOP can be used"),
    ("the same, where it is offered", JOE + "[[domain]]\nname = 'example.net'\napop = 'offer'\n[pop3]\napop = 'require'\n", 6, "takes passwords for these accounts again"),
    ("two names for a login", "[pop3]\nalternate_at = '#$'\ndefault_domain = 'example.net'\n[submission]\nalternate_at = ''\n" + JOE + JOE.replace("joe@", "joe#example.net@"), 10, 'joe#example.net logs in to this account, never to joe@example.net, though alternate_at = "#$"'),
    ("a forward that is not meant", JOE + "forward = 'ann@example.net'\n", 4, 'forward is not used: for that, write state = "forward"'),
    ("a copy of nothing", JOE + "keep_copy = true\n", 4, "keep_copy is not used"),
    ("a forward to elsewhere", "[queue]\noutgoing = 'local-only'\n" + JOE + "state = 'forward'\nforward = 'ann@b.example'\n", 7, "b.example is no domain of this file; unless mailsuite domain add made it ours"),
    ("a forward to nowhere", JOE + "state = 'forward'\nforward = 'ann@example.net'\n[[account]]\naddress = 'ann@example.net'\nstate = 'off'\n", 5, 'ann@example.net has state = "off"'),
]  # fmt: skip


def test_there_are_enough() -> None:
    assert len({text for _, text, *_ in BAD}) >= 60


@pytest.mark.parametrize(("text", "line", "says"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_an_error_has_its_line_and_a_way_out(load_text: LoadText, text: str, line: int, says: str) -> None:
    loaded = load_text(text)
    assert loaded.config is None
    found = [(str(problem.place), problem.text) for problem in loaded.errors]
    assert any(place == f"mailsuite.toml:{line}" and says in problem for place, problem in found), found


@pytest.mark.parametrize(
    ("text", "line", "says"), [case[1:] for case in DOUBTFUL], ids=[case[0] for case in DOUBTFUL]
)
def test_a_warning_has_its_line_and_does_no_harm(
    load_text: LoadText, text: str, line: int, says: str
) -> None:
    loaded = load_text(text)
    assert loaded.config is not None
    [problem] = loaded.problems
    assert (str(problem.place), problem.severity) == (f"mailsuite.toml:{line}", "warning")
    assert says in problem.text


@pytest.mark.parametrize(
    "text",
    [
        BARE + HOOK,
        BARE + HOOK + "domains = ['b.example', 'example.net']\n",
        BARE + "state = 'off'\n",
        "[server]\nadmin = 'ann@example.net'\n" + JOE + "state = 'off'\n",
        f"[server]\nadmin = 'joe@example.net'\n{JOE}pop3 = 'deny'\n",
        f"[server]\nadmin = 'joe@example.net'\n{JOE}state = 'forward'\nforward = 'ann@example.net'\n",
    ],
)
def test_what_nobody_needs_to_be_warned_of(load_text: LoadText, text: str) -> None:
    assert [problem.text for problem in load_text(text).problems] == []


def test_all_problems_come_in_one_run_in_the_order_of_the_lines(load_text: LoadText) -> None:
    loaded = load_text(
        "[log]\nlevel = 'loud'\n[pop3]\nidle_timout = 1\nidle_timeout = '1m'\n"
        + POP3S
        + "port = -1\ntls = 'of'\n[[account]]\naddress = 'joe'\n[[account]]\naddress = 'ann'\nrole = 'x'\n"
    )
    assert [problem.place.line for problem in loaded.problems] == [2, 4, 5, 9, 10, 12, 14, 15]


def test_one_mistake_is_told_once(load_text: LoadText) -> None:
    """What follows from a wrong value alone is not told."""
    for text in (
        POP3S + "tls = 'of'\n",
        "[[listener]]\nname = 'x'\nservice = 'pop'\nbanner = 'x'\n",
        "[pop3]\ntrusted_networks = ['x']\n" + POP3S + "tls = 'off'\n",
        JOE.replace(HASH, "secret"),
        "[tls]\nmode = 'files'\nkey = 5\ncertificate = 6\n",
        JOE + "password_file = '/dev/null'\n",
        JOE + "notifymail = { state = 'static', address = 'x' }\n",
        JOE + "notifymail.port = 7979\n[notify.notifymail]\nports = 7979\n",
    ):
        lines = [problem.place.line for problem in load_text(text).problems]
        assert len(lines) == len(set(lines)) in {1, 2}, text
    assert len(load_text(POP3S + "tls = 'of'\n").problems) == 1


def test_a_secret_is_never_told(load_text: LoadText, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("tulip canyon\nmosaic\n")
    for text in (
        JOE.replace(HASH, "tulip canyon"),
        JOE.replace(HASH, "$argon2id$tulip"),
        '[[account]]\naddress = "joe@example.net"\npassword_file = "pw"\n',
        JOE.replace(f'"{HASH}"', '["tulip"]'),
    ):
        loaded = load_text(text)
        assert loaded.config is None
        assert not any("tulip" in problem.text or "mosaic" in problem.text for problem in loaded.problems)
