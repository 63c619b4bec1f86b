"""Signs messages with dkimpy: a JSON list of jobs on standard input, the signed messages on standard output."""
import base64, json, sys
import dkim

signed = []
for job in json.load(sys.stdin):
    message = base64.b64decode(job["message"])
    selector, domain, key = (job[k].encode() for k in ("selector", "domain", "key"))
    if job["kind"] == "arc":
        fields = b"".join(dkim.arc_sign(message, selector, domain, key, job["domain"].encode(), timestamp=job["time"]))
    else:
        fields = dkim.sign(message, selector, domain, key, canonicalize=tuple(c.encode() for c in job["form"]),
                           signature_algorithm=job["algorithm"].encode(), length=job["length"])
    signed.append(base64.b64encode(fields + message).decode())
json.dump(signed, sys.stdout)
