#pragma once
// The certificates for chips that the nation or a city has made and revoked, folded out of the log
// of its store. Pure. docs/card_certificates.md, 4.
#include "crypto/keys/revocation_list.hpp"
#include "host/keys/certificate_register.hpp"

namespace host::keys {

enum class ChipFamily : std::uint8_t { sm2, rsa };
[[nodiscard]] const char* name(ChipFamily family);
enum class ChipCertificateKind : std::uint8_t { root, issuer, card, sam };
[[nodiscard]] const char* name(ChipCertificateKind kind);

struct KnownChip {
    ChipFamily family = ChipFamily::sm2;
    ChipCertificateKind kind = ChipCertificateKind::card;
    std::string subject;  ///< its bytes in hex; of a card masked
    std::string signer;   ///< the signer's subject; of a root its own
    std::uint32_t serial = 0;
    std::string fingerprint;  ///< of its key
    crypto::keys::CardExpiry expiry{};
    std::optional<protocol::DateTime> revoked;
    std::string signer_key{};  ///< fingerprint of the key that signed it
};
/// For people, in one list with the others.
[[nodiscard]] KnownCertificate described(const KnownChip& chip);
/// 6 hex digits.
[[nodiscard]] std::string chip_serial_text(std::uint32_t serial);

/// What a city is to its cards: in its own log, since the nation numbers and signs it.
struct ChipIssuer {
    ChipFamily family = ChipFamily::sm2;
    std::string number;  ///< 4 bytes in hex: 3..8 digits, then F
    crypto::keys::CardExpiry expiry{};
    std::string certificate;  ///< its serial
    std::string fingerprint;  ///< of the key that was certified: the one that signs
};
struct ChipRegister {
    std::vector<KnownChip> certificates;
    std::vector<ChipIssuer> issuers;                 ///< one per family: the last
    std::map<std::string, std::uint32_t> sequences;  ///< of each signer's last revocation list

    [[nodiscard]] const ChipIssuer* issuer(ChipFamily family) const;
    [[nodiscard]] const KnownChip* root(ChipFamily family, std::string_view subject) const;
    [[nodiscard]] const KnownChip* find(ChipFamily family, std::string_view signer,
                                        std::uint32_t serial) const;
    /// Serials of a signer count up and are never used again; nothing when all are used up.
    [[nodiscard]] std::optional<std::uint32_t> next_serial(ChipFamily family,
                                                           std::string_view signer) const;
};

/// `log_malformed` as `fold_log`.
[[nodiscard]] Result<ChipRegister> fold_chips(std::span<const crypto::keys::LogEntry> log);

/// MMYY; nothing when it is none.
[[nodiscard]] std::optional<crypto::keys::CardExpiry> parse_expiry(std::string_view text);
/// The last day of its month.
[[nodiscard]] protocol::Date last_day(const crypto::keys::CardExpiry& expiry);

}  // namespace host::keys
