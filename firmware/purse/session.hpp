#pragma once
// The transaction that INITIALIZE opens and only its own next command continues. domain.md 1.6.
#include <optional>

#include "firmware/kernel/file_system.hpp"
#include "protocol/purse.hpp"

namespace firmware::purse {

//  Every INITIALIZE opens its own state, whatever was before. From there:
//                   continues with        until
//  load             -                     CREDIT FOR LOAD
//  purchase         GET MESSAGE           DEBIT
//  capp_purchase    GET MESSAGE, CAPP     DEBIT
//  unload           -                     DEBIT FOR UNLOAD
//  overdraft        -                     UPDATE OVERDRAW LIMIT
//  grey_lock        -                     GREY LOCK
//  grey_unlock      -                     GREY UNLOCK (the station's DEBIT FOR UNLOCK needs none)
//  Anything else (GET BALANCE and GET CHALLENGE apart) and any refusal: idle.
enum class State : std::uint8_t {
    idle,
    load,
    purchase,
    capp_purchase,
    unload,
    overdraft,
    grey_lock,
    grey_unlock
};

/// Records that will be written together with the debit.
class CappCache {
public:
    static constexpr std::size_t capacity = 256;
    static constexpr std::size_t entry_count_max = 4;
    struct Entry {
        FileHandle file{0};
        std::uint8_t record = 0;  ///< 0: append
        std::uint16_t offset = 0;
        std::uint8_t size = 0;
    };
    /// Replaces the entry for the same file and record. False when there is no room.
    [[nodiscard]] bool put(FileHandle file, std::uint8_t record, Bytes data);
    [[nodiscard]] std::span<const Entry> entries() const {
        return std::span{entries_}.first(count_);
    }
    [[nodiscard]] Bytes data(const Entry& entry) const {
        return Bytes{bytes_}.subspan(entry.offset, entry.size);
    }

private:
    std::array<Entry, entry_count_max> entries_{};
    std::array<std::uint8_t, capacity> bytes_{};
    std::uint16_t used_ = 0;
    std::uint8_t count_ = 0;
};

struct Session {
    State state = State::idle;
    protocol::KeyIndex key{};
    protocol::Money amount{};
    protocol::TerminalNumber terminal{};
    protocol::CardRandom random{};
    /// What GET MESSAGE gave out; MAC1 must then cover it, too. CJ/T 166, domain.md 1.5.
    std::optional<std::array<std::uint8_t, 9>> security_code{};
    CappCache cache{};
};

}  // namespace firmware::purse
