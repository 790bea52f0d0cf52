"""What the Cortex-M3 card costs, against its budgets, and the tables of docs/tap_budget.md.

  card_budget.py IMAGES CARD_TAPS            fails when a figure is above the document's table or above its budget
  card_budget.py --write IMAGES CARD_TAPS    writes the tables instead: a figure may grow only this way

IMAGES: build/cortex-m3/bin. CARD_TAPS: the program that counts (card_taps.cpp). Everything here is counted or computed
from counts, never timed: the same sources give the same figures on every machine.
"""
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

import model
import stack_depth
import text_sizes

DOCUMENT = pathlib.Path(__file__).parents[3] / 'docs' / 'tap_budget.md'
KB = 1024
TAPS = {'single': 'single ride', 'entry': 'journey, entry', 'exit': 'journey, exit', 'load': 'load'}
SUITES = {'sm4': 'SM4', '3des': '3DES'}

# Design budgets: {table: {row pattern: {column: limit}}}. The table of the document is tighter, and moves.
SINGLE = {'APDUs': 6, 'link B': 320, 'NVM B': 160, 'commits': 1, 'erases': 0, 'ms at 106': 60, 'ms at 424': 35}
JOURNEY = {'APDUs': 8, 'link B': 640, 'NVM B': 320, 'commits': 1, 'erases': 0, 'ms at 106': 95, 'ms at 424': 50}
LIMITS = {
    'taps': {'single ride.*': SINGLE, 'journey.*': JOURNEY, 'load.*': {'erases': 0, 'commits': 2}},
    'sizes': {'kernel and journalled files': {'text B': 16 * KB}, 'purse and transit': {'text B': 8 * KB}},
    'memory': {'RAM, stack included': {'B': 8 * KB}, 'stack, by the call graph': {'B': 2 * KB}},
    'gate': {'.*': {'ms end to end at 106': 150}},
}


def read_costs(program, image):
    with tempfile.TemporaryDirectory() as directory:
        run = subprocess.run([program, image, directory], capture_output=True, text=True, timeout=240)
    if run.returncode != 0:
        sys.exit(f'{program} failed: {run.stderr.strip()}')
    return [model.Cost.parse(line) for line in run.stdout.splitlines()]


def worst_tap(costs, suite, kind):
    """The figures of the dearest of the taps of this kind, column by column."""
    taps = collections.defaultdict(list)
    for cost in costs:
        if (cost.suite, cost.kind) == (suite, kind):
            taps[cost.tap].append(cost)
    rows = [model.tap_figures(commands) for commands in taps.values()]
    if not rows:
        sys.exit(f'{kind} with {suite} was not counted')
    return {column: max(row[column] for row in rows) for column in rows[0]}


def tap_tables(costs):
    taps, gate, instructions = {}, {}, {}
    for suite, suite_name in SUITES.items():
        for kind, kind_name in TAPS.items():
            figures = worst_tap(costs, suite, kind)
            name = f'{kind_name}, {suite_name}'
            taps[name] = {column: figures[column] for column in model.TAP_COLUMNS}
            if kind != 'load':
                gate[name] = {column: figures[column] for column in model.GATE_COLUMNS}
        for cost in costs:
            if cost.suite != suite or cost.kind not in TAPS or cost.is_reset:
                continue
            name = f'{cost.party}: {model.COMMANDS[cost.ins]}, {suite_name}'
            row = instructions.setdefault(name, {column: 0 for column in model.COMMAND_COLUMNS})
            for column, value in model.command_figures(cost).items():
                row[column] = max(row[column], value)
    return taps, gate, instructions


def other_table(costs):
    """A row for each command outside taps and loads: the dearest time it was sent, column by column."""
    rows, seen = {}, collections.defaultdict(set)
    for cost in costs:
        if cost.kind in TAPS or cost.is_reset:
            continue
        name = model.other_name(cost)
        if not name:
            sys.exit(f'{cost.header} of the {cost.party} has no name in OTHER_COMMANDS (model.py)')
        row = rows.setdefault(name, dict.fromkeys(model.OTHER_COLUMNS, 0))
        for column, value in model.other_figures(cost, SUITES[cost.suite]).items():
            row[column] = max(row[column], value)
        seen[name].add(cost.suite)
    for name in rows:
        if seen[name] != set(SUITES):
            sys.exit(f'{name} was not counted in every suite')
    return rows


def deepest(build, elf):
    graph = stack_depth.Graph(build, elf)
    depth, path = graph.deepest('reset')
    if not graph.has_calls():
        sys.exit(f'{build} holds no call graphs (*.ci): build the preset cortex-m3 anew, without ccache')
    if graph.errors:
        sys.exit(f'the call graph of {elf.name}: ' + '\n'.join(sorted(set(graph.errors))[:20]))
    return depth, path


