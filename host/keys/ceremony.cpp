#include "host/keys/ceremony.hpp"

#include <boost/json.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "crypto/keys/sealed_format.hpp"
#include "crypto/keys/shamir.hpp"
#include "host/keys/component_file.hpp"
#include "host/keys/minutes.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::component_key;
using std::filesystem::path;

/// One step at a time: the directory, held alone until this goes.
class StepLock {
public:
    explicit StepLock(const path& directory)
        : descriptor_{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)} {
        if (descriptor_ >= 0) (void)::flock(descriptor_, LOCK_EX);
    }
    ~StepLock() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    StepLock(const StepLock&) = delete;
    StepLock& operator=(const StepLock&) = delete;

private:
    int descriptor_;  // without one there is no ceremony either, which reading it tells
};

Result<void> check_mark(const Ceremony& ceremony, Mark mark) {
    if (ceremony.mark == mark) return {};
    return refuse(RefusalKind::mark_mismatch,
                  std::string{"the ceremony is "} + word(ceremony.mark) +
                      ": use --rehearsal --seed N for rehearsals, and for nothing else");
}

bool is_there(const path& file) {
    std::error_code error;
    return std::filesystem::exists(std::filesystem::symlink_status(file, error));
}

Result<void> check_unfinished(const Ceremony& ceremony) {
    if (!ceremony.finished && (ceremony.nation.empty() || !is_there(ceremony.nation))) return {};
    return refuse(RefusalKind::ceremony_finished,
                  "the nation of this ceremony was founded in " + ceremony.nation +
                      (ceremony.finished ? "" : ": combine again to finish"));
}

/// `present` for the whole list, each with a passphrase of their own.
Result<void> check_present(const Ceremony& ceremony, std::span<const Custodian> present) {
    for (const Custodian& custodian : present) {
        if (!ceremony.invited(custodian.name)) {
            return refuse(RefusalKind::custodian_not_invited,
                          custodian.name + " takes no part in this ceremony");
        }
    }
    for (const std::string& who : ceremony.custodians) {
        if (std::ranges::count(present, who, &Custodian::name) != 1) {
            return refuse(RefusalKind::custodian_missing,
                          who + ": combining needs everyone of the list, once");
        }
    }
    for (std::size_t a = 0; a < present.size(); ++a) {
        for (std::size_t b = a + 1; b < present.size(); ++b) {
            if (!crypto::keys::same_secret(present[a], present[b])) continue;
            return refuse(
                RefusalKind::passphrase_repeated,
                present[a].name + " and " + present[b].name +
                    " have the same passphrase or token: one of them gives components again "
                    "(component --again) under another");
        }
    }
    return {};
}

Result<void> check_everyone_gave(const Ceremony& ceremony) {
    std::string missing;
    for (const std::string& who : ceremony.custodians) {
        if (ceremony.given_by(who) == nullptr) missing += (missing.empty() ? "" : ", ") + who;
    }
    if (missing.empty()) return {};
    return refuse(RefusalKind::component_missing, "no components yet from " + missing);
}

// ---- Adding

Result<void> add_to_sums(const KeyStore& store, const Ceremony& ceremony,
                         const GivenComponents& given, std::span<NationalRoot> sums) {
    for (std::size_t i = 0; i < root_count; ++i) {
        const KeyName key = component_key(given.custodian, sums[i].use, sums[i].suite);
        Component component{sums[i].use, sums[i].suite, {}};
        const auto id = store.find(key);
        const auto revealed =
            id ? store.reveal(*id, component.value.bytes()) : std::unexpected{id.error()};
        if (!revealed) return store_refusal(text(key), revealed.error());
        if (component_digest(ceremony, component) != given.digests[i]) {
            return refuse(RefusalKind::component_foreign,
                          text(key) + ": is not the component that was recorded");
        }
        for (std::size_t byte = 0; byte < crypto::purse::key_size; ++byte) {
            sums[i].value.bytes()[byte] ^= component.value.bytes()[byte];
        }
    }
    return {};
}

// ---- Giving

/// A repetition cancels itself out of the sum, or a key out of the nation.
Result<void> check_repetition(const Ceremony& ceremony, const GivenComponents& mine) {
    for (std::size_t i = 0; i < root_count; ++i) {
        const auto refused = [&](const std::string& where) {
            return refuse(RefusalKind::component_repeated,
                          text(root_at(i)) + ": is the same as " + where);
        };
        for (std::size_t other = 0; other < i; ++other) {
            if (mine.digests[other] == mine.digests[i]) {
                return refused("the one for " + text(root_at(other)));
            }
        }
        for (const GivenComponents& given : ceremony.given) {
            if (given.custodian == mine.custodian) continue;
            if (std::ranges::find(given.digests, mine.digests[i]) != given.digests.end()) {
                return refused("one that another custodian gave");
            }
        }
    }
    return {};
}

