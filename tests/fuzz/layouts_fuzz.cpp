// Any bytes: a layout that parses writes bytes that parse to the same value.
#include "protocol/hot_list.hpp"
#include "protocol/load.hpp"
#include "protocol/sam.hpp"

namespace {

template <class Layout>
void round_trip(protocol::Bytes raw) {
    const auto first = Layout::parse(raw);
    if (!first) return;
    const auto written = first->bytes();
    const auto second = Layout::parse(written);
    if (!second || second->bytes() != written) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const protocol::Bytes raw{data, size};
    round_trip<protocol::InitialiseData>(raw);
    round_trip<protocol::LoadInitialised>(raw);
    round_trip<protocol::PurchaseInitialised>(raw);
    round_trip<protocol::PurseLogRecord>(raw);
    round_trip<protocol::SamPurchaseData>(raw);
    round_trip<protocol::SamApplicationInfo>(raw);
    round_trip<protocol::PublicInfo>(raw);
    round_trip<protocol::ManagementInfo>(raw);
    round_trip<protocol::TripRecord>(raw);
    round_trip<protocol::RailJourney>(raw);
    round_trip<protocol::BatchHeader>(raw);
    round_trip<protocol::BatchRecord>(raw);
    round_trip<protocol::BatchTrailer>(raw);
    round_trip<protocol::HotListHeader>(raw);
    round_trip<protocol::HotEntry>(raw);
    round_trip<protocol::LoadRequest>(raw);
    round_trip<protocol::LoadAnswer>(raw);
    round_trip<protocol::LoadConfirmation>(raw);
    round_trip<protocol::LoadReversal>(raw);
    return 0;
}
