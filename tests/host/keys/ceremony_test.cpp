// The ceremony: what it makes, and every refusal by name. docs/ceremony.md, 2 to 5.
#include <map>

#include <doctest/doctest.h>

#include "host/keys/minutes.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"
#include "tests/host/keys/ceremony_room.hpp"

using host::keys::MinutesVerdict;
using host::keys::text;
using keys_test::bytes_of;
using keys_test::Component;
using keys_test::components_of;
using keys_test::duplicate;
using keys_test::kind_of;
using keys_test::Mark;
using keys_test::Room;
using keys_test::root_at;
using keys_test::root_count;

namespace {

std::string read_text(const std::filesystem::path& path) {
    return platform::read_text_file(path, 1 << 22).value();
}
void write_text(const std::filesystem::path& path, std::string_view text) {
    REQUIRE(platform::replace_file(path, text));
}
std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}
void edit_ceremony(const Room& room, std::string_view from, std::string_view to) {
    const auto file = room.directory / "ceremony.json";
    write_text(file, replaced(read_text(file), from, to));
}
/// A sheet's lines, as a program hands them over.
std::vector<std::string_view> lines_of(std::string_view sheet) {
    std::vector<std::string_view> lines;
    while (!sheet.empty()) {
        const auto end = std::min(sheet.find('\n'), sheet.size());
        lines.push_back(sheet.substr(0, end));
        sheet.remove_prefix(std::min(end + 1, sheet.size()));
    }
    return lines;
}
std::string sheet_of(const host::keys::Ceremony& ceremony,
                     const std::vector<Component>& components) {
    const auto sheet = host::keys::component_sheet(ceremony, "first", components);
    return {sheet.bytes().begin(), sheet.bytes().end()};
}
std::string parsed(std::string_view sheet) {
    return kind_of(host::keys::parse_components(lines_of(sheet)));
}
/// Where in the list `component` stands: sets it.
void set_component(std::vector<Component>& components, std::size_t place, std::string_view hex) {
    const auto bytes = platform::from_hex<16>(hex).value();
    std::ranges::copy(bytes, components[place].value.bytes().begin());
}

}  // namespace

TEST_CASE("ceremony: the roots are the sums of the components and a quorum opens the nation") {
    Room room;
    room.everyone_gives();
    CHECK(room.component_files() == 3);
    REQUIRE(kind_of(room.combine()) == "accepted");
    for (const auto& names : {std::vector<std::string>{"first", "second"}, {"third", "second"}}) {
        const auto nation =
            host::keys::open_nation(room.nation, room.persons(names), room.random).value();
        CHECK(keys_test::is_sum_of(*nation.store, {"first", "second", "third"}));
        CHECK(nation.store->rehearsal());
    }
    CHECK_FALSE(host::keys::open_nation(room.nation, room.persons({"first"}), room.random));
    CHECK_FALSE(std::filesystem::exists(room.directory / "components"));
    CHECK(room.read().finished);
}

TEST_CASE("ceremony: the order in which custodians come and are named does not matter") {
    Room room;
    REQUIRE(room.begin());
    for (const char* who : {"third", "first", "second"}) REQUIRE(room.give(who));
    REQUIRE(room.combine(room.persons({"second", "third", "first"})));
    const auto nation = host::keys::open_nation(room.nation, room.persons(), room.random).value();
    CHECK(keys_test::is_sum_of(*nation.store, {"first", "second", "third"}));
}

TEST_CASE("ceremony: nothing on the disk shows a component (C1)") {
    Room room;
    room.everyone_gives();
    for (const auto& entry : std::filesystem::recursive_directory_iterator{room.directory}) {
        if (!entry.is_regular_file()) continue;
        const std::string content = read_text(entry.path());
        for (const char* who : {"first", "second", "third"}) {
            for (const Component& component : components_of(who)) {
                const auto bytes = component.value.bytes();
                CHECK(content.find(std::string{bytes.begin(), bytes.end()}) == std::string::npos);
                CHECK(content.find(platform::to_hex(bytes)) == std::string::npos);
                if (entry.path().extension() == ".store") continue;  // its log names check values
                CHECK(content.find(host::keys::check_value_text(component)) == std::string::npos);
            }
        }
    }
}

