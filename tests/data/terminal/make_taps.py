"""Writes the scripted taps beside this file: what a gate must send, byte for byte, and what card and SAM answer.

The layouts are written out here a second time, from JT/T 978 and the PBOC purse (protocol/ is not consulted); CRC-32 is
zlib's. One line per exchange: `card|sam COMMAND ANSWER`, or `record` where the pending entry must become durable.
"""
import pathlib
import zlib

HERE = pathlib.Path(__file__).parent
CARD, ISSUER = '03104000000000000017', '3104000000000000'
FILE15 = ISSUER + '02' + '01' + CARD + '20260101' + '20351231' + '0000'
FCI = '6F31' + '8408A000000632010105' + 'A525' + '9F080102' + '9F0C1E' + FILE15
TERMINAL, OPERATOR, CITY = '310000000001', '0000000000003101', '3100'
NOW, ENTERED = '20261123083000', '20261123080000'
RANDOM, MAC1, TAC, MAC2 = '11223344', 'AABBCCDD', '01020304', '05060708'
SEQUENCE, COUNTER = '00000007', '0005'
DEVICE, ENTRY_DEVICE = '3100000000000101', '3100000000000102'


def hex4(n): return f'{n:08X}'


def select(answer=FCI + '9000'): return f'card 00A4040008A00000063201010500 {answer}'


def management(city=CITY, interop='0001', kind='01'):
    return f'card 00B097000B 00000156{"3100"}{city}{interop}{kind}9000'


def init(amount, balance=1000, counter=COUNTER):
    return f'card 805003020B01{hex4(amount)}{TERMINAL}0F {hex4(balance)}{counter}000000' + '0104' + RANDOM + '9000'


def authorise(amount, counter=COUNTER):
    data = RANDOM + counter + hex4(amount) + '09' + NOW + '0104' + CARD[4:] + ISSUER
    return f'sam 8070000024{data}08 {SEQUENCE}{MAC1}9000'


def trip(kind, line, station, amount, balance):
    data = (kind + DEVICE + '02' + line + station + '0001' + '00' + hex4(amount) + hex4(balance - amount) + NOW + CITY +
            OPERATOR + '00' * 6)
    assert len(data) == 96
    return f'card 80DC00F030{data} 9000'


def journey(state, entry_station, exit_station, entry_time, exit_time, maximum, entry_balance, paid):
    zero8, left = '00' * 8, state == '02'
    body = (CARD[4:] + state + CITY + (CITY if left else '0000') + OPERATOR + (OPERATOR if left else zero8) +
            '00' * 6 + entry_station + '00' * 6 + exit_station + ENTRY_DEVICE * left + DEVICE * (not left) +
            (DEVICE if left else zero8) + entry_time + exit_time + hex4(maximum) + '01' + ('01' if left else '00') +
            '00000000' + hex4(entry_balance) + hex4(paid) + (exit_time if left else entry_time) + '00' * 18)
    assert len(body) == 118 * 2
    return '27017D010000' + body + f'{zlib.crc32(bytes.fromhex(body)):08X}'


def open_journey(entry_device):
    record = journey('01', '0065', '0000', ENTERED, '00' * 7, 400, 1000, 0)
    body = record[12:-8].replace(DEVICE, entry_device)
    return record[:12] + body + f'{zlib.crc32(bytes.fromhex(body)):08X}'


def debit(): return ['record', f'card 805401000F{SEQUENCE}{NOW}{MAC1}08 {TAC}{MAC2}9000', f'sam 8072000004{MAC2} 9000']


def write(name, title, lines):
    text = f'# {title}\n# Written by make_taps.py.\n' + '\n'.join(lines) + '\n'
    (HERE / name).write_text(text, encoding='ascii')


NEVER_RIDDEN = '27017D' + '00' * 125
READ_1A, CACHE_1A = 'card 00B201D480 ', 'card 80DC01D080'
ENTRY_1A = journey('01', '0067', '0000', NOW, '00' * 7, 400, 1000, 0)
EXIT_1A = journey('02', '0065', '0067', ENTERED, NOW, 400, 1000, 400)

write('single.tap', 'A flat fare of 200 fen, line 51.',
      [select(), management(), init(200), authorise(200), trip('06', '0033', '0001', 200, 1000)] + debit())
write('single_student.tap', 'The same ride of a student: half, rounded down to 10 fen.',
      [select(), management(kind='02'), init(100), authorise(100), trip('06', '0033', '0001', 100, 1000)] + debit())
write('entry.tap', 'Entry at station 103 of line 1.',
      [select(), management(), READ_1A + NEVER_RIDDEN + '9000', init(0), authorise(0), CACHE_1A + ENTRY_1A + ' 9000',
       trip('03', '0001', '0067', 0, 1000)] + debit())
write('exit.tap', 'Exit at station 103 after an entry at station 101: 4,100 m, 400 fen.',
      [select(), management(), READ_1A + open_journey(ENTRY_DEVICE) + '9000', init(400), authorise(400),
       CACHE_1A + EXIT_1A + ' 9000', trip('04', '0001', '0067', 400, 1000)] + debit())
