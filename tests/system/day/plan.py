"""Who rides where: the day's cards and their visits, from one seed.

Most cards travel as people do. A few are there to make trouble; each of those is a trial with a name, and says what must be
seen at the gate.
"""
import dataclasses
import datetime
import random


def date(days_from_now):
    """YYYYMMDD by the cities' clock, UTC+8."""
    now = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8)))
    return (now + datetime.timedelta(days=days_from_now)).strftime('%Y%m%d')


@dataclasses.dataclass
class Visit:
    gate: object
    expect: str = 'open'          # or the gate's refusal
    tear: tuple = ()              # (instruction, moment): the card leaves there
    already_paid: bool = False    # opens for the torn tap before
    trial: str = ''


@dataclasses.dataclass
class Card:
    number: str
    city: object
    holder: str = 'ordinary'
    suite: str = 'sm4'
    load_fen: int = 5000
    interoperable: str = 'yes'
    state: str = 'enabled'
    valid_to: str = ''            # empty: long from now
    visits: list = dataclasses.field(default_factory=list)
    trial: str = ''

    def turns(self):
        """Its visits, those together that nobody may come between: a torn tap and the touch after it at the same gate."""
        turns = []
        for visit in self.visits:
            torn = turns and turns[-1][-1].expect == 'unresolved' and turns[-1][-1].gate is visit.gate
            if torn:
                turns[-1].append(visit)
            else:
                turns.append([visit])
        return turns

    def line(self):
        """Its line in the issuer's CSV file. docs/keys.md, 5."""
        return f'card,{self.number},{self.suite},{date(-60)},{self.valid_to or date(3000)},{self.holder},{self.interoperable},{self.state},,,'


GATE_KILLED = 'a gate killed while the card debits'
HEAD = 'kind,number,suite,valid_from,valid_to,holder,interoperable,state,pin,terminal,operator'


def sam_line(city, gate, n):
    return f'sam,0{city.code}9{n:014d},sm4,{date(-60)},{date(3000)},,,,,{gate.terminal},{gate.operator.id}'


def journey(random_, city):
    """In at the first station, out at one of two others."""
    entry, near, far, _ = city.gates
    return [Visit(entry), Visit(random_.choice((near, far)))]


def bus(city):
    return [Visit(city.gates[3])]


def trips(random_, home, away):
    """One or two trips, a third of them in the other city."""
    out = []
    for _ in range(random_.choice((1, 2, 2))):
        where = away if random_.random() < 0.35 else home
        takes_bus = random_.random() < 0.35 and (where is home or where.index == 0)
        out += bus(where) if takes_bus else journey(random_, where)
    return out


def trouble(east, west):
    """The cards that make trouble at gates, as (city, what is special, visits, the trial's name)."""
    bus_a, bus_b, entry_b = east.gates[3], west.gates[3], west.gates[0]
    debit = '54'  # DEBIT FOR PURCHASE; domain.md 1.4
    return [
        (east, {'trial': 'a card on the hot list'}, [Visit(bus_a, 'on_hot_list')]),
        (east, {'state': 'not_started', 'trial': 'a card that is not started'}, [Visit(bus_a, 'not_enabled')]),
        (east, {'valid_to': date(-1), 'trial': 'an expired card'}, [Visit(bus_a, 'expired')]),
        (east, {'interoperable': 'no', 'trial': 'a card for its own city only, abroad'}, [Visit(entry_b, 'not_interoperable')]),
        (east, {'trial': 'a city that this gate does not accept'}, [Visit(bus_b, 'city_not_accepted')]),
        (east, {'load_fen': 100, 'trial': 'too little in the purse'}, [Visit(bus_a, 'insufficient_balance')]),
        (east, {'trial': 'leaving without having entered'}, [Visit(east.gates[1], 'journey_none')]),
        (west, {'trial': 'withdrawn after INITIALIZE'}, [Visit(bus_b, 'card_gone', ('50', 'before-answer')), Visit(bus_b)]),
        (west, {'trial': 'withdrawn while the record is cached'}, [Visit(bus_b, 'card_gone', ('dc', 'before-answer')), Visit(bus_b)]),
        (east, {'trial': 'withdrawn as DEBIT is sent: not debited'}, [Visit(bus_a, 'unresolved', (debit, 'before-command')), Visit(bus_a)]),
        (west, {'trial': 'withdrawn after the debit: proven, opened once'},
         [Visit(bus_b, 'unresolved', (debit, 'before-answer')), Visit(bus_b, already_paid=True)]),
        (east, {'trial': 'withdrawn after DEBIT answered: paid'}, [Visit(bus_a, 'open', (debit, 'after-answer'))]),
        (east, {'trial': 'withdrawn after the debit, then another operator: dispute'},
         [Visit(bus_a, 'unresolved', (debit, 'before-answer')), Visit(east.gates[0]), Visit(east.gates[1])]),
    ]


def make(seed, cities, count):
    """`count` cards, those that make trouble among them."""
    random_ = random.Random(seed)
    east, west = cities
    cards = []

    def add(city, visits, **special):
        number = f'0{city.code}8{len(cards) + 1:014d}'
        cards.append(Card(number, city, visits=visits, **special))
        for visit in visits:
            visit.trial = special.get('trial', '')

    for city, special, visits in trouble(east, west):
        add(city, visits, **special)
    add(west, [], trial=GATE_KILLED)
    add(east, [], trial='a load whose answer is lost on the line')
    add(east, [], trial='a load in which the card leaves before it can answer')
    while len(cards) < count:
        home, away = cities if len(cards) % 2 == 0 else cities[::-1]
        holder = random_.choices(('ordinary', 'student', 'elder'), (80, 12, 8))[0]
        add(home, trips(random_, home, away), holder=holder, suite=random_.choices(('sm4', '3des'), (80, 20))[0],
            load_fen=random_.choice((3000, 5000, 8000, 10000)))
    return cards
