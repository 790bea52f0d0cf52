// crypto/keys: what the sealed file adds to a key store's promises. docs/key_store.md.
#include <algorithm>

#include "tests/crypto/sealed_file_support.hpp"

namespace {

using namespace tests;
using Fixture = SealedFixture;

/// Where the fields of the layout begin (docs/key_store.md, "The file").
constexpr std::size_t at_purpose = 10, at_memory = 12, at_passes = 16, at_lanes = 20,
                      at_store_id = 24, at_generation = 40, at_nonce = 48, at_quorum = 60,
                      at_reserved = 61, at_audit_key = 64, at_custodians_size = 128,
                      at_log_count = 132, at_log_size = 136, at_sealed_size = 140;
static_assert(at_sealed_size + 4 == header_size);

bool holds(const FileBytes& file, Bytes what) {
    return !std::ranges::search(file, what).empty();
}

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
    KeyName name{"", KeyUse::purchase, KeyAlgorithm::hmac_sm3, protocol::KeyVersion{1}};
    crypto::SeededRandom secrets{5};
    auto change = Change::begin(*store, command());
    REQUIRE(change.has_value());
    for (unsigned i = 1; i <= 300; ++i) {
        name.label = "key " + std::to_string(i);
        REQUIRE(store->generate(name, KeyState::active, 64, secrets).has_value());
    }
    REQUIRE(change->commit().has_value());
    const auto again = f.open();
    REQUIRE(again.has_value());
    CHECK((*again)->list().size() == own_keys + 300);
    crypto::SeededRandom replay{5};
    for (unsigned i = 1; i <= 300; ++i) {
        name.label = "key " + std::to_string(i);
        FileBytes expected(64);
        replay.fill(expected);
        CHECK(reveal(**again, *(*again)->find(name)) == to_hex(expected));
    }
}

TEST_CASE("sealed file: no secret is readable in it, and only its owner may read it") {
    Fixture f;
    const FileBytes file = f.create_with_key();
    const auto store = f.open();
    REQUIRE(store.has_value());
    CHECK_FALSE(holds(file, tac_secret));
    CHECK_FALSE(holds(file, audit_key_of(**store, f.random).bytes()));
    CHECK_FALSE(holds(file, f.passphrase));
    CHECK_FALSE(holds(file, sealing_key_of(AlteredFile{file}, f.custodians())));
    CHECK_FALSE(holds(file, text_bytes(to_hex(tac_secret))));  // nor in the log, as hex
    // On purpose: an auditor reads the log without a passphrase.
    CHECK(holds(file, text_bytes(text(tac_name))));
    const auto mode = std::filesystem::status(f.path()).permissions();
    CHECK((mode & std::filesystem::perms::mask) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("sealed file: every change has a new nonce, or AES-GCM would open (SP 800-38D, 8)") {
    Fixture f;
    const Store store = f.create();
    const FileBytes before = read_all(f.path());
    REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());
    const FileBytes after = read_all(f.path());
    CHECK(to_hex(Bytes{before}.subspan(at_nonce, nonce_size)) !=
          to_hex(Bytes{after}.subspan(at_nonce, nonce_size)));
    CHECK(to_hex(Bytes{before}.subspan(at_generation, 8)) == "0000000000000001");
    CHECK(to_hex(Bytes{after}.subspan(at_generation, 8)) == "0000000000000002");
    CHECK(to_hex(Bytes{after}.subspan(at_log_count, 4)) == "00000002");
}

TEST_CASE("sealed file: the fields lie where the layout says") {
    Fixture f;
    const Store store = f.create();
    const FileBytes file = read_all(f.path());
    const auto field = [&](std::size_t at, std::size_t size) {
        return to_hex(Bytes{file}.subspan(at, size));
    };
    CHECK(field(0, 11) == to_hex(text_bytes("OneCardK")) + "000202");
    CHECK(field(at_memory, 12) == "000000400000000100000001");
    CHECK(field(at_store_id, 16) == to_hex(store->identity().id));
    CHECK(field(at_quorum, 4) == "01000000");
    CHECK(field(at_audit_key, 64) == to_hex(store->identity().audit_key));
    // One custodian: 1 + "service" + 1 + 2 + salt 16, nonce 12, share 33, tag 16.
    CHECK(field(at_custodians_size, 4) == "00000058");
    CHECK(field(header_size, 11) == "07" + to_hex(text_bytes("service")) + "01004D");
    CHECK(field(file.size() - 32, 32) == to_hex(crypto::sm3(Bytes{file}.first(file.size() - 32))));
}

TEST_CASE("sealed file: a wrong passphrase is named, however near") {
    Fixture f;
    f.create();
    auto wrong = f.passphrase;
    wrong.back() ^= 1;
    CHECK(f.open(wrong).error() == KeyError::wrong_passphrase);
    CHECK(f.open(Bytes{f.passphrase}.first(f.passphrase.size() - 1)).error() ==
          KeyError::wrong_passphrase);
    CHECK(f.open({}).error() == KeyError::wrong_passphrase);
    CHECK(f.open().has_value());
}

TEST_CASE("sealed file: any changed byte is refused by a name that fits its place") {
    Fixture f;
    const FileBytes good = f.create_with_key();
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto file = good;
        file[at] ^= 0x80;
        const auto parts = parse_sealed(file);
        REQUIRE_FALSE(parts.has_value());
        const KeyError error = parts.error();
        INFO("byte " << at << ": " << name(error));
        if (at < 8) {
            CHECK(error == KeyError::wrong_magic);
        } else if (at < at_purpose) {
            CHECK(error == KeyError::unknown_version);
        } else if (at < at_memory || (at >= at_reserved && at < at_audit_key)) {
            CHECK(error == KeyError::malformed);  // purpose, derivation, what must be zero
        } else if (at < at_store_id) {
            CHECK((error == KeyError::limits_exceeded || error == KeyError::damaged));
        } else if (at >= at_custodians_size && at < header_size &&
                   (at < at_log_count || at >= at_log_size)) {
            // Sizes: the file is shorter than they promise now, or longer.
            CHECK((error == KeyError::truncated || error == KeyError::malformed));
        } else {
            CHECK(error == KeyError::damaged);
        }
        if (at % 101 == 0) CHECK(f.open_error(file) == error);  // opening asks the same parser
    }
}

