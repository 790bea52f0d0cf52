#pragma once
// Runs a decision in one transaction: what it answers is answered, and kept unless it is a refusal.
#include <fmt/format.h>

#include "host/store/store.hpp"

namespace host::store {

/// `Refused` is {enumerator, detail}; `failed` is the enumerator for a store that failed.
template <class T, class Refused, class Decide>
[[nodiscard]] std::expected<T, Refused> decide_in_transaction(Store& store,
                                                              decltype(Refused::why) failed,
                                                              const Decide& decide) {
    std::expected<T, Refused> answer = std::unexpected{Refused{failed, {}}};
    const auto kept = store.transact([&] {
        answer = decide();
        return answer ? End::commit : End::abandon;
    });
    if (kept || (!answer && kept.error().name == "abandoned")) return answer;
    return std::unexpected{
        Refused{failed, fmt::format("{}: {}", kept.error().name, kept.error().text)}};
}

}  // namespace host::store
