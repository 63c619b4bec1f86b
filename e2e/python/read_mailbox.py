"""Reads a mailbox with imaplib: read_mailbox.py HOST PORT USER PASSWORD MAILBOX [FLAG...]

Adds the flags to every message first, and prints a JSON list of what is there then.
"""

import base64
import imaplib
import json
import sys

host, port, user, password, mailbox, *flags = sys.argv[1:]
with imaplib.IMAP4(host, int(port), timeout=60) as imap:
    try:
        imap.login(user, password)
    except imaplib.IMAP4.error as error:
        sys.exit(f"login refused: {error}")
    status, answer = imap.select(mailbox)
    if status != "OK":
        sys.exit(f"select refused: {answer}")
    messages = []
    for number in imap.uid("SEARCH", "ALL")[1][0].split():
        if flags:
            imap.uid("STORE", number, "+FLAGS", "(" + " ".join(flags) + ")")
        data = imap.uid("FETCH", number, "(FLAGS BODY.PEEK[])")[1]
        head, raw = next(part for part in data if isinstance(part, tuple))
        head += b"".join(part for part in data if isinstance(part, bytes))
        messages.append({
            "uid": int(number),
            "flags": [flag.decode() for flag in imaplib.ParseFlags(head)],
            "raw": base64.b64encode(raw).decode(),
        })
print(json.dumps(messages))
