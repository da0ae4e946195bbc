"""Verifies requests, one JSON object a line, with PyPI's standardwebhooks or svix. Prints what it accepted, one word a line."""

import importlib
import json
import sys

library = importlib.import_module(sys.argv[1] + ".webhooks")

for line in sys.stdin:
    request = json.loads(line)
    try:
        library.Webhook(request["secret"]).verify(request["body"], request["headers"])
        print("accepted")
    except library.WebhookVerificationError:
        print("refused")
