"""onecard-keys with PKCS#11 tokens (docs/key_store.md, 2 and 6): nation and city keep their secrets in tokens, custodians
bring tokens of their own. SoftHSM2 is the real one; a test double between takes the token away in the middle.

Usage: token_program_test.py PROGRAM SOFTHSM2 FAULTY_MODULE
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from terminal import Terminal

PROGRAM, SOFTHSM2, FAULTY_MODULE = sys.argv[1:4]
REHEARSAL = ('--rehearsal', '--seed', '7')
PINS = {who: f'{who} 71905' for who in ('nation', 'city', 'second', 'third')}
SECRETS = [*PINS.values(), 'a wrong 71905', *(f'the words of {who}' for who in ('first', 'fourth', 'service'))]


class Scene(unittest.TestCase):
    def setUp(self):
        memory = '/dev/shm'  # SoftHSM2 writes every attribute to its file
        temporary = tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)
        self.addCleanup(temporary.cleanup)
        self.place = pathlib.Path(temporary.name)
        (self.place / 'tokens').mkdir()
        (self.place / 'softhsm2.conf').write_text(
            f'directories.tokendir = {self.place}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n')
        self.environment = {**os.environ, 'SOFTHSM2_CONF': str(self.place / 'softhsm2.conf')}
        self.environment.pop('ONECARD_HSM_MODULE', None)
        for who in ('first', 'fourth', 'service'):
            self.private(who, f'the words of {who}\n')
        for who, pin in PINS.items():
            self.private(who + '.pin', pin + '\n')
        self.private('wrong.pin', 'a wrong 71905\n')

    def private(self, name, text):
        path = self.place / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def make_token(self, label, pin=None):
        """Its serial number."""
        done = subprocess.run(['softhsm2-util', '--init-token', '--free', '--label', label, '--so-pin', 'officer 71905',
                               '--pin', pin or PINS[label]], env=self.environment, capture_output=True, text=True, check=True)
        slots = subprocess.run(['softhsm2-util', '--show-slots'], env=self.environment, capture_output=True, text=True,
                               check=True).stdout
        slot = re.search(r'slot (\d+)', done.stdout).group(1)
        return re.search(rf'Slot {slot}\n.*?Serial number: +(\w+)', slots, re.S).group(1)

    def run_program(self, *arguments, module=SOFTHSM2, **environment):
        """Whatever it says, it tells no passphrase and no PIN."""
        chosen = ['--hsm-module', module] if module else []
        ran = subprocess.run([PROGRAM, *chosen, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                             stdin=subprocess.DEVNULL, start_new_session=True, env={**self.environment, **environment})
        for secret in SECRETS:
            self.assertNotIn(secret, ran.stdout + ran.stderr)
        return ran

    def done(self, *arguments, **more):
        ran = self.run_program(*arguments, **more)
        self.assertEqual(ran.returncode, 0, (arguments, ran.stderr))
        return ran.stdout

    def asked(self, *arguments, **more):
        return json.loads(self.done(*arguments, '--json', **more))

    def refused(self, *arguments, **more):
        """The one line on standard error, without the program's name."""
        ran = self.run_program(*arguments, **more)
        lines = ran.stderr.splitlines()
        self.assertTrue(ran.returncode == 1 and len(lines) == 1 and not ran.stdout, (arguments, ran))
        return lines[0].split(': ', 1)[1]

    def people(self, *who, prefix=''):
        words = {'first': f'first={self.place}/first', 'fourth': f'fourth={self.place}/fourth',
                 'second': f'second=token:second,{self.place}/second.pin',
                 'third': f'third=token:third,{self.place}/third.pin'}
        return [word for one in who for word in (f'--{prefix}custodian', words[one])]

    def token(self, label, pin=None):
        return ['--hsm-token', label, '--hsm-pin', self.place / ((pin or label) + '.pin')]


