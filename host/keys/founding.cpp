#include "host/keys/founding.hpp"

#include <boost/json.hpp>

#include "crypto/keys/x509_reader.hpp"
#include "host/keys/city_register.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::city_authority;
using crypto::keys::city_key;
using crypto::keys::city_signature;
using crypto::keys::KeyAlgorithm;
using crypto::keys::KeyState;
using crypto::keys::national_authority;
using crypto::keys::national_key;
using crypto::keys::X509Kind;

constexpr unsigned root_years = 20;
constexpr unsigned authority_years = 10;
constexpr std::int64_t clock_tolerance_ms = 10 * 60 * 1000;
constexpr std::size_t small_file_max = 64 * 1024;

/// Masters that a city makes itself: docs/keys.md, 2.
constexpr std::array city_uses{KeyUse::load,
                               KeyUse::transaction_certificate,
                               KeyUse::unload,
                               KeyUse::overdraft,
                               KeyUse::application_unlock,
                               KeyUse::application_maintenance,
                               KeyUse::card_maintenance,
                               KeyUse::pin_unblock,
                               KeyUse::pin_reload,
                               KeyUse::external_authentication,
                               KeyUse::internal_authentication,
                               KeyUse::card_transport,
                               KeyUse::sam_transport,
                               KeyUse::application_cryptogram,
                               KeyUse::script_integrity,
                               KeyUse::script_confidentiality,
                               KeyUse::secure_channel};
constexpr std::array both_suites{KeyAlgorithm::sm4, KeyAlgorithm::triple_des};
constexpr std::array aes_only{KeyAlgorithm::aes};

Result<std::string> read_small(const std::filesystem::path& path) {
    auto content = platform::read_text_file(path, small_file_max);
    if (!content) return refuse(RefusalKind::file_failed, content.error().detail);
    return *std::move(content);
}

/// `issuer` signs for the key of `subject`, which may be itself.
Result<std::string> certify(const crypto::keys::X509Request& request,
                            const crypto::keys::X509Issuer& subject,
                            const crypto::keys::X509Issuer& issuer) {
    auto pem = crypto::keys::write_certificate(request, subject.key, issuer);
    if (!pem) return refuse(RefusalKind::certificate_refused, crypto::keys::name(pem.error()));
    return *std::move(pem);
}

/// The nation's roots that make new cities, oldest first. The oldest is in every SAM of the
/// country, the newer ones are on their way there: docs/rotation.md, 1.
std::vector<protocol::KeyVersion> open_roots(const KeyStore& national, KeyUse use,
                                             KeyAlgorithm algorithm) {
    std::vector<protocol::KeyVersion> versions;
    const KeyName any = national_key(use, algorithm);
    for (const auto& key : national.list()) {
        if (key.name.label == any.label && key.name.use == use &&
            key.name.algorithm == any.algorithm && key.state == KeyState::active) {
            versions.push_back(key.name.version);
        }
    }
    std::ranges::sort(versions);
    return versions;
}
KeyState state_of(const std::vector<protocol::KeyVersion>& versions, protocol::KeyVersion version) {
    return version == versions.front() ? KeyState::active : KeyState::planned;
}

/// DPK and lock masters: the nation's, one level down.
Result<void> derive_city_masters(const KeyStore& national, KeyStore& store,
                                 const CityIdentity& identity) {
    for (const KeyUse use : national_uses) {
        for (const Suite suite : suites) {
            const auto versions = open_roots(national, use, crypto::keys::algorithm_of(suite));
            if (versions.empty()) {
                return refuse(RefusalKind::store_failed,
                              text(national_key(use, suite)) + ": no version is active");
            }
            for (const auto version : versions) {
                ONECARD_CHECK(add_city_master(national, store, identity, {use, suite, version},
                                              state_of(versions, version)));
            }
        }
    }
    return {};
}

