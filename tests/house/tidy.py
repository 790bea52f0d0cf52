"""Small rules of the house over the whole tree: line length, forbidden calls, words that have no place here.

Usage: tidy.py ROOT
"""
import pathlib
import re
import subprocess
import sys

COLUMNS = 100
CODE = ('.cpp', '.hpp', '.h', '.c')
ROOMS = ('protocol', 'crypto', 'firmware', 'platform', 'terminal', 'host', 'tests')
RULES = [  # pattern, rooms it holds in, remedy
    (re.compile(r'^(?!\s*//)[^"/]*\b(strcpy|strcat|sprintf|gets|rand|srand|system)\('), ROOMS, 'use spans, fmt, or the random source passed in'),
    (re.compile(r'^[^/]*\b(float|double)\b\s*[\w&*>(]'), ('protocol', 'firmware'), 'no floating point where money is'),
    (re.compile(r'\b(TODO|FIXME|XXX)\b'), ROOMS, 'finish it, or say in docs/ what is missing'),
    (re.compile(r'\bmemcmp\s*\('), ('crypto', 'firmware', 'host', 'terminal'), 'compare secrets with crypto::equal_constant_time, other bytes with std::ranges::equal'),
    (re.compile(r'TEST_CASE\("[^"]*;'), ('tests',), 'a semicolon in a test name makes its CTest entry pass without running'),
]


def files(root):
    listed = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], cwd=root, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return listed.stdout.split('\n')
    return [str(p.relative_to(root)) for room in ROOMS for p in (root / room).rglob('*')]


def main():
    root = pathlib.Path(sys.argv[1])
    found, count = [], 0
    for name in files(root):
        path = root / name
        room = name.split('/')[0]
        if room not in ROOMS or not name.endswith(CODE) or not path.is_file():
            continue
        count += 1
        for number, line in enumerate(path.read_text(encoding='utf8').split('\n'), 1):
            if len(line) > COLUMNS:
                found.append(f'{name}:{number}: {len(line)} columns; {COLUMNS} at most')
            found += [f'{name}:{number}: {pattern.search(line).group(0)!r}: {remedy}'
                      for pattern, rooms, remedy in RULES if room in rooms and pattern.search(line)]
    print('\n'.join(found))
    print(f'{count} files read, {len(found)} offences')
    sys.exit(1 if found or count == 0 else 0)


main()
