// Searches for small circuits of the eight S-boxes of DES, and prints them as C++.
//
//   batch_des_circuits lut3 SEED SECONDS    gates of three inputs (AVX-512's vpternlog)
//   batch_des_circuits and2 SEED SECONDS    AND, OR, XOR, AND-NOT of two inputs, NOT (everything
//   else)
//
// The output is crypto/batch/des_circuits_lut3.inc and des_circuits_and2.inc, checked in: a search
// takes minutes, and a reader wants to see what runs. tests/crypto/batch_circuits_test.cpp compares
// every entry.
//
// The search (after M. Kwan, "Reducing the Gate Count of Bitslice DES", 2000) works on truth
// tables: a function of six inputs is 64 bits. To make a target where a mask cares:
//   1. a gate that is there already;
//   2. one new gate from any that are there;
//   3. two new gates, one feeding the other;
//   4. choose a selector, make the target where it is 0 and where it is 1, each with half the mask,
//      and join the halves.
// Everything with a choice is chosen by lot; the smallest circuit of many thousand is kept.
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "crypto/batch/des_tables.hpp"

namespace {

using Table = std::uint64_t;

/// A gate: `function` bit 4a+2b+c is the output for inputs a, b, c. Gates of two inputs leave c at
/// 0 and use the even bits.
struct Gate {
    std::uint8_t function;
    int a, b, c;
};

struct Circuit {
    std::vector<Table> tables;  // inputs 0..5, then the gates
    std::vector<Gate> gates;
    std::array<int, 4> outputs{-1, -1, -1, -1};
    [[nodiscard]] int size() const { return static_cast<int>(tables.size()); }
    void shrink(int size) {
        tables.resize(static_cast<std::size_t>(size));
        gates.resize(static_cast<std::size_t>(size - 6));
    }
};

Table evaluate(std::uint8_t function, Table a, Table b, Table c) {
    Table out = 0;
    for (unsigned row = 0; row < 8; ++row) {
        if (!(function >> row & 1)) continue;
        out |= (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
    }
    return out;
}

// Functions of two inputs that one instruction computes: a&b, a|b, a^b, a&~b, ~a&b; as bit 4a+2b.
constexpr std::uint8_t function_of_two(bool f00, bool f01, bool f10, bool f11) {
    return static_cast<std::uint8_t>(f00 * 0x03 | f01 * 0x0C | f10 * 0x30 | f11 * 0xC0);
}
constexpr std::uint8_t and2 = function_of_two(false, false, false, true);
constexpr std::uint8_t or2 = function_of_two(false, true, true, true);
constexpr std::uint8_t xor2 = function_of_two(false, true, true, false);
constexpr std::uint8_t a_and_not_b = function_of_two(false, false, true, false);
constexpr std::uint8_t not_a_and_b = function_of_two(false, true, false, false);
constexpr std::uint8_t not_a = function_of_two(true, true, false, false);
constexpr std::array cheap{and2, or2, xor2, a_and_not_b, not_a_and_b};

class Search {
public:
    Search(bool three_inputs, std::uint64_t seed) : three_inputs_{three_inputs}, lot_{seed} {}

    /// One circuit for S-box `box` of fewer than `limit` gates, if luck has it.
    std::optional<Circuit> attempt(unsigned box, int limit) {
        Circuit circuit;
        for (unsigned input = 0; input < 6; ++input) {
            Table table = 0;
            for (unsigned p = 0; p < 64; ++p)
                table |= static_cast<Table>(p >> (5 - input) & 1) << p;
            circuit.tables.push_back(table);
        }
        limit_ = limit + 6;
        std::array<unsigned, 4> order{0, 1, 2, 3};
        std::ranges::shuffle(order, lot_);
        for (const unsigned output : order) {
            Table target = 0;
            for (unsigned p = 0; p < 64; ++p) {
                const unsigned value = sbox_value(box, p);
                target |= static_cast<Table>(value >> (3 - output) & 1) << p;
            }
            const int made = make(circuit, target, ~Table{0}, 0);
            if (made < 0) return std::nullopt;
            circuit.outputs[output] = made;
        }
        return circuit;
    }

private:
    static unsigned sbox_value(unsigned box, unsigned input) {
        return crypto::batch::des_tables::substitute(box, input);
    }

    unsigned pick(int count) {
        return static_cast<unsigned>(lot_() % static_cast<unsigned>(count));
    }

    int add(Circuit& circuit, std::uint8_t function, int a, int b, int c) {
        if (circuit.size() + 1 >= limit_) return -1;
        const auto at = [&](int i) { return circuit.tables[static_cast<std::size_t>(i)]; };
        circuit.tables.push_back(evaluate(function, at(a), at(b), at(c)));
        circuit.gates.push_back({function, a, b, c});
        return circuit.size() - 1;
    }

    /// The index of a gate equal to `target` wherever `mask` is 1; new gates are added as needed.
    /// -1 and a circuit with leftovers when the limit is reached.
    int make(Circuit& circuit, Table target, Table mask, int depth) {
        const int size = circuit.size();
        for (int i = 0; i < size; ++i) {
            if (((circuit.tables[static_cast<std::size_t>(i)] ^ target) & mask) == 0) return i;
        }
        if (size + 1 >= limit_) return -1;
        const int one =
            three_inputs_ ? one_lut3(circuit, target, mask) : one_and2(circuit, target, mask);
        if (one >= 0) return one;
        if (size + 2 >= limit_) return -1;
        const int two =
            three_inputs_ ? two_lut3(circuit, target, mask) : two_and2(circuit, target, mask);
        if (two >= 0) return two;
        return best_split(circuit, target, mask, depth);
    }

    int best_split(Circuit& circuit, Table target, Table mask, int depth) {
        const int tries = depth == 0 ? 3 : depth == 1 ? 2 : 1;
        const int limit_before = limit_;
        Circuit best;
        int best_index = -1;
        for (int i = 0; i < tries; ++i) {
            Circuit trial = circuit;
            const int index = split(trial, target, mask, depth);
            if (index < 0) continue;
            best = std::move(trial);
            best_index = index;
            limit_ = best.size();  // the next must be smaller
        }
        limit_ = limit_before;
        if (best_index >= 0) circuit = std::move(best);
        return best_index;
    }

    int split(Circuit& circuit, Table target, Table mask, int depth) {
        // Mostly an input that still divides the mask; sometimes any gate.
        int selector = 0;
        Table s = 0;
        for (int i = 0; i < 64; ++i) {
            selector =
                pick(4) != 0 ? static_cast<int>(pick(6)) : static_cast<int>(pick(circuit.size()));
            s = circuit.tables[static_cast<std::size_t>(selector)];
            if ((mask & s) != 0 && (mask & ~s) != 0) break;
        }
        if ((mask & s) == 0 || (mask & ~s) == 0) return -1;
        if (three_inputs_) {
            const bool swap = pick(2) != 0;
            const int first = make(circuit, target, mask & (swap ? s : ~s), depth + 1);
            if (first < 0) return -1;
            const int second = make(circuit, target, mask & (swap ? ~s : s), depth + 1);
            if (second < 0) return -1;
            const int when_0 = swap ? second : first;
            const int when_1 = swap ? first : second;
            return add(circuit, 0xCA, selector, when_1, when_0);  // a ? b : c
        }
        return split_and2(circuit, target, mask, depth, selector, s);
    }

    /// Four ways to join two halves with two gates.
    int split_and2(Circuit& circuit, Table target, Table mask, int depth, int selector, Table s) {
        const bool high_first = pick(2) != 0;  // the half that needs no correction
        const int base = make(circuit, target, mask & (high_first ? s : ~s), depth + 1);
        if (base < 0) return -1;
        const Table other = mask & (high_first ? ~s : s);
        const Table b = circuit.tables[static_cast<std::size_t>(base)];
        // base ^ (x & selected): x = base ^ target in the other half.
        const int x = make(circuit, b ^ target, other, depth + 1);
        if (x < 0) return -1;
        const int masked = add(circuit, high_first ? a_and_not_b : and2, x, selector, x);
        if (masked < 0) return -1;
        return add(circuit, xor2, base, masked, base);
    }

    /// The value of `target` on a cell: 0, 1, 2 for either, 3 for both.
    static unsigned value(Table target, Table cell) {
        if (cell == 0) return 2;
        const Table ones = target & cell;
        if (ones == 0) return 0;
        return ones == cell ? 1 : 3;
    }

    int one_lut3(Circuit& circuit, Table target, Table mask) {
        const int size = circuit.size();
        const int start = static_cast<int>(pick(size));
        const auto at = [&](int i) { return circuit.tables[static_cast<std::size_t>(i)]; };
        for (int step = 0; step < size; ++step) {
            const int i = (start + step) % size;
            for (int j = 0; j < i; ++j) {
                const std::array<Table, 4> quarter{mask & ~at(i) & ~at(j), mask & ~at(i) & at(j),
                                                   mask & at(i) & ~at(j), mask & at(i) & at(j)};
                for (int k = 0; k < j; ++k) {
                    std::uint8_t function = 0;
                    bool fits = true;
                    for (unsigned row = 0; row < 8 && fits; ++row) {
                        const Table cell = quarter[row >> 1] & (row & 1 ? at(k) : ~at(k));
                        const unsigned v = value(target, cell);
                        fits = v != 3;
                        const bool bit = v == 1 || (v == 2 && pick(2) != 0);
                        function =
                            static_cast<std::uint8_t>(function | static_cast<unsigned>(bit) << row);
                    }
                    if (fits) return add(circuit, function, i, j, k);
                }
            }
        }
        return -1;
    }

    /// f(g(a, b, c), d, e).
    int two_lut3(Circuit& circuit, Table target, Table mask) {
        const int size = circuit.size();
        const auto at = [&](int i) { return circuit.tables[static_cast<std::size_t>(i)]; };
        const int start = static_cast<int>(pick(size));
        for (int step = 0; step < size; ++step) {
            const int d = (start + step) % size;
            for (int e = 0; e < d; ++e) {
                const std::array<Table, 4> outer{mask & ~at(d) & ~at(e), mask & ~at(d) & at(e),
                                                 mask & at(d) & ~at(e), mask & at(d) & at(e)};
                for (int a = 2; a < size; ++a) {
                    for (int b = 1; b < a; ++b) {
                        const Mixed mixed{outer, target, at(a), at(b)};
                        for (int c = 0; c < b; ++c) {
                            if (!mixed.separated_by(at(c))) continue;
                            const int made = try_two(circuit, outer, target, {a, b, c, d, e});
                            if (made != no_fit) return made;
                        }
                    }
                }
            }
        }
        return -1;
    }

    /// The cells of (d, e, a, b) that hold both values of the target: c must tell them apart, and
    /// most candidates fail on the first cell.
    struct Mixed {
        std::array<Table, 17> ones;  // one place to write in when all are taken
        std::array<Table, 17> zeros;
        unsigned count = 0;
        Mixed(const std::array<Table, 4>& outer, Table target, Table a, Table b) {
            for (unsigned i = 0; i < 16; ++i) {
                const Table cell = outer[i >> 2] & (i & 2 ? a : ~a) & (i & 1 ? b : ~b);
                ones[count] = cell & target;
                zeros[count] = cell & ~target;
                if (ones[count] != 0 && zeros[count] != 0) ++count;
            }
        }
        [[nodiscard]] bool separated_by(Table c) const {
            for (unsigned i = 0; i < count; ++i) {
                const bool straight = (ones[i] & ~c) == 0 && (zeros[i] & c) == 0;
                const bool inverted = (ones[i] & c) == 0 && (zeros[i] & ~c) == 0;
                if (!straight && !inverted) return false;
            }
            return true;
        }
    };

    static constexpr int no_fit = -2;

    int try_two(Circuit& circuit, const std::array<Table, 4>& outer, Table target,
                const std::array<int, 5>& gate) {
        const auto at = [&](int i) { return circuit.tables[static_cast<std::size_t>(i)]; };
        std::array<Table, 8> cell{};
        for (unsigned row = 0; row < 8; ++row) {
            cell[row] = (row & 4 ? at(gate[0]) : ~at(gate[0])) &
                        (row & 2 ? at(gate[1]) : ~at(gate[1])) &
                        (row & 1 ? at(gate[2]) : ~at(gate[2]));
        }
        // What g must be: for each quarter the rows that are 1 and those that are 0.
        std::array<unsigned, 4> ones{};
        std::array<unsigned, 4> zeros{};
        for (unsigned q = 0; q < 4; ++q) {
            for (unsigned row = 0; row < 8; ++row) {
                const unsigned v = value(target, outer[q] & cell[row]);
                if (v == 3) return no_fit;
                if (v == 1) ones[q] |= 1U << row;
                if (v == 0) zeros[q] |= 1U << row;
            }
        }
        const unsigned offset = pick(256);
        for (unsigned n = 0; n < 256; ++n) {
            const unsigned g = n ^ offset;
            unsigned function = 0;  // of (g, d, e)
            bool fits = true;
            for (unsigned q = 0; q < 4 && fits; ++q) {
                for (unsigned side = 0; side < 2; ++side) {
                    const unsigned rows = side ? g : ~g & 0xFF;
                    const bool one = (rows & ones[q]) != 0;
                    if (one && (rows & zeros[q]) != 0) fits = false;
                    function |= static_cast<unsigned>(one) << (4 * side + q);
                }
            }
            if (!fits) continue;
            const int inner = add(circuit, static_cast<std::uint8_t>(g), gate[0], gate[1], gate[2]);
            if (inner < 0) return -1;
            return add(circuit, static_cast<std::uint8_t>(function), inner, gate[3], gate[4]);
        }
        return no_fit;
    }

    int one_and2(Circuit& circuit, Table target, Table mask) {
        const int size = circuit.size();
        const auto at = [&](int i) { return circuit.tables[static_cast<std::size_t>(i)]; };
        for (int i = 0; i < size; ++i) {
            if (((~at(i) ^ target) & mask) == 0) return add(circuit, not_a, i, i, i);
        }
        const int start = static_cast<int>(pick(size));
        for (int step = 0; step < size; ++step) {
            const int i = (start + step) % size;
            for (int j = 0; j < i; ++j) {
                for (const std::uint8_t function : cheap) {
                    if (((evaluate2(function, at(i), at(j)) ^ target) & mask) == 0) {
                        return add(circuit, function, i, j, i);
                    }
                }
            }
        }
        return -1;
    }

    static Table evaluate2(std::uint8_t function, Table a, Table b) {
        switch (function) {
            case and2: return a & b;
            case or2: return a | b;
            case xor2: return a ^ b;
            case a_and_not_b: return a & ~b;
            case not_a_and_b: return ~a & b;
            default: return ~a;
        }
    }

    /// f(g(a, b), c).
    int two_and2(Circuit& circuit, Table target, Table mask) {
        const int size = circuit.size();
        const auto at = [&](int i) { return circuit.tables[static_cast<std::size_t>(i)]; };
        const int start = static_cast<int>(pick(size));
        for (int step = 0; step < size; ++step) {
            const int a = (start + step) % size;
            for (int b = 0; b < a; ++b) {
                for (const std::uint8_t inner : cheap) {
                    const Table g = evaluate2(inner, at(a), at(b));
                    for (int c = 0; c < size; ++c) {
                        for (const std::uint8_t outer : cheap) {
                            if (((evaluate2(outer, g, at(c)) ^ target) & mask) != 0) continue;
                            const int made = add(circuit, inner, a, b, a);
                            if (made < 0) return -1;
                            return add(circuit, outer, made, c, made);
                        }
                    }
                }
            }
        }
        return -1;
    }

    bool three_inputs_;
    std::mt19937_64 lot_;
    int limit_ = 0;
};

/// Gates that no output needs, left by a half that was abandoned, are dropped.
std::vector<bool> needed(const Circuit& circuit) {
    std::vector<bool> needs(circuit.tables.size());
    for (const int output : circuit.outputs) needs[static_cast<std::size_t>(output)] = true;
    for (std::size_t i = circuit.tables.size(); i-- > 6;) {
        if (!needs[i]) continue;
        const Gate& gate = circuit.gates[i - 6];
        for (const int input : {gate.a, gate.b, gate.c})
            needs[static_cast<std::size_t>(input)] = true;
    }
    return needs;
}

int count(const Circuit& circuit) {
    const auto needs = needed(circuit);
    return static_cast<int>(std::count(needs.begin() + 6, needs.end(), true));
}

std::string gate_text(const Gate& gate, bool three_inputs) {
    const std::string a = "v" + std::to_string(gate.a);
    const std::string b = "v" + std::to_string(gate.b);
    const std::string c = "v" + std::to_string(gate.c);
    if (three_inputs) {
        char function[8];
        std::snprintf(function, sizeof function, "0x%02X", gate.function);
        return std::string("lut<") + function + ">(" + a + ", " + b + ", " + c + ")";
    }
    switch (gate.function) {
        case and2: return a + " & " + b;
        case or2: return a + " | " + b;
        case xor2: return a + " ^ " + b;
        case a_and_not_b: return a + " & ~" + b;
        case not_a_and_b: return b + " & ~" + a;
        default: return "~" + a;
    }
}

void print(const Circuit& circuit, unsigned box, bool three_inputs) {
    const auto needs = needed(circuit);
    std::printf("// %d gates.\n", count(circuit));
    std::printf("ALWAYS_INLINE void sbox%u(V v0, V v1, V v2, V v3, V v4, V v5, V (&out)[4]) {\n",
                box + 1);
    for (std::size_t i = 6; i < circuit.tables.size(); ++i) {
        if (!needs[i]) continue;
        std::printf("    const V v%zu = %s;\n", i,
                    gate_text(circuit.gates[i - 6], three_inputs).c_str());
    }
    for (unsigned i = 0; i < 4; ++i) std::printf("    out[%u] = v%d;\n", i, circuit.outputs[i]);
    std::printf("}\n");
    std::fflush(stdout);
}

int run(bool three_inputs, std::uint64_t seed, double seconds) {
    std::printf(
        "// Written by crypto/batch/generate/des_circuits.cpp (%s, seed %llu, %.0f s per S-box).\n",
        three_inputs ? "lut3" : "and2", static_cast<unsigned long long>(seed), seconds);
    for (unsigned box = 0; box < 8; ++box) {
        Search search{three_inputs, seed + box};
        std::optional<Circuit> best;
        int best_count = 120;
        const auto stop = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
        while (!best || std::chrono::steady_clock::now() < stop) {
            auto circuit = search.attempt(box, best_count);
            if (!circuit || count(*circuit) >= best_count) continue;
            best_count = count(*circuit);
            best = std::move(circuit);
            std::fprintf(stderr, "S%u: %d gates\n", box + 1, best_count);
        }
        print(*best, box, three_inputs);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string mode = argc == 4 ? argv[1] : "";
    if (mode != "lut3" && mode != "and2") {
        std::fprintf(stderr, "usage: %s lut3|and2 SEED SECONDS_PER_SBOX\n", argv[0]);
        return 2;
    }
    return run(mode == "lut3", std::strtoull(argv[2], nullptr, 10), std::strtod(argv[3], nullptr));
}
