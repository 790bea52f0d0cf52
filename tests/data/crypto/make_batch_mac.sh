#!/bin/sh
# Writes batch_mac.vec: TACs and purchase MAC1s of cards whose keys come from an issuer's key, computed with
# the openssl command alone (3DES and SM4 in ECB and CBC). Usage: make_batch_mac.sh > batch_mac.vec
set -eu

bytes() { printf '%s' "$1" | xxd -r -p; }
hex() { xxd -p | tr -d '\n' | tr a-f A-F; }
invert() { printf '%s' "$1" | tr 0123456789ABCDEF FEDCBA9876543210; }
half() { printf '%s' "$1" | cut -c"$2"; }
sum() { # in halves: a shell's numbers are signed
    printf '%08X%08X' $((0x$(half "$1" 1-8) ^ 0x$(half "$2" 1-8))) $((0x$(half "$1" 9-16) ^ 0x$(half "$2" 9-16)))
}
sm4() { bytes "$2" | openssl enc -sm4-ecb -K "$1" -nopad | hex; }
tdes() { bytes "$2" | openssl enc -des-ede -K "$1" -nopad | hex; }
# CBC's last block, initial value zero; single DES as EDE with one key three times.
sm4_mac() { bytes "$2" | openssl enc -sm4-cbc -K "$1" -iv 00000000000000000000000000000000 -nopad | tail -c 16 | head -c 4 | hex; }
des_mac() { bytes "$2" | openssl enc -des-ede-cbc -K "$1$1" -iv 0000000000000000 -nopad | tail -c 8 | head -c 4 | hex; }
pad() { # to a multiple of $2 bytes with 80 00..
    text="${1}80"
    while [ $((${#text} % (2 * $2))) -ne 0 ]; do text="${text}00"; done
    printf '%s' "$text"
}

one() { # number master factor seed tac_input mac_input
    inverse=$(invert "$3")
    left=$(tdes "$2" "$3")
    right=$(tdes "$2" "$inverse")
    process=$(tdes "$left$right" "$4")
    card=$(sm4 "$2" "$3$inverse")
    sm4_process=$(sm4 "$card" "${4}8000000000000000")
    printf '\nMaster = %s\nFactor = %s\nSeed = %s\nTacInput = %s\nMacInput = %s\n' "$2" "$3" "$4" "$5" "$6"
    printf 'TripleDesTac = %s\n' "$(des_mac "$(sum "$left" "$right")" "$(pad "$5" 8)")"
    printf 'TripleDesMac1 = %s\n' "$(des_mac "$process" "$(pad "$6" 8)")"
    printf 'Sm4Tac = %s\n' "$(sm4_mac "$card" "$(pad "$5" 16)")"
    printf 'Sm4Mac1 = %s\n' "$(sm4_mac "$sm4_process" "$(pad "$6" 16)")"
}

echo "# Written by make_batch_mac.sh with $(openssl version | cut -d' ' -f1,2); rules: crypto/batch/verifier.hpp."
for i in 1 2 3 4 5 6 7 8; do
    digest=$(printf 'batch mac vector %d' "$i" | openssl dgst -sha512 -r | cut -c1-128 | tr a-f A-F)
    one "$i" "$(echo "$digest" | cut -c1-32)" "$(echo "$digest" | cut -c33-48)" \
        "$(echo "$digest" | cut -c49-64)" "$(echo "$digest" | cut -c65-108)" "$(echo "$digest" | cut -c77-112)"
done
