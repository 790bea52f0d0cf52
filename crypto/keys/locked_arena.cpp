#include "crypto/keys/locked_arena.hpp"

#include <sys/mman.h>

namespace crypto::keys {
namespace {
constexpr std::size_t chunk_size_min = 16384;  // small: some systems lock 64 KiB in all
}

void LockedArena::Unmap::operator()(std::uint8_t* pages) const {
    wipe({pages, size});
    munmap(pages, size);  // unlocks as well
}

LockedArena::Chunk LockedArena::map(std::size_t size) {
    void* const pages =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return {nullptr, Unmap{size}};
    if (mlock(pages, size) != 0 || madvise(pages, size, MADV_DONTDUMP) != 0) {
        munmap(pages, size);
        return {nullptr, Unmap{size}};
    }
    return {static_cast<std::uint8_t*>(pages), Unmap{size}};
}

MutableBytes LockedArena::allocate(std::size_t size) {
    if (size > free_.size()) {
        const std::size_t chunk_size = std::max(size, chunk_size_min);
        Chunk chunk = map(chunk_size);
        if (!chunk) return {};
        free_ = {chunk.get(), chunk_size};
        chunks_.push_back(std::move(chunk));
    }
    const MutableBytes out = free_.first(size);
    free_ = free_.subspan(size);
    return out;
}

}  // namespace crypto::keys
