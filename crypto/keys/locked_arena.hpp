#pragma once
#include <memory>
#include <vector>

#include "crypto/core/secret.hpp"

namespace crypto::keys {

/// Memory for secrets: never swapped (mlock), never in a core dump (MADV_DONTDUMP), wiped at the
/// end. Gives, never takes back: a store's secrets live as long as the store.
class LockedArena {
public:
    LockedArena() = default;
    LockedArena(LockedArena&&) = default;
    LockedArena& operator=(LockedArena&&) = default;

    /// Zeroed bytes; empty when the system refuses to lock more (RLIMIT_MEMLOCK). `size` is at
    /// least 1.
    [[nodiscard]] MutableBytes allocate(std::size_t size);

private:
    struct Unmap {
        std::size_t size;
        void operator()(std::uint8_t* pages) const;
    };
    using Chunk = std::unique_ptr<std::uint8_t, Unmap>;
    [[nodiscard]] static Chunk map(std::size_t size);

    std::vector<Chunk> chunks_;
    MutableBytes free_;  // the rest of the last chunk
};

}  // namespace crypto::keys
