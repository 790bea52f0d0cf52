"""The issuing state against its own operator (docs/issuing.md, 6 and 7; docs/audit.md, 5), with the real program: a rotation
believes no state that was made for it, a state changed with a database program is found, PINs are sealed, a name forges no
history, and the chip maker's file leaves a log entry behind.

Usage: issuing_state_program_test.py PROGRAM
"""
import contextlib
import json
import os
import sqlite3
import stat
import sys
import tempfile
import unittest

from scene import PROGRAM, REHEARSAL, Rehearsal

COLUMNS = 'kind,number,suite,valid_from,valid_to,holder,interoperable,state,pin,terminal,operator\n'
LINES = (COLUMNS + 'card,03104800000000000017,sm4,20260101,20351231,student,yes,enabled,4711,,\n'
         'sam,10000000000000000001,sm4,20260101,20351231,,,,,310000000101,0000000000310001\n')


class Scene(Rehearsal):
    """A nation, a city and its issuer, in one directory, made under a umask that hides nothing."""

    umask = 0

    def __init__(self, directory):
        super().__init__(directory)
        with open(self.at('lines.csv'), 'w', encoding='ascii') as file:
            file.write(LINES)
        self.issuer = ['--deployment', self.at('issuer')]
        self.service = ['--passphrase-file', self.at('service')]
        self.found('city', '3100', '3104000000000001')
        self.done('deploy', 'issuer', *self.city, '--out', self.at('issuer'), '--unit', 'issuer-1', *self.service, *REHEARSAL)

    def issuing(self, command, *more, state='issuing.db'):
        return ('issuing', command, *self.issuer, '--state', self.at(state), *more)

    def tamper(self, sql):
        with contextlib.closing(sqlite3.connect(self.at('issuing.db'))) as database:
            database.executescript(sql)


class IssuingState(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.scene = Scene(temporary.name)
        self.scene.done(*self.scene.issuing('import', '--lines', self.scene.at('lines.csv'), *self.scene.service,
                                            *self.scene.city))

    def test_rotation_asks_a_real_state(self):
        scene = self.scene
        for reading in ('status', 'registry', 'inventory'):
            self.assertIn('no such file', scene.complaint(*scene.issuing(reading, state='fresh.db')))
            self.assertFalse(os.path.exists(scene.at('fresh.db')))
        scene.done('rotate', 'prepare', *scene.city, '--use', 'load', '--suite', 'sm4', *REHEARSAL)
        retire = ('rotate', 'retire', *scene.city, '--use', 'load', '--suite', 'sm4', '--version', '2', '--state')
        self.assertIn('no such file', scene.complaint(*retire, scene.at('fresh.db')))
        open(os.open(scene.at('fresh.db'), os.O_WRONLY | os.O_CREAT, 0o600), 'w').close()
        self.assertIn('wrong_application', scene.complaint(*retire, scene.at('fresh.db')))
        with contextlib.closing(sqlite3.connect(scene.at('issuing.db'))) as whole, \
                contextlib.closing(sqlite3.connect(scene.at('fresh.db'))) as copy:
            whole.backup(copy)
        with contextlib.closing(sqlite3.connect(scene.at('fresh.db'))) as copy:
            copy.executescript('DELETE FROM line WHERE kind = 2')
        self.assertIn('fleet_unknown', scene.complaint(*retire, scene.at('fresh.db')))
        scene.done(*retire, scene.at('issuing.db'))
        entry = json.loads(scene.done('audit', 'show', scene.at('city/keys.store')).splitlines()[-1])
        head = json.loads(scene.done('audit', 'verify', scene.at('issuing.db'), '--json'))['head']
        self.assertEqual(entry['command'], 'rotate-retire')
        state = entry['detail']['state']
        self.assertEqual((state['head'], state['entries'], state['cards'], state['sams']), (head, 1, 0, 0))
        self.assertEqual(len(state['owner']), 32)

    def test_changes_past_the_program_are_found(self):
        scene = self.scene
        verify = ('audit', 'verify', scene.at('issuing.db'))
        self.assertTrue(scene.done(*verify).startswith('whole'))
        scene.tamper("INSERT INTO line(kind, number, content, ordered) SELECT 2, x'10000000000000000002', content, ordered "
                     'FROM line WHERE kind = 2')
        found = scene.run(*verify)
        self.assertEqual(found.returncode, 1)
        self.assertIn('2 lines, 3 are there', found.stdout)
        scene.tamper("DELETE FROM line WHERE number = x'10000000000000000002'")
        self.assertTrue(scene.done(*verify).startswith('whole'))
        scene.tamper('DELETE FROM audit; DELETE FROM audit_owner')
        retire = scene.issuing('retire', '--number', '03104800000000000017', *scene.service)
        self.assertIn('its log is gone', scene.complaint(*retire))
        self.assertIn('not begun', scene.complaint(*verify))

    def test_pins_are_sealed_and_the_file_is_private(self):
        scene = self.scene
        self.assertEqual(stat.S_IMODE(os.stat(scene.at('issuing.db')).st_mode), 0o600)
        with open(scene.at('issuing.db'), 'rb') as file:
            content = file.read()
        self.assertIn(b'03104800000000000017', content)  # the order is there
        self.assertNotIn(b'4711', content)
        os.chmod(scene.at('issuing.db'), 0o644)
        self.assertIn('chmod 600', scene.complaint(*scene.issuing('status')))

    def test_a_name_forges_no_history(self):
        scene = self.scene
        for name in ('evil\n{"n":99', 'a\x1b[1A', 'x' * 129):
            told = scene.complaint(*scene.issuing('retire', '--number', '03104800000000000017', '--by', name, *scene.service))
            self.assertIn('--by', told)
            self.assertNotIn(name, told)
        history = scene.done(*scene.issuing('history', '--number', '03104800000000000017'))
        self.assertEqual(len(history.splitlines()), 1)

    def test_the_chip_makers_file_is_logged_marked_and_never_overwritten(self):
        scene = self.scene
        out = scene.at('chips.hex')
        said = json.loads(scene.done('chip-maker', *scene.city, '--out', out, '--json'))
        self.assertEqual((said['key'], said['mark']), ('city/3100 card_transport sm4 v1', 'rehearsal'))
        with open(out, encoding='ascii') as file:
            key, mark, _ = file.read().split(' ', 2)
        self.assertEqual((len(key), mark), (32, 'rehearsal'))
        log = scene.done('audit', 'show', scene.at('city/keys.store'))
        entry = json.loads(log.splitlines()[-1])
        self.assertEqual((entry['command'], entry['detail']['check']), ('chip-maker', said['check']))
        self.assertNotIn(key, log)
        self.assertIn('target_exists', scene.complaint('chip-maker', *scene.city, '--out', out))
        self.assertEqual(scene.done('audit', 'show', scene.at('city/keys.store')), log)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
