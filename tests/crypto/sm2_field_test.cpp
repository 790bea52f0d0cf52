// The host's field: each form of the product, and the reduction made for this prime, against the
// general Montgomery multiplication, on operands full of zeros and ones where carries go wrong.
#include <random>

#include <doctest/doctest.h>

#include "crypto/sm2/host_field.hpp"
#include "crypto/sm2/montgomery.hpp"

namespace {

using namespace crypto::sm2;

constexpr int case_count = 20'000;

/// Below p. Each word is random, all zeros, all ones, or next to them.
Number any_element(std::mt19937_64& random) {
    Number out{};
    do {
        for (Word& word : out.words) {
            switch (random() % 6) {
                case 0: word = 0; break;
                case 1: word = ~Word{0}; break;
                case 2: word = random() % 3; break;
                case 3: word = ~(random() % 3); break;
                default: word = random();
            }
        }
    } while (is_below(out, curve::p.value) == 0);
    return out;
}

template <class Form>
void check_form() {
    using Field = host::Field<Form>;
    std::mt19937_64 random{30};
    Number largest{};
    Number one{};
    one.words[0] = 1;
    subtract(largest, curve::p.value, one);
    const std::array edges{Number{}, one, largest, curve::p.r};
    int wrong = 0;
    for (int i = 0; i < case_count; ++i) {
        const Number a = i < 16 ? edges[static_cast<std::size_t>(i) / 4] : any_element(random);
        const Number b = i < 16 ? edges[static_cast<std::size_t>(i) % 4] : any_element(random);
        Number got{}, expected{};
        const auto compare = [&] { wrong += is_equal(got, expected) == 0 ? 1 : 0; };
        Field::mul(got, a, b);
        montgomery(expected, a, b, curve::p);
        compare();
        Field::square(got, a);
        montgomery(expected, a, a, curve::p);
        compare();
        Field::add(got, a, b);
        add_modulo(expected, a, b, curve::p.value);
        compare();
        Field::sub(got, a, b);
        subtract_modulo(expected, a, b, curve::p.value);
        compare();
        Field::half(got, a);
        add_modulo(got, got, got, curve::p.value);
        expected = a;
        compare();
        got = a;  // the result may be an operand
        Field::mul(got, got, got);
        montgomery(expected, a, a, curve::p);
        compare();
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("sm2 field: the portable form agrees with general Montgomery multiplication") {
    check_form<host::PortableForm>();
}

#if defined(__x86_64__)
TEST_CASE("sm2 field: the MULX form agrees with general Montgomery multiplication") {
    if (!host::MulxForm::is_supported()) {
        MESSAGE("not run: this processor has no BMI2 or ADX");
        return;
    }
    check_form<host::MulxForm>();
}
#endif
