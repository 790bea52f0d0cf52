#pragma once
// The identifiers that cards, terminals and hosts exchange. Byte forms are as on the wire and on
// the card.
#include <array>
#include <cstdint>

#include "protocol/strong.hpp"

namespace protocol {

/// Application serial number: 20 BCD digits, the first 0, then the 19 digits printed on the card.
/// Personal data: mask it in logs and screens. JT/T 978 file 15, domain.md 3.1.
using CardNumber = Strong<std::array<std::uint8_t, 10>, struct CardNumberName>;
/// Card issuer: 8 BCD bytes, also the issuer's factor in key diversification. domain.md 1.10, 3.1.
using IssuerId = Strong<std::array<std::uint8_t, 8>, struct IssuerIdName>;
/// Operator (acquiring organisation) of a line or shop: 8 BCD bytes. domain.md 3.2 "acquirerOrg8".
using OperatorId = Strong<std::array<std::uint8_t, 8>, struct OperatorIdName>;
/// City: 4 BCD digits. domain.md 3.1 (file 17), 3.2 (acquirerCity2).
using CityCode = Strong<std::uint16_t, struct CityCodeName>;
/// Station or stop and line within an operator, as in file 1E. domain.md 3.2.
using StationCode = Strong<std::uint16_t, struct StationCodeName>;
using LineCode = Strong<std::uint16_t, struct LineCodeName>;
/// Terminal number that lives in the SAM's file 16, in every purchase MAC. domain.md 1.12.
using TerminalNumber = Strong<std::array<std::uint8_t, 6>, struct TerminalNumberName>;
/// The machine (gate, kiosk) a SAM sits in: 8 BCD bytes, the "terminal8" of file 1E. domain.md 3.2.
using DeviceId = Strong<std::array<std::uint8_t, 8>, struct DeviceIdName>;
/// Serial number of a SAM: 10 BCD bytes, file 15 of the SAM. domain.md 1.12.
using SamNumber = Strong<std::array<std::uint8_t, 10>, struct SamNumberName>;
/// Terminal transaction number: consumed by the SAM before MAC1 leaves; never repeats, gaps are
/// legal.
using TerminalSequence = Strong<std::uint32_t, struct TerminalSequenceName>;
/// The card's counters. A "counter" in our records is the value BEFORE the transaction, as INIT
/// answers it and GET TRANSACTION PROVE takes it; the card's log holds the value after.
/// domain.md 1.8.
using OfflineCounter = Strong<std::uint16_t, struct OfflineCounterName>;
using OnlineCounter = Strong<std::uint16_t, struct OnlineCounterName>;
using KeyIndex = Strong<std::uint8_t, struct KeyIndexName>;
using KeyVersion = Strong<std::uint8_t, struct KeyVersionName>;
/// Batch number of one device: starts at 1, rises by 1.
using BatchSequence = Strong<std::uint32_t, struct BatchSequenceName>;
/// Version of a hot list: monotone per issuing city.
using ListSequence = Strong<std::uint32_t, struct ListSequenceName>;

/// Algorithm suite of a key. docs/algorithms.md, 1.
enum class Suite : std::uint8_t {
    triple_des = 0x00,  ///< 3DES, the installed base
    sm4 = 0x04,         ///< SM2/SM3/SM4, new cards
};
[[nodiscard]] constexpr bool is_suite(std::uint8_t value) {
    return value == 0x00 || value == 0x04;
}

/// The eight bytes of a card number that diversify its keys: the last 16 digits. domain.md 1.10.
[[nodiscard]] constexpr std::array<std::uint8_t, 8> card_factor(const CardNumber& card) {
    std::array<std::uint8_t, 8> factor{};
    for (std::size_t i = 0; i < factor.size(); ++i) factor[i] = card.value()[i + 2];
    return factor;
}

}  // namespace protocol