class StoresInTokens(Scene):
    PAIR = ('first', 'fourth')

    def setUp(self):
        super().setUp()
        self.nation = ['--nation-dir', self.place / 'nation', *self.people(*self.PAIR, prefix='nation-')]
        self.city = ['--city-dir', self.place / 'city', *self.people(*self.PAIR)]

    def found_nation(self, *token, **more):
        return ['found-nation', '--dir', self.place / 'nation', *self.people(*self.PAIR), *token, *REHEARSAL]

    def found_city(self, *token):
        return ['found-city', '--dir', self.place / 'city', '--nation', self.place / 'nation', '--city', '3100', '--issuer',
                '3104000000000001', *self.people(*self.PAIR), *self.people(*self.PAIR, prefix='nation-'), *token, *REHEARSAL]

    def found(self, nation='nation', city='city'):
        for label in {nation, city}:
            self.make_token(label)
        self.done(*self.found_nation(*self.token(nation)))
        self.done(*self.found_city(*self.token(city)))

    def deploy(self, role, *more):
        self.done('deploy', role, *self.city, '--out', self.place / role, '--unit', role + '-1', '--passphrase-file',
                  self.place / 'service', *REHEARSAL, *more)

    def rotate(self, step, use, *more):
        return ['rotate', step, *self.city, '--use', use, '--suite', 'sm4', *more]

    def tree(self, place):
        return self.asked('tree', self.place / place / 'keys.store', *self.people(*self.PAIR))['keys']

    def store(self, place):
        return (self.place / place / 'keys.store').read_bytes()

    def test_from_founding_to_a_rotation(self):
        self.found()
        self.deploy('host')
        self.deploy('issuer', '--nation', self.place / 'nation', *self.people(*self.PAIR, prefix='nation-'))
        # The authorities' keys were made in the tokens and signed there: OpenSSL follows them.
        host = self.place / 'host'
        subprocess.run(['openssl', 'verify', '-purpose', 'any', '-CAfile', host / 'national-root.pem', '-untrusted',
                        host / 'certificate.pem', host / 'certificate.pem'], check=True, capture_output=True)
        self.done(*self.rotate('prepare', 'load', *REHEARSAL))
        deliver = ['deliver', *self.city, '--passphrase-file', self.place / 'service', '--to']
        for place in ('host', 'issuer'):
            self.done(*deliver, self.place / place)
        self.done(*self.rotate('activate', 'load'))
        keys = [key for key in self.tree('city') if (key['use'], key['algorithm']) == ('load', 'sm4')]
        self.assertEqual([key['state'] for key in sorted(keys, key=lambda key: key['version'])], ['verify_only', 'active'])
        self.assertTrue(all(re.fullmatch('[0-9A-F]{6}', key['check_value']) for key in keys))
        for place in ('nation', 'city', 'host', 'issuer'):
            self.assertIn('whole', self.done('audit', 'verify', self.place / place / 'keys.store', module=None))
        # A deployed store opens without a module; the city's does not.
        self.done('tree', self.place / 'host/keys.store', '--passphrase-file', self.place / 'service', module=None)
        tree = ['tree', self.place / 'city/keys.store', *self.people(*self.PAIR)]
        self.assertIn('token_missing', self.refused(*tree, module=None))
        self.done(*tree, module=None, ONECARD_HSM_MODULE=SOFTHSM2)

    def test_one_token_for_nation_and_city(self):
        self.found('nation', 'nation')
        self.deploy('issuer', '--nation', self.place / 'nation', *self.people(*self.PAIR, prefix='nation-'))
        self.done(*self.rotate('prepare', 'purchase', *REHEARSAL), *self.nation)
        versions = [key['version'] for key in self.tree('nation') if (key['use'], key['algorithm']) == ('purchase', 'sm4')]
        self.assertEqual(sorted(versions), [1, 2])
        # Each store sweeps its own leftovers only.
        self.done(*self.rotate('prepare', 'load', *REHEARSAL))
        self.deploy('host')

    def test_wrong_pins_and_tokens_make_nothing(self):
        self.make_token('nation')
        for command, what in [
                (self.found_nation(*self.token('nation', 'wrong')), 'token_pin_wrong'),
                (self.found_nation(*self.token('nowhere', 'nation')), 'token_missing'),
                (self.found_nation('--hsm-token', 'nation', '--hsm-pin', self.place / 'none'), 'unreadable')]:
            self.assertIn(what, self.refused(*command))
        good = self.found_nation(*self.token('nation'))
        self.assertIn('--hsm-module', self.refused(*good, module=None))
        self.assertIn('module_missing', self.refused(*good, module=self.place / 'none.so'))
        self.assertIn('module_refused', self.refused(*good, module=self.place / 'first'))
        self.assertIn('token_pin_locked', self.refused(*good, module=FAULTY_MODULE, ONECARD_TOKEN_FAULT='C_Login 164'))
        self.make_token('nation')  # a second one of that name
        self.assertIn('token_ambiguous', self.refused(*good))
        self.assertFalse((self.place / 'nation').exists())
        serial = self.make_token('city')
        self.done(*self.found_nation('--hsm-token', serial, '--hsm-pin', self.place / 'city.pin'))

    def test_a_token_that_is_moved_away_between_commands(self):
        self.found()
        before = self.store('city')
        prepare = self.rotate('prepare', 'load', *REHEARSAL)
        os.rename(self.place / 'tokens', self.place / 'away')
        (self.place / 'tokens').mkdir()
        self.assertIn('token_missing', self.refused(*prepare))
        self.make_token('city')  # the same label on another token
        self.assertIn('token_missing', self.refused(*prepare))
        self.assertEqual(self.store('city'), before)
        shutil.rmtree(self.place / 'tokens')
        os.rename(self.place / 'away', self.place / 'tokens')
        self.done(*prepare)

    def test_a_token_that_loses_its_keys(self):
        self.found()
        before = self.store('city')
        for key in self.place.glob('tokens/*/*.object'):
            if key.name != 'token.object':
                key.unlink()
        self.assertIn('token_key_missing', self.refused(*self.rotate('prepare', 'load', *REHEARSAL)))
        self.assertEqual(self.store('city'), before)

    def test_a_token_that_goes_in_the_middle_of_a_rotation(self):
        """At every few calls: a named refusal, the old store whole; and the same command again goes on."""
        self.found()
        before = self.store('city')
        prepare = self.rotate('prepare', 'load', *REHEARSAL)
        refusals = set()
        for calls in range(0, 1000, 2):
            ran = self.run_program(*prepare, module=FAULTY_MODULE, ONECARD_TOKEN_REMOVED_AFTER=str(calls))
            if self.store('city') != before:
                break
            self.assertEqual(ran.returncode, 1, ran)
            refusals.add(re.search(r'token_\w+', ran.stderr).group())
        self.assertLessEqual(refusals, {'token_missing', 'token_gone'})
        self.assertGreater(calls, 30)
        self.assertEqual(ran.returncode, 0, ran)  # what is left undone then is a sweep
        self.assertIn('whole', self.done('audit', 'verify', self.place / 'city/keys.store', '--city',
                                         self.place / 'city/city.json'))
        self.assertIn('rotation_open', self.refused(*prepare))


