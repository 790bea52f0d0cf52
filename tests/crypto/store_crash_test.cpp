// crypto/keys: a store under SIGKILL and on a full disk: the old one or the new one, whole.
// docs/key_store.md, "Changing".
#include <chrono>
#include <csignal>

#include <sys/resource.h>
#include <sys/wait.h>

#include "crypto/keys/store_file.hpp"
#include "tests/crypto/sealed_file_support.hpp"

namespace {

using namespace tests;
using Fixture = SealedFixture;

/// Kills until there were enough, or time is up on a slow machine.
class Rounds {
public:
    [[nodiscard]] bool next() {
        const bool in_time = std::chrono::steady_clock::now() < end_;
        return count_++ < (in_time ? count_max : count_min);
    }
    [[nodiscard]] unsigned count() const { return count_; }

private:
    static constexpr unsigned count_min = 10, count_max = 300;
    std::chrono::steady_clock::time_point end_ =
        std::chrono::steady_clock::now() + std::chrono::seconds{6};
    unsigned count_ = 0;
};

/// While it lives, no file of this process grows above `size`: writing fails with EFBIG, as on a
/// full disk. Works without any right, and in a container too.
class FileSizeLimit {
public:
    explicit FileSizeLimit(std::size_t size) : ignored_{std::signal(SIGXFSZ, SIG_IGN)} {
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{size, before_.rlim_max};
        works_ = setrlimit(RLIMIT_FSIZE, &limit) == 0;
    }
    ~FileSizeLimit() {
        setrlimit(RLIMIT_FSIZE, &before_);
        (void)std::signal(SIGXFSZ, ignored_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    [[nodiscard]] bool works() const { return works_; }

private:
    void (*ignored_)(int);
    rlimit before_{};
    bool works_ = false;
};

/// A child that runs `work` until it is killed. What `work` acknowledges arrives through a pipe.
class Victim {
public:
    template <class Work>
    explicit Victim(const Work& work) {
        int ends[2];
        REQUIRE(pipe(ends) == 0);
        child_ = fork();
        REQUIRE(child_ >= 0);
        if (child_ == 0) {
            work([&](std::uint64_t number) {
                if (write(ends[1], &number, sizeof number) != sizeof number) _exit(2);
            });
            _exit(1);
        }
        close(ends[1]);
        acknowledged_ = ends[0];
    }
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;
    ~Victim() { close(acknowledged_); }

    /// Lets it acknowledge `count` changes and go on for a while. Gives the last number that it
    /// acknowledged before it died; 0: none.
    [[nodiscard]] std::uint64_t kill_after(std::uint64_t count, std::uint64_t microseconds) {
        std::uint64_t last = 0;
        while (count > 0 && read(acknowledged_, &last, sizeof last) == sizeof last) --count;
        usleep(static_cast<useconds_t>(microseconds));
        kill(child_, SIGKILL);
        int status = 0;
        REQUIRE(waitpid(child_, &status, 0) == child_);
        REQUIRE(WIFSIGNALED(status));  // it worked until then
        while (read(acknowledged_, &last, sizeof last) == sizeof last) {
        }
        return last;
    }

private:
    pid_t child_ = -1;
    int acknowledged_ = -1;
};

KeyName numbered_name(std::uint64_t number) {
    return {"key " + std::to_string(number), KeyUse::purchase, KeyAlgorithm::sm4,
            protocol::KeyVersion{1}};
}

}  // namespace

TEST_CASE(
    "store crash: killed at any instant, a store has the last acknowledged change or the next") {
    Fixture f;
    crypto::SeededRandom instants{2026};
    Store store = f.create();
    const auto key = crypto::sm2::PublicKey::parse(store->identity().audit_key);
    LogVerifier verifier{store->identity().id, *key};
    for (Rounds rounds; rounds.next();) {
        const std::uint64_t before = store->log().size();
        Victim victim{[&](const auto& acknowledge) {
            for (std::uint64_t n = before + 1;; ++n) {
                if (!generate(*store, numbered_name(n), KeyState::active, 16, f.random)) return;
                acknowledge(n);
            }
        }};
        const std::uint64_t changes = instants.below(3);
        const std::uint64_t wait = instants.below(25'000);
        const std::uint64_t acknowledged = std::max(victim.kill_after(changes, wait), before);
        auto again = f.open();
        INFO("round " << rounds.count() << ", killed " << wait << " us after change " << changes);
        REQUIRE(again.has_value());
        store = std::move(*again);
        const std::uint64_t now = store->log().size();
        CHECK(now >= acknowledged);
        CHECK(now <= acknowledged + 1);
        CHECK(store->list().size() == own_keys + now - 1);
        for (std::uint64_t n = verifier.count(); n < now; ++n) {
            REQUIRE(verifier.next(store->log()[n]).has_value());
        }
        CHECK(verifier.head() == store->log_head());
    }
    CHECK(store->log().size() > 1);  // something was written in all this time
    const auto audit = audit_sealed_file(f.path());
    REQUIRE(audit.has_value());
    CHECK(audit->generation == store->log().size());
    CHECK(audit->state_signed);
    REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());
    CHECK(f.directory.file_count() == 1);  // whatever a killed one left beside it
}

TEST_CASE("store crash: killed while it is made, a store is whole or not there") {
    crypto::SeededRandom instants{2027};
    for (unsigned round = 0; round < 10; ++round) {
        Fixture f;
        Victim victim{[&](const auto&) {
            const Store store = f.create();
            for (;;) pause();
        }};
        (void)victim.kill_after(0, instants.below(25'000));
        if (!std::filesystem::exists(f.path())) f.create();  // it can be made still
        CHECK(f.open().has_value());
    }
}

TEST_CASE("store crash: what a kill left of the next file does not matter, wherever it was cut") {
    Fixture f;
    const Store store = f.create();
    const FileBytes old_file = read_all(f.path());
    REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());
    const FileBytes new_file = read_all(f.path());
    const std::filesystem::path neighbour = f.path().string() + ".new";
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, new_file.size() / 2,
                                   new_file.size() - 1, new_file.size()}) {
        write_all(f.path(), old_file);
        write_all(neighbour, Bytes{new_file}.first(size));
        const auto again = f.open();
        REQUIRE(again.has_value());
        CHECK((*again)->list().size() == own_keys);
        CHECK(add(**again, tac_name, KeyState::active, tac_secret).has_value());
        CHECK(f.directory.file_count() == 1);
    }
}

TEST_CASE("full disk: wherever the new file ends, no half of it stays") {
    Fixture f;
    const FileBytes content = f.create_with_key();
    KeyDirectory other;
    for (std::size_t size = 0; size < content.size(); ++size) {
        const FileSizeLimit limit{size};
        REQUIRE(limit.works());
        const auto created = create_store_file(other.file(), content);
        INFO("full at byte " << size);
        REQUIRE_FALSE(created.has_value());
        CHECK(created.error() == KeyError::file_unwritable);
        CHECK(other.file_count() == 0);
    }
    const FileSizeLimit enough{content.size()};
    CHECK(create_store_file(other.file(), content).has_value());
    CHECK(read_all(other.file()) == content);
}

TEST_CASE("full disk: a commit that does not fit leaves the old store, on disk and in memory") {
    Fixture f;
    const FileBytes before = f.create_with_key();
    const auto store = f.open();
    REQUIRE(store.has_value());
    const auto log = (*store)->log();
    const auto attempt = [&](std::size_t size) {
        const FileSizeLimit limit{size};
        REQUIRE(limit.works());
        return add(**store, load_name, KeyState::active, tac_secret);
    };
    // The next file is longer than this one: each of these ends somewhere within it.
    for (std::size_t size = 0; size <= before.size(); size += size < before.size() - 4 ? 31U : 1U) {
        const auto refused = attempt(size);
        INFO("full at byte " << size);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error() == KeyError::file_unwritable);
        CHECK(read_all(f.path()) == before);
        CHECK((*store)->log() == log);
        CHECK((*store)->list().size() == own_keys + 1);
        CHECK(f.directory.file_count() == 1);
    }
    REQUIRE(attempt(2 * before.size()).has_value());
    const std::size_t needed = std::filesystem::file_size(f.path());
    write_all(f.path(), before);
    const auto again = f.open();
    REQUIRE(again.has_value());
    for (std::size_t size = needed - 3; size < needed; ++size) {
        const FileSizeLimit limit{size};
        CHECK(add(**again, load_name, KeyState::active, tac_secret).error() ==
              KeyError::file_unwritable);
    }
    CHECK(read_all(f.path()) == before);
    CHECK(f.open().value()->list().size() == own_keys + 1);
}
