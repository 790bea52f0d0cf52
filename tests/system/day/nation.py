"""Founds a rehearsal nation: two cities with their hosts, issuers, desks, kiosks and gates, each with its own sealed store.

Everything is done by onecard-keys and onecard-host, as an operator would do it by hand (docs/keys.md).
"""
import dataclasses
import json
import os
import pathlib
import secrets
import subprocess

FARES = pathlib.Path(__file__).with_name('fares.toml')


@dataclasses.dataclass(frozen=True)
class Operator:
    city: str
    digit: int
    name: str

    @property
    def id(self):
        return f'{0:011d}{self.city}{self.digit}'

    def device(self, number):
        return f'{self.city}{0:08d}{self.digit}{number:03d}'

    def terminal(self, number):
        """The SAM's terminal number of device `number`."""
        return f'{self.city}{0:04d}{self.digit}{number:03d}'


@dataclasses.dataclass(frozen=True)
class Gate:
    operator: Operator
    number: int
    mode: str
    line: int
    station: int
    accepts: tuple

    @property
    def city(self):
        return self.operator.city

    @property
    def device(self):
        return self.operator.device(self.number)

    @property
    def terminal(self):
        return self.operator.terminal(self.number)

    @property
    def name(self):
        return f'gate-{self.device}'


class City:
    """Codes, directories, ports; METRO and BUS are its operators."""

    def __init__(self, code, name, index, other):
        self.code, self.name, self.index = code, name, index
        self.issuer = f'{code[:2]}04{0:011d}1'
        self.metro = Operator(code, 1, f'{name} Metro')
        self.bus = Operator(code, 2, f'{name} Bus')
        self.host_port, self.issuing_port = 7443 + 100 * index, 7444 + 100 * index
        self.gates = [Gate(self.metro, 1, 'entry', 1, 101, (other,)), Gate(self.metro, 2, 'exit', 1, 103, (other,)),
                      Gate(self.metro, 3, 'exit', 1, 106, (other,)),
                      # The second city's bus takes its own city's cards only.
                      Gate(self.bus, 1, 'single', 51, 901, (other,) if index == 0 else ())]

    @property
    def operators(self):
        return [self.metro, self.bus]


def two_cities():
    return [City('3100', 'Donghai', 0, '3200'), City('3200', 'Xishan', 1, '3100')]


class Refused(RuntimeError):
    """A program answered otherwise than the day needs."""


