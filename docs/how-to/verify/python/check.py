"""Runs verify.py on every line of the vector file named as argument."""
import base64
import sys

from verify import verify

good = total = 0
for line in open(sys.argv[1], encoding="utf-8"):
    name, event_id, timestamp, signature, body, secret, now, expected = line.rstrip("\n").split("\t")
    given = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    headers = {key: value for key, value in given.items() if value}
    total += 1
    if verify(headers, base64.b64decode(body), secret, now=int(now)) == (expected == "true"):
        good += 1
    else:
        print("  mismatch:", name)
print(good, total)
