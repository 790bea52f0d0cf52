#pragma once
// The first keys of a nation and of a city. docs/keys.md, 1 and 2. Pure but for the directory that
// is written: random source and clock are passed in.
#include "host/keys/stores.hpp"

namespace host::keys {

/// Who a city is. `city.json`: {"mark", "city", "issuer", "list_key", "day_key", "audit_key"}.
struct CityIdentity {
    Mark mark = Mark::live;
    CityCode city;
    IssuerId issuer;
    std::array<std::uint8_t, 64> list_key{};  ///< SM2, x | y
    std::array<std::uint8_t, 64> day_key{};
    std::array<std::uint8_t, 64> audit_key{};  ///< of the city's store; zero in a deployment.json
};
[[nodiscard]] std::string to_json(const CityIdentity& identity);
[[nodiscard]] Result<CityIdentity> parse_city(std::string_view json, const std::string& file);

struct Founding {
    std::filesystem::path directory;  ///< to be made
    Custodians custodians;            ///< of the new store: two people or more
    Mark mark = Mark::live;
    bool again = false;  ///< a city: its first founding was cut off, or its store is lost for good
};

/// A root made outside: by a ceremony. docs/ceremony.md.
struct NationalRoot {
    KeyUse use = KeyUse::purchase;
    Suite suite = Suite::sm4;
    crypto::SecretBytes<crypto::purse::key_size> value;
};
/// Bytes of every master: docs/keys.md, 2.
inline constexpr std::size_t master_size = 16;
/// The algorithms a city has a master of this use in; of a use that is no master, none.
/// docs/keys.md, 2.
[[nodiscard]] std::span<const crypto::keys::KeyAlgorithm> algorithms_of(KeyUse use);

/// Those that a nation has, in this order.
inline constexpr std::array national_uses{KeyUse::purchase, KeyUse::application_lock};
/// All of them, drawn at once.
[[nodiscard]] std::vector<NationalRoot> draw_national_roots(crypto::Random& random);

/// national/: keys.store, certificate.pem (the TLS root). `detail`: how the roots came about, for
/// the log, a JSON object.
[[nodiscard]] Result<void> found_nation(const Founding& founding,
                                        std::span<const NationalRoot> roots, std::string detail,
                                        crypto::Random& random, const platform::Clock& clock);

/// A nation's store, open, with its root certificate.
struct Nation {
    std::unique_ptr<KeyStore> store;
    std::string root_pem;
};
[[nodiscard]] Result<Nation> open_nation(const std::filesystem::path& directory,
                                         std::span<const Custodian> present,
                                         crypto::Random& random);

/// city-3100/: keys.store, certificate.pem (the authority's), national-root.pem, city.json.
/// The city's mark must be the nation's. `city_founded`: the nation's log has this city (and
/// `again` was not said), or another city with this issuer: they would have the same purchase
/// masters.
[[nodiscard]] Result<CityIdentity> found_city(const Founding& founding, Nation& nation,
                                              CityCode city, const IssuerId& issuer,
                                              crypto::Random& random, const platform::Clock& clock);

struct City {
    std::unique_ptr<KeyStore> store;
    CityIdentity identity;
    std::string authority_pem;
    std::string root_pem;
};
/// Nothing in the directory is believed but what the store itself says: `city_mismatch` when
/// city.json, certificate.pem or national-root.pem are not those of its founding.
[[nodiscard]] Result<City> open_city(const std::filesystem::path& directory,
                                     std::span<const Custodian> present, crypto::Random& random);

/// This nation founded this very store. `mark_mismatch`, `nation_mismatch`.
[[nodiscard]] Result<void> check_nation_of(const City& city, const Nation& nation);

/// One master of a city that derives from the nation's root of the same name.
struct CityMaster {
    KeyUse use = KeyUse::purchase;
    Suite suite = Suite::sm4;
    protocol::KeyVersion version{1};
};
/// Derives it and adds it to `store`, whose change has begun. Of `identity`: city and issuer.
[[nodiscard]] Result<void> add_city_master(const KeyStore& national, KeyStore& store,
                                           const CityIdentity& identity, const CityMaster& master,
                                           crypto::keys::KeyState state);

/// The subject of a city's authority and of the national root. docs/keys.md, 3.
[[nodiscard]] crypto::keys::X509Subject root_subject(Mark mark);
[[nodiscard]] crypto::keys::X509Subject authority_subject(CityCode city, Mark mark);
/// "3100".
[[nodiscard]] std::string city_digits(CityCode city);
/// The inverse; nothing when it is not four digits.
[[nodiscard]] std::optional<CityCode> parse_city_code(std::string_view digits);

/// From a little before now (clocks differ) for so many years, UTC.
struct Validity {
    protocol::DateTime not_before;
    protocol::DateTime not_after;
};
[[nodiscard]] Validity validity_of(const platform::Clock& clock, unsigned years);
/// A key's fingerprint as logs have it: 64 hex digits, no spaces.
[[nodiscard]] std::string fingerprint_text(const crypto::keys::P256PublicKey& key);

}  // namespace host::keys