Result<void> generate_city_masters(const KeyStore& national, KeyStore& store, CityCode city,
                                   crypto::Random& random) {
    for (const KeyUse use : city_uses) {
        for (const KeyAlgorithm algorithm : algorithms_of(use)) {
            // A debit's record names one version, of its purchase key and of its TAC's key.
            const auto versions = use == KeyUse::transaction_certificate
                                      ? open_roots(national, KeyUse::purchase, algorithm)
                                      : std::vector{crypto::keys::first_version};
            for (const auto version : versions) {
                ONECARD_CHECK(generate_key(store, city_key(city, use, algorithm, version),
                                           master_size, random, state_of(versions, version)));
            }
        }
    }
    return {};
}

/// A city's authority, certified: the file, and what the nation's log keeps of it.
struct CertifiedAuthority {
    std::string pem;
    crypto::keys::X509Serial serial{};
    crypto::keys::P256PublicKey key{};
    Validity validity;
};

Result<CertifiedAuthority> certify_authority(KeyStore& store, const KeyStore& national,
                                             CityCode city, crypto::Random& random,
                                             const platform::Clock& clock) {
    ONECARD_TRY(root, authority_in(national, national_authority()));
    ONECARD_TRY(authority, authority_in(store, city_authority(city)));
    const Validity validity = validity_of(clock, authority_years);
    const auto serial = crypto::keys::generate_serial(random);
    ONECARD_TRY(pem, certify({X509Kind::authority, authority_subject(city, mark_of(store)),
                              root_subject(mark_of(store)), serial, validity.not_before,
                              validity.not_after},
                             authority, root));
    return CertifiedAuthority{std::move(pem), serial, authority.key, validity};
}

template <std::size_t size>
std::optional<std::array<std::uint8_t, size>> hex_member(const json::object& object,
                                                         std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return platform::from_hex<size>({value->get_string().data(), value->get_string().size()});
}

}  // namespace

Result<void> add_city_master(const KeyStore& national, KeyStore& store,
                             const CityIdentity& identity, const CityMaster& master,
                             KeyState state) {
    const KeyName parent = national_key(master.use, master.suite, master.version);
    const KeyName child = city_key(identity.city, master.use, master.suite, master.version);
    const std::array factors{crypto::purse::factor_of(identity.issuer)};
    const auto id = national.find(parent);
    const auto derived = id ? national.derive(*id, factors) : std::unexpected{id.error()};
    if (!derived) return store_refusal(text(parent), derived.error());
    const auto added = store.add(child, state, derived->value.bytes());
    if (!added) return store_refusal(text(child), added.error());
    return {};
}

std::span<const KeyAlgorithm> algorithms_of(KeyUse use) {
    if (use == KeyUse::secure_channel) return aes_only;
    if (std::ranges::count(city_uses, use) + std::ranges::count(national_uses, use) == 0) return {};
    return both_suites;
}

std::string fingerprint_text(const crypto::keys::P256PublicKey& key) {
    std::string text = crypto::keys::key_fingerprint(key);
    std::erase(text, ' ');
    return text;
}

std::string city_digits(CityCode city) {
    return platform::to_hex(std::array{static_cast<std::uint8_t>(city.value() >> 8),
                                       static_cast<std::uint8_t>(city.value())});
}

std::optional<CityCode> parse_city_code(std::string_view digits) {
    const auto code = platform::from_hex<2>(digits);
    if (!code || !protocol::is_bcd(*code)) return std::nullopt;
    return CityCode{static_cast<std::uint16_t>((*code)[0] << 8 | (*code)[1])};
}

crypto::keys::X509Subject root_subject(Mark mark) {
    return {"national-ca", "national", mark == Mark::live ? "root" : "rehearsal-root"};
}
crypto::keys::X509Subject authority_subject(CityCode city, Mark mark) {
    return {"city-ca", city_digits(city), mark == Mark::live ? "authority" : "rehearsal-authority"};
}

Validity validity_of(const platform::Clock& clock, unsigned years) {
    const protocol::DateTime from =
        platform::local_date_time(clock.unix_ms() - clock_tolerance_ms, 0);
    const unsigned year = std::min(from.date.year() + years, 9999U);
    const unsigned day =
        std::min(from.date.day(), protocol::Date::days_in_month(year, from.date.month()));
    // The same day that many years later exists: 29 February became the 28th above.
    return {from, {protocol::Date::make(year, from.date.month(), day).value(), from.time}};
}

