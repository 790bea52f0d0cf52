#include "host/keys/ceremony_file.hpp"

#include <set>

#include <boost/json.hpp>

#include "crypto/keys/sealed_format.hpp"
#include "crypto/keys/shamir.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

constexpr int format = 1;
constexpr std::size_t file_size_max = 64 * 1024;
constexpr std::size_t path_size_max = 4096;
constexpr unsigned serial_max = 1'000'000;

json::array names_of(const Ceremony& ceremony) {
    return json::array(ceremony.custodians.begin(), ceremony.custodians.end());
}

json::array root_names() {
    json::array names;
    for (std::size_t i = 0; i < root_count; ++i) names.emplace_back(text(root_at(i)));
    return names;
}

json::object to_object(const GivenComponents& given) {
    json::array digests;
    for (const auto& digest : given.digests) digests.emplace_back(platform::to_hex(digest));
    return {{"custodian", given.custodian},
            {"at", given.at},
            {"serial", given.serial},
            {"store", platform::to_hex(given.store)},
            {"digests", std::move(digests)}};
}

/// Members of one object; remembers whether any was not what it should be.
class Members {
public:
    explicit Members(const json::value& value)
        : object_{value.if_object()}, right_{object_ != nullptr} {}
    [[nodiscard]] bool right() const { return right_; }

    std::string text(std::string_view key, std::size_t size_max) {
        const json::value* value = find(key);
        const json::string* found = value != nullptr ? value->if_string() : nullptr;
        if (found == nullptr || found->size() > size_max) return wrong<std::string>();
        return {found->data(), found->size()};
    }
    template <std::size_t size>
    std::array<std::uint8_t, size> hex(std::string_view key) {
        const auto bytes = platform::from_hex<size>(text(key, 2 * size));
        return bytes ? *bytes : wrong<std::array<std::uint8_t, size>>();
    }
    unsigned number(std::string_view key, unsigned max) {
        const json::value* value = find(key);
        const std::int64_t* found = value != nullptr ? value->if_int64() : nullptr;
        if (found == nullptr || *found < 1 || *found > max) return wrong<unsigned>();
        return static_cast<unsigned>(*found);
    }
    bool flag(std::string_view key) {
        const json::value* value = find(key);
        const bool* found = value != nullptr ? value->if_bool() : nullptr;
        return found != nullptr ? *found : wrong<bool>();
    }
    json::array list(std::string_view key) {
        const json::value* value = find(key);
        const json::array* found = value != nullptr ? value->if_array() : nullptr;
        return found != nullptr ? *found : wrong<json::array>();
    }
    template <class T>
    T wrong() {
        right_ = false;
        return T{};
    }

private:
    const json::value* find(std::string_view key) {
        return object_ != nullptr ? object_->if_contains(key) : nullptr;
    }
    const json::object* object_;
    bool right_;
};

std::optional<GivenComponents> parse_given(const json::value& value) {
    Members members{value};
    GivenComponents given;
    given.custodian = members.text("custodian", crypto::keys::custodian_name_size_max);
    given.at = members.text("at", 20);
    given.serial = members.number("serial", serial_max);
    given.store = members.hex<16>("store");
    const json::array digests = members.list("digests");
    if (!members.right() || digests.size() != root_count) return std::nullopt;
    for (std::size_t i = 0; i < root_count; ++i) {
        const json::string* digits = digests[i].if_string();
        if (digits == nullptr) return std::nullopt;
        const auto digest = platform::from_hex<crypto::sm3_digest_size>(*digits);
        if (!digest) return std::nullopt;
        given.digests[i] = *digest;
    }
    return given;
}

std::optional<Ceremony> parse_members(const json::value& value) {
    Members members{value};
    Ceremony ceremony;
    ceremony.id = members.hex<16>("ceremony");
    ceremony.mark = members.text("mark", 9) == word(Mark::live) ? Mark::live : Mark::rehearsal;
    ceremony.quorum = members.number("quorum", crypto::keys::share_count_max);
    ceremony.begun_at = members.text("begun_at", 20);
    ceremony.salt = members.hex<32>("salt");
    ceremony.nation = members.text("nation", path_size_max);
    ceremony.finished = members.flag("finished");
    for (const json::value& each : members.list("custodians")) {
        const json::string* custodian = each.if_string();
        if (custodian == nullptr) return std::nullopt;
        ceremony.custodians.emplace_back(custodian->data(), custodian->size());
    }
    for (const json::value& each : members.list("given")) {
        auto given = parse_given(each);
        if (!given) return std::nullopt;
        ceremony.given.push_back(*std::move(given));
    }
    if (!members.right()) return std::nullopt;
    return ceremony;
}

