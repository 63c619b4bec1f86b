"""Signs a message, or verifies its signatures or its ARC chain, with dkimpy: sign DOMAIN SELECTOR KEYFILE, or dkim NAMES or
arc NAMES, a JSON object of TXT records by name. The message is read from standard input. Of each signature it is told
whether it holds, and which fields it signs."""

import json
import sys

import dkim

message = sys.stdin.buffer.read()
if sys.argv[1] == "sign":
    domain, selector, key = sys.argv[2:]
    with open(key, "rb") as f:
        sys.stdout.buffer.write(dkim.sign(message, selector.encode(), domain.encode(), f.read(), include_headers=[b"from", b"to", b"subject", b"message-id"]) + message)
    sys.exit()

records = json.loads(sys.argv[2])


def txt(name, timeout=5):
    return records[name.decode().rstrip(".").lower()].encode()


if sys.argv[1] == "arc":
    chain, results, reason = dkim.arc_verify(message, dnsfunc=txt)
    print(chain.decode(), reason)
else:
    for i in range(sum(name.lower() == b"dkim-signature" for name, _ in dkim.DKIM(message).headers)):
        d = dkim.DKIM(message)
        print(d.verify(idx=i, dnsfunc=txt), *(name.decode().lower() for name in d.include_headers))
