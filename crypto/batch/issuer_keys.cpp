#include "crypto/batch/issuer_keys.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "crypto/batch/sm4_field.hpp"
#include "crypto/batch/wipe_stack.hpp"
#include "crypto/core/secret.hpp"
#include "crypto/core/sm4_sbox.hpp"

namespace crypto::batch {
namespace {

constexpr std::size_t table_capacity = 65536;

constexpr std::array<std::uint32_t, 4> family_key{0xA3B1BAC6, 0x56AA3350, 0x677D9197,
                                                  0xB27022DC};  // GB/T 32907-2016, 7.3 a)

constexpr std::uint32_t fixed_parameter(unsigned round) {  // CK. GB/T 32907-2016, 7.3 b)
    std::uint32_t word = 0;
    for (unsigned byte = 0; byte < 4; ++byte) word = word << 8 | ((4 * round + byte) * 7 & 0xFF);
    return word;
}
static_assert(fixed_parameter(0) == 0x00070E15 && fixed_parameter(31) == 0x646B7279);

/// GB/T 32907-2016, 7.3.
void expand(ExpandedIssuerKey& key) {
    std::array<std::uint32_t, 4> k{};
    for (unsigned word = 0; word < 4; ++word) {
        for (unsigned byte = 0; byte < 4; ++byte) {
            k[word] = k[word] << 8 | key.master[4 * word + byte];
        }
        k[word] ^= family_key[word];
    }
    for (unsigned round = 0; round < 32; ++round) {
        const std::uint32_t b =
            sm4_circuit::substitute(k[1] ^ k[2] ^ k[3] ^ fixed_parameter(round));
        const std::uint32_t next = k[0] ^ b ^ std::rotl(b, 13) ^ std::rotl(b, 23);
        k = {k[1], k[2], k[3], next};
        key.round_keys[round] = next;
    }
    wipe_object(k);
}

/// `matrix` at run time, with no branch or index that depends on `x`.
std::uint8_t map_secret(const sm4_field::Matrix& matrix, std::uint8_t x) {
    unsigned out = 0;
    for (unsigned i = 0; i < 8; ++i) {
        unsigned bits = matrix.row[i] & x;
        bits ^= bits >> 4;
        bits ^= bits >> 2;
        bits ^= bits >> 1;
        out |= (bits & 1U) << i;
    }
    return static_cast<std::uint8_t>(out);
}

void change_basis(ExpandedIssuerKey& key) {
    for (unsigned i = 0; i < 128; ++i) {
        const auto byte = static_cast<std::uint8_t>(key.round_keys[i / 4] >> (24 - 8 * (i % 4)));
        const unsigned mapped = map_secret(sm4_field::in, byte) ^ sm4_field::in_constant;
        key.affine_round_keys[i] = mapped * 0x01010101U;
    }
}

/// In a frame of its own, which the caller wipes.
[[gnu::noinline]] void prepare(ExpandedIssuerKey& key, protocol::Suite suite,
                               std::span<const std::uint8_t, 16> master) {
    std::ranges::copy(master, key.master.begin());
    if (suite == protocol::Suite::sm4) {
        expand(key);
        change_basis(key);
    }
}

}  // namespace

IssuerKeyTable::~IssuerKeyTable() {
    wipe();
}

IssuerKeyTable& IssuerKeyTable::operator=(IssuerKeyTable&& other) noexcept {
    if (this == &other) return *this;
    wipe();
    names_ = std::move(other.names_);
    by_name_ = std::move(other.by_name_);
    keys_ = std::move(other.keys_);
    return *this;
}

void IssuerKeyTable::wipe() {
    for (ExpandedIssuerKey& key : keys_) wipe_object(key);
}

std::expected<IssuerKeyIndex, KeyTableRefusal> IssuerKeyTable::add(
    const IssuerKeyName& name, std::span<const std::uint8_t, 16> master) {
    if (!protocol::is_suite(static_cast<std::uint8_t>(name.suite))) {
        return std::unexpected{KeyTableRefusal::unknown_suite};
    }
    const auto name_of = [this](IssuerKeyIndex index) { return names_[index.value()]; };
    const auto place = std::ranges::lower_bound(by_name_, name, {}, name_of);
    if (place != by_name_.end() && name_of(*place) == name) {
        return std::unexpected{KeyTableRefusal::name_taken};
    }
    if (size() == table_capacity) return std::unexpected{KeyTableRefusal::table_full};

    const IssuerKeyIndex index{static_cast<std::uint16_t>(size())};
    const auto position = place - by_name_.begin();
    if (keys_.size() == keys_.capacity()) grow();  // nothing after this allocates
    prepare(keys_.emplace_back(), name.suite, master);
    wipe_stack();
    by_name_.insert(by_name_.begin() + position, index);
    names_.push_back(name);
    return index;
}

/// Room for more in all three, so that no list can be left behind the others. The vector's own
/// growth would leave the old copy of every key on the heap.
void IssuerKeyTable::grow() {
    const std::size_t room = std::max<std::size_t>(16, 2 * keys_.size());
    names_.reserve(room);
    by_name_.reserve(room);
    std::vector<ExpandedIssuerKey> larger;
    larger.reserve(room);
    larger.assign(keys_.begin(), keys_.end());
    wipe();
    keys_ = std::move(larger);
}

std::optional<IssuerKeyIndex> IssuerKeyTable::find(const IssuerKeyName& name) const {
    const auto name_of = [this](IssuerKeyIndex index) { return names_[index.value()]; };
    const auto place = std::ranges::lower_bound(by_name_, name, {}, name_of);
    if (place == by_name_.end() || name_of(*place) != name) return std::nullopt;
    return *place;
}

}  // namespace crypto::batch
