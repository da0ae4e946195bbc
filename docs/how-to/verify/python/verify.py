import base64
import hashlib
import hmac
import re
import time


def verify(headers, body, secret, tolerance=300, now=None):
    """True if `body`, the raw bytes of the request, was signed with `secret` and is fresh."""
    event_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not event_id or not re.fullmatch("[0-9]{1,12}", timestamp):
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance:
        return False
    key = base64.b64decode(secret.replace("whsec_", "", 1))
    signed = f"{event_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    candidates = headers.get("webhook-signature", "").split(" ")
    return any([hmac.compare_digest(expected, c.encode()) for c in candidates])
