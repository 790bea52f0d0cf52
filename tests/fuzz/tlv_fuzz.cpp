// Any bytes: reading ends, moves forward, and what was read can be written back to the same object.
#include <array>

#include "protocol/tlv.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    protocol::ByteReader in{{data, size}};
    while (!in.empty()) {
        const std::size_t before = in.size();
        const auto object = protocol::read_tlv(in);
        if (!object) return in.size() == before ? 0 : (__builtin_trap(), 0);
        if (in.size() >= before) __builtin_trap();
        std::array<std::uint8_t, 70'000> again{};
        protocol::ByteWriter out{again};
        protocol::put_tlv(out, object->tag, object->value);
        protocol::ByteReader back{out.written()};
        const auto copy = protocol::read_tlv(back);
        if (!copy || copy->tag != object->tag || !std::ranges::equal(copy->value, object->value)) {
            __builtin_trap();
        }
    }
    return 0;
}
