#pragma once
// The purchase SAM's commands. domain.md 1.12 (T-Union PSAM).
#include "protocol/purse.hpp"

namespace protocol {

/// ADF of the transit SAM: A000000632 then ASCII "MOT.CPSAM01".
constexpr std::array<std::uint8_t, 16> sam_aid{0xA0, 0x00, 0x00, 0x06, 0x32, 0x4D, 0x4F, 0x54,
                                               0x2E, 0x43, 0x50, 0x53, 0x41, 0x4D, 0x30, 0x31};
constexpr std::uint8_t sam_sfi_serial =
    0x15;  ///< MF 0015, 14 bytes: serial10 version1 type1 set1 FCI1
constexpr std::uint8_t sam_sfi_terminal = 0x16;     ///< MF 0016, 6 bytes: the terminal number
constexpr std::uint8_t sam_sfi_application = 0x17;  ///< ADF 0017, 25 bytes: see SamApplicationInfo

struct SamApplicationInfo {  // keyIdx1 issuerId8 acquirerId8 start4 end4
    KeyIndex key;
    IssuerId issuer;
    OperatorId acquirer;
    Date start;
    Date end;
    static constexpr std::size_t size = 25;
    [[nodiscard]] static constexpr Parsed<SamApplicationInfo> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(key, in.take_u8());
        ONECARD_TRY(issuer, in.take_array<8>());
        ONECARD_TRY(acquirer, in.take_array<8>());
        ONECARD_TRY(start_bcd, in.take_array<4>());
        ONECARD_TRY(end_bcd, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        ONECARD_TRY(start, Date::parse(start_bcd));
        ONECARD_TRY(end, Date::parse(end_bcd));
        return SamApplicationInfo{KeyIndex{key}, IssuerId{issuer}, OperatorId{acquirer}, start,
                                  end};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u8(key.value())
            .put(issuer.value())
            .put(acquirer.value())
            .put(start.bcd())
            .put(end.bcd());
        return out;
    }
};

constexpr std::uint8_t sam_grey_lock_type = 0x91;  ///< grey_lock.hpp

/// INIT SAM FOR PURCHASE 80 70 00 00 24: rand4 offlineSeq2 amount4 TT1 date4 time3 keyVer1 algId1,
/// then the factors, card first and issuer last: the SAM derives last to first. domain.md 1.10.
struct SamPurchaseData {
    CardRandom random;
    OfflineCounter counter;
    Money amount;
    TransactionType type;
    DateTime when;
    KeyVersion key_version;
    Suite suite;
    std::array<std::uint8_t, 8> card_factor;
    std::array<std::uint8_t, 8> issuer_factor;
    static constexpr std::size_t size = 36;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put(random)
            .put_u16(counter.value())
            .put_u32(amount.fen())
            .put_u8(static_cast<std::uint8_t>(type))
            .put(when.bcd())
            .put_u8(key_version.value())
            .put_u8(static_cast<std::uint8_t>(suite))
            .put(card_factor)
            .put(issuer_factor);
        return out;
    }
    [[nodiscard]] static constexpr Parsed<SamPurchaseData> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(random, in.take_array<4>());
        ONECARD_TRY(counter, in.take_u16());
        ONECARD_TRY(amount, in.take_u32());
        ONECARD_TRY(type, in.take_u8());
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_TRY(version, in.take_u8());
        ONECARD_TRY(suite, in.take_u8());
        ONECARD_TRY(card, in.take_array<8>());
        ONECARD_TRY(issuer, in.take_array<8>());
        ONECARD_CHECK(in.finish());
        if ((!is_transaction_type(type) && type != sam_grey_lock_type) || !is_suite(suite))
            return refuse(ParseError::wrong_value);
        ONECARD_TRY(when, DateTime::parse(stamp));
        return SamPurchaseData{random,
                               OfflineCounter{counter},
                               Money::from_fen(amount),
                               static_cast<TransactionType>(type),
                               when,
                               KeyVersion{version},
                               static_cast<Suite>(suite),
                               card,
                               issuer};
    }
};
[[nodiscard]] constexpr ShortCommand init_sam_for_purchase(const SamPurchaseData& data) {
    return make_command(0x80, 0x70, 0x00, 0x00, data.bytes(), 0x08);
}

struct SamPurchaseAnswer {  // termSeq4 MAC1(4)
    TerminalSequence sequence;
    Mac mac1;
    [[nodiscard]] static constexpr Parsed<SamPurchaseAnswer> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(sequence, in.take_u32());
        ONECARD_TRY(mac1, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        return SamPurchaseAnswer{TerminalSequence{sequence}, mac1};
    }
};

/// CREDIT SAM FOR PURCHASE 80 72 00 00 04 MAC2 -> 9000, or 9302: debit not proven.
[[nodiscard]] constexpr ShortCommand credit_sam_for_purchase(const Mac& mac2) {
    return make_command(0x80, 0x72, 0x00, 0x00, mac2);
}
/// READ BINARY of file 16: the terminal number. domain.md 1.12.
[[nodiscard]] constexpr ShortCommand read_terminal_number() {
    return make_command(0x00, 0xB0, 0x80 | sam_sfi_terminal, 0x00, {}, 0x06);
}

}  // namespace protocol
