#pragma once
// The electronic purse's commands, answers, MAC inputs and log. domain.md 1.1-1.6 (PBOC EP, as JT/T
// 978 uses it). The order of fields in every MAC input is part of the contract between card, SAM
// and host.
#include "protocol/apdu.hpp"
#include "protocol/date_time.hpp"
#include "protocol/ids.hpp"
#include "protocol/money.hpp"

namespace protocol {

/// TT, in commands, MACs, TACs and records. domain.md 1.1.
enum class TransactionType : std::uint8_t {
    deposit_load = 0x01,
    load = 0x02,
    unload = 0x03,
    cash_withdrawal = 0x04,
    deposit_purchase = 0x05,
    purchase = 0x06,
    overdraft_change = 0x07,
    credit_purchase = 0x08,
    capp_purchase = 0x09,
};
[[nodiscard]] constexpr bool is_transaction_type(std::uint8_t value) {
    return value >= 1 && value <= 9;
}

using Mac = std::array<std::uint8_t, 4>;  ///< MAC1, MAC2, TAC: the left four bytes. domain.md 1.4
using CardRandom = std::array<std::uint8_t, 4>;  ///< the card's random number in INIT's answer
constexpr KeyIndex default_key_index{1};

// ---- INITIALIZE FOR LOAD 80 50 00 02, FOR PURCHASE 80 50 01 02, FOR CAPP PURCHASE 80 50 03 02 (Lc
// 0B) ----

struct InitialiseData {  // keyIdx1 amt4 term6
    KeyIndex key;
    Money amount;
    TerminalNumber terminal;
    static constexpr std::size_t size = 11;
    [[nodiscard]] static constexpr Parsed<InitialiseData> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(key, in.take_u8());
        ONECARD_TRY(amount, in.take_u32());
        ONECARD_TRY(terminal, in.take_array<6>());
        ONECARD_CHECK(in.finish());
        return InitialiseData{KeyIndex{key}, Money::from_fen(amount), TerminalNumber{terminal}};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}.put_u8(key.value()).put_u32(amount.fen()).put(terminal.value());
        return out;
    }
};

[[nodiscard]] constexpr ShortCommand initialise_for_load(const InitialiseData& data) {
    return make_command(0x80, 0x50, 0x00, 0x02, data.bytes(), 0x10);
}
[[nodiscard]] constexpr ShortCommand initialise_for_purchase(const InitialiseData& data) {
    return make_command(0x80, 0x50, 0x01, 0x02, data.bytes(), 0x0F);
}
[[nodiscard]] constexpr ShortCommand initialise_for_capp_purchase(const InitialiseData& data) {
    return make_command(0x80, 0x50, 0x03, 0x02, data.bytes(), 0x0F);
}

struct LoadInitialised {  // balance4 onlineSeq2 keyVer1 algId1 rand4 MAC1(4). domain.md 1.2
    Money balance;
    OnlineCounter counter;
    KeyVersion key_version;
    Suite suite;
    CardRandom random;
    Mac mac1;
    static constexpr std::size_t size = 16;
    [[nodiscard]] static constexpr Parsed<LoadInitialised> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(balance, in.take_u32());
        ONECARD_TRY(counter, in.take_u16());
        ONECARD_TRY(version, in.take_u8());
        ONECARD_TRY(suite, in.take_u8());
        ONECARD_TRY(random, in.take_array<4>());
        ONECARD_TRY(mac1, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        if (!is_suite(suite)) return refuse(ParseError::wrong_value);
        return LoadInitialised{Money::from_fen(balance),
                               OnlineCounter{counter},
                               KeyVersion{version},
                               static_cast<Suite>(suite),
                               random,
                               mac1};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u32(balance.fen())
            .put_u16(counter.value())
            .put_u8(key_version.value())
            .put_u8(static_cast<std::uint8_t>(suite))
            .put(random)
            .put(mac1);
        return out;
    }
};