TEST_CASE("ceremony begin: two people each named once in names that fit a file") {
    Room room;
    CHECK(kind_of(room.begin({"first"}, 2)) == "dual_control_missing");
    CHECK(kind_of(room.begin({"first", "second"}, 1)) == "dual_control_missing");
    CHECK(kind_of(room.begin({"first", "second"}, 3)) == "input_wrong");
    CHECK(kind_of(room.begin({"first", "second", "first"}, 2)) == "input_wrong");
    for (const char* name : {"", "First", "first/../..", "first second", "l\"i", "\xE6\x9D\x8E"}) {
        CHECK(kind_of(room.begin({"second", name}, 2)) == "input_wrong");
    }
    CHECK(kind_of(room.begin(std::vector<std::string>(17, "x"), 2)) == "input_wrong");
    CHECK_FALSE(std::filesystem::exists(room.directory));
    CHECK(kind_of(room.begin()) == "accepted");
    CHECK(kind_of(room.begin()) == "target_exists");
}

TEST_CASE("ceremony: steps out of order and strangers are refused by name") {
    Room room;
    CHECK(kind_of(room.give("first")) == "ceremony_unknown");
    CHECK(kind_of(room.combine()) == "ceremony_unknown");
    REQUIRE(room.begin());
    room.words["fourth"] = "the words of fourth";
    CHECK(kind_of(room.give("fourth")) == "custodian_not_invited");
    CHECK(kind_of(room.combine()) == "component_missing");
    REQUIRE(room.give("first"));
    CHECK(kind_of(room.give("first")) == "component_exists");
    const auto missing = room.combine();
    CHECK(kind_of(missing) == "component_missing");
    CHECK(missing.error().detail.find("second, third") != std::string::npos);
    REQUIRE(room.give("second"));
    REQUIRE(room.give("third"));
    CHECK(kind_of(room.combine(room.persons({"first", "second"}))) == "custodian_missing");
    CHECK(kind_of(room.combine(room.persons({"first", "second", "third", "third"}))) ==
          "custodian_missing");
    CHECK(kind_of(room.combine(room.persons({"first", "second", "fourth"}))) ==
          "custodian_not_invited");
    CHECK_FALSE(std::filesystem::exists(room.nation));
    CHECK(kind_of(room.combine()) == "accepted");
}

TEST_CASE("ceremony: after the end nothing is added and no second nation founded (C4)") {
    Room room;
    room.everyone_gives();
    REQUIRE(room.combine());
    CHECK(kind_of(room.give("first")) == "ceremony_finished");
    CHECK(kind_of(room.give("first", components_of("first"), true)) == "ceremony_finished");
    const auto first = read_text(room.nation / "keys.store");
    CHECK(kind_of(room.combine()) == "accepted");  // asked again: told again, nothing changed
    CHECK(read_text(room.nation / "keys.store") == first);
    const auto nation = std::exchange(room.nation, room.temporary.path / "second");
    CHECK(kind_of(room.combine()) == "ceremony_finished");
    CHECK_FALSE(std::filesystem::exists(room.nation));
    // Not even when the first one was moved away.
    std::filesystem::rename(nation, room.temporary.path / "moved");
    CHECK(kind_of(room.combine()) == "ceremony_finished");
}

TEST_CASE("ceremony combine: a directory that is there and is not this ceremony's nation") {
    Room room;
    room.everyone_gives();
    std::filesystem::create_directory(room.nation);
    CHECK(kind_of(room.combine()) == "target_exists");
    std::filesystem::remove(room.nation);
    Room other;
    other.random = crypto::SeededRandom{2, "another ceremony"};
    other.everyone_gives();
    REQUIRE(other.combine());
    room.nation = other.nation;
    CHECK(kind_of(room.combine()) == "target_exists");
    CHECK(room.component_files() == 3);
    room.nation = room.temporary.path / "no" / "such" / "place" / "\x01";
    write_text(room.temporary.path / "no", "a file where a directory should be");
    CHECK(kind_of(room.combine()) == "file_failed");
    CHECK(room.component_files() == 3);
    room.nation = room.temporary.path / "nation";
    CHECK(kind_of(room.combine()) == "accepted");
}

