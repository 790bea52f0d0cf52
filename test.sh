#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#
# Usage: ./test.sh          everything: Cortex-M3 image, release, sanitized, fuzz targets
#        ./test.sh quick    the sanitized build's tests that need no readers: the loop while editing
# A log of each step stands in build/log/. The last line counts the tests: "N passed, N failed".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
mkdir -p build/log
passed=0
failed=0

say() { printf '\033[1m%s\033[0m\n' "$*"; }

step() {  # NAME COMMAND...: runs it with its output in a log; a failure ends the run
    local name=$1 started=$SECONDS
    shift
    say "== $name"
    if ! "$@" >"build/log/${name// /-}.log" 2>&1; then
        tail -n 40 "build/log/${name// /-}.log"
        say "$name failed; the whole log is build/log/${name// /-}.log"
        echo "$passed passed, $((failed + 1)) failed"
        exit 1
    fi
    echo "   $((SECONDS - started)) s"
}

build() {  # PRESET [TARGET-OPTION...]
    step "configure $1" cmake --preset "$1"
    step "build $1" cmake --build --preset "$@"
}

run_tests() {  # PRESET CTEST-OPTION...
    local preset=$1 log="build/log/test-$1.log" counts
    shift
    say "== test $preset"
    ctest --preset "$preset" "$@" 2>&1 | tee "$log" | grep -E '^ *[0-9]+/[0-9]+ Test|\*\*\*|tests passed'
    # What the tear runs counted: CTest keeps it to itself when they pass.
    sed -n 's/.*MESSAGE: \(tear run.*\)/   \1/p' "build/$preset/Testing/Temporary/LastTest.log"
    counts=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$log")
    if [ -z "$counts" ]; then
        tail -n 20 "$log"
        counts="1 1"
    fi
    failed=$((failed + ${counts% *}))
    passed=$((passed + ${counts#* } - ${counts% *}))
}

case "${1:-everything}" in
    quick | everything) ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
if [ "${1:-}" = quick ]; then
    build dev
    run_tests dev -LE 'system|bench|wear|image' -j2
else
    step "prepare" platform/scripts/prepare.sh build run test
    build cortex-m3 # first: the release tests run its image
    build release
    run_tests release -j2
    build dev
    run_tests dev -LE 'system|bench|wear|house|image' -j2
    build fuzz --target fuzz_targets
    run_tests fuzz -L fuzz -j2
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
