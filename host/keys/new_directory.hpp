#pragma once
// A directory of keys that appears whole or not at all.
#include <filesystem>
#include <string>
#include <utility>

#include "host/keys/refusal.hpp"

namespace host::keys {

/// Written beside its target under a name of its own, "nation.part.Ab12Cd", then renamed. What was
/// not published is erased: at once by this object, or by the next `begin` of the same target when
/// this process was killed. Nobody else's directory is touched.
class NewDirectory {
public:
    /// `target_exists`, whatever is there: a file, a link that leads nowhere.
    [[nodiscard]] static Result<NewDirectory> begin(std::filesystem::path target);
    NewDirectory(NewDirectory&& other) noexcept
        : target_{std::move(other.target_)},
          draft_{std::exchange(other.draft_, {})},
          lock_{std::exchange(other.lock_, -1)} {}
    NewDirectory& operator=(NewDirectory&&) = delete;
    ~NewDirectory();

    [[nodiscard]] std::filesystem::path operator/(const char* file) const { return draft_ / file; }
    [[nodiscard]] Result<void> write(const char* file, const std::string& content) const;
    /// `target_exists` when somebody else was faster: theirs stands.
    [[nodiscard]] Result<void> publish();

private:
    NewDirectory(std::filesystem::path target, std::filesystem::path draft, int lock)
        : target_{std::move(target)}, draft_{std::move(draft)}, lock_{lock} {}
    std::filesystem::path target_;
    std::filesystem::path draft_;  ///< empty once it is published
    int lock_;                     ///< flock(2) on its marker: somebody works on it
};

}  // namespace host::keys