TEST_CASE("ceremony component: weak ones are refused (zero or one byte repeated or single DES)") {
    Room room;
    REQUIRE(room.begin());
    for (const char* weak :
         {"00000000000000000000000000000000", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
          "0123456789ABCDEF0123456789ABCDEF", "0123456789ABCDEF0022446688AACCEE"}) {
        for (std::size_t place = 0; place < root_count; ++place) {
            auto components = components_of("first");
            set_component(components, place, weak);
            const auto refused = room.give("first", components);
            CHECK(kind_of(refused) == "component_weak");
            CHECK(refused.error().detail.find(text(root_at(place))) != std::string::npos);
            CHECK(refused.error().detail.find("01234567") == std::string::npos);
        }
    }
    CHECK(room.component_files() == 0);
    auto few = components_of("first");
    few.pop_back();
    CHECK(kind_of(room.give("first", few)) == "component_malformed");
    auto swapped = components_of("first");
    std::swap(swapped[0], swapped[1]);
    CHECK(kind_of(room.give("first", swapped)) == "component_malformed");
}

TEST_CASE("ceremony component: the same one twice would cancel itself (component_repeated)") {
    Room room;
    REQUIRE(room.begin());
    REQUIRE(room.give("first"));
    for (std::size_t place = 0; place < root_count; ++place) {
        for (std::size_t from = 0; from < root_count; ++from) {
            auto components = components_of("second");
            const auto first = components_of("first");
            std::ranges::copy(first[from].value.bytes(), components[place].value.bytes().begin());
            CHECK(kind_of(room.give("second", components)) == "component_repeated");
            components[place].value.bytes()[7] ^= 0x01;  // parity alone makes no other 3DES key
            CHECK(kind_of(room.give("second", components)) == "component_repeated");
            components[place].value.bytes()[7] ^= 0x02;
            CHECK(kind_of(room.give("second", components, true)) == "accepted");
            room.words["second"] = "the words of second";
            const auto file = room.file_of("second");
            std::filesystem::remove(file);  // so that the next one is second's first again
            auto record = room.read();
            record.given.pop_back();
            REQUIRE(host::keys::write_ceremony(room.directory, record));
        }
    }
    auto own = components_of("second");
    std::ranges::copy(own[0].value.bytes(), own[3].value.bytes().begin());
    CHECK(kind_of(room.give("second", own)) == "component_repeated");
}

TEST_CASE("ceremony combine: components that add up to nothing are refused (component_weak)") {
    Room room;
    REQUIRE(room.begin());
    auto third = components_of("third");
    const auto first = components_of("first");
    const auto second = components_of("second");
    for (std::size_t b = 0; b < 16; ++b) {
        third[2].value.bytes()[b] = first[2].value.bytes()[b] ^ second[2].value.bytes()[b];
    }
    REQUIRE(room.give("first"));
    REQUIRE(room.give("second"));
    REQUIRE(room.give("third", third));
    const auto refused = room.combine();
    CHECK(kind_of(refused) == "component_weak");
    CHECK(refused.error().detail.find(text(root_at(2))) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(room.nation));
    CHECK(room.component_files() == 3);
}

TEST_CASE("ceremony component --again: only whoever opens the old ones replaces them") {
    Room room;
    room.everyone_gives();
    const std::string old = room.words["second"];
    room.words["second"] = "other words of second";
    CHECK(kind_of(room.give("second", components_of("fourth"), true, "guessed words")) ==
          "store_failed");
    CHECK(room.component_files() == 3);
    CHECK(kind_of(room.give("second", components_of("fourth"), true, old)) == "accepted");
    CHECK(room.component_files() == 3);
    CHECK(kind_of(room.give("second", components_of("first"), true, room.words["second"])) ==
          "component_repeated");
    const auto before = room.words;
    room.words["second"] = old;
    CHECK(kind_of(room.combine()) == "store_failed");
    room.words = before;
    REQUIRE(room.combine());
    const auto nation = host::keys::open_nation(room.nation, room.persons(), room.random).value();
    CHECK(keys_test::is_sum_of(*nation.store, {"first", "fourth", "third"}));
}

