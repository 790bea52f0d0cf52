"""onecard-keys calc (docs/calculator.md): every published value of tests/data is shown by the program, and what must be
refused is refused in one line.

Usage: calculator_test.py PROGRAM TESTS_DATA [N]
N: only each Nth value of a file, for a sanitized program, which is ten times slower to start.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM, DATA = sys.argv[1], sys.argv[2]
STEP = int(sys.argv[3]) if len(sys.argv) > 3 else 1
CALC = (PROGRAM, 'calc')
SHOWN = 0  # published values the program was seen to print


def vectors(path):
    """`Name = value` lines; a vector ends at an empty line."""
    out, fields = [], {}
    with open(os.path.join(DATA, path), encoding='utf8') as file:
        for line in [*file.read().split('\n'), '']:
            if not line and fields:
                out.append(fields)
                fields = {}
            elif line and not line.startswith('#'):
                name, value = line.split(' =', 1)
                fields[name] = value.strip()
    assert out, path
    return out[::STEP]


def calc(*arguments, stdin=''):
    return subprocess.run([*CALC, *arguments], input=stdin, capture_output=True, text=True, timeout=60)


def shown(*arguments):
    """The names and values a successful calculation prints."""
    done = calc(*arguments)
    assert done.returncode == 0 and not done.stderr, (arguments, done)
    return dict(line.split(': ', 1) for line in done.stdout.splitlines())


def options(fields, **names):
    """--option value for the fields a vector has."""
    out = []
    for option, field in names.items():
        if field in fields:
            out += ['--' + option.replace('_', '-'), fields[field]]
    return out


class Case(unittest.TestCase):
    def expect(self, result, name, value, beginning=False):
        global SHOWN
        SHOWN += 1
        self.assertIn(name, result)
        self.assertEqual(result[name][:len(value)] if beginning else result[name], value.replace(' ', ''))


class PublishedValues(Case):
    def test_digests(self):
        for v in vectors('crypto/sm3.vec'):
            self.expect(shown('digest', '--algorithm', 'sm3', '--data', v['In']), 'digest', v['Out'])
        for v in vectors('crypto/digest.vec'):
            self.expect(shown('digest', '--algorithm', v['Algorithm'], '--data', v['In']), 'digest', v['Out'])

    def test_block_ciphers(self):
        for v in vectors('crypto/block_cipher.vec'):
            cipher = v['Cipher'].replace('triple_des', '3des')
            base = ['cipher', '--algorithm', cipher, '--mode', 'ecb', '--key', v['Key']]
            self.expect(shown(*base, '--data', v['In']), 'data', v['Out'])
            self.expect(shown(*base, '--data', v['Out'], '--decrypt'), 'data', v['In'])

    def test_modes(self):
        for v in vectors('crypto/sm4_modes.vec') + vectors('crypto/sm4_more_modes.vec') + vectors('crypto/sm4_xts.vec'):
            base = ['cipher', '--algorithm', 'sm4', '--mode', v['Mode'], *options(v, key='Key', iv='Iv', aad='Aad')]
            result = shown(*base, '--data', v['In'])
            self.expect(result, 'data', v['Out'])
            if 'Tag' in v:
                self.expect(result, 'tag', v['Tag'])
            self.expect(shown(*base, '--data', v['Out'], '--decrypt', *options(v, tag='Tag')), 'data', v['In'])

    def test_a_million_blocks_are_a_library_test(self):
        # GB/T 32907, A.2, runs in crypto_core_test; here its first two links.
        block = '0123456789ABCDEFFEDCBA9876543210'
        base = ['cipher', '--algorithm', 'sm4', '--mode', 'ecb', '--key', block]
        first = shown(*base, '--data', block)['data']
        self.assertEqual(first, '681EDF34D206965E86B3E94F536E4246')
        self.assertNotEqual(shown(*base, '--data', first)['data'], first)

    def test_macs(self):
        for v in vectors('crypto/mac.vec'):
            padding = options(v, padding='Padding')
            result = shown('mac', '--algorithm', v['Algorithm'], '--cipher', v['Cipher'], *padding,
                           *options(v, key='Key', iv='Iv', data='In'))
            self.expect(result, 'mac', v['Out'])
        for v in vectors('crypto/hmac_sm3.vec'):
            self.expect(shown('mac', '--algorithm', 'hmac-sm3', *options(v, key='Key', data='In')), 'mac', v['Out'])

    def test_terminal_keys(self):
        for v in vectors('crypto/pos_keys.vec'):
            result = shown('cipher', '--algorithm', v['Cipher'], '--mode', 'ecb', '--decrypt', '--key', v['TransportKey'],
                           '--data', v['Encrypted'])
            self.expect(result, 'data', v['Key'])
            if 'Check' in v:
                result = shown('kcv', '--cipher', v['Cipher'], '--method', 'legacy', '--key', v['Key'])
                self.expect(result, 'block', v['Check'], beginning=True)
            if 'Mac' in v:
                result = shown('mac', '--algorithm', 'unionpay', '--cipher', 'des', '--key', v['Key'], '--data', v['Message'])
                self.expect(result, 'mac', v['Mac'].encode().hex().upper())

    def test_purse(self):
        for v in vectors('crypto/purse.vec') + vectors('crypto/purse_sm4.vec'):
            suite = {'00': '3des', '04': 'sm4'}[v['Suite']]
            if v['Operation'] in ('load', 'purchase'):
                self.purse_transaction(suite, v)
            if v['Operation'] == 'diversify':
                result = shown('diversify', '--suite', suite, '--key', v['Key'], '--factor', v['Issuer'], '--factor', v['Card'])
                self.expect(result, 'level_1', v['CityKey'])
                self.expect(result, 'key', v['CardKey'])

    def purse_transaction(self, suite, v):
        load = v['Operation'] == 'load'
        mac1 = v['Mac1Input']
        fields = mac1[8:] if load else mac1  # amount4 type1 term6 [date4 time3]
        when = v.get('Mac2Input', '')[-14:] if load else mac1[-14:]
        command = ['purse', '--suite', suite, '--operation', v['Operation'], '--amount', fields[:8], '--type', fields[8:10],
                   '--terminal', fields[10:22], '--date', when[:8], '--time', when[8:],
                   *options(v, key='Key', random='Random', counter='Counter', terminal_counter='Sequence', tac_key='TacKey')]
        if load:
            command += ['--balance', mac1[:8]]
        result = shown(*command)
        for name, field in (('session_key', 'ProcessKey'), ('mac1', 'Mac1'), ('mac2', 'Mac2'), ('tac', 'Tac')):
            if field in v:
                self.expect(result, name, v[field])

    def test_secure_messaging(self):
        for v in vectors('crypto/secure_messaging.vec') + vectors('crypto/purse_sm4.vec'):
            suite = {'00': '3des', '04': 'sm4'}[v['Suite']]
            base = ['secure-messaging', '--suite', suite, '--key', v['Key']]
            if v['Operation'] == 'message':
                result = shown(*base, *options(v, challenge='Challenge', header='Header', data='Data'))
                self.expect(result, 'mac', v['Mac'])
            if v['Operation'] == 'authenticate':
                result = shown(*base, '--operation', 'authenticate', '--challenge', v['Challenge'])
                self.expect(result, 'cryptogram', v['Data'])
            if v['Operation'] == 'encipher':
                self.expect(shown(*base, '--operation', 'encipher', '--data', v['Plain']), 'data', v['Data'])

    def test_emv(self):
        for v in vectors('crypto/emv.vec'):
            result = shown('emv', *options(v, mdk='Mdk', pan='Pan', psn='Psn', option='Option', session='Session', atc='Atc',
                                           random='R', padding='Padding', data='Data', arc='Arc', csu='Csu',
                                           proprietary='Proprietary', arpc_key='ArpcKey'))
            for name, field in (('udk', 'Udk'), ('session_key', 'SessionKey'), ('ac', 'Ac'), ('arpc', 'Arpc')):
                if field in v:
                    self.expect(result, name, v[field])
            for name, field in (('udk', 'UdkKcv'), ('session_key', 'SessionKcv')):
                if field in v:
                    check = shown('kcv', '--cipher', '3des', '--method', 'legacy', '--key', result[name])
                    self.expect(check, 'block', v[field], beginning=True)

    def test_pin_blocks(self):
        for v in vectors('crypto/pin_block.vec'):
            base = ['pin-block', '--format', v['Format'], *options(v, pan='Pan')]
            self.expect(shown(*base, '--pin', v['Pin']), 'pin_block', v['Block'])
            self.expect(shown(*base, '--block', v['Block']), 'pin', v['Pin'])
        for v in vectors('crypto/pin_block_4.vec'):
            base = ['pin-block', '--format', '4', *options(v, pan='Pan', key='Key')]
            result = shown(*base, '--pin', v['Pin'], '--random', v['Random'])
            for name, field in (('pin_field', 'PinField'), ('pan_field', 'PanField'), ('encrypted', 'Block')):
                self.expect(result, name, v[field])
            self.expect(shown(*base, '--block', v['Block']), 'pin', v['Pin'])

    def test_ibm3624(self):
        for v in vectors('crypto/ibm3624.vec'):
            result = shown('ibm3624', *options(v, key='Key', validation='Validation', table='Table', offset='Offset'))
            self.expect(result, 'pin', v['Pin'])

    def test_check_values_recorded_in_a_block(self):
        key, kbpk = '000102030405060708090A0B0C0D0E0F', '88E1AB2A2E3DD38C1FA039A536500CC8'
        for method, number, size in (('legacy', '00', 6), ('cmac', '01', 10)):
            wrapped = shown('key-block', 'wrap', '--kbpk', kbpk, '--header', 'D0000D0AB00N0000', '--key', key, '--check-value', method)
            opened = shown('key-block', 'unwrap', '--kbpk', kbpk, wrapped['block'])
            kcv = shown('kcv', '--cipher', 'aes', '--method', method, '--key', key)['kcv']
            self.assertEqual((opened['optional_KC'], len(kcv)), (number + kcv, size))

    def test_key_blocks(self):
        for v in vectors('crypto/key_block.vec') + vectors('crypto/key_block_sm4.vec'):
            result = shown('key-block', 'unwrap', '--kbpk', v['ProtectionKey'], v['Block'])
            self.expect(result, 'key', v['Key'])
            self.expect(result, 'kcv', v['Kcv'], beginning=True)
            self.expect(result, 'method', v['Method'])
            if 'OptionalId' in v:
                self.expect(result, 'optional_' + v['OptionalId'], v['OptionalData'])
            if v['Block'][0] in 'BD4':
                header = v['Block'][:40 if 'OptionalId' in v else 16]
                block = shown('key-block', 'wrap', '--kbpk', v['ProtectionKey'], '--header', header, '--key', v['Key'])['block']
                self.expect(shown('key-block', 'unwrap', '--kbpk', v['ProtectionKey'], block), 'key', v['Key'])

    def test_secure_channels(self):
        for v in vectors('crypto/secure_channel.vec'):
            command = ['scp', *options(v, protocol='Protocol', enc='Enc', mac='Mac', dek='Dek', host_challenge='HostChallenge',
                                       card_challenge='CardChallenge', sequence='Sequence', level='Level')]
            count = sum(1 for name in v if name.startswith('Command'))
            for i in range(1, count + 1):
                command += ['--command', v[f'Command{i}']]
            result = shown(*command)
            self.expect(result, 'card_cryptogram', v['CardCryptogram'])
            self.expect(result, 'external_authenticate', v['ExternalAuthenticate'])
            for i in range(1, count + 1):
                self.expect(result, f'command_{i}', v[f'Wrapped{i}'])

    def test_channel_keys(self):
        for v in vectors('crypto/channel_keys.vec'):
            aes = v['Method'] == 'kdf3'
            result = shown('scp', '--protocol', '03' if aes else '02', '--diversification', v['Method'],
                           *options(v, master='Master', kdd='Kdd'))
            if 'Enc' in v:
                self.expect(result, 'enc', v['Enc'])
            for name, field in (('enc', 'EncKcv'), ('mac', 'MacKcv'), ('dek', 'DekKcv')):
                if field in v:  # GlobalPlatform's check values: AES of 01 bytes
                    check = shown('cipher', '--algorithm', 'aes' if aes else '3des', '--mode', 'ecb', '--key', result[name],
                                  '--data', '01' * 16 if aes else '00' * 8)
                    self.expect(check, 'data', v[field], beginning=True)

    def test_sm2(self):
        v = vectors('sm2/standard_signature.vec')[0]
        signed = shown('sm2', 'sign', '--private', v['D'], '--public', v['Key'], '--id', v['Id'], '--data', v['Message'], '--k', v['K'])
        for name, field in (('public', 'Key'), ('z', 'Z'), ('e', 'E'), ('signature', 'Signature')):
            self.expect(signed, name, v[field])
        verify = ['sm2', 'verify', '--public', v['Key'], '--data', v['Message'], '--signature', v['Signature']]
        self.assertEqual((calc(*verify).stdout, calc(*verify).returncode), ('VALID\n', 0))
        other = calc(*verify, '--id', '00')
        self.assertEqual((other.stdout, other.returncode, other.stderr), ('INVALID\n', 1, ''))
        fresh = shown('sm2', 'sign', '--private', v['D'], '--data', v['Message'])['signature']
        self.assertNotEqual(fresh, signed['signature'])
        self.assertEqual(calc(*verify[:-1], fresh).stdout, 'VALID\n')

        v = vectors('sm2/standard_encryption.vec')[0]
        self.expect(shown('sm2', 'encrypt', '--public', v['Key'], '--data', v['In'], '--k', v['K']), 'data', v['Out'])
        self.expect(shown('sm2', 'decrypt', '--private', v['D'], '--data', v['Out']), 'data', v['In'])
        broken = calc('sm2', 'decrypt', '--private', v['D'], '--data', v['Out'][:-1] + '0')
        self.assertEqual((broken.returncode, broken.stdout), (1, ''))
        self.assertIn('ciphertext_mismatch', broken.stderr)

    def test_certificates(self):
        for v in vectors('crypto/emv_certificate.vec'):
            command = ['certificate', '--scheme', 'rsa', *options(v, certificate='Certificate', public='Signer', exponent='SignerExponent',
                                                                  remainder='Remainder', key_exponent='Exponent')]
            done = calc(*command, '--json', '--pan', v['Pan'].rstrip('F'))
            result = json.loads(done.stdout)
            for name in ('Kind', 'Subject', 'Expiry', 'Serial', 'Modulus', 'Exponent', 'Hash'):
                self.expect(result, name.lower(), v[name])
            valid = v['Kind'] == 'issuer'  # the card's static data is not published
            self.assertEqual((result['result'], done.returncode), ('VALID', 0) if valid else ('INVALID', 1))
            self.assertEqual(result.get('reason'), None if valid else 'hash_mismatch')
            self.assertEqual(calc(*command, '--date', '20990101').stdout.splitlines()[-1], 'INVALID')
        root = shown('sm2', 'sign', '--private', '01' * 32, '--data', '00')['public']
        fields = '12' + '621022FF' + '1231' + '000007' + '04001140' + root
        signature = shown('sm2', 'sign', '--private', '01' * 32, '--data', fields)['signature']
        command = ['certificate', '--scheme', 'sm2', '--public', root, '--certificate', fields + signature]
        done = calc(*command)
        self.assertEqual((done.stdout.splitlines()[0], done.stdout.splitlines()[-1], done.returncode), ('kind: issuer', 'VALID', 0))
        other = shown('sm2', 'sign', '--private', '02' * 32, '--data', '00')['public']
        done = calc('certificate', '--scheme', 'sm2', '--public', other, '--certificate', fields + signature)
        self.assertEqual((done.stdout.splitlines()[-2:], done.returncode), (['reason: signature_mismatch', 'INVALID'], 1))
        self.assertEqual(calc(*command[:-1], fields).returncode, 1)

    def test_tlv(self):
        chip = '9F2608C20428A3FF53F0AD9F2701809F101307010103AB806010000000000900000C060A299F37040B7FBD48'
        text = calc('tlv', chip).stdout
        self.assertEqual(text.splitlines()[0], '9F26 (Application Cryptogram): C20428A3FF53F0AD')
        objects = json.loads(calc('tlv', '--data', chip, '--json').stdout)['objects']
        self.assertEqual([o['tag'] for o in objects], ['9F26', '9F27', '9F10', '9F37'])
        nested = calc('tlv', '6F1A840E315041592E5359532E4444463031A5088801025F2D02656E').stdout.splitlines()
        self.assertEqual(nested[-1], '    5F2D (Language Preference): 656E')


class Manners(Case):
    DIGEST = ('digest', '--algorithm', 'sm3', '--data')

    def refused(self, *arguments, stdin='', says=''):
        done = calc(*arguments, stdin=stdin)
        self.assertEqual((done.returncode, done.stdout), (2, ''), arguments)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertTrue(done.stderr.startswith('onecard-keys: '), done.stderr)
        self.assertIn(says, done.stderr)

    def test_odd_hex_wrong_digits_wrong_lengths_unknown_options(self):
        key16, key15 = '00' * 16, '00' * 15
        self.refused(*self.DIGEST, '616', says='--data')
        self.refused(*self.DIGEST, '6x', says='--data')
        self.refused(*self.DIGEST, '00', '--salt', '00', says='--salt')
        self.refused('digest', '--algorithm', 'md5', '--data', '00', says='--algorithm')
        self.refused('digest', '--algorithm', 'sm3', says='--data')
        self.refused('frobnicate')
        self.refused()
        self.refused('cipher', '--algorithm', 'sm4', '--mode', 'ecb', '--key', key15, '--data', key16, says='--key: 16 bytes')
        self.refused('cipher', '--algorithm', 'sm4', '--mode', 'cbc', '--key', key16, '--data', key15, says='--data')
        self.refused('cipher', '--algorithm', 'sm4', '--mode', 'cbc', '--key', key16, '--data', key16, '--iv', '00', says='--iv')
        self.refused('cipher', '--algorithm', 'sm4', '--mode', 'ecb', '--key', key16, '--data', key16, '--iv', key16, says='--iv')
        self.refused('cipher', '--algorithm', '3des', '--mode', 'gcm', '--key', key16, '--data', '', '--iv', '00', says='--mode')
        self.refused('cipher', '--algorithm', 'aes', '--mode', 'gcm', '--key', key16, '--data', '', says='--iv')
        self.refused('cipher', '--algorithm', 'aes', '--mode', 'cbc', '--key', key16, '--data', '', '--aad', '00', says='--aad')
        self.refused('mac', '--algorithm', 'cmac', '--key', key16, '--data', '', says='--cipher')
        self.refused('mac', '--algorithm', 'retail', '--cipher', 'des', '--key', '00' * 8, '--data', '', says='--key')
        self.refused('mac', '--algorithm', 'cbc-mac', '--cipher', 'des', '--padding', '3', '--key', key16, '--data', '', says='--padding')
        self.refused('kcv', '--cipher', 'aes', '--method', 'legacy', '--key', key15, says='--key')
        self.refused('diversify', '--suite', 'sm4', '--key', key16, '--factor', '00', says='--factor: 8 bytes')
        self.refused('diversify', '--suite', 'sm4', '--key', key16, says='--factor')
        self.refused('secure-messaging', '--key', key16, '--challenge', '00', '--header', '84D49500', says='--challenge')
        self.refused('secure-messaging', '--key', key16, '--challenge', '00' * 4, '--header', '84D4950005', says='--header')
        self.refused('emv', '--mdk', key16, '--pan', '12x', '--psn', '00', '--atc', '0001', '--data', '00', says='--pan')
        self.refused('emv', '--mdk', key16, '--pan', '1234', '--psn', '0', '--atc', '0001', '--data', '00', says='--psn')
        self.refused('emv', '--mdk', key16, '--pan', '1234', '--psn', '00', '--data', '00', says='--atc')
        self.refused('pin-block', '--format', '0', '--pin', '123', '--pan', '5555555551234567', says='--pin')
        self.refused('pin-block', '--format', '0', '--pin', '1234', '--pan', '5', says='--pan')
        self.refused('pin-block', '--format', '5', '--pin', '1234', says='--format')
        self.refused('key-block', 'wrap', '--kbpk', key16, '--header', 'D0000P0AE00E00', '--key', key16, says='--header')
        self.refused('key-block', 'wrap', '--kbpk', key16, '--header', 'A0000K0TB00E0000', '--key', key16, says='version_not_written')
        self.refused('scp', '--protocol', '03', '--enc', key16, '--mac', key16, '--dek', key15, says='--dek')
        self.refused('sm2', 'sign', '--private', '00' * 32, '--data', '00', says='--private')
        self.refused('sm2', 'verify', '--public', '00' * 64, '--data', '00', '--signature', '00' * 64, says='--public')
        self.refused('sm2', 'verify', '--public', '00' * 63, '--data', '00', '--signature', '00' * 64, says='--public')

    def test_purse_refusals(self):
        good = {'--suite': '3des', '--operation': 'purchase', '--key': '00' * 16, '--random': '00' * 4, '--counter': '0000',
                '--terminal-counter': '00000001', '--amount': '00000001', '--terminal': '00' * 6, '--date': '20261123',
                '--time': '120000'}
        command = lambda changes: ['purse', *[x for pair in {**good, **changes}.items() for x in pair]]
        self.assertEqual(calc(*command({})).returncode, 0)
        for option, wrong in (('--key', '00' * 15), ('--random', '00'), ('--counter', '00'), ('--amount', '0001'), ('--terminal', '00'),
                              ('--date', '20261301'), ('--date', '2026112A'), ('--time', '250000'), ('--type', '0A'), ('--suite', 'aes'),
                              ('--operation', 'refund'), ('--terminal-counter', '000001'), ('--balance', '00000000'),
                              ('--auth-code', '00'), ('--tac-key', '00')):
            self.refused(*command({option: wrong}), says=option)
        self.refused(*command({'--terminal-counter': '0001', '--tac-key': '00' * 16}), says='--terminal-counter')

    def test_refusals_that_are_no_mistakes_of_the_command_line(self):
        v = vectors('crypto/key_block.vec')[0]
        done = calc('key-block', 'unwrap', '--kbpk', v['ProtectionKey'], v['Block'][:-1] + '0')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('mac_mismatch', done.stderr)
        v = next(v for v in vectors('crypto/sm4_more_modes.vec') if 'Tag' in v)
        done = calc('cipher', '--algorithm', 'sm4', '--mode', v['Mode'], '--decrypt', '--key', v['Key'], '--iv', v['Iv'], '--aad', v['Aad'],
                    '--data', v['Out'], '--tag', '00' * 16)
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('tag_mismatch', done.stderr)
        done = calc('tlv', '6F05840100')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('truncated', done.stderr)

    def test_values_come_from_files_and_standard_input_too(self):
        abc = '66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0'
        with tempfile.NamedTemporaryFile('w', suffix='.hex') as file:
            file.write('61 62\n\t63\n')
            file.flush()
            self.assertEqual(shown(*self.DIGEST, '@' + file.name)['digest'], abc)
        self.assertEqual(calc(*self.DIGEST, '-', stdin='616263\n').stdout, f'digest: {abc}\n')
        self.assertEqual(calc(*self.DIGEST, '-', stdin='616263').stdout, f'digest: {abc}\n')
        two = calc('mac', '--algorithm', 'cbc-mac', '--cipher', 'sm4', '--key', '-', '--data', '-', stdin='00' * 16 + '\n0102\n')
        same = calc('mac', '--algorithm', 'cbc-mac', '--cipher', 'sm4', '--key', '00' * 16, '--data', '0102')
        self.assertEqual((two.stdout, two.returncode), (same.stdout, 0))
        swapped = calc('mac', '--data', '-', '--key', '-', '--algorithm', 'cbc-mac', '--cipher', 'sm4', stdin='00' * 16 + '\n0102\n')
        self.assertEqual(swapped.stdout, same.stdout)  # the order is the help's: --key, --data
        factors = calc('diversify', '--suite', 'sm4', '--factor', '-', '--factor', '-', '--key', '-',
                       stdin='00' * 16 + '\n' + '01' * 8 + '\n' + '02' * 8 + '\n')
        same = calc('diversify', '--suite', 'sm4', '--key', '00' * 16, '--factor', '01' * 8, '--factor', '02' * 8)
        self.assertEqual((factors.stdout, factors.returncode), (same.stdout, 0))
        self.refused(*self.DIGEST, '@/nowhere/at/all', says='--data')
        self.refused(*self.DIGEST, '@/', says='--data')
        self.refused('mac', '--algorithm', 'hmac-sm3', '--key', '-', '--data', '-', stdin='00\n', says='--data')

    def test_no_value_is_repeated_in_a_complaint(self):
        secret = 'DEADBEEF' * 3
        for arguments in (('kcv', '--cipher', 'sm4', '--method', 'legacy', '--key', secret),
                          ('kcv', '--cipher', 'sm4', '--method', 'legacy', '--key', secret + 'F'),
                          ('kcv', '--cipher', 'sm4', '--method', 'legacy', '--key', secret + 'XY')):
            self.assertNotIn('DEADBEEF', calc(*arguments).stderr)

    def test_json_has_the_same_names_and_values(self):
        arguments = ('kcv', '--cipher', 'aes', '--method', 'cmac', '--key', '00' * 16)
        self.assertEqual(json.loads(calc(*arguments, '--json').stdout), shown(*arguments))
        v = vectors('sm2/standard_signature.vec')[0]
        verify = ('sm2', 'verify', '--public', v['Key'], '--data', v['Message'], '--signature', v['Signature'], '--json')
        self.assertEqual(json.loads(calc(*verify).stdout), {'result': 'VALID'})

    def test_help_teaches(self):
        done = calc('--help')
        self.assertEqual(done.returncode, 0)
        self.assertIn('Hex on a command line is for test keys', ' '.join(done.stdout.split()))
        for family in ('digest', 'cipher', 'mac', 'kcv', 'diversify', 'purse', 'secure-messaging', 'emv', 'pin-block', 'key-block',
                       'ibm3624', 'scp', 'sm2', 'certificate', 'tlv'):
            self.assertIn(family, done.stdout)
            self.assertEqual(calc(family, '--help').returncode, 0)


if __name__ == '__main__':
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    print(f'{SHOWN} published values shown')
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 and SHOWN * STEP > 150 else 1)
