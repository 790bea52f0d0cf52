#include "host/keys/chip_register.hpp"

#include "host/keys/log_line.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

constexpr std::uint32_t serial_max = 0xFFFFFF;
constexpr std::array families{ChipFamily::sm2, ChipFamily::rsa};
constexpr std::array kinds{ChipCertificateKind::root, ChipCertificateKind::issuer,
                           ChipCertificateKind::card, ChipCertificateKind::sam};

template <class Enum, std::size_t size>
std::optional<Enum> parse(const std::array<Enum, size>& all, const json::object& detail,
                          const char* member) {
    const auto word = text_of(detail, member);
    for (const Enum each : all) {
        if (word == name(each)) return each;
    }
    return std::nullopt;
}

std::optional<std::uint32_t> parse_chip_serial(const std::optional<std::string>& text) {
    const auto bytes = text ? platform::from_hex<3>(*text) : std::nullopt;
    if (!bytes) return std::nullopt;
    return static_cast<std::uint32_t>((*bytes)[0] << 16 | (*bytes)[1] << 8 | (*bytes)[2]);
}

class Fold {
public:
    /// What is wrong with it, or nothing.
    const char* take(const json::object& line);
    ChipRegister finish() { return std::move(out_); }

private:
    const char* certified(const json::object& detail);
    const char* issuer(const json::object& detail);
    const char* revoked(const json::object& line, const json::object& detail);
    const char* list(const json::object& detail);
    ChipRegister out_;
};

const char* Fold::certified(const json::object& detail) {
    const auto family = parse(families, detail, "family");
    const auto kind = parse(kinds, detail, "kind");
    auto subject = text_of(detail, "subject");
    auto signer = text_of(detail, "signer");
    auto fingerprint = text_of(detail, "fingerprint");
    const auto serial = parse_chip_serial(text_of(detail, "certificate"));
    const auto expiry = parse_expiry(text_of(detail, "expiry").value_or(""));
    if (!family || !kind || !subject || !signer) return "whom it certified";
    if (!serial || !expiry || !fingerprint) return "its certificate";
    out_.certificates.push_back({*family, *kind, *std::move(subject), *std::move(signer), *serial,
                                 *std::move(fingerprint), *expiry, std::nullopt,
                                 text_of(detail, "signer_key").value_or("")});
    return nullptr;
}

const char* Fold::issuer(const json::object& detail) {
    const auto family = parse(families, detail, "family");
    auto number = text_of(detail, "number");
    const auto expiry = parse_expiry(text_of(detail, "expiry").value_or(""));
    auto certificate = text_of(detail, "certificate");
    auto fingerprint = text_of(detail, "fingerprint");
    if (!family || !number || !expiry || !certificate || !fingerprint) {
        return "which issuer the city is";
    }
    std::erase_if(out_.issuers, [&](const ChipIssuer& each) { return each.family == *family; });
    out_.issuers.push_back(
        {*family, *std::move(number), *expiry, *std::move(certificate), *std::move(fingerprint)});
    return nullptr;
}

const char* Fold::revoked(const json::object& line, const json::object& detail) {
    const auto family = parse(families, detail, "family");
    const auto signer = text_of(detail, "signer");
    const auto serial = parse_chip_serial(text_of(detail, "certificate"));
    const auto at = text_of(line, "at");
    const auto when = at ? parse_utc(*at) : std::nullopt;
    if (!family || !signer || !serial || !when) return "which certificate it revoked";
    for (KnownChip& each : out_.certificates) {
        if (each.family == *family && each.signer == *signer && each.serial == *serial) {
            each.revoked = when;
        }
    }
    return nullptr;
}

const char* Fold::list(const json::object& detail) {
    const auto signer = text_of(detail, "signer");
    const json::value* sequence = detail.if_contains("sequence");
    if (!signer || sequence == nullptr || !sequence->is_int64()) return "the number of its list";
    out_.sequences[*signer] = static_cast<std::uint32_t>(sequence->get_int64());
    return nullptr;
}

