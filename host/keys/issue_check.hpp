#pragma once
// Whether an issuing state is what its log vouches for, row by row. docs/audit.md, 5. Streams: a
// state of 10,000,000 lines needs no memory.
#include <map>
#include <optional>

#include "host/keys/issue_print.hpp"

namespace host::keys {

/// Takes the entries in their order, then the rows. Says what is wrong first, in one sentence
/// without secrets; nothing: all is as the log says. The entries' signatures are the caller's.
class StateCheck {
public:
    /// `database` outlives it, and is in one transaction until it ends.
    [[nodiscard]] static Result<StateCheck> make(platform::sqlite::Database& database);
    /// The entry's event, and the counts of an import.
    [[nodiscard]] Result<void> take(const std::string& line);
    [[nodiscard]] Result<std::optional<std::string>> conclude();

private:
    struct Import {
        std::string rows;  ///< what the entry says
        std::int64_t count = 0;
        crypto::Sm3 print;  ///< of what is there
        std::int64_t found = 0;
    };
    explicit StateCheck(platform::sqlite::Database& database, Printer printer)
        : database_{database}, printer_{std::move(printer)} {}
    [[nodiscard]] Result<void> check_schema();
    [[nodiscard]] Result<void> check_lines();
    [[nodiscard]] Result<void> check_line(platform::sqlite::Statement& line,
                                          platform::sqlite::Statement& newest);
    void check_imports();
    [[nodiscard]] Result<void> check_key_sets();
    [[nodiscard]] Result<void> check_strays();
    void found(std::string fault) {
        if (!fault_) fault_ = std::move(fault);
    }

    std::reference_wrapper<platform::sqlite::Database> database_;
    Printer printer_;
    std::map<std::int64_t, Import> imports_;
    std::int64_t entries_ = 0;
    std::optional<std::string> fault_;
};

}  // namespace host::keys
