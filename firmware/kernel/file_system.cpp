#include "firmware/kernel/file_system.hpp"

#include <algorithm>

namespace firmware {

using protocol::fail;
using protocol::StatusWord;

namespace {

constexpr std::uint16_t content_object_first = file_object_first + file_count_max;
constexpr std::size_t chunk_size = 128;  // of a transparent file: one object each
constexpr std::size_t description_size_max = 17 + dedicated_file_name_max;
constexpr std::size_t state_offset = 5;  // in a description: `save`
constexpr std::uint32_t bytes_kept_for_applications = 6 * 1024;

[[nodiscard]] ObjectId description_object(FileHandle file) {
    return ObjectId{static_cast<std::uint16_t>(file_object_first + file.value())};
}

[[nodiscard]] bool has_records(FileType type) {
    return type != FileType::dedicated && type != FileType::transparent;
}

/// How many objects the contents of a file take.
[[nodiscard]] unsigned object_count(const FileDescription& file) {
    if (file.type == FileType::dedicated) return 0;
    if (has_records(file.type)) return file.record_count;
    return static_cast<unsigned>((file.size + chunk_size - 1) / chunk_size);
}

/// What a file occupies once it is full, headers and checks included.
[[nodiscard]] std::uint32_t footprint(const FileDescription& file) {
    const std::uint32_t each = has_records(file.type) ? file.size + 12U : chunk_size + 8U;
    return object_count(file) * each + description_size_max + 8U;
}

[[nodiscard]] bool is_type(FileType type) {
    switch (type) {
        case FileType::dedicated:
        case FileType::transparent:
        case FileType::linear_fixed:
        case FileType::linear_variable:
        case FileType::cyclic:
        case FileType::key_file: return true;
    }
    return false;
}

/// Fields inside their domains. ISO/IEC 7816-4:2005, 5.3.1 (identifiers), 8.2.1 (references).
[[nodiscard]] bool is_sound(const FileDescription& file) {
    const std::uint16_t identifier = file.identifier.value();
    if (!is_type(file.type) || identifier == 0x3FFF || identifier == 0xFFFF) return false;
    if (file.type == FileType::dedicated) {
        return file.name_size <= dedicated_file_name_max && file.short_identifier == 0;
    }
    if (file.name_size != 0 || file.short_identifier > 30 || file.size == 0) return false;
    if (file.type == FileType::transparent) return file.size <= binary_size_max;
    return file.size <= record_size_max && file.record_count >= 1 &&
           file.record_count <= record_count_max;
}

}  // namespace

struct FileSystem::File {
    FileDescription is;
    FileHandle parent{0};
    FileState state = FileState::active;
    std::uint16_t first_object = 0;