class Programs:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def path(self, name):
        return str(self.directory / name)

    def run(self, name, *arguments):
        done = subprocess.run([self.path(name), *map(str, arguments)], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise Refused(f'{name} {" ".join(map(str, arguments))}: exit status {done.returncode}\n{done.stderr.strip()}')
        return done.stdout


CUSTODIANS = ('first', 'second', 'third')


class Nation:
    """The keys and deployments under one directory. Passphrases are random, one a place and one a custodian, in files that only
    we may read. The roots come from a ceremony of three; two of them open the nation's and the cities' stores (docs/ceremony.md)."""

    def __init__(self, programs, directory, seed, cities):
        self.programs, self.seed, self.cities = programs, seed, cities
        self.directory = pathlib.Path(directory)
        self.passphrases = self.directory / 'passphrases'
        self.passphrases.mkdir(parents=True)

    def passphrase(self, place):
        file = self.passphrases / place
        if not file.exists():
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w', encoding='ascii') as out:
                out.write(secrets.token_urlsafe(24) + '\n')
        return file

    def place(self, name):
        return self.directory / name

    def keys(self, *arguments):
        return self.programs.run('onecard-keys', *arguments)

    def rehearse(self, *arguments):
        return self.keys(*arguments, '--rehearsal', '--seed', self.seed)

    def custodian(self, who):
        return f'{who}={self.passphrase(f"custodian-{who}")}'

    def custodians(self, prefix='', who=CUSTODIANS[:2]):
        """The options that open a store; all three make one."""
        return [word for name in who for word in (f'--{prefix}custodian', self.custodian(name))]

    def hold_ceremony(self, progress):
        ceremony = self.place('ceremony')
        self.rehearse('ceremony', 'begin', '--dir', ceremony, '--custodians', ','.join(CUSTODIANS), '--quorum', 2)
        for who in CUSTODIANS:
            progress(f'ceremony: the components of the {who} custodian')
            self.rehearse('ceremony', 'component', '--dir', ceremony, '--custodian', self.custodian(who), '--generate',
                          '--sheet', self.place(f'component-sheet-{who}'))
        self.rehearse('ceremony', 'combine', '--dir', ceremony, '--out', self.place('nation'), *self.custodians(who=CUSTODIANS))

    def found(self, progress):
        self.hold_ceremony(progress)
        for city in self.cities:
            progress(f'{city.name}: keys of the city')
            self.rehearse('found-city', '--dir', self.place(f'city-{city.code}'), '--city', city.code, '--issuer', city.issuer,
                          '--nation', self.place('nation'), *self.custodians('nation-'), *self.custodians(who=CUSTODIANS), '--quorum', 2)
            for kind in ('card', 'sam'):
                self.keys('chip-maker', '--city-dir', self.place(f'city-{city.code}'), '--out', self.transport(city, kind),
                          '--kind', kind, '--suite', 'sm4', *self.custodians())
            self.deploy_city(city)

    def transport(self, city, kind):
        return self.place(f'chip-maker-{city.code}-{kind}.hex')

    def deploy(self, city, role, name, *arguments):
        self.rehearse('deploy', role, '--city-dir', self.place(f'city-{city.code}'), *self.custodians(), '--out', self.place(name),
                      '--passphrase-file', self.passphrase(name), *arguments)

    def deploy_terminal(self, city, name, operator, device):
        self.deploy(city, 'terminal', name, '--operator', operator.id, '--device', device)

    def deploy_city(self, city):
        self.deploy(city, 'host', f'host-{city.code}', '--unit', f'host-{city.code}')
        self.deploy(city, 'issuer', f'issuer-{city.code}', '--unit', 'issuing', '--nation', self.place('nation'),
                    *self.custodians('nation-'))
        self.deploy(city, 'desk', f'desk-{city.code}', '--unit', 'desk-1')
        for kiosk in self.kiosks(city):
            self.deploy_terminal(city, kiosk.name, kiosk.operator, kiosk.device)
        for gate in city.gates:
            self.deploy_terminal(city, gate.name, gate.operator, gate.device)
        for operator in city.operators:
            self.deploy_terminal(city, self.office(operator), operator, operator.device(900))

    @staticmethod
    def kiosks(city):
        """Each desk with a kiosk of its own, since a kiosk's journal has one writer."""
        return [Kiosk(city.metro, 901 + n) for n in range(4)]

    @staticmethod
    def office(operator):
        """The back office of an operator: a device without a gate, which the dishonest use."""
        return f'office-{operator.device(900)}'

    def register(self, city):
        """Names the operators and registers every device, while the host is not running."""
        for operator in city.operators:
            self.host(city, 'operator', '--id', operator.id, '--name', operator.name)
        devices = [k.name for k in self.kiosks(city)] + [g.name for g in city.gates] + [self.office(o) for o in city.operators]
        self.host(city, 'register', *(self.place(name) / 'deployment.json' for name in devices))

    def host_arguments(self, city):
        return ['--config', self.place(f'host-{city.code}.toml'), '--rehearsal', '--passphrase-file', self.passphrase(f'host-{city.code}')]

    def host(self, city, command, *arguments):
        """A command of the city's people; answers its JSON, the last line when it says several things."""
        out = self.programs.run('onecard-host', *command.split(), *self.host_arguments(city), '--json', *arguments)
        return json.loads(out.splitlines()[-1]) if out.strip() else {}


@dataclasses.dataclass(frozen=True)
class Kiosk:
    operator: Operator
    number: int

    @property
    def device(self):
        return self.operator.device(self.number)

    @property
    def terminal(self):
        return self.operator.terminal(self.number)

    @property
    def name(self):
        return f'kiosk-{self.device}'
