"""The rooms' arrows (docs/ARCHITECTURE.md): which room may include which. Prints every breach and how to mend it.

Usage: layering.py ROOT | layering.py --self-test
"""
import pathlib
import re
import sys

# room -> prefixes of our own headers that it may include. The longest room that matches a file's path counts.
MAY_INCLUDE = {
    'protocol': ['protocol/'],
    'crypto/core': ['crypto/core/', 'protocol/'],
    'crypto/sm2': ['crypto/sm2/', 'crypto/core/', 'protocol/'],
    'crypto/purse': ['crypto/purse/', 'crypto/core/', 'protocol/'],
    'crypto/random': ['crypto/random/', 'crypto/core/', 'protocol/'],
    'crypto/batch': ['crypto/batch/', 'crypto/core/', 'crypto/purse/', 'protocol/'],
    'crypto/keys': ['crypto/', 'protocol/'],
    'firmware': ['firmware/', 'crypto/core/', 'crypto/sm2/', 'crypto/purse/', 'protocol/'],
    # A board's program is the outside world of its card: it may use a random source of the machine it runs on.
    'firmware/boards/virtual': ['firmware/', 'crypto/core/', 'crypto/purse/', 'crypto/random/', 'protocol/'],
    'platform': ['platform/', 'crypto/', 'protocol/'],
    'terminal': ['terminal/', 'platform/', 'crypto/', 'protocol/'],
    'host': ['host/', 'platform/', 'crypto/', 'protocol/'],
}
# No operating system, heap or stream in what also runs on the card.
FREESTANDING = ['protocol', 'crypto/core', 'crypto/purse', 'firmware']
HOSTED_HEADERS = {'string', 'vector', 'map', 'iostream', 'fstream', 'sstream', 'thread', 'mutex', 'filesystem',
                  'functional', 'unordered_map', 'set', 'deque', 'list', 'unistd.h', 'sys/socket.h', 'stdio.h', 'cstdio'}
OURS = ('protocol/', 'crypto/', 'firmware/', 'platform/', 'terminal/', 'host/', 'tests/')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path):
    rooms = [room for room in MAY_INCLUDE if path.startswith(room + '/')]
    return max(rooms, key=len, default=None)


def breaches(path, text):
    room = room_of(path)
    if room is None:
        return
    freestanding = any(path.startswith(r + '/') for r in FREESTANDING) and '/boards/' not in path
    for number, line in enumerate(text.split('\n'), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, target = match.groups()
        if target.startswith(OURS):
            if not target.startswith(tuple(MAY_INCLUDE[room])):
                yield (f'{path}:{number}: {room} may not include {target}. '
                       f'Move what both need to a room that both see, or pass it in.')
        elif quote == '"' and '/' not in target:
            yield f'{path}:{number}: include {target} by its path from the project root.'
        elif freestanding and target in HOSTED_HEADERS:
            yield f'{path}:{number}: <{target}> is not for code that runs on the card; use spans and fixed arrays.'


def self_test():
    wrong = [('firmware/os/card.cpp', '#include "host/ledger/ledger.hpp"'), ('terminal/a.cpp', '#include "host/a.hpp"'),
             ('host/a.cpp', '#include "terminal/gate/tap.hpp"'), ('protocol/a.hpp', '#include "crypto/core/sm3.hpp"'),
             ('firmware/os/a.cpp', '#include "platform/clock.hpp"'), ('firmware/os/a.hpp', '#include <vector>'),
             ('crypto/core/a.cpp', '#include "crypto/keys/store.hpp"'), ('host/a.cpp', '#include "ledger.hpp"'),
             ('firmware/os/a.cpp', '#  include "crypto/keys/store.hpp"')]
    right = [('firmware/os/card.cpp', '#include "crypto/purse/mac.hpp"'), ('host/a.cpp', '#include <vector>'),
             ('terminal/a.cpp', '#include "platform/net/client.hpp"'), ('tests/host/a.cpp', '#include "terminal/a.hpp"')]
    missed = [w for w in wrong if not list(breaches(*w))]
    false_alarms = [r for r in right if list(breaches(*r))]
    for item in missed + false_alarms:
        print('self-test:', item)
    return not missed and not false_alarms


def main():
    if sys.argv[1:] == ['--self-test']:
        sys.exit(0 if self_test() else 1)
    root = pathlib.Path(sys.argv[1])
    found, count = [], 0
    for top in sorted({room.split('/')[0] for room in MAY_INCLUDE}):
        for path in sorted((root / top).rglob('*')):
            if path.suffix in ('.hpp', '.cpp', '.h', '.c'):
                count += 1
                found += breaches(str(path.relative_to(root)), path.read_text(encoding='utf8'))
    print('\n'.join(found))
    print(f'{count} files read, {len(found)} breaches of the rooms\' arrows')
    sys.exit(1 if found or count == 0 else 0)


main()
