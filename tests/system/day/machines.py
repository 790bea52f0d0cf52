"""The day's processes: hosts, issuers, terminals, and chips in the slots of virtual readers."""
import json
import pathlib
import queue
import subprocess
import threading
import time

from smartcard import scard

import chips


class Silence(RuntimeError):
    """An event or a state did not come in time."""


class Program:
    """A process that says one JSON event a line and takes orders on standard input. Its log goes to a file."""

    def __init__(self, name, arguments, log, pass_fds=()):
        self.name = name
        self.log = pathlib.Path(log)
        self.process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(self.log, 'ab'), text=True, pass_fds=pass_fds)
        self.events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith('{'):
                self.events.put(json.loads(line))
        self.events.put(None)

    def order(self, word):
        self.process.stdin.write(word + '\n')
        self.process.stdin.flush()

    def wait_event(self, *names, seconds=30):
        """The next event of one of these names; what came before it is passed over."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self.events.get(timeout=max(0.001, deadline - time.monotonic()))
            except queue.Empty:
                raise Silence(f'{self.name} said no {" or ".join(names)} within {seconds} s; its log is {self.log}') from None
            if event is None:
                self.events.put(None)
                raise Silence(f'{self.name} has ended with status {self.process.wait()}; its log is {self.log}')
            if event['event'] in names:
                return event

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def kill(self):
        """As a power cut: SIGKILL."""
        self.process.kill()
        self.process.wait()


class Reader:
    """One slot: chips go in and come out, and pcscd's view of it is waited for (it looks every 400 ms)."""

    def __init__(self, programs, name, port):
        self.name = name
        self.slot = chips.Slot(programs, port)
        self.context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)[1]
        self.events_before = 0

    def insert(self, image):
        self.events_before = self.look()[1]
        self.slot.insert(image)

    def tear(self, instruction, moment):
        self.slot.tell(f'tear {instruction} {moment}')

    def look(self, state=scard.SCARD_STATE_UNAWARE, milliseconds=0):
        """pcscd's view: flags, and how often a chip came or went, which it counts in the upper half."""
        _, states = scard.SCardGetStatusChange(self.context, milliseconds, [(self.name, state)])
        return states[0][1] & 0xFFFF & ~scard.SCARD_STATE_CHANGED, states[0][1] >> 16

    def withdraw(self, seconds=20):
        """Out, and counted as out: after a tear pcscd shows an empty slot before its own count, and a chip put in meanwhile stays unseen."""
        try:
            self.slot.withdraw()
        except RuntimeError:
            pass  # a tear has taken it out already
        deadline = time.monotonic() + seconds
        flags, events = self.look()
        while not (flags & scard.SCARD_STATE_EMPTY and events >= self.events_before + 2):
            if time.monotonic() > deadline:
                raise Silence(f'{self.name} did not become empty within {seconds} s')
            flags, events = self.look(flags | events << 16, 200)

    def close(self):
        self.slot.close()


def together(jobs):
    """Runs the jobs at once, each in a thread; the first failure is raised when all have ended."""
    failures = []

    def guarded(job):
        try:
            job()
        except Exception as failure:  # pylint: disable=broad-except
            failures.append(failure)
    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
