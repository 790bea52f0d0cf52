// Runs under valgrind, which reports every branch and every address that depends on undefined
// memory: the issuers' keys are declared undefined, so what it reports is a leak in time. It sees
// the forms that it can run: portable, AVX2 and AES-NI. For the others: batch_flow_test.cpp. With
// `--leak` a derived key is branched on: a run that reports nothing there proves nothing here.
#include <cstdio>
#include <string_view>

#include <valgrind/memcheck.h>

#include "tests/crypto/batch_records.hpp"

namespace {

using namespace crypto::batch;

template <class Range>
void reveal(Range& range) {
    VALGRIND_MAKE_MEM_DEFINED(range.data(), range.size() * sizeof range[0]);
}

int fail(const char* what) {
    std::fprintf(stderr, "batch_constant_time: %s\n", what);
    return 1;
}

/// Eight keys, 3DES and SM4 in turn, all unknown to valgrind.
void add_secret_keys(IssuerKeyTable& table) {
    for (std::uint8_t i = 0; i < 8; ++i) {
        std::array<std::uint8_t, 16> master{};
        for (std::uint8_t j = 0; j < 16; ++j) master[j] = static_cast<std::uint8_t>(31 * i + 7 * j);
        VALGRIND_MAKE_MEM_UNDEFINED(master.data(), master.size());
        const auto suite = i % 2 == 0 ? protocol::Suite::sm4 : protocol::Suite::triple_des;
        if (!table.add({.version = protocol::KeyVersion{i}, .suite = suite}, master)) std::abort();
    }
}

template <class Record, class Compute, class Verify>
int check_form(const IssuerKeyTable& table, std::vector<Record> records, const Forms& forms,
               const Compute& compute, const Verify& verify) {
    std::printf("SM4 %s, 3DES %s, %zu records of %zu bytes\n", name(forms.sm4), name(forms.des),
                records.size(), sizeof(Record));
    std::vector<protocol::Mac> macs(records.size());
    if (!compute(table, records, macs, {.forms = forms})) return fail("refused to compute");
    reveal(macs);
    for (std::size_t i = 0; i < records.size(); ++i) {  // the MAC is each record's last member
        auto* end = reinterpret_cast<std::uint8_t*>(&records[i] + 1);
        std::copy(macs[i].begin(), macs[i].end(), end - sizeof(protocol::Mac));
    }
    std::vector<std::uint64_t> genuine(outcome_words(records.size()));
    if (!verify(table, records, genuine, {.forms = forms})) return fail("refused to verify");
    reveal(genuine);
    for (std::size_t i = 0; i < records.size(); ++i) {
        if (!outcome(genuine, i)) return fail("a right MAC was not genuine");
    }
    return 0;
}

int check() {
    IssuerKeyTable table;
    add_secret_keys(table);
    tests::Issuers numbers;
    numbers.keys.resize(table.size());  // only their count is used
    std::mt19937_64 random{20250701};
    const bool has_avx2 = is_available(Sm4Form::avx2_aes) && is_available(DesForm::avx2);
    if (!has_avx2) std::puts("this processor, or valgrind's, lacks AVX2 or AES: portable only");
    for (const std::size_t size : {std::size_t{5}, std::size_t{700}}) {
        auto tacs = tests::random_tac_records(size, numbers, random);
        auto macs = tests::random_mac_records(size, numbers, random);
        for (std::size_t i = size / 2; i < size; ++i) tacs[i].key = macs[i].key = tacs[0].key;
        for (const Forms& forms :
             {Forms{}, Forms{.sm4 = Sm4Form::avx2_aes, .des = DesForm::avx2}}) {
            if (forms != Forms{} && !has_avx2) continue;
            if (check_form(table, tacs, forms, compute_tacs, verify_tacs) != 0) return 1;
            if (check_form(table, macs, forms, compute_purchase_macs, verify_purchase_macs) != 0) {
                return 1;
            }
        }
    }
    return 0;
}

int leak() {
    IssuerKeyTable table;
    add_secret_keys(table);
    if ((table.expanded(IssuerKeyIndex{0}).round_keys[31] & 1) != 0) std::puts("the last bit is 1");
    return 0;
}

}  // namespace

int main(int argument_count, char** arguments) {
    if (RUNNING_ON_VALGRIND == 0) return fail("run this under valgrind");
    return argument_count > 1 && std::string_view{arguments[1]} == "--leak" ? leak() : check();
}