def memory_tables(images, painted):
    elf, text_map = images / 'card_mps2.elf', (images / 'card_mps2.map').read_text()
    sizes = text_sizes.sizes(text_map)
    size_rows = {name: {'text B': row['text'], 'RAM B': row['ram']} for name, row in sorted(sizes.items())}
    size_rows['all'] = {column: sum(row[column] for row in size_rows.values()) for column in ('text B', 'RAM B')}
    depth, path = deepest(images.parent, elf)
    measured_depth, _ = deepest(images.parent, images / 'card_mps2_measured.elf')
    stack = stack_depth.reserved(elf)
    memory = {'RAM, stack included': {'B': size_rows['all']['RAM B'] + stack}, 'stack, reserved': {'B': stack},
              'stack, by the call graph': {'B': depth}, 'stack of the image that counts, by the call graph': {'B': measured_depth},
              'stack of the image that counts, painted': {'B': painted}}
    if painted > measured_depth:
        sys.exit(f'the painted stack, {painted}, is deeper than the call graph allows, {measured_depth}: DISPATCH misses an edge')
    return size_rows, memory, path


def markdown(rows):
    columns = list(next(iter(rows.values())))
    lines = ['| | ' + ' | '.join(columns) + ' |', '|---' + '|---:' * len(columns) + '|']
    for name, row in rows.items():
        lines.append(f'| {name} | ' + ' | '.join(shown(row[column]) for column in columns) + ' |')
    return '\n'.join(lines)


def shown(value):
    return f'{value:.1f}' if isinstance(value, float) else f'{value:,}'


def parse_table(text):
    lines = [[cell.strip() for cell in line.strip('|').split('|')] for line in text.strip().splitlines()]
    header = lines[0][1:]
    return {line[0]: dict(zip(header, (float(cell.replace(',', '')) for cell in line[1:]))) for line in lines[2:]}


def block(name):
    return re.compile(rf'(<!-- {name}: written by tests/firmware/budget/card_budget.py -->\n)(.*?)(<!-- end -->)', re.S)


def above_budget(tables):
    for table, limits in LIMITS.items():
        for pattern, columns in limits.items():
            rows = [name for name in tables[table] if re.fullmatch(pattern, name)]
            if not rows:
                yield f'{table}: no row {pattern}'
            for name in rows:
                for column, limit in columns.items():
                    if tables[table][name][column] > limit:
                        yield f'{table}: {name}: {column} is {shown(tables[table][name][column])}, the budget is {limit:,}'


def above_document(tables, document):
    for table, rows in tables.items():
        found = block(table).search(document)
        if not found:
            yield f'{DOCUMENT} has no table {table}'
            continue
        written = parse_table(found[2])
        for name in sorted(set(rows) ^ set(written)):
            yield f'{table}: {name} is only in the ' + ('document' if name in written else 'image')
        for name in set(rows) & set(written):
            for column, value in rows[name].items():
                allowed = written[name].get(column)
                if allowed is None or float(f'{value:.1f}') > allowed:
                    yield f'{table}: {name}: {column} is {shown(value)}, the document says {allowed}'


def main():
    arguments = sys.argv[1:]
    is_writing = arguments[:1] == ['--write']
    images, program = map(pathlib.Path, arguments[is_writing:])
    for name in ('card_mps2.elf', 'card_mps2_measured.elf'):
        if not (images / name).exists():
            sys.exit(f'{images / name} is missing: cmake --preset cortex-m3 && cmake --build --preset cortex-m3')
    costs = read_costs(program, images / 'card_mps2_measured.elf')
    taps, gate, commands = tap_tables(costs)
    sizes, memory, path = memory_tables(images, max(cost.stack for cost in costs))
    tables = {'taps': taps, 'gate': gate, 'commands': commands, 'others': other_table(costs), 'sizes': sizes, 'memory': memory}
    document = DOCUMENT.read_text()
    if is_writing:
        for name, rows in tables.items():
            document = block(name).sub(lambda found: found[1] + markdown(rows) + '\n' + found[3], document)
        document = block('path').sub(lambda found: found[1] + '\n'.join(
            f'    {frame:4}  {stack_depth.readable(name)}' for name, frame in path) + '\n' + found[3], document)
        DOCUMENT.write_text(document)
        print(f'{DOCUMENT} written')
    faults = sorted(above_budget(tables)) + sorted(above_document(tables, document))
    for name, rows in tables.items():
        print(f'{name}\n{markdown(rows)}\n')
    for fault in faults:
        print('ABOVE:', fault)
    print(f'{sum(len(rows) for rows in tables.values())} rows compared, {len(faults)} above')
    if faults:
        print('Make it smaller, or, if it must grow, write the tables on purpose: '
              'python3 tests/firmware/budget/card_budget.py --write build/cortex-m3/bin build/release/bin/card_taps')
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
