// crypto/keys: what the sealed file adds to a key store's promises. docs/key_store.md.
#include <fstream>

#include "crypto/core/sm3.hpp"
#include "tests/crypto/key_store_support.hpp"

namespace {

using namespace tests;

const FileBytes passphrase = from_hex("636F727265637420686F72736520626174746572792073746170");

FileBytes read_all(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}
void write_all(const std::filesystem::path& path, const FileBytes& bytes) {
    std::ofstream{path, std::ios::binary | std::ios::trunc}.write(
        reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
void renew_digest(FileBytes& file) {
    const auto digest = crypto::sm3(Bytes{file}.first(file.size() - 32));
    std::ranges::copy(digest, file.end() - 32);
}

struct Fixture {
    KeyDirectory directory;
    crypto::SeededRandom random{42, "keys"};

    Store create() {
        auto store = create_sealed_file(directory.file(),
                                        {Purpose::rehearsal, 1, {{"service", passphrase}}, cheap},
                                        command("create"), random);
        REQUIRE(store.has_value());
        return std::move(*store);
    }
    KeyResult<Store> open(Bytes with = passphrase) {
        return open_sealed_file(directory.file(), with, random);
    }
    KeyError open_error() {
        const auto store = open();
        REQUIRE_FALSE(store.has_value());
        return store.error();
    }
};

}  // namespace

TEST_CASE("sealed file: what was changed is there after opening again, state by state") {
    Fixture f;
    {
        const Store store = f.create();
        REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());
        const auto load = generate(*store, load_name, KeyState::active, 16, f.random);
        REQUIRE(load.has_value());
        REQUIRE(set_state(*store, *load, KeyState::destroyed).has_value());
    }
    const auto store = f.open();
    REQUIRE(store.has_value());
    CHECK((*store)->rehearsal());
    REQUIRE((*store)->list().size() == own_keys + 2);
    CHECK(reveal(**store, *(*store)->find(tac_name)) == to_hex(tac_secret));
    CHECK((*store)->describe(*(*store)->find(load_name))->state == KeyState::destroyed);
    CHECK(f.directory.file_count() == 1);  // no neighbour stays behind
}

TEST_CASE("sealed file: many keys, across the arena's chunks") {
    Fixture f;
    const Store store = f.create();
    const KeyName name{std::string(64, 'x'), KeyUse::purchase, KeyAlgorithm::hmac_sm3,
                       protocol::KeyVersion{1}};
    crypto::SeededRandom secrets{5};
    for (unsigned i = 1; i <= 300; ++i) {
        auto each = name;
        each.label = "key " + std::to_string(i);
        REQUIRE(generate(*store, each, KeyState::active, 64, secrets).has_value());
    }
    const auto again = f.open();
    REQUIRE(again.has_value());
    crypto::SeededRandom replay{5};
    for (const auto& key : (*again)->list()) {
        FileBytes expected(64);
        replay.fill(expected);
        CHECK(reveal(**again, *(*again)->find(key.name)) == to_hex(expected));
    }
}

TEST_CASE("sealed file: no secret and no label is readable in it, and only its owner may read it") {
    Fixture f;
    REQUIRE(add(*f.create(), tac_name, KeyState::active, tac_secret).has_value());
    const FileBytes file = read_all(f.directory.file());
    const std::string hex = to_hex(file);
    CHECK(hex.find(to_hex(tac_secret)) == std::string::npos);
    CHECK(hex.find(to_hex(text_bytes(tac_name.label))) == std::string::npos);
    const auto mode = std::filesystem::status(f.directory.file()).permissions();
    CHECK((mode & std::filesystem::perms::mask) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("sealed file: every change has a new nonce, or AES-GCM would open (SP 800-38D, 8)") {
    Fixture f;
    const Store store = f.create();
    const FileBytes before = read_all(f.directory.file());
    REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());
    const FileBytes after = read_all(f.directory.file());
    CHECK(to_hex(Bytes{before}.subspan(48, 12)) != to_hex(Bytes{after}.subspan(48, 12)));
    CHECK(to_hex(Bytes{before}.subspan(40, 8)) == "0000000000000001");
    CHECK(to_hex(Bytes{after}.subspan(40, 8)) == "0000000000000002");
}

TEST_CASE("sealed file: a wrong passphrase is named, however near") {
    Fixture f;
    f.create();
    auto wrong = passphrase;
    wrong.back() ^= 1;
    CHECK(f.open(wrong).error() == KeyError::wrong_passphrase);
    CHECK(f.open(Bytes{passphrase}.first(passphrase.size() - 1)).error() ==
          KeyError::wrong_passphrase);
    CHECK(f.open({}).error() == KeyError::wrong_passphrase);
    CHECK(f.open().has_value());
}

TEST_CASE("sealed file: any changed byte is refused by a name that fits its place") {
    Fixture f;
    REQUIRE(add(*f.create(), tac_name, KeyState::active, tac_secret).has_value());
    const FileBytes good = read_all(f.directory.file());
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto file = good;
        file[at] ^= 0x80;
        write_all(f.directory.file(), file);
        const KeyError error = f.open_error();
        INFO("byte " << at << ": " << name(error));
        if (at < 8) {
            CHECK(error == KeyError::wrong_magic);
        } else if (at < 10) {
            CHECK(error == KeyError::unknown_version);
        } else if (at < 12) {
            CHECK(error == KeyError::malformed);  // purpose, derivation
        } else if (at < 24) {
            CHECK((error == KeyError::limits_exceeded || error == KeyError::damaged));
        } else if (at >= 60 && at < 64) {
            CHECK(error == KeyError::truncated);  // promises more than there is
        } else {
            CHECK(error == KeyError::damaged);
        }
    }
}

TEST_CASE(
    "sealed file: a forger who renews the digest is still refused, the rehearsal mark included") {
    Fixture f;
    REQUIRE(add(*f.create(), tac_name, KeyState::active, tac_secret).has_value());
    const FileBytes good = read_all(f.directory.file());
    for (std::size_t at = 24; at < good.size() - 32; ++at) {
        if (at >= 60 && at < 64) continue;
        auto file = good;
        file[at] ^= 0x01;
        renew_digest(file);
        write_all(f.directory.file(), file);
        INFO("byte " << at);
        CHECK(f.open_error() == KeyError::wrong_passphrase);
    }
    auto live = good;
    live[10] = static_cast<std::uint8_t>(Purpose::production);
    renew_digest(live);
    write_all(f.directory.file(), live);
    CHECK(f.open_error() == KeyError::wrong_passphrase);
}

TEST_CASE("sealed file: cut anywhere, or with bytes added, it is refused") {
    Fixture f;
    f.create();
    const FileBytes good = read_all(f.directory.file());
    for (std::size_t size = 0; size < good.size(); ++size) {
        write_all(f.directory.file(),
                  FileBytes(good.begin(), good.begin() + static_cast<long>(size)));
        INFO("size " << size);
        CHECK(f.open_error() == KeyError::truncated);
    }
    auto longer = good;
    longer.push_back(0);
    write_all(f.directory.file(), longer);
    CHECK(f.open_error() == KeyError::malformed);
    write_all(f.directory.file(), FileBytes(1024 * 1024 + 1, 'O'));
    CHECK(f.open_error() == KeyError::file_unreadable);
}

TEST_CASE("sealed file: a derivation that would eat the machine is refused before it starts") {
    Fixture f;
    f.create();
    const FileBytes good = read_all(f.directory.file());
    const auto with = [&](std::size_t at, const std::string& hex) {
        auto file = good;
        std::ranges::copy(from_hex(hex), file.begin() + static_cast<long>(at));
        renew_digest(file);
        write_all(f.directory.file(), file);
        return f.open_error();
    };
    CHECK(with(12, "FFFFFFFF") == KeyError::limits_exceeded);  // 4 TiB
    CHECK(with(12, "00100001") == KeyError::limits_exceeded);  // 1 GiB and 1 KiB
    CHECK(with(12, "00000007") == KeyError::limits_exceeded);  // below Argon2's floor
    CHECK(with(16, "00000000") == KeyError::limits_exceeded);
    CHECK(with(16, "00000041") == KeyError::limits_exceeded);
    CHECK(with(20, "00000000") == KeyError::limits_exceeded);
    CHECK(with(20, "00000011") == KeyError::limits_exceeded);
}

TEST_CASE("sealed file: creating never overwrites, and production asks for strength") {
    Fixture f;
    f.create();
    const FileBytes before = read_all(f.directory.file());
    const auto create = [&](Bytes with, Purpose purpose, DerivationCost cost) {
        return create_sealed_file(f.directory.file(), with, purpose, f.random, cost).error();
    };
    CHECK(create(passphrase, Purpose::rehearsal, cheap) == KeyError::file_exists);
    CHECK(read_all(f.directory.file()) == before);
    CHECK(create(text_bytes("eleven char"), Purpose::production, {}) == KeyError::weak_passphrase);
    CHECK(create(passphrase, Purpose::production, cheap) == KeyError::weak_derivation);
    CHECK(create({}, Purpose::rehearsal, cheap) == KeyError::weak_passphrase);
    CHECK(create(passphrase, Purpose::rehearsal, {64, 0, 1}) == KeyError::limits_exceeded);
}

TEST_CASE("sealed file: a production store says so") {
    Fixture f;
    const DerivationCost least{production_memory_kib_min, 1, 1};
    const auto store =
        create_sealed_file(f.directory.file(), passphrase, Purpose::production, f.random, least);
    REQUIRE(store.has_value());
    CHECK_FALSE((*store)->rehearsal());
    const auto again = f.open();
    REQUIRE(again.has_value());
    CHECK_FALSE((*again)->rehearsal());
}

TEST_CASE("sealed file: of two programs that change it, the second is told, and nothing is lost") {
    Fixture f;
    const Store one = f.create();
    auto two = f.open();
    REQUIRE(two.has_value());
    REQUIRE(add(*one, tac_name, KeyState::active, tac_secret).has_value());
    CHECK(add(**two, load_name, KeyState::active, tac_secret).error() ==
          KeyError::changed_elsewhere);
    CHECK((*two)->list().size() == own_keys);  // a refused change changed nothing in memory either
    two = f.open();
    REQUIRE(two.has_value());
    CHECK(add(**two, load_name, KeyState::active, tac_secret).has_value());
    CHECK((*f.open())->list().size() == own_keys + 2);
}

TEST_CASE("sealed file: when it cannot be written the old one stands, in memory too") {
    Fixture f;
    const Store store = f.create();
    const FileBytes before = read_all(f.directory.file());
    // A directory in the neighbour's place: nobody can write there, root included.
    std::filesystem::create_directories(f.directory.file().string() + ".new/x");
    const auto refused = add(*store, tac_name, KeyState::active, tac_secret);
    CHECK(refused.error() == KeyError::file_unwritable);
    CHECK(store->list().size() == own_keys);
    CHECK(read_all(f.directory.file()) == before);
    std::filesystem::remove_all(f.directory.file().string() + ".new");
    CHECK(add(*store, tac_name, KeyState::active, tac_secret).has_value());
}

TEST_CASE("sealed file: what a killed predecessor left beside it does not matter") {
    Fixture f;
    const Store store = f.create();
    write_all(f.directory.file().string() + ".new", FileBytes(10, 1));
    CHECK(add(*store, tac_name, KeyState::active, tac_secret).has_value());
    CHECK(f.directory.file_count() == 1);
}

TEST_CASE(
    "sealed file: missing, or a directory, it is unreadable, and in no directory, unwritable") {
    Fixture f;
    CHECK(f.open_error() == KeyError::file_unreadable);
    std::filesystem::create_directory(f.directory.file());
    CHECK(f.open_error() == KeyError::file_unreadable);
    const auto nowhere = f.directory.file() / "x" / "y.keys";
    CHECK(create_sealed_file(nowhere, passphrase, Purpose::rehearsal, f.random, cheap).error() ==
          KeyError::file_unwritable);
}

TEST_CASE("key errors: each has its own name and an advice") {
    std::vector<std::string> names;
    for (unsigned i = 0; i <= static_cast<unsigned>(KeyError::not_revealable); ++i) {
        const auto error = static_cast<KeyError>(i);
        CHECK(std::string{advice(error)}.size() > 20);
        names.emplace_back(name(error));
    }
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
    CHECK(std::ranges::find(names, "unknown") == names.end());
}
