#include "host/keys/issuing.hpp"

#include "crypto/core/secret.hpp"
#include "crypto/keys/key_names.hpp"
#include "crypto/purse/personalisation.hpp"
#include "host/keys/stores.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

using crypto::purse::PersonalisationSession;
using crypto::purse::PurseKey;
using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::KeyVersion;

constexpr KeyIndex purse_key_index{1};
/// ISO 3166-1 numeric 156, China, in file 17's four BCD bytes. domain.md 3.1.
constexpr std::array<std::uint8_t, 4> china{0x00, 0x00, 0x01, 0x56};
constexpr std::uint8_t application_type_normal = 0x02;  // file 15
constexpr std::uint8_t sam_version = 0x01;              // file 15 of a SAM: ours

std::unexpected<IssuingFailure> fail(IssuingRefusal refusal, std::string detail) {
    return std::unexpected{IssuingFailure{refusal, std::move(detail)}};
}

std::unexpected<IssuingFailure> key_missing(const std::string& label, Suite suite) {
    return fail(IssuingRefusal::keys_missing,
                "a key of " + label + " for suite " + word(suite) + " is not in the key store");
}

IssuingResult<PurseKey> chip_transport_key(const KeyStore& store, const IssuerPlace& place,
                                           ChipKind kind, const protocol::ChipInfo& chip) {
    const KeyUse use = kind == ChipKind::card ? KeyUse::card_transport : KeyUse::sam_transport;
    if (!protocol::is_suite(chip.transport_suite)) {
        return fail(IssuingRefusal::chip_not_blank, "its transport key is gone");
    }
    const auto name = crypto::keys::city_key(
        place.city, use, static_cast<Suite>(chip.transport_suite), chip.transport_version);
    const auto id = store.find(name);
    const std::array factors{crypto::purse::Factor{chip.serial.value()}};
    auto key = id ? store.derive(*id, factors) : std::unexpected{id.error()};
    if (!key) {
        return fail(IssuingRefusal::transport_unknown,
                    std::string{"suite "} + word(static_cast<Suite>(chip.transport_suite)) +
                        ", version " + std::to_string(chip.transport_version.value()) + ": " +
                        crypto::keys::name(key.error()));
    }
    return *std::move(key);
}

/// Builds one chip's sequence; the first key that is missing stops it.
class Builder {
public:
    Builder(const KeyStore& store, const IssuerPlace& place, const PurseKey& transport,
            const std::array<std::uint8_t, 8>& challenge)
        : store_{store}, place_{place}, session_{transport, challenge} {
        out_.commands.push_back(session_.authenticate());
        protect(protocol::erase_command());
    }

    void protect(const protocol::PlainCommand& command) {
        out_.commands.push_back(session_.protect(command));
    }
    template <class Files>
    void create_files(const Files& files) {
        for (const protocol::FileDefinition& file : files) {
            const auto data = file.data();
            protect(protocol::create_file_command(file.identifier, data));
        }
    }
    void create_application(protocol::FileIdentifier identifier, protocol::ApplicationKind kind,
                            protocol::Bytes aid) {
        const auto data = protocol::ApplicationDefinition{kind, aid}.data();
        protect(protocol::create_file_command(identifier, data));
    }
    void write_file(std::uint8_t sfi, protocol::Bytes content) {
        protect(protocol::write_binary_command(sfi, 0, content));
    }
    void append(std::uint8_t sfi, protocol::Bytes record) {
        protect(protocol::append_record_command(sfi, record));
    }

