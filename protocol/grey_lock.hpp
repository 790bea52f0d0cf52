#pragma once
// The grey lock: a purse held for a sum that is not yet known (a pump, a charging post).
// domain.md 1.1 gives the commands' first bytes; what they carry is decided in
// docs/card_commands.md, 6.1.
#include "protocol/purse.hpp"

namespace protocol {

/// In the MACs of the grey lock only: logs, TACs and proofs of its debit say `purchase`.
constexpr auto grey_lock_type = static_cast<TransactionType>(0x91);
constexpr auto grey_debit_type = static_cast<TransactionType>(0x93);
constexpr auto grey_unlock_type = static_cast<TransactionType>(0x95);

struct GreyInitialiseData {  // keyIdx1 term6
    KeyIndex key;
    TerminalNumber terminal;
    static constexpr std::size_t size = 7;
    [[nodiscard]] static constexpr Parsed<GreyInitialiseData> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(key, in.take_u8());
        ONECARD_TRY(terminal, in.take_array<6>());
        ONECARD_CHECK(in.finish());
        return GreyInitialiseData{KeyIndex{key}, TerminalNumber{terminal}};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}.put_u8(key.value()).put(terminal.value());
        return out;
    }
};
[[nodiscard]] constexpr ShortCommand initialise_for_grey_lock(const GreyInitialiseData& data) {
    return make_command(0xE0, 0x7A, 0x08, 0x01, data.bytes(), 0x0F);
}
[[nodiscard]] constexpr ShortCommand initialise_for_grey_unlock(const GreyInitialiseData& data) {
    return make_command(0xE0, 0x7A, 0x09, 0x01, data.bytes(), 0x10);
}
/// GREY LOCK: the data of DEBIT; answers GTAC4 MAC2(4).
[[nodiscard]] constexpr ShortCommand grey_lock(const DebitData& data) {
    std::array<std::uint8_t, DebitData::size> bytes{};
    ByteWriter{bytes}.put_u32(data.sequence.value()).put(data.when.bcd()).put(data.mac1);
    return make_command(0xE0, 0x7C, 0x08, 0x00, bytes, 0x08);
}

struct GreyDebitData {  // amount4 date4 time3 MAC4: the station's GMAC, or the issuer's MAC2
    Money amount;
    DateTime when;
    Mac mac;
    static constexpr std::size_t size = 15;
    [[nodiscard]] static constexpr Parsed<GreyDebitData> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(amount, in.take_u32());
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_TRY(mac, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        ONECARD_TRY(when, DateTime::parse(stamp));
        return GreyDebitData{Money::from_fen(amount), when, mac};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}.put_u32(amount.fen()).put(when.bcd()).put(mac);
        return out;
    }
};
/// DEBIT FOR UNLOCK: answers TAC4.
[[nodiscard]] constexpr ShortCommand grey_debit(const GreyDebitData& data) {
    return make_command(0xE0, 0x7E, 0x08, 0x01, data.bytes(), 0x04);
}
/// GREY UNLOCK by the issuer: answers MAC3(4).
[[nodiscard]] constexpr ShortCommand grey_unlock(const GreyDebitData& data) {
    return make_command(0xE0, 0x7E, 0x09, 0x00, data.bytes(), 0x04);
}
/// GET LOCK PROOF: flag1 (00 free, 01 locked) offlineSeq2 term6 termSeq4 GTAC4; zeros when free.
constexpr std::size_t grey_proof_size = 17;
[[nodiscard]] constexpr ShortCommand get_grey_proof() {
    return make_command(0xE0, 0xCA, 0x00, 0x00, {}, grey_proof_size);
}
/// The SAM's part of DEBIT FOR UNLOCK: amount4 date4 time3 -> GMAC4, once after CREDIT SAM.
[[nodiscard]] constexpr ShortCommand sam_grey_debit(Money amount, const DateTime& when) {
    std::array<std::uint8_t, 11> bytes{};
    ByteWriter{bytes}.put_u32(amount.fen()).put(when.bcd());
    return make_command(0xE0, 0x44, 0x00, 0x00, bytes, 0x04);
}

}  // namespace protocol
