"""The gate itself: what it lets pass, what it stops, and the arithmetic of its model."""
import unittest

import card_budget
import model
import stack_depth
import text_sizes


def document(**tables):
    return ''.join(f'<!-- {name}: written by tests/firmware/budget/card_budget.py -->\n{card_budget.markdown(rows)}\n<!-- end -->\n'
                   for name, rows in tables.items())


class Comparison(unittest.TestCase):
    written = {'memory': {'stack': {'B': 1944}, 'RAM': {'B': 5932}}}

    def faults(self, stack, ram=5932):
        return list(card_budget.above_document({'memory': {'stack': {'B': stack}, 'RAM': {'B': ram}}}, document(**self.written)))

    def test_the_documents_own_figures_pass(self):
        self.assertEqual([], self.faults(1944))

    def test_one_byte_less_passes(self):
        self.assertEqual([], self.faults(1943))

    def test_one_byte_more_fails(self):
        self.assertEqual(['memory: stack: B is 1,945, the document says 1944.0'], self.faults(1945))

    def test_a_row_that_came_or_went_fails(self):
        tables = {'memory': {'stack': {'B': 1944}, 'heap': {'B': 0}}}
        faults = list(card_budget.above_document(tables, document(**self.written)))
        self.assertEqual(['memory: RAM is only in the document', 'memory: heap is only in the image'], faults)

    def test_a_table_that_is_not_in_the_document_fails(self):
        self.assertEqual(1, len(list(card_budget.above_document({'gate': {}}, document(**self.written)))))

    def test_a_tenth_of_a_millisecond_more_fails(self):
        written = document(gate={'tap': {'ms': 32.9}})
        self.assertEqual([], list(card_budget.above_document({'gate': {'tap': {'ms': 32.94}}}, written)))
        self.assertEqual(1, len(list(card_budget.above_document({'gate': {'tap': {'ms': 33.0}}}, written))))

    def test_a_design_budget_holds_whatever_the_document_says(self):
        tables = {'taps': {name: dict.fromkeys(card_budget.JOURNEY, 0) for name in ('single ride, SM4', 'journey, entry, SM4', 'load, SM4')},
                  'sizes': {'kernel and journalled files': {'text B': 16385}, 'purse and transit': {'text B': 8192}},
                  'memory': {name: {'B': 2048} for name in card_budget.LIMITS['memory']},
                  'gate': {'tap': {'ms end to end at 106': 150.0}}}
        tables['taps']['single ride, SM4']['NVM B'] = 164
        self.assertEqual(['taps: single ride, SM4: NVM B is 164, the budget is 160',
                          'sizes: kernel and journalled files: text B is 16,385, the budget is 16,384'],
                         list(card_budget.above_budget(tables)))


class Model(unittest.TestCase):
    def cost(self, command, answer, **work):
        numbers = dict.fromkeys((field.name for field in model.dataclasses.fields(model.Work)), 0)
        return model.Cost('sm4', 'single', 0, 'card', '00A40400', command, answer, model.Work(**{**numbers, **work}), model.Work(**numbers), 0)

    def test_a_block_on_the_link_at_106_kbit_s(self):
        # 14 + 3 and 53 + 3 bytes of 9 bits, 2 bits a frame: 661 bits of 128/13.56 us; 91 us and 500 us.
        self.assertAlmostEqual((661 * 128 / 13.56 + 1236 / 13.56 + 500) / 1000, model.contactless_ms(self.cost(14, 53), 128 / 13.56))

    def test_what_the_card_does(self):
        work = self.cost(5, 2, instructions=100_000, cipher_instructions=60_000, random_instructions=10_000, units=37, blocks=6).work
        self.assertAlmostEqual(30_000 * 0.06 / 1000 + 6 * 0.04 + 0.1 + 37 * 0.09, work.ms())
        self.assertAlmostEqual(90_000 * 0.06 / 1000 + 0.1 + 37 * 0.09, work.ms(ciphers_in_software=True))

    def test_an_erasure_costs_25_ms(self):
        self.assertEqual(25, self.cost(5, 2, erases=1).work.ms())

    def test_a_line_of_card_taps(self):
        cost = model.Cost.parse('sm4 exit 7 card 80540100 21 10 ' + ' '.join(map(str, range(1, 20))))
        self.assertEqual(('54', False), (cost.ins, cost.is_reset))
        self.assertEqual((21, 10, 1, 4, 10, 19), (cost.command, cost.answer, cost.work.instructions, cost.work.units,
                                                  cost.housekeeping.instructions, cost.stack))


