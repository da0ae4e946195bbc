// Judges requests with Node's own cryptography, which is OpenSSL's: nothing of postrider takes part. Reads one JSON document,
// prints one: the names of the checks that hold, and of those that do not.

import { createHmac, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const { rotating, e2a, keys, secrets, vector } = JSON.parse(readFileSync(0, "utf8"));
const held = [];
const broken = [];
const check = (name, good) => (good ? held : broken).push(name);

const signed = (request) => `${request.headers["webhook-id"]}.${request.headers["webhook-timestamp"]}.${request.body}`;
const mac = (key, text) => createHmac("sha256", key).update(text);

const signatures = rotating.headers["webhook-signature"].split(" ");
check("four signatures", signatures.length === 4);
secrets.forEach((secret, index) => {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  check(`v1 of live secret ${index + 1}`, signatures.includes(`v1,${mac(key, signed(rotating)).digest("base64")}`));
});

const raw = Buffer.from(keys.keys[0].public_key.slice("whpk_".length), "base64");
const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
const v1a = signatures.find((signature) => signature.startsWith("v1a,"))?.slice(4) ?? "";
const ed25519 = (text) => verify(null, Buffer.from(text), publicKey, Buffer.from(v1a, "base64"));
check("v1a with the published key", ed25519(signed(rotating)));
check("v1a of a changed body is refused", !ed25519(`${signed(rotating)} `));

const stripe = (request, keys) => {
  const time = request.headers["webhook-timestamp"];
  return [`t=${time}`, ...keys.map((key) => `v1=${mac(key, `${time}.${request.body}`).digest("hex")}`)].join(",");
};
check("e2a's single header", e2a.single.headers["x-e2a-signature"] === stripe(e2a.single, [vector.previous_secret]));
check(
  "e2a's dual header",
  e2a.dual.headers["x-e2a-signature"] === stripe(e2a.dual, [vector.current_secret, vector.previous_secret]),
);
// The same formula gives the vector itself, so it is the right one.
const given = { headers: { "webhook-timestamp": vector.timestamp }, body: vector.body };
check("the vector", stripe(given, [vector.current_secret, vector.previous_secret]) === vector.dual_header);

console.log(JSON.stringify({ held, broken }));