GivenComponents record_of(const Ceremony& ceremony, const std::string& custodian,
                          std::span<const Component> components, const platform::Clock& clock) {
    GivenComponents mine;
    mine.custodian = custodian;
    mine.at = utc_text(clock.unix_ms());
    for (const GivenComponents& given : ceremony.given) {
        mine.serial = std::max(mine.serial, given.serial + 1);
    }
    for (std::size_t i = 0; i < root_count; ++i) {
        mine.digests[i] = component_digest(ceremony, components[i]);
    }
    return mine;
}

Result<void> check_old_passphrase(const Ceremony& ceremony, const Contribution& contribution,
                                  crypto::Random& random) {
    const GivenComponents* old = ceremony.given_by(contribution.custodian.name);
    if (old == nullptr) return {};
    const Custodian& now = contribution.custodian;
    const Custodian before =
        now.token != nullptr ? now : Custodian{now.name, contribution.old_passphrase};
    const auto opened = open_components(contribution.directory, ceremony, *old, before, random);
    if (!opened) return std::unexpected{opened.error()};
    return {};
}

// ---- Combining

std::string founding_detail(const Ceremony& ceremony, const json::array& participants) {
    return json::serialize(json::object{{"roots", ceremony_roots},
                                        {"ceremony", platform::to_hex(ceremony.id)},
                                        {"quorum", ceremony.quorum},
                                        {"participants", participants}});
}

Result<void> check_sums(std::span<const NationalRoot> sums) {
    for (const NationalRoot& sum : sums) {
        if (!is_weak(sum)) continue;
        return refuse(RefusalKind::component_weak,
                      text(RootName{sum.use, sum.suite}) +
                          ": the components add up to a weak key: this does not happen by chance");
    }
    return {};
}

/// One file after another: open, add, close. The one before is wiped when the next is opened.
Result<std::vector<NationalRoot>> sum_components(const Combination& combination,
                                                 const Ceremony& ceremony,
                                                 json::array& participants,
                                                 crypto::Random& random) {
    std::vector<NationalRoot> sums;
    for (std::size_t i = 0; i < root_count; ++i) {
        sums.push_back({root_at(i).use, root_at(i).suite, {}});
    }
    for (const std::string& who : ceremony.custodians) {
        const GivenComponents& given = *ceremony.given_by(who);
        const auto custodian = std::ranges::find(combination.present, who, &Custodian::name);
        ONECARD_TRY(store,
                    open_components(combination.directory, ceremony, given, *custodian, random));
        ONECARD_CHECK(add_to_sums(*store, ceremony, given, sums));
        participants.emplace_back(
            json::object{{"custodian", who}, {"at", agreed_at(*store, ceremony).value_or("")}});
    }
    ONECARD_CHECK(check_sums(sums));
    return sums;
}

/// The directory is noted before it is made, so that the same roots are never founded twice.
Result<void> found(const Combination& combination, Ceremony& ceremony, const path& nation,
                   crypto::Random& random, const platform::Clock& clock) {
    ONECARD_CHECK(check_unfinished(ceremony));
    ONECARD_CHECK(check_everyone_gave(ceremony));
    json::array participants;
    ONECARD_TRY(sums, sum_components(combination, ceremony, participants, random));
    ceremony.nation = nation.string();
    ONECARD_CHECK(write_ceremony(combination.directory, ceremony));
    const Custodians custodians{{combination.present.begin(), combination.present.end()},
                                ceremony.quorum,
                                combination.token};
    return found_nation({nation, custodians, ceremony.mark}, sums,
                        founding_detail(ceremony, participants), random, clock);
}

Result<void> finish(const path& directory, Ceremony& ceremony, const std::string& minutes) {
    const auto written = platform::replace_file(directory / minutes_file, std::string_view{minutes},
                                                platform::FileMode::everyone);
    if (!written) return refuse(RefusalKind::file_failed, written.error().detail);
    ceremony.given.clear();
    ONECARD_CHECK(erase_unrecorded(directory, ceremony));
    std::error_code error;
    std::filesystem::remove(directory / components_directory, error);
    ceremony.finished = true;
    return write_ceremony(directory, ceremony);
}

}  // namespace

