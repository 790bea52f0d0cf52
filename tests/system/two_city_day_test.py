"""The day of two cities, as ./run.sh runs it, with fewer cards: it ends well, says what it must say, and the same seed gives the same day."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAMS = sys.argv.pop()
DRIVER = pathlib.Path(__file__).with_name('day') / 'two_city_day.py'


def run_day(out, seed):
    done = subprocess.run([sys.executable, str(DRIVER), PROGRAMS, '--out', out, '--seed', str(seed), '--cards', '30'], capture_output=True, text=True,
                          timeout=280)
    if done.returncode != 0:
        raise AssertionError(f'exit status {done.returncode}\n{done.stdout}\n{done.stderr}')
    return json.loads((pathlib.Path(out) / 'summary.json').read_text(encoding='utf8'))


class TwoCityDay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.out = pathlib.Path(cls.directory.name)
        cls.summary = run_day(cls.out / 'first', 11)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def test_every_fen_is_somewhere(self):
        c = self.summary['conservation']
        self.assertIs(c['ok'], True)
        self.assertEqual(c['loaded_fen'], sum(c[k] for k in ('on_cards_fen', 'spent_fen', 'in_transit_fen', 'disputed_fen', 'returned_fen')))
        self.assertEqual(0, c['in_transit_fen'])
        self.assertGreater(c['spent_fen'], 0)

    def test_positions_sum_to_zero_and_operators_are_paid_what_they_earned(self):
        positions, lines = self.summary['positions'], self.summary['settlement']
        self.assertEqual(0, sum(positions.values()))
        self.assertEqual(-self.summary['conservation']['spent_fen'], sum(fen for who, fen in positions.items() if who.startswith('city/')))
        for who, fen in positions.items():
            if who.startswith('operator/'):
                self.assertEqual(fen, sum(line['amount_fen'] for line in lines if line['to'] == who), who)

    def test_cities_pay_what_left_their_cards(self):
        for who, fen in self.summary['positions'].items():
            if who.startswith('city/'):
                paid = sum(line['amount_fen'] for line in self.summary['settlement'] if line['from'] == who)
                received = sum(line['amount_fen'] for line in self.summary['settlement'] if line['to'] == who)
                self.assertEqual(-fen, paid - received, who)

    def test_bad_records_have_their_names(self):
        for name in ('accepted', 'tac_wrong', 'duplicate', 'operator_not_bound', 'unresolved', 'not_debited', 'dispute'):
            self.assertGreater(self.summary['outcomes'].get(name, 0), 0, name)

    def test_the_page_stands_alone(self):
        page = (self.out / 'first' / 'report.html').read_text(encoding='utf8')
        self.assertNotRegex(page, r'(?i)(src|href)\s*=\s*["\']?https?:')
        self.assertIn('Who pays whom', page)
        for file in ('report.html', 'day.json'):
            text = (self.out / 'first' / file).read_text(encoding='utf8')
            self.assertNotRegex(text, r'0?3[12]008\d{14}', f'{file}: a card number in clear')

    def test_the_same_seed_gives_the_same_summary(self):
        again = run_day(self.out / 'second', 11)
        for summary in (self.summary, again):
            summary.pop('date')  # midnight may fall between the two
            for key in ('p50_ms', 'p99_ms', 'card_p50_ms', 'card_p99_ms'):
                self.assertGreaterEqual(summary['taps'].pop(key), 0)
        self.assertEqual(self.summary, again)


if __name__ == '__main__':
    unittest.main()
