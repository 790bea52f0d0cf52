"""Writes key_block_sm4.vec: our private version 4 (docs/key_blocks.md, 4), computed with the openssl command alone.
Usage: make_key_block_sm4.py > key_block_sm4.vec
"""
import subprocess

KBPK = '0123456789ABCDEFFEDCBA9876543210'
KEY = '404142434445464748494A4B4C4D4E4F'


def openssl(arguments, data):
    return subprocess.run(['openssl', *arguments], input=data, capture_output=True, check=True).stdout


def cmac(key, data):
    out = openssl(['mac', '-cipher', 'SM4-CBC', '-macopt', 'hexkey:' + key, '-in', '/dev/stdin', 'CMAC'], data)
    return out.decode().strip().upper()


def derive(purpose):
    return cmac(KBPK, bytes.fromhex('01' + purpose + '00' + '8004' + '0080'))


def main():
    padding = bytes(range(0xA0, 0xA0 + 30))
    payload = bytes.fromhex('0080' + KEY) + padding
    header = f'4{16 + 2 * (len(payload) + 16):04}K04B00E0000'
    mac = cmac(derive('0001'), header.encode() + payload)
    sent = openssl(['enc', '-sm4-cbc', '-nopad', '-K', derive('0000'), '-iv', mac], payload).hex().upper()
    print('# Key blocks of our version 4, SM4: computed with OpenSSL by make_key_block_sm4.py beside this file.')
    print('Name = SM4 under SM4\nProtectionKey = ' + KBPK + '\nBlock = ' + header + sent + mac)
    print('Key = ' + KEY + '\nMethod = cmac\nKcv = ' + cmac(KEY, bytes(16))[:10])


main()