TEST_CASE(
    "sealed file: whoever renews the digest without a key is refused, whatever they changed") {
    Fixture f;
    const FileBytes good = f.create_with_key();
    for (std::size_t at = at_purpose; at < good.size() - 32; ++at) {
        auto file = good;
        file[at] ^= 0x01;
        renew_digest(file);
        const auto parts = parse_sealed(file);
        if (!parts) continue;
        INFO("byte " << at);
        const auto key = crypto::sm2::PublicKey::parse(parts->header.audit_key);
        const bool is_signed =
            key && crypto::sm2::verify(*key, crypto::sm2::default_id, crypto::sm3(parts->state),
                                       parts->signature);
        CHECK_FALSE(is_signed);
    }
}

TEST_CASE("sealed file: of a file whose digest was renewed, the place decides what is said") {
    Fixture f;
    const FileBytes good = f.create_with_key();
    const std::size_t slot = header_size;
    const std::size_t log = slot + 0x58;
    const auto changed = [&](std::size_t at) {
        auto file = good;
        file[at] ^= 0x01;
        renew_digest(file);
        return f.open_error(file);
    };
    CHECK(changed(at_memory + 3) == KeyError::wrong_passphrase);  // 65 KiB: another derivation
    CHECK(changed(at_store_id) == KeyError::wrong_passphrase);    // not this store's share
    CHECK(changed(at_generation + 7) == KeyError::signature_wrong);
    CHECK(changed(at_nonce) == KeyError::signature_wrong);
    CHECK(changed(at_quorum) == KeyError::malformed);  // 0
    CHECK(changed(at_audit_key) == KeyError::signature_wrong);
    CHECK(changed(at_log_count + 3) == KeyError::signature_wrong);
    CHECK(changed(slot) == KeyError::malformed);             // the name's size
    CHECK(changed(slot + 1) == KeyError::wrong_passphrase);  // the name: not this one's share
    CHECK(changed(slot + 8) == KeyError::malformed);         // the kind
    CHECK(changed(slot + 10) == KeyError::malformed);        // the share's size
    for (std::size_t at = slot + 11; at < log; at += 9) {
        CHECK(changed(at) == KeyError::wrong_passphrase);
    }
    for (std::size_t at = log; at < good.size() - 32; at += 37) {
        INFO("byte " << at);
        CHECK(changed(at) == KeyError::signature_wrong);
    }
    auto live = good;
    live[at_purpose] = static_cast<std::uint8_t>(Purpose::production);
    renew_digest(live);
    CHECK(f.open_error(live) == KeyError::wrong_passphrase);
}