std::string to_json(const CityIdentity& identity) {
    return json::serialize(json::object{{"mark", word(identity.mark)},
                                        {"city", city_digits(identity.city)},
                                        {"issuer", platform::to_hex(identity.issuer.value())},
                                        {"list_key", platform::to_hex(identity.list_key)},
                                        {"day_key", platform::to_hex(identity.day_key)},
                                        {"audit_key", platform::to_hex(identity.audit_key)}}) +
           "\n";
}

Result<CityIdentity> parse_city(std::string_view text, const std::string& file) {
    const auto wrong = [&](const char* what) {
        return refuse(RefusalKind::input_wrong, file + ": " + what);
    };
    boost::system::error_code error;
    const json::value parsed = json::parse(text, error);
    if (error || !parsed.is_object()) return wrong("is no JSON object");
    const json::object& object = parsed.get_object();
    const auto city = hex_member<2>(object, "city");
    const auto issuer = hex_member<8>(object, "issuer");
    const auto list_key = hex_member<64>(object, "list_key");
    const auto day_key = hex_member<64>(object, "day_key");
    const auto audit_key = hex_member<64>(object, "audit_key");
    const json::value* mark = object.if_contains("mark");
    if (!city || !protocol::is_bcd(*city)) return wrong("\"city\" is not four digits");
    if (!issuer) return wrong("\"issuer\" is not 16 hex digits");
    if (!list_key || !day_key) return wrong("\"list_key\" or \"day_key\" is not 128 hex digits");
    if (mark == nullptr || (*mark != "live" && *mark != "rehearsal")) {
        return wrong("\"mark\" is neither live nor rehearsal");
    }
    return CityIdentity{*mark == "live" ? Mark::live : Mark::rehearsal,
                        CityCode{static_cast<std::uint16_t>((*city)[0] << 8 | (*city)[1])},
                        IssuerId{*issuer},
                        *list_key,
                        *day_key,
                        audit_key.value_or(std::array<std::uint8_t, 64>{})};
}

std::vector<NationalRoot> draw_national_roots(crypto::Random& random) {
    std::vector<NationalRoot> roots;
    for (const KeyUse use : national_uses) {
        for (const Suite suite : suites) {
            NationalRoot root{use, suite, {}};
            random.fill(root.value.bytes());
            roots.push_back(std::move(root));
        }
    }
    return roots;
}

Result<void> found_nation(const Founding& founding, std::span<const NationalRoot> roots,
                          std::string detail, crypto::Random& random,
                          const platform::Clock& clock) {
    ONECARD_CHECK(check_dual_control(founding.custodians));
    ONECARD_TRY(directory, NewDirectory::begin(founding.directory));
    ONECARD_TRY(store, create_store(directory / store_file, founding.custodians, founding.mark,
                                    command(clock, "create-store"), random));
    ONECARD_TRY(change,
                StoreChange::begin(*store, command(clock, "found-nation", std::move(detail))));
    for (const NationalRoot& root : roots) {
        const KeyName key = national_key(root.use, root.suite);
        const auto added = store->add(key, crypto::keys::KeyState::active, root.value.bytes());
        if (!added) return store_refusal(text(key), added.error());
    }
    ONECARD_CHECK(generate_authority(*store, national_authority(), random));
    ONECARD_CHECK(change.commit());
    ONECARD_TRY(authority, authority_in(*store, national_authority()));
    const Validity validity = validity_of(clock, root_years);
    ONECARD_TRY(root, certify({X509Kind::root, root_subject(founding.mark),
                               root_subject(founding.mark), crypto::keys::generate_serial(random),
                               validity.not_before, validity.not_after},
                              authority, authority));
    ONECARD_CHECK(directory.write(certificate_file, root));
    return directory.publish();
}

Result<Nation> open_nation(const std::filesystem::path& directory,
                           std::span<const Custodian> present, crypto::Random& random) {
    ONECARD_TRY(store, open_store(directory / store_file, present, random));
    ONECARD_TRY(root, read_small(directory / certificate_file));
    return Nation{std::move(store), std::move(root)};
}

