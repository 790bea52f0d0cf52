"""onecard-keys with an issuing state (docs/issuing.md): its log, an import that a person watches, rotations and drills
that count its chips. What a desk does over the wire (issuing_kill_test) is written into the state by this test.

Usage: issuing_state_test.py PROGRAM
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
CARD, SAM = 1, 2
ISSUED, BLOCKED = 3, 5
PURCHASE, LOAD = 1, 2  # crypto::keys::KeyUse
SM4 = 4


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

    def step(self, command, *more):
        self.scene.done(*self.issuing(command, '--passphrase-file', self.scene.at('service'), *more))

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
        self.scene.done(*self.importing(self.write('lines.csv', lines(3))))
        self.sql('UPDATE line SET state = ?, chip = randomblob(8)', ISSUED)
        for command in ('activate', 'lost', 'found'):
            self.step(command, '--kind', 'card', '--number', card_number(1), '--by', 'night')
        report = self.verify()
        self.assertEqual((report['verdict'], report['entries']), ('whole', 4))
        told = [json.loads(line)['detail'] for line in self.scene.done('audit', 'show', self.state).splitlines()]
        self.assertEqual([(one['command'], one['by']) for one in told][1:],
                         [('activate', 'person:night'), ('lost', 'person:night'), ('found', 'person:night')])
        self.assertNotIn(card_number(1), json.dumps(told))
        # An older copy is whole; the head that was written down denies it.
        shutil.copy(self.state, self.scene.at('older.db'))
        self.step('lost', '--kind', 'card', '--number', card_number(1))
        head = self.verify()['head']
        self.assertEqual(self.verify('--head', report['head'])['verdict'], 'whole')
        shutil.copy(self.scene.at('older.db'), self.state)
        self.assertEqual(self.verify()['verdict'], 'whole')
        self.assertEqual(self.verify('--head', head)['verdict'], 'head_missing')
        self.assertEqual(self.verify('--key', report['audit_key'])['verdict'], 'whole')
        self.assertEqual(self.verify('--city', self.scene.at('city/city.json'))['verdict'], 'other_key')
        self.sql("UPDATE audit SET line = replace(line, 'night', 'noon') WHERE number = 3")
        report = self.verify()
        self.assertEqual((report['verdict'], report['entry']), ('entry_fault', 3))
        self.sql('DELETE FROM audit WHERE number >= 3')
        report = self.verify()
        self.assertEqual((report['verdict'], report['entry']), ('truncated', 2))

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
    """Three cards and two SAMs carry version 1, and one card that was blocked."""

    def setUp(self):
        super().setUp()
        self.scene.done(*self.importing(self.write('lines.csv', lines(5, 2))))
        self.sql("INSERT INTO key_set(id, members) VALUES(1, 'a card of v1'), (2, 'a card of v2'), (3, 'a SAM of v1')")
        for key_set, version in ((1, 1), (2, 2)):
            for use in (LOAD, PURCHASE):
                self.sql('INSERT INTO key_set_member VALUES(?, ?, ?, ?, 0)', use, SM4, version, key_set)
        self.sql('INSERT INTO key_set_member VALUES(?, ?, 1, 3, 1)', PURCHASE, SM4)
        for i in range(4):
            self.make(card_number(i), 1, BLOCKED if i == 3 else ISSUED)
        for i in range(2):
            self.make(str(10 ** 19 + i), 3, ISSUED)
        self.with_chips = ('--state', self.state)

    def make(self, number, key_set, state):
        self.sql('UPDATE line SET state = ?, chip = randomblob(8), key_set = ? WHERE number = ?', state, key_set,
                 bytes.fromhex(number))

    def carried(self, use, version, *more):
        rows = self.scene.asked('rotate', 'plan', *self.scene.city, *self.with_chips, *more)['keys']
        row = next(row for row in rows if row['use'] == use and row['suite'] == 'sm4')
        found = next(one for one in row['versions'] if one['version'] == version)
        return found['cards'], found['sams']

    def test_a_key_is_retired_when_no_chip_carries_it(self):
        scene = self.scene
        retire = scene.rotate('retire', 'load', '--version', '1')
        scene.done(*scene.rotate('prepare', 'load', *REHEARSAL))
        for place in ('host', 'issuer'):
            scene.deliver(place)
        scene.done(*scene.rotate('activate', 'load'), *self.with_chips)
        self.assertEqual(self.carried('load', 1), (3, 0))
        self.assertEqual(self.carried('load', 2), (0, 0))
        self.assertEqual(scene.refused(*retire, *self.with_chips), 'still_needed')
        self.assertEqual(scene.refused(*retire, '--state', scene.at('nowhere.db')), 'file_failed')
        self.assertEqual(scene.run(*retire, *self.with_chips, '--no-chips').returncode, 2)
        for i in range(2):
            self.make(card_number(i), 2, ISSUED)
        self.assertEqual(self.carried('load', 1), (1, 0))
        self.assertEqual(scene.refused(*retire, *self.with_chips), 'still_needed')
        self.step('block', '--kind', 'card', '--number', card_number(2))
        self.assertEqual(self.carried('load', 1), (0, 0))
        self.assertEqual(scene.states('city', 'load'), ['verify_only', 'active'])
        scene.done(*retire, *self.with_chips)

    def test_sams_hold_a_purchase_rotation_back(self):
        scene = self.scene
        scene.done(*scene.rotate('prepare', 'purchase', *REHEARSAL), *scene.nation)
        scene.deliver('host')
        scene.deliver('issuer', *scene.nation)
        activate = [*scene.rotate('activate', 'purchase'), *scene.nation, *self.with_chips]
        self.assertEqual(scene.refused(*activate), 'sams_lack_it')
        self.sql('INSERT INTO key_set_member VALUES(?, ?, 2, 3, 1)', PURCHASE, SM4)
        scene.done(*activate)

    def test_a_drill_counts_and_lists_every_chip_that_ever_had_the_key(self):
        scene = self.scene
        listed = scene.at('carriers.csv')
        drill = ('compromise', *scene.city, '--key', 'city/3100 load sm4 v1', *self.with_chips, '--out', listed)
        report = scene.asked(*drill)
        self.assertEqual(report['in_use'], {'cards': 3, 'sams': 0})
        self.assertEqual(report['ever'], {'cards': 4, 'sams': 0})

        def carriers():
            with open(listed, encoding='utf8') as file:
                return file.read()
        self.assertEqual(carriers().count('\ncard,'), 4)
        self.assertIn('blocked', carriers())
        self.assertNotIn(card_number(0), carriers())
        scene.done(*drill, '--unmasked')
        self.assertIn(f'card,{card_number(0)},issued\n', carriers())
        report = scene.asked('compromise', *scene.city, *scene.nation, '--key', 'national purchase sm4 v1',
                             *self.with_chips)
        self.assertEqual(report['ever'], {'cards': 4, 'sams': 2})

    def test_another_citys_state_is_refused(self):
        self.sql('UPDATE owner SET city = 0x3200')
        self.assertEqual(self.scene.refused('rotate', 'plan', *self.scene.city, *self.with_chips), 'city_mismatch')


if __name__ == '__main__':
    unittest.main(argv=['issuing_state_test.py'])