TEST_CASE("ceremony component --again: the same components under another passphrase") {
    Room room;
    room.everyone_gives();
    const std::string old = std::exchange(room.words["first"], room.words["third"]);
    REQUIRE(room.give("first", components_of("first"), true, old));
    const auto refused = room.combine();
    CHECK(kind_of(refused) == "passphrase_repeated");
    CHECK(refused.error().detail.find("first and third") != std::string::npos);
    const std::string shared = std::exchange(room.words["first"], "words of first alone");
    REQUIRE(room.give("first", components_of("first"), true, shared));
    CHECK(kind_of(room.combine()) == "accepted");
}

TEST_CASE("ceremony combine: a component file that is foreign or older or changed") {
    Room room;
    room.everyone_gives();
    const auto first = room.file_of("first");
    const std::string good = read_text(first);
    Room other;
    other.random = crypto::SeededRandom{2, "another ceremony"};
    other.everyone_gives();
    write_text(first, read_text(other.file_of("first")));
    CHECK(kind_of(room.combine()) == "component_foreign");
    write_text(first, good);
    // What first gave first, put back under the name of what first gave later.
    REQUIRE(room.give("first", components_of("fourth"), true, room.words["first"]));
    const auto newer = room.file_of("first");
    const std::string newest = read_text(newer);
    write_text(newer, good);
    CHECK(kind_of(room.combine()) == "component_foreign");
    write_text(newer, read_text(room.file_of("second")));
    CHECK(kind_of(room.combine()) == "store_failed");  // another person's file
    for (std::size_t at = 0; at < newest.size(); at += newest.size() / 29) {
        std::string changed = newest;
        changed[at] = static_cast<char>(changed[at] ^ 0x10);
        write_text(newer, changed);
        CHECK(kind_of(room.combine()) == "store_failed");
    }
    write_text(newer, newest.substr(0, newest.size() / 2));
    CHECK(kind_of(room.combine()) == "store_failed");
    std::filesystem::remove(newer);
    CHECK(kind_of(room.combine()) == "store_failed");
    CHECK_FALSE(std::filesystem::exists(room.nation));
    write_text(newer, newest);
    CHECK(kind_of(room.combine()) == "accepted");
}

TEST_CASE("ceremony combine: what was agreed cannot be changed behind the custodians (C7)") {
    Room room;
    room.everyone_gives();
    const std::string good = read_text(room.directory / "ceremony.json");
    const auto combine_as = [&](std::string_view from, std::string_view to,
                                const std::vector<std::string>& present) {
        write_text(room.directory / "ceremony.json", good);
        edit_ceremony(room, from, to);
        return kind_of(room.combine(room.persons(present)));
    };
    const std::vector<std::string> all{"first", "second", "third"};
    CHECK(combine_as("\"quorum\":2", "\"quorum\":3", all) == "component_foreign");
    CHECK(combine_as("\"first\",\"second\",\"third\"", "\"second\",\"first\",\"third\"", all) ==
          "component_foreign");
    const std::string id = platform::to_hex(room.read().id);
    CHECK(combine_as(id, std::string(32, 'A'), all) == "component_foreign");
    const std::string digest = platform::to_hex(room.read().given[1].digests[3]);
    CHECK(combine_as(digest, std::string(64, '0'), all) == "component_foreign");
    const std::string salt = platform::to_hex(room.read().salt);
    CHECK(combine_as(salt, std::string(64, '0'), all) == "component_foreign");
    // third is written out of it, list and record.
    auto fewer = host::keys::parse_ceremony(good, "x").value();
    fewer.custodians.pop_back();
    fewer.given.pop_back();
    REQUIRE(host::keys::write_ceremony(room.directory, fewer));
    CHECK(kind_of(room.combine(room.persons({"first", "second"}))) == "component_foreign");
    write_text(room.directory / "ceremony.json", good);
    CHECK(kind_of(room.combine()) == "accepted");
}

