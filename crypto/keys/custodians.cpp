#include "crypto/keys/custodians.hpp"

#include <set>

#include "crypto/keys/sealing.hpp"

namespace crypto::keys {
namespace {

constexpr std::size_t share_size = 1 + sealing_key_size;  // index, value
constexpr std::size_t slot_size = salt_size + nonce_size + share_size + tag_size;
constexpr std::string_view share_text = "onecard custodian share";

std::unexpected<KeyError> refuse(KeyError why) {
    return std::unexpected{why};
}

/// What binds a share to its store and its custodian.
std::vector<std::uint8_t> additional_data(const CustodianTerms& terms, std::string_view name) {
    std::vector<std::uint8_t> out{share_text.begin(), share_text.end()};
    out.push_back(static_cast<std::uint8_t>(terms.purpose));
    out.insert(out.end(), terms.store_id.begin(), terms.store_id.end());
    out.insert(out.end(), name.begin(), name.end());
    return out;
}

KeyResult<CustodianSlot> seal_share(const CustodianTerms& terms, const NewCustodian& custodian,
                                    const Share& share, Random& random) {
    CustodianSlot slot{custodian.name, CustodianKind::passphrase, {}};
    slot.sealed_share.resize(slot_size);
    const MutableBytes bytes{slot.sealed_share};
    const MutableBytes salt = bytes.first(salt_size);
    const MutableBytes nonce = bytes.subspan(salt_size, nonce_size);
    random.fill(salt);
    random.fill(nonce);
    SecretBytes<32> key;
    ONECARD_CHECK(derive_from_passphrase(terms.cost, salt, custodian.passphrase, key.bytes()));
    SecretBytes<share_size> plain;
    plain.bytes()[0] = share.index;
    std::ranges::copy(share.value.bytes(), plain.bytes().begin() + 1);
    seal_bytes(key.bytes(), nonce, additional_data(terms, custodian.name), plain.bytes(),
               bytes.subspan(salt_size + nonce_size));
    return slot;
}

}  // namespace

KeyResult<void> check_custodians(const CustodianTerms& terms, unsigned quorum,
                                 std::span<const NewCustodian> custodians) {
    if (quorum < 1 || quorum > custodians.size() || custodians.size() > share_count_max) {
        return refuse(KeyError::quorum_wrong);
    }
    std::set<std::string_view> names;
    for (const NewCustodian& custodian : custodians) {
        if (!custodian_name_fits(custodian.name)) return refuse(KeyError::quorum_wrong);
        if (!names.insert(custodian.name).second) return refuse(KeyError::custodian_repeated);
        const std::size_t least = terms.purpose == Purpose::production ? passphrase_size_min : 1;
        if (custodian.passphrase.size() < least) return refuse(KeyError::weak_passphrase);
    }
    for (std::size_t a = 0; a < custodians.size(); ++a) {
        for (std::size_t b = a + 1; b < custodians.size(); ++b) {
            if (equal_constant_time(custodians[a].passphrase, custodians[b].passphrase)) {
                return refuse(KeyError::passphrase_repeated);
            }
        }
    }
    if (terms.purpose == Purpose::production && terms.cost.memory_kib < production_memory_kib_min) {
        return refuse(KeyError::weak_derivation);
    }
    if (!cost_accepted(terms.cost)) return refuse(KeyError::limits_exceeded);
    return {};
}

KeyResult<std::vector<CustodianSlot>> seal_shares(const CustodianTerms& terms, unsigned quorum,
                                                  std::span<const NewCustodian> custodians,
                                                  Bytes sealing_key, Random& random) {
    const auto shares =
        split_secret(sealing_key, quorum, static_cast<unsigned>(custodians.size()), random);
    if (!shares) return refuse(KeyError::quorum_wrong);
    std::vector<CustodianSlot> slots;
    for (std::size_t i = 0; i < custodians.size(); ++i) {
        ONECARD_TRY(slot, seal_share(terms, custodians[i], (*shares)[i], random));
        slots.push_back(std::move(slot));
    }
    return slots;
}

KeyResult<Share> open_share(const CustodianTerms& terms, const CustodianSlot& slot,
                            Bytes passphrase) {
    if (slot.kind != CustodianKind::passphrase || slot.sealed_share.size() != slot_size) {
        return refuse(KeyError::malformed);
    }
    const Bytes bytes{slot.sealed_share};
    SecretBytes<32> key;
    ONECARD_CHECK(
        derive_from_passphrase(terms.cost, bytes.first(salt_size), passphrase, key.bytes()));
    SecretBytes<share_size> plain;
    if (!open_bytes(key.bytes(), bytes.subspan(salt_size, nonce_size),
                    additional_data(terms, slot.name), bytes.subspan(salt_size + nonce_size),
                    plain.bytes())) {
        return refuse(KeyError::wrong_passphrase);
    }
    return Share{plain.bytes()[0], SecretBuffer{Bytes{plain.bytes()}.subspan(1)}};
}

}  // namespace crypto::keys
