#pragma once
// The online load at the issuer: request, confirmation, reversal; each may come again.
// docs/online_messages.md; docs/ledger.md, 2; protocol/load.hpp. domain.md 1.5a.
#include "host/batches/receive.hpp"
#include "host/service/city.hpp"
#include "host/store/store.hpp"

namespace host::loads {

enum class LoadRefusal : std::uint8_t {  // In the order they are checked.
    load_malformed,
    operator_mismatch,  ///< the device in the load is not the certificate's
    device_unknown,     ///< not in the register, or another operator's
    store_failed,       ///< nothing is kept; ask again with the same key
};
[[nodiscard]] const char* name(LoadRefusal refusal);
struct Refused {
    LoadRefusal why;
    std::string detail;
};
using Answer = std::expected<protocol::LoadAnswer, Refused>;

/// One transaction each. `now` is the host's time: it goes into MAC2 and to the card.
[[nodiscard]] Answer request(store::Store& store, const City& city, const Keys& keys,
                             const batches::Sender& sender, protocol::Bytes body,
                             const protocol::DateTime& now);
[[nodiscard]] Answer confirm(store::Store& store, const City& city, const Keys& keys,
                             const batches::Sender& sender, protocol::Bytes body,
                             const protocol::DateTime& now);
[[nodiscard]] Answer reverse(store::Store& store, const City& city, const batches::Sender& sender,
                             protocol::Bytes body, const protocol::DateTime& now);

}  // namespace host::loads
