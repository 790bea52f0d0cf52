#pragma once
// SM3 (GB/T 32905-2016) over many short messages at once: audit entries, Merkle leaves, batch
// records.
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "crypto/batch/forms.hpp"
#include "crypto/core/sm3.hpp"

namespace crypto::batch {

enum class Sm3Refusal : std::uint8_t {  // In the order they are checked.
    wrong_size,                         ///< not as many messages, or records, as digests
    form_unavailable,                   ///< `form` names instructions that this processor lacks
};

/// digests[i] = SM3(messages[i]). Lengths may differ; messages of like length next to each other
/// are fastest. Both spans have the same size. After a refusal nothing was written. Not for
/// secrets: the messages' expanded words stay on the stack.
[[nodiscard]] std::expected<void, Sm3Refusal> sm3_each(
    std::span<const std::span<const std::uint8_t>> messages, std::span<Sm3Digest> digests,
    Sm3Form form = best_forms().sm3);

/// digests[i] = SM3 of the i-th `record_size` bytes of `records`, which holds digests.size() of
/// them.
[[nodiscard]] std::expected<void, Sm3Refusal> sm3_records(std::span<const std::uint8_t> records,
                                                          std::size_t record_size,
                                                          std::span<Sm3Digest> digests,
                                                          Sm3Form form = best_forms().sm3);

}  // namespace crypto::batch
