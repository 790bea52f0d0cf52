#include "tests/firmware/tear/knife.hpp"

#include <algorithm>
#include <bit>

#include "tests/protocol/hex.hpp"

namespace tests::tear {

using firmware::ObjectId;
using firmware::Store;
using firmware::Transaction;
using firmware::Urgency;

namespace {
constexpr std::uint64_t seed_default = 20'260'501;
[[nodiscard]] bool is_nightly() {
    return setting("ONECARD_TEAR_NIGHTLY", 0) != 0;
}
}  // namespace

Depth depth() {
    Depth out;
    out.seed = setting("ONECARD_TEAR_SEED", seed_default);
    if (is_nightly()) {
        out.samples = 2;
        out.bits_of_lives = 5;
        out.thorough_kinds = 5;
        out.other_kinds = 1;
        out.housekeeping_every = 1;
    }
#ifdef __SANITIZE_ADDRESS__
    out.cut_every = 97;
#endif
    return out;
}

bool Depth::is_default() const {
    return cut_every == 1 && seed == seed_default && !is_nightly();
}

namespace {

// ---- Where in its life the card is -------------------------------------------------------------

struct Life {
    const char* name;
    TearingFlash flash;
    bool is_torn = false;
};

constexpr ObjectId filler{63};  // no command uses it
constexpr unsigned units_per_page = firmware::flash_model::units_per_page;

/// Four units of the log.
void write_filler(Store& store) {
    Transaction change;
    if (!change.reset_counter(filler) || !store.commit(change, Urgency::tap)) {
        throw std::logic_error{"the filler does not fit"};
    }
}

/// A page's worth, in few records: the log grows, the time to mount it hardly.
void write_block(Store& store, bool keep) {
    constexpr std::array<std::uint8_t, 255> content{};
    Transaction change;
    for (const std::uint16_t id : {std::uint16_t{61}, std::uint16_t{62}}) {
        const ObjectId block{id};
        if (keep ? !change.put(block, content) : !change.erase(block)) {
            throw std::logic_error{"the filler does not fit"};
        }
    }
    if (!store.commit(change, Urgency::tap)) throw std::logic_error{"the filler does not fit"};
}

/// Goes on to where `units_left` units of the head page are free; `pages` pages later at least.
void fill_page(TearingFlash& flash, unsigned units_left, unsigned pages = 0) {
    flash.reboot();
    Store store{flash};
    if (!store.mount()) throw std::logic_error{"the chip does not mount"};
    const std::uint32_t last = store.usage().page_sequence + pages;
    while (store.usage().page_sequence < last) write_block(store, true);
    write_block(store, false);
    while (store.usage().page_sequence <= last) write_filler(store);
    constexpr unsigned used = firmware::log_format::first_record_unit + 4;
    for (unsigned i = 0; i < (units_per_page - used - units_left) / 4; ++i) write_filler(store);
}

/// One unstable unit, not looked at since.
void tear_filler(TearingFlash& flash, std::uint64_t operation, std::uint64_t mode) {
    flash.reboot();
    Store store{flash};
    if (!store.mount()) throw std::logic_error{"the chip does not mount"};
    flash.cut_at({operation, Tear::unstable, mode});
    try {
        for (int i = 0; i < 4; ++i) write_filler(store);
    } catch (const PowerLost&) {
    }
    flash.disarm();
}

/// New; the page ends inside the try's tick, inside the commit; pages must be reclaimed; torn
/// before.
[[nodiscard]] std::vector<Life> lives_of(const TearingFlash& base) {
    std::vector<Life> out{{"as issued", base},
                          {"page ends at once", base},
                          {"page ends in the commit", base},
                          {"reclaiming is due", base},
                          {"torn before", base, true}};
    fill_page(out[1].flash, 2);
    fill_page(out[2].flash, 18);
    unsigned ready = 0;
    {
        TearingFlash copy = base;
        copy.reboot();
        Store store{copy};
        if (!store.mount()) throw std::logic_error{"the chip does not mount"};
        ready = store.usage().pages_ready;
    }
    constexpr unsigned ready_wanted = 26;  // store_internal.hpp
    fill_page(out[3].flash, 40, ready > ready_wanted ? ready - ready_wanted : 0);
    fill_page(out[4].flash, 80);
    tear_filler(out[4].flash, 4, 3);
    return out;
}

// ---- A chip that can be put back ---------------------------------------------------------------

/// The keys whose bytes no answer may hold: every eight bytes of them.
class KeyWatch {
public:
    KeyWatch() {
        using enum protocol::KeyUsage;
        for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
            for (const auto usage :
                 {pin_unblock, pin_reload, purchase, load, transaction_certificate, unload,
                  overdraft, internal_authentication, application_lock, application_unlock,
                  maintenance, control}) {
                add(card_key(usage, suite));
                add(master_key(usage, suite));
            }
            add(crypto::purse::transport_key(transport_master(suite), card_serial));
            add(crypto::purse::transport_key(transport_master(suite), sam_serial));
        }
    }
    [[nodiscard]] bool is_clean(Bytes answer) const {
        for (std::size_t at = 0; at + sizeof(Half) <= answer.size(); ++at) {
            if (!begins_[std::size_t{answer[at]} << 8 | answer[at + 1]]) continue;
            for (const Half& half : halves_) {
                if (std::ranges::equal(answer.subspan(at, half.size()), half)) return false;
            }
        }
        return true;
    }

private:
    using Half = std::array<std::uint8_t, 8>;
    void add(const PurseKey& key) {
        for (const std::size_t from : {0U, 8U}) {
            Half half{};
            std::ranges::copy(key.value.bytes().subspan(from, half.size()), half.begin());
            halves_.push_back(half);
            begins_[std::size_t{half[0]} << 8 | half[1]] = true;
        }
    }
    std::vector<Half> halves_;
    std::vector<bool> begins_ = std::vector<bool>(65536);
};

class Rig {
public:
    explicit Rig(const Chip& like) : flash{1}, fresh_{like.seed() + 1, like.label()} {}

