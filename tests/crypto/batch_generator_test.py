"""The generator of the S-box circuits still works: what it finds in a moment computes what the checked-in circuits do.

The checked-in ones are compared with FIPS 46-3 by batch_circuits_test.cpp.

Usage: batch_generator_test.py GENERATOR DIRECTORY_OF_CIRCUITS
"""
import pathlib
import re
import subprocess
import sys

ALL = (1 << 64) - 1  # one bit for each of the 64 inputs
BOX = re.compile(r'void sbox(\d)\([^{]*\{(.*?)^\}', re.S | re.M)
WIRE = re.compile(r'^\s*(?:const V (v\d+)|out\[(\d)\]) = (.*);$', re.M)


def lut(function, a, b, c):
    """vpternlogq."""
    out = 0
    for row in range(8):
        if function >> row & 1:
            out |= (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
    return out & ALL


def outputs(body):
    """The four output bits, each for all 64 inputs, the first of FIPS 46-3 the most significant."""
    wires = {f'v{i}': sum((p >> (5 - i) & 1) << p for p in range(64)) for i in range(6)}
    out = {}
    for name, place, expression in WIRE.findall(body):
        expression = re.sub(r'lut<(0x[0-9A-F]+)>\(', r'lut(\1, ', expression)
        value = eval(expression, {'lut': lut}, wires) & ALL
        wires[name or f'out{place}'] = value
        if place:
            out[int(place)] = value
    return [out[i] for i in range(4)]


def boxes(text):
    return {int(number): outputs(body) for number, body in BOX.findall(text)}


def main():
    generator, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    failed = 0
    for mode in ('lut3', 'and2'):
        expected = boxes((directory / f'des_circuits_{mode}.inc').read_text())
        printed = subprocess.run([generator, mode, '7', '0.01'], capture_output=True, text=True, check=True, timeout=300)
        found = boxes(printed.stdout)
        if sorted(expected) != list(range(1, 9)):
            print(f'des_circuits_{mode}.inc: boxes {sorted(expected)}: this test no longer understands the file')
            failed = 1
        for number in range(1, 9):
            if found.get(number) != expected.get(number):
                print(f'{mode}: the circuit found for S-box {number} computes something else')
                failed = 1
    return failed


sys.exit(main())
