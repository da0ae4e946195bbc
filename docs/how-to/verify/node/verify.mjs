import { createHmac, timingSafeEqual } from 'node:crypto';

/** True if `body`, the raw bytes of the request, was signed with `secret` and is fresh. */
export function verify(headers, body, secret, { tolerance = 300, now = Date.now() / 1000 } = {}) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'] ?? '';
  if (!id || !/^[0-9]{1,12}$/.test(timestamp)) return false;
  if (Math.abs(now - Number(timestamp)) > tolerance) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body);
  const expected = Buffer.from('v1,' + mac.digest('base64'));
  let found = false;
  for (const candidate of (headers['webhook-signature'] ?? '').split(' ')) {
    const given = Buffer.from(candidate);
    if (given.length === expected.length && timingSafeEqual(given, expected)) found = true;
  }
  return found;
}
