"""What documents and comments point at must exist: pages, sections, files, tests. Prints file, line and what is missing.

Usage: references.py ROOT | references.py --self-test

R1  a link in a page leads to a file: [text](page.md)
R2  a name that ends in .md is a page: from the root, beside the file that names it, or in docs/
R3  a section cited behind it is a heading of that page: domain.md 1.5, docs/keys.md, 3 and 4
R4  a path that begins with a room and ends in a source's suffix is a file: tests/house/tidy.py
R5  a source's name without a path is the name of some file: store_tear_test.cpp
R6  a path in backquotes that begins with a room exists; a `name_like_this` is a word of some source, or a source's name
R7  docs/ARCHITECTURE.md lists every page of docs/ once
Pages are held to all of it; sources to R2 and R3, their comments to R4 and R5 too. tests/data is other people's text.
"""
import pathlib
import re
import subprocess
import sys

ROOMS = 'protocol|crypto|firmware|platform|terminal|host|tests|docs'
SOURCE = 'cpp|hpp|inc|py|sh|cmake|vec|transcript|tap|sql|ts|js'
LINK = re.compile(r'\]\(([^)#\s]+)')
PAGE = re.compile(r'(?<![\w./-])((?:\.\./)*(?:[\w-]+/)*[\w.-]+\.md)\b')
NUMBER = r'\d+(?:\.\d+)*[a-z]?(?!\w)'
SECTION = re.compile(rf'([\w-]+\.md)[`)\]]*(?:,| ) ?(?:section )?({NUMBER}(?:(?:, | and | to |-){NUMBER})*)')
HEADING = re.compile(rf'^#+ ({NUMBER})', re.M)
ROOM_PATH = re.compile(rf'(?<![\w./-])((?:{ROOMS})/[\w./-]*\.(?:{SOURCE}))\b')
BARE_NAME = re.compile(rf'(?<![\w./*<>{{}}-])([A-Za-z]\w*\.(?:{SOURCE}))\b(?!/)')
QUOTED_PATH = re.compile(rf'`((?:{ROOMS})/[\w./-]*)`')
QUOTED_NAME = re.compile(r'`([a-z]+(?:_[a-z0-9]+)+)`')
COMMENT = re.compile(r'(?:^|\s)(?://+|#)(?!\s*include)(.*)')
OTHERS = {'pcsc_scan'}  # other people's programs
COMMENTED = ('.cpp', '.hpp', '.inc', '.py', '.sh', '.cmake', '.ld', 'CMakeLists.txt')


class Tree:
    """The files a reference can lead to, and the numbers of each page's headings."""

    def __init__(self, texts):
        self.texts = texts
        self.names = {name.rsplit('/', 1)[-1] for name in texts}
        self.places = {str(parent) for name in texts for parent in pathlib.PurePosixPath(name).parents} | set(texts)
        self.words = OTHERS | {name.split('.')[0] for name in self.names}
        for name, text in texts.items():
            if not name.endswith(('.md', 'house/references.py')):
                self.words.update(re.findall(r'\w+', text))
        self.sections = {name: set(HEADING.findall(text)) for name, text in texts.items() if name.endswith('.md')}

    def page(self, cited, by):
        beside = pathlib.PurePosixPath(by).parent
        for place in (pathlib.PurePosixPath(cited), beside / cited, pathlib.PurePosixPath('docs') / cited):
            parts = []
            for part in place.parts:  # a/../b is b
                parts = parts[:-1] if part == '..' else parts + [part]
            if '/'.join(parts) in self.texts:
                return '/'.join(parts)
        return None


def dangling_pages(tree, name, line):
    for cited in PAGE.findall(line):
        if not tree.page(cited, name):
            yield f'no page {cited}'
    for cited, numbers in SECTION.findall(line):
        page = tree.page(cited, name)
        for number in re.findall(NUMBER, numbers) if page else []:
            if number not in tree.sections[page]:
                yield f'{page} has no section {number}'


def dangling_names(tree, line):
    yield from (f'no file {path}' for path in ROOM_PATH.findall(line) if path not in tree.texts)
    yield from (f'no file is named {bare}' for bare in BARE_NAME.findall(line) if bare not in tree.names)


