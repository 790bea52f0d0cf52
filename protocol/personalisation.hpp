#pragma once
// How a blank card or SAM becomes a citizen's or an operator's: the commands in plain form, the
// file set, the key usages. docs/card_commands.md, 2 and 3. crypto/purse/personalisation.hpp
// protects the commands.
#include "protocol/purse.hpp"
#include "protocol/sam.hpp"
#include "protocol/transit_card.hpp"

namespace protocol {

/// The chip's own number, in its ATR; the factor of its transport key.
using ChipSerial = Strong<std::array<std::uint8_t, 8>, struct ChipSerialName>;
using FileIdentifier = Strong<std::uint16_t, struct FileIdentifierName>;

constexpr FileIdentifier master_file{0x3F00};
constexpr FileIdentifier transit_application{0x3F01};
constexpr FileIdentifier sam_application{0x3F02};
/// Name of the MF: "1PAY.SYS.DDF01". domain.md 2.1
constexpr std::array<std::uint8_t, 14> master_file_name{'1', 'P', 'A', 'Y', '.', 'S', 'Y',
                                                        'S', '.', 'D', 'D', 'F', '0', '1'};

/// What a DF is for: decides which application's commands exist there.
enum class ApplicationKind : std::uint8_t {
    none = 0x00,
    transit_purse = 0x01,
    purchase_sam = 0x02
};
[[nodiscard]] constexpr bool is_application_kind(std::uint8_t value) {
    return value <= 0x02;
}

/// CREATE FILE's type byte. domain.md 1.8 (FMCOS).
enum class FileType : std::uint8_t {
    transparent = 0x28,
    linear_fixed = 0x2A,
    linear_variable = 0x2C,
    cyclic = 0x2E,
    application = 0x38,
};
[[nodiscard]] constexpr bool is_elementary_file_type(std::uint8_t value) {
    return value == 0x28 || value == 0x2A || value == 0x2C || value == 0x2E;
}

/// Who may read or update an EF. docs/card_commands.md, 3.
enum class Access : std::uint8_t {
    anyone = 0x00,
    pin = 0x01,
    control_key = 0x02,
    maintenance_mac = 0x03,  ///< update only
    nobody = 0xFF,
    capp_and_maintenance_mac = 0x43,  ///< update only: maintenance, or UPDATE CAPP DATA CACHE
    capp = 0x7F,                      ///< update only: UPDATE CAPP DATA CACHE and nobody else
};
[[nodiscard]] constexpr bool is_read_access(std::uint8_t value) {
    return value <= 0x02 || value == 0xFF;
}
[[nodiscard]] constexpr bool is_update_access(std::uint8_t value) {
    return value <= 0x03 || (value >= 0x40 && value <= 0x43) || value == 0x7F || value == 0xFF;
}
[[nodiscard]] constexpr bool permits_capp(Access update) {
    return (static_cast<std::uint8_t>(update) & 0xC0) == 0x40;
}

/// What a key may be used for, and nothing else. domain.md 1.11; 0B, 21 and 25 are ours.
enum class KeyUsage : std::uint8_t {
    pin_unblock = 0x04,
    pin_reload = 0x05,
    purchase = 0x06,
    load = 0x07,
    transaction_certificate = 0x08,
    unload = 0x09,
    overdraft = 0x0A,
    internal_authentication = 0x0B,
    sam_purchase = 0x21,
    sam_delegated_mac = 0x25,
    application_lock = 0x33,
    application_unlock = 0x34,
    maintenance = 0x36,
    control = 0x39,
    pin = 0x3A,
};
[[nodiscard]] constexpr bool is_key_usage(std::uint8_t value) {
    return (value >= 0x04 && value <= 0x0B) || value == 0x21 || value == 0x25 || value == 0x33 ||
           value == 0x34 || value == 0x36 || value == 0x39 || value == 0x3A;
}
constexpr KeyIndex administrative_key_index{0};  ///< usages 04, 05, 33, 34, 36, 39, 3A
/// The limit byte of a delegated SAM key that locks hot-listed cards: two levels, MAC.
/// domain.md 1.12.
constexpr std::uint8_t delegated_lock_limit = 0x45;
/// levels<<5 | type, types 05..08 with up to three levels. Type 07 enciphers what it is given, and
/// that is how a key of the level below is derived (docs/algorithms.md, 2): it needs both levels.
[[nodiscard]] constexpr bool is_delegated_limit(std::uint8_t limit) {
    const unsigned levels = limit >> 5, type = limit & 0x1F;
    return type >= 0x05 && type <= 0x08 && levels <= 3 && (type != 0x07 || levels >= 2);
}
/// How often a delegated SAM key may still compute. docs/card_commands.md, 8.
using KeyUses = Strong<std::uint16_t, struct KeyUsesName>;
constexpr KeyUses uses_unlimited{0};
constexpr std::size_t key_uses_size = 2;

/// Where a chip stands. docs/card_commands.md, 2.
enum class LifeCycle : std::uint8_t {
    blank = 0x01,
    personalising = 0x03,
    active = 0x07,
    blocked = 0x0F
};
[[nodiscard]] constexpr bool is_life_cycle(std::uint8_t value) {
    return value == 0x01 || value == 0x03 || value == 0x07 || value == 0x0F;
}

struct ChipInfo {  // serial8 lifeCycle1 suite1 keyVersion1
    ChipSerial serial;
    LifeCycle life_cycle;
    std::uint8_t transport_suite;  ///< a Suite, or FF once the transport key is gone
    KeyVersion transport_version;
    static constexpr std::size_t size = 11;
    [[nodiscard]] static constexpr Parsed<ChipInfo> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(serial, in.take_array<8>());
        ONECARD_TRY(life_cycle, in.take_u8());
        ONECARD_TRY(suite, in.take_u8());
        ONECARD_TRY(version, in.take_u8());
        ONECARD_CHECK(in.finish());
        if (!is_life_cycle(life_cycle)) return refuse(ParseError::wrong_value);
        return ChipInfo{ChipSerial{serial}, static_cast<LifeCycle>(life_cycle), suite,
                        KeyVersion{version}};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put(serial.value())
            .put_u8(static_cast<std::uint8_t>(life_cycle))
            .put_u8(transport_suite)
            .put_u8(transport_version.value());
        return out;
    }
};

