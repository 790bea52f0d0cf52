// Any bytes as a key store's file and as its opened entries: a named refusal, or something that is
// written again as the same bytes. The digest of a mutated file is renewed, or no mutation would
// get past it.
#include "crypto/core/sm3.hpp"
#include "crypto/keys/sealed_format.hpp"

namespace {

using namespace crypto::keys;

void try_file(std::vector<std::uint8_t> file) {
    if (file.size() > crypto::sm3_digest_size) {
        const auto digest =
            crypto::sm3(crypto::Bytes{file}.first(file.size() - crypto::sm3_digest_size));
        std::ranges::copy(digest, file.end() - crypto::sm3_digest_size);
    }
    const auto parts = parse_sealed(file);
    if (!parts) return;
    const auto header = parts->header.bytes();
    if (!std::ranges::equal(header, parts->header_bytes)) __builtin_trap();
    if (parts->sealed.size() != parts->header.sealed_size) __builtin_trap();
    if (!cost_accepted(parts->header.cost)) __builtin_trap();
}

void try_entries(std::vector<std::uint8_t> opened) {
    const auto entries = parse_entries(opened);
    if (!entries) return;
    std::vector<std::uint8_t> again(entries_size(*entries));
    write_entries(*entries, again);
    if (again != opened) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::vector<std::uint8_t> rest(data + 1, data + size);
    (data[0] & 1) != 0 ? try_entries(rest) : try_file(rest);
    return 0;
}
