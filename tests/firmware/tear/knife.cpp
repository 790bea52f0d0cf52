#include "tests/firmware/tear/knife.hpp"

#include <algorithm>

#include "tests/protocol/hex.hpp"

namespace tests::tear {

using firmware::ObjectId;
using firmware::Store;
using firmware::Transaction;
using firmware::Urgency;

Depth depth() {
    Depth out;
    out.seed = setting("ONECARD_TEAR_SEED", Depth::seed_default);
    if (setting("ONECARD_TEAR_NIGHTLY", 0) != 0) {
        out.samples = 2;
        out.bits_of_lives = 5;
        out.recovery_every = 20;
    }
#ifdef __SANITIZE_ADDRESS__
    out.cut_every = 97;
#endif
    return out;
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

// ---- One command, in one life ------------------------------------------------------------------

class Knife {
public:
    Knife(const Case& tested, const Chip& before, const Life& life, const Depth& depth,
          Tally& tally)
        : case_{tested},
          depth_{depth},
          tally_{tally},
          choices_{depth.seed ^ std::hash<std::string>{}(tested.name + life.name)},
          rig_{before},
          life_{life} {
        rehearse(before);
    }

    void run(bool with_single_bits) {
        tally_.operations += operations_.size();
        for (std::uint64_t at = 0; at < operations_.size(); ++at) {
            auto cuts = sampled_cuts(at, depth_.samples, choices_);
            if (with_single_bits) add_single_bits(cuts, at, operations_[at].changing_bits);
            for (const PowerCut& cut : cuts) {
                if (turn_++ % depth_.cut_every == 0) run_cut(cut);
            }
        }
    }

private:
    /// The command uncut: what it answers, does and leaves; what the chip does afterwards.
    void rehearse(const Chip& before) {
        Chip chip = before.with(life_.flash);
        chip.record();
        command_ = case_.prepare(chip);
        said_ = chip.exchanges();
        chip.flash().trace_into(&operations_);
        (void)chip.send(command_);
        answer_ = chip.exchanges().back().answer;
        chip.card().housekeeping();
        chip.flash().trace_into(nullptr);
        if (operations_.empty()) throw Violation{case_.name + " programs nothing"};
        rig_.flash = life_.flash;
        rig_.power_on();
        old_view_ = look();
        old_tries_ = tries(life_.flash);
        rig_.flash = chip.flash();
        rig_.power_on();
        new_view_ = look();
        new_tries_ = tries(chip.flash());
        Chip after = before.with(chip.flash());
        after.record();
        case_.next(after);
        next_ = after.exchanges();
    }

    void run_cut(const PowerCut& cut) {
        rig_.flash = life_.flash;
        rig_.power_on();
        for (const Exchange& exchange : said_) (void)rig_.send(exchange.command);
        bool is_answered = false;
        rig_.flash.cut_at(cut);
        try {
            (void)rig_.send(command_);
            is_answered = true;
            rig_.housekeeping();
            throw std::logic_error{"the cut did not come"};
        } catch (const PowerLost&) {
        }
        const TearingFlash torn = rig_.flash;
        was_unstable_ = cut.tear == Tear::unstable || life_.is_torn;
        check(torn, is_answered, cut, nullptr);
        if (++cuts_ % depth_.recovery_every == 0) cut_recovery(torn, is_answered, cut);
    }

    void cut_recovery(const TearingFlash& torn, bool is_answered, const PowerCut& first) {
        for (std::uint64_t operation = 0;; ++operation) {
            auto cuts = sampled_cuts(operation, 1, choices_);
            const std::uint64_t count =
                depth_.recovery_kinds == 0 ? cuts.size() : depth_.recovery_kinds;
            std::rotate(cuts.begin(), cuts.begin() + static_cast<long>(choices_.below(cuts.size())),
                        cuts.end());
            bool was_cut = false;
            for (std::uint64_t i = 0; i < count; ++i) {
                rig_.flash = torn;
                rig_.flash.reboot();
                rig_.flash.cut_at(cuts[i]);
                try {
                    rig_.start();
                    rig_.housekeeping();
                } catch (const PowerLost&) {
                    was_cut = true;
                    ++tally_.recovery_cuts;
                    const TearingFlash twice = rig_.flash;
                    was_unstable_ |= cuts[i].tear == Tear::unstable;
                    check(twice, is_answered, first, &cuts[i]);
                }
            }
            if (!was_cut) return;
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
            std::string text =
                case_.name + ", " + life_.name + ": " + broken.what() + " (" + describe(cut);
            if (second != nullptr) text += "; recovery " + describe(*second);
            throw Violation{text + (is_answered ? ", answered)" : ")")};
        }
    }

    void check_state(bool is_answered) {
        rig_.power_on();
        const View seen = look();
        const bool is_new = seen == new_view_;
        if (!is_new && (is_answered || seen != old_view_)) {
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
        const unsigned left = tries(now);
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

    /// On a copy: the attempts use the tries up.
    [[nodiscard]] unsigned tries(const TearingFlash& content) {
        if (case_.probe.attempt.empty()) return 0;
        rig_.flash = content;
        rig_.power_on();
        for (unsigned count = 0; count < 16; ++count) {
            unsigned status = 0;
            for (const Command& command : case_.probe.attempt) status = rig_.status(command);
            if ((status & 0xFFF0) == 0x63C0) return status & 0x0F;
            if (status != case_.probe.wrong) return count;
        }
        throw Violation{"tries do not end"};
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
    Command command_;
    std::vector<std::uint8_t> answer_;
    std::vector<Exchange> said_, next_;
    std::vector<TearingFlash::Operation> operations_;
    View old_view_, new_view_;
    unsigned old_tries_ = 0, new_tries_ = 0;
    bool was_unstable_ = false;
    std::uint64_t turn_ = 0, cuts_ = 0, checks_ = 0;
};

}  // namespace

Tally cut_everywhere(const Case& tested, const Depth& depth) {
    Tally tally;
    Chip before = tested.make();
    for (const Life& life : lives_of(before.flash())) {
        Knife knife{tested, before, life, depth, tally};
        knife.run(tally.lives < depth.bits_of_lives);
        ++tally.lives;
    }
    return tally;
}

}  // namespace tests::tear