    TearingFlash flash;

    /// PowerLost passes through.
    void power_on() {
        flash.reboot();
        start();
    }
    void start() {
        random_ = fresh_;
        card_.emplace(flash, random_);
        if (!card_->reset()) throw Violation{"the chip is mute"};
    }
    void rewind_random() { random_ = fresh_; }
    Bytes send(Bytes command) {
        const std::size_t size = card_->process(command, response_);
        const Bytes answer = Bytes{response_}.first(size);
        if (!watch().is_clean(answer)) throw Violation{"a key in the answer to " + to_hex(command)};
        return answer;
    }
    unsigned status(Bytes command) {
        const Bytes answer = send(command);
        return static_cast<unsigned>(answer[answer.size() - 2] << 8 | answer.back());
    }
    void housekeeping() { card_->housekeeping(); }

private:
    static const KeyWatch& watch() {
        static const KeyWatch keys;
        return keys;
    }
    crypto::SeededRandom fresh_;
    crypto::SeededRandom random_{0};
    std::optional<firmware::Card> card_;
    std::array<std::uint8_t, protocol::short_response_size_max> response_{};
};

using View = std::vector<std::uint8_t>;

/// On a copy: the attempts use the tries up. More than `tries_counted` are not told apart.
constexpr unsigned tries_counted = 6;
[[nodiscard]] unsigned tries_left(Rig& rig, const Probe& probe, const TearingFlash& content) {
    if (probe.attempt.empty()) return 0;
    rig.flash = content;
    rig.power_on();
    for (unsigned count = 0; count < tries_counted; ++count) {
        unsigned status = 0;
        bool was_wrong = false;
        for (const Command& command : probe.attempt) {
            status = rig.status(command);
            was_wrong = was_wrong || status == probe.wrong;
        }
        if ((status & 0xFFF0) == 0x63C0) return (status & 0x0F) + probe.used_by_reading;
        if (!was_wrong) return count;
    }
    return tries_counted;
}

/// Leaves few tries, so that they are soon counted; then lets the chip tidy up.
void spend_tries(Chip& chip, const Probe& probe) {
    constexpr unsigned tries_wanted = 3;
    Rig rig{chip};
    unsigned left = tries_left(rig, probe, chip.flash());
    if (left <= tries_wanted) return;
    while (left > tries_wanted) {
        for (const Command& command : probe.attempt) (void)chip.send(command);
        const unsigned now = tries_left(rig, probe, chip.flash());
        if (now == left && now < tries_counted) throw std::logic_error{"the probe takes no try"};
        left = now;
    }
    for (unsigned step = 0; step < chip.flash().page_count(); ++step) chip.card().housekeeping();
    chip.power_on();
}

constexpr std::uint64_t kind_count = 5;  // Tear

/// One of each kind; of the unstable one the mode whose turn it is.
[[nodiscard]] std::vector<PowerCut> one_of_each_kind(std::uint64_t operation, std::uint64_t turn,
                                                     Choices& choices) {
    auto cuts = sampled_cuts(operation, 1, choices);
    std::erase_if(cuts, [turn](const PowerCut& cut) {
        return cut.tear == Tear::unstable && cut.pattern % 4 != turn % 4;
    });
    return cuts;
}

/// FNV-1a: the same choices with every library.
[[nodiscard]] std::uint64_t hash_of(std::string_view text) {
    std::uint64_t out = 0xCBF29CE484222325;
    for (const char letter : text) {
        out = (out ^ static_cast<unsigned char>(letter)) * 0x100000001B3;
    }
    return out;
}

// ---- One command, in one life ------------------------------------------------------------------

class Knife {
public:
    Knife(const Case& tested, const Chip& before, const Life& life, const Depth& depth,
          Tally& tally)
        : case_{tested},
          depth_{depth},
          tally_{tally},
          choices_{depth.seed ^ hash_of(tested.name + life.name)},
          rig_{before},
          life_{life} {
        rehearse(before);
    }

