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
from smartcard.System import readers as pcsc_readers

import chips

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


class ForeignTools(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        subprocess.run([str(pathlib.Path(PROGRAMS) / 'make_chips'), directory.name], check=True)
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
        connection.connect(CardConnection.T1_protocol)
        self.addCleanup(connection.disconnect)
        return connection

    def send(self, connection, command):
        data, sw1, sw2 = connection.transmit(list(bytes.fromhex(command)))
        return bytes(data).hex().upper(), f'{sw1:02X}{sw2:02X}'

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


if __name__ == '__main__':
    unittest.main()
