// A ceremony's steps killed before every one of their file operations: docs/ceremony.md, C3 and C4.
#include <map>

#include "host/keys/component_file.hpp"
#include "host/keys/minutes.hpp"
#include "platform/files.hpp"
#include "tests/host/keys/ceremony_room.hpp"
#include "tests/host/keys/dying_process.hpp"

namespace {

using keys_test::components_of;
using keys_test::kind_of;
using keys_test::Room;
namespace fs = std::filesystem;

/// The room's directory as it was when this was made.
class Snapshot {
public:
    explicit Snapshot(const Room& room) : room_{room} {
        fs::copy(room.directory, saved_.path / "ceremony", fs::copy_options::recursive);
    }
    void restore() const {
        for (const auto& entry : fs::directory_iterator{room_.temporary.path}) {
            fs::remove_all(entry.path());
        }
        fs::copy(saved_.path / "ceremony", room_.directory, fs::copy_options::recursive);
    }

private:
    const Room& room_;
    keys_test::Directory saved_;
};

bool opens(Room& room, const std::string& who, const std::string& words) {
    const auto ceremony = room.read();
    return host::keys::open_components(room.directory, ceremony, *ceremony.given_by(who),
                                       {who, keys_test::bytes_of(words)}, room.random)
        .has_value();
}

}  // namespace

TEST_CASE("combine killed before any file operation: called again it finishes (C4)") {
    Room room;
    room.everyone_gives();
    const Snapshot before{room};
    int count = 1;
    for (; dies_before(count, [&] { return room.combine().has_value(); }); ++count) {
        INFO("operation ", count);
        if (fs::exists(room.nation)) {  // never a second one with the same roots
            const auto nation = std::exchange(room.nation, room.temporary.path / "second");
            CHECK(kind_of(room.combine()) == "ceremony_finished");
            CHECK(kind_of(room.give("first", components_of("fourth"), true, room.words["first"])) ==
                  "ceremony_finished");
            room.nation = nation;
        } else {  // the components are still there, every one
            CHECK(room.component_files() == 3);
            for (const auto& [who, words] : room.words) CHECK(opens(room, who, words));
        }
        CHECK(kind_of(room.combine()) == "accepted");
        const auto nation =
            host::keys::open_nation(room.nation, room.persons({"first", "third"}), room.random);
        REQUIRE(nation.has_value());
        CHECK(keys_test::is_sum_of(*nation->store, {"first", "second", "third"}));
        CHECK_FALSE(fs::exists(room.directory / "components"));
        CHECK(room.read().finished);
        const auto minutes = platform::read_text_file(room.directory / "minutes.txt", 1 << 16);
        CHECK(host::keys::verify_minutes(minutes.value(), room.nation).value() ==
              host::keys::MinutesVerdict::valid);
        before.restore();
    }
    CHECK(count > 30);
}

TEST_CASE("component killed before any file operation: not given or given (C3)") {
    Room room;
    REQUIRE(room.begin());
    REQUIRE(room.give("second"));
    const Snapshot before{room};
    int count = 1;
    for (; dies_before(count, [&] { return room.give("first").has_value(); }); ++count) {
        INFO("operation ", count);
        if (room.read().given_by("first") != nullptr) {
            CHECK(opens(room, "first", room.words["first"]));
            CHECK(kind_of(room.give("first")) == "component_exists");
        } else {
            CHECK(kind_of(room.give("first")) == "accepted");
            CHECK(room.component_files() == 2);  // nothing is left of the killed one
        }
        CHECK(kind_of(room.give("third")) == "accepted");
        CHECK(room.component_files() == 3);
        CHECK(kind_of(room.combine()) == "accepted");
        before.restore();
    }
    CHECK(count > 12);
}

TEST_CASE("component --again killed before any file operation: the old ones or the new (C3)") {
    Room room;
    room.everyone_gives();
    const Snapshot before{room};
    const std::string old = std::exchange(room.words["first"], "new words of first");
    const auto again = [&] { return room.give("first", components_of("fourth"), true, old); };
    int count = 1;
    int replaced = 0;
    for (; dies_before(count, [&] { return again().has_value(); }); ++count) {
        INFO("operation ", count);
        if (opens(room, "first", room.words["first"])) {
            ++replaced;
        } else {
            CHECK(opens(room, "first", old));
            CHECK(kind_of(again()) == "accepted");
        }
        CHECK(kind_of(room.combine()) == "accepted");
        const auto nation = host::keys::open_nation(room.nation, room.persons(), room.random);
        REQUIRE(nation.has_value());
        CHECK(keys_test::is_sum_of(*nation->store, {"fourth", "second", "third"}));
        before.restore();
    }
    CHECK(count > 15);
    CHECK(replaced > 0);
    CHECK(replaced < count);
}

TEST_CASE("begin killed before any file operation: no ceremony or one") {
    Room room;
    int count = 1;
    for (; dies_before(count, [&] { return room.begin().has_value(); }); ++count) {
        INFO("operation ", count);
        if (!fs::exists(room.directory)) REQUIRE(room.begin());
        CHECK(kind_of(room.give("first")) == "accepted");
        fs::remove_all(room.directory);
    }
    CHECK(count > 3);
}
