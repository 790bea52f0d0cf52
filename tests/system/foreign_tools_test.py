"""The card as standard tools see it, through the real pcscd: opensc-tool, scriptor, pyscard.

Expected bytes are written down from the standards' layouts (docs name the clause), not made by our encoder. The card is
the one of make_chips: issuer 3104000000000001, number 03104100000012345678, valid 20250101-20351231, 30.00 yuan.
"""
import functools
import operator
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import CardConnectionException
from smartcard.scard import SCARD_LEAVE_CARD
from smartcard.System import readers as pcsc_readers

import chips
from purse_algorithms import Sm4, TripleDes, card_key, seeded_master

PROGRAMS = sys.argv.pop()
TRANSIT_AID = 'A0 00 00 06 32 01 01 05'  # JT/T 978, T-Union electronic purse
# File 15: issuer8 type1 flag1 number10 start4 valid4 FCI2. domain.md 3.1.
FILE_15 = '3104000000000001 02 01 03104100000012345678 20250101 20351231 0000'.replace(' ', '')
# FCI: 6F { 84 AID, A5 { 9F08 version, 9F0C file 15 } }. ISO/IEC 7816-4:2005, 5.3.3.
FCI = '6F31 8408 A000000632010105 A525 9F0801 01 9F0C1E'.replace(' ', '') + FILE_15


def scriptor(reader, commands):
    text = '\n'.join(commands) + '\n'
    out = subprocess.run(['scriptor', '-r', reader, '-p', 'T=1'], input=text, capture_output=True, text=True, timeout=60, check=True).stdout
    answers = re.findall(r'^< ([0-9A-F \n]+?) :', out, re.M)
    return [re.sub(r'\s', '', answer) for answer in answers]


class TwoChips(unittest.TestCase):
    """Chips in both slots, new for each test."""
    SUITE = 'sm4'

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        subprocess.run([str(pathlib.Path(PROGRAMS) / 'make_chips'), directory.name, self.SUITE], check=True)
        chips.wait_for(lambda: not chips.occupied(), 'the last test\'s chips out of the readers')
        (self.card_reader, card_port), (self.sam_reader, sam_port) = chips.readers()[:2]
        self.slots = []
        for port, image in [(card_port, 'card.nvm'), (sam_port, 'sam.nvm')]:
            slot = chips.Slot(PROGRAMS, port)
            self.addCleanup(slot.close)
            self.slots.append(slot)
            slot.insert(f'{directory.name}/{image}')
        chips.wait_for(lambda: len(chips.occupied()) == 2, 'both chips in their readers')

    def connect(self, name):
        connection = next(r for r in pcsc_readers() if str(r) == name).createConnection()
        # pyscard would unpower at the end; of a connection whose card was torn away, that reaches the card that came after it.
        connection.connect(CardConnection.T1_protocol, disposition=SCARD_LEAVE_CARD)
        self.addCleanup(connection.disconnect)
        return connection

    def send(self, connection, command):
        data, sw1, sw2 = connection.transmit(list(bytes.fromhex(command)))
        return bytes(data).hex().upper(), f'{sw1:02X}{sw2:02X}'