    void run(bool with_single_bits) {
        tally_.operations += operations_.size();
        sampled_at_ = choices_.below(std::min(depth_.recovery_every, operations_.size()));
        TearingFlash now = at_command_;
        for (std::uint64_t at = 0; at < operations_.size(); ++at) {
            auto cuts = sampled_cuts(at, depth_.samples, choices_);
            if (with_single_bits) add_single_bits(cuts, at, operations_[at].changing_bits);
            for (const PowerCut& cut : cuts) {
                if (turn_++ % depth_.cut_every == 0) run_cut(now, cut);
            }
            now.perform(operations_[at]);
        }
        if (!now.has_memory_of(at_end_)) throw std::logic_error{"another way to another end"};
    }

private:
    /// The command uncut: what it answers, does and leaves; what the chip does afterwards.
    void rehearse(const Chip& before) {
        Chip chip = before.with(life_.flash);
        chip.record();
        command_ = case_.prepare(chip);
        said_ = chip.exchanges();
        at_command_ = chip.flash();
        chip.flash().trace_into(&operations_);
        (void)chip.send(command_);
        answered_after_ = operations_.size();
        answer_ = chip.exchanges().back().answer;
        chip.card().housekeeping();
        chip.flash().trace_into(nullptr);
        at_end_ = chip.flash();
        if (operations_.empty()) throw Violation{case_.name + " programs nothing"};
        rig_.flash = at_command_;
        rig_.power_on();
        old_view_ = look();
        old_tries_ = tries_left(rig_, case_.probe, at_command_);
        rig_.flash = chip.flash();
        rig_.power_on();
        new_view_ = look();
        new_tries_ = tries_left(rig_, case_.probe, chip.flash());
        Chip after = before.with(chip.flash());
        after.record();
        case_.next(after);
        next_ = after.exchanges();
    }

    [[nodiscard]] static TearingFlash torn_at(const TearingFlash& before,
                                              const TearingFlash::Operation& operation,
                                              const PowerCut& cut) {
        TearingFlash torn = before;
        torn.cut_at({0, cut.tear, cut.pattern});
        try {
            torn.perform(operation);
            throw std::logic_error{"the cut did not come"};
        } catch (const PowerLost&) {
        }
        return torn;
    }

    void run_cut(const TearingFlash& before, const PowerCut& cut) {
        const TearingFlash torn = torn_at(before, operations_[cut.operation], cut);
        // The answer leaves when process() returns: before the first operation of housekeeping.
        const bool is_answered = cut.operation >= answered_after_;
        was_unstable_ = cut.tear == Tear::unstable || life_.is_torn;
        check(torn, is_answered, cut, nullptr);
        const bool is_sampled = cuts_++ % depth_.recovery_every == sampled_at_;
        const bool is_wanted = is_cut_again(cut);
        if (is_wanted || is_sampled) cut_recovery(torn, is_answered, cut, is_wanted);
    }

