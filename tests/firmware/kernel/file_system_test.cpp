// Files on the card. ISO/IEC 7816-4:2005, 5.3 and 7; JT/T 978 layouts where a real file is used.
#include "firmware/kernel/file_system.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/firmware/support/tearing_flash.hpp"

using namespace firmware;
using protocol::StatusWord;
using tests::TearingFlash;
using Value = std::vector<std::uint8_t>;

namespace {

constexpr Access inside = Access::internal();

FileDescription directory(std::uint16_t identifier, std::string_view name = {}) {
    FileDescription out{.identifier = FileIdentifier{identifier}, .type = FileType::dedicated};
    std::ranges::copy(name, out.name.begin());
    out.name_size = static_cast<std::uint8_t>(name.size());
    return out;
}

FileDescription file(std::uint16_t identifier, FileType type, std::uint16_t size,
                     std::uint8_t records = 0) {
    FileDescription out{.identifier = FileIdentifier{identifier}, .type = type};
    out.size = size;
    out.record_count = records;
    return out;
}

struct Card {
    explicit Card(std::uint16_t pages = 64) : flash{pages}, store{flash}, files{store} {
        REQUIRE(Store::format(flash, {1, 2, 3, 4, 5, 6, 7, 8}).has_value());
        REQUIRE(store.mount().has_value());
        Transaction change;
        REQUIRE(files.create_master(change, directory(0x3F00, "1PAY.SYS.DDF01")).has_value());
        commit(change);
    }
    void commit(Transaction& change) {
        REQUIRE(store.commit(change, Urgency::ordinary).has_value());
    }
    FileHandle create(FileHandle parent, const FileDescription& description) {
        Transaction change;
        const auto handle = files.create(change, parent, description);
        REQUIRE(handle.has_value());
        commit(change);
        return *handle;
    }
    StatusWord refused(FileHandle parent, const FileDescription& description) {
        Transaction change;
        const auto handle = files.create(change, parent, description);
        REQUIRE_FALSE(handle.has_value());
        CHECK(change.empty());
        return handle.error();
    }
    void append(FileHandle handle, const Value& record) {
        Transaction change;
        REQUIRE(files.append_record(change, handle, inside, record).has_value());
        commit(change);
    }
    Value record(FileHandle handle, std::uint8_t number) {
        Value out(255);
        const auto size = files.read_record(handle, inside, number, out);
        REQUIRE(size.has_value());
        out.resize(*size);
        return out;
    }
    StatusWord read_refused(FileHandle handle, const Access& access, std::uint8_t number) {
        Value out(255);
        return files.read_record(handle, access, number, out).error();
    }
    TearingFlash flash;
    Store store;
    FileSystem files;
};

Value pattern(std::size_t size, unsigned salt) {
    Value out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i + 3 * salt + 1);
    return out;
}

}  // namespace

TEST_CASE("create: what was described comes back, also after a reset") {
    Card card;
    FileDescription wanted = file(0x001E, FileType::cyclic, 48, 30);
    wanted.short_identifier = 0x1E;
    wanted.read = AccessCondition::free();
    wanted.update = AccessCondition::rights(0x05);
    wanted.messaging = messaging::update_mac;
    const FileHandle transit = card.create(master_file, directory(0x1001, "TRANSIT"));
    const FileHandle handle = card.create(transit, wanted);
    card.flash.reboot();
    REQUIRE(card.store.mount().has_value());
    const auto got = card.files.describe(handle);
    REQUIRE(got.has_value());
    CHECK(got->identifier == wanted.identifier);
    CHECK(got->type == FileType::cyclic);
    CHECK(got->short_identifier == 0x1E);
    CHECK(got->update == wanted.update);
    CHECK(got->messaging == messaging::update_mac);
    CHECK(got->size == 48);
    CHECK(got->record_count == 30);
    CHECK(card.files.parent(handle).value() == transit);
    CHECK(card.files.describe(transit)->name_size == 7);
    CHECK(card.files.by_short_identifier(transit, ShortFileIdentifier{0x1E}).value() == handle);
}

