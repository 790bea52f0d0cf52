"""onecard-keys ceremony (docs/ceremony.md) as people hold it: sheets, descriptors, a terminal. The roots are compared
with sums that this test computes, their check values with OpenSSL's ciphers.

Usage: ceremony_program_test.py PROGRAM
"""
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import tempfile
import unittest

from terminal import Terminal

PROGRAM = sys.argv[1]
REHEARSAL = ['--rehearsal', '--seed', '7']
ROOTS = ['purchase sm4', 'purchase 3des', 'application_lock sm4', 'application_lock 3des']


def run(*arguments, **more):
    """No terminal: whatever asks on one is refused."""
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, start_new_session=True, **more)


def check_value(root, component):
    cipher = 'sm4-ecb' if root.endswith('sm4') else 'des-ede'
    done = subprocess.run(['openssl', 'enc', '-' + cipher, '-K', component.hex(), '-nopad'], input=bytes(16),
                          capture_output=True, check=True)
    return done.stdout[:3].hex().upper()


def components(seed):
    """One custodian's, made by this test."""
    return [bytes((17 * seed + 31 * root + 7 * i * i + i) & 0xFF for i in range(16)) for root in range(4)]


def sheet_of(values):
    return ''.join(f'{root} {value.hex()} {check_value(root, value)}\n' for root, value in zip(ROOTS, values))


def read_sheet(path):
    found = {}
    for line in path.read_text().splitlines():
        if not line.startswith('#'):
            use, suite, *digits, check = line.split()
            value = bytes.fromhex(''.join(digits))
            assert check == check_value(f'{use} {suite}', value), line
            found[f'{use} {suite}'] = value
    return [found[root] for root in ROOTS]


def added(*values):
    return [bytes(a ^ b ^ c for a, b, c in zip(*each)) for each in zip(*values)]


class Case(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.place = pathlib.Path(self.temporary.name)
        self.room = self.place / 'c'
        for who in ('first', 'second', 'third'):
            self.private(who, f'the long words of {who}\n')

    def private(self, name, text):
        path = self.place / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def person(self, who):
        return ['--custodian', f'{who}={self.place / who}']

    def ceremony(self, step, *arguments, mark=REHEARSAL, **more):
        return run('ceremony', step, '--dir', self.room, *arguments, *mark, **more)

    def done(self, result):
        self.assertEqual((result.returncode, result.stderr), (0, ''), result)
        return result.stdout

    def refused(self, result, kind, status=1):
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout, '')
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(kind, result.stderr)

    def begin(self):
        self.done(self.ceremony('begin', '--custodians', 'first,second,third', '--quorum', 2))

    def give(self, who, values):
        sheet = self.private(who + '.typed', sheet_of(values))
        return self.ceremony('component', *self.person(who), '--from', sheet)

    def combine(self, *arguments, **more):
        return self.ceremony('combine', '--out', self.place / 'nation', *self.person('first'), *self.person('second'),
                             *self.person('third'), *arguments, **more)


