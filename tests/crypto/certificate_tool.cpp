// Our X.509 files for OpenSSL's command, and OpenSSL's for us: certificate_tools_test.py.
//   certificate_tool write DIR | request FILE | list FILE AUTHORITY | certificate FILE
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "crypto/keys/enrolment.hpp"
#include "crypto/keys/x509_revocation.hpp"
#include "crypto/random/seeded_random.hpp"

namespace {

using namespace crypto::keys;

protocol::DateTime at(unsigned year, unsigned month = 1) {
    return {*protocol::Date::make(year, month, 1), {}};
}

std::string read(const std::filesystem::path& path) {
    std::ostringstream out;
    out << std::ifstream{path}.rdbuf();
    return out.str();
}

struct Person {
    X509Subject subject;
    P256PrivateKey secret;
    X509Issuer issuer;
    X509Certificate certificate{};
    Person(X509Subject subject_, crypto::Random& random)
        : subject{std::move(subject_)},
          secret{generate_p256(random)},
          issuer{*public_key_of(secret, random), software_signer(secret, random)} {}
};

/// Two cities, of which the root has revoked the second; two units in the first, of which it has
/// revoked the second.
void write_files(const std::filesystem::path& directory) {
    crypto::SeededRandom random{1, "tool"};
    const auto write = [&](const char* name, const std::string& text) {
        std::ofstream{directory / name} << text;
    };
    const auto certify = [&](X509Kind kind, Person& subject, const Person& signer) {
        const auto pem = write_certificate({kind, subject.subject, signer.subject,
                                            generate_serial(random), at(2026), at(2030)},
                                           subject.issuer.key, signer.issuer)
                             .value();
        subject.certificate = read_certificates(pem).value().front();
        return pem;
    };
    Person root{{"national-ca", "national", "root"}, random};
    Person city{{"city-ca", "3100", "authority"}, random};
    Person lost_city{{"city-ca", "3200", "authority"}, random};
    Person good{{"city-host", "3100", "host-3100"}, random};
    Person lost{{"terminal", "0000000000310001", "0000000031000101"}, random};
    Person orphan{{"city-host", "3200", "host-3200"}, random};
    write("root.pem", certify(X509Kind::root, root, root));
    write("city.pem", certify(X509Kind::authority, city, root));
    write("lost-city.pem", certify(X509Kind::authority, lost_city, root));
    write("good.pem", certify(X509Kind::unit, good, city));
    write("lost.pem", certify(X509Kind::unit, lost, city));
    write("orphan.pem", certify(X509Kind::unit, orphan, lost_city));
    write("request.pem", write_enrolment_request(good.subject, good.issuer).value());
    write("fingerprint", key_fingerprint(good.issuer.key));
    const auto list = [&](const Person& signer, std::vector<RevokedX509> revoked) {
        return write_x509_revocation_list(
                   {signer.subject, 258, at(2026, 6), at(2027), std::move(revoked)}, signer.issuer)
            .value();
    };
    write("root.crl", list(root, {{lost_city.certificate.serial, at(2026, 5),
                                   RevocationReason::authority_compromise}}));
    write("city.crl",
          list(city, {{lost.certificate.serial, at(2026, 5), RevocationReason::key_compromise}}));
    write("lost-city.crl", list(lost_city, {}));
}

template <class T>
int answer(const std::expected<T, EnrolmentError>& read) {
    std::cout << (read ? text(read->wish) : name(read.error())) << '\n';
    return 0;
}

int run(const std::vector<std::string>& words) {
    const std::string& command = words.at(0);
    if (command == "write") {
        write_files(words.at(1));
        return 0;
    }
    const std::string pem = read(words.at(1));
    if (command == "request") return answer(read_enrolment_request(pem));
    if (command == "certificate") {
        const auto found = read_certificates(pem);
        std::cout << (found ? text(found->front().subject) : name(found.error())) << '\n';
        return 0;
    }
    const auto lists = read_x509_revocation_lists(pem);
    if (!lists) {
        std::cout << name(lists.error()) << '\n';
        return 0;
    }
    const auto authority = read_certificates(read(words.at(2))).value().front();
    const auto verified = verify_x509_revocation_list(lists->front(), authority);
    if (!verified) {
        std::cout << name(verified.error()) << '\n';
        return 0;
    }
    const X509RevocationList& list = lists->front().list;
    std::cout << list.number;
    for (const RevokedX509& entry : list.revoked) std::cout << ' ' << name(entry.reason);
    std::cout << '\n';
    return 0;
}

}  // namespace

int main(int count, char** words) {
    return run({words + 1, words + count});
}
