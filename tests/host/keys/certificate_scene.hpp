#pragma once
// A rehearsal city with a terminal and a host, whose certificates are asked for, made, installed.
#include <doctest/doctest.h>

#include "host/keys/certificates.hpp"
#include "host/keys/unit_certificate.hpp"
#include "tests/host/keys/founded_city.hpp"

namespace keys_test {

constexpr std::int64_t day_ms = std::int64_t{86400} * 1000;

template <class T>
std::string kind_of(const host::keys::Result<T>& result) {
    return result ? "accepted" : name(result.error().kind);
}

struct CertificateScene {
    FoundedCity founded;
    std::filesystem::path directory;  ///< of the unit

    explicit CertificateScene(std::uint64_t seed = 1) : founded{seed} {
        host::keys::DeploymentOrder order;
        order.role = platform::PeerRole::desk;
        order.unit = "desk-1";
        (void)founded.deploy(order, "desk");
        directory = founded.directory.path / "desk";
    }
    host::keys::Unit unit() {
        return host::keys::open_unit(directory, bytes_of(words), founded.random).value();
    }
    host::keys::Result<host::keys::UnitRequest> request(const host::keys::RequestOrder& order) {
        auto opened = unit();
        return host::keys::request_certificate(opened, order, founded.random, founded.random,
                                               founded.clock);
    }
    host::keys::UnitOrder order_for(const host::keys::UnitRequest& made) const {
        return {platform::PeerRole::desk, "3100", "desk-1", 365, made.fingerprint};
    }
    host::keys::Result<host::keys::IssuedCertificate> issue(const std::string& pem,
                                                            const host::keys::UnitOrder& order) {
        return issue_certificate(founded.city, pem, order, founded.random, founded.clock);
    }
    host::keys::Result<host::keys::IssuedCertificate> renew(const std::string& pem,
                                                            unsigned days = 365) {
        return renew_certificate(founded.city, pem, days, founded.random, founded.clock);
    }
    host::keys::Result<host::keys::Installed> install(const std::string& pem) {
        auto opened = unit();
        return install_certificate(opened, pem, founded.clock);
    }
    host::keys::Result<host::keys::Revoked> revoke(const std::string& serial) {
        const auto authority = authority_of(founded.city).value();
        return revoke_certificate(authority, {serial, {}},
                                  crypto::keys::RevocationReason::key_compromise, founded.clock);
    }
    /// Asked for and issued.
    host::keys::IssuedCertificate issued() {
        const auto made = request({}).value();
        return issue(made.pem, order_for(made)).value();
    }
    std::string serial_in_use() {
        const auto chain = crypto::keys::read_certificates(unit().certificate_pem).value();
        return host::keys::serial_text(chain.front().serial);
    }
    /// What a program does when it starts: certificate.pem and a key that fits.
    bool starts() {
        const auto opened = unit();
        const auto key = crypto::keys::reveal_tls_key(*opened.store, opened.certificate_pem);
        if (!key) return false;
        const auto certified = crypto::keys::read_certificates(opened.certificate_pem).value();
        return crypto::keys::public_key_of(*key, founded.random) == certified.front().key;
    }
    /// States of the unit's TLS keys, oldest first.
    std::vector<std::string> key_states() {
        const auto opened = unit();
        std::vector<std::string> out;
        for (const auto& key : opened.store->list()) {
            if (key.name.use == host::keys::KeyUse::tls_identity) out.emplace_back(name(key.state));
        }
        return out;
    }
    host::keys::CertificateRegister known() {
        return host::keys::fold_certificates(founded.city.store->log()).value();
    }
};

}  // namespace keys_test
