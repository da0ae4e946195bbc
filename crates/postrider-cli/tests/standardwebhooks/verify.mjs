// Verifies requests, one JSON object a line, with npm's standardwebhooks or svix. Prints what it accepted, one word a line.
// Its arguments are the folder that holds node_modules and the package's name.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { Webhook, WebhookVerificationError } = createRequire(process.argv[2] + "/")(process.argv[3]);

for (const line of readFileSync(0, "utf8").trimEnd().split("\n")) {
  const { secret, body, headers } = JSON.parse(line);
  try {
    new Webhook(secret).verify(body, headers);
    console.log("accepted");
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.log("refused");
  }
}
