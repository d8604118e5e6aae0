#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each, two at a time, and
# fails when one fails. Inputs that failed stay in the package's testdata/fuzz.
set -euo pipefail
export GO=${GO:-go} FUZZTIME=${FUZZTIME:-30s}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
one() {
  local dir=$1 name=$2 out
  out="$3/$(echo "$1-$2" | tr / _)"
  if "$GO" test "./$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 1x -parallel 1 >"$out" 2>&1; then
    echo "ok   $dir $name $(grep -oE 'execs: [0-9]+' "$out" | tail -n 1)"
  else
    echo "FAIL $dir $name"; cat "$out"; touch "$3/failed"
  fi
}
export -f one
grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's#^\./##; s#/[^/]+_test\.go:func # #' | sort -u >"$work/targets"
echo "$(wc -l <"$work/targets") targets, $FUZZTIME each"
xargs -a "$work/targets" -P 2 -L 1 bash -c 'one "$1" "$2" "$0"' "$work"
test ! -e "$work/failed"
