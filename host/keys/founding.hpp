#pragma once
// The first keys of a nation and of a city. docs/keys.md, 1 and 2. Pure but for the directory that
// is written: random source and clock are passed in.
#include "host/keys/stores.hpp"
#include "platform/clock.hpp"

namespace host::keys {

/// Who a city is. `city.json`: {"mark", "city", "issuer", "list_key", "day_key"}.
struct CityIdentity {
    Mark mark = Mark::live;
    CityCode city;
    IssuerId issuer;
    std::array<std::uint8_t, 64> list_key{};  ///< SM2, x | y
    std::array<std::uint8_t, 64> day_key{};
};
[[nodiscard]] std::string to_json(const CityIdentity& identity);
[[nodiscard]] Result<CityIdentity> parse_city(std::string_view json, const std::string& file);

struct Founding {
    std::filesystem::path directory;  ///< to be made
    crypto::Bytes passphrase;         ///< of the new store
    Mark mark = Mark::live;
};

/// national/: keys.store, certificate.pem (the TLS root).
[[nodiscard]] Result<void> found_nation(const Founding& founding, crypto::Random& random,
                                        const platform::Clock& clock);

/// A nation's store, open, with its root certificate.
struct Nation {
    std::unique_ptr<KeyStore> store;
    std::string root_pem;
};
[[nodiscard]] Result<Nation> open_nation(const std::filesystem::path& directory,
                                         crypto::Bytes passphrase, crypto::Random& random);

/// city-3100/: keys.store, certificate.pem (the authority's), national-root.pem, city.json.
/// The city's mark must be the nation's.
[[nodiscard]] Result<CityIdentity> found_city(const Founding& founding, const Nation& nation,
                                              CityCode city, const IssuerId& issuer,
                                              crypto::Random& random, const platform::Clock& clock);

struct City {
    std::unique_ptr<KeyStore> store;
    CityIdentity identity;
    std::string authority_pem;
    std::string root_pem;
};
[[nodiscard]] Result<City> open_city(const std::filesystem::path& directory,
                                     crypto::Bytes passphrase, crypto::Random& random);

/// The subject of a city's authority and of the national root. docs/keys.md, 3.
[[nodiscard]] crypto::keys::X509Subject root_subject();
[[nodiscard]] crypto::keys::X509Subject authority_subject(CityCode city);
/// "3100".
[[nodiscard]] std::string city_digits(CityCode city);

/// From a little before now (clocks differ) for so many years, UTC.
struct Validity {
    protocol::DateTime not_before;
    protocol::DateTime not_after;
};
[[nodiscard]] Validity validity_of(const platform::Clock& clock, unsigned years);

}  // namespace host::keys