TEST_CASE("create: fields outside their domain are refused as incorrect data") {
    Card card;
    const auto bad = [&](FileDescription description) {
        return card.refused(master_file, description) == StatusWord::incorrect_data;
    };
    CHECK(bad(file(0x3F00, FileType::transparent, 10)));
    CHECK(bad(file(0x3FFF, FileType::transparent, 10)));  // reserved: ISO/IEC 7816-4:2005, 8.2.1.1
    CHECK(bad(file(0xFFFF, FileType::transparent, 10)));
    CHECK(bad(file(0x0001, FileType::transparent, 0)));
    CHECK(bad(file(0x0001, FileType::transparent, 0x8000)));
    CHECK(bad(file(0x0001, FileType::linear_fixed, 255, 1)));
    CHECK(bad(file(0x0001, FileType::linear_fixed, 10, 0)));
    CHECK(bad(file(0x0001, FileType::cyclic, 10, 255)));
    CHECK(bad(file(0x0001, static_cast<FileType>(0x77), 10, 1)));
    FileDescription named = file(0x0001, FileType::transparent, 10);
    named.name_size = 1;
    CHECK(bad(named));
    FileDescription numbered = file(0x0001, FileType::transparent, 10);
    numbered.short_identifier = 31;
    CHECK(bad(numbered));
}

TEST_CASE("create: identifiers, short identifiers and names are unique where they must be") {
    Card card;
    const FileHandle one = card.create(master_file, directory(0x1001, "ONE"));
    const FileHandle two = card.create(master_file, directory(0x1002, "TWO"));
    FileDescription fifteen = file(0x0015, FileType::transparent, 30);
    fifteen.short_identifier = 0x15;
    card.create(one, fifteen);
    card.create(two, fifteen);  // another parent
    CHECK(card.refused(one, fifteen) == StatusWord::file_already_exists);
    FileDescription same_short = file(0x0016, FileType::transparent, 30);
    same_short.short_identifier = 0x15;
    CHECK(card.refused(one, same_short) == StatusWord::file_already_exists);
    CHECK(card.refused(two, directory(0x1003, "ONE")) == StatusWord::file_already_exists);
    CHECK(card.refused(master_file, directory(0x1001, "X")) == StatusWord::file_already_exists);
    Transaction change;
    CHECK(card.files.create_master(change, directory(0x3F00)).error() ==
          StatusWord::file_already_exists);
}

TEST_CASE("create: under no directory, under a file, too deep, twice in one transaction") {
    Card card;
    const FileHandle one = card.create(master_file, directory(0x1001));
    const FileHandle two = card.create(one, directory(0x1002));
    const FileHandle leaf = card.create(two, file(0x0015, FileType::transparent, 30));
    CHECK(card.refused(FileHandle{99}, file(1, FileType::transparent, 1)) ==
          StatusWord::file_not_found);
    CHECK(card.refused(FileHandle{200}, file(1, FileType::transparent, 1)) ==
          StatusWord::file_not_found);
    CHECK(card.refused(leaf, file(1, FileType::transparent, 1)) == StatusWord::incompatible_file);
    const FileHandle three = card.create(two, directory(0x1003));
    CHECK(card.refused(three, file(1, FileType::transparent, 1)) == StatusWord::not_enough_memory);
    Transaction change;
    REQUIRE(card.files.create(change, one, file(2, FileType::transparent, 1)).has_value());
    CHECK(card.files.create(change, one, file(3, FileType::transparent, 1)).error() ==
          StatusWord::conditions_not_satisfied);
}

