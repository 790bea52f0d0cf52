#pragma once
// What a program logs when its revocation lists were read, or should have been: TlsMaterial's
// `on_reload`. docs/certificates.md, 5.
#include "platform/log.hpp"
#include "platform/tls.hpp"

namespace platform {

inline void log_revocation(const RevocationReload& event) {
    if (event.refusal) {
        log_error("revocation_refused", {{"refusal", name(*event.refusal)},
                                         {"detail", event.detail},
                                         {"advice", advice(*event.refusal)},
                                         {"lists_in_force", event.list_count},
                                         {"entries_in_force", event.entry_count}});
        return;
    }
    log_info("revocation_loaded",
             {{"file", event.detail}, {"lists", event.list_count}, {"entries", event.entry_count}});
}

}  // namespace platform
