"""Reads the cards themselves, holds them against both cities' books, and gathers what the page shows."""
import statistics

from smartcard import scard

import machines

SELECT = '00A4040008A00000063201010500'
BALANCE = '805C000204'   # GET BALANCE, purse. domain.md 1.2
LOG = '00B201C417'       # READ RECORD 1 of file 18
TRIP = '00B201F430'      # READ RECORD 1 of file 1E


class CardReading:
    def __init__(self, reader_name):
        self.context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)[1]
        result, self.card, _ = scard.SCardConnect(self.context, reader_name, scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_PROTOCOL_T1)
        if result != scard.SCARD_S_SUCCESS:
            raise machines.Silence(f'{reader_name}: {scard.SCardGetErrorMessage(result)}')

    def send(self, command):
        result, answer = scard.SCardTransmit(self.card, scard.SCARD_PCI_T1, list(bytes.fromhex(command)))
        if result != scard.SCARD_S_SUCCESS or answer[-2:] != [0x90, 0x00]:
            raise machines.Silence(f'{command}: {bytes(answer).hex()}')
        return bytes(answer[:-2])

    def close(self):
        scard.SCardDisconnect(self.card, scard.SCARD_LEAVE_CARD)
        scard.SCardReleaseContext(self.context)


def read_card(town, slot, card, also=()):
    slot.insert(town.image(town.chip_of[card.number]))
    machines.chips.wait_for(lambda: slot.name in machines.chips.occupied(), f'{card.number} in {slot.name}')
    reading = CardReading(slot.name)
    try:
        reading.send(SELECT)
        out = [int.from_bytes(reading.send(BALANCE), 'big')] + [reading.send(command).hex() for command in also]
    finally:
        reading.close()
    slot.withdraw()
    return out


def read_balances(town, advance):
    """What every card itself says it holds."""
    balances = {}

    def read(index):
        for card in town.cards[index::len(town.card_slots)]:
            balances[card.number] = read_card(town, town.card_slots[index], card)[0]
            advance()
    machines.together([lambda i=i: read(i) for i in range(len(town.card_slots))])
    return balances


def conserve(cards, ordered, balances, reports):
    """loaded = on the card + spent + in transit + in dispute + returned, card by card; loaded is what was ordered at the kiosks."""
    books = {card['number']: card for report in reports for card in report['cards']}
    wrong = []
    for card in cards:
        book = books[card.number]
        rest = book['spent_fen'] + book['held_fen'] + book['load_pending_fen'] + book['disputed_fen'] + book['returned_fen']
        if book['loaded_fen'] != balances[card.number] + rest or book['loaded_fen'] != ordered[card.number]:
            wrong.append({'card': card.number, 'ordered_fen': ordered[card.number], 'on_card_fen': balances[card.number], **book})
    total = {key: sum(report['conservation'][key] for report in reports) for key in reports[0]['conservation']}
    in_transit = total['held_fen'] + total['load_pending_fen']  # nothing is on its way once the day has ended
    return {'ok': not wrong and in_transit == 0, 'loaded_fen': total['loaded_fen'], 'on_cards_fen': sum(balances.values()), 'spent_fen': total['spent_fen'],
            'in_transit_fen': in_transit, 'disputed_fen': total['disputed_fen'],
            'returned_fen': total['returned_fen']}, wrong


def tap_times(taps):
    """Milliseconds of the taps that were not torn on purpose: first command to last answer, and the card's part of it."""
    def figures(key):
        values = sorted(event[key] / 1000 for _, visit, _, event in taps if not visit.tear)
        return round(statistics.median(values), 2), round(values[min(len(values) - 1, len(values) * 99 // 100)], 2)
    (p50, p99), (card_p50, card_p99) = figures('elapsed_us'), figures('card_us')
    return {'count': len(taps), 'p50_ms': p50, 'p99_ms': p99, 'card_p50_ms': card_p50, 'card_p99_ms': card_p99}


def positions(cities, days):
    """Operators earn at their own city; a city's own position is what left its cards."""
    out = {}
    for city, day in zip(cities, days):
        mine = f'city/{city.code}'
        out.update({who: fen for who, fen in day['positions'].items() if who == mine or not who.startswith('city/')})
    return dict(sorted(out.items()))


def settlement(days):
    """All lines; those between cities stand in both books and must be the same."""
    between = [[line for line in day['settlement'] if line['from'].startswith('city/') and line['to'].startswith('city/')] for day in days]
    local = [line for day, shared in zip(days, between) for line in day['settlement'] if line not in shared]
    agree = all(sorted(map(str, lines)) == sorted(map(str, between[0])) for lines in between)
    return between[0] + sorted(local, key=str), agree