    /// The city's master, one level down: the card's own key.
    IssuingResult<void> card_key(KeyUsage usage, KeyIndex index, KeyUse use,
                                 const CardOrder& card) {
        const std::string label = crypto::keys::city_label(place_.city);
        const auto master = newest_active(store_, label, use, card.suite);
        if (!master) return key_missing(label, card.suite);
        const std::array factors{crypto::purse::factor_of(card.number)};
        const auto key = store_.derive(master->id, factors);
        if (!key) return key_missing(label, card.suite);
        out_.commands.push_back(session_.write_key(usage, index, master->version, *key));
        out_.keys.push_back({use, card.suite, master->version});
        return {};
    }
    /// A SAM's own: for the commands that are sent to it, not for those it signs.
    IssuingResult<void> sam_own_key(KeyUsage usage, KeyUse use, Suite suite,
                                    const ChipSerial& serial) {
        const std::string label = crypto::keys::city_label(place_.city);
        const auto master = newest_active(store_, label, use, suite);
        if (!master) return key_missing(label, suite);
        const auto key = store_.derive(master->id, sam_own_factors(serial));
        if (!key) return key_missing(label, suite);
        out_.commands.push_back(
            session_.write_key(usage, protocol::administrative_key_index, master->version, *key));
        out_.keys.push_back({use, suite, master->version});
        return {};
    }
    /// The nation's root itself: a SAM derives both levels.
    IssuingResult<void> sam_key(KeyUsage usage, KeyIndex index, KeyUse use, const ActiveKey& root,
                                Suite suite) {
        PurseKey key;
        key.suite = suite;
        if (!store_.reveal(root.id, key.value.bytes())) return key_missing("national", suite);
        constexpr std::uint8_t not_counted = 0;  // nobody's MAC is compared with these keys
        out_.commands.push_back(
            usage == KeyUsage::sam_delegated_mac
                ? session_.write_delegated_key(index, root.version, key,
                                               protocol::delegated_lock_limit,
                                               protocol::uses_unlimited)
                : session_.write_key(usage, index, root.version, key, not_counted));
        out_.keys.push_back({use, suite, root.version, true});
        return {};
    }
    [[nodiscard]] std::vector<ActiveKey> roots(KeyUse use, Suite suite) const {
        return window_of(store_, "national", use, suite);
    }
    void write_pin(const std::string& digits);
    Personalisation finish(const ChipSerial& serial) {
        auto activation = session_.activate(serial);
        out_.commands.push_back(activation.command);
        out_.receipt = activation.receipt;
        return std::move(out_);
    }

private:
    const KeyStore& store_;
    const IssuerPlace& place_;
    PersonalisationSession session_;
    Personalisation out_;
};

/// BCD, F behind an odd count. docs/card_commands.md, 3.
void Builder::write_pin(const std::string& digits) {
    crypto::SecretBytes<protocol::pin_size_max> pin;
    const std::size_t size = (digits.size() + 1) / 2;
    for (std::size_t i = 0; i < size * 2; ++i) {
        const unsigned nibble = i < digits.size() ? static_cast<unsigned>(digits[i] - '0') : 0x0FU;
        auto& byte = pin.bytes()[i / 2];
        byte = static_cast<std::uint8_t>(static_cast<unsigned>(byte) << 4 | nibble);
    }
    out_.commands.push_back(session_.write_pin(pin.bytes().first(size)));
}

struct PlannedKey {
    KeyUsage usage;
    KeyIndex index;
    KeyUse use;
};
/// docs/card_commands.md, 3, the table of usages.
constexpr std::array card_master_file_keys{
    PlannedKey{KeyUsage::application_lock, protocol::administrative_key_index,
               KeyUse::application_lock},
    PlannedKey{KeyUsage::maintenance, protocol::administrative_key_index, KeyUse::card_maintenance},
};
constexpr std::array card_application_keys{
    PlannedKey{KeyUsage::purchase, purse_key_index, KeyUse::purchase},
    PlannedKey{KeyUsage::load, purse_key_index, KeyUse::load},
    PlannedKey{KeyUsage::transaction_certificate, purse_key_index, KeyUse::transaction_certificate},
    PlannedKey{KeyUsage::internal_authentication, purse_key_index, KeyUse::internal_authentication},
    PlannedKey{KeyUsage::pin_unblock, protocol::administrative_key_index, KeyUse::pin_unblock},
    PlannedKey{KeyUsage::pin_reload, protocol::administrative_key_index, KeyUse::pin_reload},
    PlannedKey{KeyUsage::application_lock, protocol::administrative_key_index,
               KeyUse::application_lock},
    PlannedKey{KeyUsage::application_unlock, protocol::administrative_key_index,
               KeyUse::application_unlock},
    PlannedKey{KeyUsage::maintenance, protocol::administrative_key_index,
               KeyUse::application_maintenance},
    PlannedKey{KeyUsage::control, protocol::administrative_key_index,
               KeyUse::external_authentication},
};

IssuingResult<void> write_card_keys(Builder& builder, std::span<const PlannedKey> keys,
                                    const CardOrder& card) {
    for (const PlannedKey& planned : keys) {
        ONECARD_CHECK(builder.card_key(planned.usage, planned.index, planned.use, card));
    }
    return {};
}