class ForeignTools(TwoChips):
    def test_the_chips_run_on_the_board_that_was_asked_for(self):
        expected = ['qemu-system-arm'] if os.environ.get('ONECARD_BOARD') == 'mps2' else []
        for slot in self.slots:
            children = subprocess.run(['ps', '-o', 'comm=', '--ppid', str(slot.process.pid)], capture_output=True, text=True, timeout=60)
            self.assertEqual(expected, children.stdout.split())

    def test_opensc_tool_reads_the_atr(self):
        out = subprocess.run(['opensc-tool', '-r', self.card_reader, '-a'], capture_output=True, text=True, timeout=60, check=True).stdout
        # T=1 only; historical bytes 80, capabilities 73 (no extended lengths), chip serial. ISO/IEC 7816-4:2005, 8.1.1.
        self.assertRegex(out.strip(), r'^3b:8e:01:80:73:94:01:00:68:00:01:02:03:04:05:06:07:[0-9a-f]{2}$')
        self.assertEqual(0, functools.reduce(operator.xor, bytes.fromhex(out.strip().replace(':', ''))[1:]))

    def test_opensc_tool_sends_commands(self):
        out = subprocess.run(['opensc-tool', '-r', self.card_reader, '-s', '00A4040008A00000063201010500'.lower()],
                             capture_output=True, text=True, timeout=60, check=True).stdout
        self.assertIn('SW1=0x90, SW2=0x00', out)

    def test_scriptor_selects_the_transit_application_and_reads_file_15(self):
        answers = scriptor(self.card_reader, [f'00 A4 04 00 08 {TRANSIT_AID} 00', '00 B0 95 00 1E'])
        self.assertEqual(FCI + '9000', answers[0])
        self.assertEqual(FILE_15 + '9000', answers[1])

    def test_scriptor_reads_the_balance(self):
        answers = scriptor(self.card_reader, [f'00 A4 04 00 08 {TRANSIT_AID} 00', '80 5C 00 02 04'])
        self.assertEqual('00000BB89000', answers[1])

    def test_pyscard_reads_the_load_from_the_log(self):
        card = self.connect(self.card_reader)
        self.send(card, '00A4040008A00000063201010500')
        # seq2 overdraft3 amount4 TT1 term6 date4 time3: the one load. domain.md 1.8.
        self.assertEqual(('0001000000' '00000BB8' '02' '000001000050' '20260501120000', '9000'), self.send(card, '00B201C417'))

    def test_pyscard_pays_with_card_and_sam(self):
        card, sam = self.connect(self.card_reader), self.connect(self.sam_reader)
        self.assertEqual('9000', self.send(sam, '00A4040010A0000006324D4F542E435053414D303100')[1])
        self.send(card, '00A4040008A00000063201010500')
        # 1.00 yuan as a plain purchase: INIT, SAM's MAC1, DEBIT, SAM's check of MAC2. domain.md 1.1, 1.12.
        init, status = self.send(card, '805001020B' '01' '00000064' '000001000050' '0F')
        self.assertEqual('9000', status)
        balance, counter, key_version, algorithm, random = int(init[:8], 16), init[8:12], init[18:20], init[20:22], init[22:30]
        date, time = '20260502', '080000'
        answer, status = self.send(sam, '8070000024' + random + counter + '00000064' + '06' + date + time + key_version + algorithm
                                   + '4100000012345678' + '3104000000000001' + '08')
        self.assertEqual('9000', status)
        proof, status = self.send(card, '805401000F' + answer[:8] + date + time + answer[8:16] + '08')
        self.assertEqual('9000', status)
        self.assertEqual(('', '9000'), self.send(sam, '8072000004' + proof[8:16]))
        self.assertEqual((f'{balance - 100:08X}', '9000'), self.send(card, '805C000204'))
        # GET TRANSACTION PROVE by the counter before the debit: MAC2, then TAC. domain.md 1.5.
        self.assertEqual((proof[8:16] + proof[:8], '9000'), self.send(card, '805A000602' + counter + '08'))

    def test_pyscard_locks_a_hot_listed_card(self):
        card, sam = self.connect(self.card_reader), self.connect(self.sam_reader)
        self.send(card, '00A4040008A00000063201010500')
        self.send(sam, '00A4040010A0000006324D4F542E435053414D303100')
        # The SAM signs APPLICATION BLOCK for this card and this challenge, under the card's lock key. domain.md 1.12.
        challenge, status = self.send(card, '0084000004')
        self.assertEqual((8, '9000'), (len(challenge), status))
        self.assertEqual(('', '9000'), self.send(sam, '801A450010' '4100000012345678' '3104000000000001'))
        mac, status = self.send(sam, '80FA050010' + challenge + '00000000' '841E000004' '800000' '04')
        self.assertEqual((8, '9000'), (len(mac), status))
        self.assertEqual('6988', self.send(card, '841E000004' '00000000')[1])  # and the challenge is gone
        self.assertEqual('6984', self.send(card, '841E000004' + mac)[1])
        challenge, _ = self.send(card, '0084000004')
        self.send(sam, '801A450010' '4100000012345678' '3104000000000001')
        mac, _ = self.send(sam, '80FA050010' + challenge + '00000000' '841E000004' '800000' '04')
        self.assertEqual(('', '9000'), self.send(card, '841E000004' + mac))
        self.assertEqual((FCI, '6283'), self.send(card, '00A4040008A00000063201010500'))
        self.assertEqual('6A81', self.send(card, '805001020B' '01' '00000064' '000001000050' '0F')[1])
        # One 80 1A serves one 80 FA.
        self.assertEqual('6901', self.send(sam, '80FA050010' + challenge + '00000000' '841E000004' '800000' '04')[1])

    def test_refusals_leave_the_card_usable(self):
        card = self.connect(self.card_reader)
        self.send(card, '00A4040008A00000063201010500')
        before = self.send(card, '805C000204')
        for command, status in [('805401000F' + '00' * 15 + '08', '6901'),  # DEBIT without INIT
                                ('805001020B' '01' '7FFFFFFF' '000001000050' '0F', '9401'),  # more than there is
                                ('805001020B' '09' '00000064' '000001000050' '0F', '9403'),  # no such key
                                ('80500102', '6700'), ('80FF0000', '6D00'), ('90A40000', '6E00'),
                                ('00B09F0010', '6A82'), ('805A0006020FFF08', '9406'), ('00D695000101', '6987')]:
            with self.subTest(command=command):
                self.assertEqual(status, self.send(card, command)[1])
        self.assertEqual(before, self.send(card, '805C000204'))


