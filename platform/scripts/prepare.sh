#!/usr/bin/env bash
# Installs the Debian packages of the named groups that are missing, and unpacks the virtual reader's
# driver without installing it: the package would make the system's own pcscd listen on the network.
#
# Usage: platform/scripts/prepare.sh GROUP...      groups: build run test (packages.txt)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache="$root/build/downloads"

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        say "Root is needed for: $*"
        say "Run this script as root, or install sudo."
        exit 1
    fi
}

missing_packages() {
    local group name
    while read -r group name; do
        case " $* " in *" $group "*) ;; *) continue ;; esac
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
    done < <(grep -v '^#' "$here/packages.txt")
}

install_missing() {
    local missing
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    say "Installing from Debian: $(echo "$missing" | tr '\n' ' ')"
    as_root apt-get update -qq
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$cache/apt.log" 2>&1 || {
        tail -n 20 "$cache/apt.log" >&2
        say "apt could not install them; the whole log is $cache/apt.log"
        exit 1
    }
}

# The driver is one shared object of the package vsmartcard-vpcd; our pcscd loads it by its path.
unpack_reader_driver() {
    local driver="$root/build/downloads/vpcd/libifdvpcd.so" package
    [ ! -s "$driver" ] || return 0
    say "Fetching the virtual reader's driver (vsmartcard-vpcd, unpacked, not installed)"
    rm -rf "$cache/vpcd" "$cache/vpcd.unpack"
    mkdir -p "$cache/vpcd" "$cache/vpcd.unpack"
    (cd "$cache/vpcd.unpack" && { apt-get download -qq vsmartcard-vpcd >/dev/null 2>&1 ||
        { as_root apt-get update -qq && apt-get download -qq vsmartcard-vpcd >/dev/null; }; })
    package=$(ls "$cache"/vpcd.unpack/*.deb)
    dpkg-deb -x "$package" "$cache/vpcd.unpack/tree"
    cp "$(find "$cache/vpcd.unpack/tree" -name 'libifdvpcd.so*' -type f | head -n 1)" "$driver"
    rm -rf "$cache/vpcd.unpack"
}

mkdir -p "$cache"
install_missing "$@"
case " $* " in *" run "*) unpack_reader_driver ;; esac
