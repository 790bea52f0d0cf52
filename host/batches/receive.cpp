#include "host/batches/receive.hpp"

#include <fmt/format.h>

#include "crypto/core/sm3.hpp"
#include "host/store/decide.hpp"
#include "platform/mask.hpp"

namespace host::batches {
namespace {

using Answer = std::expected<Receipt, Refused>;

std::unexpected<Refused> refuse(ReceiveRefusal why, std::string detail) {
    return std::unexpected{Refused{why, std::move(detail)}};
}

std::expected<void, Refused> check_header(const City& city, const Sender& sender,
                                          const protocol::BatchHeader& header) {
    if (header.mark != city.mark) {
        return refuse(ReceiveRefusal::mark_mismatch,
                      "rehearsal and live files do not mix: use the host of the file's kind");
    }
    if (header.operator_id != sender.operator_id || header.device != sender.device) {
        return refuse(ReceiveRefusal::operator_mismatch,
                      "the header names another operator or device than the certificate");
    }
    if (header.city != city.code) {
        return refuse(ReceiveRefusal::operator_mismatch,
                      fmt::format("the header names city {:04X}, this is {:04X}",
                                  header.city.value(), city.code.value()));
    }
    return {};
}

Answer decide(store::Store& store, const Sender& sender, const BatchFile& file, Bytes bytes,
              std::int64_t now_ms) {
    const auto device = store.device(sender.device);
    if (!device || device->operator_id != sender.operator_id) {
        return refuse(ReceiveRefusal::device_unknown,
                      "register the device under this operator first: onecard-host register");
    }
    const auto digest = crypto::sm3(bytes);
    if (auto known = store.batch(sender.device, file.header().sequence)) {
        if (known->file_digest == digest) return Receipt{*known, true};
        return refuse(
            ReceiveRefusal::id_reused,
            fmt::format("device {} sent another file as number {}",
                        platform::to_hex(sender.device.value()), file.header().sequence.value()));
    }
    if (!signature_is_right(device->public_key, file.signed_bytes(), file.trailer().signature)) {
        return refuse(ReceiveRefusal::signature_wrong,
                      "not signed by the key that the register holds for this device");
    }
    const auto day = store.open_day();
    store::BatchRow row{.id = {},
                        .device = sender.device,
                        .sequence = file.header().sequence,
                        .operator_id = sender.operator_id,
                        .business_date = day ? day->date : protocol::Date{},
                        .received_ms = now_ms,
                        .file_digest = digest,
                        .record_count = file.size(),
                        .pending_count = file.size(),
                        .state = store::BatchState::stored};
    row.id = store.insert_batch(row, bytes);
    return Receipt{row, false};
}

}  // namespace

const char* name(ReceiveRefusal refusal) {
    switch (refusal) {
        case ReceiveRefusal::batch_malformed: return "batch_malformed";
        case ReceiveRefusal::mark_mismatch: return "mark_mismatch";
        case ReceiveRefusal::operator_mismatch: return "operator_mismatch";
        case ReceiveRefusal::device_unknown: return "device_unknown";
        case ReceiveRefusal::id_reused: return "id_reused";
        case ReceiveRefusal::signature_wrong: return "signature_wrong";
        case ReceiveRefusal::store_failed: return "store_failed";
    }
    return "unknown";
}

std::optional<Sender> sender_of(const platform::PeerIdentity& identity) {
    const auto operator_id = platform::from_hex<8>(identity.organisation);
    const auto device = platform::from_hex<8>(identity.unit);
    if (!operator_id || !device) return std::nullopt;
    return Sender{protocol::OperatorId{*operator_id}, protocol::DeviceId{*device}};
}

Answer receive(store::Store& store, const City& city, const Sender& sender, Bytes file,
               std::int64_t now_ms) {
    const auto parsed = BatchFile::parse(file);
    if (!parsed) {
        return refuse(ReceiveRefusal::batch_malformed,
                      fmt::format("{}: {}", name(parsed.error().defect), parsed.error().detail));
    }
    ONECARD_CHECK(check_header(city, sender, parsed->header()));
    return store::decide_in_transaction<Receipt, Refused>(store, ReceiveRefusal::store_failed, [&] {
        return decide(store, sender, *parsed, file, now_ms);
    });
}

}  // namespace host::batches
