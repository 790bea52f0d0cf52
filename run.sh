#!/usr/bin/env bash
# Installs what is missing, builds, and shows a card and a SAM behind a real pcscd to standard tools.
#
# Usage: ./run.sh          the card's ATR, application, file 15 and balance, as opensc-tool and scriptor see them
#        ./run.sh shell    a shell with the card in the reader, for curious people
# The keys in these chips are throw-away ones. Nothing stays behind but build/ and var/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
mode=${1:-show}
case "$mode" in show | shell) ;; *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;; esac

say() { printf '\033[1m%s\033[0m\n' "$*"; }

mkdir -p build/log var/chips
platform/scripts/prepare.sh build run test
say "Building (the first time takes minutes; the log is build/log/run.log)"
if ! { cmake --preset release && cmake --build --preset release --target onecard-card make_chips; } >build/log/run.log 2>&1; then
    tail -n 30 build/log/run.log
    say "The build failed; the whole log is build/log/run.log"
    exit 1
fi
build/release/bin/make_chips var/chips
exec tests/system/reader_box 1 tests/system/show_card "$mode"
