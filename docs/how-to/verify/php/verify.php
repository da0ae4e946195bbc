<?php
/** True if $body, the raw bytes of the request, was signed with $secret and is fresh. */
function verify(array $headers, string $body, string $secret, int $tolerance = 300, ?int $now = null): bool
{
    $id = $headers['webhook-id'] ?? '';
    $timestamp = $headers['webhook-timestamp'] ?? '';
    if ($id === '' || !preg_match('/\A[0-9]{1,12}\z/', $timestamp)) {
        return false;
    }
    if (abs(($now ?? time()) - (int) $timestamp) > $tolerance) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    $mac = hash_hmac('sha256', "$id.$timestamp.$body", $key, true);
    $expected = 'v1,' . base64_encode($mac);
    $found = false;
    foreach (explode(' ', $headers['webhook-signature'] ?? '') as $candidate) {
        $found = hash_equals($expected, $candidate) || $found;
    }
    return $found;
}
