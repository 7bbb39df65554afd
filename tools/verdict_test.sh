#!/usr/bin/env bash
# Passes where the verdict of a model folder is PASSED; shows it otherwise. Usage: verdict_test.sh MODEL_FOLDER
set -euo pipefail
verdict=$1/quern/verdict.json
grep -q '"result": "PASSED"' "$verdict" && exit 0
cat "$verdict"
exit 1