    /// Of the cuts at an operation so many, the kinds taking turns from operation to operation and
    /// from life to life. Single bits are not among them.
    [[nodiscard]] bool is_cut_again(const PowerCut& cut) const {
        const std::uint64_t kinds = case_.is_thorough ? depth_.thorough_kinds : depth_.other_kinds;
        const std::uint64_t turn = cut.operation + tally_.lives;
        const auto kind = static_cast<std::uint64_t>(cut.tear);
        if ((kind + turn) % kind_count >= kinds) return false;
        if (cut.tear == Tear::unstable) return cut.pattern % 4 == turn / kind_count % 4;
        return cut.tear != Tear::subset || !is_single_bit(cut.pattern);
    }
    [[nodiscard]] static bool is_single_bit(std::uint64_t pattern) {
        return std::has_single_bit(pattern) || std::has_single_bit(~pattern);
    }

    /// At each operation of the recovery, in every kind or in one; and in one kind in the
    /// housekeeping behind it, which copies pages and is many times as long.
    void cut_recovery(const TearingFlash& torn, bool is_answered, const PowerCut& first,
                      bool in_every_kind) {
        ++tally_.cut_again;
        std::vector<TearingFlash::Operation> recovery;
        rig_.flash = torn;
        rig_.flash.trace_into(&recovery);
        std::size_t recovered_after = 0;
        try {
            rig_.power_on();
            recovered_after = recovery.size();
            rig_.housekeeping();
        } catch (const Violation& broken) {
            note(broken, is_answered, first, nullptr);
        }
        rig_.flash.trace_into(nullptr);
        TearingFlash now = torn;
        now.reboot();
        const bool was_unstable = was_unstable_;
        const std::uint64_t turn = choices_.below(depth_.housekeeping_every);
        for (std::uint64_t at = 0; at < recovery.size(); ++at) {
            const bool is_recovery = at < recovered_after;
            if (!is_recovery && (at + turn) % depth_.housekeeping_every != 0) {
                now.perform(recovery[at]);
                continue;
            }
            auto cuts = one_of_each_kind(at, choices_.next(), choices_);
            if (!in_every_kind || !is_recovery) {
                const auto chosen = static_cast<long>(choices_.below(cuts.size()));
                cuts = {cuts[static_cast<std::size_t>(chosen)]};
            }
            for (const PowerCut& cut : cuts) {
                ++tally_.recovery_cuts;
                was_unstable_ = was_unstable || cut.tear == Tear::unstable;
                check(torn_at(now, recovery[at], cut), is_answered, first, &cut);
            }
            now.perform(recovery[at]);
        }
    }

    void check(const TearingFlash& torn, bool is_answered, const PowerCut& cut,
               const PowerCut* second) {
        ++tally_.cut_points;
        try {
            rig_.flash = torn;
            rig_.flash.disarm();
            check_state(is_answered);
        } catch (const std::exception& broken) {
            note(broken, is_answered, cut, second);
        }
    }

    void note(const std::exception& broken, bool is_answered, const PowerCut& cut,
              const PowerCut* second) {
        constexpr std::size_t told_max = 5;
        ++tally_.violations;
        if (tally_.broken.size() >= told_max) return;
        std::string text =
            case_.name + ", " + life_.name + ": " + broken.what() + " (" + describe(cut);
        if (second != nullptr) text += "; recovery " + describe(*second);
        tally_.broken.push_back(text + (is_answered ? ", answered)" : ")"));
    }

    void check_state(bool is_answered) {
        rig_.power_on();
        const View seen = look();
        const bool is_new = seen == new_view_;
        if (!is_new && (is_answered || (seen != old_view_ && !case_.is_in_steps))) {
            throw Violation{is_answered ? "an answered command is lost" : difference(seen)};
        }
        // Bits that are what they are give the same answer twice.
        if (was_unstable_ && look() != seen) throw Violation{"reads differently the second time"};
        rig_.power_on();
        if (look() != seen) throw Violation{"reads differently after a reset"};
        if (is_new) ++tally_.became_new;
        const bool is_settled = old_view_ != new_view_ ? is_new : is_answered;
        if (case_.judge) {
            const TearingFlash now = rig_.flash;
            rig_.power_on();
            case_.judge([this](Bytes command) { return rig_.send(command); });
            rig_.flash = now;
            rig_.power_on();
        }
        if (++checks_ % 4 == 0 && !case_.probe.attempt.empty()) {
            check_tries(is_settled);
        } else if (is_settled) {
            replay(next_, "in the new state");
        } else if (case_.replays) {
            replay(said_, "in the old state");
            const Bytes again = rig_.send(command_);
            if (!std::ranges::equal(again, answer_)) throw Violation{"answers otherwise later"};
            if (look() != new_view_) throw Violation{"does otherwise later"};
        }
    }

