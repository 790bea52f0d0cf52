#pragma once
// A store that a test fills: every change in a command of its own.
#include <filesystem>

#include <doctest/doctest.h>
#include <unistd.h>

#include "crypto/keys/sealed_file.hpp"
#include "crypto/random/seeded_random.hpp"
#include "tests/crypto/vectors.hpp"

namespace tests {

using namespace crypto::keys;
using crypto::Bytes;
using Store = std::unique_ptr<KeyStore>;
using FileBytes = std::vector<std::uint8_t>;

/// A directory of its own, gone with the test.
class KeyDirectory {
public:
    KeyDirectory() {
        std::string name =
            (std::filesystem::temp_directory_path() / "onecard-keys-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~KeyDirectory() { std::filesystem::remove_all(path_); }
    KeyDirectory(const KeyDirectory&) = delete;
    KeyDirectory& operator=(const KeyDirectory&) = delete;
    [[nodiscard]] std::filesystem::path file() const { return path_ / "city.keys"; }
    [[nodiscard]] std::size_t file_count() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator{path_}, {}));
    }

private:
    std::filesystem::path path_;
};

inline Command command(const char* name = "test", const char* detail = "{}") {
    return {"2026-11-29T08:30:00Z", name, detail};
}

/// One change, committed.
template <class Work>
auto in_command(KeyStore& store, const Work& work) -> decltype(work()) {
    auto change = Change::begin(store, command());
    if (!change) return std::unexpected{change.error()};
    auto result = work();
    if (!result) return result;
    const auto done = change->commit();
    if (!done) return std::unexpected{done.error()};
    return result;
}
inline KeyResult<KeyId> add(KeyStore& store, const KeyName& key, KeyState state, Bytes secret) {
    return in_command(store, [&] { return store.add(key, state, secret); });
}
inline KeyResult<KeyId> generate(KeyStore& store, const KeyName& key, KeyState state,
                                 std::size_t size, crypto::Random& random) {
    return in_command(store, [&] { return store.generate(key, state, size, random); });
}
inline KeyResult<void> set_state(KeyStore& store, KeyId key, KeyState state) {
    return in_command(store, [&] { return store.set_state(key, state); });
}

inline std::string reveal(const KeyStore& store, KeyId key) {
    FileBytes out(store.describe(key)->size);
    REQUIRE(store.reveal(key, out).has_value());
    return to_hex(out);
}

inline Bytes text_bytes(std::string_view value) {
    return {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()};
}

inline const KeyName tac_name{"city/3100", KeyUse::transaction_certificate, KeyAlgorithm::sm4,
                              protocol::KeyVersion{1}};
inline const KeyName load_name{"city/3100", KeyUse::load, KeyAlgorithm::triple_des,
                               protocol::KeyVersion{1}};
inline const FileBytes tac_secret = from_hex("0123456789ABCDEFFEDCBA9876543210");
constexpr DerivationCost cheap = DerivationCost::rehearsal();
/// What every store has from its beginning.
#ifdef ONECARD_TEST_TOKEN
constexpr std::size_t own_keys = 2;  // its audit key, and the token's PIN
#else
constexpr std::size_t own_keys = 1;  // its audit key
#endif

}  // namespace tests
