#!/usr/bin/env bash
# Computes purse_sm4.vec with OpenSSL, from docs/algorithms.md alone: a second implementation of our own
# decisions. Needs openssl and xxd. Usage: make_purse_sm4.sh >purse_sm4.vec
set -euo pipefail

ecb() { # KEY DATA: SM4, no padding
    printf %s "$2" | xxd -r -p | openssl enc -sm4-ecb -nopad -K "$1" | xxd -p -c 256 | tr a-f A-F
}
invert() { printf %s "$1" | tr 0123456789ABCDEF FEDCBA9876543210; }
child() { ecb "$1" "$2$(invert "$2")"; }
pad() { # DATA: 80, then zeros to 16 bytes
    local data=${1}80
    while [ $((${#data} % 32)) -ne 0 ]; do data+=00; done
    printf %s "$data"
}
mac() { # KEY DATA [IV]: the left four bytes of the last CBC block
    pad "$2" | xxd -r -p | openssl enc -sm4-cbc -nopad -K "$1" -iv "${3:-00000000000000000000000000000000}" |
        tail -c 16 | xxd -p -c 32 | tr a-f A-F | cut -c 1-8
}

master=0123456789ABCDEFFEDCBA9876543210
issuer=0003100000000031
card=3104000000012345
city_key=$(child $master $issuer)
card_key=$(child "$city_key" $card)
tac_key=$(child "$(child FEDCBA98765432100123456789ABCDEF $issuer)" $card)

cat <<TEXT
# The electronic purse, SM4, by the rules of docs/algorithms.md: no public text gives such values. Computed
# with OpenSSL 3.0 by make_purse_sm4.sh beside this file.

Name = two levels
Suite = 04
Operation = diversify
Key = $master
Issuer = $issuer
Card = $card
CityKey = $city_key
CardKey = $card_key
TEXT

transaction() { # NAME OPERATION PROCESS-INPUT MAC1-INPUT MAC2-INPUT TAC-INPUT EXTRA-LINE
    local process
    process=$(ecb "$card_key" "$3")
    cat <<TEXT

Name = $1
Suite = 04
Operation = $2
Key = $card_key
Random = A1B2C3D4
Counter = 0007
$7
ProcessKey = $process
Mac1Input = $4
Mac1 = $(mac "$process" "$4")
Mac2Input = $5
Mac2 = $(mac "$process" "$5")
TacKey = $tac_key
TacInput = $6
Tac = $(mac "$tac_key" "$6")
TEXT
}
terminal=000001000050
when=20261123093850
transaction "50.00 loaded on 100.00" load A1B2C3D4000780008000000000000000 \
    0000271000001388"02$terminal" "0000138802$terminal$when" \
    "00003A9800070000138802$terminal$when" "# rand4 onlineSeq2 8000 | 80 00x7"
transaction "2.00 for a journey" purchase A1B2C3D40007F0078000000000000000 \
    "000000C809$terminal$when" 000000C8 \
    "000000C809${terminal}0012F007$when" "Sequence = 0012F007"

maintenance=00112233445566778899AABBCCDDEEFF
header=04D6950022
data=07314100000000000101000041000000899999852015060520380808000000000000
data=${data:0:60}
written=01003300D03A01624D2E0255E5CE47218BA45DC8
cipher=$(ecb $maintenance "$(pad 14$written)")
cat <<TEXT

Name = file update
Suite = 04
Operation = message
Key = $maintenance
Challenge = 1FB1F7C0
Header = $header
Data = $data
Mac = $(mac $maintenance $header$data 1FB1F7C0000000000000000000000000)

Name = key written
Suite = 04
Operation = encipher
Key = $maintenance
Plain = $written
Data = $cipher
TEXT

# External authentication: left half XOR right half of SM4(challenge | 00 x 8).
challenge=1122334455667788
block=$(ecb $master ${challenge}0000000000000000)
cat <<TEXT

Name = authentication
Suite = 04
Operation = authenticate
Key = $master
Challenge = $challenge
Data = $(printf %016X $((0x${block:0:16} ^ 0x${block:16:16})))
TEXT
