#!/usr/bin/env bash
# Installs the Debian packages of the named groups that are missing, and unpacks the virtual reader's
# driver without installing it: the package would make the system's own pcscd listen on the network.
# For the card's image (group test) it also unpacks the source of Debian's mbedTLS into build/downloads.
# $ONECARD_DEBIAN_MIRROR: where Debian's source packages are, if not http://deb.debian.org/debian.
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

# The card's image compiles mbedTLS from the same Debian package's source as the host's library. The build fetches nothing.
unpack_mbedtls() {
    local version=2.28.3-1 tree="$cache/mbedtls-2.28.3" work="$cache/mbedtls.unpack" apt
    local hash=a8bf91b5ffb40654efb0ebe0c962ac1e87b8eed5e104880982eaa70dd4bb33e3 # of the .dsc, which has the others'
    [ ! -s "$tree/library/des.c" ] || return 0
    say "Fetching the source of mbedTLS $version (Debian source package)"
    rm -rf "$work" "$tree"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "${ONECARD_DEBIAN_MIRROR:-http://deb.debian.org/debian} bookworm main" >"$work/source.list"
    # A list of its own: the system's configuration of apt stays as it is.
    apt=(apt-get -qq -o "Dir::Etc::SourceList=$work/source.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=)
    if ! { "${apt[@]}" update && (cd "$work" && "${apt[@]}" source --download-only "mbedtls=$version"); } >"$cache/mbedtls.log" 2>&1
    then
        tail -n 5 "$cache/mbedtls.log" >&2
        say "The source of mbedTLS $version could not be fetched; name a mirror that has it in ONECARD_DEBIAN_MIRROR"
        exit 1
    fi
    if ! echo "$hash  $work/mbedtls_$version.dsc" | sha256sum --check --quiet >&2; then
        say "mbedtls_$version.dsc is not the file that this project was built with; nothing was unpacked"
        exit 1
    fi
    dpkg-source --extract "$work/mbedtls_$version.dsc" "$work/tree" >>"$cache/mbedtls.log" 2>&1 || {
        tail -n 5 "$cache/mbedtls.log" >&2
        say "dpkg-source refused the source of mbedTLS; the whole log is $cache/mbedtls.log"
        exit 1
    }
    mv "$work/tree" "$tree"
    rm -rf "$work"
}

mkdir -p "$cache"
install_missing "$@"
case " $* " in *" run "*) unpack_reader_driver ;; esac
case " $* " in *" test "*) unpack_mbedtls ;; esac