void write_card_files(Builder& builder, const IssuerPlace& place, const CardOrder& card) {
    const protocol::PublicInfo info{place.issuer,
                                    application_type_normal,
                                    static_cast<std::uint8_t>(card.enabled ? 1 : 0),
                                    card.number,
                                    card.valid_from,
                                    card.valid_to,
                                    {}};
    builder.write_file(protocol::sfi_public_info, info.bytes());
    const auto province = static_cast<std::uint16_t>(place.city.value() & 0xFF00);
    const protocol::ManagementInfo management{
        china, province, place.city, static_cast<std::uint16_t>(card.interoperable ? 1 : 0),
        card.holder};
    builder.write_file(protocol::sfi_management, management.bytes());
    builder.append(protocol::sfi_journey, protocol::blank_rail_record());
}

IssuingResult<void> build(Builder& builder, const IssuerPlace& place, const ChipSerial&,
                          const CardOrder& card) {
    ONECARD_CHECK(write_card_keys(builder, card_master_file_keys, card));
    builder.create_application(protocol::transit_application,
                               protocol::ApplicationKind::transit_purse, protocol::transit_aid);
    builder.create_files(protocol::transit_files);
    ONECARD_CHECK(write_card_keys(builder, card_application_keys, card));
    if (!card.pin.empty()) builder.write_pin(card.pin);
    write_card_files(builder, place, card);
    return {};
}

/// MF 0015: serial10 version1 type1 set1 FCI1. domain.md 1.12.
std::array<std::uint8_t, 14> sam_serial_file(const SamOrder& sam) {
    std::array<std::uint8_t, 14> file{};
    protocol::ByteWriter{file}.put(sam.number.value()).put_u8(sam_version).fill(3);
    return file;
}

struct SamRoot {
    KeyUsage usage;
    KeyUse use;
};
constexpr std::array sam_roots{
    SamRoot{KeyUsage::sam_purchase, KeyUse::purchase},
    SamRoot{KeyUsage::sam_delegated_mac, KeyUse::application_lock},
};

/// Every version of the window, newest first: a gate meets cards of all of them for years. The
/// index tells versions apart, 0 and 1 are the newest of each suite. docs/rotation.md, 1.
IssuingResult<void> write_sam_roots(Builder& builder) {
    for (const SamRoot& root : sam_roots) {
        std::uint8_t row = 0;
        for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
            const auto versions = builder.roots(root.use, suite);
            if (versions.empty()) return key_missing("national", suite);
            std::uint8_t index = row++;
            for (const ActiveKey& key : versions) {
                ONECARD_CHECK(builder.sam_key(root.usage, KeyIndex{index}, root.use, key, suite));
                index = static_cast<std::uint8_t>(index + suites.size());
            }
        }
    }
    return {};
}

/// Keys of the SAM's application. The nation's first: a store that lacks them issues no SAMs.
IssuingResult<void> write_sam_keys(Builder& builder, const SamOrder& sam,
                                   const ChipSerial& serial) {
    ONECARD_CHECK(write_sam_roots(builder));
    ONECARD_CHECK(builder.sam_own_key(KeyUsage::application_lock, KeyUse::application_lock,
                                      sam.suite, serial));
    ONECARD_CHECK(builder.sam_own_key(KeyUsage::maintenance, KeyUse::application_maintenance,
                                      sam.suite, serial));
    return builder.sam_own_key(KeyUsage::control, KeyUse::external_authentication, sam.suite,
                               serial);
}

IssuingResult<void> build(Builder& builder, const IssuerPlace& place, const ChipSerial& serial,
                          const SamOrder& sam) {
    builder.create_files(protocol::sam_master_files);
    builder.write_file(protocol::sam_sfi_serial, sam_serial_file(sam));
    builder.write_file(protocol::sam_sfi_terminal, sam.terminal.value());
    builder.create_application(protocol::sam_application, protocol::ApplicationKind::purchase_sam,
                               protocol::sam_aid);
    builder.create_files(protocol::sam_application_files);
    const protocol::SamApplicationInfo info{KeyIndex{0}, place.issuer, sam.operator_id,
                                            sam.valid_from, sam.valid_to};
    builder.write_file(protocol::sam_sfi_application, info.bytes());
    return write_sam_keys(builder, sam, serial);
}

}  // namespace