/// One EF as CREATE FILE describes it: type1 sfi1 read1 update1 count1 size2.
struct FileDefinition {
    FileIdentifier identifier;
    FileType type;
    std::uint8_t sfi;
    Access read;
    Access update;
    std::uint8_t count;  ///< records; 1 for a transparent file
    std::uint16_t size;  ///< bytes, or bytes of the (longest) record
    static constexpr std::size_t data_size = 7;
    [[nodiscard]] static constexpr Parsed<FileDefinition> parse(FileIdentifier identifier,
                                                                Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(type, in.take_u8());
        ONECARD_TRY(sfi, in.take_u8());
        ONECARD_TRY(read, in.take_u8());
        ONECARD_TRY(update, in.take_u8());
        ONECARD_TRY(count, in.take_u8());
        ONECARD_TRY(size, in.take_u16());
        ONECARD_CHECK(in.finish());
        const bool records = type != static_cast<std::uint8_t>(FileType::transparent);
        if (!is_elementary_file_type(type) || sfi < 1 || sfi > 0x1E || !is_read_access(read) ||
            !is_update_access(update) || count == 0 || size == 0 || (!records && count != 1) ||
            (records && size > 0xFF)) {
            return refuse(ParseError::wrong_value);
        }
        return FileDefinition{identifier,
                              static_cast<FileType>(type),
                              sfi,
                              static_cast<Access>(read),
                              static_cast<Access>(update),
                              count,
                              size};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, data_size> data() const {
        std::array<std::uint8_t, data_size> out{};
        ByteWriter{out}
            .put_u8(static_cast<std::uint8_t>(type))
            .put_u8(sfi)
            .put_u8(static_cast<std::uint8_t>(read))
            .put_u8(static_cast<std::uint8_t>(update))
            .put_u8(count)
            .put_u16(size);
        return out;
    }
};

/// The transit application's files, in the order they are made. docs/card_commands.md, 3.
inline constexpr std::array transit_files{
    FileDefinition{FileIdentifier{0x0015}, FileType::transparent, sfi_public_info, Access::anyone,
                   Access::maintenance_mac, 1, PublicInfo::size},
    FileDefinition{FileIdentifier{0x0016}, FileType::transparent, sfi_holder, Access::pin,
                   Access::maintenance_mac, 1, 55},
    FileDefinition{FileIdentifier{0x0017}, FileType::transparent, sfi_management, Access::anyone,
                   Access::maintenance_mac, 1, ManagementInfo::size},
    FileDefinition{FileIdentifier{0x0018}, FileType::cyclic, sfi_log, Access::anyone,
                   Access::nobody, 10, PurseLogRecord::size},
    FileDefinition{FileIdentifier{0x001A}, FileType::linear_variable, sfi_journey, Access::anyone,
                   Access::capp_and_maintenance_mac, 2, RailJourney::size},
    FileDefinition{FileIdentifier{0x001E}, FileType::cyclic, sfi_trip, Access::anyone, Access::capp,
                   30, TripRecord::size},
};
/// A SAM's files in its MF: serial10 version1 type1 set1 FCI1, and the terminal number.
/// domain.md 1.12.
inline constexpr std::array sam_master_files{
    FileDefinition{FileIdentifier{0x0015}, FileType::transparent, sam_sfi_serial, Access::anyone,
                   Access::maintenance_mac, 1, 14},
    FileDefinition{FileIdentifier{0x0016}, FileType::transparent, sam_sfi_terminal, Access::anyone,
                   Access::maintenance_mac, 1, 6},
};
inline constexpr std::array sam_application_files{
    FileDefinition{FileIdentifier{0x0017}, FileType::transparent, sam_sfi_application,
                   Access::anyone, Access::maintenance_mac, 1, SamApplicationInfo::size},
};

/// The record with which file 1A begins: a card that has never ridden (RailJourney, state none).
[[nodiscard]] constexpr std::array<std::uint8_t, RailJourney::size> blank_rail_record() {
    std::array<std::uint8_t, RailJourney::size> out{};
    ByteWriter{out}.put_u16(RailJourney::id).put_u8(RailJourney::size - 3);
    return out;
}

/// WRITE KEY's plaintext behind its length byte: version1 suite1 tries1 limit1 value; of a
/// delegated SAM key (usage 25) the value is key16 uses2.
struct KeyHeader {
    KeyVersion version;
    std::uint8_t suite;      ///< a Suite; 00 for a PIN
    std::uint8_t tries_max;  ///< 0: not counted; else 1..15
    std::uint8_t limit = 0;  ///< delegated SAM keys: the only 80 1A usage they accept
    static constexpr std::size_t size = 4;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        return {version.value(), suite, static_cast<std::uint8_t>(tries_max << 4 | tries_max),
                limit};
    }
};
constexpr std::uint8_t key_tries_default = 10;
constexpr std::uint8_t pin_tries_default = 3;
constexpr std::size_t pin_size_min = 2, pin_size_max = 6;

