// Any text as a key block, under a key of each version: a named refusal, or a key whose block can
// be written and opened again. The MAC stops what is random, so the header is read on its own too.
#include <algorithm>
#include <array>
#include <string_view>

#include "crypto/keys/key_block.hpp"

namespace {

using namespace crypto;
using namespace crypto::keys;

class FixedRandom final : public Random {
public:
    void fill(MutableBytes out) override { std::ranges::fill(out, std::uint8_t{0x42}); }
};

/// The protection keys of the seeds.
constexpr std::array<std::uint8_t, 16> pair{0xEF, 0xE0, 0x85, 0x3B, 0x25, 0x6B, 0x58, 0x3D,
                                            0x86, 0x8F, 0x25, 0x1C, 0xE9, 0x9E, 0xA1, 0xD9};
constexpr std::array<std::uint8_t, 32> aes{
    0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41,
    0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41};

void require(bool holds) {
    if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto header = parse_key_block_header(text);
    if (!header) require(name(header.error())[0] != 0);
    for (const Bytes key : {Bytes{pair}, Bytes{aes}}) {
        const auto opened = unwrap_key_block(key, text);
        if (!opened) {
            require(name(opened.error())[0] != 0);
            continue;
        }
        FixedRandom random;
        const auto again = wrap_key_block(key, opened->header, opened->key.bytes(), random);
        if (!again) {
            require(again.error() == KeyBlockError::version_not_written);
            continue;
        }
        const auto back = unwrap_key_block(key, *again);
        require(back && std::ranges::equal(back->key.bytes(), opened->key.bytes()));
    }
    return 0;
}