def dangling_in_page(tree, name, line):
    yield from (f'the link {target} leads nowhere' for target in LINK.findall(line)
                if ':' not in target and not leads_somewhere(tree, name, target))
    yield from (f'no {path}' for path in QUOTED_PATH.findall(line) if path.rstrip('/') not in tree.places)
    yield from (f'no source says {word}' for word in QUOTED_NAME.findall(line) if word not in tree.words)


def leads_somewhere(tree, name, target):
    place = pathlib.PurePosixPath(name).parent / target.rstrip('/')
    return str(place) in tree.places or tree.page(target, name) is not None


def off_the_map(tree, map_page='docs/ARCHITECTURE.md'):
    listed = re.findall(r'^- \[(.+)\]\(\1\): ', tree.texts.get(map_page, ''), re.M)
    for page in sorted(name.removeprefix('docs/') for name in tree.sections if name.startswith('docs/') and name != map_page):
        if listed.count(page) != 1:
            yield f'{map_page}: lists {page} {listed.count(page)} times; once, please'


def comments(name, text):
    """The same lines, of each what a person reads: its comment, or a line of a Python file's docstring."""
    in_docstring = False
    for line in text.split('\n'):
        quotes = line.count('"""') if name.endswith('.py') else 0
        comment = COMMENT.search(line)
        yield line if in_docstring or quotes else comment.group(1) if comment else ''
        in_docstring ^= quotes % 2 == 1


def offences(tree):
    for name, text in tree.texts.items():
        is_page = name.endswith('.md')
        if name.startswith('tests/data/') or name.endswith('house/references.py') or not (is_page or name.endswith(COMMENTED)):
            continue
        lines = text.split('\n')
        for number, (line, said) in enumerate(zip(lines, lines if is_page else comments(name, text)), 1):
            found = [*dangling_pages(tree, name, line), *dangling_names(tree, said), *(dangling_in_page(tree, name, line) if is_page else ())]
            yield from (f'{name}:{number}: {offence}' for offence in dict.fromkeys(found))


def read(root):
    listed = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], cwd=root, capture_output=True, text=True)
    names = listed.stdout.splitlines() if listed.returncode == 0 and listed.stdout else [
        str(p.relative_to(root)) for p in root.rglob('*') if not p.relative_to(root).parts[0] in ('build', 'var', '.git')]
    return {name: (root / name).read_text(encoding='utf8', errors='replace') for name in names if (root / name).is_file()}


def self_test():
    good = {'docs/a.md': '# A\n## 1. One\n### 1.5a Two\n[b](b.md) `host/x/` `x_test` `host/x/y.cpp` x_test.cpp, [c](../README.md)\n',
            'docs/b.md': '## 3. Three\n', 'README.md': '[docs](docs/)\n', 'tests/x_test.cpp': '',
            'host/x/y.cpp': '// a.md 1.5a, docs/b.md, 3; docs/a.md, 1 and 1.5a; tests/x_test.cpp\nopen("host/gone.cpp");\n'}
    bad = ['[x](gone.md)', '[x](gone/)', '`docs/gone.md`', 'a.md 1.6', 'docs/b.md, 3 and 4', 'host/x/gone.hpp', 'gone_test.cpp',
           '`host/gone`', '`gone_test`', '([b](b.md), 4)']
    assert not list(offences(Tree(good))), list(offences(Tree(good)))
    assert len(list(off_the_map(Tree(good)))) == 2
    assert not list(off_the_map(Tree(good | {'docs/ARCHITECTURE.md': '- [a.md](a.md): x\n- [b.md](b.md): y'})))
    for line in bad:
        assert list(offences(Tree(good | {'docs/c.md': line}))), line
    for name, line in {'z.hpp': '/// domain.md 1.5', 'z.cpp': 'TEST_CASE("x (b.md 9)")', 'z.py': '"""See host/gone.py."""'}.items():
        assert list(offences(Tree(good | {name: line}))), line
    print(f'{len(bad) + 6} cases')


def main():
    if sys.argv[1] == '--self-test':
        return self_test()
    tree = Tree(read(pathlib.Path(sys.argv[1])))
    found = [*offences(tree), *off_the_map(tree)]
    print('\n'.join(found))
    print(f'{len(tree.texts)} files known, {len(found)} dangling references')
    sys.exit(1 if found or not tree.sections else 0)


main()
