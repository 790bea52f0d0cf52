"""Writes pin_block_4.vec: ISO 9564-1 format 4 blocks computed with the openssl command.
Usage: make_pin_block_4.py > pin_block_4.vec
"""
import subprocess

KEYS = ['000102030405060708090A0B0C0D0E0F', '000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F']
CASES = [('1234', '432198765432109870', 'F1F2F3F4F5F6F7F8'), ('123456789012', '5555555551234567', '0011223344556677'),
         ('98765', '123456789012', 'FFEEDDCCBBAA9988'), ('4321', '1234567890123456789', '0123456789ABCDEF')]


def aes(key, block):
    command = ['openssl', 'enc', f'-aes-{4 * len(key)}-ecb', '-nopad', '-K', key]
    return subprocess.run(command, input=block, capture_output=True, check=True).stdout


def main():
    print('# ISO 9564-1:2017, format 4: fields by 9.4.2.2 and 9.4.2.3, enciphered with OpenSSL by make_pin_block_4.py.')
    for key in KEYS:
        for pin, pan, random in CASES:
            pin_field = bytes.fromhex(f'4{len(pin):X}{pin}'.ljust(16, 'A') + random)
            pan_field = bytes.fromhex(f'{len(pan) - 12}{pan}'.ljust(32, '0'))
            mixed = bytes(a ^ b for a, b in zip(aes(key, pin_field), pan_field))
            print(f'Key = {key}\nPin = {pin}\nPan = {pan}\nRandom = {random}\nPinField = {pin_field.hex().upper()}')
            print(f'PanField = {pan_field.hex().upper()}\nBlock = {aes(key, mixed).hex().upper()}\n')


main()
