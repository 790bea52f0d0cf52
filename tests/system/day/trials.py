"""Bad traffic on purpose, and what must become of it. Each trial answers {name, expected, seen, ok}."""
import contextlib
import json
import shutil
import socket
import sqlite3
import ssl
import subprocess
import time

import configs
import plan

GATE_KILLED = plan.GATE_KILLED
RECORD_SIZE, HEADER_SIZE = 96, 64  # docs/batch_file.md
TAC = slice(49, 53)


def trial(name, expected, seen):
    return {'name': name, 'expected': words(expected), 'seen': words(seen), 'ok': expected == seen}


def words(value):
    """For people."""
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, (list, tuple)):
        return ', '.join(map(words, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)


def at_the_gates(taps):
    """What the troublemakers' touches showed, and every other touch must have opened."""
    out, unexpected = [], 0
    for card, visit, gate, event in taps:
        seen = 'open' if event['gate'] == 'open' else event['refusal']
        if not visit.trial:
            unexpected += seen != visit.expect
            continue
        expected = 'open, already paid' if visit.already_paid else visit.expect
        if event['already_paid']:
            seen += ', already paid'
        out.append(trial(f'{visit.trial} ({gate.mode})', expected, seen))
    out.append(trial('every other touch opened its gate', 0, unexpected))
    return out


class Office:
    """A dishonest back office: it has a genuine device certificate and key, and other people's records."""

    def __init__(self, town, operator):
        self.town, self.city, self.operator = town, next(c for c in town.cities if operator in c.operators), operator
        self.name = town.nation.office(operator)
        self.sequence = 0

    def call(self, *arguments, deployment=None):
        place = deployment or self.name
        return json.loads(self.town.programs.run('call_host', '--deployment', self.town.place(place), '--passphrase-file',
                                                 self.town.nation.passphrase(place), '--port', self.city.host_port, *arguments))

    def send(self, record, sequence=None):
        """A signed batch of this one record; its outcome, or the refusal's name."""
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        file = self.town.place(f'{self.name}-{self.sequence}-{time.monotonic_ns()}.hex')
        file.write_text(record.hex() + '\n')
        answer = self.call('--post-records', file, '--sequence', sequence)
        if answer['status'] != 200:
            return answer['body']['error']
        return self.outcome(sequence)

    def outcome(self, sequence):
        for _ in range(200):
            answer = self.call('--get', f'/v1/batches/{self.operator.device(900)}/{sequence}/result')
            if answer['status'] == 200 and answer['body']['complete']:
                return answer['body']['records'][0]['outcome']
            time.sleep(0.1)
        return 'no result'


def journal_rows(town, gate, question):
    """Out of a copy: the gate keeps its journal to itself while it runs."""
    copy = town.place(f'{gate.name}-{time.monotonic_ns()}.copy')
    for suffix in ('', '-wal'):
        part = town.place(f'{gate.name}.journal{suffix}')
        if part.exists():
            shutil.copyfile(part, f'{copy}{suffix}')
    with contextlib.closing(sqlite3.connect(copy)) as journal:
        return journal.execute(question).fetchall()


def one_record(town, gate):
    """A debit with money in it, out of a gate's journal, before it is sent."""
    records = [row[0] for row in journal_rows(town, gate, 'SELECT record FROM entry WHERE state = 2 ORDER BY id')]
    return next(r for r in records if r[0] == 1 and any(r[28:32]))


def forged(record):
    changed = bytearray(record)
    changed[TAC.start] ^= 0x01
    return bytes(changed)


def gate_killed(town):
    """Between the card's debit and the gate's journal: the next touch finds out. The SAM was reset with the gate and cannot
    confirm the proof: shut, without a second debit; the host decides by the TAC."""
    city, bus = town.cities[1], town.cities[1].gates[3]
    card = next(c for c in town.cards if c.trial == GATE_KILLED)
    left = town.kill_gate_in_debit(card, city, bus)
    event = town.visit(card, plan.Visit(bus, 'proof_unconfirmed', trial=GATE_KILLED))
    town.taps.pop()
    return [trial(f'{GATE_KILLED}: entries it finds pending', 1, left),
            trial(f'{GATE_KILLED}: the next touch', ('shut', 'proof_unconfirmed'), (event['gate'], event['refusal']))]


def before_upload(town):
    """A forged TAC that arrives before the genuine record: refused, and the genuine one is not blocked by it."""
    bus = town.cities[0].bus
    office, record = Office(town, bus), one_record(town, town.cities[0].gates[3])
    return (office, record), [trial('a forged TAC', 'tac_wrong', office.send(forged(record)))]


def after_upload(town, office, record):
    rival = Office(town, town.cities[0].metro)
    gate = town.cities[0].gates[3]
    file, receipt = journal_rows(town, gate, 'SELECT file, receipt FROM batch ORDER BY sequence LIMIT 1')[0]
    copy = town.place('sent-again.batch')
    copy.write_bytes(file)
    again = office.call('--post-file', copy, deployment=gate.name)
    changed = bytearray(file)
    changed[-1] ^= 0x01
    copy.write_bytes(changed)
    other = office.call('--post-file', copy, deployment=gate.name)
    return [trial('a batch sent twice: the same receipt', json.loads(receipt), again['body']),
            trial('a batch number used for other bytes', 'id_reused', other['body']['error']),
            trial('a record repeated in another batch', 'duplicate', office.send(record)),
            trial('a record sold by a second operator', 'operator_not_bound', rival.send(record))]


def doors(town):
    """TLS without a certificate, and garbage: refused, and the host goes on."""
    port = town.cities[0].host_port

    def without_certificate():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with socket.create_connection(('127.0.0.1', port), timeout=5) as line, context.wrap_socket(line) as tls:
                tls.sendall(b'GET /v1/hot-list HTTP/1.1\r\nHost: x\r\n\r\n')
                return 'answered' if tls.recv(1) else 'refused'
        except (ssl.SSLError, OSError):
            return 'refused'

    def garbage():
        with socket.create_connection(('127.0.0.1', port), timeout=5) as line:
            line.sendall(bytes(range(256)) * 16)
            try:
                while data := line.recv(4096):
                    if data.startswith(b'HTTP'):
                        return 'answered'
            except OSError:
                pass
        return 'refused'

    def live_host():
        arguments = [a for a in town.nation.host_arguments(town.cities[0]) if a != '--rehearsal']
        done = subprocess.run([town.programs.path('onecard-host'), 'status', *map(str, arguments)], capture_output=True, text=True, timeout=60)
        return 'mark_mismatch' if done.returncode == 1 and 'mark_mismatch' in done.stderr else f'status {done.returncode}'
    out = [trial('a TLS client without a certificate', 'refused', without_certificate()),
           trial('garbage at the TLS port', 'refused', garbage())]
    answer = Office(town, town.cities[0].metro).call('--get', '/v1/unresolved')
    return [*out, trial('after them, the host answers a terminal', 200, answer.get('status')),
            trial('rehearsal keys at a host that was not started for a rehearsal', 'mark_mismatch', live_host())]


def loads(town):
    """A load whose answer the line loses; one in which the card leaves before it can answer CREDIT. Each is in the purse once."""
    city = town.cities[0]
    slot, kiosk = town.card_slots[0], town.nation.kiosks(city)[0]
    lost = next(c for c in town.cards if c.trial.startswith('a load whose answer'))
    torn = next(c for c in town.cards if c.trial.startswith('a load in which'))
    relay, out = town.relays[city.code], []
    name = 'kiosk-at-the-station'
    program = town.terminal(name, 'kiosk', configs.kiosk(town.place, kiosk, slot.name, relay.port), '--amount', '2000',
                            passphrase=town.nation.passphrase(kiosk.name))
    program.wait_event('ready')
    relay.lose_next_answer()
    slot.insert(town.image(town.chip_of[lost.number]))
    event = program.wait_event('load')
    slot.withdraw()
    program.stop()
    out.append(trial(f'{lost.trial}: lost, and the kiosk says so', (True, 'host_unreachable'), (relay.lost.is_set(), event['refusal'])))
    program = town.terminal(name, 'kiosk', configs.kiosk(town.place, kiosk, slot.name, city.host_port), '--amount', '1000',
                            passphrase=town.nation.passphrase(kiosk.name))
    program.wait_event('ready')  # the lost load was asked again and reversed: the card never had it
    slot.insert(town.image(town.chip_of[lost.number]))
    out.append(trial(f'{lost.trial}: settled, and loaded at the next touch', True, program.wait_event('load')['loaded']))
    slot.withdraw()
    slot.tear('52', 'before-answer')  # CREDIT FOR LOAD
    slot.insert(town.image(town.chip_of[torn.number]))
    out.append(trial(f'{torn.trial}: unknown', 'unresolved', program.wait_event('load')['refusal']))
    slot.withdraw()
    slot.insert(town.image(town.chip_of[torn.number]))
    out.append(trial(f'{torn.trial}: proven, then loaded once more', True, program.wait_event('load')['loaded']))
    slot.withdraw()
    program.stop()
    return out, {lost.number: 1000, torn.number: 2000}
