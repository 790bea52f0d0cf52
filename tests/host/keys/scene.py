"""A directory in which the real onecard-keys holds a rehearsal: two custodians, one service passphrase."""
import json
import os
import subprocess
import sys

PROGRAM = sys.argv[1]
REHEARSAL = ('--rehearsal', '--seed', '7')


class Rehearsal:
    umask = -1  # of the program: as it is

    def __init__(self, directory):
        self.directory = directory
        for who in ('first', 'second', 'service'):
            file = os.open(self.at(who), os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(file, f'the passphrase of {who}\n'.encode())
            os.close(file)
        self.city = ['--city-dir', self.at('city'), *self.people('')]

    def found(self, name, code, issuer=None):
        """The nation when there is none, and a city of it."""
        if not os.path.exists(self.at('nation')):
            self.done('found-nation', '--dir', self.at('nation'), *self.people(''), *REHEARSAL)
        self.done('found-city', '--dir', self.at(name), '--nation', self.at('nation'), '--city', code, '--issuer',
                  issuer or f'{code}000000000001', *self.people(''), *self.people('nation-'), *REHEARSAL)

    def at(self, name):
        return os.path.join(self.directory, name)

    def people(self, prefix):
        return [word for who in ('first', 'second') for word in (f'--{prefix}custodian', f'{who}={self.at(who)}')]

    def run(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120, umask=self.umask)

    def done(self, *arguments):
        ran = self.run(*arguments)
        assert ran.returncode == 0, (arguments, ran.stderr)
        return ran.stdout

    def asked(self, *arguments):
        return json.loads(self.done(*arguments, '--json'))

    def complaint(self, *arguments):
        """The one line on standard error."""
        ran = self.run(*arguments)
        lines = ran.stderr.splitlines()
        assert ran.returncode == 1 and len(lines) == 1 and not ran.stdout, (arguments, ran)
        return lines[0]

    def refused(self, *arguments):
        """The kind in that line."""
        return self.complaint(*arguments).split(': ')[1]