TEST_CASE("sealed file: without the sealing key, not even the store's own signature helps") {
    Fixture f;
    const FileBytes good = f.create_with_key();
    const auto own = audit_key_of(**f.open(), f.random);
    const auto other = crypto::sm2::PrivateKey::generate(f.random);
    const auto signed_by = [&](AlteredFile file, const crypto::sm2::PrivateKey& key) {
        std::ranges::copy(key.public_key().bytes(), file.header.audit_key.begin());
        file.sign(key, f.random);
        return f.open_error(file.bytes());
    };
    CHECK(signed_by(AlteredFile{good}, *other) == KeyError::wrong_passphrase);
    AlteredFile altered{good};
    ++altered.header.generation;
    CHECK(signed_by(altered, own) == KeyError::wrong_passphrase);
    altered = AlteredFile{good};
    altered.log.pop_back();
    --altered.header.log_count;
    CHECK(signed_by(altered, own) == KeyError::wrong_passphrase);
    altered = AlteredFile{good};
    altered.log[0].line.replace(altered.log[0].line.find("create"), 6, "CREATE");
    CHECK(signed_by(altered, own) == KeyError::wrong_passphrase);
    for (std::size_t at = 0; at < altered.sealed.size(); at += 11) {
        altered = AlteredFile{good};
        altered.sealed[at] ^= 0x01;
        CHECK(signed_by(altered, own) == KeyError::wrong_passphrase);
    }
    altered = AlteredFile{good};
    altered.sign(own, f.random);
    write_all(f.path(), altered.bytes());
    CHECK(f.open().has_value());  // nothing was changed: the test's forger works
}

TEST_CASE("sealed file: a sealed and signed file that breaks the format is malformed") {
    Fixture f;
    const FileBytes good = f.create_with_key();
    const auto own = audit_key_of(**f.open(), f.random);
    const FileBytes sealing_key = sealing_key_of(AlteredFile{good}, f.custodians());
    const FileBytes plain = *AlteredFile{good}.opened(sealing_key);
    const auto error_of = [&](AlteredFile file, const FileBytes& entries) {
        file.seal(sealing_key, entries);
        file.sign(own, f.random);
        return f.open_error(file.bytes());
    };
    AlteredFile file{good};
    ++file.header.log_count;  // one more than there are
    CHECK(error_of(file, plain) == KeyError::truncated);
    file.header.log_count = 0xFFFFFFFF;
    CHECK(error_of(file, plain) == KeyError::truncated);
    file.header.log_count = 1;
    CHECK(error_of(file, plain) == KeyError::malformed);
    file = AlteredFile{good};
    file.behind_log = {0};
    CHECK(error_of(file, plain) == KeyError::malformed);
    file = AlteredFile{good};
    auto entries = plain;
    entries.push_back(0);
    CHECK(error_of(file, entries) == KeyError::malformed);
    entries = plain;
    ++entries[1];  // count
    CHECK(error_of(file, entries) == KeyError::malformed);
    CHECK(error_of(file, {}) == KeyError::malformed);
    file.custodians[0].sealed_share.pop_back();
    CHECK(error_of(file, plain) == KeyError::malformed);
}

TEST_CASE("sealed file: keys that lie in a token are not taken for secrets") {
    Fixture f;
    const FileBytes good = f.create_with_key();
    const auto own = audit_key_of(**f.open(), f.random);
    const FileBytes sealing_key = sealing_key_of(AlteredFile{good}, f.custodians());
    FileBytes plain = *AlteredFile{good}.opened(sealing_key);
    auto entries = *parse_entries(plain);
    REQUIRE(entries.back().name == tac_name);
    for (const KeyPlace place : {KeyPlace::token, KeyPlace::wrapped}) {
        entries.back().place = place;
        FileBytes id{1, 2, 3};  // shorter than the secret it stands for
        entries.back().secret = id;
        FileBytes written(entries_size(entries));
        write_entries(entries, written);
        AlteredFile file{good};
        file.seal(sealing_key, written);
        file.sign(own, f.random);
        CHECK(f.open_error(file.bytes()) == KeyError::unknown_version);
    }
}

TEST_CASE("sealed file: cut anywhere, or with bytes added, it is refused") {
    Fixture f;
    f.create();
    const FileBytes good = read_all(f.path());
    for (std::size_t size = 0; size < good.size(); ++size) {
        INFO("size " << size);
        const Bytes cut = Bytes{good}.first(size);
        CHECK(parse_sealed(cut).error() == KeyError::truncated);
        if (size % 101 == 0) CHECK(f.open_error(cut) == KeyError::truncated);
    }
    auto longer = good;
    longer.push_back(0);
    CHECK(f.open_error(longer) == KeyError::malformed);
    CHECK(f.open_error(FileBytes(file_size_max + 1, 'O')) == KeyError::file_unreadable);
}

