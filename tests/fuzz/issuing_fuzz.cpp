// What the issuer reads from outside: issue lines, city and deployment descriptions, a chip's
// answers. The first byte chooses. What is accepted must survive being written and read again.
#include <cstdlib>

#include "host/keys/chip_block.hpp"
#include "host/keys/deployment.hpp"

namespace {

void orders(std::string_view text) {
    const auto parsed = host::keys::parse_orders(text, "fuzz");
    if (!parsed) return;
    std::string again{host::keys::order_header};
    for (const auto& order : *parsed) again += "\n" + to_csv(order);
    const auto second = host::keys::parse_orders(again, "fuzz");
    if (!second || *second != *parsed) std::abort();
}

void deployment(std::string_view text) {
    const auto parsed = host::keys::parse_deployment(text, "fuzz");
    if (!parsed) return;
    const auto second = host::keys::parse_deployment(to_json(*parsed), "fuzz");
    if (!second || to_json(*second) != to_json(*parsed)) std::abort();
}

/// Three answers, cut where a length byte says.
void chip_answers(protocol::Bytes data) {
    std::vector<host::keys::ResponseBytes> responses;
    while (!data.empty() && responses.size() < 4) {
        const std::size_t size = std::min<std::size_t>(data[0], data.size() - 1);
        const auto part = data.subspan(1, size);
        responses.emplace_back(part.begin(), part.end());
        data = data.subspan(1 + size);
    }
    (void)host::keys::read_opening(responses);
    (void)host::keys::read_block_opening(responses);
    (void)host::keys::check_done(responses, 3, protocol::Mac{});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const protocol::Bytes rest{data + 1, size - 1};
    const std::string_view text{reinterpret_cast<const char*>(rest.data()), rest.size()};
    if (data[0] == 'o') orders(text);
    if (data[0] == 'd') deployment(text);
    if (data[0] == 'c') chip_answers(rest);
    return 0;
}
