#pragma once
// Why onecard-keys did not do what it was asked.
#include <cstdint>
#include <expected>
#include <string>

namespace host::keys {

enum class RefusalKind : std::uint8_t {
    input_wrong,           ///< an argument or a file's content, named in the detail
    target_exists,         ///< the directory to be written is there already
    file_failed,           ///< reading or writing: the detail has path and reason
    store_failed,          ///< a key store: the detail has the key's name and the reason
    mark_mismatch,         ///< rehearsal keys for a live purpose, or the other way round
    city_mismatch,         ///< the store belongs to another city, or its files are not this store's
    nation_mismatch,       ///< the nation did not found this city
    city_founded,          ///< the nation has founded this city, or another with this issuer
    certificate_refused,   ///< X.509 could not be written
    passphrase_missing,    ///< no passphrase could be had
    dual_control_missing,  ///< fewer than two people: nation and cities need two for everything
    random_failed,         ///< the kernel gave no entropy
    // Rotation: docs/rotation.md.
    log_malformed,       ///< an entry of a store's log does not say what its command must
    key_not_rotatable,   ///< no master of a city, or it moves with another: the detail says which
    key_unknown,         ///< no such key, or no such version of it
    rotation_open,       ///< the next version is planned already
    nothing_planned,     ///< no version waits to be activated
    nation_missing,      ///< the key derives from the nation's root, and the nation is not open
    versions_used_up,    ///< 254 of them
    not_delivered,       ///< a place that must have the version has not: the detail names each
    cities_unconfirmed,  ///< other cities use the nation's root: the detail names each
    fleet_unknown,       ///< which chips carry the key is not known
    sams_lack_it,        ///< SAMs in use were made before the version existed
    still_needed,        ///< chips in use carry the key
    step_out_of_order,   ///< the version's state is not the one before this step
    not_deployed_here,   ///< the city's log does not know this store, or it is out of service
    key_mismatch,        ///< the same name, another secret: somebody mixed up stores
    city_outdated,  ///< a place has keys that the city's store lacks: an old copy of it is in use
    // docs/ceremony.md, 5
    ceremony_unknown,       ///< no ceremony.json here, or not one of ours; or no ceremony's nation
    ceremony_finished,      ///< its nation is founded: nothing can be added
    custodian_not_invited,  ///< not on the list of `begin`
    custodian_missing,      ///< combining needs everyone
    passphrase_repeated,    ///< two custodians with one passphrase
    component_exists,       ///< this custodian has given theirs
    component_malformed,    ///< not 32 hex digits and a check value that fits
    component_weak,         ///< both halves equal: a component, or the sum
    component_repeated,     ///< the same as another: they would cancel each other
    component_missing,      ///< someone has not come yet
    component_foreign,      ///< the file is not the one that was given in this ceremony
    // docs/certificates.md, 6
    request_refused,       ///< no request or renewal of ours: the detail has the library's word
    fingerprint_wrong,     ///< the request's key is not the one that was read out
    key_certified,         ///< this key has a certificate already: each has one
    certificate_unknown,   ///< no certificate of this authority has that serial
    already_revoked,       ///< this certificate is on the list
    certificate_mismatch,  ///< not this unit's, not its key's, or not below its root
    certificate_expired,   ///< or not valid yet
    list_refused,          ///< a revocation list could not be written, or is not to be installed
};
[[nodiscard]] const char* name(RefusalKind kind);

struct Refusal {
    RefusalKind kind = RefusalKind::input_wrong;
    std::string detail;  ///< what, where, what to do; holds no secret
};
template <class T>
using Result = std::expected<T, Refusal>;

[[nodiscard]] inline std::unexpected<Refusal> refuse(RefusalKind kind, std::string detail) {
    return std::unexpected{Refusal{kind, std::move(detail)}};
}

}  // namespace host::keys