namespace {

/// Everything that a new city's store holds, in one change. Answers its public side.
Result<CityIdentity> fill_city(KeyStore& store, Nation& nation, CityCode city,
                               const IssuerId& issuer, crypto::Random& random) {
    CityIdentity identity{mark_of(store), city, issuer, {}, {}, store.identity().audit_key};
    ONECARD_CHECK(derive_city_masters(*nation.store, store, identity));
    ONECARD_CHECK(generate_city_masters(*nation.store, store, city, random));
    ONECARD_TRY(list_key,
                generate_sm2(store, city_signature(city, KeyUse::list_signature), random));
    ONECARD_TRY(day_key, generate_sm2(store, city_signature(city, KeyUse::day_signature), random));
    ONECARD_CHECK(generate_authority(store, city_authority(city), random));
    std::ranges::copy(list_key.bytes(), identity.list_key.begin());
    std::ranges::copy(day_key.bytes(), identity.day_key.begin());
    return identity;
}

/// The nation's log knows of every city before the city is there.
Result<void> record_city(Nation& nation, const CityIdentity& identity,
                         const CertifiedAuthority& authority, const platform::Clock& clock) {
    const std::string detail = json::serialize(
        json::object{{"city", city_digits(identity.city)},
                     {"issuer", platform::to_hex(identity.issuer.value())},
                     {"audit_key", platform::to_hex(identity.audit_key)},
                     {"subject", text(authority_subject(identity.city, identity.mark))},
                     {"certificate", platform::to_hex(authority.serial)},
                     {"fingerprint", fingerprint_text(authority.key)},
                     {"not_before", utc_text(authority.validity.not_before)},
                     {"not_after", utc_text(authority.validity.not_after)}});
    return record(*nation.store, command(clock, "found-city", detail));
}

Result<void> check_not_founded(const Nation& nation, CityCode city, const IssuerId& issuer,
                               bool again) {
    ONECARD_TRY(known, fold_log(nation.store->log()));
    for (const KnownCity& other : known.cities) {
        const bool same = other.city == city && other.issuer == issuer;
        if (same && again) continue;
        if (other.city != city && other.issuer != issuer) continue;
        return refuse(RefusalKind::city_founded,
                      "the nation has founded city " + city_digits(other.city) + " with issuer " +
                          platform::to_hex(other.issuer.value()) +
                          (same ? ": --again if that was cut off, or its store is lost for good"
                                : ": a city has one issuer, an issuer one city"));
    }
    return {};
}

/// The first certificate of a file.
Result<crypto::keys::X509Certificate> certificate_of(const std::string& pem, const char* file) {
    auto found = crypto::keys::read_certificates(pem);
    if (found) return std::move(found->front());
    return refuse(RefusalKind::city_mismatch,
                  std::string{file} + ": " + crypto::keys::name(found.error()));
}

/// The authority's certificate is for the store's own key, from the root of the city's founding.
Result<void> check_certificates(const City& city, const KnownCity& founding) {
    ONECARD_TRY(authority, certificate_of(city.authority_pem, certificate_file));
    ONECARD_TRY(root, certificate_of(city.root_pem, root_file));
    ONECARD_TRY(own, authority_in(*city.store, city_authority(city.identity.city)));
    if (authority.key != own.key) {
        return refuse(RefusalKind::city_mismatch,
                      std::string{certificate_file} + " is not for this store's authority");
    }
    if (platform::to_hex(root.key) != founding.root || !authority.signed_by(root)) {
        return refuse(RefusalKind::city_mismatch,
                      std::string{root_file} + " is not the root that this city was founded under");
    }
    return {};
}

/// city.json lies beside the store and is not authenticated: every member is held against it.
Result<void> check_description(const City& city, const KnownCity& founding,
                               crypto::Random& random) {
    const auto wrong = [](const char* what) {
        return refuse(RefusalKind::city_mismatch,
                      std::string{city_file} + ": \"" + what + "\" is not what the store says");
    };
    const CityIdentity& said = city.identity;
    if (founding.issuer != said.issuer) return wrong("issuer");
    ONECARD_TRY(list_key,
                sm2_public(*city.store, city_signature(said.city, KeyUse::list_signature), random));
    if (!std::ranges::equal(list_key.bytes(), said.list_key)) return wrong("list_key");
    ONECARD_TRY(day_key,
                sm2_public(*city.store, city_signature(said.city, KeyUse::day_signature), random));
    if (!std::ranges::equal(day_key.bytes(), said.day_key)) return wrong("day_key");
    return {};
}

}  // namespace

