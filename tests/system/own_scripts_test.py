"""Types every block of docs/own_scripts.md, in order, in the shell that ./run.sh shell opens: what the page says is what happens.

$ONECARD_BOARD says on which board the chips run: virtual, or mps2 with the image in $ONECARD_CUT_IMAGE.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAMS = pathlib.Path(sys.argv.pop()).resolve()
HERE = pathlib.Path(__file__).parent
PAGE = HERE.parents[1] / 'docs' / 'own_scripts.md'
BLOCK = re.compile(r'^```sh\n(.*?)^```$', re.MULTILINE | re.DOTALL)
BOARD = os.environ.get('ONECARD_BOARD', 'virtual')


def blocks():
    """Each with the section it stands in."""
    out, section = [], 0
    for part in re.split(r'^(?=## \d)', PAGE.read_text(encoding='utf-8'), flags=re.MULTILINE)[1:]:
        section = int(part[3])
        out += [(section, block) for block in BLOCK.findall(part)]
    return out


class OwnScripts(unittest.TestCase):
    def type(self, suite, text):
        """In a shell whose chips are new. Answers its exit status and what it said."""
        with tempfile.TemporaryDirectory() as directory:
            # A failing line ends it. What a shell says on its own, to a person, is not in the page.
            script = pathlib.Path(directory) / 'typed'
            script.write_text('set -eu\n' + text, encoding='utf-8')
            done = subprocess.run([HERE / 'card_shell', PROGRAMS, f'{directory}/chips', '--board', BOARD, '--suite', suite, 'bash', script],
                                  cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=200)
            mode = (pathlib.Path(directory) / 'chips/keys.txt').stat().st_mode & 0o777
            self.assertEqual(0o600, mode, 'the keys are the owner\'s only')
            return done.returncode, done.stdout

    def walk(self, suite):
        typed = blocks()
        self.assertGreaterEqual(len(typed), 15)
        status, said = self.type(suite, '\n'.join(f'echo "== section {section}"\n{block}' for section, block in typed))
        self.assertEqual(0, status, said)
        self.assertNotIn('NOT', said)
        parts = {int(part[0]): part for part in said.split('== section ')[1:]}
        said_in = lambda section: ''.join(part for part in said.split('== section ')[1:] if part.startswith(str(section)))
        self.assertEqual({number for number, _ in typed}, set(parts))
        # 30.00 yuan, and the log's one record of them. domain.md 1.8.
        self.assertIn('00 00 0B B8', said_in(1))
        # 10.00 loaded, 1.00 paid through the SAM, 1.00 by hand.
        self.assertIn('00000FA09000, as computed', said_in(3))
        self.assertIn('00000F3C9000, as computed', said_in(4))
        self.assertIn('00000ED89000, as computed', said_in(5))
        self.assertIn('9302, as computed', said_in(5))
        # Not done; done; and the walk over the operations comes to an end: not done, often, then done.
        torn = said_in(6)
        self.assertRegex(torn, r'(?s)9406, as computed.*00000ED89000, as computed.*00000E749000, as computed')
        self.assertRegex(torn, r'(?s)00000E749000, as computed(\n+9406, as computed\n00000E749000, as computed){3,}\n00000E739000, as computed\n*$')
        self.assertRegex(said_in(7), r'6283\n6A81\n6A81, as computed\n9000, as computed')
        return said

    def test_an_sm4_card(self):
        said = self.walk('sm4')
        self.assertRegex(said, r'paid; balance \d+ fen')
        self.assertRegex(said, r'(?m)^mac1: [0-9A-F]{8}$')

    def test_a_3des_card(self):
        self.walk('3des')

    def test_a_wrong_key_is_noticed(self):
        """The page's own comparisons can fail: with another load key its section 3 ends at MAC1."""
        upto_load = [block for section, block in blocks() if section <= 3]
        wrong = upto_load[-2].replace("'card 3F01 07 01'", "'card 3F01 06 01'")
        self.assertNotEqual(wrong, upto_load[-2])
        status, said = self.type('sm4', '\n'.join(upto_load[:-2]) + wrong)
        self.assertNotEqual(0, status)
        self.assertRegex(said, r'\n[0-9A-F]{8}, NOT [0-9A-F]{8}\n')


if __name__ == '__main__':
    unittest.main()
