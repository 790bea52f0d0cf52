#include "crypto/batch/sm3_lanes.hpp"

#include <algorithm>

#include "crypto/batch/kernels.hpp"

namespace crypto::batch {
namespace {

/// Messages handed to a kernel at a time: enough for the call to cost nothing, few enough for the
/// stack.
constexpr std::size_t most_at_once = 512;

void digest_some(const std::uint8_t* const* messages, const std::size_t* sizes,
                 std::span<Sm3Digest> digests, Sm3Form form) {
#if defined(ONECARD_BATCH_X86)
    if (form == Sm3Form::avx512) {
        static_assert(sizeof(Sm3Digest) == sm3_digest_size);
        auto* out = reinterpret_cast<std::uint8_t(*)[sm3_digest_size]>(digests.data());
        sm3_avx512(messages, sizes, out, digests.size());
        return;
    }
#endif
    static_cast<void>(form);
    for (std::size_t i = 0; i < digests.size(); ++i) digests[i] = sm3({messages[i], sizes[i]});
}

}  // namespace

std::expected<void, Sm3Refusal> sm3_each(std::span<const std::span<const std::uint8_t>> messages,
                                         std::span<Sm3Digest> digests, Sm3Form form) {
    if (messages.size() != digests.size()) return std::unexpected{Sm3Refusal::wrong_size};
    if (!is_available(form)) return std::unexpected{Sm3Refusal::form_unavailable};
    const std::uint8_t* starts[most_at_once];
    std::size_t sizes[most_at_once];
    for (std::size_t done = 0; done < messages.size(); done += most_at_once) {
        const std::size_t count = std::min(most_at_once, messages.size() - done);
        for (std::size_t i = 0; i < count; ++i) {
            starts[i] = messages[done + i].data();
            sizes[i] = messages[done + i].size();
        }
        digest_some(starts, sizes, digests.subspan(done, count), form);
    }
    return {};
}

std::expected<void, Sm3Refusal> sm3_records(std::span<const std::uint8_t> records,
                                            std::size_t record_size, std::span<Sm3Digest> digests,
                                            Sm3Form form) {
    // Divided, not multiplied: a product could overflow into the right size.
    const bool fits = record_size == 0 ? records.empty()
                                       : records.size() % record_size == 0 &&
                                             records.size() / record_size == digests.size();
    if (!fits) return std::unexpected{Sm3Refusal::wrong_size};
    if (!is_available(form)) return std::unexpected{Sm3Refusal::form_unavailable};
    const std::uint8_t* starts[most_at_once];
    std::size_t sizes[most_at_once];
    std::ranges::fill(sizes, record_size);
    for (std::size_t done = 0; done < digests.size(); done += most_at_once) {
        const std::size_t count = std::min(most_at_once, digests.size() - done);
        for (std::size_t i = 0; i < count; ++i) {
            starts[i] = records.data() + (done + i) * record_size;
        }
        digest_some(starts, sizes, digests.subspan(done, count), form);
    }
    return {};
}

}  // namespace crypto::batch
