#pragma once
// A stored batch is looked into: register, own cards decided, other cities' cards put into the
// outbox; everything in one transaction. docs/outcomes.md, 1.
#include "host/clearing/issuer.hpp"

namespace host::batches {

struct Verified {
    store::BatchId batch;
    std::uint32_t accepted = 0;
    std::uint32_t forwarded = 0;
    std::uint32_t refused = 0;  ///< anything else
};

/// The oldest stored batch; nothing when there is none. A failure has changed nothing: try again.
[[nodiscard]] std::expected<std::optional<Verified>, store::StoreFailure> verify_next(
    store::Store& store, const City& city, const Keys& keys, const protocol::DateTime& now);

}  // namespace host::batches
