"""onecard-keys rotate, deliver and compromise (docs/rotation.md): the real program walks a whole rotation of `load sm4` and
of `purchase sm4` in a rehearsal, with every command repeated and out of order.

Usage: rotation_program_test.py PROGRAM
"""
import json
import sys
import tempfile
import unittest

from scene import PROGRAM, REHEARSAL, Rehearsal


class Scene(Rehearsal):
    """A nation, a city, its host and an issuer that makes SAMs."""

    def __init__(self, directory):
        super().__init__(directory)
        self.nation = ['--nation-dir', self.at('nation'), *self.people('nation-')]
        self.found('city', '3100', '3104000000000001')
        self.deploy('host')
        self.deploy('issuer', '--nation', self.at('nation'), *self.people('nation-'))

    def deploy(self, role, *more):
        self.done('deploy', role, *self.city, '--out', self.at(role), '--unit', f'{role}-1', '--passphrase-file',
                  self.at('service'), *REHEARSAL, *more)

    def deliver(self, role, *more):
        return self.asked('deliver', *self.city, '--to', self.at(role), '--passphrase-file', self.at('service'), *more)

    def rotate(self, step, use, *more):
        return ('rotate', step, *self.city, '--use', use, '--suite', 'sm4', *more)

    def row(self, use):
        rows = self.asked('rotate', 'plan', *self.city, '--no-chips')['keys']
        return next(row for row in rows if row['use'] == use and row['suite'] == 'sm4')

    def states(self, place, use, label='city/3100'):
        access = ['--passphrase-file', self.at('service')] if place in ('host', 'issuer') else self.people('')
        keys = self.asked('tree', self.at(f'{place}/keys.store'), *access)['keys']
        return [key['state'] for key in sorted(keys, key=lambda key: key['version'])
                if key['label'] == label and key['use'] == use and key['algorithm'] == 'sm4']


