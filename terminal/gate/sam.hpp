#pragma once
// Opening the gate's SAM: who it is and whether this gate may use it. domain.md 1.12.
#include "terminal/gate/tap.hpp"
#include "terminal/link/card_link.hpp"

namespace terminal {

struct SamIdentity {
    protocol::SamNumber number;
    TerminalNumber terminal;
    protocol::SamApplicationInfo info;
};
enum class SamRefusal : std::uint8_t {  // In the order they are checked.
    sam_gone,
    not_a_purchase_sam,     ///< SELECT refused
    sam_data_malformed,     ///< file 15, 16 or 17 does not follow its layout
    sam_of_other_operator,  ///< its acquirer is not our operator
    sam_not_started,
    sam_expired,
};
[[nodiscard]] const char* name(SamRefusal refusal);

/// SELECT, then files 15, 16 and 17. The SAM stays selected.
[[nodiscard]] std::expected<SamIdentity, SamRefusal> open_sam(CardLink& link,
                                                              const OperatorId& operator_id,
                                                              const protocol::Date& today);

}  // namespace terminal
