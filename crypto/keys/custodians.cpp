#include "crypto/keys/custodians.hpp"

#include <set>

#include "crypto/keys/sealing.hpp"

namespace crypto::keys {
namespace {

constexpr std::size_t share_size = 1 + sealing_key_size;  // index, value
constexpr std::size_t slot_size = salt_size + nonce_size + share_size + tag_size;
constexpr std::size_t serial_size_max = 16;  // PKCS#11 Base 2.40, 3.2: CK_TOKEN_INFO
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

void write_share(const Share& share, SecretBytes<share_size>& out) {
    out.bytes()[0] = share.index;
    std::ranges::copy(share.value.bytes(), out.bytes().begin() + 1);
}
Share read_share(const SecretBytes<share_size>& in) {
    return {in.bytes()[0], SecretBuffer{in.bytes().subspan(1)}};
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
    write_share(share, plain);
    seal_bytes(key.bytes(), nonce, additional_data(terms, custodian.name), plain.bytes(),
               bytes.subspan(salt_size + nonce_size));
    return slot;
}

bool serial_fits(std::string_view serial) {
    return serial.size() <= serial_size_max && label_fits(serial);
}

KeyResult<CustodianSlot> entrust_share(const CustodianTerms& terms, const NewCustodian& custodian,
                                       const Share& share) {
    SecretBytes<share_size> plain;
    write_share(share, plain);
    ONECARD_TRY(sealed,
                custodian.token->seal(plain.bytes(), additional_data(terms, custodian.name)));
    const std::string& serial = custodian.token->serial();
    CustodianSlot slot{custodian.name, CustodianKind::token, {}};
    slot.sealed_share.push_back(static_cast<std::uint8_t>(serial.size()));
    slot.sealed_share.insert(slot.sealed_share.end(), serial.begin(), serial.end());
    slot.sealed_share.insert(slot.sealed_share.end(), sealed.begin(), sealed.end());
    return slot;
}

/// What a slot of kind `token` holds: the token's serial number, and its own form of the share.
struct Entrusted {
    std::string serial;
    Bytes sealed;
};
KeyResult<Entrusted> take_apart(const CustodianSlot& slot) {
    protocol::ByteReader in{slot.sealed_share};
    const auto size = in.take_u8();
    const auto serial = size ? in.take(*size) : std::unexpected{size.error()};
    if (!serial || in.empty()) return refuse(KeyError::malformed);
    Entrusted out{{serial->begin(), serial->end()}, *in.take(in.size())};
    if (!serial_fits(out.serial)) return refuse(KeyError::malformed);
    return out;
}

/// The token is asked only when it is the custodian's: it would count a wrong PIN.
KeyResult<Share> ask_for_share(const CustodianTerms& terms, const CustodianSlot& slot,
                               ShareKeeper& token) {
    ONECARD_TRY(parts, take_apart(slot));
    if (token.serial() != parts.serial) return refuse(KeyError::token_other);
    SecretBytes<share_size> plain;
    ONECARD_CHECK(token.open(parts.sealed, additional_data(terms, slot.name), plain.bytes()));
    return read_share(plain);
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
        if (custodian.token == nullptr && custodian.passphrase.size() < least) {
            return refuse(KeyError::weak_passphrase);
        }
        if (custodian.token != nullptr && !serial_fits(custodian.token->serial())) {
            return refuse(KeyError::token_failed);
        }
    }
    for (std::size_t a = 0; a < custodians.size(); ++a) {
        for (std::size_t b = a + 1; b < custodians.size(); ++b) {
            if (!same_secret(custodians[a], custodians[b])) continue;
            return refuse(custodians[a].token != nullptr ? KeyError::token_repeated
                                                         : KeyError::passphrase_repeated);
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
        const NewCustodian& custodian = custodians[i];
        ONECARD_TRY(slot, custodian.token != nullptr
                              ? entrust_share(terms, custodian, (*shares)[i])
                              : seal_share(terms, custodian, (*shares)[i], random));
        slots.push_back(std::move(slot));
    }
    return slots;
}

KeyResult<Share> open_share(const CustodianTerms& terms, const CustodianSlot& slot,
                            const NewCustodian& custodian) {
    if (slot.kind == CustodianKind::token) {
        if (custodian.token == nullptr) return refuse(KeyError::custodian_has_token);
        return ask_for_share(terms, slot, *custodian.token);
    }
    if (custodian.token != nullptr) return refuse(KeyError::custodian_has_passphrase);
    if (slot.sealed_share.size() != slot_size) return refuse(KeyError::malformed);
    const Bytes bytes{slot.sealed_share};
    SecretBytes<32> key;
    ONECARD_CHECK(derive_from_passphrase(terms.cost, bytes.first(salt_size), custodian.passphrase,
                                         key.bytes()));
    SecretBytes<share_size> plain;
    if (!open_bytes(key.bytes(), bytes.subspan(salt_size, nonce_size),
                    additional_data(terms, slot.name), bytes.subspan(salt_size + nonce_size),
                    plain.bytes())) {
        return refuse(KeyError::wrong_passphrase);
    }
    return read_share(plain);
}

std::string token_serial(const CustodianSlot& slot) {
    if (slot.kind != CustodianKind::token) return {};
    const auto parts = take_apart(slot);
    return parts ? parts->serial : std::string{};
}

StoreIdentity identity_of(const SealedHeader& header, std::span<const CustodianSlot> custodians,
                          std::vector<std::string> opened_by) {
    StoreIdentity out{header.store_id, header.audit_key, {}, header.quorum, std::move(opened_by)};
    for (const CustodianSlot& slot : custodians) {
        out.custodians.push_back(slot.name);
        out.tokens.push_back(token_serial(slot));
    }
    return out;
}

}  // namespace crypto::keys