struct PurchaseInitialised {  // balance4 offlineSeq2 overdraftLimit3 keyVer1 algId1 rand4.
                              // domain.md 1.2
    Money balance;
    OfflineCounter counter;
    std::uint32_t overdraft_limit_fen;  ///< three bytes
    KeyVersion key_version;
    Suite suite;
    CardRandom random;
    static constexpr std::size_t size = 15;
    [[nodiscard]] static constexpr Parsed<PurchaseInitialised> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(balance, in.take_u32());
        ONECARD_TRY(counter, in.take_u16());
        ONECARD_TRY(overdraft, in.take_u24());
        ONECARD_TRY(version, in.take_u8());
        ONECARD_TRY(suite, in.take_u8());
        ONECARD_TRY(random, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        if (!is_suite(suite)) return refuse(ParseError::wrong_value);
        return PurchaseInitialised{Money::from_fen(balance), OfflineCounter{counter},   overdraft,
                                   KeyVersion{version},      static_cast<Suite>(suite), random};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u32(balance.fen())
            .put_u16(counter.value())
            .put_u24(overdraft_limit_fen)
            .put_u8(key_version.value())
            .put_u8(static_cast<std::uint8_t>(suite))
            .put(random);
        return out;
    }
};

// ---- CREDIT FOR LOAD 80 52 00 00 0B date4 time3 MAC2(4) -> TAC4 ----
struct CreditData {
    DateTime when;
    Mac mac2;
    static constexpr std::size_t size = 11;
    [[nodiscard]] static constexpr Parsed<CreditData> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_TRY(mac2, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        ONECARD_TRY(when, DateTime::parse(stamp));
        return CreditData{when, mac2};
    }
};
[[nodiscard]] constexpr ShortCommand credit_for_load(const CreditData& data) {
    std::array<std::uint8_t, CreditData::size> bytes{};
    ByteWriter{bytes}.put(data.when.bcd()).put(data.mac2);
    return make_command(0x80, 0x52, 0x00, 0x00, bytes, 0x04);
}

// ---- DEBIT FOR UNLOAD 80 54 03 00 0B date4 time3 MAC2(4) -> MAC3(4) ----
[[nodiscard]] constexpr ShortCommand initialise_for_unload(const InitialiseData& data) {
    return make_command(0x80, 0x50, 0x05, 0x02, data.bytes(), 0x10);
}
[[nodiscard]] constexpr ShortCommand debit_for_unload(const CreditData& data) {
    std::array<std::uint8_t, CreditData::size> bytes{};
    ByteWriter{bytes}.put(data.when.bcd()).put(data.mac2);
    return make_command(0x80, 0x54, 0x03, 0x00, bytes, 0x04);
}

// ---- INITIALIZE FOR UPDATE 80 50 04 02 0B (amount 0), UPDATE OVERDRAW LIMIT 80 58 00 00 0E ->
// TAC4 ----
[[nodiscard]] constexpr ShortCommand initialise_for_update(KeyIndex key,
                                                           const TerminalNumber& terminal) {
    return make_command(0x80, 0x50, 0x04, 0x02, InitialiseData{key, Money{}, terminal}.bytes(),
                        0x13);
}
struct OverdraftData {  // newLimit3 date4 time3 MAC2(4)
    std::uint32_t limit_fen;
    DateTime when;
    Mac mac2;
    static constexpr std::size_t size = 14;
    [[nodiscard]] static constexpr Parsed<OverdraftData> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(limit, in.take_u24());
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_TRY(mac2, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        ONECARD_TRY(when, DateTime::parse(stamp));
        return OverdraftData{limit, when, mac2};
    }
};
[[nodiscard]] constexpr ShortCommand update_overdraw_limit(const OverdraftData& data) {
    std::array<std::uint8_t, OverdraftData::size> bytes{};
    ByteWriter{bytes}.put_u24(data.limit_fen).put(data.when.bcd()).put(data.mac2);
    return make_command(0x80, 0x58, 0x00, 0x00, bytes, 0x04);
}

/// GET MESSAGE: the security code that CJ/T 166 adds to MAC1's input. domain.md 1.1, 1.5.
constexpr std::size_t security_code_size = 9;
[[nodiscard]] constexpr ShortCommand get_security_code() {
    return make_command(0x80, 0xCA, 0x00, 0x00, {}, security_code_size);
}

// ---- DEBIT FOR PURCHASE / CAPP 80 54 01 00 0F termSeq4 date4 time3 MAC1(4) -> TAC4 MAC2(4) ----
struct DebitData {
    TerminalSequence sequence;
    DateTime when;
    Mac mac1;
    static constexpr std::size_t size = 15;
    [[nodiscard]] static constexpr Parsed<DebitData> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(sequence, in.take_u32());
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_TRY(mac1, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        ONECARD_TRY(when, DateTime::parse(stamp));
        return DebitData{TerminalSequence{sequence}, when, mac1};
    }
};
[[nodiscard]] constexpr ShortCommand debit_for_purchase(const DebitData& data) {
    std::array<std::uint8_t, DebitData::size> bytes{};
    ByteWriter{bytes}.put_u32(data.sequence.value()).put(data.when.bcd()).put(data.mac1);
    return make_command(0x80, 0x54, 0x01, 0x00, bytes, 0x08);
}

