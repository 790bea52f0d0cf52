"""Rules of the MAC engine and of assembly in crypto/ that only the source can show.

R1. Above crypto/ nobody names a form: hosts, terminals and cards see verifier.hpp, issuer_keys.hpp and sm3_lanes.hpp,
    and pass no `forms` (docs/mac_engine.md, 1).
R2. GCC 12 merges equal asm statements although the memory they read has changed between them (docs/sm2.md). So an asm
    statement that touches memory is volatile, or stands in host_field.hpp, whose products are not inlined. The lane
    kernels have none at all.
R3. A file compiled for an instruction set includes nothing but <immintrin.h> and the engine's own texts and data:
    inline code from elsewhere would be compiled for that set, too, and the linker might keep it for everyone.

Usage: batch_rules_test.py ROOT
"""
import pathlib
import re
import sys

SUFFIXES = ('.cpp', '.hpp', '.inc')
ABOVE = ('protocol', 'firmware', 'platform', 'terminal', 'host')
OPEN_HEADERS = {'verifier.hpp', 'issuer_keys.hpp', 'sm3_lanes.hpp'}
FORM = re.compile(r'\b(Sm4Form|DesForm|Sm3Form|best_forms|is_available)\b|\.forms\s*=|batch::Forms\b')
BATCH_HEADER = re.compile(r'#\s*include\s*"crypto/batch/([^"]+)"')
ASM = re.compile(r'\b(?:__asm__|asm)\s*(volatile\b)?\s*\((.*?)\)\s*;', re.S)
FOR_ONE_SET = re.compile(r'_(avx2|avx512)\w*\.cpp$')
SET_INCLUDES = re.compile(r'<immintrin\.h>|"crypto/batch/[^"]+\.inc"|"crypto/batch/'
                          r'(kernels|lane_macros|sm4_lane_constants|sm4_field|des_tables)\.hpp"')


def forms_above(path, text):
    if not path.startswith(tuple(room + '/' for room in ABOVE)):
        return
    for header in BATCH_HEADER.findall(text):
        if header not in OPEN_HEADERS:
            yield f'{path}: includes crypto/batch/{header}: R1, use verifier.hpp'
    for name in FORM.finditer(text):
        yield f'{path}: {name.group()}: R1, leave the form to crypto/batch'


def mergeable_asm(path, text):
    if not path.startswith('crypto/'):
        return
    for volatile, body in ASM.findall(text):
        if path.startswith('crypto/batch/') and not volatile:
            yield f'{path}: asm: R2, the lanes are written in intrinsics'
        elif '"memory"' in body and not volatile and path != 'crypto/sm2/host_field.hpp':
            yield f'{path}: asm that touches memory: R2, make it volatile'


def inlined_products(path, text):
    if path != 'crypto/sm2/host_field.hpp':
        return
    for product in ('mul', 'square'):
        if not re.search(r'\[\[gnu::noinline\]\]\s+static\s+void\s+' + product + r'\(Number&', text):
            yield f'{path}: Field::{product} may be inlined: R2'


def foreign_includes(path, text):
    if not (path.startswith('crypto/batch/') and FOR_ONE_SET.search(path)):
        return
    for header in re.findall(r'#\s*include\s*(\S+)', text):
        if not SET_INCLUDES.fullmatch(header):
            yield f'{path}: includes {header}: R3'


def breaches(path, text):
    for rule in (forms_above, mergeable_asm, inlined_products, foreign_includes):
        yield from rule(path, text)


MUST_BE_FOUND = [
    ('host/x.cpp', '#include "crypto/batch/forms.hpp"'),
    ('host/x.cpp', 'verify_tacs(keys, records, genuine, {.forms = other});'),
    ('terminal/x.hpp', 'crypto::batch::Sm4Form form;'),
    ('crypto/batch/sm4_avx2_aes.cpp', 'asm("vpxor %0" : "+x"(v));'),
    ('crypto/core/x.cpp', '__asm__("mulx" : "=r"(x) : "r"(p) : "cc", "memory");'),
    ('crypto/sm2/host_field.hpp', 'static void mul(Number& out); [[gnu::noinline]] static void square(Number& out);'),
    ('crypto/batch/des_avx2.cpp', '#include <algorithm>'),
    ('crypto/batch/des_avx512.cpp', '#include "crypto/core/secret.hpp"'),
]
MUST_PASS = [
    ('host/x.cpp', '#include "crypto/batch/verifier.hpp"\nverify_tacs(keys, records, genuine, {.threads = 2});'),
    ('crypto/core/x.hpp', '__asm__ volatile("" : : "r"(p) : "memory");'),
    ('crypto/sm2/x.hpp', '__asm__("" : "+r"(mask));'),
    ('crypto/batch/des_avx2.cpp', '#include "crypto/batch/des_lanes.inc"'),
]


def main():
    root = pathlib.Path(sys.argv[1])
    found = [f'this test overlooks: {text}' for path, text in MUST_BE_FOUND if not list(breaches(path, text))]
    found += [f'this test refuses: {text}' for path, text in MUST_PASS if list(breaches(path, text))]
    seen = 0
    for room in ABOVE + ('crypto',):
        for path in sorted((root / room).rglob('*')):
            if path.suffix in SUFFIXES:
                seen += 1
                found += breaches(str(path.relative_to(root)), path.read_text())
    if seen < 100:
        found.append(f'{seen} files only: is {root} the root?')
    print('\n'.join(found))
    return 1 if found else 0


sys.exit(main())
