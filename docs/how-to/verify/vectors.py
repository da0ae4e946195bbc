#!/usr/bin/env python3
"""Writes cases.tsv and cases.json: requests with the verdict that every receiver has to reach.

usage: vectors.py [FOLDER]     (default: the folder of this file)
"""
import base64
import hashlib
import hmac
import json
import pathlib
import sys

SECRET = "whsec_" + base64.b64encode(b"postrider signs what it carries!").decode()
OTHER = "whsec_" + base64.b64encode(b"another rider, another key, ahoy").decode()
LONG = "whsec_" + base64.b64encode(bytes(range(64))).decode()
ID = "evt_3f0d9a6c51b24e7788aa0c1d2e3f4a5b"
NOW = 1795262400
BODY = (
    '{"event":"email.received","id":"' + ID + '","created_at":"2026-11-21T12:00:00.000000Z",'
    '"data":{"subject":"Spørgsmål 🚀","order":9007199254740993,"ratio":1.10}}'
).encode()


def sign(body=BODY, secret=SECRET, event_id=ID, timestamp=str(NOW)):
    key = base64.b64decode(secret[len("whsec_"):])
    mac = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def case(name, expected, body=BODY, secret=SECRET, now=NOW, event_id=ID, timestamp=str(NOW), signature=None):
    signature = sign() if signature is None else signature
    return (name, event_id, timestamp, signature, body, secret, now, expected)


pretty = json.dumps(json.loads(BODY), indent=2, ensure_ascii=False).encode()
not_text = bytes([0, 255, 254, 10, 13])
CASES = [
    case("as it should be", True),
    case("299 s late", True, now=NOW + 299),
    case("300 s late, the last moment", True, now=NOW + 300),
    case("301 s late", False, now=NOW + 301),
    case("299 s early", True, now=NOW - 299),
    case("301 s early", False, now=NOW - 301),
    case("one digit of the body changed", False, body=BODY.replace(b"993", b"994")),
    case("body parsed and written again", False, body=pretty),
    case("body with a line end added", False, body=BODY + b"\n"),
    case("empty body", True, body=b"", signature=sign(b"")),
    case("body that is no text", True, body=not_text, signature=sign(not_text)),
    case("another secret", False, secret=OTHER),
    case("a secret of 64 bytes", True, secret=LONG, signature=sign(secret=LONG)),
    case("two secrets, ours second", True, signature=sign(secret=OTHER) + " " + sign()),
    case("two secrets, ours first", True, signature=sign() + " " + sign(secret=OTHER)),
    case("five secrets, none of them ours", False, signature=" ".join([sign(secret=OTHER)] * 5)),
    case("an unknown scheme beside ours", True, signature="v1a,AAAA " + sign()),
    case("our bytes under an unknown scheme", False, signature=sign().replace("v1,", "v2,")),
    case("no signature", False, signature=""),
    case("a scheme without a value", False, signature="v1,"),
    case("a value without a scheme", False, signature=sign()[len("v1,"):]),
    case("the end of the signature cut off", False, signature=sign()[:-4]),
    case("a signature that is not ASCII", False, signature="v1,čšž"),
    case("no id", False, event_id=""),
    case("another event's id", False, event_id="evt_00000000000000000000000000000000"),
    case("no timestamp", False, timestamp=""),
    case("another timestamp than the signed one", False, timestamp=str(NOW + 1)),
    case("a timestamp in words", False, timestamp="noon", signature=sign(timestamp="noon")),
    case("a timestamp with a sign", False, timestamp=f"+{NOW}", signature=sign(timestamp=f"+{NOW}")),
    case("a timestamp with a fraction", False, timestamp=f"{NOW}.0", signature=sign(timestamp=f"{NOW}.0")),
    case("a timestamp beyond all bounds", False, timestamp="9" * 40, signature=sign(timestamp="9" * 40)),
]

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/..").resolve()
with open(folder / "cases.tsv", "w", encoding="utf-8", newline="\n") as file:
    for name, event_id, timestamp, signature, body, secret, now, expected in CASES:
        text = base64.b64encode(body).decode()
        fields = [name, event_id, timestamp, signature, text, secret, now, str(expected).lower()]
        print(*fields, sep="\t", file=file)
with open(folder / "cases.json", "w", encoding="utf-8", newline="\n") as file:
    listed = []
    for name, event_id, timestamp, signature, body, secret, now, expected in CASES:
        given = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
        headers = {key: value for key, value in given.items() if value}
        listed.append({
            "name": name, "headers": headers, "body_base64": base64.b64encode(body).decode(),
            "secret": secret, "now": now, "verifies": expected,
        })
    json.dump(listed, file, ensure_ascii=False, indent=1)
    print(file=file)
