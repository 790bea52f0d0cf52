#pragma once
// One chip's way from blank to issued, as pure functions: what to ask it, what to send it, whether
// it did it. docs/keys.md, 5; docs/card_commands.md, 3.
#include <vector>

#include "crypto/keys/key_store.hpp"
#include "host/keys/issue_order.hpp"
#include "protocol/personalisation.hpp"

namespace host::keys {

using protocol::ChipSerial;
using protocol::ShortCommand;
using ResponseBytes = std::vector<std::uint8_t>;

enum class IssuingRefusal : std::uint8_t {  // In the order they are checked.
    unknown_session,     ///< no such session of this desk: begin again with the same reference
    wrong_kind,          ///< the reference stands for a chip of the other kind
    line_unknown,        ///< no line is left
    response_malformed,  ///< not as many answers as commands, or not in their layout
    chip_refused,        ///< a status word other than 9000
    chip_not_blank,      ///< personalised already, and not by this line
    transport_unknown,   ///< no transport key of the chip's suite and version
    line_bound_to_other_chip,
    chip_bound_to_other_line,  ///< or it is scrap
    line_closed,               ///< the chip was lost, blocked or retired
    not_to_be_blocked,  ///< a desk may block chips only that the issuer has blocked or retired
    keys_missing,       ///< our store lacks a key that the order needs
    receipt_wrong,      ///< ACTIVATE's answer does not prove the chip
    store_failed,       ///< nothing was recorded
};
[[nodiscard]] const char* name(IssuingRefusal refusal);

struct IssuingFailure {
    IssuingRefusal refusal;
    std::string detail;
};
template <class T>
using IssuingResult = std::expected<T, IssuingFailure>;

/// Exactly `count` answers came.
[[nodiscard]] IssuingResult<void> expect_answers(std::span<const ResponseBytes> responses,
                                                 std::size_t count);
/// An answer's data, when its status word is 9000. Refers to `responses`.
[[nodiscard]] IssuingResult<protocol::Bytes> answer_data(std::span<const ResponseBytes> responses,
                                                         std::size_t index);

/// Step 1, the same for every chip: SELECT MF, GET DATA (chip), GET CHALLENGE.
[[nodiscard]] std::vector<ShortCommand> opening_commands();

struct ChipAnswers {
    protocol::ChipInfo chip;
    std::array<std::uint8_t, 8> challenge{};
};
[[nodiscard]] IssuingResult<ChipAnswers> read_opening(std::span<const ResponseBytes> responses);

/// Whose keys and names go into the chips.
struct IssuerPlace {
    protocol::CityCode city;
    protocol::IssuerId issuer;
};
/// A key in a chip. `national`: the nation's root itself; else derived from the city's master.
struct KeyStamp {
    crypto::keys::KeyUse use;
    protocol::Suite suite;
    protocol::KeyVersion version;
    bool national = false;
    friend auto operator<=>(const KeyStamp&, const KeyStamp&) = default;
};
/// From a city's master to a SAM's own key 33, 36 or 39. docs/issuing.md, 2.
[[nodiscard]] std::array<crypto::purse::Factor, 2> sam_own_factors(const ChipSerial& serial);

/// Step 2: everything that the chip will be told.
struct Personalisation {
    std::vector<ShortCommand> commands;  ///< EXTERNAL AUTHENTICATE first, ACTIVATE last
    protocol::Mac receipt{};             ///< what ACTIVATE must answer
    std::vector<KeyStamp> keys;          ///< every key that is put in, PINs apart
};
/// Keys are the newest active versions in `store`. A blank chip, or one whose personalisation was
/// torn.
[[nodiscard]] IssuingResult<Personalisation> personalise(const crypto::keys::KeyStore& store,
                                                         const IssuerPlace& place,
                                                         const IssueOrder& order,
                                                         const ChipAnswers& chip);

/// Step 3: every answer 9000, and the receipt right.
[[nodiscard]] IssuingResult<void> check_done(std::span<const ResponseBytes> responses,
                                             std::size_t command_count,
                                             const protocol::Mac& receipt);

}  // namespace host::keys