TEST_CASE("ceremony: a rehearsal component never becomes part of a live nation (C6)") {
    Room room;
    room.everyone_gives();
    room.mark = Mark::live;
    CHECK(kind_of(room.give("first")) == "mark_mismatch");
    CHECK(kind_of(room.combine()) == "mark_mismatch");
    edit_ceremony(room, "\"rehearsal\"", "\"live\"");
    const auto refused = room.combine();
    CHECK(kind_of(refused) == "mark_mismatch");
    CHECK(refused.error().detail.find("first-1.store is rehearsal") != std::string::npos);
    room.mark = Mark::rehearsal;
    CHECK(kind_of(room.combine()) == "mark_mismatch");
    CHECK_FALSE(std::filesystem::exists(room.nation));
}

TEST_CASE("ceremony: a live component asks for a live store's passphrase") {
    Room room;
    room.mark = Mark::live;
    REQUIRE(room.begin());
    room.words["first"] = "short";
    const auto refused = room.give("first");
    CHECK(kind_of(refused) == "store_failed");
    CHECK(refused.error().detail.find("weak_passphrase") != std::string::npos);
    CHECK(room.read().given.empty());
}

TEST_CASE("ceremony.json: only what the program wrote is read (ceremony_unknown)") {
    Room room;
    room.everyone_gives();
    const std::string good = read_text(room.directory / "ceremony.json");
    CHECK(host::keys::to_json(host::keys::parse_ceremony(good, "x").value()) == good);
    const auto parse = [](const std::string& text) {
        return kind_of(host::keys::parse_ceremony(text, "x"));
    };
    for (std::size_t size = 0; size < good.size(); size += 7) {
        CHECK(parse(good.substr(0, size)) == "ceremony_unknown");
    }
    const std::pair<const char*, const char*> changes[]{
        {"{\"format\":1", "{\"format\":2"},
        {"{\"format\":1", "{\"more\":1,\"format\":1"},
        {"{\"format\":1", "{\"format\":1,\"format\":1"},
        {"{\"format\":1", "{ \"format\":1"},
        {"\"rehearsal\"", "\"Rehearsal\""},
        {"\"rehearsal\"", "null"},
        {"\"quorum\":2", "\"quorum\":1"},
        {"\"quorum\":2", "\"quorum\":4"},
        {"\"quorum\":2", "\"quorum\":-2"},
        {"\"quorum\":2", "\"quorum\":2.0"},
        {"\"quorum\":2", "\"quorum\":99999999999999999999"},
        {"\"first\",\"second\"", "\"first\",\"first\""},
        {"\"first\",\"second\"", "\"first\",7"},
        {"\"first\",\"second\"", "\"first\",\"../second\""},
        {"\"custodian\":\"first\"", "\"custodian\":\"second\""},
        {"\"custodian\":\"first\"", "\"custodian\":\"fourth\""},
        {"\"custodian\":\"first\"", "\"custodian\":[\"first\"]"},
        {"\"serial\":1", "\"serial\":2"},
        {"\"serial\":1", "\"serial\":0"},
        {"\"serial\":1", "\"serial\":\"../1\""},
        {"\"digests\":[", "\"digests\":[\"00\","},
        {"\"digests\":[\"", "\"digests\":[\"0G"},
        {"\"purchase sm4\",\"purchase 3des\"", "\"purchase 3des\",\"purchase sm4\""},
        {"\"finished\":false", "\"finished\":0"},
        {"}\n", "}"},
        {"}\n", "}\n\n"},
    };
    for (const auto& [from, to] : changes) {
        INFO(from, " -> ", to);
        CHECK(parse(replaced(good, from, to)) == "ceremony_unknown");
    }
    CHECK(parse(good + std::string(1, '\0')) == "ceremony_unknown");
    CHECK(parse(std::string(100'000, '[')) == "ceremony_unknown");
    write_text(room.directory / "ceremony.json", std::string(70'000, ' '));
    CHECK(kind_of(room.combine()) == "ceremony_unknown");
}

TEST_CASE("component sheet: what is handed out is what is read back") {
    Room room;
    const auto ceremony = room.begin().value();
    const auto components = components_of("first");
    const std::string sheet = sheet_of(ceremony, components);
    CHECK(sheet.find("REHEARSAL") != std::string::npos);
    const auto read = host::keys::parse_components(lines_of(sheet)).value();
    for (std::size_t i = 0; i < root_count; ++i) {
        CHECK(std::ranges::equal(read[i].value.bytes(), components[i].value.bytes()));
    }
    const std::string lower = [&] {
        std::string out;
        for (const char c : sheet) out += c >= 'A' && c <= 'F' ? static_cast<char>(c | 0x20) : c;
        return out;
    }();
    CHECK(parsed(lower) == "accepted");
}

TEST_CASE("component lines: each mistake is component_malformed and nothing typed is repeated") {
    Room room;
    const auto ceremony = room.begin().value();
    const std::string sheet = sheet_of(ceremony, components_of("first"));
    const std::string line = sheet.substr(sheet.find("purchase sm4"), 12 + 1 + 35 + 1 + 6);
    const auto refused = [&](std::string_view to) {
        const std::string changed = replaced(sheet, line, to);
        const auto result = host::keys::parse_components(lines_of(changed));
        REQUIRE_FALSE(result);
        CHECK(result.error().detail.find(line.substr(13, 8)) == std::string::npos);
        return kind_of(result);
    };
    const std::string digits = line.substr(13, 35);
    const std::string check = line.substr(49);
    for (const std::string& wrong : std::vector<std::string>{
             "", "purchase sm4", "purchase sm4 " + digits, "purchase sm4 " + check,
             "purchase sm4 " + digits + check, "purchase sm4 " + digits + " 0" + check,
             "purchase sm4 " + digits + "0 " + check, "purchase sm4 0" + digits + " " + check,
             "purchase sm4 " + digits.substr(1) + " " + check, "purchase aes " + line.substr(13),
             "load sm4 " + line.substr(13), line.substr(13), line + "\n" + line,
             "Purchase sm4 " + line.substr(13), "purchase 3des " + line.substr(13),
             "purchase sm4 " + digits + " ZZZZZZ", "purchase sm4 " + digits + ", " + check}) {
        INFO(wrong.size());
        CHECK(refused(wrong) == "component_malformed");
    }
    for (std::size_t at = 13; at < line.size(); ++at) {  // every digit, also of the check value
        if (line[at] == ' ') continue;
        std::string mistyped = line;
        mistyped[at] = mistyped[at] == '7' ? '8' : '7';
        if (mistyped != line) CHECK(refused(mistyped) == "component_malformed");
    }
    CHECK(parsed("") == "component_malformed");
    CHECK(parsed(sheet) == "accepted");
}

TEST_CASE("a component's check value is the left of E(key | 0): ANSI X9.24 legacy") {
    // openssl enc -sm4-ecb / -des-ede over a zero block with this key.
    const std::string digits = "0123456789ABCDEFFEDCBA9876543210";
    const auto sm4 = host::keys::parse_component(
        {host::keys::KeyUse::purchase, host::keys::Suite::sm4}, digits, "2677F4");
    CHECK(kind_of(sm4) == "accepted");
    const auto triple_des = host::keys::parse_component(
        {host::keys::KeyUse::purchase, host::keys::Suite::triple_des}, digits, "08D7B4");
    CHECK(kind_of(triple_des) == "accepted");
}

TEST_CASE("minutes: who and when and check values and the same again from the log (C5)") {
    Room room;
    room.everyone_gives();
    const std::string minutes = room.combine().value();
    CHECK(read_text(room.directory / "minutes.txt") == minutes);
    auto nation = host::keys::open_nation(room.nation, room.persons(), room.random).value();
    const auto says = [&](const std::string& what) {
        return minutes.find(what) != std::string::npos;
    };
    CHECK(says("REHEARSAL"));
    CHECK(says(platform::to_hex(nation.store->identity().id)));
    CHECK(says(platform::to_hex(room.read().id)));
    CHECK(says(platform::to_hex(nation.store->log_head())));
    CHECK(says("2 of these 3 custodians"));
    for (const char* given : {"2026-01-01T07:01:00Z", "2026-01-01T07:02:00Z",
                              "2026-01-01T07:03:00Z", "2026-01-01T07:04:00Z"}) {
        CHECK(says(given));
    }
    for (const auto& key : nation.store->list()) {
        if (key.name.label == "store") continue;
        const auto id = nation.store->find(key.name).value();
        const std::string check = platform::to_hex(nation.store->check_value(id).value());
        const auto at = minutes.find(text(key.name));
        REQUIRE(at != std::string::npos);
        CHECK(minutes.substr(at, minutes.find('\n', at) - at).ends_with(" " + check));
    }
    // Later commands do not change them.
    REQUIRE(host::keys::found_city(
        {room.temporary.path / "city", keys_test::two_people(), Mark::rehearsal}, nation,
        keys_test::city_code, keys_test::issuer_id, room.random, room.clock));
    const std::string again = host::keys::sign_minutes(*nation.store).value();
    const auto unsigned_part = [](const std::string& page) {
        return page.substr(0, page.find("signature: "));
    };
    CHECK(unsigned_part(again) == unsigned_part(minutes));
    CHECK(again != minutes);
    CHECK(host::keys::verify_minutes(again, room.nation).value() == MinutesVerdict::valid);
    CHECK(host::keys::verify_minutes(minutes, room.nation).value() == MinutesVerdict::valid);
    CHECK(host::keys::verify_minutes(minutes, nation.store->identity().audit_key) ==
          MinutesVerdict::valid);
}

TEST_CASE("minutes: a changed byte is found but ends of lines do not count") {
    Room room;
    room.everyone_gives();
    const std::string minutes = room.combine().value();
    const auto nation = host::keys::open_nation(room.nation, room.persons(), room.random).value();
    const auto key = nation.store->identity().audit_key;
    const auto verdict = [&](std::string_view page) {
        return std::string{host::keys::name(host::keys::verify_minutes(page, key))};
    };
    for (std::size_t at = 0; at < minutes.size() - 1; at += 3) {
        std::string changed = minutes;
        changed[at] = changed[at] == 'x' ? 'y' : 'x';
        CHECK(verdict(changed) != "valid");
    }
    std::string crlf;
    for (const char c : minutes) crlf += c == '\n' ? std::string{" \t\r\n"} : std::string{c};
    CHECK(verdict(crlf) == "valid");
    CHECK(verdict(minutes + "\n \r\n\n") == "valid");
    CHECK(verdict(minutes.substr(0, minutes.size() - 1)) == "valid");
    CHECK(verdict(" " + minutes) == "not_minutes");
    CHECK(verdict("\xEF\xBB\xBF" + minutes) == "not_minutes");
    CHECK(verdict("") == "not_minutes");
    CHECK(verdict(std::string(100'000, ' ')) == "not_minutes");
    CHECK(verdict(minutes + "and one line more\n") == "signature_missing");
    CHECK(verdict(minutes.substr(0, minutes.size() - 2)) == "signature_missing");
    CHECK(verdict(minutes.substr(0, minutes.find("signature: "))) == "signature_missing");
    CHECK(verdict(replaced(minutes, "\n\n", "\n")) == "signature_wrong");
    CHECK(verdict(replaced(minutes, "  first", "   first")) == "signature_wrong");
    auto other = key;
    other[5] ^= 1;
    CHECK(host::keys::verify_minutes(minutes, other) == MinutesVerdict::signature_wrong);
}

TEST_CASE("minutes: neither another nation's nor a forged page under the right key") {
    Room room;
    room.everyone_gives();
    const std::string minutes = room.combine().value();
    Room other;
    other.random = crypto::SeededRandom{2, "another ceremony"};
    other.everyone_gives();
    REQUIRE(other.combine());
    CHECK(host::keys::verify_minutes(minutes, other.nation).value() ==
          MinutesVerdict::signature_wrong);
    // Whoever holds the audit key can sign any page: the log still says what was.
    const auto nation = host::keys::open_nation(room.nation, room.persons(), room.random).value();
    const std::string page =
        replaced(minutes.substr(0, minutes.find("signature: ")), "2 of these", "1 of these");
    const auto signature = nation.store->attest(bytes_of(page)).value();
    CHECK(
        host::keys::verify_minutes(page + "signature: " + platform::to_hex(signature), room.nation)
            .value() == MinutesVerdict::log_differs);
    const keys_test::FoundedCity drawn;
    CHECK(kind_of(host::keys::sign_minutes(*drawn.nation.store)) == "ceremony_unknown");
    CHECK(kind_of(host::keys::verify_minutes(minutes, room.directory)) == "store_failed");
}
