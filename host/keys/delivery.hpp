#pragma once
// Brings a deployed store up to date from its city's. docs/rotation.md, 1 and 3.
#include "host/keys/rotation.hpp"

namespace host::keys {

struct DeliveryOrder {
    std::filesystem::path directory;  ///< of the place
    crypto::Bytes passphrase;         ///< of its store
    Nation* nation = nullptr;         ///< issuers that make SAMs: brings the nation's roots too
};
struct DeliveredKey {
    KeyName key;
    KeyState state = KeyState::active;
    bool added = false;  ///< else its state moved
};
struct Delivery {
    std::string place;                  ///< "host host-3100"
    std::vector<DeliveredKey> changes;  ///< nothing: it was up to date
};

/// Three commits: the city's log says what the place is about to hold; the place gets it; the
/// city's log says that it did. So a key is nowhere that the city's log does not name, and a
/// rotation waits until the place has it. Repeating ends what was interrupted.
/// Refusals in this order: input_wrong, city_mismatch, mark_mismatch, store_failed,
/// nation_mismatch, not_deployed_here, city_outdated, key_mismatch.
[[nodiscard]] Result<Delivery> deliver(const DeliveryOrder& order, City& city,
                                       crypto::Random& random, const platform::Clock& clock);

}  // namespace host::keys
