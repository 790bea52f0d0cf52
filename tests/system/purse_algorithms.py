"""What a card's keys, MACs and TACs must be: docs/algorithms.md once more, in another language and on OpenSSL's ciphers
(python3-cryptography). Nothing of crypto/ has a part in it, so that a mistake there does not repeat itself here.
"""
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def pad(data, block):
    """Padding method 2. ISO/IEC 9797-1, 6.3.3."""
    return data + b'\x80' + bytes(-(len(data) + 1) % block)


def inverted(data):
    return bytes(byte ^ 0xFF for byte in data)


def run(algorithm, mode, data):
    encryptor = Cipher(algorithm, mode).encryptor()
    return encryptor.update(data) + encryptor.finalize()


class Sm4:
    identifier, word = 0x04, b'sm4'

    @staticmethod
    def diversify(key, factor):  # 2
        return run(algorithms.SM4(key), modes.ECB(), factor + inverted(factor))

    @staticmethod
    def process_key(key, data):  # 3
        return run(algorithms.SM4(key), modes.ECB(), data + b'\x80' + bytes(7))

    @staticmethod
    def mac(process_key, data):  # 4
        return run(algorithms.SM4(process_key), modes.CBC(bytes(16)), pad(data, 16))[-16:-12]

    tac = mac  # 4: under the whole DTK

    @staticmethod
    def protection(key, challenge, command):  # 5
        start = challenge + bytes(16 - len(challenge))
        return run(algorithms.SM4(key), modes.CBC(start), pad(command, 16))[-16:-12]


class TripleDes:
    identifier, word = 0x00, b'3des'

    @staticmethod
    def diversify(key, factor):  # 2
        return run(algorithms.TripleDES(key), modes.ECB(), factor + inverted(factor))

    @staticmethod
    def process_key(key, data):  # 3
        return run(algorithms.TripleDES(key), modes.ECB(), data)

    @staticmethod
    def mac(process_key, data):  # 4; TripleDES of an eight-byte key is single DES
        return run(algorithms.TripleDES(process_key), modes.CBC(bytes(8)), pad(data, 8))[-8:-4]

    @classmethod
    def tac(cls, key, data):  # 4
        return cls.mac(bytes(a ^ b for a, b in zip(key[:8], key[8:])), data)

    @staticmethod
    def protection(key, challenge, command):  # 5: ISO/IEC 9797-1, algorithm 3
        chain, data = challenge + bytes(8 - len(challenge)), pad(command, 8)
        if len(data) > 8:
            chain = run(algorithms.TripleDES(key[:8]), modes.CBC(chain), data[:-8])[-8:]
        return run(algorithms.TripleDES(key), modes.CBC(chain), data[-8:])[:4]


def seeded_master(suite, usage):
    """The master from its published seed: docs/own_scripts.md, 2."""
    digest = hashes.Hash(hashes.SM3())
    for part in (b'onecard seeded random', usage.to_bytes(8, 'big'), len(suite.word).to_bytes(8, 'big'), suite.word, b'block', bytes(8)):
        digest.update(part)
    return digest.finalize()[:16]


def card_key(suite, usage, issuer, card):
    return suite.diversify(suite.diversify(seeded_master(suite, usage), issuer), card)
