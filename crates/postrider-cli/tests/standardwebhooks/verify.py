"""Verifies requests, one JSON object a line, with PyPI's standardwebhooks. Prints what it accepted, one word a line."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    request = json.loads(line)
    try:
        Webhook(request["secret"]).verify(request["body"], request["headers"])
        print("accepted")
    except WebhookVerificationError:
        print("refused")
