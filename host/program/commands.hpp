#pragma once
// The commands of the city's people. Each answers an exit status. A running host is asked over its
// own door; when none runs, the command opens the store itself.
#include "host/program/running.hpp"

namespace host::program {

struct DayOptions : CommonOptions {
    std::string date;               ///< YYYYMMDD; empty: the open day
    std::int64_t wait_seconds = 0;  ///< until the day is netted
    bool settle = false;
};
[[nodiscard]] int close_day(const DayOptions& options);
[[nodiscard]] int net_day(const DayOptions& options);
[[nodiscard]] int show_day(const DayOptions& options);

struct RegisterOptions : CommonOptions {
    std::vector<std::filesystem::path> files;
};
[[nodiscard]] int import_register(const RegisterOptions& options);
struct OperatorOptions : CommonOptions {
    std::string id;
    std::string display_name;
};
[[nodiscard]] int add_operator(const OperatorOptions& options);

struct HotOptions : CommonOptions {
    std::vector<std::string> cards;
    std::vector<std::string> sams;
    std::string reason = "lost";
    std::string since;
    std::string effective;
};
[[nodiscard]] int add_hot(const HotOptions& options);
[[nodiscard]] int publish_hot(const HotOptions& options);

struct ReportCommandOptions : CommonOptions {
    bool full_numbers = false;
    std::filesystem::path out;
};
[[nodiscard]] int report(const ReportCommandOptions& options);
struct TraceOptions : CommonOptions {
    std::string id;
};
[[nodiscard]] int trace(const TraceOptions& options);
[[nodiscard]] int verify_ledger(const CommonOptions& options);
[[nodiscard]] int status(const CommonOptions& options);

}  // namespace host::program
