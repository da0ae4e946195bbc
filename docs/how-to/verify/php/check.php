<?php
// Runs verify.php on every line of the vector file named as argument.
require __DIR__ . '/verify.php';

$good = $total = 0;
foreach (file($argv[1], FILE_IGNORE_NEW_LINES) as $line) {
    [$name, $id, $timestamp, $signature, $body, $secret, $now, $expected] = explode("\t", $line);
    $headers = ['webhook-id' => $id, 'webhook-timestamp' => $timestamp, 'webhook-signature' => $signature];
    $headers = array_filter($headers, fn ($value) => $value !== '');
    $total++;
    if (verify($headers, base64_decode($body), $secret, now: (int) $now) === ($expected === 'true')) {
        $good++;
    } else {
        echo "  mismatch: $name\n";
    }
}
echo "$good $total\n";
