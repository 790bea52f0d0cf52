#pragma once
// What a command handler sees: the card's memory, its session and the request. A handler checks,
// stages its changes and writes its answer; the command loop commits, once, and only then lets the
// answer go.
#include <optional>

#include "crypto/core/random.hpp"
#include "crypto/purse/personalisation.hpp"
#include "firmware/os/keys.hpp"
#include "firmware/os/proof.hpp"
#include "firmware/purse/session.hpp"
#include "firmware/sam/session.hpp"
#include "protocol/apdu.hpp"

namespace firmware {

/// GET CHALLENGE's answer: four or eight bytes, for the next command only.
struct CardChallenge {
    std::array<std::uint8_t, 8> bytes{};
    bool is_eight = false;
};

namespace right {  // bits of Access::rights
constexpr std::uint8_t pin = 0x01;
constexpr std::uint8_t control_key = 0x02;
}  // namespace right

/// The rights proved in this session, and their complement: a disturbed bit takes rights away, it
/// never grants one.
class Rights {
public:
    [[nodiscard]] constexpr std::uint8_t bits() const {
        return static_cast<std::uint8_t>(granted_ & ~withheld_);
    }
    constexpr void grant(std::uint8_t right) {
        granted_ = static_cast<std::uint8_t>(bits() | right);
        withheld_ = static_cast<std::uint8_t>(~granted_);
    }
    constexpr void revoke(std::uint8_t right) {
        granted_ = static_cast<std::uint8_t>(bits() & ~right);
        withheld_ = static_cast<std::uint8_t>(~granted_);
    }

private:
    std::uint8_t granted_ = 0;
    std::uint8_t withheld_ = 0xFF;
};

/// Lost at reset; everything but the life cycle is lost at SELECT of a DF, too.
struct Session {
    FileHandle directory{0};
    std::optional<FileHandle> file;  ///< current EF
    protocol::ApplicationKind application = protocol::ApplicationKind::none;
    std::uint8_t instance = 0;  ///< of the application: numbers its state objects
    Rights rights;
    std::optional<CardChallenge> challenge;
    std::optional<crypto::purse::SessionState> personalisation;
    purse::Session purse;
    sam::Session sam;
};

/// A command after the loop's checks.
struct Request {
    const protocol::CommandApdu& apdu;
    Bytes data;  ///< without the MAC
    std::optional<CardChallenge> challenge;
    bool with_mac = false;  ///< it came with a MAC, and the MAC was right
    /// What deciphers the data, if the command enciphers it.
    std::optional<crypto::purse::PurseKey> cipher_key{};

    [[nodiscard]] std::uint8_t p1() const { return apdu.p1(); }
    [[nodiscard]] std::uint8_t p2() const { return apdu.p2(); }
};

struct Command;  // command_table.hpp

struct Context {
    Store& store;
    crypto::Random& random;
    FileSystem files{store};
    KeyRing keys{store};
    Session session{};
    Transaction change{};
    const Command* command = nullptr;  ///< that runs
    bool is_settled = false;           ///< it has committed
    bool is_done = false;              ///< and seen in the store what it did: Success::deed
    Proof proof{};                     ///< of this command
    std::optional<KeySlot> proven{};   ///< a key whose try must be given back, come what may
    protocol::ByteWriter answer{MutableBytes{}};
    StatusWord warning = StatusWord::ok;  ///< instead of 9000, with the answer

    /// The instance's own object.
    [[nodiscard]] ObjectId state(std::uint8_t which) const {
        return objects::state(session.instance, which);
    }
    /// An EF of the current DF or, failing that, of the MF. docs/card_commands.md, 5.
    [[nodiscard]] Outcome<FileHandle> short_file(std::uint8_t sfi) const;
    /// A key of the current DF, or `absent`.
    [[nodiscard]] Outcome<Key> key(KeyUsage, KeyIndex,
                                   StatusWord absent = StatusWord::referenced_data_not_found) const;
    /// Writes a key of the current DF and commits: it is written when the store gives it back.
    [[nodiscard]] Outcome<void> write_key(const Key&, std::uint8_t used = 0);
    /// A refusal answers `wrong`; the try stays taken. Success gives it back with the commit.
    [[nodiscard]] Outcome<void> prove(const Key&, Bytes expected, Bytes received, StatusWord wrong);
    /// The one way into the store for what a command has staged: looks at its right to that once
    /// more, and sees that the store has taken it. The loop does it for every command; a handler
    /// whose answer is read back from the store does it itself, before.
    [[nodiscard]] Outcome<void> commit(Urgency);
    /// The handler's last word when it must read back what it did. memory_failure otherwise.
    [[nodiscard]] Outcome<void> done_if(bool is_there);
    void close_transactions() {
        session.purse = {};
        session.sam.close();
    }
};

[[nodiscard]] inline protocol::Outcome<void> refuse_unless(bool condition, StatusWord why) {
    if (!condition) return protocol::fail(why);
    return {};
}
/// An answer of this size must fit Le, before anything changes.
[[nodiscard]] inline protocol::Outcome<void> check_le(const Request& request, std::size_t size) {
    const auto le = request.apdu.le();
    if (le && *le < size) {
        return protocol::fail(protocol::correct_le(static_cast<unsigned>(size)));
    }
    return {};
}
/// Read again from memory, whatever the compiler believes to know of it: for the second look at a
/// decision.
template <class T>
[[nodiscard]] T look_again_at(const T& value) {
    const T* where = &value;
    __asm__ volatile("" : "+r"(where) : : "memory");
    return *where;
}
/// A layout of protocol/ that did not parse, as a status word.
[[nodiscard]] constexpr StatusWord status_of(protocol::ParseError error) {
    switch (error) {
        case protocol::ParseError::truncated:
        case protocol::ParseError::trailing_bytes:
        case protocol::ParseError::wrong_length: return StatusWord::wrong_length;
        default: return StatusWord::incorrect_data;
    }
}
/// Names the parsed layout, or refuses the command.
#define ONECARD_PARSE(name, expr)                                                      \
    auto name##_or = (expr);                                                           \
    if (!name##_or) return ::protocol::fail(::firmware::status_of(name##_or.error())); \
    auto& name = *name##_or

}  // namespace firmware