TEST_CASE("sealed file: a derivation that would eat the machine is refused before it starts") {
    Fixture f;
    f.create();
    const FileBytes good = read_all(f.path());
    const auto with = [&](std::size_t at, const std::string& hex) {
        auto file = good;
        std::ranges::copy(from_hex(hex), file.begin() + static_cast<long>(at));
        renew_digest(file);
        return f.open_error(file);
    };
    CHECK(with(at_memory, "FFFFFFFF") == KeyError::limits_exceeded);  // 4 TiB
    CHECK(with(at_memory, "00100001") == KeyError::limits_exceeded);  // 1 GiB and 1 KiB
    CHECK(with(at_memory, "00000007") == KeyError::limits_exceeded);  // below Argon2's floor
    CHECK(with(at_passes, "00000000") == KeyError::limits_exceeded);
    CHECK(with(at_passes, "00000041") == KeyError::limits_exceeded);
    CHECK(with(at_lanes, "00000000") == KeyError::limits_exceeded);
    CHECK(with(at_lanes, "00000011") == KeyError::limits_exceeded);
}

TEST_CASE("sealed file: creating never overwrites") {
    Fixture f;
    f.create();
    const FileBytes before = read_all(f.path());
    CHECK(create_sealed_file(f.path(), f.plan(), command(), f.random).error() ==
          KeyError::file_exists);
    CHECK(read_all(f.path()) == before);
    CHECK(f.open().has_value());
}

TEST_CASE("sealed file: a production store says so") {
    Fixture f;
    auto plan = f.plan();
    plan.purpose = Purpose::production;
    plan.cost = {production_memory_kib_min, 1, 1};
    const auto store = create_sealed_file(f.path(), plan, command(), f.random);
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
    const FileBytes file = read_all(f.path());
    CHECK(add(**two, load_name, KeyState::active, tac_secret).error() ==
          KeyError::changed_elsewhere);
    CHECK((*two)->list().size() == own_keys);
    CHECK((*two)->log().size() == 1);
    CHECK(read_all(f.path()) == file);
    two = f.open();
    REQUIRE(two.has_value());
    CHECK(add(**two, load_name, KeyState::active, tac_secret).has_value());
    CHECK((*f.open())->list().size() == own_keys + 2);
    CHECK((*f.open())->log().size() == 3);
}

TEST_CASE("sealed file: a store that was removed meanwhile is not made again by a change") {
    Fixture f;
    const Store store = f.create();
    std::filesystem::remove(f.path());
    CHECK(add(*store, tac_name, KeyState::active, tac_secret).error() ==
          KeyError::changed_elsewhere);
    CHECK(f.directory.file_count() == 0);
}

TEST_CASE("sealed file: when it cannot be written the old one stands, in memory too") {
    Fixture f;
    const Store store = f.create();
    const FileBytes before = read_all(f.path());
    // A directory in the neighbour's place: nobody can write there, root included.
    std::filesystem::create_directories(f.path().string() + ".new/x");
    const auto refused = add(*store, tac_name, KeyState::active, tac_secret);
    CHECK(refused.error() == KeyError::file_unwritable);
    CHECK(store->list().size() == own_keys);
    CHECK(read_all(f.path()) == before);
    std::filesystem::remove_all(f.path().string() + ".new");
    CHECK(add(*store, tac_name, KeyState::active, tac_secret).has_value());
}

TEST_CASE("sealed file: what a killed predecessor left beside it does not matter") {
    Fixture f;
    const Store store = f.create();
    write_all(f.path().string() + ".new", FileBytes(10, 1));
    CHECK(f.open().has_value());
    CHECK(add(*store, tac_name, KeyState::active, tac_secret).has_value());
    CHECK(f.directory.file_count() == 1);
}

TEST_CASE(
    "sealed file: missing, or a directory, it is unreadable, and in no directory, unwritable") {
    Fixture f;
    CHECK(f.open_error() == KeyError::file_unreadable);
    CHECK(audit_sealed_file(f.path()).error() == KeyError::file_unreadable);
    std::filesystem::create_directory(f.path());
    CHECK(f.open_error() == KeyError::file_unreadable);
    const auto nowhere = f.path() / "x" / "y.keys";
    CHECK(create_sealed_file(nowhere, f.plan(), command(), f.random).error() ==
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