/// What no shape of JSON says: who may be there, and how often.
bool makes_sense(const Ceremony& ceremony) {
    const auto& names = ceremony.custodians;
    const std::set<std::string_view> distinct{names.begin(), names.end()};
    if (distinct.size() != names.size() || names.size() > crypto::keys::share_count_max ||
        ceremony.quorum < 2 || ceremony.quorum > names.size() ||
        !std::ranges::all_of(names, crypto::keys::custodian_name_fits)) {
        return false;
    }
    std::set<std::string_view> givers;
    std::set<unsigned> serials;
    return std::ranges::all_of(ceremony.given, [&](const GivenComponents& given) {
        return ceremony.invited(given.custodian) && givers.insert(given.custodian).second &&
               serials.insert(given.serial).second;
    });
}

}  // namespace

std::string text(const RootName& root) {
    return std::string{name(root.use)} + " " +
           crypto::keys::name(crypto::keys::algorithm_of(root.suite));
}

const GivenComponents* Ceremony::given_by(std::string_view custodian) const {
    const auto found = std::ranges::find(given, custodian, &GivenComponents::custodian);
    return found == given.end() ? nullptr : &*found;
}

bool Ceremony::invited(std::string_view custodian) const {
    return std::ranges::find(custodians, custodian) != custodians.end();
}

std::string invitation(const Ceremony& ceremony) {
    return json::serialize(json::object{{"ceremony", platform::to_hex(ceremony.id)},
                                        {"mark", word(ceremony.mark)},
                                        {"quorum", ceremony.quorum},
                                        {"custodians", names_of(ceremony)}});
}

std::string file_name(const GivenComponents& given) {
    return given.custodian + "-" + std::to_string(given.serial) + ".store";
}

std::string to_json(const Ceremony& ceremony) {
    json::array given;
    for (const GivenComponents& each : ceremony.given) given.emplace_back(to_object(each));
    return json::serialize(json::object{{"format", format},
                                        {"ceremony", platform::to_hex(ceremony.id)},
                                        {"mark", word(ceremony.mark)},
                                        {"quorum", ceremony.quorum},
                                        {"custodians", names_of(ceremony)},
                                        {"begun_at", ceremony.begun_at},
                                        {"salt", platform::to_hex(ceremony.salt)},
                                        {"roots", root_names()},
                                        {"given", std::move(given)},
                                        {"nation", ceremony.nation},
                                        {"finished", ceremony.finished}}) +
           "\n";
}

Result<Ceremony> parse_ceremony(std::string_view text, const std::string& file) {
    const auto unknown = [&](const char* what) {
        return refuse(RefusalKind::ceremony_unknown, file + ": " + what);
    };
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 4;
    const json::value value = json::parse(text, error, {}, options);
    if (error) return unknown("is no JSON");
    auto ceremony = parse_members(value);
    if (!ceremony || !makes_sense(*ceremony)) return unknown("is not what a ceremony writes");
    // Members too many, twice or in another order, another format, other roots: all in one.
    if (to_json(*ceremony) != text) return unknown("was changed by hand, or by another program");
    return *std::move(ceremony);
}

Result<Ceremony> read_ceremony(const std::filesystem::path& directory) {
    const auto path = directory / ceremony_file;
    const auto content = platform::read_text_file(path, file_size_max);
    if (!content) return refuse(RefusalKind::ceremony_unknown, content.error().detail);
    return parse_ceremony(*content, path.string());
}

Result<void> write_ceremony(const std::filesystem::path& directory, const Ceremony& ceremony) {
    const auto written = platform::replace_file(directory / ceremony_file, to_json(ceremony));
    if (!written) return refuse(RefusalKind::file_failed, written.error().detail);
    return {};
}

}  // namespace host::keys