    void check_tries(bool is_settled) {
        const TearingFlash now = rig_.flash;
        const unsigned left = tries_left(rig_, case_.probe, now);
        const bool is_right = is_settled ? left == new_tries_
                                         : left == old_tries_ || left + 1 == old_tries_ ||
                                               (old_view_ == new_view_ && left == new_tries_);
        if (!is_right) {
            throw Violation{std::to_string(left) + " tries left: before " +
                            std::to_string(old_tries_) + ", after " + std::to_string(new_tries_)};
        }
    }

    /// In the session that just looked: what is replayed begins by selecting.
    void replay(const std::vector<Exchange>& exchanges, const char* where) {
        rig_.rewind_random();
        for (const Exchange& exchange : exchanges) {
            if (!std::ranges::equal(rig_.send(exchange.command), exchange.answer)) {
                throw Violation{std::string{where} + ", " + to_hex(exchange.command) +
                                " answers otherwise"};
            }
        }
    }

    [[nodiscard]] View look() {
        rig_.rewind_random();  // answers that hold a random number are the same at every look
        View view;
        for (const Command& command : case_.looks) {
            const Bytes answer = rig_.send(command);
            view.push_back(static_cast<std::uint8_t>(answer.size()));
            view.insert(view.end(), answer.begin(), answer.end());
        }
        if (!case_.trials.empty()) add_trials(view);
        return view;
    }

    void add_trials(View& view) {
        const TearingFlash now = rig_.flash;
        for (const Command& command : case_.trials) {
            view.push_back(rig_.status(command) == 0x9000 ? 1 : 0);
        }
        rig_.flash = now;
        rig_.start();
    }

    [[nodiscard]] static std::string describe(const PowerCut& cut) {
        return "operation " + std::to_string(cut.operation) + ", kind " +
               std::to_string(static_cast<int>(cut.tear)) + ", pattern " +
               std::to_string(cut.pattern);
    }
    /// Names the first look that is neither old nor new.
    [[nodiscard]] std::string difference(const View& seen) const {
        std::size_t at = 0;
        for (const Command& command : case_.looks) {
            const std::size_t size = 1U + seen[at];  // a byte for the size
            const auto same = [&](const View& other) {
                return other.size() >= at + size &&
                       std::equal(seen.begin() + static_cast<long>(at),
                                  seen.begin() + static_cast<long>(at + size),
                                  other.begin() + static_cast<long>(at));
            };
            if (!same(old_view_) || !same(new_view_)) {
                return "neither old nor new: " + to_hex(command) + " answers " +
                       to_hex(Bytes{seen}.subspan(at + 1, size - 1));
            }
            at += size;
        }
        return "neither old nor new";
    }

    const Case& case_;
    const Depth& depth_;
    Tally& tally_;
    Choices choices_;
    Rig rig_;
    const Life& life_;
    TearingFlash at_command_{1}, at_end_{1};
    std::uint64_t answered_after_ = 0;  // operations
    Command command_;
    std::vector<std::uint8_t> answer_;
    std::vector<Exchange> said_, next_;
    std::vector<TearingFlash::Operation> operations_;
    View old_view_, new_view_;
    unsigned old_tries_ = 0, new_tries_ = 0;
    bool was_unstable_ = false;
    std::uint64_t turn_ = 0, cuts_ = 0, sampled_at_ = 0, checks_ = 0;
};

}  // namespace

Tally cut_everywhere(const Case& tested, const Depth& depth) {
    Tally tally;
    Chip before = tested.make();
    spend_tries(before, tested.probe);
    for (const Life& life : lives_of(before.flash())) {
        Knife knife{tested, before, life, depth, tally};
        knife.run(tally.lives < depth.bits_of_lives);
        ++tally.lives;
    }
    return tally;
}

}  // namespace tests::tear
