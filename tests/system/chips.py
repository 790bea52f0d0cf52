"""Virtual chips in the slots of a reader box: what system tests put in and take out."""
import os
import pathlib
import queue
import subprocess
import threading
import time

from smartcard import scard


def readers():
    """Reader names and their ports, as tests/system/reader_box announces them."""
    pairs = [entry.rsplit('=', 1) for entry in os.environ['ONECARD_READERS'].split('|')]
    return [(name, int(port)) for name, port in pairs]


def occupied():
    """Names of the readers in which pcscd sees a chip. It looks every 400 ms."""
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    try:
        states = [(name, scard.SCARD_STATE_UNAWARE) for name, _ in readers()]
        _, states = scard.SCardGetStatusChange(context, 0, states)
        return {name for name, state, _ in states if state & scard.SCARD_STATE_PRESENT}
    finally:
        scard.SCardReleaseContext(context)


class Slot:
    """One slot of a virtual reader, served by an onecard-card process that obeys lines.

    $ONECARD_BOARD says on which board its chips run: virtual, or mps2 with the image in $ONECARD_IMAGE."""

    def __init__(self, programs, port, image=os.environ.get('ONECARD_IMAGE')):
        board = ['--board', os.environ.get('ONECARD_BOARD', 'virtual')]
        if image:
            board += ['--image', image]
        self.process = subprocess.Popen([str(pathlib.Path(programs) / 'onecard-card'), '--control', '--port', str(port), *board],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put('onecard-card has ended')

    def _line(self, seconds=30):
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            return f'nothing within {seconds} s'

    def tell(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        while (answer := self._line()) in ('torn', 'gone', 'held', 'uncut'):
            pass
        if answer != 'ok':
            raise RuntimeError(f'{line}: {answer}')

    def wait_held(self):
        """Until the chip has done what `tear INS keep-answer` names; its reader waits for an answer meanwhile."""
        if (line := self._line()) != 'held':
            raise RuntimeError(f'the chip was not asked for what it should keep to itself: {line}')

    def insert(self, image):
        self.tell(f'load {image}')
        self.tell('insert')

    def withdraw(self):
        self.tell('withdraw')

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.listener.join()
        self.process.stdout.close()


def wait_for(condition, what, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f'{what} did not happen within {seconds} seconds')
        time.sleep(0.05)
