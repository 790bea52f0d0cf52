#!/usr/bin/env bash
# Installs what is missing, builds, and runs a day of two cities through every real part: keys, cards and SAMs behind a real
# pcscd, gates, hosts over mutual TLS, settlement. Leaves var/demo/report.html to look at and var/demo/summary.json.
#
# Usage: ./run.sh [--seed N] [--cards N]   the day; the same seed gives the same summary apart from times
#        ./run.sh shell [--board virtual|mps2] [--suite sm4|3des] [COMMAND [ARGUMENT...]]
#                                          a shell, or your command, with a card and a SAM in a reader: docs/own_scripts.md
# Exit status: 0 when every fen and every trial ended as it must, 1 when not, 2 usage.
# All keys are throw-away ones. Nothing stays behind but build/ and var/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { printf '\033[1m%s\033[0m\n' "$*"; }
usage() { sed -n '2,10s/^# \{0,1\}//p' "$0"; }

mode=day
arguments=()
while [ $# -gt 0 ]; do
    case "$1" in
        shell) mode=shell; shift; break ;;
        --seed | --cards)
            case "${2:-}" in '' | *[!0-9]*) echo "run.sh: $1 takes a number" >&2; usage >&2; exit 2 ;; esac
            arguments+=("$1" "$2")
            shift ;;
        -h | --help) usage; exit 0 ;;
        *) echo "run.sh: $1 is unknown" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
board=virtual suite=sm4
while [ "$mode" = shell ] && [ $# -gt 0 ]; do
    case "$1 ${2:-}" in
        "--board virtual" | "--board mps2") board=$2 ;;
        "--suite sm4" | "--suite 3des") suite=$2 ;;
        "-h "* | "--help "*) usage; exit 0 ;;
        -*) echo "run.sh: shell: $1 ${2:-} is unknown" >&2; usage >&2; exit 2 ;;
        *) break ;; # a command
    esac
    shift 2
done

mkdir -p build/log var
exec 9>var/run.lock
flock -n 9 || { echo "run.sh: another ./run.sh is at work in this directory" >&2; exit 1; }
groups=(build run)
[ "$board" = virtual ] || groups+=(test) # the emulator and the cross compiler
platform/scripts/prepare.sh "${groups[@]}"
tests/system/reader_box 1 true # before the long build: does this system allow the readers' box?
say "Building (the first time takes minutes; the log is build/log/run.log)"
build() {
    if [ "$board" = mps2 ]; then
        cmake --preset cortex-m3 && cmake --build --preset cortex-m3 || return
    fi
    local targets=(onecard-card onecard-keys make_chips)
    [ "$mode" = shell ] || targets+=(onecard-terminal onecard-host call_host)
    cmake --preset release && cmake --build --preset release --target "${targets[@]}"
}
if ! build >build/log/run.log 2>&1; then
    tail -n 30 build/log/run.log
    say "The build failed; the whole log is build/log/run.log"
    exit 1
fi
if [ "$mode" = shell ]; then
    exec tests/system/reader_box 1 tests/system/card_shell build/release/bin var/chips --board "$board" --suite "$suite" "$@"
fi
mkdir -p var/demo
say "A day of two cities (one to two minutes)"
status=0
tests/system/reader_box 8 /usr/bin/python3 tests/system/day/two_city_day.py build/release/bin --out var/demo "${arguments[@]}" || status=$?
if [ -f var/demo/report.html ] && [ "$status" = 0 ]; then say "Look at var/demo/report.html; the figures are in var/demo/summary.json"; fi
exit "$status"
