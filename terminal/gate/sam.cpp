#include "terminal/gate/sam.hpp"

namespace terminal {

namespace {

constexpr unsigned serial_file_size = 14;  // serial10 version1 type1 set1 FCI1

std::expected<std::vector<std::uint8_t>, SamRefusal> ask(CardLink& link, Bytes command,
                                                         SamRefusal when_refused) {
    const auto response = link.transmit(command);
    if (!response) return std::unexpected{SamRefusal::sam_gone};
    const auto answer = protocol::ResponseApdu::parse(*response);
    if (!answer || !answer->ok()) return std::unexpected{when_refused};
    return std::vector<std::uint8_t>{answer->data().begin(), answer->data().end()};
}

}  // namespace

const char* name(SamRefusal refusal) {
    switch (refusal) {
        case SamRefusal::sam_gone: return "sam_gone";
        case SamRefusal::not_a_purchase_sam: return "not_a_purchase_sam";
        case SamRefusal::sam_data_malformed: return "sam_data_malformed";
        case SamRefusal::sam_of_other_operator: return "sam_of_other_operator";
        case SamRefusal::sam_not_started: return "sam_not_started";
        case SamRefusal::sam_expired: return "sam_expired";
    }
    return "unknown";
}

std::expected<SamIdentity, SamRefusal> open_sam(CardLink& link, const OperatorId& operator_id,
                                                const protocol::Date& today) {
    constexpr auto malformed = SamRefusal::sam_data_malformed;
    ONECARD_CHECK(
        ask(link, protocol::select_by_name(protocol::sam_aid), SamRefusal::not_a_purchase_sam));
    const auto read_serial = protocol::read_binary(protocol::sam_sfi_serial, 0, serial_file_size);
    ONECARD_TRY(serial, ask(link, read_serial, malformed));
    ONECARD_TRY(terminal, ask(link, protocol::read_terminal_number(), malformed));
    const auto read_info =
        protocol::read_binary(protocol::sam_sfi_application, 0, protocol::SamApplicationInfo::size);
    ONECARD_TRY(info_bytes, ask(link, read_info, malformed));

    const auto number = protocol::ByteReader{serial}.take_array<10>();
    const auto info = protocol::SamApplicationInfo::parse(info_bytes);
    const auto terminal_number = protocol::ByteReader{terminal}.take_array<6>();
    if (!number || !info || !terminal_number || terminal.size() != 6) {
        return std::unexpected{malformed};
    }
    if (info->acquirer != operator_id) return std::unexpected{SamRefusal::sam_of_other_operator};
    if (today < info->start) return std::unexpected{SamRefusal::sam_not_started};
    if (info->end < today) return std::unexpected{SamRefusal::sam_expired};
    return SamIdentity{protocol::SamNumber{*number}, TerminalNumber{*terminal_number}, *info};
}

}  // namespace terminal
