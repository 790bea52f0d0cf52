#include "host/keys/chip_certificates.hpp"

#include <boost/json.hpp>

#include "crypto/keys/scheme_key.hpp"
#include "host/keys/chip_writing.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::CardExpiry;
using crypto::keys::KeyAlgorithm;

constexpr std::uint8_t version_last = 0xFE;

KeyAlgorithm algorithm_of(ChipFamily family) {
    return family == ChipFamily::sm2 ? KeyAlgorithm::sm2_private : KeyAlgorithm::rsa_private;
}

/// Digits, then F up to `size` bytes.
Result<std::vector<std::uint8_t>> padded(const std::string& digits, std::size_t min,
                                         std::size_t size, const char* what) {
    const bool plain = std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
    if (!plain || digits.size() < min || digits.size() > 2 * size) {
        return refuse(RefusalKind::input_wrong, std::string{what} + ": " + std::to_string(min) +
                                                    " to " + std::to_string(2 * size) + " digits");
    }
    return platform::from_hex(digits + std::string(2 * size - digits.size(), 'F')).value();
}

/// Six digits and the last four: a log is read by more people than a card is seen by.
std::string masked(const std::string& pan) {
    const std::size_t digits = std::min(pan.find('F'), pan.size());
    return pan.substr(0, 6) + std::string(digits - 10, '*') + pan.substr(digits - 4, 4);
}

crypto::keys::Command told(const platform::Clock& clock, const char* name,
                           const json::object& detail) {
    return command(clock, name, json::serialize(detail));
}

/// One certificate being made by a signer that is open.
struct Making {
    KeyStore& store;
    const ChipRegister& known;
    const ChipSecret& signer;
    std::string signer_subject;
    std::optional<CardExpiry> limit;  ///< the signer's own end
    crypto::Random& random;
    const platform::Clock& clock;
};

Result<void> check_expiry(const CardExpiry& expiry, const std::optional<CardExpiry>& limit,
                          const platform::Clock& clock) {
    if (crypto::keys::is_expired(expiry, clock.now().date)) {
        return refuse(RefusalKind::certificate_expired,
                      "--expiry " + platform::to_hex(expiry) + " (MMYY) is past");
    }
    if (limit && last_day(expiry) > last_day(*limit)) {
        return refuse(RefusalKind::certificate_refused, "--expiry " + platform::to_hex(expiry) +
                                                            " is after the signer's own, " +
                                                            platform::to_hex(*limit) + " (MMYY)");
    }
    return {};
}

/// The serial that the same certificate has, signed by the same key; nothing when it is new.
Result<std::optional<std::uint32_t>> serial_made(const Making& making, const KnownChip& wanted) {
    std::optional<std::uint32_t> serial;
    for (const KnownChip& each : making.known.certificates) {
        if (each.family != wanted.family || each.fingerprint != wanted.fingerprint) continue;
        if (each.subject != wanted.subject || each.kind != wanted.kind) {
            return refuse(RefusalKind::key_certified,
                          "this key is of " + each.subject + ", certificate " +
                              chip_serial_text(each.serial) + ": every chip has its own");
        }
        if (each.signer != wanted.signer || each.signer_key != wanted.signer_key) continue;
        if (each.revoked) {
            return refuse(
                RefusalKind::already_revoked,
                "this key's certificate " + chip_serial_text(each.serial) + ": another key");
        }
        if (each.expiry == wanted.expiry) serial = each.serial;
    }
    return serial;
}

json::object detail_of(const KnownChip& entry) {
    return {{"family", name(entry.family)},     {"kind", name(entry.kind)},
            {"subject", entry.subject},         {"signer", entry.signer},
            {"signer_key", entry.signer_key},   {"certificate", chip_serial_text(entry.serial)},
            {"fingerprint", entry.fingerprint}, {"expiry", platform::to_hex(entry.expiry)}};
}