const char* Fold::take(const json::object& line) {
    const auto command = text_of(line, "command");
    const json::value* value = line.if_contains("detail");
    if (!command || value == nullptr || !value->is_object()) return "a command with its detail";
    const json::object& detail = value->get_object();
    if (*command == "chip-certificate") return certified(detail);
    if (*command == "chip-issuer") return issuer(detail);
    if (*command == "chip-revoked") return revoked(line, detail);
    if (*command == "chip-list") return list(detail);
    return nullptr;
}

}  // namespace

const char* name(ChipFamily family) {
    return family == ChipFamily::sm2 ? "sm2" : "rsa";
}

const char* name(ChipCertificateKind kind) {
    switch (kind) {
        case ChipCertificateKind::root: return "root";
        case ChipCertificateKind::issuer: return "issuer";
        case ChipCertificateKind::card: return "card";
        case ChipCertificateKind::sam: return "sam";
    }
    return "unknown";
}

std::string chip_serial_text(std::uint32_t serial) {
    return platform::to_hex(std::array{static_cast<std::uint8_t>(serial >> 16),
                                       static_cast<std::uint8_t>(serial >> 8),
                                       static_cast<std::uint8_t>(serial)});
}

KnownCertificate described(const KnownChip& chip) {
    KnownCertificate out;
    out.kind = std::string{name(chip.family)} + "-" + name(chip.kind);
    out.subject = out.kind + " " + chip.subject + ", by " + chip.signer;
    out.serial = chip_serial_text(chip.serial);
    out.fingerprint = chip.fingerprint;
    out.not_after = {last_day(chip.expiry), protocol::Time::make(23, 59, 59).value()};
    out.revoked = chip.revoked;
    out.reason = chip.revoked ? "unspecified" : "";
    return out;
}

const ChipIssuer* ChipRegister::issuer(ChipFamily family) const {
    const auto found = std::ranges::find(issuers, family, &ChipIssuer::family);
    return found == issuers.end() ? nullptr : &*found;
}

const KnownChip* ChipRegister::root(ChipFamily family, std::string_view subject) const {
    const auto found = std::ranges::find_if(certificates, [&](const KnownChip& each) {
        return each.family == family && each.kind == ChipCertificateKind::root &&
               each.subject == subject;
    });
    return found == certificates.end() ? nullptr : &*found;
}

const KnownChip* ChipRegister::find(ChipFamily family, std::string_view signer,
                                    std::uint32_t serial) const {
    const auto found = std::ranges::find_if(certificates, [&](const KnownChip& each) {
        return each.family == family && each.signer == signer && each.serial == serial;
    });
    return found == certificates.end() ? nullptr : &*found;
}

std::optional<std::uint32_t> ChipRegister::next_serial(ChipFamily family,
                                                       std::string_view signer) const {
    std::uint32_t last = 0;
    for (const KnownChip& each : certificates) {
        if (each.family == family && each.signer == signer) last = std::max(last, each.serial);
    }
    if (last >= serial_max) return std::nullopt;
    return last + 1;
}

Result<ChipRegister> fold_chips(std::span<const crypto::keys::LogEntry> log) {
    return fold_lines(log, Fold{});
}

std::optional<crypto::keys::CardExpiry> parse_expiry(std::string_view text) {
    const auto bytes = platform::from_hex<2>(text);
    if (!bytes || !crypto::keys::is_card_expiry(*bytes)) return std::nullopt;
    return *bytes;
}

protocol::Date last_day(const crypto::keys::CardExpiry& expiry) {
    const unsigned short_year = protocol::from_bcd(expiry[1]);
    const unsigned year = short_year >= 50 ? 1900 + short_year : 2000 + short_year;
    const unsigned month = protocol::from_bcd(expiry[0]);
    return protocol::Date::make(year, month, protocol::Date::days_in_month(year, month)).value();
}

}  // namespace host::keys
