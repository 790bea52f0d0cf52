"""A program on a terminal of its own, as a person sees it: for the tests beside this file."""
import os
import pty
import select


class Terminal:
    """`answer`: what the program asks, and what is typed then."""

    def __init__(self, *command, environment=None):
        self.shown = ''
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(command[0], list(map(str, command)), os.environ if environment is None else environment)

    def _read(self):
        ready, _, _ = select.select([self.terminal], [], [], 120)
        assert ready, self.shown
        try:
            more = os.read(self.terminal, 4096)
        except OSError:  # EIO: the program has ended
            more = b''
        self.shown += more.decode()
        return bool(more)

    def wait_for(self, question):
        while question not in self.shown.split('\0')[-1]:
            assert self._read(), self.shown

    def answer(self, question, typed):
        self.wait_for(question)
        self.shown += '\0'  # what was asked so far is answered
        os.write(self.terminal, typed.encode() + b'\n')

    def finish(self):
        while self._read():
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