Result<ChipCertificate> make(const Making& making, KnownChip wanted, ChipFields fields) {
    wanted.signer = making.signer_subject;
    wanted.signer_key = fingerprint_of(public_of(making.signer));
    wanted.fingerprint = fingerprint_of(fields.key);
    if (fields.kind != ChipCertificateKind::root && wanted.fingerprint == wanted.signer_key) {
        return refuse(RefusalKind::key_certified, "this key is the signer's own");
    }
    ONECARD_CHECK(check_expiry(fields.expiry, making.limit, making.clock));
    ONECARD_TRY(made, serial_made(making, wanted));
    const auto serial = made ? made : making.known.next_serial(wanted.family, wanted.signer);
    if (!serial) {
        return refuse(RefusalKind::certificate_refused,
                      "this signer's serials are used up: a root of another index, or another "
                      "issuer's key");
    }
    wanted.serial = *serial;
    fields.serial = platform::from_hex<3>(chip_serial_text(*serial)).value();
    ONECARD_TRY(text,
                write_chip(making.signer, fields, platform::from_hex(making.signer_subject).value(),
                           making.random, making.clock.now().date));
    if (!made) {
        ONECARD_CHECK(
            record(making.store, told(making.clock, "chip-certificate", detail_of(wanted))));
    }
    return ChipCertificate{std::move(text), std::move(wanted), made.has_value()};
}

/// A city's keys that sign cards of a family, oldest first, with their fingerprints.
struct IssuerKey {
    KeyName name;
    std::string fingerprint;
};
Result<std::vector<IssuerKey>> issuer_keys(const City& city, ChipFamily family,
                                           crypto::Random& random) {
    const KeyName first =
        crypto::keys::city_card_authority(city.identity.city, algorithm_of(family));
    std::vector<IssuerKey> keys;
    for (const auto& key : city.store->list()) {
        const bool same = key.name.label == first.label && key.name.use == first.use &&
                          key.name.algorithm == first.algorithm;
        if (!same) continue;
        ONECARD_TRY(secret, reveal_chip_key(*city.store, key.name, random));
        keys.push_back({key.name, fingerprint_of(public_of(secret))});
    }
    std::ranges::sort(keys, {}, [](const IssuerKey& each) { return each.name.version; });
    return keys;
}

/// The key that the nation is to certify: the one in use, or, with `new_key`, another one. What a
/// run that was cut off has made is gone on with.
Result<KeyName> issuer_key(City& city, const ChipIssuerOrder& order,
                           const std::vector<IssuerKey>& held, crypto::Random& keys,
                           const platform::Clock& clock) {
    KeyName key =
        crypto::keys::city_card_authority(city.identity.city, algorithm_of(order.root.family));
    ONECARD_TRY(known, fold_chips(city.store->log()));
    const ChipIssuer* now = known.issuer(order.root.family);
    if (!held.empty()) {
        const auto used = std::ranges::find_if(held, [&](const IssuerKey& each) {
            return now != nullptr && each.fingerprint == now->fingerprint;
        });
        if (!order.new_key && used != held.end()) return used->name;
        const bool waiting = used == held.end() || used->name != held.back().name;
        if (waiting) return held.back().name;
        if (held.back().name.version.value() >= version_last) {
            return refuse(RefusalKind::versions_used_up, text(held.back().name));
        }
        key.version = KeyVersion{static_cast<std::uint8_t>(held.back().name.version.value() + 1)};
    }
    const json::object detail{{"key", text(key)}};
    ONECARD_TRY(change, StoreChange::begin(*city.store, told(clock, "chip-key", detail)));
    ONECARD_CHECK(generate_chip_key(*city.store, key, issuer_bits, keys));
    ONECARD_CHECK(change.commit());
    return key;
}

/// An issuer's number is one city's, and none begins with another's.
Result<void> check_number(const std::vector<IssuerKey>& own, const ChipRegister& known,
                          ChipFamily family, const std::string& number) {
    for (const KnownChip& each : known.certificates) {
        if (each.kind != ChipCertificateKind::issuer || each.family != family) continue;
        const std::string other = each.subject.substr(0, each.subject.find('F'));
        if (!other.starts_with(number) && !number.starts_with(other)) continue;
        if (std::ranges::count(own, each.fingerprint, &IssuerKey::fingerprint) != 0) continue;
        return refuse(RefusalKind::city_mismatch,
                      "--number " + number + ": another city issues under " + other);
    }
    return {};
}

/// The nation's log has the certificate; the city's says what it is now.
Result<void> note_issuer(City& city, const KnownChip& entry, const platform::Clock& clock) {
    ONECARD_TRY(known, fold_chips(city.store->log()));
    const ChipIssuer* held = known.issuer(entry.family);
    if (held != nullptr && held->number == entry.subject && held->expiry == entry.expiry &&
        held->certificate == chip_serial_text(entry.serial) &&
        held->fingerprint == entry.fingerprint) {
        return {};
    }
    return record(*city.store, told(clock, "chip-issuer",
                                    {{"family", name(entry.family)},
                                     {"number", entry.subject},
                                     {"certificate", chip_serial_text(entry.serial)},
                                     {"fingerprint", entry.fingerprint},
                                     {"expiry", platform::to_hex(entry.expiry)}}));
}

}  // namespace