class Purse:
    """Whole transactions, every byte of every answer foretold: layouts from docs/domain.md 1.2, 1.5 and 1.8, keys from their
    published seed, MACs and TACs from purse_algorithms."""
    ISSUER, CARD = bytes.fromhex('3104000000000001'), bytes.fromhex('4100000012345678')
    TERMINAL, WHEN = bytes.fromhex('000001000050'), bytes.fromhex('20260502080000')
    PIN = '0020000003' '123456'
    BALANCE = 3000

    def setUp(self):
        super().setUp()
        self.select()

    def select(self):
        self.card, self.sam = self.connect(self.card_reader), self.connect(self.sam_reader)
        self.expect(self.card, '00A4040008' + TRANSIT_AID.replace(' ', '') + '00', FCI)
        self.assertEqual('9000', self.send(self.sam, '00A4040010A0000006324D4F542E435053414D303100')[1])

    def key(self, usage):
        return card_key(self.ALGORITHMS, usage, self.ISSUER, self.CARD)

    def expect(self, chip, command, data='', status='9000'):
        """`data` as hexadecimal digits or bytes."""
        command = command if isinstance(command, str) else command.hex()
        data = data if isinstance(data, str) else data.hex().upper()
        self.assertEqual((data.upper(), status), self.send(chip, command), command)

    def expect_balance(self, fen):
        self.expect(self.card, '805C000204', fen.to_bytes(4, 'big'))

    def initialise(self, command, expected):
        """Sends an INITIALIZE. Its answer: `expected`, key version and suite, then four random bytes that are answered."""
        answer, status = self.send(self.card, command)
        self.assertEqual('9000', status)
        head = expected + bytes([0x01, self.ALGORITHMS.identifier])
        self.assertEqual(head.hex().upper(), answer[:2 * len(head)])
        return bytes.fromhex(answer)[len(head):len(head) + 4], bytes.fromhex(answer)[len(head) + 4:]

    def open_online(self, p1, usage, kind, amount, counter, balance):
        """INITIALIZE FOR LOAD or UNLOAD; answers the process key. MAC1: oldBalance4 amount4 TT1 term6."""
        fen, balance, counter = amount.to_bytes(4, 'big'), balance.to_bytes(4, 'big'), counter.to_bytes(2, 'big')
        random, mac1 = self.initialise(f'8050{p1}020B' '01' + fen.hex() + self.TERMINAL.hex() + '10', balance + counter)
        session = self.ALGORITHMS.process_key(self.key(usage), random + counter + b'\x80\x00')
        self.assertEqual(self.ALGORITHMS.mac(session, balance + fen + kind + self.TERMINAL), mac1)
        return session

    def debit(self, amount, counter, balance, number):
        """INITIALIZE FOR PURCHASE; answers DEBIT as a SAM would make it possible, MAC2 and TAC."""
        fen, counter, number = amount.to_bytes(4, 'big'), counter.to_bytes(2, 'big'), number.to_bytes(4, 'big')
        random, nothing = self.initialise('805001020B' '01' + fen.hex() + self.TERMINAL.hex() + '0F',
                                          balance.to_bytes(4, 'big') + counter + bytes(3))
        self.assertEqual(b'', nothing)
        session = self.ALGORITHMS.process_key(self.key(0x06), random + counter + number[2:])
        mac1 = self.ALGORITHMS.mac(session, fen + b'\x06' + self.TERMINAL + self.WHEN)
        tac = self.ALGORITHMS.tac(self.key(0x08), fen + b'\x06' + self.TERMINAL + number + self.WHEN)
        return '805401000F' + (number + self.WHEN + mac1).hex() + '08', self.ALGORITHMS.mac(session, fen), tac

    def newest_record(self, counter, amount, kind):
        """seq2 (after the transaction) overdraft3 amount4 TT1 term6 date4 time3."""
        return counter.to_bytes(2, 'big') + bytes(3) + amount.to_bytes(4, 'big') + kind + self.TERMINAL + self.WHEN

    def protected(self, header, data, key, size=4):
        """The command with its MAC, under a fresh challenge of four or eight bytes."""
        challenge, status = self.send(self.card, f'008400000{size}')
        self.assertEqual((2 * size, '9000'), (len(challenge), status))
        command = bytes.fromhex(header) + bytes([len(data) + 4]) + data
        return command + self.ALGORITHMS.protection(key, bytes.fromhex(challenge), command)

    def test_the_key_list_has_the_keys_of_the_seed(self):
        path = self.directory / 'keys.txt'
        self.assertEqual(0o600, path.stat().st_mode & 0o777)
        lines = [line.split() for line in path.read_text().splitlines() if not line.startswith('#')]
        masters = {line[2]: line[6] for line in lines if line[0] == 'master'}
        self.assertEqual(12, len(masters))
        for usage, value in masters.items():
            self.assertEqual(seeded_master(self.ALGORITHMS, int(usage, 16)).hex().upper(), value, usage)
        card = [line for line in lines if line[0] == 'card' and line[2] != '3A']
        self.assertEqual(13, len(card))
        for line in card:
            self.assertEqual(self.key(int(line[2], 16)).hex().upper(), line[6], line)
            self.assertEqual(f'{self.ALGORITHMS.identifier:02X}', line[5])

    def test_verify_counts_tries_and_opens_a_load(self):
        initialise = '805000020B' '01' '000003E8' + self.TERMINAL.hex() + '10'
        self.expect(self.card, '00200000', status='63C3')
        self.expect(self.card, initialise, status='6982')
        self.expect(self.card, '0020000003' '123457', status='63C2')
        self.expect(self.card, '00200000', status='63C2')
        self.expect(self.card, initialise, status='6982')
        self.expect(self.card, self.PIN)
        self.expect(self.card, '00200000', status='63C3')
        for _ in range(3):
            self.send(self.card, '0020000003' '999999')
        self.expect(self.card, self.PIN, status='6983')

    def test_load(self):
        amount, fen = 1000, (1000).to_bytes(4, 'big')
        self.expect(self.card, self.PIN)
        session = self.open_online('00', 0x07, b'\x02', amount, counter=1, balance=self.BALANCE)
        # MAC2: amount4 TT1 term6 date4 time3. A wrong one changes nothing, and the transaction is over.
        mac2 = self.ALGORITHMS.mac(session, fen + b'\x02' + self.TERMINAL + self.WHEN)
        wrong = mac2[:3] + bytes([mac2[3] ^ 1])
        self.expect(self.card, '805200000B' + (self.WHEN + wrong).hex() + '04', status='9302')
        self.expect(self.card, '805200000B' + (self.WHEN + mac2).hex() + '04', status='6901')
        self.expect_balance(self.BALANCE)
        session = self.open_online('00', 0x07, b'\x02', amount, counter=1, balance=self.BALANCE)
        mac2 = self.ALGORITHMS.mac(session, fen + b'\x02' + self.TERMINAL + self.WHEN)
        # TAC: newBalance4 onlineSeq2 (before) amount4 TT1 term6 date4 time3.
        new = self.BALANCE + amount
        tac = self.ALGORITHMS.tac(self.key(0x08), new.to_bytes(4, 'big') + b'\x00\x01' + fen + b'\x02' + self.TERMINAL + self.WHEN)
        self.expect(self.card, '805200000B' + (self.WHEN + mac2).hex() + '04', tac)
        self.expect_balance(new)
        self.expect(self.card, '00B201C417', self.newest_record(2, amount, b'\x02'))
        self.expect(self.card, '805A000202' '0001' '08', mac2 + tac)

    def test_unload(self):
        amount, fen = 500, (500).to_bytes(4, 'big')
        self.expect(self.card, self.PIN)
        session = self.open_online('05', 0x09, b'\x03', amount, counter=1, balance=self.BALANCE)
        # MAC2 as of a load; MAC3: balance4 (left) seq2 (before) amount4 TT1 term6 date4 time3.
        mac2 = self.ALGORITHMS.mac(session, fen + b'\x03' + self.TERMINAL + self.WHEN)
        left = self.BALANCE - amount
        mac3 = self.ALGORITHMS.mac(session, left.to_bytes(4, 'big') + b'\x00\x01' + fen + b'\x03' + self.TERMINAL + self.WHEN)
        self.expect(self.card, '805403000B' + (self.WHEN + mac2).hex() + '04', mac3)
        self.expect_balance(left)
        self.expect(self.card, '00B201C417', self.newest_record(2, amount, b'\x03'))
        self.expect(self.card, '805A000302' '0001' '08', mac2 + mac3)

    def test_purchase_with_the_sam(self):
        fen = (100).to_bytes(4, 'big')
        random, _ = self.initialise('805001020B' '01' + fen.hex() + self.TERMINAL.hex() + '0F', self.BALANCE.to_bytes(4, 'big') + bytes(5))
        # rand4 offlineSeq2 amount4 TT1 date4 time3 keyVer1 algId1, card's factor, issuer's. domain.md 1.12.
        answer, status = self.send(self.sam, '8070000024' + (random + bytes(2) + fen + b'\x06' + self.WHEN + bytes(
            [1, self.ALGORITHMS.identifier]) + self.CARD + self.ISSUER).hex() + '08')
        self.assertEqual('9000', status)
        number, mac1 = bytes.fromhex(answer[:8]), bytes.fromhex(answer[8:])
        session = self.ALGORITHMS.process_key(self.key(0x06), random + bytes(2) + number[2:])
        self.assertEqual(self.ALGORITHMS.mac(session, fen + b'\x06' + self.TERMINAL + self.WHEN), mac1)
        tac = self.ALGORITHMS.tac(self.key(0x08), fen + b'\x06' + self.TERMINAL + number + self.WHEN)
        mac2 = self.ALGORITHMS.mac(session, fen)
        self.expect(self.card, '805401000F' + (number + self.WHEN + mac1).hex() + '08', tac + mac2)
        self.expect(self.sam, '8072000004' + mac2.hex())
        self.expect_balance(self.BALANCE - 100)
        self.expect(self.card, '00B201C417', self.newest_record(1, 100, b'\x06'))

    def test_update_binary_needs_the_maintenance_key(self):
        data, maintenance = bytes.fromhex('5A5A'), self.key(0x36)
        # File 15's last two bytes, which are the issuer's own.
        command = self.protected('04D6951C', data, maintenance)
        self.expect(self.card, command)
        self.expect(self.card, command, status='6984')  # once only
        self.expect(self.card, '00B0951C02', data)
        self.expect(self.card, self.protected('04D6951C', bytes(2), maintenance, size=8))
        self.expect(self.card, '00B0951C02', bytes(2))
        for wrong in (self.key(0x39), self.key(0x33)):
            self.expect(self.card, self.protected('04D6951C', data, wrong), status='6988')
        self.expect(self.card, '00D6951C02' + data.hex(), status='6987')
        self.expect(self.card, '00B0951C02', bytes(2))
        # More than a block of MAC input: file 17's 60 bytes.
        self.expect(self.card, self.protected('04D69700', bytes(range(60)), maintenance))
        self.expect(self.card, '00B097003C', bytes(range(60)))

    def test_block_and_unblock(self):
        self.expect(self.card, self.protected('841E0000', b'', self.key(0x34)), status='6988')
        self.expect(self.card, self.protected('841E0000', b'', self.key(0x33)))
        self.expect(self.card, '00A4040008' + TRANSIT_AID.replace(' ', '') + '00', FCI, status='6283')
        self.expect(self.card, self.PIN, status='6A81')
        self.expect(self.card, self.protected('84180000', b'', self.key(0x34)))
        self.expect(self.card, self.PIN)
        self.expect(self.card, self.protected('841E0001', b'', self.key(0x33)))  # for good
        self.expect(self.card, self.protected('84180000', b'', self.key(0x34)), status='9303')

    def test_grey_lock(self):
        # INITIALIZE answers as for a purchase; MAC1, GTAC and MAC2 are those of a purchase of nothing, type 91.
        nothing, lock = bytes(4), b'\x91'
        random, _ = self.initialise('E07A080107' '01' + self.TERMINAL.hex() + '0F', self.BALANCE.to_bytes(4, 'big') + bytes(5))
        answer, status = self.send(self.sam, '8070000024' + (random + bytes(2) + nothing + lock + self.WHEN + bytes(
            [1, self.ALGORITHMS.identifier]) + self.CARD + self.ISSUER).hex() + '08')
        self.assertEqual('9000', status)
        number, mac1 = bytes.fromhex(answer[:8]), bytes.fromhex(answer[8:])
        session = self.ALGORITHMS.process_key(self.key(0x06), random + bytes(2) + number[2:])
        self.assertEqual(self.ALGORITHMS.mac(session, nothing + lock + self.TERMINAL + self.WHEN), mac1)
        gtac = self.ALGORITHMS.tac(self.key(0x08), nothing + lock + self.TERMINAL + number + self.WHEN)
        mac2 = self.ALGORITHMS.mac(session, nothing)
        self.expect(self.card, 'E07C08000F' + (number + self.WHEN + mac1).hex() + '08', gtac + mac2)
        self.expect(self.sam, '8072000004' + mac2.hex())
        # flag1 offlineSeq2 term6 termSeq4 GTAC4; a purchase has to wait.
        self.expect(self.card, 'E0CA000011', b'\x01' + bytes(2) + self.TERMINAL + number + gtac)
        self.expect(self.card, '805001020B' '01' '00000064' + self.TERMINAL.hex() + '0F', status='9408')
        # The station's sum: GMAC is MAC1's layout, type 93, under the lock's process key. Then it is a purchase like any other.
        fen = (250).to_bytes(4, 'big')
        gmac = self.ALGORITHMS.mac(session, fen + b'\x93' + self.TERMINAL + self.WHEN)
        self.expect(self.sam, 'E04400000B' + (fen + self.WHEN).hex() + '04', gmac)
        tac = self.ALGORITHMS.tac(self.key(0x08), fen + b'\x06' + self.TERMINAL + number + self.WHEN)
        self.expect(self.card, 'E07E08010F' + (fen + self.WHEN + gmac).hex() + '04', tac)
        self.expect(self.card, 'E0CA000011', bytes(17))
        self.expect_balance(self.BALANCE - 250)
        self.expect(self.card, '00B201C417', self.newest_record(1, 250, b'\x06'))

    def torn(self, order, command):
        """DEBIT while the slot has this order; the card is then put back and selected."""
        self.slots[0].tell(order)
        with self.assertRaises(CardConnectionException):
            self.send(self.card, command)
        chips.wait_for(lambda: self.card_reader not in chips.occupied(), 'the torn card out of its reader')
        self.slots[0].tell('insert')
        chips.wait_for(lambda: self.card_reader in chips.occupied(), 'the torn card back in its reader')
        self.select()

    def test_torn_and_proven(self):
        if os.environ.get('ONECARD_BOARD') == 'mps2':  # the image that can be cut, in place of the card's own
            self.slots[0].close()
            chips.wait_for(lambda: self.card_reader not in chips.occupied(), 'the card out of its reader')
            image = pathlib.Path(os.environ['ONECARD_IMAGE']).with_name('card_mps2_cut.elf')
            self.slots[0] = chips.Slot(PROGRAMS, chips.readers()[0][1], str(image))
            self.addCleanup(self.slots[0].close)
            self.slots[0].insert(f'{self.directory}/card.nvm')
            chips.wait_for(lambda: len(chips.occupied()) == 2, 'both chips in their readers')
            self.select()
        # In the middle of the commit: it did not happen.
        for operation in (1, 4, 12, 20):
            command, _, _ = self.debit(100, counter=0, balance=self.BALANCE, number=operation)
            self.torn(f'cut 54 {operation}', command)
            self.expect(self.card, '805A000602' '0000' '08', status='9406')
            self.expect_balance(self.BALANCE)
        # The command never arrived: it did not happen.
        command, _, _ = self.debit(100, counter=0, balance=self.BALANCE, number=2)
        self.torn('tear 54 before-command', command)
        self.expect(self.card, '805A000602' '0000' '08', status='9406')
        # The answer was lost: it happened, once. MAC2, then TAC.
        command, mac2, tac = self.debit(100, counter=0, balance=self.BALANCE, number=3)
        self.torn('tear 54 before-answer', command)
        self.expect(self.card, '805A000602' '0000' '08', mac2 + tac)
        self.expect_balance(self.BALANCE - 100)
        self.expect(self.card, '00B201C417', self.newest_record(1, 100, b'\x06'))
        command, mac2, tac = self.debit(100, counter=1, balance=self.BALANCE - 100, number=4)
        self.expect(self.card, command, tac + mac2)


class Sm4Purse(Purse, TwoChips):
    SUITE, ALGORITHMS = 'sm4', Sm4


class TripleDesPurse(Purse, TwoChips):
    SUITE, ALGORITHMS = '3des', TripleDes


if __name__ == '__main__':
    unittest.main()
