#!/usr/bin/env bash
# Says whether a request verifies, and if not, why. For looking into a problem, not for a server.
# usage: verify.sh ID TIMESTAMP SIGNATURES SECRET [NOW] < raw-body
set -euf -o pipefail # -f: a header is data, its stars name no files
id=$1 timestamp=$2 signatures=$3 secret=$4 now=${5:-$(date +%s)} tolerance=300

[ -n "$id" ] || { echo "no webhook-id"; exit 1; }
[[ $timestamp =~ ^[0-9]{1,12}$ ]] || { echo "webhook-timestamp is not a number of seconds"; exit 1; }
age=$((now - 10#$timestamp))
[ "${age#-}" -le "$tolerance" ] || { echo "webhook-timestamp is $age seconds old"; exit 1; }

key=$(printf %s "${secret#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
expected=v1,$({ printf '%s.%s.' "$id" "$timestamp"; cat; } |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)
for candidate in $signatures; do
    if [ "$candidate" = "$expected" ]; then echo "ok"; exit 0; fi
done
echo "no signature matches; for this body and secret it would be $expected"
exit 1
