"""onecard-keys certificate (docs/certificates.md, 6): a rehearsal's units ask for certificates, renew and lose them, by the real
program; OpenSSL says what it thinks of requests, chains and lists.

Usage: certificate_program_test.py PROGRAM
"""
import hashlib
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import unittest

from scene import PROGRAM, REHEARSAL, Rehearsal

OPERATOR, DEVICE = '0000000000310001', '0000000031000101'


class Scene(Rehearsal):
    """A nation, a city, its host and a gate."""

    def __init__(self, directory):
        super().__init__(directory)
        self.nation = ['--nation-dir', self.at('nation'), *self.people('')]
        self.found('city', '3100')
        self.deploy('host', '--unit', 'host-1')
        self.deploy('terminal', '--operator', OPERATOR, '--device', DEVICE)

    def deploy(self, role, *more):
        self.done('deploy', role, *self.city, '--out', self.at(role), '--passphrase-file', self.at('service'), *REHEARSAL, *more)

    def request(self, unit, *more):
        return ('certificate', 'request', '--dir', self.at(unit), '--passphrase-file', self.at('service'), '--out',
                self.at('request.pem'), *more)

    def issue(self, fingerprint, *more, out='issued.pem'):
        return ('certificate', 'issue', *self.city, '--request', self.at('request.pem'), '--out', self.at(out), '--role', 'terminal',
                '--operator', OPERATOR, '--device', DEVICE, '--fingerprint', fingerprint, *more)

    def renew(self, *more):
        return ('certificate', 'renew', *self.city, '--request', self.at('request.pem'), '--out', self.at('renewed.pem'), *more)

    def install(self, unit, file):
        return ('certificate', 'install', '--dir', self.at(unit), '--passphrase-file', self.at('service'), '--certificate', self.at(file))

    def crl(self, name, authority, *more):
        return self.asked('certificate', 'crl', *authority, '--out', self.at(name), *more)

    def listed(self, *more):
        rows = self.asked('certificate', 'list', *more)['certificates']
        return {row['serial']: row for row in rows}

    def serial(self, unit):
        """As OpenSSL reads it in the unit's certificate.pem."""
        text = self.openssl('x509', '-in', self.at(f'{unit}/certificate.pem'), '-noout', '-serial')
        return text.strip().removeprefix('serial=').rjust(32, '0')

    def openssl(self, *arguments, status=0):
        ran = subprocess.run(['openssl', *arguments], capture_output=True, text=True, timeout=60)
        assert ran.returncode == status, (arguments, ran)
        return ran.stdout + ran.stderr

    def verify(self, file, *lists, status=0):
        """The chain, and the lists of both authorities, by OpenSSL."""
        text = self.at('lists.pem')
        with open(text, 'w', encoding='ascii') as out:
            out.writelines(pathlib.Path(self.at(name)).read_text('ascii') for name in lists)
        return self.openssl('verify', '-x509_strict', '-CAfile', self.at('nation/certificate.pem'), '-untrusted',
                            self.at('city/certificate.pem'), '-crl_check_all', '-CRLfile', text, self.at(file), status=status)