class Rotation(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.scene = Scene(temporary.name)

    def test_load(self):
        scene = self.scene
        prepare = scene.rotate('prepare', 'load', *REHEARSAL)
        activate = scene.rotate('activate', 'load')
        retire = scene.rotate('retire', 'load', '--version', '1')
        destroy = scene.rotate('destroy', 'load', '--version', '1')
        self.assertEqual(scene.refused(*activate), 'nothing_planned')
        self.assertEqual(scene.refused(*scene.rotate('prepare', 'load')), 'mark_mismatch')
        self.assertEqual(scene.asked(*prepare), {'use': 'load', 'suite': 'sm4', 'version': 2, 'state': 'planned'})
        self.assertEqual(scene.refused(*prepare), 'rotation_open')
        self.assertEqual(scene.refused(*activate), 'not_delivered')
        self.assertEqual(scene.row('load')['next'], 'deliver --to DIR of: city-host host-1, issuer issuer-1')
        first = scene.deliver('host')
        self.assertEqual(first, {'place': 'city-host host-1', 'changes': [
            {'key': 'city/3100 load sm4 v2', 'state': 'active', 'added': True}]})
        self.assertEqual(scene.deliver('host')['changes'], [])
        self.assertEqual(scene.refused(*activate), 'not_delivered')
        scene.deliver('issuer')
        self.assertEqual(scene.row('load')['next'], 'rotate activate --use load --suite sm4')
        self.assertEqual(scene.asked(*activate)['state'], 'active')
        self.assertEqual(scene.refused(*activate), 'nothing_planned')
        for place in ('host', 'issuer'):
            scene.deliver(place)
            self.assertEqual(scene.states(place, 'load'), ['verify_only', 'active'])
        self.assertEqual(scene.refused(*destroy), 'step_out_of_order')
        self.assertEqual(scene.refused(*retire), 'fleet_unknown')
        self.assertEqual(scene.asked(*retire, '--no-chips')['state'], 'retired')
        self.assertEqual(scene.refused(*retire, '--no-chips'), 'step_out_of_order')
        for place in ('host', 'issuer'):
            scene.deliver(place)
        self.assertEqual(scene.asked(*destroy)['state'], 'destroyed')
        scene.deliver('host')
        self.assertEqual(scene.states('host', 'load'), ['destroyed', 'active'])
        self.assertEqual(scene.states('city', 'load'), ['destroyed', 'active'])
        scene.deliver('issuer')
        self.assertEqual(scene.row('load')['next'], '-')
        scene.done('audit', 'verify', scene.at('city/keys.store'), '--city', scene.at('city/city.json'))
        commands = [json.loads(line)['command'] for line in
                    scene.done('audit', 'show', scene.at('city/keys.store')).splitlines()]
        self.assertEqual([name for name in commands if name.startswith('rotate')],
                         ['rotate-prepare', 'rotate-activate', 'rotate-retire', 'rotate-destroy'])
        self.assertEqual(commands.count('deliver'), commands.count('delivered'))

    def test_purchase(self):
        scene = self.scene
        prepare = scene.rotate('prepare', 'purchase', *REHEARSAL)
        activate = scene.rotate('activate', 'purchase')
        self.assertEqual(scene.refused(*prepare), 'nation_missing')
        scene.done(*prepare, *scene.nation)
        self.assertEqual(scene.states('nation', 'purchase', 'national'), ['active', 'active'])
        self.assertEqual(scene.states('city', 'transaction_certificate'), ['active', 'planned'])
        scene.deliver('host')
        scene.deliver('issuer')  # the city's part only
        self.assertEqual(scene.refused(*activate, *scene.nation, '--no-chips'), 'not_delivered')
        self.assertEqual([change['key'] for change in scene.deliver('issuer', *scene.nation)['changes']],
                         ['national purchase sm4 v2'])
        self.assertEqual(scene.refused(*activate, '--no-chips'), 'nation_missing')
        self.assertEqual(scene.refused(*activate, *scene.nation), 'fleet_unknown')
        scene.done(*activate, *scene.nation, '--no-chips')
        scene.deliver('issuer', *scene.nation)
        self.assertEqual(scene.states('issuer', 'purchase'), ['verify_only', 'active'])
        self.assertEqual(scene.states('issuer', 'purchase', 'national'), ['verify_only', 'active'])
        self.assertEqual(scene.states('host', 'purchase'), [])
        scene.done(*scene.rotate('retire', 'purchase', '--version', '1'), '--no-chips', *scene.nation)
        scene.done(*scene.rotate('destroy', 'purchase', '--version', '1'), *scene.nation)
        self.assertEqual(scene.states('nation', 'purchase', 'national'), ['destroyed', 'active'])

    def test_compromise(self):
        scene = self.scene
        drill = ('compromise', *scene.city, '--key')
        report = scene.asked(*drill, 'city/3100 load sm4 v1')
        self.assertEqual(report['places'], ['city-host host-1', 'issuer issuer-1'])
        self.assertEqual(report['state'], 'active')
        self.assertIn('rotate prepare', ' '.join(report['steps']))
        report = scene.asked(*drill, 'national purchase sm4 v1', *scene.nation)
        self.assertEqual(report['derived'], ['city/3100 purchase sm4 v1'])
        self.assertIn('1. ', scene.done(*drill, 'city/3100 certificate_authority p256 v1'))
        self.assertEqual(scene.refused(*drill, 'load sm4 v1'), 'input_wrong')
        self.assertEqual(scene.refused(*drill, 'city/3100 load sm4 v7'), 'key_unknown')
        self.assertEqual(scene.refused(*drill, 'city/3100 load sm4 v1', '--out', scene.at('list')), 'fleet_unknown')

    def test_wrong_use(self):
        scene = self.scene
        for use in ('list_signature', 'certificate_authority', 'transaction_certificate'):
            self.assertEqual(scene.refused(*scene.rotate('prepare', use, *REHEARSAL)), 'key_not_rotatable')
        self.assertEqual(scene.refused(*scene.rotate('prepare', 'nonsense', *REHEARSAL)), 'input_wrong')
        self.assertEqual(scene.refused(*scene.rotate('activate', 'load', '--confirmed', 'x')), 'input_wrong')
        self.assertEqual(scene.run(*scene.rotate('retire', 'load', '--version', '0')).returncode, 2)
        self.assertIn('docs/rotation.md', scene.done('rotate', '--help'))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