ChipAuthority chip_authority(const ChipRoot& root) {
    std::vector<std::uint8_t> subject(root.rid.begin(), root.rid.end());
    subject.push_back(root.index);
    return {
        crypto::keys::national_card_authority(algorithm_of(root.family), KeyVersion{root.index}),
        platform::to_hex(subject)};
}

Result<ChipAuthority> chip_authority(const City& city, ChipFamily family, crypto::Random& random) {
    ONECARD_TRY(known, fold_chips(city.store->log()));
    const ChipIssuer* issuer = known.issuer(family);
    ONECARD_TRY(keys, issuer_keys(city, family, random));
    for (const IssuerKey& key : keys) {  // the one that the nation has certified
        if (issuer != nullptr && key.fingerprint == issuer->fingerprint) {
            return ChipAuthority{key.name, issuer->number};
        }
    }
    return refuse(RefusalKind::certificate_unknown, "city " + city_digits(city.identity.city) +
                                                        " is no issuer of " + name(family) +
                                                        " cards yet: `certificate card-issuer`");
}

Result<ChipCertificate> certify_root(Nation& nation, const ChipRoot& root, const CardExpiry& expiry,
                                     crypto::Random& keys, crypto::Random& random,
                                     const platform::Clock& clock) {
    if (root.index == 0 || root.index > version_last) {
        return refuse(RefusalKind::input_wrong, "--index: 1 to 254");
    }
    const ChipAuthority authority = chip_authority(root);
    ONECARD_TRY(known, fold_chips(nation.store->log()));
    for (const KnownChip& each : known.certificates) {
        const bool same_index = each.kind == ChipCertificateKind::root &&
                                each.family == root.family &&
                                each.subject.substr(10) == authority.signer.substr(10);
        if (same_index && each.subject != authority.signer) {
            return refuse(RefusalKind::input_wrong,
                          "--index: the root " + each.subject + " has it: every root its own");
        }
    }
    if (!nation.store->find(authority.key)) {
        const json::object detail{{"key", text(authority.key)}};
        ONECARD_TRY(change, StoreChange::begin(*nation.store, told(clock, "chip-key", detail)));
        ONECARD_CHECK(generate_chip_key(*nation.store, authority.key, root_bits, keys));
        ONECARD_CHECK(change.commit());
    }
    ONECARD_TRY(secret, reveal_chip_key(*nation.store, authority.key, random));
    const Making making{*nation.store, known, secret, authority.signer, {}, random, clock};
    ChipFields fields{ChipCertificateKind::root,
                      platform::from_hex(authority.signer).value(),
                      expiry,
                      {},
                      public_of(secret),
                      {}};
    return make(making,
                {root.family, ChipCertificateKind::root, authority.signer, {}, 0, {}, expiry, {}},
                std::move(fields));
}

Result<ChipCertificate> certify_issuer(Nation& nation, City& city, const ChipIssuerOrder& order,
                                       crypto::Random& keys, crypto::Random& random,
                                       const platform::Clock& clock) {
    ONECARD_TRY(subject, padded(order.number, 3, 4, "--number"));
    ONECARD_CHECK(check_nation_of(city, nation));
    const ChipAuthority authority = chip_authority(order.root);
    ONECARD_TRY(known, fold_chips(nation.store->log()));
    const KnownChip* root = known.root(order.root.family, authority.signer);
    if (root == nullptr || root->revoked) {
        return refuse(RefusalKind::certificate_unknown,
                      "no root " + authority.signer + " in force: `certificate card-root`");
    }
    ONECARD_CHECK(check_expiry(order.expiry, root->expiry, clock));
    ONECARD_TRY(held, issuer_keys(city, order.root.family, random));
    ONECARD_CHECK(check_number(held, known, order.root.family, order.number));
    ONECARD_TRY(key, issuer_key(city, order, held, keys, clock));
    ONECARD_TRY(own, reveal_chip_key(*city.store, key, random));
    ONECARD_TRY(secret, reveal_chip_key(*nation.store, authority.key, random));
    const Making making{*nation.store, known,  secret, authority.signer,
                        root->expiry,  random, clock};
    KnownChip wanted{order.root.family,
                     ChipCertificateKind::issuer,
                     platform::to_hex(subject),
                     {},
                     0,
                     {},
                     order.expiry,
                     {}};
    ONECARD_TRY(made,
                make(making, std::move(wanted),
                     {ChipCertificateKind::issuer, subject, order.expiry, {}, public_of(own), {}}));
    ONECARD_CHECK(note_issuer(city, made.entry, clock));
    return made;
}

