#include "crypto/batch/sm3_lanes.hpp"

#include <algorithm>
#include <cassert>

#include "crypto/batch/kernels.hpp"

namespace crypto::batch {
namespace {

constexpr std::size_t lanes = 16;

/// At most `lanes` messages.
void digest_group(const std::uint8_t* const* messages, const std::size_t* sizes, Sm3Digest* digests,
                  std::size_t count, Sm3Form form) {
#if defined(ONECARD_BATCH_X86)
    if (form == Sm3Form::avx512) {
        std::uint8_t out[lanes][sm3_digest_size];
        sm3_avx512(messages, sizes, out, count);
        for (std::size_t i = 0; i < count; ++i) std::ranges::copy(out[i], digests[i].begin());
        return;
    }
#endif
    assert(form == Sm3Form::portable);
    static_cast<void>(form);
    for (std::size_t i = 0; i < count; ++i) digests[i] = sm3({messages[i], sizes[i]});
}

}  // namespace

void sm3_each(std::span<const std::span<const std::uint8_t>> messages, std::span<Sm3Digest> digests,
              Sm3Form form) {
    assert(messages.size() == digests.size());
    const std::uint8_t* starts[lanes];
    std::size_t sizes[lanes];
    for (std::size_t done = 0; done < messages.size(); done += lanes) {
        const std::size_t count = std::min(lanes, messages.size() - done);
        for (std::size_t i = 0; i < count; ++i) {
            starts[i] = messages[done + i].data();
            sizes[i] = messages[done + i].size();
        }
        digest_group(starts, sizes, &digests[done], count, form);
    }
}

void sm3_records(std::span<const std::uint8_t> records, std::size_t record_size,
                 std::span<Sm3Digest> digests, Sm3Form form) {
    assert(records.size() == record_size * digests.size());
    const std::uint8_t* starts[lanes];
    std::size_t sizes[lanes];
    std::ranges::fill(sizes, record_size);
    for (std::size_t done = 0; done < digests.size(); done += lanes) {
        const std::size_t count = std::min(lanes, digests.size() - done);
        for (std::size_t i = 0; i < count; ++i)
            starts[i] = records.data() + (done + i) * record_size;
        digest_group(starts, sizes, &digests[done], count, form);
    }
}

}  // namespace crypto::batch
