#pragma once
// A batch arrives: who sent it, is it whole, is it new; then evidence and receipt, durable before
// anything is looked into. docs/batch_file.md, 3.
#include "host/batches/batch_file.hpp"
#include "host/service/city.hpp"
#include "host/store/store.hpp"
#include "platform/peer_identity.hpp"

namespace host::batches {

enum class ReceiveRefusal : std::uint8_t {  // In the order they are checked.
    batch_malformed,
    mark_mismatch,      ///< a rehearsal's file at a live host, or the other way round
    operator_mismatch,  ///< header, certificate and city disagree about who sends
    device_unknown,     ///< not in the register, or another operator's
    id_reused,          ///< this device used the sequence for another file
    signature_wrong,
    store_failed,  ///< nothing is kept; send again
};
[[nodiscard]] const char* name(ReceiveRefusal refusal);

struct Refused {
    ReceiveRefusal why;
    std::string detail;
};
struct Receipt {
    store::BatchRow batch;
    bool repeated = false;
};

/// The register's word on one sender.
struct Sender {
    protocol::OperatorId operator_id;
    protocol::DeviceId device;
};
/// From the certificate: O is the operator, CN the device. Nothing when they are not ids.
[[nodiscard]] std::optional<Sender> sender_of(const platform::PeerIdentity& identity);

/// One transaction of its own.
[[nodiscard]] std::expected<Receipt, Refused> receive(store::Store& store, const City& city,
                                                      const Sender& sender, Bytes file,
                                                      std::int64_t now_ms);

}  // namespace host::batches