    [[nodiscard]] ObjectId object(unsigned index) const {
        return ObjectId{static_cast<std::uint16_t>(first_object + index)};
    }
    /// Bytes of the transparent file's chunk.
    [[nodiscard]] std::size_t chunk_bytes(unsigned index) const {
        return std::min(chunk_size, is.size - index * chunk_size);
    }
};

// ---- Descriptions ------------------------------------------------------------------------------

Outcome<FileSystem::File> FileSystem::load(FileHandle handle) const {
    std::array<std::uint8_t, description_size_max> bytes{};
    if (handle.value() >= file_count_max) return fail(StatusWord::file_not_found);
    const auto size = store_->read(description_object(handle), bytes);
    if (!size) {
        const bool is_absent = size.error() == StatusWord::referenced_data_not_found;
        return fail(is_absent ? StatusWord::file_not_found : size.error());
    }
    const auto u16 = [&](std::size_t at) {
        return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
    };
    File file{.is = {.identifier = FileIdentifier{u16(2)},
                     .type = static_cast<FileType>(bytes[1]),
                     .short_identifier = bytes[4],
                     .read = AccessCondition{bytes[6]},
                     .update = AccessCondition{bytes[7]},
                     .append = AccessCondition{bytes[8]},
                     .messaging = bytes[9],
                     .size = u16(10),
                     .record_count = bytes[12],
                     .application = bytes[13],
                     .name_size = bytes[16]},
              .parent = FileHandle{bytes[0]},
              .state = static_cast<FileState>(bytes[5]),
              .first_object = u16(14)};
    if (*size != 17U + file.is.name_size) return fail(StatusWord::memory_failure);
    std::ranges::copy(Bytes{bytes}.last<dedicated_file_name_max>(), file.is.name.begin());
    return file;
}

Outcome<void> FileSystem::save(Transaction& change, FileHandle handle, const File& file) const {
    std::array<std::uint8_t, description_size_max> bytes{};
    protocol::ByteWriter out{bytes};
    out.put_u8(file.parent.value())
        .put_u8(static_cast<std::uint8_t>(file.is.type))
        .put_u16(file.is.identifier.value())
        .put_u8(file.is.short_identifier)
        .put_u8(static_cast<std::uint8_t>(file.state))
        .put_u8(file.is.read.byte())
        .put_u8(file.is.update.byte())
        .put_u8(file.is.append.byte())
        .put_u8(file.is.messaging)
        .put_u16(file.is.size)
        .put_u8(file.is.record_count)
        .put_u8(file.is.application)
        .put_u16(file.first_object)
        .put_u8(file.is.name_size)
        .put(Bytes{file.is.name}.first(file.is.name_size));
    return change.put(description_object(handle), out.written());
}

std::uint8_t FileSystem::next_handle() const {
    std::uint8_t handle = 0;
    while (handle < file_count_max && store_->contains(description_object(FileHandle{handle}))) {
        ++handle;
    }
    return handle;
}

Outcome<void> FileSystem::check_new(const File& file, FileHandle parent) const {
    std::uint32_t bytes = footprint(file.is);
    const std::uint8_t count = next_handle();
    for (std::uint8_t i = 0; i < count; ++i) {
        ONECARD_TRY(other, load(FileHandle{i}));
        bytes += footprint(other.is);
        const bool same_name = file.is.name_size != 0 && file.is.name_size == other.is.name_size &&
                               std::ranges::equal(Bytes{file.is.name}.first(file.is.name_size),
                                                  Bytes{other.is.name}.first(other.is.name_size));
        const bool is_sibling = i != 0 && other.parent == parent;
        const bool same_identifier =
            is_sibling && (other.is.identifier == file.is.identifier ||
                           (file.is.short_identifier != 0 &&
                            other.is.short_identifier == file.is.short_identifier));
        if (same_name || same_identifier) return fail(StatusWord::file_already_exists);
    }
    if (bytes + bytes_kept_for_applications > store_->usage().bytes_live_max) {
        return fail(StatusWord::not_enough_memory);
    }
    return {};
}

/// Contents follow those of the file created before: files are never removed one by one.
Outcome<FileHandle> FileSystem::add(Transaction& change, File& file, FileHandle handle) const {
    if (handle.value() >= file_count_max) return fail(StatusWord::not_enough_memory);
    if (change.touches(description_object(handle))) {
        return fail(StatusWord::conditions_not_satisfied);
    }
    file.first_object = content_object_first;
    if (handle.value() != 0) {
        ONECARD_TRY(last, load(FileHandle{static_cast<std::uint8_t>(handle.value() - 1)}));
        file.first_object = last.object(object_count(last.is)).value();
    }
    if (file.first_object + object_count(file.is) > object_count_max) {
        return fail(StatusWord::not_enough_memory);
    }
    ONECARD_CHECK(save(change, handle, file));
    return handle;
}

Outcome<FileHandle> FileSystem::create_master(Transaction& change,
                                              const FileDescription& description) const {
    if (!is_sound(description) || description.type != FileType::dedicated ||
        description.identifier != master_file_identifier) {
        return fail(StatusWord::incorrect_data);
    }
    if (next_handle() != 0) return fail(StatusWord::file_already_exists);
    File file{.is = description};
    return add(change, file, master_file);
}

Outcome<FileHandle> FileSystem::create(Transaction& change, FileHandle parent,
                                       const FileDescription& description) const {
    ONECARD_TRY(directory, load(parent));
    if (directory.is.type != FileType::dedicated) return fail(StatusWord::incompatible_file);
    if (!is_sound(description) || description.identifier == master_file_identifier) {
        return fail(StatusWord::incorrect_data);
    }
    std::size_t depth = 2;  // the MF, and the new file below it
    for (FileHandle above = parent; above != master_file; ++depth) {
        ONECARD_TRY(file, load(above));
        above = file.parent;
    }
    if (depth > file_depth_max) return fail(StatusWord::not_enough_memory);
    File file{.is = description, .parent = parent};
    ONECARD_CHECK(check_new(file, parent));
    return add(change, file, FileHandle{next_handle()});
}

// ---- Finding -----------------------------------------------------------------------------------

/// The first file from `from` on that has what `wanted` asks for.
struct FileSystem::Wanted {
    std::optional<FileHandle> parent{};
    std::optional<FileIdentifier> identifier{};
    std::uint8_t short_identifier = 0;
    Bytes name{};