Result<CityIdentity> found_city(const Founding& founding, Nation& nation, CityCode city,
                                const IssuerId& issuer, crypto::Random& random,
                                const platform::Clock& clock) {
    ONECARD_CHECK(check_dual_control(founding.custodians));
    if (mark_of(*nation.store) != founding.mark) {
        return refuse(RefusalKind::mark_mismatch,
                      std::string{"the nation is "} + word(mark_of(*nation.store)) +
                          ", the city was to be " + word(founding.mark));
    }
    ONECARD_CHECK(check_not_founded(nation, city, issuer, founding.again));
    ONECARD_TRY(root, certificate_of(nation.root_pem, root_file));
    ONECARD_TRY(directory, NewDirectory::begin(founding.directory));
    ONECARD_TRY(store, create_store(directory / store_file, founding.custodians, founding.mark,
                                    command(clock, "create-store"), random));
    const std::string detail =
        json::serialize(json::object{{"city", city_digits(city)},
                                     {"issuer", platform::to_hex(issuer.value())},
                                     {"root", platform::to_hex(root.key)}});
    ONECARD_TRY(change, StoreChange::begin(*store, command(clock, "found-city", detail)));
    ONECARD_TRY(identity, fill_city(*store, nation, city, issuer, random));
    ONECARD_CHECK(change.commit());
    ONECARD_TRY(authority, certify_authority(*store, *nation.store, city, random, clock));
    ONECARD_CHECK(directory.write(certificate_file, authority.pem));
    ONECARD_CHECK(directory.write(root_file, nation.root_pem));
    ONECARD_CHECK(directory.write(city_file, to_json(identity)));
    ONECARD_CHECK(record_city(nation, identity, authority, clock));
    ONECARD_CHECK(directory.publish());
    return identity;
}

Result<City> open_city(const std::filesystem::path& directory, std::span<const Custodian> present,
                       crypto::Random& random) {
    ONECARD_TRY(text, read_small(directory / city_file));
    ONECARD_TRY(identity, parse_city(text, (directory / city_file).string()));
    ONECARD_TRY(store, open_store(directory / store_file, present, random));
    if (mark_of(*store) != identity.mark) {
        return refuse(RefusalKind::mark_mismatch,
                      directory.string() + ": the key store and city.json disagree");
    }
    // The store's own names and key are authenticated, city.json is not.
    if (!store->find(city_authority(identity.city)) ||
        store->identity().audit_key != identity.audit_key) {
        return refuse(
            RefusalKind::city_mismatch,
            directory.string() + ": the key store is not of city " + city_digits(identity.city));
    }
    ONECARD_TRY(authority, read_small(directory / certificate_file));
    ONECARD_TRY(root, read_small(directory / root_file));
    City city{std::move(store), identity, std::move(authority), std::move(root)};
    ONECARD_TRY(known, fold_log(city.store->log()));
    const auto founding = std::ranges::find(known.cities, identity.city, &KnownCity::city);
    if (founding == known.cities.end()) {
        return refuse(RefusalKind::city_mismatch,
                      directory.string() + ": the store's log has no founding of this city");
    }
    ONECARD_CHECK(check_description(city, *founding, random));
    ONECARD_CHECK(check_certificates(city, *founding));
    return city;
}

Result<void> check_nation_of(const City& city, const Nation& nation) {
    if (mark_of(*nation.store) != city.identity.mark) {
        return refuse(RefusalKind::mark_mismatch, "the nation's store and the city's differ");
    }
    ONECARD_TRY(known, fold_log(nation.store->log()));
    const auto founded = std::ranges::find(known.cities, city.identity.city, &KnownCity::city);
    if (founded != known.cities.end() &&
        founded->audit_key == platform::to_hex(city.store->identity().audit_key)) {
        return {};
    }
    return refuse(RefusalKind::nation_mismatch,
                  "this nation did not found the store of city " + city_digits(city.identity.city));
}

}  // namespace host::keys
