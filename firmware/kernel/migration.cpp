#include "firmware/kernel/migration.hpp"

#include "firmware/kernel/store_internal.hpp"

namespace firmware {

using protocol::fail;
using protocol::StatusWord;

namespace {

struct Progress {
    std::uint16_t version;
    std::uint16_t parts_done;
};

[[nodiscard]] Outcome<Progress> read_progress(const Store& store) {
    std::array<std::uint8_t, 4> bytes{};
    ONECARD_TRY(size, store.read(format_object, bytes));
    if (size != bytes.size()) return fail(StatusWord::memory_failure);
    return Progress{static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]),
                    static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3])};
}

[[nodiscard]] const Migration* find_step(std::span<const Migration> steps, unsigned from) {
    for (const Migration& step : steps) {
        if (step.from == from) return &step;
    }
    return nullptr;
}

/// One part of one step, and the note that it is done, in one commit.
[[nodiscard]] Outcome<void> do_part(Store& store, Transaction& change, const Migration& step,
                                    const Progress& at) {
    ONECARD_TRY(is_last, step.stage(store, change, at.parts_done));
    std::array<std::uint8_t, 4> bytes{};
    protocol::ByteWriter out{bytes};
    out.put_u16(is_last ? step.from + 1U : step.from).put_u16(is_last ? 0U : at.parts_done + 1U);
    ONECARD_CHECK(change.put(format_object, bytes));
    return store.commit(change, Urgency::ordinary);
}

}  // namespace

Outcome<void> migrate(Store& store, Transaction& change, const ContentKnown& known) {
    ONECARD_TRY(start, read_progress(store));
    if (start.version > known.version) return fail(StatusWord::conditions_not_satisfied);
    for (unsigned version = start.version; version < known.version; ++version) {
        if (find_step(known.steps, version) == nullptr) {
            return fail(StatusWord::conditions_not_satisfied);
        }
    }
    for (;;) {
        ONECARD_TRY(at, read_progress(store));
        if (at.version == known.version) return {};
        const auto done = do_part(store, change, *find_step(known.steps, at.version), at);
        if (!done) change.clear();
        ONECARD_CHECK(done);
    }
}

}  // namespace firmware
