"""The running day: hosts, issuers, desks, kiosks and gates as processes, and the cards that visit them."""
import json
import socket
import threading
import time

import chips
import configs
import machines
import plan
from relay import Relay

READERS_A_CITY = 4


def wait_listening(port, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise machines.Silence(f'nobody listens on port {port} after {seconds} s') from None
            time.sleep(0.02)


class Town:
    def __init__(self, nation, cards, log_directory):
        self.nation, self.cities, self.cards, self.logs = nation, nation.cities, cards, log_directory
        self.place, self.programs = nation.place, nation.programs
        self.hosts, self.gates, self.others = {}, {}, []
        pairs = chips.readers()
        self.card_slots = [machines.Reader(self.programs.directory, *pair) for pair in pairs[0::2]]
        self.sam_slots = [machines.Reader(self.programs.directory, *pair) for pair in pairs[1::2]]
        self.relays = {}
        self.loaded = {}       # card number: what the kiosks' events say
        self.taps = []
        self.lock = threading.Lock()

    # -- processes -------------------------------------------------------------------------------------------------------------

    def start(self, name, program, *arguments):
        return machines.Program(name, [self.programs.path(program), *arguments], self.logs / f'{name}.log')

    def terminal(self, name, role, config, *arguments, passphrase):
        file = self.place(f'{name}.toml')
        file.write_text(config)
        return self.start(name, 'onecard-terminal', role, '--config', file, '--rehearsal', '--json', '--passphrase-file', passphrase, *arguments)

    def start_host(self, city):
        self.hosts[city.code] = self.start(f'host-{city.code}', 'onecard-host', 'serve', *self.nation.host_arguments(city))
        wait_listening(city.host_port)

    def start_hosts(self):
        for city in self.cities:
            self.place(f'host-{city.code}.toml').write_text(configs.host(self.place, city, [c for c in self.cities if c is not city]))
            self.nation.register(city)
        machines.together([lambda city=city: self.start_host(city) for city in self.cities])
        self.relays = {city.code: Relay(city.host_port) for city in self.cities}

    # -- issuing ---------------------------------------------------------------------------------------------------------------

    def image(self, name):
        return self.place(f'chips/{name}.nvm')

    def make_chip(self, city, kind, serial):
        name = f'{city.code}-{kind}-{serial:04d}'
        self.programs.run('onecard-card', '--nvm', self.image(name), '--fresh', '--serial', f'{city.code}{serial:012d}',
                          '--transport-master', self.nation.transport(city, kind))
        return name

    def start_issuers(self):
        self.place('chips').mkdir()
        for city in self.cities:
            lines = [plan.HEAD] + [plan.sam_line(city, gate, n + 1) for n, gate in enumerate(city.gates)]
            lines += [card.line() for card in self.cards if card.city is city]
            csv = self.place(f'orders-{city.code}.csv')
            csv.write_text('\n'.join(lines) + '\n')
            state = ['--deployment', self.place(f'issuer-{city.code}'), '--state', self.place(f'issuing-{city.code}.db')]
            words = ['--passphrase-file', self.nation.passphrase(f'issuer-{city.code}')]
            self.programs.run('onecard-keys', 'issuing', 'import', *state, '--lines', csv, *words, '--city-dir',
                              self.place(f'city-{city.code}'), *self.nation.custodians())
            self.others.append(self.start(f'issuer-{city.code}', 'onecard-keys', 'issuing', 'serve', *state, '--json', '--port', city.issuing_port,
                                          '--registry', self.place(f'registry-{city.code}.jsonl'), '--host', '127.0.0.1', '--host-port', city.host_port,
                                          *words))
        for city in self.cities:
            wait_listening(city.issuing_port)
        self.place('amounts.csv').write_text(''.join(f'{card.number},{card.load_fen}\n' for card in self.cards))

    def desk(self, city, index, slot, *arguments):
        """A desk program at this slot, with the passphrases of the desk and of its kiosk."""
        kiosk = self.nation.kiosks(city)[index]
        name = f'desk-{slot.name.replace(" ", "-")}'
        words = self.nation.passphrases / name
        words.touch(mode=0o600)
        words.write_text(self.nation.passphrase(f'desk-{city.code}').read_text() + self.nation.passphrase(kiosk.name).read_text())
        file = self.place(f'{name}.toml')
        file.write_text(configs.desk(self.place, city, kiosk, slot.name, city.host_port))
        with open(words, encoding='ascii') as both:
            return machines.Program(name, [self.programs.path('onecard-terminal'), 'desk', '--config', file, '--rehearsal', '--json', '--passphrase-fd',
                                           both.fileno(), *arguments], self.logs / f'{name}.log', pass_fds=(both.fileno(),))

    def issue_sams(self, city, index):
        slot = self.sam_slots[index * READERS_A_CITY]
        desk = self.desk(city, 0, slot, '--sam')
        desk.wait_event('ready')
        for n, _ in enumerate(city.gates):
            name = self.make_chip(city, 'sam', 9001 + n)
            slot.insert(self.image(name))
            self._expect(desk.wait_event('issue'), 'issued')
            slot.withdraw()
        desk.stop()

    def issue_cards(self, city, index, desk_number, count, advance):
        slot = self.card_slots[index * READERS_A_CITY + desk_number]
        desk = self.desk(city, desk_number, slot, '--then-load', '--amounts', self.place('amounts.csv'))
        desk.wait_event('ready')
        for n in range(count):
            name = self.make_chip(city, 'card', 1 + desk_number + READERS_A_CITY * n)
            slot.insert(self.image(name))
            self._expect(desk.wait_event('issue'), 'issued')
            self._expect(desk.wait_event('load'), 'loaded')
            slot.withdraw()
            advance()
        desk.stop()

    @staticmethod
    def _expect(event, flag):
        if not event[flag]:
            raise machines.Silence(f'{event}')

    def issue(self, advance):
        """All SAMs and cards, each card loaded in the insertion that issues it; every slot works at once."""
        jobs = []
        for index, city in enumerate(self.cities):
            jobs.append(lambda city=city, index=index: self.issue_sams(city, index))
            total = sum(card.city is city for card in self.cards)
            for n in range(READERS_A_CITY):
                share = len(range(n, total, READERS_A_CITY))
                jobs.append(lambda city=city, index=index, n=n, share=share: self.issue_cards(city, index, n, share, advance))
        machines.together(jobs)
        self.read_registries()

    def read_registries(self):
        """Which chip became which card or SAM."""
        self.chip_of, self.sam_of = {}, {}
        for city in self.cities:
            for line in self.place(f'registry-{city.code}.jsonl').read_text().splitlines():
                entry = json.loads(line)
                name = f'{city.code}-{entry["kind"]}-{int(entry["chip"][4:]):04d}'
                if entry['kind'] == 'card':
                    self.chip_of[entry['number']] = name
                else:
                    self.sam_of[entry['terminal']] = name

    # -- gates -----------------------------------------------------------------------------------------------------------------

    def start_gates(self):
        numbered = [gate for city in self.cities for gate in city.gates]

        def start(index, gate):
            city = self.cities[index // READERS_A_CITY]
            self.sam_slots[index].insert(self.image(self.sam_of[gate.terminal]))
            chips.wait_for(lambda: self.sam_slots[index].name in chips.occupied(), f'the SAM in {self.sam_slots[index].name}')
            self.run_gate(city, gate, self.card_slots[index], self.sam_slots[index].name)
        machines.together([lambda i=i, g=g: start(i, g) for i, g in enumerate(numbered)])

    def run_gate(self, city, gate, slot, sam_reader):
        """Starts the gate's program; answers how many entries a kill had left pending."""
        config = configs.gate(self.place, gate, slot.name, sam_reader, city.host_port)
        program = self.terminal(gate.name, 'gate', config, passphrase=self.nation.passphrase(gate.name))
        self.gates[gate.name] = (gate, program, slot)
        event = program.wait_event('ready', 'entries_left_pending')
        left = event['count'] if event['event'] == 'entries_left_pending' else 0
        ready = program.wait_event('ready') if left else event
        if ready['sam_terminal'] != gate.terminal:
            raise machines.Silence(f'{gate.name}: its SAM is not ready: {ready}')
        return left

    def kill_gate_in_debit(self, card, city, gate):
        """The card has debited and keeps its answer; the gate dies by SIGKILL and is started again. Entries left pending."""
        _, program, slot = self.gates[gate.name]
        sam_reader = self.sam_slots[self.card_slots.index(slot)].name
        slot.tear('54', 'keep-answer')
        slot.insert(self.image(self.chip_of[card.number]))
        slot.slot.wait_held()
        program.kill()
        slot.withdraw()
        return self.run_gate(city, gate, slot, sam_reader)

    def visit(self, card, visit):
        """One touch; the gate's event."""
        gate, program, slot = self.gates[visit.gate.name]
        if visit.tear:
            slot.tear(*visit.tear)
        slot.insert(self.image(self.chip_of[card.number]))
        event = program.wait_event('tap')
        slot.withdraw()
        with self.lock:
            self.taps.append((card, visit, gate, event))
        return event

    def rounds(self, advance):
        """The n-th turns of all cards, gate by gate at once; then the next."""
        turns = [(card, card.turns()) for card in self.cards]
        for n in range(max(len(of_card) for _, of_card in turns)):
            queues = {}
            for card, of_card in turns:
                if n < len(of_card):
                    queues.setdefault(of_card[n][0].gate.name, []).append((card, of_card[n]))

            def serve(queue):
                for card, turn in queue:
                    for visit in turn:
                        self.visit(card, visit)
                        advance()
            machines.together([lambda queue=queue: serve(queue) for queue in queues.values()])

    def flush(self, seconds=60):
        """Every gate sends what it has and fetches its results, until nothing waits."""
        deadline = time.monotonic() + seconds
        while True:
            for _, program, _ in self.gates.values():
                program.order('flush')
            left = [program.wait_event('flushed') for _, program, _ in self.gates.values()]
            if not any(counts[key] for counts in left for key in ('pending', 'unbatched', 'unacknowledged_batches', 'incomplete_results')):
                return left
            if time.monotonic() > deadline:
                raise machines.Silence(f'gates still hold entries after {seconds} s: {left}')
            time.sleep(0.3)

    def stop(self):
        for group in ([program for _, program, _ in self.gates.values()], self.others + list(self.hosts.values())):
            machines.together([program.stop for program in group])
        machines.together([slot.close for slot in self.card_slots + self.sam_slots])
