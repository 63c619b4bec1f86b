"""Signs a message, or verifies its ARC chain, with dkimpy: sign DOMAIN SELECTOR KEYFILE, or arc NAMES, a JSON object of TXT
records by name. The message is read from standard input."""

import json
import sys

import dkim

message = sys.stdin.buffer.read()
if sys.argv[1] == "sign":
    domain, selector, key = sys.argv[2:]
    with open(key, "rb") as f:
        sys.stdout.buffer.write(dkim.sign(message, selector.encode(), domain.encode(), f.read(), include_headers=[b"from", b"to", b"subject", b"message-id"]) + message)
else:
    records = json.loads(sys.argv[2])
    chain, results, reason = dkim.arc_verify(message, dnsfunc=lambda name, timeout=5: records[name.decode().rstrip(".").lower()].encode())
    print(chain.decode(), reason)
