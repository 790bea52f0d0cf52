"""The model behind the milliseconds of docs/tap_budget.md: counts go in, time comes out. Its constants stand there, too."""
import dataclasses
import math
import re

# The contactless link. ISO/IEC 14443-3:2018, 6.2 and 8.1 (type A); ISO/IEC 14443-4:2018, 7.1.
CARRIER_MHZ = 13.56
BIT_RATES = {'106': 128 / CARRIER_MHZ, '424': 32 / CARRIER_MHZ}  # us per bit
BITS_PER_BYTE = 9  # eight and odd parity
FRAME_BITS = 2  # start and end of communication
BLOCK_BYTES = 3  # prologue (PCB) and epilogue (CRC); no CID, no NAD
INF_MAX = 253  # of a frame of 256 bytes
FRAME_DELAY_US = 1236 / CARRIER_MHZ  # card to answer at the earliest, 6.2.1.1
READER_US = 500  # reader: from the card's answer to its next frame

# The card.
MICROSECONDS_PER_INSTRUCTION = 1.5 / 25  # 25 MHz, 1.5 cycles each
CIPHER_US = 40  # one block on a coprocessor, its share of loading the key included
RANDOM_US = 100  # one draw from a noise source; the stand-in's instructions are not the chip's
PROGRAM_US = 90  # one unit of four bytes
ERASE_MS = 25  # one page

# The SAM, in a contact reader at 115,200 bit/s with T=1. ISO/IEC 7816-3:2006, 11.2 and 11.3.
CHARACTER_US = 11 * 1e6 / 115_200
T1_BLOCK_BYTES = 4  # prologue and LRC
BLOCK_GUARD_US = 22 * 1e6 / 115_200

FSYNC_MS = 4  # one durable entry of the gate's journal; a tap makes two
JOURNAL_ENTRIES = 2

TAP_COLUMNS = ['APDUs', 'to card B', 'from card B', 'link B', 'NVM B', 'commits', 'tries counted', 'erases', 'cipher blocks',
               'ms at 106', 'ms at 424', 'ms with ciphers in software at 106']
GATE_COLUMNS = ['SAM APDUs', 'SAM link B', 'ms of the SAM', 'ms end to end at 106', 'ms end to end at 424',
                'ms from power on to ATR']
COMMAND_COLUMNS = ['instructions', 'in ciphers', 'in random numbers', 'cipher blocks', 'key schedules', 'NVM B']
OTHER_COLUMNS = ['to B', 'from B', 'NVM B', 'commits', 'tries counted', 'erases', 'ms', 'in random numbers',
                 'instructions SM4', 'instructions 3DES', 'cipher blocks SM4', 'cipher blocks 3DES']
COMMANDS = {'A4': 'SELECT', 'B0': 'READ BINARY', 'B2': 'READ RECORD', '20': 'VERIFY', '50': 'INITIALIZE',
            '52': 'CREDIT FOR LOAD', 'DC': 'UPDATE CAPP DATA CACHE', '54': 'DEBIT', '70': 'INIT SAM FOR PURCHASE',
            '72': 'CREDIT SAM FOR PURCHASE'}
# By CLA INS P1 P2, as a regular expression; card and SAM share the operating system's.
OTHER_COMMANDS = {
    '00A40000': 'SELECT by identifier', '00A40400': 'SELECT by name', '00840000': 'GET CHALLENGE',
    '00820000': 'EXTERNAL AUTHENTICATE', '00880001': 'INTERNAL AUTHENTICATE', '00200000': 'VERIFY', '805E0100': 'CHANGE PIN',
    '805E0000': 'RELOAD PIN', '84240000': 'PIN UNBLOCK', '00B0....': 'READ BINARY, 60 B', '00B2....': 'READ RECORD, 128 B',
    '04D6....': 'UPDATE BINARY with MAC, 60 B', '04DC....': 'UPDATE RECORD with MAC, 128 B',
    '04E2....': 'APPEND RECORD with MAC, 128 B', '84D407..': 'WRITE KEY', '80500502': 'INITIALIZE FOR UNLOAD',
    '80540300': 'DEBIT FOR UNLOAD', '80500402': 'INITIALIZE FOR UPDATE', '80580000': 'UPDATE OVERDRAW LIMIT',
    '805C..02': 'GET BALANCE', '80500102': 'INITIALIZE FOR PURCHASE', '80CA0000': 'GET MESSAGE', '80540100': 'DEBIT',
    '805A00..': 'GET TRANSACTION PROVE', 'E07A0801': 'INITIALIZE FOR GREY LOCK', 'E07C0800': 'GREY LOCK',
    'E0CA0000': 'GET LOCK PROOF', 'E07E0801': 'DEBIT FOR UNLOCK, by the station', 'E07A0901': 'INITIALIZE FOR GREY UNLOCK',
    'E07E0900': 'GREY UNLOCK, by the issuer', '841E00..': 'APPLICATION BLOCK', '84180000': 'APPLICATION UNBLOCK',
    '84160000': 'CARD BLOCK', '80700000': 'INIT SAM FOR PURCHASE', '80720000': 'CREDIT SAM FOR PURCHASE',
    'E0440000': 'SAM GREY DEBIT', '84D425..': 'WRITE KEY of a SAM, with uses', '801A....': '80 1A', '80FA....': '80 FA'}