class Custodians(Scene):
    def setUp(self):
        super().setUp()
        self.serials = {label: self.make_token(label) for label in ('second', 'third')}
        self.store = self.place / 'nation/keys.store'

    def found(self, *who, quorum=2):
        return ['found-nation', '--dir', self.place / 'nation', *self.people(*who), '--quorum', quorum, *REHEARSAL]

    def tree(self, *words, **more):
        return ['tree', self.store, *words]

    def test_passphrases_and_tokens_make_one_quorum(self):
        self.done(*self.found('first', 'second', 'third'))
        for pair in (('first', 'second'), ('third', 'first'), ('second', 'third')):
            self.done(*self.tree(*self.people(*pair)))
        for one in ('first', 'second'):
            self.assertIn('1 of 2 custodians: quorum_missing', self.refused(*self.tree(*self.people(one))))
        self.assertEqual(self.done('custodians', 'show', self.store, module=None),
                         f'2 of 3 custodians open this store: first, second (token {self.serials["second"]}), '
                         f'third (token {self.serials["third"]})\n')
        self.assertEqual(self.asked('custodians', 'show', self.store)['tokens'], self.serials)
        self.assertIn('whole', self.done('audit', 'verify', self.store))

    def test_whoever_comes_wrongly_is_named(self):
        self.done(*self.found('first', 'second', 'third'))
        first, third = self.people('first'), self.people('third')

        def refused(word, **more):
            return self.refused(*self.tree(*first, '--custodian', word), **more)
        wrong = f'second=token:second,{self.place}/wrong.pin'
        self.assertIn('second: token_pin_wrong', refused(wrong))
        self.assertIn('second: custodian_has_token', refused(f'second={self.place}/second.pin'))
        self.assertIn('second: token_other', refused(f'second=token:third,{self.place}/third.pin'))
        self.assertIn('first: custodian_has_passphrase', self.refused(
            *self.tree('--custodian', f'first=token:second,{self.place}/second.pin')))
        self.assertIn('token_missing', refused(f'second=token:nowhere,{self.place}/second.pin'))
        self.assertIn('name the token', refused('second=token:'))
        self.assertIn('name the token', refused(f'second=token:,{self.place}/second.pin'))
        self.assertIn('unreadable', refused(f'second=token:second,{self.place}/none'))
        self.assertIn('--hsm-module', refused(self.people('second')[1], module=None))
        self.assertIn('second: token_pin_locked', refused(self.people('second')[1], module=FAULTY_MODULE,
                                                          ONECARD_TOKEN_FAULT='C_Login 164'))
        twin = self.make_token('second')
        self.assertIn('token_ambiguous', refused(self.people('second')[1]))
        self.assertIn('second: token_other', refused(f'second=token:{twin},{self.place}/second.pin'))
        self.done(*self.tree(*third, '--custodian', f'second=token:{self.serials["second"]},{self.place}/second.pin'))

    def test_a_token_of_the_same_label_is_not_the_custodians(self):
        self.done(*self.found('second', 'third'))
        before = self.store.read_bytes()
        os.rename(self.place / 'tokens', self.place / 'away')
        (self.place / 'tokens').mkdir()
        self.assertIn('token_', self.refused(*self.tree(*self.people('second', 'third'))))
        for label in ('second', 'third'):
            self.make_token(label)
        self.assertIn('second: token_other', self.refused(*self.tree(*self.people('second', 'third'))))
        shutil.rmtree(self.place / 'tokens')
        os.rename(self.place / 'away', self.place / 'tokens')
        self.done(*self.tree(*self.people('second', 'third')))
        self.assertEqual(self.store.read_bytes(), before)

    def test_one_token_for_two_makes_nothing(self):
        twice = ['--custodian', f'third=token:second,{self.place}/second.pin']
        self.assertIn('token_repeated', self.refused(*self.found('second'), *twice))
        self.assertIn('token_pin_wrong', self.refused(*self.found('first'), '--custodian',
                                                      f'second=token:second,{self.place}/wrong.pin'))
        self.assertFalse((self.place / 'nation').exists())

    def test_custodians_change_to_tokens_and_back(self):
        self.done(*self.found('first', 'fourth'))
        self.done('custodians', 'change', self.store, *self.people('first', 'fourth'),
                  *self.people('second', 'third', prefix='new-'))
        self.assertIn('first: custodian_unknown', self.refused(*self.tree(*self.people('first'))))
        self.done('custodians', 'change', self.store, *self.people('third', 'second'),
                  *self.people('first', 'second', prefix='new-'))
        self.assertIn('third: custodian_unknown', self.refused(*self.tree(*self.people('third'))))
        self.done(*self.tree(*self.people('second', 'first')))

    def test_the_same_tokens_open_nation_and_city_together(self):
        self.done(*self.found('second', 'third'))
        both = [*self.people('second', 'third'), *self.people('third', 'second', prefix='nation-')]
        city = self.place / 'city'
        self.done('found-city', '--dir', city, '--nation', self.place / 'nation', '--city', '3100', '--issuer',
                  '3104000000000001', *both, *REHEARSAL)
        self.done('rotate', 'prepare', '--city-dir', city, '--nation-dir', self.place / 'nation', *both, '--use', 'purchase',
                  '--suite', 'sm4', *REHEARSAL)
        for store in (self.store, city / 'keys.store'):
            self.assertIn('whole', self.done('audit', 'verify', store, module=None))

    def test_a_ceremony_of_tokens(self):
        room = ['--dir', self.place / 'c', *REHEARSAL]
        self.done('ceremony', 'begin', '--custodians', 'first,second,third', '--quorum', 2, *room)
        for who in ('first', 'second', 'third'):
            sheet = self.place / (who + '.sheet')
            self.done('ceremony', 'component', *self.people(who), '--generate', '--sheet', sheet, *room)
        combine = ['ceremony', 'combine', '--out', self.place / 'nation', *room]
        self.assertIn('second: token_pin_wrong', self.refused(
            *combine, *self.people('first', 'third'), '--custodian', f'second=token:second,{self.place}/wrong.pin'))
        self.done('ceremony', 'component', *self.people('second'), '--generate', '--sheet', self.place / 'again.sheet',
                  '--again', *room)
        self.make_token('nation')
        self.done(*combine, *self.people('first', 'second', 'third'), *self.token('nation'))
        self.done(*self.tree(*self.people('second', 'third')))
        subprocess.run(['softhsm2-util', '--delete-token', '--token', 'nation'], env=self.environment, check=True,
                       capture_output=True)
        self.assertIn('keys.store: token_missing', self.refused(*self.tree(*self.people('second', 'third'))))

    def test_a_pin_is_asked_for_and_stands_nowhere(self):
        self.done(*self.found('first', 'second'))
        terminal = Terminal(PROGRAM, '--hsm-module', SOFTHSM2, 'tree', self.store, '--custodian', 'first', '--custodian',
                            'second=token:second', environment=self.environment)
        terminal.answer('first, passphrase for the store: ', 'the words of first')
        terminal.wait_for('second, PIN of the token second: ')
        for file in ('cmdline', 'environ'):  # while it has the passphrase
            told = pathlib.Path(f'/proc/{terminal.pid}/{file}').read_bytes()
            self.assertFalse([secret for secret in SECRETS if secret.encode() in told])
        terminal.answer('second, PIN of the token second: ', PINS['second'])
        self.assertEqual(terminal.finish(), 0, terminal.shown)
        self.assertFalse([secret for secret in SECRETS if secret in terminal.shown])
        ours = [path for path in self.place.glob('nation/**/*') if path.is_file()]
        self.assertGreater(len(ours), 1)
        for path in ours:
            self.assertFalse([secret for secret in SECRETS if secret.encode() in path.read_bytes()], path)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
