#pragma once
// Records to their issuer, outcomes back: in order per peer, at least once, applied exactly once.
// docs/online_messages.md "City to city"; docs/day.md, 2.
#include "host/clearing/issuer.hpp"

namespace host::exchange {

enum class PeerRefusal : std::uint8_t {  // In the order they are checked.
    message_malformed,
    mark_mismatch,
    city_mismatch,  ///< from or to are not the certificate's city and ours, or no peer of ours
    id_reused,      ///< this number came with other content
    out_of_order,   ///< an earlier message is missing: send that first
    day_too_far,    ///< the sender's business date is days ahead of ours
    store_failed,   ///< nothing is kept; send again
};
[[nodiscard]] const char* name(PeerRefusal refusal);
struct Refused {
    PeerRefusal why;
    std::string detail;
};

/// The issuer's side: decides, books, and answers the bytes of an OutcomesView; the same message
/// again gets the same bytes. `from` is the certificate's city.
[[nodiscard]] std::expected<store::FileBytes, Refused> receive(store::Store& store,
                                                               const City& city, const Keys& keys,
                                                               protocol::CityCode from,
                                                               protocol::Bytes message,
                                                               const protocol::DateTime& now);

/// The sender's side: books what the issuer accepted under the answer's date. An answer that was
/// applied before changes nothing.
[[nodiscard]] std::expected<void, Refused> apply_answer(store::Store& store, const City& city,
                                                        protocol::CityCode peer,
                                                        protocol::MessageNumber number,
                                                        protocol::Bytes answer);

}  // namespace host::exchange