OTHER_KIND = 'command'
UNIT = 4


@dataclasses.dataclass
class Work:
    """What firmware/boards/mps2/measuring.hpp reports of one command, or of the housekeeping after it."""
    instructions: int
    cipher_instructions: int
    random_instructions: int
    units: int
    erases: int
    blocks: int
    schedules: int
    commits: int
    ticks: int

    def ms(self, ciphers_in_software=False):
        ours = self.instructions - self.random_instructions - (0 if ciphers_in_software else self.cipher_instructions)
        ciphers = 0 if ciphers_in_software else self.blocks * CIPHER_US
        draws = RANDOM_US if self.random_instructions else 0
        return (ours * MICROSECONDS_PER_INSTRUCTION + ciphers + draws + self.units * PROGRAM_US) / 1000 + self.erases * ERASE_MS


@dataclasses.dataclass
class Cost:
    suite: str
    kind: str
    tap: int
    party: str
    header: str  # CLA INS P1 P2 in hexadecimal, or 'reset'
    command: int
    answer: int
    work: Work
    housekeeping: Work
    stack: int

    @property
    def is_reset(self):
        return self.header == 'reset'

    @property
    def ins(self):
        return self.header[2:4]

    @staticmethod
    def parse(line):
        words = line.split()
        numbers = list(map(int, words[5:]))
        fields = len(dataclasses.fields(Work))
        return Cost(words[0], words[1], int(words[2]), words[3], words[4], numbers[0], numbers[1],
                    Work(*numbers[2:2 + fields]), Work(*numbers[2 + fields:2 + 2 * fields]), numbers[2 + 2 * fields])


def contactless_ms(cost, bit_us):
    def frames(size):
        blocks = math.ceil(size / INF_MAX)
        return blocks * ((BLOCK_BYTES * BITS_PER_BYTE) + FRAME_BITS) + size * BITS_PER_BYTE
    return ((frames(cost.command) + frames(cost.answer)) * bit_us + FRAME_DELAY_US + READER_US) / 1000


def contact_ms(cost):
    return ((cost.command + cost.answer + 2 * T1_BLOCK_BYTES) * CHARACTER_US + 2 * BLOCK_GUARD_US) / 1000


def tap_figures(commands):
    resets = [c for c in commands if c.party == 'card' and c.is_reset]
    card = [c for c in commands if c.party == 'card' and not c.is_reset]
    sam = [c for c in commands if c.party == 'sam']
    cpu = sum(c.work.ms() for c in card)
    software = sum(c.work.ms(ciphers_in_software=True) for c in card)
    link = {rate: sum(contactless_ms(c, bit) for c in card) for rate, bit in BIT_RATES.items()}
    # What the card does after an answer has left, the reader's turn hides as far as it lasts.
    waits = sum(max(0.0, c.housekeeping.ms() - READER_US / 1000) for c in resets + card[:-1])
    sam_ms = sum(contact_ms(c) + c.work.ms() for c in sam)
    rest = sam_ms + JOURNAL_ENTRIES * FSYNC_MS
    return {
        'APDUs': len(card), 'to card B': sum(c.command for c in card), 'from card B': sum(c.answer for c in card),
        'link B': sum(c.command + c.answer for c in card), 'NVM B': UNIT * sum(c.work.units for c in card),
        'commits': sum(c.work.commits for c in card), 'tries counted': sum(c.work.ticks for c in card),
        'erases': sum(c.work.erases for c in card), 'cipher blocks': sum(c.work.blocks for c in card),
        'ms at 106': link['106'] + cpu + waits, 'ms at 424': link['424'] + cpu + waits,
        'ms with ciphers in software at 106': link['106'] + software + waits,
        'SAM APDUs': len(sam), 'SAM link B': sum(c.command + c.answer for c in sam), 'ms of the SAM': sam_ms,
        'ms end to end at 106': link['106'] + cpu + waits + rest, 'ms end to end at 424': link['424'] + cpu + waits + rest,
        'ms from power on to ATR': sum(c.work.ms() for c in resets),
    }


def command_figures(cost):
    return {'instructions': cost.work.instructions, 'in ciphers': cost.work.cipher_instructions,
            'in random numbers': cost.work.random_instructions, 'cipher blocks': cost.work.blocks,
            'key schedules': cost.work.schedules, 'NVM B': UNIT * cost.work.units}


def other_name(cost):
    """Of a command outside taps and loads: by its header, and by what follows `command` in its kind."""
    name = next((name for header, name in OTHER_COMMANDS.items() if re.fullmatch(header, cost.header)), None)
    return name and name + cost.kind.removeprefix(OTHER_KIND).replace('_', ' ')


def other_figures(cost, suite_name):
    """Some of OTHER_COLUMNS: instructions and cipher blocks have a column for each suite."""
    link = contact_ms(cost) if cost.party == 'sam' else contactless_ms(cost, BIT_RATES['106'])
    work = cost.work
    return {'to B': cost.command, 'from B': cost.answer, 'NVM B': UNIT * work.units, 'commits': work.commits,
            'tries counted': work.ticks, 'erases': work.erases, 'ms': link + work.ms(),
            'in random numbers': work.random_instructions, f'instructions {suite_name}': work.instructions,
            f'cipher blocks {suite_name}': work.blocks}
