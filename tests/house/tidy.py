"""Small rules of the house over the whole tree: line length, forbidden calls, words that have no place here.

Usage: tidy.py ROOT
"""
import pathlib
import re
import subprocess
import sys

COLUMNS = 100
TABLE_COLUMNS = 160  # between "clang-format off" and "on": a table whose columns a reviewer compares
CODE = ('.cpp', '.hpp', '.h', '.c')
RAW_OPEN = re.compile(r'R"\w*\(')
RAW_CLOSE = re.compile(r'\)\w*"')
ROOMS = ('protocol', 'crypto', 'firmware', 'platform', 'terminal', 'host', 'tests')
RULES = [  # pattern, rooms it holds in, remedy
    (re.compile(r'^(?!\s*//)[^"/]*\b(strcpy|strcat|sprintf|gets|rand|srand|system)\('), ROOMS, 'use spans, fmt, or the random source passed in'),
    (re.compile(r'^[^/]*\b(float|double)\b\s*[\w&*>(]'), ('protocol', 'firmware'), 'no floating point where money is; seconds to wait are std::chrono'),
    (re.compile(r'\b(TODO|FIXME|XXX)\b'), ROOMS, 'finish it, or say in docs/ what is missing'),
    (re.compile(r'\bmemcmp\s*\('), ('crypto', 'firmware', 'host', 'terminal'), 'compare secrets with crypto::equal_constant_time, other bytes with std::ranges::equal'),
    (re.compile(r'TEST_CASE\("[^"]*;'), ('tests',), 'a semicolon in a test name makes its CTest entry pass without running'),
]


def files(root):
    listed = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], cwd=root, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return listed.stdout.split('\n')
    return [str(p.relative_to(root)) for room in ROOMS for p in (root / room).rglob('*')]


def code_lines(text):
    """(number, line, its limit), without the insides of raw strings: those are data."""
    in_raw = in_table = False
    for number, line in enumerate(text.split('\n'), 1):
        in_table = 'clang-format off' in line or (in_table and 'clang-format on' not in line)
        if not in_raw:
            yield number, line, TABLE_COLUMNS if in_table else COLUMNS
        opened = RAW_OPEN.search(line)
        if in_raw or opened:
            rest = line if in_raw else line[opened.end():]
            in_raw = not RAW_CLOSE.search(rest)


def main():
    root = pathlib.Path(sys.argv[1])
    found, count = [], 0
    for name in files(root):
        path = root / name
        room = name.split('/')[0]
        if room not in ROOMS or not name.endswith(CODE) or not path.is_file():
            continue
        count += 1
        for number, line, limit in code_lines(path.read_text(encoding='utf8')):
            if len(line) > limit:
                found.append(f'{name}:{number}: {len(line)} columns; {limit} at most')
            found += [f'{name}:{number}: {pattern.search(line).group(0)!r}: {remedy}'
                      for pattern, rooms, remedy in RULES if room in rooms and pattern.search(line)]
    print('\n'.join(found))
    print(f'{count} files read, {len(found)} offences')
    sys.exit(1 if found or count == 0 else 0)


main()
