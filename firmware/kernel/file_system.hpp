#pragma once
// The card's files: MF, DFs and EFs (ISO/IEC 7816-4:2005, 5.3 and 8.1.1) on the object store.
//
// Reads see what is committed. Every write goes into the caller's transaction and touches no flash;
// the caller commits, so several files (and a purse's state) change together or not at all.
// Nothing is kept in RAM: a FileSystem is a view of a mounted Store.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "firmware/kernel/store.hpp"

namespace firmware {

using FileIdentifier = protocol::Strong<std::uint16_t, struct FileIdentifierName>;
using ShortFileIdentifier =
    protocol::Strong<std::uint8_t, struct ShortFileIdentifierName>;  // 1..30
/// A file that exists, as the functions below return it. Stays valid until the file is deleted.
using FileHandle = protocol::Strong<std::uint8_t, struct FileHandleName>;

constexpr FileIdentifier master_file_identifier{0x3F00};
constexpr FileHandle master_file{0};
constexpr std::size_t file_count_max = 128;
constexpr std::size_t file_depth_max = 4;            ///< MF, DDF, DF, EF
constexpr std::size_t dedicated_file_name_max = 16;  // ISO/IEC 7816-4:2005, 8.2.1.2
constexpr std::size_t record_size_max = 254;
constexpr std::size_t record_count_max = 254;    // 1..FE; ISO/IEC 7816-4:2005, 7.3.1
constexpr std::size_t binary_size_max = 0x7FFF;  // 15-bit offsets of READ BINARY, 7.2.3

enum class FileType : std::uint8_t {
    dedicated = 0x38,  // MF, DF. The values are those of the CREATE FILE command (domain.md 1.8).
    transparent = 0x28,
    linear_fixed = 0x2A,     ///< all records exist, zero, from creation
    linear_variable = 0x2C,  ///< records exist from APPEND RECORD on
    cyclic = 0x2E,           ///< record 1 is the newest; the oldest makes room
    key_file = 0x3F,         ///< linear variable, masked at rest; only internal access reads it
};

/// What a command must have proved. Free, never, or every one of up to seven rights of the session
/// (bit 0..6: PIN verified, external authentications; the application numbers them).
class AccessCondition {
public:
    static constexpr AccessCondition free() { return AccessCondition{0x00}; }
    static constexpr AccessCondition never() { return AccessCondition{0xFF}; }
    static constexpr AccessCondition rights(std::uint8_t mask) {
        return AccessCondition{static_cast<std::uint8_t>(mask & 0x7F)};
    }
    explicit constexpr AccessCondition(std::uint8_t byte) : byte_{byte} {}
    [[nodiscard]] constexpr std::uint8_t byte() const { return byte_; }
    [[nodiscard]] constexpr bool met_by(std::uint8_t rights) const {
        return byte_ != 0xFF && (byte_ & rights) == byte_;
    }
    friend constexpr bool operator==(AccessCondition, AccessCondition) = default;

private:
    std::uint8_t byte_;
};

/// Which commands on the file must come under secure messaging (bit mask in
/// FileDescription::messaging).
namespace messaging {
constexpr std::uint8_t update_mac = 0x01;        ///< UPDATE, APPEND: with a MAC
constexpr std::uint8_t update_encrypted = 0x02;  ///< ... and enciphered
constexpr std::uint8_t read_mac = 0x04;
constexpr std::uint8_t read_encrypted = 0x08;
}  // namespace messaging

/// What the session can show when it reaches for a file.
struct Access {
    std::uint8_t rights = 0;  ///< rights proved in this session
    bool with_mac = false;    ///< the command came with a valid MAC
    bool enciphered = false;  ///< ... and enciphered data
    bool is_internal =
        false;  ///< the card's own code (DEBIT writing the log): conditions do not apply
    [[nodiscard]] static constexpr Access internal() { return {.is_internal = true}; }
};

struct FileDescription {
    FileIdentifier identifier;
    FileType type = FileType::transparent;
    std::uint8_t short_identifier = 0;  ///< 1..30; 0 = none
    AccessCondition read = AccessCondition::free();
    AccessCondition update = AccessCondition::never();  ///< DF: create and delete below it
    AccessCondition append = AccessCondition::never();  ///< records: APPEND RECORD
    std::uint8_t messaging = 0;
    std::uint16_t size = 0;         ///< transparent: bytes; records: bytes of the longest record
    std::uint8_t record_count = 0;  ///< records: how many at most
    std::uint8_t application =
        0;  ///< DF: what runs when it is selected; the command loop numbers them
    std::uint8_t name_size = 0;  ///< DF: length of its name (AID), 0 = none
    std::array<std::uint8_t, dedicated_file_name_max> name{};
};

enum class FileState : std::uint8_t {
    active = 0x05,       // ISO/IEC 7816-4:2005, 5.3.3.2
    deactivated = 0x04,  ///< blocked, reversible
    terminated = 0x0C,   ///< blocked for good
};

/// What a command does to a file.
enum class FileUse : std::uint8_t { read, update, append };

/// Which DF a SELECT by name wants. ISO/IEC 7816-4:2005, 7.1.1, table 40.
enum class Occurrence : std::uint8_t { first, next };

class FileSystem {
public:
    explicit FileSystem(Store& store) : store_{&store} {}