    [[nodiscard]] bool is_met_by(const File& file) const {
        if (parent && file.parent != *parent) return false;
        if (identifier && file.is.identifier != *identifier) return false;
        if (short_identifier != 0 && file.is.short_identifier != short_identifier) return false;
        return name.size() <= file.is.name_size &&
               std::ranges::equal(Bytes{file.is.name}.first(name.size()), name);
    }
};

Outcome<FileHandle> FileSystem::find(unsigned from, const Wanted& wanted) const {
    const unsigned count = next_handle();
    for (unsigned i = from; i < count; ++i) {
        const FileHandle handle{static_cast<std::uint8_t>(i)};
        ONECARD_TRY(file, load(handle));
        if (wanted.is_met_by(file)) return handle;
    }
    return fail(StatusWord::file_not_found);
}

Outcome<FileHandle> FileSystem::child(FileHandle directory, FileIdentifier identifier) const {
    return find(1, {.parent = directory, .identifier = identifier});
}

Outcome<FileHandle> FileSystem::select(FileHandle directory, FileIdentifier identifier) const {
    ONECARD_TRY(current, load(directory));
    if (identifier == master_file_identifier) return master_file;
    if (const auto below = child(directory, identifier)) return *below;
    if (current.is.identifier == identifier) return directory;
    ONECARD_TRY(above, load(current.parent));
    if (above.is.identifier == identifier) return current.parent;
    ONECARD_TRY(beside, child(current.parent, identifier));
    ONECARD_TRY(file, load(beside));
    if (file.is.type != FileType::dedicated) return fail(StatusWord::file_not_found);
    return beside;
}

Outcome<FileHandle> FileSystem::by_short_identifier(FileHandle directory,
                                                    ShortFileIdentifier identifier) const {
    if (identifier.value() == 0) return fail(StatusWord::file_not_found);
    return find(1, {.parent = directory, .short_identifier = identifier.value()});
}

Outcome<FileHandle> FileSystem::by_name(Bytes name, Occurrence occurrence,
                                        FileHandle current) const {
    if (name.empty()) return fail(StatusWord::file_not_found);
    return find(occurrence == Occurrence::next ? current.value() + 1U : 0U, {.name = name});
}

Outcome<FileDescription> FileSystem::describe(FileHandle handle) const {
    ONECARD_TRY(file, load(handle));
    return file.is;
}

Outcome<FileHandle> FileSystem::parent(FileHandle handle) const {
    ONECARD_TRY(file, load(handle));
    return file.parent;
}

Outcome<FileState> FileSystem::state(FileHandle handle) const {
    ONECARD_TRY(file, load(handle));
    return file.state;
}

Outcome<void> FileSystem::set_state(Transaction& change, FileHandle handle, FileState state) const {
    ONECARD_TRY(file, load(handle));
    if (file.state == FileState::terminated && state != FileState::terminated) {
        return fail(StatusWord::conditions_not_satisfied);  // for good
    }
    // Nothing but this byte of what stands there.
    std::array<std::uint8_t, description_size_max> bytes{};
    ONECARD_TRY(size, store_->read(description_object(handle), bytes));
    bytes[state_offset] = static_cast<std::uint8_t>(state);
    return change.put(description_object(handle), Bytes{bytes}.first(size));
}

// ---- Access ------------------------------------------------------------------------------------

namespace {

[[nodiscard]] AccessCondition condition_of(const FileDescription& file, FileUse use) {
    switch (use) {
        case FileUse::read: return file.read;
        case FileUse::update: return file.update;
        case FileUse::append: return file.append;
    }
    return AccessCondition::never();
}

[[nodiscard]] Outcome<void> check_access(const FileDescription& file, const Access& access,
                                         AccessCondition condition, bool is_reading) {
    const unsigned shift = is_reading ? 2 : 0;  // messaging::read_* are messaging::update_* << 2
    const unsigned demands = unsigned{file.messaging} >> shift;
    const bool lacks_mac = (demands & messaging::update_mac) != 0 && !access.with_mac;
    const bool lacks_cipher = (demands & messaging::update_encrypted) != 0 && !access.enciphered;
    if (lacks_mac || lacks_cipher) return fail(StatusWord::secure_messaging_missing);
    if (!condition.met_by(access.rights)) {
        return fail(StatusWord::security_status_not_satisfied);
    }
    return {};
}

/// The same decision in another form, for a second look: what is lacking, as bits. None may be.
[[nodiscard, gnu::noinline]] unsigned lacking(const FileDescription& file, const Access& access,
                                              AccessCondition condition, bool is_reading) {
    const unsigned demands = (unsigned{file.messaging} >> (is_reading ? 2 : 0)) & 0x03;
    const unsigned shown = (access.with_mac ? messaging::update_mac : 0U) |
                           (access.enciphered ? messaging::update_encrypted : 0U);
    const unsigned rights = access.rights & 0x7FU;  // never: its bit 7 is nobody's right
    const unsigned is_key_file = file.type == FileType::key_file ? 1U : 0U;
    return (demands & ~shown) | (condition.byte() & ~rights) | is_key_file;
}

}  // namespace

bool FileSystem::permits(FileHandle handle, const Access& access, FileUse use) const {
    const auto file = load(handle);
    if (!file) return false;
    const unsigned is_other =
        static_cast<unsigned>(file->state) ^ static_cast<unsigned>(FileState::active);
    return (lacking(file->is, access, condition_of(file->is, use), use == FileUse::read) |
            is_other) == 0;
}

Outcome<FileSystem::File> FileSystem::open(FileHandle handle, const Access& access, FileUse use,
                                           bool is_binary) const {
    ONECARD_TRY(file, load(handle));
    const bool fits = is_binary ? file.is.type == FileType::transparent : has_records(file.is.type);
    if (!fits) return fail(StatusWord::incompatible_file);
    if (access.is_internal) return file;
    if (file.is.type == FileType::key_file) return fail(StatusWord::incompatible_file);
    if (file.state == FileState::deactivated) return fail(StatusWord::file_invalidated);
    if (file.state == FileState::terminated) return fail(StatusWord::conditions_not_satisfied);
    ONECARD_CHECK(check_access(file.is, access, condition_of(file.is, use), use == FileUse::read));
    return file;
}

// ---- Transparent files -------------------------------------------------------------------------

Outcome<std::size_t> FileSystem::read_binary(FileHandle handle, const Access& access,
                                             std::size_t offset, MutableBytes out) const {
    ONECARD_TRY(file, open(handle, access, FileUse::read, true));
    if (offset >= file.is.size) return fail(StatusWord::wrong_offset);
    const std::size_t count = std::min(out.size(), file.is.size - offset);
    for (std::size_t done = 0; done < count;) {
        const auto index = static_cast<unsigned>((offset + done) / chunk_size);
        const std::size_t within = (offset + done) % chunk_size;
        const std::size_t part = std::min(file.chunk_bytes(index) - within, count - done);
        std::array<std::uint8_t, chunk_size> chunk{};
        if (store_->contains(file.object(index))) {
            ONECARD_TRY(size, store_->read(file.object(index), chunk));
            if (size != file.chunk_bytes(index)) return fail(StatusWord::memory_failure);
        }
        std::ranges::copy(Bytes{chunk}.subspan(within, part), out.subspan(done).begin());
        done += part;
    }
    return count;
}

Outcome<void> FileSystem::update_binary(Transaction& change, FileHandle handle,
                                        const Access& access, std::size_t offset,
                                        Bytes data) const {
    ONECARD_TRY(file, open(handle, access, FileUse::update, true));
    if (offset >= file.is.size) return fail(StatusWord::wrong_offset);
    if (data.size() > file.is.size - offset) return fail(StatusWord::wrong_length);
    for (std::size_t done = 0; done < data.size();) {
        const auto index = static_cast<unsigned>((offset + done) / chunk_size);
        const std::size_t within = (offset + done) % chunk_size;
        const std::size_t part = std::min(file.chunk_bytes(index) - within, data.size() - done);
        std::array<std::uint8_t, chunk_size> chunk{};
        if (const auto staged = change.staged(file.object(index))) {
            std::ranges::copy(*staged, chunk.begin());
        } else if (store_->contains(file.object(index))) {
            ONECARD_CHECK(store_->read(file.object(index), chunk));
        }
        std::ranges::copy(data.subspan(done, part), MutableBytes{chunk}.subspan(within).begin());
        ONECARD_CHECK(change.put(file.object(index), Bytes{chunk}.first(file.chunk_bytes(index))));
        done += part;
    }
    return {};
}

// ---- Records -----------------------------------------------------------------------------------

std::uint8_t FileSystem::count_records(const File& file) const {
    if (file.is.type == FileType::linear_fixed) return file.is.record_count;
    std::uint8_t count = 0;
    while (count < file.is.record_count && store_->contains(file.object(count))) ++count;
    return count;
}

/// A cyclic record begins with its turn, which rises by one with each append. Slots follow each
/// other in turn order but for one break, behind the newest. Commits are whole, so it is always so.
Outcome<std::uint8_t> FileSystem::newest_slot(const File& file, std::uint8_t count) const {
    std::array<std::uint8_t, 1 + record_size_max> record;
    ONECARD_CHECK(store_->read(file.object(0), record));
    const unsigned first_turn = record[0];
    unsigned low = 0;  // in order with slot 0
    for (unsigned high = count; high - low > 1;) {
        const unsigned middle = (low + high) / 2;
        ONECARD_CHECK(store_->read(file.object(middle), record));
        const bool in_order = ((record[0] - first_turn) & 0xFF) == middle;
        (in_order ? low : high) = middle;
    }
    return static_cast<std::uint8_t>(low);
}

/// Which object holds record `number`.
Outcome<std::uint8_t> FileSystem::slot_of(const File& file, std::uint8_t number) const {
    const std::uint8_t count = count_records(file);
    if (number == 0 || number > count) return fail(StatusWord::record_not_found);
    if (file.is.type != FileType::cyclic) return static_cast<std::uint8_t>(number - 1);
    ONECARD_TRY(newest, newest_slot(file, count));
    return static_cast<std::uint8_t>((newest + count - (number - 1)) % count);
}

Outcome<std::size_t> FileSystem::load_record(const File& file, std::uint8_t number,
                                             MutableBytes out) const {
    ONECARD_TRY(slot, slot_of(file, number));
    if (file.is.type == FileType::linear_fixed && !store_->contains(file.object(slot))) {
        if (out.size() < file.is.size) return fail(StatusWord::not_enough_memory);
        std::ranges::fill(out.first(file.is.size), std::uint8_t{0});
        return std::size_t{file.is.size};
    }
    if (file.is.type != FileType::cyclic) return store_->read(file.object(slot), out);
    std::array<std::uint8_t, 1 + record_size_max> record;
    ONECARD_TRY(size, store_->read(file.object(slot), record));
    if (size == 0) return fail(StatusWord::memory_failure);
    if (out.size() < size - 1) return fail(StatusWord::not_enough_memory);
    std::ranges::copy(Bytes{record}.subspan(1, size - 1), out.begin());
    return size - 1;
}

Outcome<std::size_t> FileSystem::read_record(FileHandle handle, const Access& access,
                                             std::uint8_t number, MutableBytes out) const {
    ONECARD_TRY(file, open(handle, access, FileUse::read, false));
    return load_record(file, number, out);
}

Outcome<void> FileSystem::stage_record(Transaction& change, const File& file, ObjectId at,
                                       Bytes data, std::uint8_t turn) const {
    const bool is_exact =
        file.is.type == FileType::linear_fixed || file.is.type == FileType::cyclic;
    if (is_exact ? data.size() != file.is.size : data.size() > file.is.size || data.empty()) {
        return fail(StatusWord::wrong_length);
    }
    if (file.is.type == FileType::key_file) return change.put_masked(at, data);
    if (file.is.type != FileType::cyclic) return change.put(at, data);
    std::array<std::uint8_t, 1 + record_size_max> record;
    record[0] = turn;
    std::ranges::copy(data, record.begin() + 1);
    return change.put(at, Bytes{record}.first(1 + data.size()));
}

Outcome<void> FileSystem::update_record(Transaction& change, FileHandle handle,
                                        const Access& access, std::uint8_t number,
                                        Bytes data) const {
    ONECARD_TRY(file, open(handle, access, FileUse::update, false));
    if (file.is.type == FileType::cyclic && number != 1) return fail(StatusWord::record_not_found);
    ONECARD_TRY(slot, slot_of(file, number));
    std::uint8_t turn = 0;
    if (file.is.type == FileType::cyclic) {
        std::array<std::uint8_t, 1 + record_size_max> record;
        ONECARD_CHECK(store_->read(file.object(slot), record));
        turn = record[0];
    }
    return stage_record(change, file, file.object(slot), data, turn);
}

Outcome<void> FileSystem::append_record(Transaction& change, FileHandle handle,
                                        const Access& access, Bytes data) const {
    ONECARD_TRY(file, open(handle, access, FileUse::append, false));
    if (file.is.type == FileType::linear_fixed) return fail(StatusWord::incompatible_file);
    const std::uint8_t count = count_records(file);
    unsigned slot = count;
    std::uint8_t turn = 0;
    if (file.is.type == FileType::cyclic && count != 0) {
        ONECARD_TRY(newest, newest_slot(file, count));
        std::array<std::uint8_t, 1 + record_size_max> record;
        ONECARD_CHECK(store_->read(file.object(newest), record));
        turn = static_cast<std::uint8_t>(record[0] + 1);
        slot = (newest + 1U) % file.is.record_count;
    }
    if (slot >= file.is.record_count) return fail(StatusWord::not_enough_memory);
    if (change.touches(file.object(slot))) return fail(StatusWord::conditions_not_satisfied);
    return stage_record(change, file, file.object(slot), data, turn);
}

Outcome<std::uint8_t> FileSystem::record_count(FileHandle handle) const {
    ONECARD_TRY(file, load(handle));
    if (!has_records(file.is.type)) return fail(StatusWord::incompatible_file);
    return count_records(file);
}

bool FileSystem::holds(FileHandle handle, std::uint8_t number, Bytes data) const {
    std::array<std::uint8_t, record_size_max> record;
    const auto size = read_record(handle, Access::internal(), number, record);
    return size && std::ranges::equal(Bytes{record}.first(*size), data);
}

Outcome<std::uint8_t> FileSystem::find_record(FileHandle handle, const Access& access, Bytes prefix,
                                              std::uint8_t from) const {
    ONECARD_TRY(file, open(handle, access, FileUse::read, false));
    const std::uint8_t count = count_records(file);
    for (unsigned number = std::max<unsigned>(from, 1); number <= count; ++number) {
        std::array<std::uint8_t, record_size_max> record;
        const auto candidate = static_cast<std::uint8_t>(number);
        ONECARD_TRY(size, load_record(file, candidate, record));
        if (size >= prefix.size() &&
            std::ranges::equal(Bytes{record}.first(prefix.size()), prefix)) {
            return candidate;
        }
    }
    return fail(StatusWord::record_not_found);
}

}  // namespace firmware
