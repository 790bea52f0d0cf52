#pragma once
// What a terminal program says on standard output: one event a line, as JSON for machines or as
// text for people. Safe from several threads. The fields: docs/gate.md, "Events".
#include <mutex>

#include "terminal/gate/gate.hpp"
#include "terminal/upload/uploader.hpp"

namespace terminal {

class Events {
public:
    explicit Events(bool json) : json_{json} {}
    void tap(const TapReport& report);
    void upload(const UploadEvent& event);
    void counts(std::string_view event, const JournalCounts& counts);
    /// "ready", "stopping", "reader_lost", ...
    void state(std::string_view event, std::string_view detail = {});
    /// {"event": event, key: value, ...}; for the kiosk and the desk.
    using Fields =
        std::vector<std::pair<std::string, std::variant<std::string, std::int64_t, bool>>>;
    void say(std::string_view event, const Fields& fields);

private:
    bool json_;
    std::mutex mutex_;
};

}  // namespace terminal
