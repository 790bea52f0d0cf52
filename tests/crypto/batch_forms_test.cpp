// Which form runs: what CPUID and XGETBV told us against what the kernel tells everyone.
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "crypto/batch/forms.hpp"

namespace {

using namespace crypto::batch;

std::set<std::string> flags_of_kernel() {
    std::ifstream in{"/proc/cpuinfo"};
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("flags")) continue;
        std::istringstream words{line.substr(line.find(':') + 1)};
        return {std::istream_iterator<std::string>{words}, {}};
    }
    return {};
}

}  // namespace

TEST_CASE("forms: exactly those whose instructions the kernel lists in /proc/cpuinfo") {
    const auto flags = flags_of_kernel();
    const bool avx2 = flags.contains("avx2");
    const bool avx512 = flags.contains("avx512f") && flags.contains("avx512bw");
    const bool gfni = flags.contains("gfni");
    CHECK(is_available(Sm4Form::avx2_aes) == (avx2 && flags.contains("aes")));
    CHECK(is_available(Sm4Form::avx2_gfni) == (avx2 && gfni));
    CHECK(is_available(Sm4Form::avx512_gfni) == (avx512 && gfni));
    CHECK(is_available(DesForm::avx2) == avx2);
    CHECK(is_available(DesForm::avx512) == avx512);
    CHECK(is_available(Sm3Form::avx512) == avx512);
}

TEST_CASE("forms: the portable ones always, an unknown one never, and the best are available") {
    CHECK(is_available(Sm4Form::portable));
    CHECK(is_available(DesForm::portable));
    CHECK(is_available(Sm3Form::portable));
    CHECK_FALSE(is_available(static_cast<Sm4Form>(0x7F)));
    CHECK_FALSE(is_available(static_cast<DesForm>(0x7F)));
    CHECK_FALSE(is_available(static_cast<Sm3Form>(0x7F)));
    const Forms best = best_forms();
    CHECK(is_available(best.sm4));
    CHECK(is_available(best.des));
    CHECK(is_available(best.sm3));
    CHECK(best == best_forms());
}
