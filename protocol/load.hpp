#pragma once
// The online load: what kiosk and issuer's host exchange. docs/online_messages.md. domain.md 1.5a.
// Natural key of a load: (device, load sequence). The same key with the same content is answered as
// before.
#include "protocol/batch.hpp"

namespace protocol {

using LoadSequence = Strong<std::uint32_t, struct LoadSequenceName>;
struct LoadKey {
    DeviceId device;
    LoadSequence sequence;  ///< rises by one per load of this device, kept in its journal
    friend constexpr auto operator<=>(const LoadKey&, const LoadKey&) = default;
};

struct LoadRequest {
    LoadKey key;
    IssuerId issuer;
    CardNumber card;
    Money amount;
    TransactionType type = TransactionType::load;
    TerminalNumber terminal;
    DateTime when;  ///< the kiosk's clock; the host answers with its own
    LoadInitialised card_answer;
    static constexpr std::size_t size = 12 + 8 + 10 + 4 + 1 + 6 + 7 + LoadInitialised::size;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put(key.device.value())
            .put_u32(key.sequence.value())
            .put(issuer.value())
            .put(card.value())
            .put_u32(amount.fen())
            .put_u8(static_cast<std::uint8_t>(type))
            .put(terminal.value())
            .put(when.bcd())
            .put(card_answer.bytes());
        return out;
    }
    [[nodiscard]] static constexpr Parsed<LoadRequest> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(device, in.take_array<8>());
        ONECARD_TRY(sequence, in.take_u32());
        ONECARD_TRY(issuer, in.take_array<8>());
        ONECARD_TRY(card, in.take_array<10>());
        if (!is_bcd(card)) return refuse(ParseError::not_bcd);
        ONECARD_TRY(amount, in.take_u32());
        ONECARD_TRY(type, in.take_u8());
        if (type != static_cast<std::uint8_t>(TransactionType::load))
            return refuse(ParseError::wrong_value);
        ONECARD_TRY(terminal, in.take_array<6>());
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_TRY(when, DateTime::parse(stamp));
        ONECARD_TRY(rest, in.take(LoadInitialised::size));
        ONECARD_TRY(answer, LoadInitialised::parse(rest));
        ONECARD_CHECK(in.finish());
        return LoadRequest{{DeviceId{device}, LoadSequence{sequence}},
                           IssuerId{issuer},
                           CardNumber{card},
                           Money::from_fen(amount),
                           TransactionType::load,
                           TerminalNumber{terminal},
                           when,
                           answer};
    }
};

enum class LoadOutcome : std::uint8_t {  // In the order they are checked.
    approved = 0x00,                     ///< MAC2 is there; the float is booked as pending
    id_reused = 0x01,                    ///< this key was used with other content
    not_our_card = 0x02,                 ///< another city's card: its own kiosks load it
    card_unknown = 0x03,
    card_hot = 0x04,
    mac1_wrong = 0x05,   ///< the card is not genuine, or its answer was changed
    counter_old = 0x06,  ///< a load with this online counter was already confirmed
    amount_out_of_limits = 0x07,
    confirmed = 0x08,  ///< answer to a confirmation: the load is final
    reversed = 0x09,   ///< answer to a reversal: the load is void, the money returned
    tac_wrong = 0x0A,
    unknown_load = 0x0B,       ///< confirm or reverse of a load never requested
    already_confirmed = 0x0C,  ///< a reversal came after the confirmation
    already_reversed = 0x0D,   ///< a confirmation came after the reversal: the load goes to dispute
};

struct LoadAnswer {
    LoadOutcome outcome = LoadOutcome::unknown_load;
    DateTime when;  ///< the host's date and time, in MAC2
    Mac mac2{};     ///< zero unless approved
    static constexpr std::size_t size = 12;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}.put_u8(static_cast<std::uint8_t>(outcome)).put(when.bcd()).put(mac2);
        return out;
    }
    [[nodiscard]] static constexpr Parsed<LoadAnswer> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(outcome, in.take_u8());
        if (outcome > 0x0D) return refuse(ParseError::wrong_value);
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_TRY(when, DateTime::parse(stamp));
        ONECARD_TRY(mac2, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        return LoadAnswer{static_cast<LoadOutcome>(outcome), when, mac2};
    }
};

/// Sent with the card's TAC (from CREDIT's answer, or from GET TRANSACTION PROVE after a lost one).
struct LoadConfirmation {
    LoadKey key;
    Mac tac;
    static constexpr std::size_t size = 16;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}.put(key.device.value()).put_u32(key.sequence.value()).put(tac);
        return out;
    }
    [[nodiscard]] static constexpr Parsed<LoadConfirmation> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(device, in.take_array<8>());
        ONECARD_TRY(sequence, in.take_u32());
        ONECARD_TRY(tac, in.take_array<4>());
        ONECARD_CHECK(in.finish());
        return LoadConfirmation{{DeviceId{device}, LoadSequence{sequence}}, tac};
    }
};

enum class ReversalReason : std::uint8_t {
    card_unchanged = 0x01,  ///< the card was asked: its online counter is still the one of INIT
    never_sent = 0x02,      ///< CREDIT FOR LOAD never left the kiosk: its journal shows it
};
struct LoadReversal {
    LoadKey key;
    ReversalReason reason;
    static constexpr std::size_t size = 13;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put(key.device.value())
            .put_u32(key.sequence.value())
            .put_u8(static_cast<std::uint8_t>(reason));
        return out;
    }
    [[nodiscard]] static constexpr Parsed<LoadReversal> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(device, in.take_array<8>());
        ONECARD_TRY(sequence, in.take_u32());
        ONECARD_TRY(reason, in.take_u8());
        if (reason != 1 && reason != 2) return refuse(ParseError::wrong_value);
        ONECARD_CHECK(in.finish());
        return LoadReversal{{DeviceId{device}, LoadSequence{sequence}},
                            static_cast<ReversalReason>(reason)};
    }
};

}  // namespace protocol
