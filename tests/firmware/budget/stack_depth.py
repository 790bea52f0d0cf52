"""The deepest stack of the card's image, from the compiler's call graph (-fcallgraph-info=su) of what the linker kept.

Calls through a pointer or a virtual function have no target in the graph: DISPATCH declares them. A call that no line
declares, a function without a known frame and a recursion are errors.
"""
import collections
import pathlib
import re
import subprocess

NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "([^"]*)"')
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
FRAME = re.compile(r'(\d+) bytes \((static|dynamic,bounded|dynamic)\)')
INDIRECT = '__indirect_call'

# (caller, whom it may call), as regular expressions over mangled names; the first line that fits a caller counts.
NOBODY = None  # for a call whose table is empty
HANDLER = r'_ZN8firmware(8commands|5purse|3sam)\d+\w+ERNS_7ContextERKNS_7RequestE'
DISPATCH = [
    (r'_ZN8firmware4Card7processE\w+', HANDLER),  # the command table, firmware/os/command_table.cpp
    (r'_ZN8firmware5purse4openE\w+|_ZN8firmware8commands13get_challengeE\w+|_ZN8firmware5purse17get_security_codeE\w+',
     r'_ZN8firmware6boards(4Drbg|9measuring11BoardRandom)4fillE\w+'),  # crypto::Random
    (r'_ZNK?8firmware(5Store|6boards10(BoardFlash)|6boards11RegionFlash)\w+', r'_ZNK?8firmware6boards(11RegionFlash|9measuring10BoardFlash)\d+\w+'),  # Flash
    (r'_ZN6crypto13BlockScheduleC2E\w+', r'mbedtls_des_setkey_(enc|dec)'),
    (r'mbedtls_platform_zeroize', r'memset'),
    (r'_ZN8firmware7migrateE\w+', NOBODY),  # content_known has no step yet: firmware/os/card.hpp
]


def symbol(title):
    return title.rsplit(':', 1)[-1].removeprefix('*')  # '*': a name that the source gives


class Graph:
    def __init__(self, build, elf):
        self.frames = collections.defaultdict(int)
        self.calls = collections.defaultdict(set)
        self.names = {}
        self.image = pathlib.Path(elf).stem
        self.linked, self.alias = linked_functions(elf)
        self.errors = []
        self.read(build)
        self.add_library_functions(elf)
        self.resolve_dispatch()

    def read(self, build):
        for path in sorted(pathlib.Path(build).rglob('*.ci')):
            image = re.search(r'/(card_\w+)\.dir/', str(path))
            if 'CompilerId' in str(path) or (image and image[1] != self.image):
                continue
            for line in path.read_text().splitlines():
                if node := NODE.match(line):
                    name = symbol(node[1])
                    frame = FRAME.search(node[2])
                    if frame and name in self.linked:
                        self.frames[name] = max(self.frames[name], int(frame[1]))
                        self.names[name] = node[2].split('\\n')[0]
                        if frame[2] == 'dynamic':
                            self.errors.append(f'{name}: its frame has no bound')
                elif edge := EDGE.match(line):
                    if symbol(edge[1]) in self.linked:
                        callee = self.wrapped(symbol(edge[2]))
                        self.calls[symbol(edge[1])].add(self.alias.get(callee, callee))

    def wrapped(self, callee):
        """As the linker's --wrap has it."""
        if callee.startswith('__real_'):
            return callee.removeprefix('__real_')
        return f'__wrap_{callee}' if f'__wrap_{callee}' in self.linked else callee

    def has_calls(self):
        return any(self.calls.values())

    def add_library_functions(self, elf):
        """What came as an object file: its frame from its instructions. Such a function may call nothing."""
        for name in self.linked - set(self.frames):
            if self.alias[name] in self.frames:
                continue
            text = subprocess.run(['arm-none-eabi-objdump', '-d', f'--disassemble={name}', elf],
                                  capture_output=True, text=True, check=True).stdout
            if re.search(r'\tblx?\t', text):
                self.errors.append(f'{name}: came without a call graph, and it calls something')
            pushed = [len(expand(registers)) for registers in re.findall(r'(?:push|stmdb\tsp!,)\s*\{([^}]*)\}', text)]
            self.frames[name] = 4 * sum(pushed) + sum(map(int, re.findall(r'sub\tsp, #(\d+)', text)))
            self.names[name] = name

    def resolve_dispatch(self):
        for caller, targets in self.calls.items():
            if INDIRECT not in targets:
                continue
            targets.discard(INDIRECT)
            rules = [to for who, to in DISPATCH if re.fullmatch(who, caller)]
            rule = rules[0] if rules else ''
            if rule is NOBODY:
                continue
            found = {name for name in self.frames if rule and re.fullmatch(rule, name)}
            if not found:
                self.errors.append(f'{caller}: calls through a pointer, and no line of DISPATCH says whom')
            targets |= found

    def deepest(self, start):
        """(bytes, path). Recursion is an error."""
        done, active = {}, []

        def visit(name):
            if name in done:
                return done[name]
            if name in active:
                self.errors.append('recursion: ' + ' > '.join(active[active.index(name):] + [name]))
                return 0, []
            active.append(name)
            best = max((visit(callee) for callee in sorted(self.calls[name]) if callee in self.frames and callee != name),
                       key=lambda found: found[0], default=(0, []))
            if name in self.calls[name]:
                self.errors.append(f'recursion: {name} calls itself')
            active.pop()
            done[name] = self.frames[name] + best[0], [(name, self.frames[name])] + best[1]
            return done[name]

        return visit(start)


def expand(registers):
    out = []
    for part in registers.split(','):
        ends = [int(re.sub(r'\D', '', end) or 14) for end in part.strip().split('-')]
        out += range(ends[0], ends[-1] + 1)
    return out


def linked_functions(elf):
    """Their names, and for each the one that stands for its address: a constructor has two names."""
    out = subprocess.run(['arm-none-eabi-readelf', '-sW', elf], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in out.splitlines()]
    address = {row[7]: row[1] for row in rows if len(row) == 8 and row[3] == 'FUNC' and row[6] != 'UND'}
    primary = {}
    for name in sorted(address, key=lambda name: (bool(re.search(r'[CD]1[EI]', name)), name)):
        primary.setdefault(address[name], name)
    return set(address), {name: primary[at] for name, at in address.items()}


def readable(name):
    return subprocess.run(['arm-none-eabi-c++filt', '-p', name], capture_output=True, text=True, check=True).stdout.strip()


def reserved(elf):
    out = subprocess.run(['arm-none-eabi-nm', elf], capture_output=True, text=True, check=True).stdout
    return int(next(line.split()[0] for line in out.splitlines() if line.endswith(' stack_size')), 16)
