"""Files compiled for special instructions leave nothing behind that other files could link to.

The linker keeps one copy of an inline function for the whole program. Were it the copy from a file compiled for
AVX-512, the program would stop on every processor without. So such a file may define its kernel and nothing else
that is code and visible.

And none of them gathers or scatters: an address made of a vector could follow a key without a general register
showing it (batch_flow_test.cpp, F2).

Usage: batch_symbols_test.py NM OBJDUMP ARCHIVE
"""
import re
import subprocess
import sys

ALLOWED = {
    'des_avx2.cpp.o': 'des_avx2', 'des_avx512.cpp.o': 'des_avx512', 'sm3_avx512.cpp.o': 'sm3_avx512',
    'sm4_avx2_aes.cpp.o': 'sm4_avx2_aes', 'sm4_avx2_gfni.cpp.o': 'sm4_avx2_gfni',
    'sm4_avx512_gfni.cpp.o': 'sm4_avx512_gfni',
}


def visible_code(nm, archive):
    """(object file, name) of every global or weak function."""
    listed = subprocess.run([nm, '--demangle', '--defined-only', '-A', archive], capture_output=True, text=True, check=True)
    for line in listed.stdout.split('\n'):
        parts = line.split(None, 2)
        if len(parts) == 3 and parts[1] in 'TWi':
            yield parts[0].split(':')[1], parts[2]


def gathers(objdump, archive):
    """(object file, instruction) of every instruction that takes addresses from a vector."""
    listed = subprocess.run([objdump, '-d', '--no-show-raw-insn', archive], capture_output=True, text=True, check=True)
    object_file, instructions = '', 0
    for line in listed.stdout.split('\n'):
        if line.endswith(':     file format elf64-x86-64'):
            object_file = line.split(':')[0]
        parts = line.split('\t', 1)
        if len(parts) != 2 or object_file not in ALLOWED:
            continue
        instructions += 1
        if re.match(r'v?p?(gather|scatter)', parts[1]):
            yield object_file, parts[1].strip()
    if instructions < 5000:
        yield archive, f'{instructions} instructions only: this test no longer understands {objdump}'


def main():
    nm, objdump, archive = sys.argv[1:4]
    found, seen = [], set()
    for object_file, instruction in gathers(objdump, archive):
        found.append(f'{object_file}: {instruction}: an address that may follow a key')
    for object_file, name in visible_code(nm, archive):
        if object_file not in ALLOWED:
            continue
        if name.startswith('crypto::batch::' + ALLOWED[object_file] + '('):
            seen.add(object_file)
        else:
            found.append(f'{object_file}: {name}: make it internal to the file (anonymous namespace, no std templates)')
    missing = sorted(set(ALLOWED) - seen)
    print('\n'.join(found + [f'{name}: its kernel is not in the archive' for name in missing]))
    return 1 if found or missing else 0


sys.exit(main())
