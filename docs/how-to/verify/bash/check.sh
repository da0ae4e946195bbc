#!/usr/bin/env bash
# Runs verify.sh on every line of the vector file named as argument.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
good=0 total=0
# A tab is white space to `read`, which would swallow empty fields; so it is made a control character first.
while IFS=$'\x1f' read -r name id timestamp signature body secret now expected; do
    total=$((total + 1))
    if printf %s "$body" | base64 -d | bash "$here/verify.sh" "$id" "$timestamp" "$signature" "$secret" "$now" >/dev/null
    then answer=true; else answer=false; fi
    if [ "$answer" = "$expected" ]; then good=$((good + 1)); else echo "  mismatch: $name"; fi
done < <(tr '\t' '\037' < "$1")
echo "$good $total"
