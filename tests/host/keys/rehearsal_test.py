"""Types every block of docs/keys_rehearsal.md, in order, in an empty directory: what the page says is what the program does.

Usage: rehearsal_test.py PROGRAM PAGE
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
PAGE = pathlib.Path(sys.argv[2])
BLOCK = re.compile(r'^```sh\n(.*?)^```$', re.MULTILINE | re.DOTALL)

# Each line that begins with "!" must fail, every other one succeed; a shell's own "set -e" does not look at the former.
PROLOGUE = r'''
set -eu
refused() { if "$@" >refused.out 2>&1; then echo "was not refused: $*" >&2; exit 9; fi; cat refused.out; }
'''


def script(block):
    return PROLOGUE + re.sub(r'^! ', 'refused ', block, flags=re.MULTILINE)


class Rehearsal(unittest.TestCase):
    def test_every_block_of_the_page(self):
        blocks = BLOCK.findall(PAGE.read_text(encoding='utf-8'))
        self.assertGreater(len(blocks), 8)
        said = ''
        with tempfile.TemporaryDirectory() as directory:
            kept = ''  # shell variables that a block sets for later ones
            for number, block in enumerate(blocks, 1):
                done = subprocess.run(['bash', '-c', kept + script(block)], cwd=directory, capture_output=True, text=True, timeout=300,
                                      env={'PATH': f'{PROGRAM.parent}:/usr/bin:/bin', 'HOME': directory})
                self.assertEqual(done.returncode, 0, f'block {number}:\n{block}\n{done.stdout}\n{done.stderr}')
                kept += ''.join(re.findall(r'^\w+=".*"\n', block, re.MULTILINE))
                said += done.stdout
            self.check_that_secrets_stay(directory, said)
        for word in ('quorum_missing', 'custodian_repeated', 'not_delivered', 'custodian_unknown', 'VALID', 'whole', 'fingerprint_wrong',
                     'certificate_revoked'):
            self.assertIn(word, said)

    def check_that_secrets_stay(self, directory, said):
        """No passphrase is in what was said, nor in any file but its own."""
        for who in ('first', 'second', 'third', 'fourth', 'host', 'issuer'):
            words = f'the passphrase of {who}'
            self.assertNotIn(words, said)
            for file in pathlib.Path(directory).rglob('*'):
                if file.is_file() and file.name != who:
                    self.assertNotIn(words.encode(), file.read_bytes(), file)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