TEST_CASE("create: what cannot be filled later is refused now, and so is file 129") {
    Card small{32};
    CHECK(small.refused(master_file, file(1, FileType::transparent, 20'000)) ==
          StatusWord::not_enough_memory);
    Card card{128};
    for (std::uint16_t i = 1; i < file_count_max; ++i) {
        card.create(master_file, file(i, FileType::transparent, 1));
    }
    CHECK(card.refused(master_file, file(500, FileType::transparent, 1)) ==
          StatusWord::not_enough_memory);
}

TEST_CASE("select: MF, child, self, parent, a DF beside, and nothing else (7.1.1)") {
    Card card;
    const FileHandle one = card.create(master_file, directory(0x1001));
    const FileHandle two = card.create(master_file, directory(0x1002));
    const FileHandle leaf = card.create(one, file(0x0015, FileType::transparent, 30));
    card.create(master_file, file(0x0005, FileType::transparent, 30));
    const auto select = [&](FileHandle from, std::uint16_t identifier) {
        return card.files.select(from, FileIdentifier{identifier});
    };
    CHECK(select(one, 0x3F00).value() == master_file);
    CHECK(select(one, 0x0015).value() == leaf);
    CHECK(select(one, 0x1001).value() == one);
    CHECK(select(one, 0x1002).value() == two);
    CHECK(select(master_file, 0x1002).value() == two);
    CHECK(select(two, 0x0015).error() == StatusWord::file_not_found);  // another DF's file
    CHECK(select(one, 0x0005).error() == StatusWord::file_not_found);  // an EF beside
    CHECK(select(one, 0x7777).error() == StatusWord::file_not_found);
    CHECK(select(FileHandle{77}, 0x3F00).error() == StatusWord::file_not_found);
}

TEST_CASE("select by name: whole, its first bytes, the next one (7.1.1, table 40)") {
    Card card;
    const FileHandle first = card.create(master_file, directory(0x1001, "A00001"));
    const FileHandle second = card.create(master_file, directory(0x1002, "A00002"));
    card.create(master_file, directory(0x1003));  // no name
    const auto find = [&](std::string_view name, Occurrence which, FileHandle from) {
        const Value bytes(name.begin(), name.end());
        return card.files.by_name(bytes, which, from);
    };
    CHECK(find("A00002", Occurrence::first, master_file).value() == second);
    CHECK(find("A0", Occurrence::first, second).value() == first);
    CHECK(find("A0", Occurrence::next, first).value() == second);
    CHECK(find("A0", Occurrence::next, second).error() == StatusWord::file_not_found);
    CHECK(find("1PAY", Occurrence::first, second).value() == master_file);
    CHECK(find("A000021", Occurrence::first, first).error() == StatusWord::file_not_found);
    CHECK(find("B", Occurrence::first, first).error() == StatusWord::file_not_found);
    CHECK(find("", Occurrence::first, first).error() == StatusWord::file_not_found);
}

TEST_CASE("binary: unwritten bytes read as zero, updates cross chunks, ends are kept (7.2)") {
    Card card;
    const FileHandle handle = card.create(master_file, file(1, FileType::transparent, 300));
    Value out(300, 0xAA);
    CHECK(card.files.read_binary(handle, inside, 0, out).value() == 300);
    CHECK(out == Value(300));
    Value expected(300);
    Transaction change;
    for (const auto& [offset, size] :
         {std::pair{100U, 200U}, std::pair{0U, 1U}, std::pair{120U, 20U}, std::pair{255U, 2U}}) {
        const Value data = pattern(size, offset);
        REQUIRE(card.files.update_binary(change, handle, inside, offset, data).has_value());
        std::ranges::copy(data, expected.begin() + offset);
    }
    CHECK(card.files.read_binary(handle, inside, 0, out).value() == 300);
    CHECK(out == Value(300));  // not committed
    card.commit(change);
    CHECK(card.files.read_binary(handle, inside, 0, out).value() == 300);
    CHECK(out == expected);
    Value tail(50);
    CHECK(card.files.read_binary(handle, inside, 290, tail).value() == 10);
    CHECK(card.files.read_binary(handle, inside, 300, tail).error() == StatusWord::wrong_offset);
    CHECK(card.files.update_binary(change, handle, inside, 300, pattern(1, 0)).error() ==
          StatusWord::wrong_offset);
    CHECK(card.files.update_binary(change, handle, inside, 299, pattern(2, 0)).error() ==
          StatusWord::wrong_length);
    CHECK(change.empty());
    CHECK(card.read_refused(handle, inside, 1) == StatusWord::incompatible_file);
}

TEST_CASE("linear fixed: records exist from creation, keep their length, do not grow (7.3)") {
    Card card;
    const FileHandle handle = card.create(master_file, file(1, FileType::linear_fixed, 20, 3));
    CHECK(card.files.record_count(handle).value() == 3);
    CHECK(card.record(handle, 3) == Value(20));
    Transaction change;
    REQUIRE(card.files.update_record(change, handle, inside, 2, pattern(20, 5)).has_value());
    card.commit(change);
    CHECK(card.record(handle, 2) == pattern(20, 5));
    CHECK(card.record(handle, 1) == Value(20));
    CHECK(card.read_refused(handle, inside, 0) == StatusWord::record_not_found);
    CHECK(card.read_refused(handle, inside, 4) == StatusWord::record_not_found);
    CHECK(card.files.update_record(change, handle, inside, 1, pattern(19, 0)).error() ==
          StatusWord::wrong_length);
    CHECK(card.files.update_record(change, handle, inside, 1, pattern(21, 0)).error() ==
          StatusWord::wrong_length);
    CHECK(card.files.append_record(change, handle, inside, pattern(20, 0)).error() ==
          StatusWord::incompatible_file);
    Value small(19);
    CHECK(card.files.read_record(handle, inside, 1, small).error() ==
          StatusWord::not_enough_memory);
}

TEST_CASE("linear variable: appended up to the limit, replaced at other lengths (7.3)") {
    Card card;
    const FileHandle handle = card.create(master_file, file(1, FileType::linear_variable, 200, 3));
    CHECK(card.files.record_count(handle).value() == 0);
    CHECK(card.read_refused(handle, inside, 1) == StatusWord::record_not_found);
    for (unsigned i = 1; i <= 3; ++i) card.append(handle, pattern(50 * i, i));
    CHECK(card.record(handle, 3) == pattern(150, 3));
    Transaction change;
    CHECK(card.files.append_record(change, handle, inside, pattern(1, 0)).error() ==
          StatusWord::not_enough_memory);
    CHECK(card.files.update_record(change, handle, inside, 2, Value{}).error() ==
          StatusWord::wrong_length);
    CHECK(card.files.update_record(change, handle, inside, 2, pattern(201, 0)).error() ==
          StatusWord::wrong_length);
    CHECK(card.files.update_record(change, handle, inside, 4, pattern(1, 0)).error() ==
          StatusWord::record_not_found);
    REQUIRE(card.files.update_record(change, handle, inside, 2, pattern(200, 9)).has_value());
    card.commit(change);
    CHECK(card.record(handle, 2) == pattern(200, 9));
}

TEST_CASE("cyclic: record 1 is the newest, through 600 appends of every file length (7.3)") {
    for (const auto capacity : std::array<std::uint8_t, 6>{1, 2, 3, 10, 30, 254}) {
        Card card{128};
        const FileHandle handle = card.create(master_file, file(1, FileType::cyclic, 8, capacity));
        CHECK(card.read_refused(handle, inside, 1) == StatusWord::record_not_found);
        for (unsigned i = 0; i < 600; ++i) {
            card.append(handle, pattern(8, i));
            const unsigned count = std::min<unsigned>(i + 1, capacity);
            REQUIRE(card.files.record_count(handle).value() == count);
            REQUIRE(card.record(handle, 1) == pattern(8, i));
            const auto last = static_cast<std::uint8_t>(count);
            REQUIRE(card.record(handle, last) == pattern(8, i + 1 - count));
            const auto middle = static_cast<std::uint8_t>(count / 2 + 1);
            if (middle <= count) REQUIRE(card.record(handle, middle) == pattern(8, i + 1 - middle));
        }
        if (capacity < 254) {
            const auto beyond = static_cast<std::uint8_t>(capacity + 1);
            CHECK(card.read_refused(handle, inside, beyond) == StatusWord::record_not_found);
        }
    }
}

TEST_CASE("cyclic: exact length, one append a transaction, only record 1 is replaced") {
    Card card;
    const FileHandle handle = card.create(master_file, file(0x1E, FileType::cyclic, 48, 10));
    card.append(handle, pattern(48, 1));
    card.append(handle, pattern(48, 2));
    Transaction change;
    CHECK(card.files.append_record(change, handle, inside, pattern(47, 0)).error() ==
          StatusWord::wrong_length);
    CHECK(card.files.update_record(change, handle, inside, 2, pattern(48, 0)).error() ==
          StatusWord::record_not_found);
    REQUIRE(card.files.append_record(change, handle, inside, pattern(48, 3)).has_value());
    CHECK(card.files.append_record(change, handle, inside, pattern(48, 4)).error() ==
          StatusWord::conditions_not_satisfied);
    card.commit(change);
    REQUIRE(card.files.update_record(change, handle, inside, 1, pattern(48, 5)).has_value());
    card.commit(change);
    CHECK(card.record(handle, 1) == pattern(48, 5));
    CHECK(card.record(handle, 2) == pattern(48, 2));
    CHECK(card.files.record_count(handle).value() == 3);
}

TEST_CASE("find_record: by the bytes a record begins with, from a number on") {
    Card card;
    const FileHandle handle = card.create(master_file, file(1, FileType::linear_variable, 50, 5));
    card.append(handle, {0x27, 0x01, 1});
    card.append(handle, {0x27, 0x02, 2});
    card.append(handle, {0x27, 0x01, 3});
    const auto find = [&](Value prefix, std::uint8_t from) {
        return card.files.find_record(handle, inside, prefix, from);
    };
    CHECK(find({0x27, 0x02}, 1).value() == 2);
    CHECK(find({0x27, 0x01}, 1).value() == 1);
    CHECK(find({0x27, 0x01}, 2).value() == 3);
    CHECK(find({0x27, 0x03}, 1).error() == StatusWord::record_not_found);
    CHECK(find({0x27, 0x01}, 4).error() == StatusWord::record_not_found);
    CHECK(find({0x27, 0x01, 1, 0}, 1).error() == StatusWord::record_not_found);
}

TEST_CASE("access: conditions, secure messaging and state are checked in the documented order") {
    Card card;
    FileDescription guarded = file(1, FileType::linear_fixed, 4, 1);
    guarded.read = AccessCondition::rights(0x01);
    guarded.update = AccessCondition::rights(0x06);
    guarded.messaging = messaging::update_mac | messaging::update_encrypted | messaging::read_mac;
    const FileHandle handle = card.create(master_file, guarded);
    Transaction change;
    const auto update = [&](const Access& access) {
        return card.files.update_record(change, handle, access, 1, pattern(4, 1));
    };
    CHECK(card.read_refused(handle, {.rights = 0x7F}, 1) == StatusWord::secure_messaging_missing);
    CHECK(card.read_refused(handle, {.rights = 0x7E, .with_mac = true}, 1) ==
          StatusWord::security_status_not_satisfied);
    CHECK(card.read_refused(handle, {.rights = 0x7E, .with_mac = true}, 9) ==
          StatusWord::security_status_not_satisfied);  // not: record_not_found
    Value out(4);
    CHECK(card.files.read_record(handle, {.rights = 1, .with_mac = true}, 1, out).value() == 4);

    CHECK(update({.rights = 0x06, .with_mac = true}).error() ==
          StatusWord::secure_messaging_missing);
    CHECK(update({.rights = 0x02, .with_mac = true, .enciphered = true}).error() ==
          StatusWord::security_status_not_satisfied);
    CHECK(update({.rights = 0x06, .with_mac = true, .enciphered = true}).has_value());
    card.commit(change);
    // The second look says the same as the first, whatever was shown.
    for (unsigned shown = 0; shown < 0x200; ++shown) {
        const firmware::Access access{.rights = static_cast<std::uint8_t>(shown & 0x7F),
                                      .with_mac = (shown & 0x80) != 0,
                                      .enciphered = (shown & 0x100) != 0};
        CHECK(card.files.permits(handle, access, firmware::FileUse::update) ==
              update(access).has_value());
        CHECK(card.files.permits(handle, access, firmware::FileUse::read) ==
              card.files.read_record(handle, access, 1, out).has_value());
    }

    change.clear();

    REQUIRE(card.files.set_state(change, handle, FileState::deactivated).has_value());
    card.commit(change);
    CHECK_FALSE(
        card.files.permits(handle, {.rights = 1, .with_mac = true}, firmware::FileUse::read));
    CHECK(card.read_refused(handle, {.rights = 1, .with_mac = true}, 1) ==
          StatusWord::file_invalidated);
    CHECK(card.files.read_record(handle, inside, 1, out).has_value());
    REQUIRE(card.files.set_state(change, handle, FileState::terminated).has_value());
    card.commit(change);
    CHECK(card.read_refused(handle, {.rights = 1, .with_mac = true}, 1) ==
          StatusWord::conditions_not_satisfied);
    CHECK(card.files.set_state(change, handle, FileState::active).error() ==
          StatusWord::conditions_not_satisfied);  // for good
}

TEST_CASE("access: 'never' is met by no set of rights") {
    for (unsigned rights = 0; rights < 256; ++rights) {
        CHECK_FALSE(AccessCondition::never().met_by(static_cast<std::uint8_t>(rights)));
        CHECK(AccessCondition::free().met_by(static_cast<std::uint8_t>(rights)));
    }
}

TEST_CASE("key file: no command reads or writes it, and it does not stand in the flash in clear") {
    Card card;
    FileDescription keys = file(1, FileType::key_file, 24, 8);
    keys.read = keys.update = keys.append = AccessCondition::free();
    const FileHandle handle = card.create(master_file, keys);
    const Value key = pattern(20, 7);
    card.append(handle, key);
    const Access all{.rights = 0x7F, .with_mac = true, .enciphered = true};
    Transaction change;
    CHECK(card.read_refused(handle, all, 1) == StatusWord::incompatible_file);
    CHECK(card.files.update_record(change, handle, all, 1, key).error() ==
          StatusWord::incompatible_file);
    CHECK(card.files.append_record(change, handle, all, key).error() ==
          StatusWord::incompatible_file);
    CHECK(card.files.find_record(handle, all, Value{1}).error() == StatusWord::incompatible_file);
    CHECK(card.record(handle, 1) == key);
    Value image(64 * 1024);
    card.flash.read(0, image);
    CHECK(std::ranges::search(image, key).empty());
}

TEST_CASE("several files change in one commit, or none of them") {
    Card card;
    const FileHandle log = card.create(master_file, file(0x18, FileType::cyclic, 23, 10));
    const FileHandle trips = card.create(master_file, file(0x1E, FileType::cyclic, 48, 10));
    const FileHandle journey =
        card.create(master_file, file(0x1A, FileType::linear_variable, 128, 2));
    card.append(journey, pattern(128, 0));
    {
        Transaction dropped;
        REQUIRE(card.files.append_record(dropped, log, inside, pattern(23, 1)).has_value());
        REQUIRE(card.files.append_record(dropped, trips, inside, pattern(48, 1)).has_value());
    }
    CHECK(card.files.record_count(log).value() == 0);
    const auto before = card.flash.counts().programs;
    Transaction change;
    REQUIRE(card.files.append_record(change, log, inside, pattern(23, 2)).has_value());
    REQUIRE(card.files.append_record(change, trips, inside, pattern(48, 2)).has_value());
    REQUIRE(card.files.update_record(change, journey, inside, 1, pattern(128, 2)).has_value());
    REQUIRE(card.store.commit(change, Urgency::tap).has_value());
    CHECK((card.flash.counts().programs - before) * 4 <= 260);
    CHECK(card.record(log, 1) == pattern(23, 2));
    CHECK(card.record(trips, 1) == pattern(48, 2));
    CHECK(card.record(journey, 1) == pattern(128, 2));
}
