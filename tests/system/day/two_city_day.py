"""A day of two cities, with every real part: onecard-keys, onecard-card behind pcscd, onecard-terminal, onecard-host.

Runs inside tests/system/reader_box (8 readers); ./run.sh starts it so. Leaves report.html, summary.json and the logs. The exit status is 0
only if conservation holds card by card, both books verify, and every trial ended as it must.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

# pylint: disable=wrong-import-position
import audit
import machines
import nation
import plan
import report
import town as towns
import trials


class Progress:
    """One line a step; counts while a person watches."""

    def __init__(self):
        self.started = time.monotonic()
        self.watched = sys.stdout.isatty()
        self.lock = threading.Lock()
        self.done = 0
        self.text = ''

    def step(self, text):
        self.done, self.text = 0, text
        print(f'[{time.monotonic() - self.started:5.1f} s] {text}', flush=True)

    def advance(self, _=None):
        with self.lock:
            self.done += 1
            if self.watched:
                print(f'\r          {self.done} done ', end='\r', flush=True)


class Day:
    def __init__(self, options):
        self.options = options
        self.progress = Progress()
        self.cities = nation.two_cities()
        self.cards = plan.make(options.seed, self.cities, options.cards)
        self.ordered = {card.number: card.load_fen for card in self.cards}
        self.trials = []
        work = options.out / 'work'
        for old in ('summary.json', 'report.html', 'day.json'):
            (options.out / old).unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)
        (work / 'logs').mkdir(parents=True)
        self.nation = nation.Nation(nation.Programs(options.programs), work / 'nation', options.seed, self.cities)
        self.town = towns.Town(self.nation, self.cards, work / 'logs')

    def morning(self):
        step = self.progress.step
        step('Founding two cities: roots, city keys, a sealed store for every place')
        self.nation.found(self.progress.advance)
        step('Starting the cities\' clearing hosts and issuing services')
        self.town.start_hosts()
        self.town.start_issuers()
        step(f'Issuing 8 SAMs and {len(self.cards)} cards, each card loaded in the insertion that issues it')
        self.town.issue(self.progress.advance)
        step('Loads that go wrong: an answer lost on the line, a card that leaves too early')
        more, extra = trials.loads(self.town)
        self.trials += more
        for number, fen in extra.items():
            self.ordered[number] += fen
        step('Publishing hot lists')
        lost = next(card for card in self.cards if card.trial == 'a card on the hot list')
        for city in self.cities:
            self.nation.host(city, 'hot-list add', '--card', lost.number, '--reason', 'lost')
            self.nation.host(city, 'hot-list publish')

    def daytime(self):
        step = self.progress.step
        self.town.start_gates()
        visits = sum(len(card.visits) for card in self.cards)
        step(f'{visits} taps at 8 gates: at home and away, entries and exits, buses, and troublemakers')
        self.town.rounds(self.progress.advance)
        self.trials += trials.at_the_gates(self.town.taps) + trials.gate_killed(self.town)
        step('Bad traffic for the hosts; gates upload while a host is killed and started again')
        (office, record), early = trials.before_upload(self.town)
        self.trials += early + trials.doors(self.town)
        self.upload_through_a_kill()
        self.trials += trials.after_upload(self.town, office, record)

    def upload_through_a_kill(self):
        city = self.cities[1]
        for _, program, _ in self.town.gates.values():
            program.order('flush')
        self.town.hosts[city.code].kill()
        self.town.start_host(city)
        self.town.flush()

    def evening(self):
        step = self.progress.step
        step('Closing the business day, netting, settling')
        dates = [self.nation.host(city, 'day close')['date'] for city in self.cities]
        self.days = [self.nation.host(city, 'day net', '--date', date, '--wait', 60, '--settle') for city, date in zip(self.cities, dates)]
        self.left = self.town.flush()
        self.reports = [self.nation.host(city, 'report', '--full-numbers') for city in self.cities]
        verified = [self.nation.host(city, 'ledger verify')['ok'] for city in self.cities]
        self.trials.append(trials.trial('both books verify: chain, totals, cards', [True, True], verified))
        self.trace_source = self.traced_tap()
        self.traces = self.ask_traces()
        machines.together([program.stop for _, program, _ in self.town.gates.values()])
        step(f'Reading the balance of {len(self.cards)} cards, from the cards')
        self.balances = audit.read_balances(self.town, self.progress.advance)

    # -- one tap, traced ------------------------------------------------------------------------------------------------------

    def traced_tap(self):
        """The last paid tap of a card in the other city: its record is still the newest in the card's own log."""
        for card, visit, gate, event in reversed(self.town.taps):
            if gate.city != card.city.code and event.get('amount_fen', 0) > 0 and visit is card.visits[-1] and not visit.trial:
                return card, gate, event
        raise machines.Silence('no card paid in the other city: give more cards')

    def ask_traces(self):
        card, _, event = self.trace_source
        key = f'{card.city.code}-{event["sam_terminal"]}-{event["sam_sequence"]:08x}'
        return key, [self.nation.host(city, 'trace', key) for city in self.cities]

    def trace(self):
        card, gate, event = self.trace_source
        key, traces = self.traces
        issuer = traces[self.cities.index(card.city)]
        acquirer = traces[1 - self.cities.index(card.city)]
        balance, log, trip = audit.read_card(self.town, self.town.card_slots[0], card, (audit.LOG, audit.TRIP))
        rows = trials.journal_rows(self.town, gate, 'SELECT record FROM entry')
        entry = next(row[0] for row in rows if int.from_bytes(row[0][38:42], 'big') == event['sam_sequence'])
        money = f'{report.yuan(event["amount_fen"])} yuan'
        evidence = acquirer['evidence']
        steps = [('The card', f'chip {self.town.chip_of[card.number]}', f'debited {money}; {report.yuan(balance)} left. Its newest log record (file 18), then its trip record (file 1E):',
                  f'{log} | {trip}'),
                 ('The gate', gate.name, f'screen: {event["screen"]}; {event["card_commands"]} card commands, {event["card_bytes"]} bytes, {event["elapsed_us"] / 1000:.2f} ms. '
                  'Journal entry, durable before the gate opened (its TAC is bytes 49-52; the card\'s number is masked here):',
                  entry[:12].hex() + '*' * 20 + entry[22:].hex()),
                 ('The batch', f'city {gate.city}', f'device {evidence["device"]}, batch {evidence["sequence"]}, record {evidence["index"]}; SM3 of the file kept as evidence:', evidence['file_digest']),
                 ('The issuer decides', f'city {card.city.code}', f'{key}: {issuer["outcome"]}; its evidence:', json.dumps(issuer['evidence']))]
        for name, where, postings in (('The issuer\'s ledger', card.city.code, issuer['postings']), ('The acquirer\'s ledger', gate.city, acquirer['postings'])):
            steps += [(name, f'city {where}', f'entry {p["entry"]} of {p["date"]}: debit {p["debit"]}, credit {p["credit"]}, {report.yuan(p["amount_fen"])} yuan; chained as', p['chain']) for p in postings]
        for line in issuer['settlement'][0]['lines']:
            steps.append(('Settlement', f'{issuer["settlement"][0]["date"]}, {issuer["settlement"][0]["state"]}', f'{line["from"]} pays {line["to"]} {report.yuan(line["amount_fen"])} yuan', ''))
        return [{'step': a, 'where': b, 'text': c, 'data': d} for a, b, c, d in steps]

    # -- the end --------------------------------------------------------------------------------------------------------------

    def summary(self):
        outcomes = {}
        for one in self.reports:
            for name, count in one['outcomes'].items():
                outcomes[name] = outcomes.get(name, 0) + count
        conservation, self.wrong_cards = audit.conserve(self.cards, self.ordered, self.balances, self.reports)
        lines, agree = audit.settlement(self.days)
        self.trials.append(trials.trial('both cities wrote the same lines between them', True, agree))
        return {'seed': self.options.seed, 'date': self.days[0]['date'], 'rehearsal': True, 'conservation': conservation,
                'taps': audit.tap_times(self.town.taps), 'batches': sum(one['batches']['count'] for one in self.reports),
                'outcomes': dict(sorted(outcomes.items())), 'positions': audit.positions(self.cities, self.days), 'settlement': lines}

    def result_files(self):
        """Each gate's batches out of its own journal: what its operator sees. Answers (gate, sequence, records, outcomes) a batch."""
        for gate, _, _ in self.town.gates.values():
            entries = trials.journal_rows(self.town, gate, 'SELECT batch, record FROM entry WHERE batch IS NOT NULL ORDER BY batch, id')
            for sequence, result in trials.journal_rows(self.town, gate, 'SELECT sequence, result FROM batch ORDER BY sequence'):
                records = [record for batch, record in entries if batch == sequence]
                yield gate, sequence, records, [one['outcome'] for one in json.loads(result)['records']]

    def batches(self):
        return [{'operator': gate.operator.name, 'device': gate.device, 'sequence': sequence, 'records': len(records),
                 'outcomes': dict(collections.Counter(outcomes))} for gate, sequence, records, outcomes in self.result_files()]

    def flows(self):
        """Whose cards paid which operator, by the operators' result files; they must add up to the positions."""
        sums = collections.defaultdict(lambda: [0, 0])
        for gate, _, records, outcomes in self.result_files():
            for record, outcome in zip(records, outcomes):
                amount = int.from_bytes(record[28:32], 'big')
                if outcome == 'accepted' and amount:
                    one = sums[f'city/{record[65:67].hex()}', f'operator/{gate.operator.id}']
                    one[0], one[1] = one[0] + amount, one[1] + 1
        return [{'from': a, 'to': b, 'amount_fen': fen, 'count': count} for (a, b), (fen, count) in sorted(sums.items())]

    def page(self, summary):
        kinds = {}
        for card in self.cards:
            kinds[card.holder] = kinds.get(card.holder, 0) + 1
        flows = self.flows()
        earned = {o: sum(f['amount_fen'] for f in flows if f['to'] == o) for o in summary['positions'] if o.startswith('operator/')}
        booked = {o: fen for o, fen in summary['positions'].items() if o.startswith('operator/')}
        self.trials.append(trials.trial('operators\' result files add up to their positions', booked, earned))
        return {'title': 'OneCard: a day of two cities', 'seed': self.options.seed, 'date': summary['date'], 'rehearsal': True,
                'cities': [{'name': c.name, 'code': c.code, 'participant': f'city/{c.code}'} for c in self.cities],
                'operators': [{'name': o.name, 'city': c.code, 'participant': f'operator/{o.id}'} for c in self.cities for o in c.operators],
                'summary': summary, 'flows': flows, 'batches': self.batches(), 'trace': self.trace(), 'trials': self.trials,
                'cards': {'count': len(self.cards), 'kinds': kinds}}

    def run(self):
        try:
            self.morning()
            self.daytime()
            self.evening()
            summary = self.summary()
            page = self.page(summary)
        finally:
            self.town.stop()
        (self.options.out / 'summary.json').write_text(json.dumps(summary, indent=2, ensure_ascii=False) + '\n', encoding='utf8')
        report.write(self.options.out / 'report.html', page)
        return self.tell(summary)

    def tell(self, summary):
        taps, c = summary['taps'], summary['conservation']
        print(f'\n{taps["count"]} taps through pcscd: p50 {taps["p50_ms"]} ms, p99 {taps["p99_ms"]} ms '
              f'(the card\'s part {taps["card_p50_ms"]} and {taps["card_p99_ms"]} ms)')
        print(f'{summary["batches"]} batches; outcomes: ' + ', '.join(f'{name} {count}' for name, count in summary['outcomes'].items()))
        print('Positions, yuan:')
        for who, fen in summary['positions'].items():
            print(f'  {who:32}{report.yuan(fen):>12}')
        print('Settlement:')
        for line in summary['settlement']:
            print(f'  {line["from"]} pays {line["to"]} {report.yuan(line["amount_fen"])}')
        wrong = [t for t in self.trials if not t['ok']]
        print(f'{len(self.trials)} trials, {len(wrong)} wrong')
        for one in wrong:
            print(f'  WRONG: {one["name"]}: expected {one["expected"]}, saw {one["seen"]}')
        for card in self.wrong_cards:
            print(f'  WRONG: card {card}')
        print(f'loaded {c["loaded_fen"]} = on cards {c["on_cards_fen"]} + spent {c["spent_fen"]} + in transit {c["in_transit_fen"]} + '
              f'in dispute {c["disputed_fen"]} + returned {c["returned_fen"]} fen: {"holds, card by card" if c["ok"] else "BROKEN"}')
        return 0 if c['ok'] and not wrong else 1


def main():
    parser = argparse.ArgumentParser(description='A day of two cities, with every real part')
    parser.add_argument('programs', help='where onecard-keys, onecard-card, onecard-terminal, onecard-host and call_host are')
    parser.add_argument('--out', type=pathlib.Path, required=True, help='directory for report.html, summary.json and work/')
    parser.add_argument('--seed', type=int, default=1, help='the same seed: the same summary apart from times')
    parser.add_argument('--cards', type=int, default=100, help='how many cards, at least 30')
    options = parser.parse_args()
    if options.cards < 30:
        parser.error('--cards: at least 30, the troublemakers need company')
    options.out = options.out.resolve()
    os.umask(0o077)
    try:
        return Day(options).run()
    except Exception as failure:  # pylint: disable=broad-except
        if not isinstance(failure, (machines.Silence, nation.Refused, TimeoutError)):
            traceback.print_exc()
        print(f'\nThe day broke off: {failure or type(failure).__name__}\nLogs: {options.out}/work/logs', file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main())