    // Creating. All limits are checked: incorrect_data (a field outside its domain),
    // file_already_exists (identifier in the parent, short identifier in the parent, or name
    // anywhere), not_enough_memory (too many files, too deep, or no room), file_not_found (no such
    // parent).
    /// Creates the MF. `description.type` must be dedicated; its identifier 3F00.
    [[nodiscard]] Outcome<FileHandle> create_master(Transaction&, const FileDescription&) const;
    /// Creates a file under `parent`. One per transaction: commit before creating the next.
    [[nodiscard]] Outcome<FileHandle> create(Transaction&, FileHandle parent,
                                             const FileDescription&) const;

    // Finding. file_not_found unless it exists.
    /// A child of `directory` (an EF or a DF).
    [[nodiscard]] Outcome<FileHandle> child(FileHandle directory, FileIdentifier) const;
    /// SELECT by identifier, P1 = 00: MF, child, the directory itself, its parent, a DF beside it.
    [[nodiscard]] Outcome<FileHandle> select(FileHandle directory, FileIdentifier) const;
    [[nodiscard]] Outcome<FileHandle> by_short_identifier(FileHandle directory,
                                                          ShortFileIdentifier) const;
    /// SELECT by DF name, whole or its first bytes. `next` continues after `current`.
    [[nodiscard]] Outcome<FileHandle> by_name(Bytes name, Occurrence, FileHandle current) const;

    [[nodiscard]] Outcome<FileDescription> describe(FileHandle) const;
    [[nodiscard]] Outcome<FileHandle> parent(FileHandle) const;  ///< of the MF: the MF
    [[nodiscard]] Outcome<FileState> state(FileHandle) const;
    [[nodiscard]] Outcome<void> set_state(Transaction&, FileHandle, FileState) const;

    /// Whether the file's own conditions are met: the decision of the functions below once more, in
    /// another form, for a second look behind what they did.
    [[nodiscard]] bool permits(FileHandle, const Access&, FileUse) const;

    // Contents. In this order: incompatible_file (not that kind of file), secure_messaging_missing,
    // security_status_not_satisfied, then wrong_offset or record_not_found, then wrong_length.
    // A deactivated file answers file_invalidated, a terminated one conditions_not_satisfied.
    /// Fills as much of `out` as the file holds from `offset`; returns the count (at least 1).
    [[nodiscard]] Outcome<std::size_t> read_binary(FileHandle, const Access&, std::size_t offset,
                                                   MutableBytes out) const;
    /// `data` must end within the file. Several updates of one file in one transaction add up.
    [[nodiscard]] Outcome<void> update_binary(Transaction&, FileHandle, const Access&,
                                              std::size_t offset, Bytes data) const;
    /// Records count from 1. Returns the record's length. not_enough_memory: `out` too short.
    [[nodiscard]] Outcome<std::size_t> read_record(FileHandle, const Access&, std::uint8_t number,
                                                   MutableBytes out) const;
    /// Linear: replaces an existing record. Fixed: exactly its length. Cyclic: only number 1,
    /// replaced.
    [[nodiscard]] Outcome<void> update_record(Transaction&, FileHandle, const Access&,
                                              std::uint8_t number, Bytes data) const;
    /// Variable and key files: the next number (not_enough_memory when there is none left).
    /// Cyclic: becomes record 1. Once per file and transaction: conditions_not_satisfied otherwise.
    [[nodiscard]] Outcome<void> append_record(Transaction&, FileHandle, const Access&,
                                              Bytes data) const;
    /// Is this what the record holds? Of the store, whatever is staged.
    [[nodiscard]] bool holds(FileHandle, std::uint8_t number, Bytes data) const;
    /// How many records exist now.
    [[nodiscard]] Outcome<std::uint8_t> record_count(FileHandle) const;
    /// The first record at or after `from` that begins with `prefix`: how a TLV tag or the id of a
    /// composite-purchase record selects it.
    [[nodiscard]] Outcome<std::uint8_t> find_record(FileHandle, const Access&, Bytes prefix,
                                                    std::uint8_t from = 1) const;

    [[nodiscard]] Store& store() const { return *store_; }

private:
    struct File;    // file_system.cpp
    struct Wanted;  // file_system.cpp

    [[nodiscard]] Outcome<File> load(FileHandle) const;
    [[nodiscard]] Outcome<File> open(FileHandle, const Access&, FileUse, bool is_binary) const;
    [[nodiscard]] Outcome<void> check_new(const File& file, FileHandle parent) const;
    [[nodiscard]] Outcome<FileHandle> add(Transaction&, File& file, FileHandle handle) const;
    [[nodiscard]] Outcome<void> save(Transaction&, FileHandle, const File&) const;
    [[nodiscard]] Outcome<FileHandle> find(unsigned from, const Wanted& wanted) const;
    [[nodiscard]] std::uint8_t next_handle() const;
    [[nodiscard]] std::uint8_t count_records(const File& file) const;
    [[nodiscard]] Outcome<std::uint8_t> newest_slot(const File& file, std::uint8_t count) const;
    [[nodiscard]] Outcome<std::uint8_t> slot_of(const File& file, std::uint8_t number) const;
    [[nodiscard]] Outcome<std::size_t> load_record(const File& file, std::uint8_t number,
                                                   MutableBytes out) const;
    [[nodiscard]] Outcome<void> stage_record(Transaction&, const File& file, ObjectId at,
                                             Bytes data, std::uint8_t turn) const;

    Store* store_;
};

}  // namespace firmware
