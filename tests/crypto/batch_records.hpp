#pragma once
// Random cards and records for the MAC engine's tests, and the same MACs one at a time by
// crypto/purse.
#include <algorithm>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "crypto/batch/verifier.hpp"
#include "crypto/purse/keys.hpp"

namespace tests {

namespace batch = crypto::batch;

template <class Range>
void fill_random(Range& bytes, std::mt19937_64& random) {
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
}

/// A table of random keys, and the keys themselves.
struct Issuers {
    batch::IssuerKeyTable table;
    std::vector<crypto::purse::PurseKey> keys;  // in the table's order

    void add(const batch::IssuerKeyName& name, std::mt19937_64& random) {
        std::array<std::uint8_t, 16> master{};
        fill_random(master, random);
        if (!table.add(name, master)) throw std::runtime_error("a random key was refused");
        keys.emplace_back(name.suite, master);
    }
    [[nodiscard]] batch::IssuerKeyIndex any(std::mt19937_64& random) const {
        return batch::IssuerKeyIndex{static_cast<std::uint16_t>(random() % keys.size())};
    }
};

/// `count` keys, 3DES and SM4 in turn.
inline Issuers mixed_issuers(unsigned count, std::mt19937_64& random) {
    Issuers out;
    for (unsigned i = 0; i < count; ++i) {
        const auto number = static_cast<std::uint8_t>(i);
        out.add({.issuer = protocol::IssuerId{{number}},
                 .version = protocol::KeyVersion{number},
                 .suite = i % 2 == 0 ? protocol::Suite::sm4 : protocol::Suite::triple_des},
                random);
    }
    return out;
}

/// All that one city may have under one issuer number: two purposes, two versions, both suites.
inline Issuers one_city(std::mt19937_64& random) {
    Issuers out;
    for (const auto purpose : {batch::KeyPurpose::tac, batch::KeyPurpose::purchase}) {
        for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
            for (const auto suite : {protocol::Suite::sm4, protocol::Suite::triple_des}) {
                out.add({.issuer = protocol::IssuerId{{0x10}},
                         .purpose = purpose,
                         .version = protocol::KeyVersion{version},
                         .suite = suite},
                        random);
            }
        }
    }
    return out;
}

inline std::vector<batch::TacRecord> random_tac_records(std::size_t count, const Issuers& issuers,
                                                        std::mt19937_64& random) {
    std::vector<batch::TacRecord> out(count);
    for (batch::TacRecord& record : out) {
        fill_random(record.card_factor, random);
        fill_random(record.input, random);
        fill_random(record.tac, random);
        record.key = issuers.any(random);
    }
    return out;
}

inline std::vector<batch::PurchaseMacRecord> random_mac_records(std::size_t count,
                                                                const Issuers& issuers,
                                                                std::mt19937_64& random) {
    std::vector<batch::PurchaseMacRecord> out(count);
    for (batch::PurchaseMacRecord& record : out) {
        fill_random(record.card_factor, random);
        fill_random(record.process_seed, random);
        fill_random(record.input, random);
        fill_random(record.mac, random);
        record.key = issuers.any(random);
    }
    return out;
}

inline crypto::purse::PurseKey card_key(const Issuers& issuers, batch::IssuerKeyIndex key,
                                        const std::array<std::uint8_t, 8>& factor) {
    return crypto::purse::diversify(issuers.keys[key.value()], crypto::purse::Factor{factor});
}

inline protocol::Mac tac_of(const Issuers& issuers, const batch::TacRecord& record) {
    return crypto::purse::tac(card_key(issuers, record.key, record.card_factor), record.input);
}

inline protocol::Mac mac_of(const Issuers& issuers, const batch::PurchaseMacRecord& record) {
    const auto& seed = record.process_seed;
    const auto process = crypto::purse::offline_process_key(
        card_key(issuers, record.key, record.card_factor), {seed[0], seed[1], seed[2], seed[3]},
        protocol::OfflineCounter{static_cast<std::uint16_t>(seed[4] << 8 | seed[5])},
        protocol::TerminalSequence{static_cast<std::uint32_t>(seed[6] << 8 | seed[7])});
    return crypto::purse::purse_mac(process, record.input);
}

/// Every form of this machine, one algorithm changed at a time.
inline std::vector<batch::Forms> forms_here() {
    using batch::DesForm;
    using batch::Sm4Form;
    std::vector<batch::Forms> out;
    for (const Sm4Form form :
         {Sm4Form::portable, Sm4Form::avx2_aes, Sm4Form::avx2_gfni, Sm4Form::avx512_gfni}) {
        if (batch::is_available(form)) out.push_back({.sm4 = form});
    }
    for (const DesForm form : {DesForm::avx2, DesForm::avx512}) {
        if (batch::is_available(form)) out.push_back({.des = form});
    }
    return out;
}

}  // namespace tests