/// TAC then MAC2 in DEBIT's answer, MAC2 then TAC in GET TRANSACTION PROVE's. domain.md 1.5 [X].
struct DebitProof {
    Mac tac;
    Mac mac2;
    [[nodiscard]] static constexpr Parsed<DebitProof> parse_debit(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(tac, in.take_array<4>());
        ONECARD_TRY(mac2, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        return DebitProof{tac, mac2};
    }
    [[nodiscard]] static constexpr Parsed<DebitProof> parse_prove(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(mac2, in.take_array<4>());
        ONECARD_TRY(tac, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        return DebitProof{tac, mac2};
    }
};

// ---- GET TRANSACTION PROVE 80 5A 00 TT 02 seq2 -> MAC4 TAC4, or 9406 ----
/// `counter` is the value BEFORE the transaction, as INIT answered it (domain.md 1.6 [X]: decided
/// here). For a load the MAC in the answer is MAC2 as the card received it.
[[nodiscard]] constexpr ShortCommand get_transaction_prove(TransactionType type,
                                                           std::uint16_t counter) {
    const std::array<std::uint8_t, 2> data{static_cast<std::uint8_t>(counter >> 8),
                                           static_cast<std::uint8_t>(counter)};
    return make_command(0x80, 0x5A, 0x00, static_cast<std::uint8_t>(type), data, 0x08);
}

[[nodiscard]] constexpr ShortCommand get_balance() {  // electronic purse
    return make_command(0x80, 0x5C, 0x00, 0x02, {}, 0x04);
}
/// UPDATE CAPP DATA CACHE: `record_id` is 00 for a cyclic file; for file 1A it is the low byte of
/// the record's two-byte id (2701 -> 01). domain.md 3.3 [X]: decided here.
[[nodiscard]] constexpr ShortCommand update_capp_data_cache(std::uint8_t record_id,
                                                            std::uint8_t sfi, Bytes record) {
    return make_command(0x80, 0xDC, record_id, static_cast<std::uint8_t>(sfi << 3), record);
}

// ---- MAC and TAC inputs. domain.md 1.5 ----

/// Load MAC1 (card -> host): oldBalance4 amount4 TT1 term6.
[[nodiscard]] constexpr std::array<std::uint8_t, 15> load_mac1_input(
    Money old_balance, Money amount, TransactionType type, const TerminalNumber& terminal) {
    std::array<std::uint8_t, 15> out{};
    ByteWriter{out}
        .put_u32(old_balance.fen())
        .put_u32(amount.fen())
        .put_u8(static_cast<std::uint8_t>(type))
        .put(terminal.value());
    return out;
}
/// Load MAC2 (host -> card): amount4 TT1 term6 hostDate4 hostTime3.
[[nodiscard]] constexpr std::array<std::uint8_t, 18> load_mac2_input(Money amount,
                                                                     TransactionType type,
                                                                     const TerminalNumber& terminal,
                                                                     const DateTime& when) {
    std::array<std::uint8_t, 18> out{};
    ByteWriter{out}
        .put_u32(amount.fen())
        .put_u8(static_cast<std::uint8_t>(type))
        .put(terminal.value())
        .put(when.bcd());
    return out;
}
/// Load TAC: newBalance4 onlineSeq2 (before) amount4 TT1 term6 hostDate4 hostTime3.
[[nodiscard]] constexpr std::array<std::uint8_t, 24> load_tac_input(
    Money new_balance, OnlineCounter counter, Money amount, TransactionType type,
    const TerminalNumber& terminal, const DateTime& when) {
    std::array<std::uint8_t, 24> out{};
    ByteWriter{out}
        .put_u32(new_balance.fen())
        .put_u16(counter.value())
        .put_u32(amount.fen())
        .put_u8(static_cast<std::uint8_t>(type))
        .put(terminal.value())
        .put(when.bcd());
    return out;
}
/// Purchase MAC1 (SAM -> card): amount4 TT1 term6 termDate4 termTime3.
[[nodiscard]] constexpr std::array<std::uint8_t, 18> purchase_mac1_input(
    Money amount, TransactionType type, const TerminalNumber& terminal, const DateTime& when) {
    return load_mac2_input(amount, type, terminal, when);
}
/// Purchase MAC2 (card -> SAM): amount4 only.
[[nodiscard]] constexpr std::array<std::uint8_t, 4> purchase_mac2_input(Money amount) {
    std::array<std::uint8_t, 4> out{};
    ByteWriter{out}.put_u32(amount.fen());
    return out;
}
/// Purchase TAC: amount4 TT1 term6 termSeq4 termDate4 termTime3.
[[nodiscard]] constexpr std::array<std::uint8_t, 22> purchase_tac_input(
    Money amount, TransactionType type, const TerminalNumber& terminal, TerminalSequence sequence,
    const DateTime& when) {
    std::array<std::uint8_t, 22> out{};
    ByteWriter{out}
        .put_u32(amount.fen())
        .put_u8(static_cast<std::uint8_t>(type))
        .put(terminal.value())
        .put_u32(sequence.value())
        .put(when.bcd());
    return out;
}

/// Unload MAC1, MAC2: the load's layouts with type 03. Unload MAC3 (card -> host), the load TAC's
/// with the balance that is left. domain.md 1.5.

/// INITIALIZE FOR UPDATE's MAC1 (card -> host): balance4 oldLimit3 TT1 term6. domain.md 1.5.
[[nodiscard]] constexpr std::array<std::uint8_t, 14> overdraft_mac1_input(
    Money balance, std::uint32_t old_limit_fen, const TerminalNumber& terminal) {
    std::array<std::uint8_t, 14> out{};
    ByteWriter{out}
        .put_u32(balance.fen())
        .put_u24(old_limit_fen)
        .put_u8(static_cast<std::uint8_t>(TransactionType::overdraft_change))
        .put(terminal.value());
    return out;
}
/// UPDATE OVERDRAW LIMIT's MAC2 (host -> card): newLimit3 TT1 term6 date4 time3.
[[nodiscard]] constexpr std::array<std::uint8_t, 17> overdraft_mac2_input(
    std::uint32_t new_limit_fen, const TerminalNumber& terminal, const DateTime& when) {
    std::array<std::uint8_t, 17> out{};
    ByteWriter{out}
        .put_u24(new_limit_fen)
        .put_u8(static_cast<std::uint8_t>(TransactionType::overdraft_change))
        .put(terminal.value())
        .put(when.bcd());
    return out;
}
/// Its TAC: balance4 onlineSeq2 (before) newLimit3 TT1 term6 date4 time3.
[[nodiscard]] constexpr std::array<std::uint8_t, 23> overdraft_tac_input(
    Money balance, OnlineCounter counter, std::uint32_t new_limit_fen,
    const TerminalNumber& terminal, const DateTime& when) {
    std::array<std::uint8_t, 23> out{};
    ByteWriter{out}
        .put_u32(balance.fen())
        .put_u16(counter.value())
        .put_u24(new_limit_fen)
        .put_u8(static_cast<std::uint8_t>(TransactionType::overdraft_change))
        .put(terminal.value())
        .put(when.bcd());
    return out;
}

// ---- Transaction log, file 18: cyclic, 23 bytes. domain.md 1.8 ----
struct PurseLogRecord {  // seq2 overdraftLimit3 amount4 TT1 term6 date4 time3
    std::uint16_t counter_after;
    std::uint32_t overdraft_limit_fen;
    Money amount;
    TransactionType type;
    TerminalNumber terminal;
    DateTime when;
    static constexpr std::size_t size = 23;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u16(counter_after)
            .put_u24(overdraft_limit_fen)
            .put_u32(amount.fen())
            .put_u8(static_cast<std::uint8_t>(type))
            .put(terminal.value())
            .put(when.bcd());
        return out;
    }
    [[nodiscard]] static constexpr Parsed<PurseLogRecord> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(counter, in.take_u16());
        ONECARD_TRY(overdraft, in.take_u24());
        ONECARD_TRY(amount, in.take_u32());
        ONECARD_TRY(type, in.take_u8());
        ONECARD_TRY(terminal, in.take_array<6>());
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_CHECK(in.finish());
        if (!is_transaction_type(type)) return refuse(ParseError::wrong_value);
        ONECARD_TRY(when, DateTime::parse(stamp));
        return PurseLogRecord{counter,
                              overdraft,
                              Money::from_fen(amount),
                              static_cast<TransactionType>(type),
                              TerminalNumber{terminal},
                              when};
    }
};

}  // namespace protocol