class Certificates(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.scene = Scene(temporary.name)

    def test_enrolment(self):
        scene = self.scene
        made = scene.asked(*scene.request('terminal', *REHEARSAL))
        again = scene.asked(*scene.request('terminal', *REHEARSAL))
        self.assertEqual((made['resumed'], again['resumed'], again['fingerprint']), (False, True, made['fingerprint']))
        self.assertEqual(made['key'], 'tls tls_identity p256 v2')
        scene.openssl('req', '-in', scene.at('request.pem'), '-noout', '-verify')
        fingerprint = made['fingerprint']
        wrong = fingerprint[:-1] + ('0' if fingerprint[-1] != '0' else '1')
        self.assertEqual(scene.refused(*scene.issue(wrong, *REHEARSAL)), 'fingerprint_wrong')
        self.assertEqual(scene.refused(*scene.issue(fingerprint)), 'mark_mismatch')
        alone = [word for word in scene.issue(fingerprint, *REHEARSAL) if word != f'second={scene.at("second")}']
        alone.pop(max(i for i, word in enumerate(alone) if word == '--custodian'))
        self.assertEqual(scene.refused(*alone), 'store_failed')
        self.assertEqual(scene.run(*scene.issue(fingerprint, *REHEARSAL, '--days', '3651')).returncode, 2)
        self.assertFalse(os.path.exists(scene.at('issued.pem')))

        issued = scene.asked(*scene.issue(fingerprint, *REHEARSAL, '--days', '90'))
        self.assertEqual(issued['subject'], f'OU=terminal, O={OPERATOR}, CN={DEVICE}')
        repeated = scene.asked(*scene.issue(fingerprint, *REHEARSAL, out='repeated.pem'))
        self.assertTrue(repeated['repeated'])
        self.assertEqual(pathlib.Path(scene.at('issued.pem')).read_text('ascii'), pathlib.Path(scene.at('repeated.pem')).read_text('ascii'))
        self.assertEqual(scene.refused(*scene.install('host', 'issued.pem')), 'certificate_mismatch')
        installed = scene.asked(*scene.install('terminal', 'issued.pem'))
        self.assertEqual((installed['serial'], installed['changed']), (issued['serial'], True))
        self.assertEqual(scene.serial('terminal'), issued['serial'])
        self.assertFalse(scene.asked(*scene.install('terminal', 'issued.pem'))['changed'])
        scene.crl('city.crl', scene.city)
        scene.crl('nation.crl', scene.nation)
        self.assertIn('OK', scene.verify('terminal/certificate.pem', 'city.crl', 'nation.crl'))

    def test_renewal(self):
        scene = self.scene
        before = scene.serial('host')
        self.assertEqual(scene.refused(*scene.request('host', '--renew')), 'mark_mismatch')
        scene.done(*scene.request('host', '--renew', *REHEARSAL))
        self.assertEqual(scene.refused(*scene.renew()), 'mark_mismatch')
        renewed = scene.asked(*scene.renew(*REHEARSAL))
        self.assertEqual(renewed['subject'], 'OU=city-host, O=3100, CN=host-1')
        self.assertTrue(scene.asked(*scene.renew(*REHEARSAL))['repeated'])
        scene.done(*scene.install('host', 'renewed.pem'))
        self.assertEqual(scene.serial('host'), renewed['serial'])
        self.assertEqual(scene.listed('--city-dir', scene.at('city'))[renewed['serial']]['renews'], before)
        scene.done(*scene.request('host', '--renew', *REHEARSAL))
        scene.done('certificate', 'revoke', *scene.city, '--certificate', scene.at('host/certificate.pem'), '--reason', 'keyCompromise')
        self.assertEqual(scene.refused(*scene.renew(*REHEARSAL)), 'request_refused')
        with open(scene.at('request.pem'), 'w', encoding='ascii') as file:
            file.write('-----BEGIN CERTIFICATE-----\n' * 10000)
        self.assertEqual(scene.refused(*scene.renew(*REHEARSAL)), 'file_failed')

    def test_another_citys_unit(self):
        scene = self.scene
        scene.found('other', '4403')
        scene.done(*scene.request('host', '--renew', *REHEARSAL))
        other = [word.replace(scene.at('city'), scene.at('other')) for word in scene.renew(*REHEARSAL)]
        self.assertEqual(scene.refused(*other), 'request_refused')
        self.assertEqual(scene.refused('certificate', 'revoke', '--city-dir', scene.at('other'), *scene.people(''), '--certificate',
                                       scene.at('host/certificate.pem')), 'certificate_unknown')

    def test_revocation(self):
        scene = self.scene
        serial = scene.serial('terminal')
        revoke = ('certificate', 'revoke', *scene.city, '--serial')
        self.assertEqual(scene.refused(*revoke, '1' * 32), 'certificate_unknown')
        self.assertEqual(scene.refused(*revoke, serial, '--reason', 'annoyance'), 'input_wrong')
        self.assertEqual(scene.refused(*revoke, serial, '--reason', 'certificateHold'), 'input_wrong')
        self.assertEqual(scene.refused('certificate', 'revoke', *scene.people(''), '--serial', serial), 'input_wrong')
        self.assertEqual(scene.crl('first.crl', scene.city)['entries'], 0)
        self.assertEqual(scene.asked(*revoke, serial, '--reason', 'keyCompromise')['renewed'], [])
        self.assertEqual(scene.refused(*revoke, serial), 'already_revoked')
        written = scene.crl('city.crl', scene.city, '--days', '2')
        self.assertEqual((written['number'], written['entries']), (2, 1))
        scene.crl('nation.crl', scene.nation)
        text = scene.openssl('crl', '-in', scene.at('city.crl'), '-noout', '-text', '-CAfile', scene.at('city/certificate.pem'))
        for word in ('verify OK', 'Key Compromise', f'Serial Number: {serial}', 'X509v3 CRL Number'):
            self.assertIn(word, text)
        refused = scene.verify('terminal/certificate.pem', 'city.crl', 'nation.crl', status=2)
        self.assertIn('certificate revoked', refused)
        self.assertIn('OK', scene.verify('host/certificate.pem', 'city.crl', 'nation.crl'))

        into = ('certificate', 'install-crl', '--dir', scene.at('host'), '--list')
        self.assertEqual(scene.asked(*into, scene.at('city.crl'), '--list', scene.at('nation.crl'))['lists'], 2)
        self.assertEqual(scene.refused(*into, scene.at('first.crl')), 'list_refused')
        self.assertEqual(scene.refused(*into, scene.at('first')), 'list_refused')
        self.assertEqual(scene.refused(*into, scene.at('nowhere')), 'file_failed')
        self.assertIn(f'Serial Number: {serial}', scene.openssl('crl', '-in', scene.at('host/revoked.pem'), '-noout', '-text'))

        authority = next(row['serial'] for row in scene.listed('--nation-dir', scene.at('nation')).values() if row['kind'] == 'authority')
        scene.done('certificate', 'revoke', *scene.nation, '--serial', authority, '--reason', 'cACompromise')
        self.assertEqual(scene.crl('nation.crl', scene.nation)['number'], 2)
        self.assertIn('certificate revoked', scene.verify('host/certificate.pem', 'city.crl', 'nation.crl', status=2))

    def test_list(self):
        scene = self.scene
        host, terminal = scene.serial('host'), scene.serial('terminal')
        scene.done('certificate', 'revoke', *scene.city, '--serial', terminal)
        rows = scene.listed('--city-dir', scene.at('city'))
        self.assertEqual({rows[host]['state'], rows[terminal]['state']}, {'valid', 'revoked'})
        self.assertEqual(len(rows), 3)  # and the authority's own
        self.assertEqual(scene.listed('--city-dir', scene.at('city'), '--expiring', '300'), {})
        self.assertEqual(list(scene.listed('--city-dir', scene.at('city'), '--expiring', '366')), [host])
        self.assertEqual(scene.listed(scene.at('host/certificate.pem'))[host]['subject'], rows[host]['subject'])
        self.assertIn('revoked', scene.done('certificate', 'list', '--city-dir', scene.at('city')))
        with open(scene.at('city/keys.store'), 'r+b') as file:
            file.seek(700)
            file.write(b'x')
        self.assertIn(scene.refused('certificate', 'list', '--city-dir', scene.at('city')), ('log_malformed', 'store_failed'))
        self.assertEqual(scene.refused('certificate', 'list', scene.at('city/city.json')), 'input_wrong')

    def test_log(self):
        """Every command is in the log that an auditor reads, and nothing is secret there."""
        scene = self.scene
        made = scene.asked(*scene.request('terminal', *REHEARSAL))
        scene.done(*scene.issue(made['fingerprint'], *REHEARSAL))
        scene.done(*scene.install('terminal', 'issued.pem'))
        scene.done('certificate', 'revoke', *scene.city, '--certificate', scene.at('issued.pem'))
        scene.crl('city.crl', scene.city)
        lines = [json.loads(line) for line in scene.done('audit', 'show', scene.at('city/keys.store')).splitlines()]
        details = {line['command']: line['detail'] for line in lines}
        self.assertEqual(details['certificate-issue']['fingerprint'], made['fingerprint'].replace(' ', ''))
        self.assertEqual(details['certificate-revoked']['certificate'], details['certificate-issue']['certificate'])
        self.assertEqual((details['certificate-list']['number'], details['certificate-list']['entries']), (1, 1))
        self.assertEqual([line['by'] for line in lines if line['command'] == 'certificate-issue'], [['first', 'second']])
        own = [json.loads(line)['command'] for line in scene.done('audit', 'show', scene.at('terminal/keys.store')).splitlines()]
        self.assertEqual(own[-2:], ['certificate-request', 'certificate-install'])


class Service(unittest.TestCase):
    """The issuer's service shows the certificate that was installed last, and refuses a desk as soon as its list names it."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.scene = Scene(temporary.name)

    def enrolled_desk(self):
        """A desk whose key and request are OpenSSL's."""
        scene = self.scene
        scene.openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', scene.at('desk.key'),
                      '-subj', '/OU=desk/O=3100/CN=desk-1', '-out', scene.at('request.pem'))
        scene.openssl('pkey', '-in', scene.at('desk.key'), '-pubout', '-outform', 'DER', '-out', scene.at('desk.public'))
        fingerprint = hashlib.sha256(pathlib.Path(scene.at('desk.public')).read_bytes()).hexdigest()
        scene.done('certificate', 'issue', *scene.city, '--request', scene.at('request.pem'), '--out', scene.at('desk.pem'), '--role', 'desk',
                   '--unit', 'desk-1', '--fingerprint', fingerprint, *REHEARSAL)

    def ask(self, port):
        """(HTTP status, the service's serial number)."""
        scene = self.scene
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(scene.at('nation/certificate.pem'))
        context.load_cert_chain(scene.at('desk.pem'), scene.at('desk.key'))
        connection = http.client.HTTPSConnection('127.0.0.1', port, context=context, timeout=30)
        try:
            connection.connect()
            serial = connection.sock.getpeercert()['serialNumber'].rjust(32, '0')
            connection.request('GET', '/nothing')
            return connection.getresponse().status, serial
        finally:
            connection.close()

    def test_issuing_serve(self):
        scene = self.scene
        self.enrolled_desk()
        scene.deploy('issuer', '--unit', 'issuing')
        scene.done(*scene.request('issuer', '--renew', *REHEARSAL))
        renewed = scene.asked(*scene.renew(*REHEARSAL))
        scene.done(*scene.install('issuer', 'renewed.pem'))
        serve = ('issuing', 'serve', '--deployment', scene.at('issuer'), '--state', scene.at('state.db'), '--passphrase-file',
                 scene.at('service'), '--port', '0', '--json')
        with open(scene.at('issuer/revoked.pem'), 'w', encoding='ascii') as file:
            file.write('half a fi')
        broken = scene.run(*serve)  # it logs the list's refusal, too
        self.assertEqual((broken.returncode, broken.stdout), (1, ''))
        self.assertIn('certificate_refused: ' + scene.at('issuer') + ': revocation_unreadable', broken.stderr)
        os.remove(scene.at('issuer/revoked.pem'))
        process = subprocess.Popen([PROGRAM, *serve], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        port = json.loads(process.stdout.readline())['listening']
        status, serial = self.ask(port)
        self.assertEqual((status // 100, serial), (4, renewed['serial']))
        scene.done('certificate', 'revoke', *scene.city, '--certificate', scene.at('desk.pem'), '--reason', 'keyCompromise')
        scene.crl('city.crl', scene.city)
        self.assertEqual(self.ask(port)[0], status)
        scene.done('certificate', 'install-crl', '--dir', scene.at('issuer'), '--list', scene.at('city.crl'))
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            self.ask(port)
        process.terminate()
        self.assertEqual(process.wait(30), 0)


class Chips(unittest.TestCase):
    """Roots, issuers, cards and SAMs; OpenSSL signs nothing here and checks everything."""
    ROOT = ('--rid', 'A000000333', '--index', '1')

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.scene = Scene(temporary.name)

    def certify(self, command, out, *more):
        return ('certificate', command, '--out', self.scene.at(out), *more)

    def root(self, *more):
        return self.certify('card-root', 'root', *self.scene.nation, *self.ROOT, '--expiry', '1245', *more)

    def issuer(self, *more):
        return self.certify('card-issuer', 'issuer', *self.scene.city, '--nation-dir', self.scene.at('nation'),
                            *self.scene.people('nation-'), *self.ROOT, '--number', '310482', '--expiry', '1235', *more)

    def chip(self, kind, number, *more):
        return self.certify(kind, kind, *self.scene.city, '--number', number, '--key', self.scene.at('key'), '--expiry', '0634', *more)

    def value(self, file, name='certificate'):
        rows = dict(line.split(': ') for line in pathlib.Path(self.scene.at(file)).read_text('ascii').splitlines())
        return bytes.fromhex(rows.get(name, ''))

    def sm2_key(self):
        """A chip's key pair, by OpenSSL; its public half, x | y."""
        scene = self.scene
        scene.openssl('ecparam', '-name', 'SM2', '-genkey', '-noout', '-out', scene.at('pair'))
        scene.openssl('ec', '-in', scene.at('pair'), '-pubout', '-outform', 'DER', '-out', scene.at('public'))
        point = pathlib.Path(scene.at('public')).read_bytes()[-64:]
        with open(scene.at('key'), 'w', encoding='ascii') as file:
            file.write(f'key: {point.hex()}\n')
        return point

    def openssl_says(self, certificate, static_data, signer):
        """r | s over the signed part, the signer's key x | y."""
        scene = self.scene
        signed, r, s = certificate[:-64] + static_data, certificate[-64:-32], certificate[-32:]
        numbers = b''.join(b'\x02' + bytes([len(n)]) + n for n in
                           ((lambda v: b'\0' + v if v[0] & 0x80 else v)(n.lstrip(b'\0')) for n in (r, s)))
        public = bytes.fromhex('3059301306072a8648ce3d020106082a811ccf5501822d03420004') + signer
        for name, content in (('signed', signed), ('signature', b'\x30' + bytes([len(numbers)]) + numbers), ('public', public)):
            with open(scene.at(name), 'wb') as file:
                file.write(content)
        ran = subprocess.run(['openssl', 'pkeyutl', '-verify', '-pubin', '-inkey', scene.at('public'), '-keyform', 'DER', '-rawin', '-digest',
                              'sm3', '-in', scene.at('signed'), '-sigfile', scene.at('signature'), '-pkeyopt', 'distid:1234567812345678'],
                             capture_output=True, text=True, timeout=60)
        return 'Verified Successfully' in ran.stdout + ran.stderr

    def test_sm2(self):
        scene = self.scene
        self.assertEqual(scene.refused(*self.root()), 'mark_mismatch')
        self.assertEqual(scene.refused(*self.issuer(*REHEARSAL)), 'certificate_unknown')
        scene.done(*self.root(*REHEARSAL))
        scene.done(*self.issuer(*REHEARSAL))
        key = self.sm2_key()
        with open(scene.at('static'), 'w', encoding='ascii') as file:
            file.write('0102 03\n')
        made = scene.asked(*self.chip('card', '3104820000000000017', '--static-data', scene.at('static')))
        self.assertEqual((made['serial'], made['subject']), ('000001', '310482*********0017'))
        self.assertEqual(scene.refused(*self.chip('sam', '31000000000000000001')), 'key_certified')
        self.sm2_key()
        scene.done(*self.chip('sam', '31000000000000000001'))
        root, issuer, card, sam = (self.value(file) for file in ('root', 'issuer', 'card', 'sam'))
        keys = [certificate[-128:-64] for certificate in (root, issuer, card)]
        self.assertEqual(keys[2], key)
        self.assertEqual([len(each) for each in (root, issuer, card, sam)], [144, 142, 148, 148])
        self.assertTrue(self.openssl_says(root, b'', keys[0]))
        self.assertTrue(self.openssl_says(issuer, b'', keys[0]))
        self.assertTrue(self.openssl_says(card, b'\1\2\3', keys[1]))
        self.assertFalse(self.openssl_says(card, b'', keys[1]))
        self.assertTrue(self.openssl_says(sam, b'', keys[1]))

        revoke = ('certificate', 'revoke-chip', *scene.city, '--serial')
        self.assertEqual(scene.refused(*revoke, '000003'), 'certificate_unknown')
        self.assertEqual(scene.refused(*revoke, '1'), 'input_wrong')
        scene.done(*revoke, '000001')
        self.assertEqual(scene.refused(*revoke, '000001'), 'already_revoked')
        listed = scene.asked(*self.certify('chip-list', 'list', *scene.city))
        self.assertEqual((listed['sequence'], listed['entries']), (1, 1))
        self.assertTrue(self.openssl_says(self.value('list', 'list'), b'', keys[1]))
        rows = [row for row in scene.asked('certificate', 'list', '--city-dir', scene.at('city'))['certificates'] if row['kind'] == 'sm2-card']
        self.assertEqual([(row['serial'], row['state']) for row in rows], [('000001', 'revoked')])

    def test_rsa(self):
        """Recovered in Python: EMV 4.4 Book 2, tables 6, 7 and 14."""
        scene = self.scene
        scene.done(*self.root('--rsa', *REHEARSAL))
        scene.done(*self.issuer('--rsa', *REHEARSAL))
        scene.openssl('genrsa', '-traditional', '-out', scene.at('pair'), '1024')
        modulus = scene.openssl('rsa', '-in', scene.at('pair'), '-noout', '-modulus').splitlines()[0].split('=')[1]
        with open(scene.at('key'), 'w', encoding='ascii') as file:
            file.write(f'modulus: {modulus}\nexponent: 010001\n')
        scene.done(*self.chip('card', '3104820000000000017', '--rsa'))
        record = self.value('root', 'record')
        scheme = record[record.index(b'\xdf\x02\x81\xf8') + 4:][:248]

        def recovered(file, above, subject_size, static_data=b''):
            certificate, remainder, exponent = (self.value(file, name) for name in ('certificate', 'remainder', 'exponent'))
            size = len(above)
            text = pow(int.from_bytes(certificate, 'big'), 65537, int.from_bytes(above, 'big')).to_bytes(size, 'big')
            self.assertEqual((text[0], text[-1]), (0x6A, 0xBC))
            self.assertEqual(hashlib.sha1(text[1:-21] + remainder + exponent + static_data).digest(), text[-21:-1])
            length = text[2 + subject_size + 7]
            return text[2:2 + subject_size], (text[2 + subject_size + 9:-21] + remainder)[:length]

        number, issuer = recovered('issuer', scheme, 4)
        self.assertEqual(number.hex(), '310482ff')
        pan, key = recovered('card', issuer, 10)
        self.assertEqual((pan.hex(), key.hex().upper()), ('3104820000000000017f', modulus))
        self.assertEqual(scene.refused(*self.certify('chip-list', 'list', *scene.city)), 'certificate_unknown')


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