Result<ChipCertificate> certify_chip(City& city, const ChipOrder& order, crypto::Random& random,
                                     const platform::Clock& clock) {
    const bool sam = order.kind == ChipCertificateKind::sam;
    if (sam && order.family != ChipFamily::sm2) {
        return refuse(RefusalKind::input_wrong, "SAMs have SM2 certificates only");
    }
    if (sam && !order.static_data.empty()) {
        return refuse(RefusalKind::input_wrong, "a SAM has no static data");
    }
    ONECARD_TRY(subject, padded(order.number, sam ? 20 : 12, 10, "--number"));
    ONECARD_TRY(authority, chip_authority(city, order.family, random));
    const std::string prefix = authority.signer.substr(0, authority.signer.find('F'));
    if (!sam && !order.number.starts_with(prefix)) {
        return refuse(RefusalKind::city_mismatch,
                      "the number does not begin with this issuer's, " + prefix);
    }
    ONECARD_TRY(known, fold_chips(city.store->log()));
    ONECARD_TRY(secret, reveal_chip_key(*city.store, authority.key, random));
    const Making making{
        *city.store, known, secret, authority.signer, known.issuer(order.family)->expiry,
        random,      clock};
    const std::string digits = platform::to_hex(subject);
    KnownChip wanted{order.family, order.kind, sam ? digits : masked(digits), {}, 0, {},
                     order.expiry, {}};
    return make(making, std::move(wanted),
                {order.kind, subject, order.expiry, {}, order.key, order.static_data});
}

Result<KnownChip> revoke_chip(KeyStore& store, ChipFamily family, const std::string& signer,
                              std::uint32_t serial, const platform::Clock& clock) {
    ONECARD_TRY(known, fold_chips(store.log()));
    const KnownChip* found = known.find(family, signer, serial);
    if (found == nullptr) {
        return refuse(
            RefusalKind::certificate_unknown,
            signer + " has signed no " + name(family) + " certificate " + chip_serial_text(serial));
    }
    if (found->revoked) {
        return refuse(RefusalKind::already_revoked,
                      chip_serial_text(serial) + ", " + utc_text(*found->revoked));
    }
    KnownChip out = *found;
    out.revoked = platform::local_date_time(clock.unix_ms(), 0);
    ONECARD_CHECK(record(store, told(clock, "chip-revoked", detail_of(out))));
    return out;
}

Result<ChipList> write_chip_list(KeyStore& store, const KeyName& key, const std::string& signer,
                                 crypto::Random& random, const platform::Clock& clock) {
    ONECARD_TRY(known, fold_chips(store.log()));
    ONECARD_TRY(secret, reveal_chip_key(store, key, random));
    const auto* sm2 = std::get_if<crypto::sm2::PrivateKey>(&secret);
    if (sm2 == nullptr) return refuse(RefusalKind::list_refused, "lists are of SM2 certificates");
    const auto last = known.sequences.find(signer);
    crypto::keys::RevocationList list{platform::from_hex(signer).value(),
                                      last == known.sequences.end() ? 1 : last->second + 1,
                                      clock.now().date,
                                      {}};
    for (const KnownChip& each : known.certificates) {
        const bool listed = each.family == ChipFamily::sm2 && each.signer == signer &&
                            each.revoked &&
                            !crypto::keys::is_expired(each.expiry, clock.now().date);
        if (!listed) continue;
        list.serials.push_back(platform::from_hex<3>(chip_serial_text(each.serial)).value());
    }
    const auto written = crypto::keys::write_revocation_list(list, *sm2, random);
    if (!written) return refuse(RefusalKind::list_refused, name(written.error()));
    ONECARD_CHECK(record(store, told(clock, "chip-list",
                                     {{"signer", signer},
                                      {"sequence", list.sequence},
                                      {"issued", platform::to_hex(list.issued.bcd())},
                                      {"entries", list.serials.size()}})));
    return ChipList{"list: " + platform::to_hex(*written) + "\n", std::move(list)};
}

}  // namespace host::keys