class OtherCommands(unittest.TestCase):
    def cost(self, suite, kind='command', header='80540100', units=0, instructions=0):
        numbers = dict.fromkeys((field.name for field in model.dataclasses.fields(model.Work)), 0)
        work = model.Work(**{**numbers, 'units': units, 'instructions': instructions})
        return model.Cost(suite, kind, 0, 'card', header, 21, 10, work, model.Work(**numbers), 0)

    def test_a_row_is_the_dearest_column_by_column(self):
        rows = card_budget.other_table([self.cost('sm4', units=2, instructions=900), self.cost('sm4', units=3, instructions=800),
                                        self.cost('3des', units=1, instructions=100)])
        self.assertEqual(['DEBIT'], list(rows))
        self.assertEqual((12, 900, 100), tuple(rows['DEBIT'][c] for c in ('NVM B', 'instructions SM4', 'instructions 3DES')))

    def test_a_variant_has_its_own_row(self):
        costs = [self.cost(suite, kind) for suite in card_budget.SUITES for kind in ('command', 'command_with_a_code')]
        self.assertEqual(['DEBIT', 'DEBIT with a code'], list(card_budget.other_table(costs)))

    def test_taps_and_resets_make_no_row(self):
        self.assertEqual({}, card_budget.other_table([self.cost('sm4', 'single'), self.cost('sm4', header='reset')]))

    def test_a_command_without_a_name_fails(self):
        with self.assertRaises(SystemExit):
            card_budget.other_table([self.cost(suite, header='80FF0000') for suite in card_budget.SUITES])

    def test_a_command_that_one_suite_lacks_fails(self):
        with self.assertRaises(SystemExit):
            card_budget.other_table([self.cost('sm4')])


class Map(unittest.TestCase):
    def test_sections_are_given_to_their_modules(self):
        text = '''Linker script and memory map

 .text._ZN8firmware5Store4seekEv
                0x00000218      0x1c firmware/kernel/libonecard_firmware_kernel.a(store.cpp.obj)
 .text._ZN8protocol10ByteReader4takeEj 0x00000240 0x20 firmware/kernel/libonecard_firmware_kernel.a(store.cpp.obj)
 .data.x        0x20000800        0x4 firmware/boards/mps2/libonecard_card_mbedtls.a(platform_util.c.obj)
 .bss.y         0x20000804       0x10 firmware/boards/mps2/CMakeFiles/card_mps2.dir/main.cpp.obj
 .debug_info    0x00000000      0x99 firmware/boards/mps2/CMakeFiles/card_mps2.dir/main.cpp.obj
'''
        self.assertEqual({'kernel and journalled files': {'text': 28, 'ram': 0}, 'protocol (layouts, cursors)': {'text': 32, 'ram': 0},
                          'mbedTLS (DES)': {'text': 4, 'ram': 4}, 'board': {'text': 0, 'ram': 16}}, text_sizes.sizes(text))


class CallGraph(unittest.TestCase):
    def graph(self, edges, frames):
        graph = stack_depth.Graph.__new__(stack_depth.Graph)
        graph.frames, graph.errors = frames, []
        graph.calls = stack_depth.collections.defaultdict(set, {name: set(callees) for name, callees in edges.items()})
        return graph

    def test_the_deepest_path_wins(self):
        graph = self.graph({'reset': ['a', 'b'], 'a': ['c'], 'b': []}, {'reset': 8, 'a': 16, 'b': 100, 'c': 90})
        self.assertEqual((114, [('reset', 8), ('a', 16), ('c', 90)]), graph.deepest('reset'))

    def test_recursion_is_an_error(self):
        graph = self.graph({'reset': ['a'], 'a': ['b'], 'b': ['a']}, {'reset': 8, 'a': 8, 'b': 8})
        graph.deepest('reset')
        self.assertEqual(['recursion: a > b > a'], graph.errors)

    def test_a_call_through_a_pointer_must_be_declared(self):
        graph = self.graph({'somebody': [stack_depth.INDIRECT]}, {'somebody': 8})
        graph.resolve_dispatch()
        self.assertEqual(['somebody: calls through a pointer, and no line of DISPATCH says whom'], graph.errors)

    def test_a_wrapped_call_goes_through_its_wrapper(self):
        graph = self.graph({}, {})
        graph.linked = {'f', '__wrap_f', 'g'}
        self.assertEqual(['__wrap_f', 'f', 'g'], [graph.wrapped(name) for name in ('f', '__real_f', 'g')])

    def test_a_declared_call_reaches_its_targets(self):
        graph = self.graph({'mbedtls_platform_zeroize': [stack_depth.INDIRECT]}, {'mbedtls_platform_zeroize': 8, 'memset': 4})
        graph.resolve_dispatch()
        self.assertEqual((12, []), (graph.deepest('mbedtls_platform_zeroize')[0], graph.errors))


if __name__ == '__main__':
    unittest.main()