class Ceremonies(Case):
    def test_three_custodians_by_sheet_file_and_descriptor(self):
        self.begin()
        sheet = self.place / 'first.sheet'
        out = self.done(self.ceremony('component', *self.person('first'), '--generate', '--sheet', sheet))
        self.assertEqual(stat.S_IMODE(sheet.stat().st_mode), 0o600)
        first = read_sheet(sheet)
        for root, value in zip(ROOTS, first):
            self.assertRegex(out, f'{root} +{check_value(root, value)}')
            self.assertNotIn(value.hex().upper()[:8], out)
        self.assertIn(f'{"second":<32} missing', self.done(run('ceremony', 'status', '--dir', self.room)))
        second, third = components(1), components(2)
        self.done(self.give('second', second))
        typed = self.private('third.typed', '# grouped, lower case\n\n' + sheet_of(third).lower())
        with open(typed, encoding='ascii') as descriptor:
            answer = json.loads(self.done(self.ceremony('component', *self.person('third'), '--from-fd', descriptor.fileno(), '--json',
                                                        pass_fds=[descriptor.fileno()])))
        self.assertEqual([each['check_value'] for each in answer['check_values']],
                         [check_value(root, value) for root, value in zip(ROOTS, third)])
        status = json.loads(self.done(run('ceremony', 'status', '--dir', self.room, '--json')))
        self.assertTrue(all(each['given_at'] for each in status['custodians']))
        self.assertFalse(status['finished'])
        self.done(self.combine())
        self.assertFalse((self.room / 'components').exists())
        minutes = (self.room / 'minutes.txt').read_text()
        for root, value in zip(ROOTS, added(first, second, third)):
            self.assertRegex(minutes, f'national {root} v1 +{check_value(root, value)}\n')
        self.assertIn('REHEARSAL', minutes)
        self.minutes_hold(minutes)

    def minutes_hold(self, minutes):
        nation, page = self.place / 'nation', self.room / 'minutes.txt'
        self.assertEqual(self.done(run('ceremony', 'verify-minutes', page, '--nation', nation)), 'VALID\n')
        key = ''.join(re.search(r'\(SM3\)\n  ([0-9A-F]{64})\n  ([0-9A-F]{64})\n', minutes).groups())
        self.assertEqual(self.done(run('ceremony', 'verify-minutes', page, '--key', key)), 'VALID\n')
        two = [*self.person('third'), *self.person('first')]
        again = self.done(run('ceremony', 'minutes', '--nation', nation, *two))
        self.assertEqual(again.split('signature: ')[0], minutes.split('signature: ')[0])
        self.done(run('ceremony', 'minutes', '--nation', nation, *two, '--out', self.place / 'again'))
        self.done(run('ceremony', 'verify-minutes', self.place / 'again', '--nation', nation))
        self.refused(run('ceremony', 'minutes', '--nation', nation, *self.person('first')), 'quorum_missing')
        page.write_text(minutes.replace('third', 'fourth', 1))
        bad = run('ceremony', 'verify-minutes', page, '--nation', nation, '--json')
        self.assertEqual((bad.returncode, json.loads(bad.stdout)), (1, {'valid': False, 'reason': 'signature_wrong'}))
        bad = run('ceremony', 'verify-minutes', page, '--key', key)
        self.assertEqual(bad.returncode, 1)
        self.assertTrue(bad.stdout.startswith('INVALID: signature_wrong: '), bad.stdout)
        self.refused(run('ceremony', 'verify-minutes', page), 'input_wrong')
        self.refused(run('ceremony', 'verify-minutes', page, '--key', key[:-1]), 'input_wrong')
        tree = json.loads(self.done(run('tree', nation / 'keys.store', *two, '--json')))
        self.assertEqual(tree['mark'], 'rehearsal')

    def test_typed_on_a_terminal_and_a_mistake_asked_again(self):
        self.begin()
        values = components(3)
        terminal = Terminal(PROGRAM, 'ceremony', 'component', '--dir', self.room, '--custodian', 'second', *REHEARSAL)
        terminal.answer('second, passphrase', 'words that second types')
        terminal.answer('The same again', 'words that second types')
        terminal.answer('purchase sm4, component', values[0].hex())
        terminal.answer(', its check value', '000000')
        for root, value in zip(ROOTS, values):
            terminal.answer(root + ', component', value.hex(' ', 4))
            terminal.answer(root + ', its check value', check_value(root, value))
        self.assertEqual(terminal.finish(), 0, terminal.shown)
        self.assertIn('component_malformed: purchase sm4', terminal.shown)
        self.assertNotIn('words that', terminal.shown)
        for root, value in zip(ROOTS, values):
            self.assertNotIn(value.hex()[:8], terminal.shown)
            self.assertRegex(terminal.shown, f'{root} +{check_value(root, value)}')
        # Three mistakes end it, and nothing is given.
        terminal = Terminal(PROGRAM, 'ceremony', 'component', '--dir', self.room, *self.person('first'), *REHEARSAL)
        for _ in range(3):
            terminal.answer(', component (32 hex digits): ', 'no digits')
            terminal.answer(', its check value', '000000')
        self.assertEqual(terminal.finish(), 1)
        status = json.loads(self.done(run('ceremony', 'status', '--dir', self.room, '--json')))
        self.assertEqual([bool(each['given_at']) for each in status['custodians']], [False, True, False])

    def test_a_drawn_component_is_shown_on_the_terminal_only(self):
        self.begin()
        self.refused(self.ceremony('component', *self.person('first'), '--generate'), '--sheet FILE')
        terminal = Terminal(PROGRAM, 'ceremony', 'component', '--dir', self.room, *self.person('first'), '--generate', *REHEARSAL)
        self.assertEqual(terminal.finish(), 0, terminal.shown)
        sheet = self.place / 'shown'
        shown = terminal.shown.replace('\r', '')
        sheet.write_text('\n'.join(line for line in shown.split('\n') if re.fullmatch(r'\w+ (sm4|3des)( [0-9A-F]{8}){4} \w{6}', line)))
        self.assertEqual(len(read_sheet(sheet)), 4)

    def test_a_live_ceremony(self):
        self.done(self.ceremony('begin', '--custodians', 'first,second', mark=[]))
        for who in ('first', 'second'):
            self.done(self.ceremony('component', *self.person(who), '--generate', '--sheet', self.place / f'{who}.sheet', mark=[]))
        self.refused(self.ceremony('combine', '--out', self.place / 'nation', *self.person('first'), *self.person('second')), 'mark_mismatch')
        self.done(self.ceremony('combine', '--out', self.place / 'nation', *self.person('first'), *self.person('second'), mark=[]))
        minutes = (self.room / 'minutes.txt').read_text()
        self.assertNotIn('REHEARSAL', minutes)
        self.assertEqual(self.done(run('ceremony', 'verify-minutes', self.room / 'minutes.txt', '--nation', self.place / 'nation')), 'VALID\n')
        sheets = [read_sheet(self.place / f'{who}.sheet') for who in ('first', 'second')]
        for root, value in zip(ROOTS, added(*sheets, [bytes(16)] * 4)):
            self.assertRegex(minutes, f'national {root} v1 +{check_value(root, value)}\n')