const char* name(IssuingRefusal refusal) {
    switch (refusal) {
        case IssuingRefusal::unknown_session: return "unknown_session";
        case IssuingRefusal::wrong_kind: return "wrong_kind";
        case IssuingRefusal::line_unknown: return "line_unknown";
        case IssuingRefusal::response_malformed: return "response_malformed";
        case IssuingRefusal::chip_refused: return "chip_refused";
        case IssuingRefusal::chip_not_blank: return "chip_not_blank";
        case IssuingRefusal::transport_unknown: return "transport_unknown";
        case IssuingRefusal::line_bound_to_other_chip: return "line_bound_to_other_chip";
        case IssuingRefusal::chip_bound_to_other_line: return "chip_bound_to_other_line";
        case IssuingRefusal::line_closed: return "line_closed";
        case IssuingRefusal::not_to_be_blocked: return "not_to_be_blocked";
        case IssuingRefusal::keys_missing: return "keys_missing";
        case IssuingRefusal::receipt_wrong: return "receipt_wrong";
        case IssuingRefusal::store_failed: return "store_failed";
    }
    return "unknown";
}

std::array<crypto::purse::Factor, 2> sam_own_factors(const ChipSerial& serial) {
    constexpr std::array<std::uint8_t, 8> sam_chip{'S', 'A', 'M', ' ', 'C', 'H', 'I', 'P'};
    return {crypto::purse::Factor{sam_chip}, crypto::purse::Factor{serial.value()}};
}

IssuingResult<protocol::Bytes> answer_data(std::span<const ResponseBytes> responses,
                                           std::size_t index) {
    const auto response = protocol::ResponseApdu::parse(responses[index]);
    const std::string which = "answer " + std::to_string(index + 1);
    if (!response) return fail(IssuingRefusal::response_malformed, which + " has no status word");
    if (!response->ok()) {
        const auto status = static_cast<std::uint16_t>(response->status());
        return fail(IssuingRefusal::chip_refused,
                    which + ": " +
                        platform::to_hex(std::array{static_cast<std::uint8_t>(status >> 8),
                                                    static_cast<std::uint8_t>(status)}));
    }
    return response->data();
}

IssuingResult<void> expect_answers(std::span<const ResponseBytes> responses, std::size_t count) {
    if (responses.size() == count) return {};
    return fail(IssuingRefusal::response_malformed, std::to_string(count) + " answers expected, " +
                                                        std::to_string(responses.size()) + " came");
}

std::vector<ShortCommand> opening_commands() {
    return {protocol::select_file(protocol::master_file), protocol::get_chip_info(),
            protocol::get_challenge_8()};
}

IssuingResult<ChipAnswers> read_opening(std::span<const ResponseBytes> responses) {
    ONECARD_CHECK(expect_answers(responses, 3));
    ONECARD_CHECK(answer_data(responses, 0));
    ONECARD_TRY(info, answer_data(responses, 1));
    const auto chip = protocol::ChipInfo::parse(info);
    if (!chip) {
        return fail(IssuingRefusal::response_malformed,
                    std::string{"answer 2, the chip's data: "} + protocol::name(chip.error()));
    }
    ONECARD_TRY(random, answer_data(responses, 2));
    ChipAnswers out{*chip, {}};
    if (random.size() != out.challenge.size()) {
        return fail(IssuingRefusal::response_malformed, "answer 3, the challenge: not 8 bytes");
    }
    std::ranges::copy(random, out.challenge.begin());
    return out;
}

IssuingResult<Personalisation> personalise(const KeyStore& store, const IssuerPlace& place,
                                           const IssueOrder& order, const ChipAnswers& chip) {
    if (chip.chip.life_cycle != protocol::LifeCycle::blank &&
        chip.chip.life_cycle != protocol::LifeCycle::personalising) {
        return fail(IssuingRefusal::chip_not_blank, "it has been personalised already");
    }
    ONECARD_TRY(transport, chip_transport_key(store, place, kind_of(order), chip.chip));
    Builder builder{store, place, transport, chip.challenge};
    ONECARD_CHECK(std::visit(
        [&](const auto& what) { return build(builder, place, chip.chip.serial, what); }, order));
    return builder.finish(chip.chip.serial);
}

IssuingResult<void> check_done(std::span<const ResponseBytes> responses, std::size_t command_count,
                               const protocol::Mac& receipt) {
    for (std::size_t i = 0; i < responses.size() && i < command_count; ++i) {
        ONECARD_CHECK(answer_data(responses, i));  // names the command that failed first
    }
    ONECARD_CHECK(expect_answers(responses, command_count));
    ONECARD_TRY(answer, answer_data(responses, command_count - 1));
    if (!crypto::equal_constant_time(answer, receipt)) {
        return fail(IssuingRefusal::receipt_wrong,
                    "ACTIVATE's answer does not come from this chip: do not hand it out");
    }
    return {};
}

}  // namespace host::keys
