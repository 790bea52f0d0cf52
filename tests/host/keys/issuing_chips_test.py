"""onecard-keys with an issuing state (docs/issuing.md): its log, an import that a person watches, and a rotation
that asks it. Chips that a desk issued are counted in fleet_test.

Usage: issuing_chips_test.py PROGRAM
"""
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

from rotation_program_test import PROGRAM, REHEARSAL, Scene
from terminal import Terminal

HEADER = 'kind,number,suite,valid_from,valid_to,holder,interoperable,state,pin,terminal,operator\n'
ISSUED = 3


def card_number(i):
    return f'031048000000{i:08}'


def lines(cards, sams=0):
    text = [f'card,{card_number(i)},sm4,20260101,20351231,student,yes,enabled,,,' for i in range(cards)]
    text += [f'sam,{10 ** 19 + i},sm4,20260101,20351231,,,,,310000000101,0000000000310001' for i in range(sams)]
    return HEADER + '\n'.join(text) + '\n'


class State(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.founded = temporary.name + '/founded'
        os.mkdir(temporary.name + '/scene')
        cls.scene = Scene(temporary.name + '/scene')
        shutil.copytree(cls.scene.directory, cls.founded)

    def setUp(self):
        shutil.rmtree(self.scene.directory)
        shutil.copytree(self.founded, self.scene.directory)
        self.state = self.scene.at('state.db')

    def write(self, name, text):
        with open(self.scene.at(name), 'w', encoding='utf8') as file:
            file.write(text)
        return self.scene.at(name)

    def issuing(self, command, *more):
        return ['issuing', command, '--deployment', self.scene.at('issuer'), '--state', self.state, *more]

    def importing(self, file):
        return self.issuing('import', '--lines', file, '--passphrase-file', self.scene.at('service'))

    def sql(self, text, *values):
        with contextlib.closing(sqlite3.connect(self.state)) as database, database:
            return database.execute(text, values).fetchall()


class Watching(State):
    def watched(self, file):
        terminal = Terminal(PROGRAM, *self.importing(file))
        self.assertEqual(terminal.finish(), 0, terminal.shown)
        return terminal.shown

    def test_a_person_sees_how_far_an_import_is(self):
        file = self.write('lines.csv', lines(25000))
        shown = self.watched(file)
        steps = ''.join(f'\r{done} of 25000 lines' for done in (0, 10000, 20000, 25000))
        self.assertIn(steps + '\r\n25000 lines read, 25000 new, 0 there already', shown)
        # The same again: there is nothing to do, and the line that was drawn is ended.
        self.assertIn(steps + '\r\n25000 lines read, 0 new, 25000 there already', self.watched(file))

    def test_a_program_sees_the_result_only(self):
        ran = self.scene.run(*self.importing(self.write('lines.csv', lines(3))))
        self.assertEqual((ran.returncode, ran.stdout), (0, '3 lines read, 3 new, 0 there already\n'))
        self.assertNotIn('of 3 lines', ran.stderr)

    def test_nothing_of_a_refused_import_is_kept(self):
        self.scene.done(*self.importing(self.write('lines.csv', lines(3))))
        other = lines(20000).replace(card_number(2) + ',sm4,20260101', card_number(2) + ',sm4,20260102')
        terminal = Terminal(PROGRAM, *self.importing(self.write('other.csv', other)))
        self.assertEqual(terminal.finish(), 1)
        self.assertIn('nothing was imported', terminal.shown)
        self.assertNotIn(card_number(2), terminal.shown)
        self.assertEqual(self.sql('SELECT count(*) FROM line'), [(3,)])


class Log(State):
    def verify(self, *more):
        ran = self.scene.run('audit', 'verify', self.state, '--json', *more)
        report = json.loads(ran.stdout)
        self.assertEqual(ran.returncode, 0 if report['verdict'] == 'whole' else 1)
        return report

    def test_the_state_has_a_log_that_verifies(self):
        for count in (3, 5, 6):
            self.scene.done(*self.importing(self.write('lines.csv', lines(count))), '--by', 'night')
        report = self.verify()
        self.assertEqual((report['verdict'], report['entries']), ('whole', 3))
        told = [json.loads(line)['detail'] for line in self.scene.done('audit', 'show', self.state).splitlines()]
        self.assertEqual([(one['command'], one['by'], one['new']) for one in told],
                         [('import', 'person:night', 3), ('import', 'person:night', 2), ('import', 'person:night', 1)])
        self.assertNotIn(card_number(1), json.dumps(told))
        # An older copy is whole; the head that was written down denies it.
        shutil.copy(self.state, self.scene.at('older.db'))
        self.scene.done(*self.importing(self.write('lines.csv', lines(7))))
        head = self.verify()['head']
        self.assertEqual(self.verify('--head', report['head'])['verdict'], 'whole')
        shutil.copy(self.scene.at('older.db'), self.state)
        self.assertEqual(self.verify()['verdict'], 'whole')
        self.assertEqual(self.verify('--head', head)['verdict'], 'head_missing')
        self.assertEqual(self.verify('--key', report['audit_key'])['verdict'], 'whole')
        self.assertEqual(self.verify('--city', self.scene.at('city/city.json'))['verdict'], 'other_key')
        self.sql("UPDATE audit SET line = replace(line, 'night', 'noon') WHERE number = 2")
        report = self.verify()
        self.assertEqual((report['verdict'], report['entry']), ('entry_fault', 2))
        self.sql('DELETE FROM audit WHERE number >= 2')
        report = self.verify()
        self.assertEqual((report['verdict'], report['entry']), ('truncated', 1))

    def test_a_store_whose_custodians_were_changed_says_so(self):
        store = self.scene.at('city/keys.store')
        with open(store, 'rb') as file:
            content = bytearray(file.read())
        place = content.index(b'first', 144)  # docs/key_store.md, 1: the custodians' part
        self.assertLess(place, 150)
        content[place] = ord('F')
        with open(store, 'wb') as file:
            file.write(content)
        ran = self.scene.run('audit', 'verify', store)
        self.assertEqual(ran.returncode, 1)
        self.assertTrue(ran.stdout.startswith('custodians_malformed: '), ran.stdout)


class Rotation(State):
    def refusal(self, *state):
        return self.scene.refused('rotate', 'plan', *self.scene.city, '--state', *state)

    def test_a_state_that_nobody_can_vouch_for_is_not_asked(self):
        self.assertEqual(self.refusal(self.scene.at('nowhere.db')), 'file_failed')
        self.assertFalse(os.path.exists(self.scene.at('nowhere.db')))
        importing = self.importing(self.write('lines.csv', lines(5, 2)))
        self.assertEqual(self.scene.refused(*importing), 'dual_control_missing')  # SAMs among them
        self.assertEqual(self.scene.refused(*importing, *self.scene.city[:4]), 'store_failed')  # one custodian
        # Somebody's own city of the same number, with its own custodians, is not the one that deployed this issuer.
        rogue = lambda name: self.scene.at(f'rogue-{name}')
        self.scene.done('found-nation', '--dir', rogue('nation'), *self.scene.people(''), *REHEARSAL)
        self.scene.done('found-city', '--dir', rogue('city'), '--nation', rogue('nation'), '--city', '3100', '--issuer',
                        '3104000000000001', *self.scene.people(''), *self.scene.people('nation-'), *REHEARSAL)
        self.assertEqual(self.scene.refused(*importing, '--city-dir', rogue('city'), *self.scene.people('')), 'city_mismatch')
        self.scene.done(*importing, *self.scene.city)
        ordered = json.loads(self.scene.done('audit', 'show', self.scene.at('city/keys.store')).splitlines()[-1])
        self.assertEqual((ordered['command'], ordered['detail']['sams']), ('order-sams', 2))
        rows = self.scene.asked('rotate', 'plan', *self.scene.city, '--state', self.state)['keys']
        self.assertTrue(all(one['cards'] == one['sams'] == 0 for row in rows for one in row['versions']))
        # A chip that some database program moved on.
        self.sql('UPDATE line SET state = ?, chip = randomblob(8) WHERE id = 1', ISSUED)
        self.assertEqual(self.refusal(self.state), 'fleet_unknown')
        serving = self.issuing('serve', '--passphrase-file', self.scene.at('service'), '--port', '0')
        self.assertEqual(self.scene.refused(*serving), 'file_failed')

    def test_another_citys_state_is_refused(self):
        self.scene.done(*self.importing(self.write('lines.csv', lines(1))))
        self.sql('UPDATE owner SET city = 0x3200')
        self.assertEqual(self.refusal(self.state), 'city_mismatch')


if __name__ == '__main__':
    unittest.main(argv=['issuing_chips_test.py'])