class Refusals(Case):
    def test_wrong_order_wrong_people_wrong_mark(self):
        self.refused(self.give('first', components(1)), 'ceremony_unknown')
        self.refused(run('ceremony', 'status', '--dir', self.room), 'ceremony_unknown')
        self.begin()
        self.refused(self.ceremony('begin', '--custodians', 'first,second'), 'target_exists')
        self.refused(self.combine(), 'component_missing: no components yet from first, second, third')
        self.private('fourth', 'the long words of fourth\n')
        self.refused(self.give('fourth', components(1)), 'custodian_not_invited')
        self.refused(self.ceremony('component', *self.person('first'), '--generate', '--sheet', self.place / 's', mark=[]), 'mark_mismatch')
        self.assertFalse((self.place / 's').exists())
        self.done(self.give('first', components(1)))
        self.refused(self.give('first', components(1)), 'component_exists')
        self.refused(self.give('second', components(1)), 'component_repeated')
        self.refused(self.give('second', [bytes(16)] * 4), 'component_weak')

    def test_again_needs_the_old_passphrase(self):
        self.begin()
        self.done(self.give('first', components(1)))
        old = self.private('first.old', (self.place / 'first').read_text())
        self.private('first', 'another secret of first\n')
        sheet = self.private('first.new', sheet_of(components(5)))
        again = ['component', *self.person('first'), '--from', sheet, '--again', '--old-passphrase-file']
        self.refused(self.ceremony(*again, self.place / 'second'), 'wrong_passphrase')
        self.done(self.ceremony(*again, old))
        self.done(self.give('second', components(2)))
        self.done(self.give('third', components(3)))
        self.done(self.combine())
        minutes = (self.room / 'minutes.txt').read_text()
        for root, value in zip(ROOTS, added(components(5), components(2), components(3))):
            self.assertRegex(minutes, f'national {root} v1 +{check_value(root, value)}\n')

    def test_sheets_must_be_private_and_are_not_overwritten(self):
        self.begin()
        sheet = self.private('open.sheet', sheet_of(components(1)))
        sheet.chmod(0o644)
        self.refused(self.ceremony('component', *self.person('first'), '--from', sheet), 'file_not_private')
        self.refused(self.ceremony('component', *self.person('first'), '--from', self.place / 'nowhere'), 'unreadable')
        self.refused(self.ceremony('component', *self.person('first'), '--from', self.private('empty', '')), 'empty')
        self.refused(self.ceremony('component', *self.person('first'), '--from', self.private('long', 'x\n' * 65)), 'too_long')
        self.refused(self.ceremony('component', *self.person('first'), '--generate', '--sheet', sheet), 'target_exists')
        self.refused(self.ceremony('component', *self.person('first')), 'source_missing')
        mistyped = sheet_of(components(1)).replace(components(1)[0].hex(), components(1)[1].hex())
        result = self.ceremony('component', *self.person('first'), '--from', self.private('mistyped', mistyped))
        self.refused(result, 'component_malformed: purchase sm4')
        self.assertNotIn(components(1)[1].hex()[:8], result.stderr)

    def test_usage(self):
        self.begin()
        for arguments in (['--generate', '--from', 'x'], ['--from', 'x', '--from-fd', '3'], ['--sheet', 'x'],
                          ['--old-passphrase-file', 'x'], ['--component', '00'], [*self.person('second')]):
            self.assertEqual(self.ceremony('component', *self.person('first'), *arguments).returncode, 2, arguments)
        self.assertEqual(self.ceremony('combine').returncode, 2)
        self.assertEqual(run('ceremony').returncode, 2)
        text = self.done(run('ceremony', '--help'))
        for step in ('begin', 'component', 'combine', 'status', 'minutes', 'verify-minutes'):
            self.assertIn(f'ceremony {step}' if step != 'minutes' else step, text)


unittest.main(argv=sys.argv[:1], verbosity=1)
