// Runs verify.mjs on every line of the vector file named as argument.
import { readFileSync } from 'node:fs';
import { verify } from './verify.mjs';

let good = 0;
const lines = readFileSync(process.argv[2], 'utf8').trimEnd().split('\n');
for (const line of lines) {
  const [name, id, timestamp, signature, body, secret, now, expected] = line.split('\t');
  const given = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
  const headers = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  const answer = verify(headers, Buffer.from(body, 'base64'), secret, { now: Number(now) });
  if (answer === (expected === 'true')) good += 1;
  else console.log('  mismatch:', name);
}
console.log(good, lines.length);
