#!/usr/bin/env bash
# What SM2 costs a card: builds the card's engine for a Cortex-M4, counts code, instructions and stack, and fails when one
# is above its budget (docs/sm2.md). Needs arm-none-eabi-g++ and qemu-system-arm.
#
# Usage: tests/bench/sm2_card/run.sh [WORK_DIRECTORY]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=$(realpath -m "${1:-$root/build/sm2_card}")
text_max=3277 # 3.2 KB: sign_digest and verify_digest with all they use
text_with_keys_max=3900
sign_max=9000000
verify_max=17000000
stack_max=2048

mkdir -p "$work"
cd "$root"
arm-none-eabi-g++ -std=c++23 -Os -mcpu=cortex-m4 -mthumb -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections \
    -DONECARD_SM2_CARD_ENGINE -I. crypto/sm2/scheme.cpp crypto/sm2/card_engine.cpp crypto/core/sm3.cpp \
    "$here/main.cpp" -T "$here/image.ld" -nostartfiles --specs=nosys.specs --specs=nano.specs -Wl,--gc-sections \
    -Wl,--no-warn-rwx-segments -o "$work/sm2_card.elf"

# Functions and constants of crypto::sm2 that the linker kept, each address once. Loading a private key and checking a
# public point happen once per key and are counted apart.
size_of() { # all | keys
    arm-none-eabi-nm -CS "$work/sm2_card.elf" | awk -v which="$1" '
        NF < 4 || !/ crypto::(sm2::|wipe_stack)/ || seen[$1]++ { next }
        { key = /[ <]crypto::sm2::(PrivateKey|PublicKey)::/ || /engine::(is_on_curve|invert_modulo_n)/ }
        which == "all" || key { print $2 }' |
        { sum=0; while read -r size; do sum=$((sum + 16#$size)); done; echo "$sum"; }
}
all=$(size_of all)
keys=$(size_of keys)
output=$(timeout 120 qemu-system-arm -M mps2-an386 -cpu cortex-m4 -nographic -monitor none -serial none \
    -icount shift=0 -semihosting-config enable=on,target=native -kernel "$work/sm2_card.elf" 2>&1)

failed=0
check() { # NAME VALUE MAX
    local verdict=ok
    if ! [ "$2" -le "$3" ] 2>/dev/null; then verdict="ABOVE BUDGET" failed=1; fi
    printf '%-22s %10s  budget %10s  %s\n' "$1" "$2" "$3" "$verdict"
}
value() { awk -v name="$1" '$1 == name { print $2 }' <<<"$output"; }
if [ "$(value result)" != ok ]; then
    printf 'The image did not end well. It printed:\n%s\n' "$output" >&2
    exit 1
fi
check sign_verify_text "$((all - keys))" "$text_max"
check with_keys_text "$all" "$text_with_keys_max"
check sign_instructions "$(value sign_instructions)" "$sign_max"
check verify_instructions "$(value verify_instructions)" "$verify_max"
check sign_stack_bytes "$(value sign_stack_bytes)" "$stack_max"
check verify_stack_bytes "$(value verify_stack_bytes)" "$stack_max"
exit "$failed"