// ---- Commands sent as they are ----
constexpr std::uint16_t tag_DF20_chip_info = 0xDF20;  // ours
[[nodiscard]] constexpr ShortCommand get_chip_info() {
    return make_command(0x80, 0xCA, 0xDF, 0x20, {}, ChipInfo::size);
}
[[nodiscard]] constexpr ShortCommand select_file(FileIdentifier identifier) {
    const std::array<std::uint8_t, 2> fid{static_cast<std::uint8_t>(identifier.value() >> 8),
                                          static_cast<std::uint8_t>(identifier.value())};
    return make_command(0x00, 0xA4, 0x00, 0x00, fid, 256);
}
[[nodiscard]] constexpr ShortCommand get_challenge_8() {
    return make_command(0x00, 0x84, 0x00, 0x00, {}, 8);
}
[[nodiscard]] constexpr ShortCommand get_challenge_4() {
    return make_command(0x00, 0x84, 0x00, 0x00, {}, 4);
}
[[nodiscard]] constexpr ShortCommand verify_pin(Bytes pin) {
    return make_command(0x00, 0x20, 0x00, 0x00, pin);
}

// ---- Commands that the session protects: what crypto::purse::PersonalisationSession takes ----

/// A command before its MAC. The data refers to the maker's bytes.
struct PlainCommand {
    std::array<std::uint8_t, 4> header;  ///< CLA with the secure messaging bit already set
    Bytes data;
    std::optional<unsigned> le = std::nullopt;
};
[[nodiscard]] constexpr PlainCommand erase_command() {
    return {{0x84, 0x0E, 0x00, 0x00}, {}};
}
[[nodiscard]] constexpr PlainCommand activate_command() {
    return {{0x84, 0x44, 0x00, 0x00}, {}, 4};
}
/// CREATE FILE of either kind; `data` is FileDefinition::data() or ApplicationDefinition::data().
[[nodiscard]] constexpr PlainCommand create_file_command(FileIdentifier identifier, Bytes data) {
    return {{0x84, 0xE0, static_cast<std::uint8_t>(identifier.value() >> 8),
             static_cast<std::uint8_t>(identifier.value())},
            data};
}
/// CREATE FILE's data for a DF: 38 kind1 AID(5..16).
struct ApplicationDefinition {
    ApplicationKind kind;
    Bytes aid;
    [[nodiscard]] constexpr ByteBuffer<18> data() const {
        ByteBuffer<18> out;
        const std::array<std::uint8_t, 2> head{static_cast<std::uint8_t>(FileType::application),
                                               static_cast<std::uint8_t>(kind)};
        if (aid.size() < 5 || !out.append(head) || !out.append(aid)) __builtin_trap();
        return out;
    }
};
[[nodiscard]] constexpr PlainCommand write_binary_command(std::uint8_t sfi, std::uint8_t offset,
                                                          Bytes content) {
    return {{0x04, 0xD6, static_cast<std::uint8_t>(0x80 | sfi), offset}, content};
}
[[nodiscard]] constexpr PlainCommand append_record_command(std::uint8_t sfi, Bytes record) {
    return {{0x04, 0xE2, 0x00, static_cast<std::uint8_t>(sfi << 3)}, record};
}
/// WRITE KEY's header; the session enciphers the plaintext.
[[nodiscard]] constexpr std::array<std::uint8_t, 4> write_key_header(KeyUsage usage,
                                                                     KeyIndex index) {
    return {0x84, 0xD4, static_cast<std::uint8_t>(usage), index.value()};
}

}  // namespace protocol
