#include "host/keys/component_file.hpp"

#include <cerrno>
#include <set>

#include <boost/json.hpp>
#include <sys/stat.h>

#include "platform/files.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::component_key;
using std::filesystem::path;

constexpr const char* give_command = "give-components";

std::unexpected<Refusal> foreign(const path& file, const char* what) {
    return refuse(RefusalKind::component_foreign, file.string() + ": " + what);
}

Result<void> fill(KeyStore& store, const Ceremony& ceremony, const std::string& custodian,
                  std::span<const Component> components, const platform::Clock& clock) {
    ONECARD_TRY(change,
                StoreChange::begin(store, command(clock, give_command, invitation(ceremony))));
    for (const Component& component : components) {
        const KeyName key = component_key(custodian, component.use, component.suite);
        const auto added = store.add(key, crypto::keys::KeyState::planned, component.value.bytes());
        if (!added) return store_refusal(text(key), added.error());
    }
    return change.commit();
}

}  // namespace

path component_path(const path& directory, const GivenComponents& given) {
    return directory / components_directory / file_name(given);
}

Result<void> erase_unrecorded(const path& directory, const Ceremony& ceremony) {
    std::set<std::string> recorded;
    for (const GivenComponents& given : ceremony.given) recorded.insert(file_name(given));
    std::error_code error;
    std::filesystem::directory_iterator files{directory / components_directory, error};
    std::vector<path> unrecorded;
    for (; !error && files != std::filesystem::directory_iterator{}; files.increment(error)) {
        if (!recorded.contains(files->path().filename())) unrecorded.push_back(files->path());
    }
    if (error && error != std::errc::no_such_file_or_directory) {
        return refuse(RefusalKind::file_failed,
                      (directory / components_directory).string() + ": " + error.message());
    }
    for (const path& file : unrecorded) {
        const auto erased = platform::erase_file(file);
        if (!erased) return refuse(RefusalKind::file_failed, erased.error().detail);
    }
    return {};
}

std::optional<std::string> agreed_at(const KeyStore& store, const Ceremony& ceremony) {
    boost::system::error_code error;
    const json::value line = json::parse(store.log().back().line, error);
    const json::object* members = error ? nullptr : line.if_object();
    if (members == nullptr) return std::nullopt;
    const json::value* name = members->if_contains("command");
    const json::value* at = members->if_contains("at");
    const json::value* detail = members->if_contains("detail");
    if (name == nullptr || at == nullptr || detail == nullptr || *name != give_command ||
        !at->is_string() || json::serialize(*detail) != invitation(ceremony)) {
        return std::nullopt;
    }
    return std::string{at->get_string()};
}

Result<void> seal_components(const path& directory, const Ceremony& ceremony,
                             std::span<const Component> components, GivenComponents& mine,
                             const Custodian& custodian, crypto::Random& random,
                             const platform::Clock& clock) {
    const path file = component_path(directory, mine);
    if (::mkdir(file.parent_path().c_str(), 0700) != 0 && errno != EEXIST) {
        return refuse(RefusalKind::file_failed,
                      file.parent_path().string() + ": " + std::generic_category().message(errno));
    }
    ONECARD_TRY(store, create_store(file, {{custodian}, 1}, ceremony.mark,
                                    command(clock, "create-store"), random));
    mine.store = store->identity().id;
    return fill(*store, ceremony, mine.custodian, components, clock);
}

Result<std::unique_ptr<KeyStore>> open_components(const path& directory, const Ceremony& ceremony,
                                                  const GivenComponents& given,
                                                  const Custodian& custodian,
                                                  crypto::Random& random) {
    const path file = component_path(directory, given);
    ONECARD_TRY(store, open_store(file, {&custodian, 1}, random));
    if (mark_of(*store) != ceremony.mark) {
        return refuse(RefusalKind::mark_mismatch, file.string() + " is " + word(mark_of(*store)) +
                                                      ", the ceremony is " + word(ceremony.mark));
    }
    if (!agreed_at(*store, ceremony)) {
        return foreign(file,
                       "its custodian agreed to another ceremony: other names, quorum or number");
    }
    if (store->identity().id != given.store || store->identity().quorum != 1) {
        return foreign(file, "is not the file that was given here");
    }
    return std::move(store);
}

}  // namespace host::keys
