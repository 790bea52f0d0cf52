"""Our certificates, requests and revocation lists under OpenSSL's command, and OpenSSL's under ours.

Usage: certificate_tools_test.py CERTIFICATE_TOOL
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = sys.argv.pop()
DURING = '1790000000'  # September 2026: our lists are of June 2026, until 2027
SUBJECT = '/OU=city-host/O=3100/CN=host-9'
CURVE = 'ec_paramgen_curve:P-256'
CONFIG = """
[ca]
default_ca = own
[own]
database = index.txt
crlnumber = number
default_md = sha256
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid
"""


class Tools(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        subprocess.run([TOOL, 'write', directory.name], check=True)

    def openssl(self, *words, fails=False):
        out = subprocess.run(['openssl', *words], cwd=self.path, capture_output=True, text=True)
        self.assertEqual(out.returncode != 0, fails, out.stdout + out.stderr)
        return out.stdout + out.stderr

    def ours(self, *words):
        return subprocess.run([TOOL, *words], cwd=self.path, capture_output=True, text=True, check=True).stdout.strip()

    def verify(self, unit, authority, lists, fails=False):
        text = ''.join((self.path / name).read_text() for name in lists)
        (self.path / 'lists').write_text(text)
        return self.openssl('verify', '-x509_strict', '-crl_check_all', '-attime', DURING, '-CAfile', 'root.pem',
                            '-untrusted', authority, '-CRLfile', 'lists', unit, fails=fails)

    def test_chain_verifies_strictly_with_lists_of_both_authorities(self):
        self.assertIn('good.pem: OK', self.verify('good.pem', 'city.pem', ['root.crl', 'city.crl']))

    def test_revoked_unit_and_revoked_authority_are_refused(self):
        self.assertIn('certificate revoked', self.verify('lost.pem', 'city.pem', ['root.crl', 'city.crl'], fails=True))
        self.assertIn('certificate revoked',
                      self.verify('orphan.pem', 'lost-city.pem', ['root.crl', 'lost-city.crl'], fails=True))
        self.assertIn('unable to get certificate CRL', self.verify('good.pem', 'city.pem', ['root.crl'], fails=True))

    def test_list_verifies_under_its_authority_only(self):
        text = self.openssl('crl', '-in', 'city.crl', '-CAfile', 'city.pem', '-noout', '-text', '-crlnumber')
        self.assertIn('verify OK', text)
        self.assertIn('crlNumber=0x0102', text)
        self.assertIn('Key Compromise', text)
        self.assertIn('Version 2', text)
        self.openssl('crl', '-in', 'city.crl', '-CAfile', 'lost-city.pem', '-noout', fails=True)

    def test_request_verifies_and_its_fingerprint_is_the_keys(self):
        self.assertIn('verify OK', self.openssl('req', '-in', 'request.pem', '-verify', '-noout'))
        self.openssl('req', '-in', 'request.pem', '-pubkey', '-noout', '-out', 'key.pem')
        self.openssl('pkey', '-pubin', '-in', 'key.pem', '-outform', 'DER', '-out', 'key.der')
        digest = self.openssl('dgst', '-sha256', '-r', 'key.der').split()[0].upper()
        self.assertEqual(digest, (self.path / 'fingerprint').read_text().replace(' ', ''))

    def test_signature_algorithm_has_no_parameters(self):  # RFC 5758, 3.2
        for name in ('good.pem', 'city.crl', 'request.pem'):
            lines = self.openssl('asn1parse', '-in', name).split('\n')
            found = [after for line, after in zip(lines, lines[1:]) if 'ecdsa-with-SHA256' in line]
            self.assertTrue(found)
            self.assertFalse([line for line in found if 'NULL' in line], name)

    def request(self, *options, subject=SUBJECT):
        self.openssl('req', '-new', '-nodes', '-keyout', 'k.pem', '-out', 'r.pem', '-subj', subject, *options)
        return self.ours('request', 'r.pem')

    def test_openssls_requests_are_read_or_refused_by_name(self):
        ec = ('-newkey', 'ec', '-pkeyopt', CURVE)
        self.assertEqual(self.request(*ec), 'OU=city-host, O=3100, CN=host-9')
        self.assertEqual(self.request(*ec, subject='/C=CN/O=3100/CN=host-9'), 'subject_wrong')
        self.assertEqual(self.request(*ec, '-addext', 'subjectAltName=DNS:host-9'), 'attributes_present')
        self.assertEqual(self.request(*ec, '-sha384'), 'algorithm_foreign')
        self.assertEqual(self.request('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'), 'algorithm_foreign')
        self.assertEqual(self.request('-newkey', 'rsa:2048'), 'algorithm_foreign')
        self.assertEqual(self.request('-newkey', 'ed25519'), 'algorithm_foreign')

    def test_openssls_lists_are_read(self):
        self.openssl('req', '-x509', '-new', '-nodes', '-newkey', 'ec', '-pkeyopt', CURVE, '-keyout', 'ca-key.pem', '-out', 'ca.pem',
                     '-subj', '/OU=city-ca/O=9999/CN=authority', '-addext', 'keyUsage=critical,cRLSign,keyCertSign')
        self.assertEqual(self.ours('certificate', 'ca.pem'), 'OU=city-ca, O=9999, CN=authority')
        (self.path / 'index.txt').write_text('')
        (self.path / 'number').write_text('1F\n')
        (self.path / 'ca.cnf').write_text(CONFIG)
        own = ('ca', '-config', 'ca.cnf', '-keyfile', 'ca-key.pem', '-cert', 'ca.pem')
        self.openssl(*own, '-gencrl', '-crldays', '30', '-out', 'empty.crl')
        self.assertEqual(self.ours('list', 'empty.crl', 'ca.pem'), '31')
        self.openssl('req', '-new', '-nodes', '-newkey', 'ec', '-pkeyopt', CURVE, '-keyout', 'k.pem', '-out', 'r.pem', '-subj', SUBJECT)
        self.openssl('x509', '-req', '-in', 'r.pem', '-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-out', 'unit.pem')
        self.openssl(*own, '-revoke', 'unit.pem', '-crl_reason', 'superseded')
        self.openssl(*own, '-gencrl', '-crldays', '30', '-out', 'one.crl')
        self.assertEqual(self.ours('list', 'one.crl', 'ca.pem'), '32 superseded')
        self.assertEqual(self.ours('list', 'one.crl', 'city.pem'), 'signer_wrong')


if __name__ == '__main__':
    unittest.main()