Result<Ceremony> begin_ceremony(const CeremonyPlan& plan, crypto::Random& random,
                                const platform::Clock& clock) {
    const auto& names = plan.custodians;
    for (const std::string& who : names) {
        if (!crypto::keys::custodian_name_fits(who)) {
            return refuse(RefusalKind::input_wrong,
                          "a custodian's name has 1 to 32 of a-z, 0-9, '.', '-', '_'");
        }
        if (std::ranges::count(names, who) != 1) {
            return refuse(RefusalKind::input_wrong, who + " is named twice");
        }
    }
    if (names.size() < 2 || plan.quorum < 2) {
        return refuse(RefusalKind::dual_control_missing,
                      "a ceremony takes at least two custodians, and a quorum of at least 2");
    }
    if (plan.quorum > names.size() || names.size() > crypto::keys::share_count_max) {
        return refuse(RefusalKind::input_wrong,
                      "at most 16 custodians, and a quorum that is not above their number");
    }
    Ceremony ceremony;
    random.fill(ceremony.id);
    random.fill(ceremony.salt);
    ceremony.mark = plan.mark;
    ceremony.quorum = plan.quorum;
    ceremony.custodians = names;
    ceremony.begun_at = utc_text(clock.unix_ms());
    ONECARD_TRY(directory, NewDirectory::begin(plan.directory));
    ONECARD_CHECK(directory.write(ceremony_file, to_json(ceremony)));
    ONECARD_CHECK(directory.publish());
    return ceremony;
}

Result<void> check_contribution(const Ceremony& ceremony, const Contribution& contribution) {
    const std::string& who = contribution.custodian.name;
    ONECARD_CHECK(check_unfinished(ceremony));
    ONECARD_CHECK(check_mark(ceremony, contribution.mark));
    if (!ceremony.invited(who)) {
        return refuse(RefusalKind::custodian_not_invited, who + " takes no part in this ceremony");
    }
    if (!contribution.again && ceremony.given_by(who) != nullptr) {
        return refuse(RefusalKind::component_exists,
                      who +
                          " has given components: --again replaces them, after the passphrase "
                          "that opens them");
    }
    return {};
}

Result<void> give_components(const Contribution& contribution,
                             std::span<const Component> components, crypto::Random& random,
                             const platform::Clock& clock) {
    const StepLock lock{contribution.directory};
    ONECARD_TRY(ceremony, read_ceremony(contribution.directory));
    ONECARD_CHECK(check_contribution(ceremony, contribution));
    ONECARD_CHECK(check_components(components));
    GivenComponents mine = record_of(ceremony, contribution.custodian.name, components, clock);
    ONECARD_CHECK(check_repetition(ceremony, mine));
    ONECARD_CHECK(check_old_passphrase(ceremony, contribution, random));
    ONECARD_CHECK(erase_unrecorded(contribution.directory, ceremony));
    ONECARD_CHECK(seal_components(contribution.directory, ceremony, components, mine,
                                  contribution.custodian, random, clock));
    // From here on they count: not the file but its record is what combining looks for.
    std::erase_if(ceremony.given,
                  [&](const GivenComponents& old) { return old.custodian == mine.custodian; });
    ceremony.given.push_back(std::move(mine));
    ONECARD_CHECK(write_ceremony(contribution.directory, ceremony));
    return erase_unrecorded(contribution.directory, ceremony);
}

Result<std::string> combine(const Combination& combination, crypto::Random& random,
                            const platform::Clock& clock) {
    const StepLock lock{combination.directory};
    ONECARD_TRY(ceremony, read_ceremony(combination.directory));
    ONECARD_CHECK(check_mark(ceremony, combination.mark));
    ONECARD_CHECK(check_present(ceremony, combination.present));
    std::error_code error;
    const path nation = std::filesystem::absolute(combination.nation, error).lexically_normal();
    if (!is_there(nation)) {
        ONECARD_CHECK(found(combination, ceremony, nation, random, clock));
    } else if (!was_founded_by(nation, ceremony)) {
        return refuse(RefusalKind::target_exists,
                      nation.string() + " is there already, and this ceremony did not found it");
    }
    ONECARD_TRY(opened, open_nation(nation, combination.present, random));
    ONECARD_TRY(minutes, sign_minutes(*opened.store));
    ceremony.nation = nation.string();
    ONECARD_CHECK(finish(combination.directory, ceremony, minutes));
    return minutes;
}

}  // namespace host::keys
