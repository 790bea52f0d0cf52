#include "tests/firmware/glitch/attack.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "tests/firmware/glitch/kernels.hpp"
#include "tests/firmware/glitch/state.hpp"
#include "tests/firmware/glitch/thumb.hpp"
#include "tests/firmware/support/cuts.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {

Depth depth() {
    Depth out;
    if (setting("ONECARD_GLITCH_NIGHTLY", 0) != 0)
        out = {.first = 1, .last = true, .every = 1, .is_native = false};
    out.first = static_cast<std::uint32_t>(setting("ONECARD_GLITCH_FIRST", out.first));
    out.every = static_cast<std::uint32_t>(setting("ONECARD_GLITCH_EVERY", out.every));
    return out;
}

namespace {

constexpr std::uint64_t blocks_max = 50'000'000;

[[nodiscard]] std::string status_in(Bytes sent) {
    const auto answer = answer_in(sent);
    if (!answer) return "mute";
    const auto status = static_cast<std::uint16_t>(answer->status);
    return to_hex(
        std::array{static_cast<std::uint8_t>(status >> 8), static_cast<std::uint8_t>(status)});
}
/// A disturbed command may take so much longer; then it hangs.
constexpr std::uint64_t patience = 3, patience_least = 20'000;

/// Which of the passages through an instruction are disturbed.
class Plan {
public:
    explicit Plan(const Depth& depth) : depth_{depth} {}
    void count(std::uint32_t address) { ++passages_[address].total; }
    /// Of the second walk's passages, in the same order.
    [[nodiscard]] bool takes(std::uint32_t address) {
        Passages& of = passages_[address];
        const std::uint32_t turn = of.seen++;
        if (turn < depth_.first || (depth_.last && turn + 1 == of.total)) return true;
        return depth_.every != 0 && (turn + address / 2) % depth_.every == 0;
    }

private:
    struct Passages {
        std::uint32_t total = 0, seen = 0;
    };
    Depth depth_;
    std::unordered_map<std::uint32_t, Passages> passages_;
};

/// Follows the IT blocks of a walk: the emulator does not tell inside one, and passes over what is
/// not executed.
class ItFollower {
public:
    explicit ItFollower(const Image& image) : image_{&image} {}
    /// Before the instruction; answers its state.
    thumb::ItState before(std::uint32_t address) {
        while (state_.is_inside() && at_ != address) step();
        const thumb::ItState now = state_;
        const std::uint16_t instruction = thumb::half(image_->code(), address);
        at_ = address;
        step();
        if (thumb::is_it(instruction)) state_ = thumb::ItState{instruction};
        return now;
    }
    [[nodiscard]] thumb::ItState after() const { return state_; }

private:
    void step() {
        at_ += thumb::size_at(image_->code(), at_);
        state_ = state_.advanced();
    }
    const Image* image_;
    std::uint32_t at_ = 0;  // the next instruction, if it is in a block
    thumb::ItState state_;
};

struct Verdict {
    std::string gain;  ///< empty: nothing
    bool is_suspect = false;
    std::vector<std::uint8_t> sent{};
};

/// What was sent, by how many instructions had run and what the fault was.
using Answers = std::map<std::pair<std::uint64_t, Fault>, std::vector<std::uint8_t>>;

class Attack {
public:
    Attack(const Image& image, const Depth& depth, const Secrets& secrets, const Scenario& scenario,
           Machine& walker, Machine& rehearsal)
        : image_{image},
          secrets_{secrets},
          scenario_{scenario},
          walker_{walker},
          rehearsal_{rehearsal},
          victim_{image},
          plan_{depth},
          it_{image} {
        if (depth.is_native) compute_natively(victim_, image);
    }

    Tally run() {
        prepare();
        rehearse();
        walk([this](std::uint32_t address, bool is_kernel) {
            ++tally_.executed;
            path_.push_back(address);
            tally_.kernel += is_kernel ? 1 : 0;
            if (!is_kernel) plan_.count(address);
        });
        watch();
        at_ = 0;
        walk([this](std::uint32_t address, bool is_kernel) {
            if (!is_kernel) resume(address);
            if (!is_kernel && plan_.takes(address)) disturb(address);
            ++at_;
        });
        if (!broken_.empty()) throw std::runtime_error{broken_};
        tally_.judged = verdicts_.size();
        if (scenario_.guesses) compare_guesses();
        return std::move(tally_);
    }

private:
    void prepare() {
        EmulatedCard card{rehearsal_};
        rehearsal_.load_nvm(scenario_.make());
        card.power_on();
        const Command command = scenario_.prepare(card);
        start_ = rehearsal_.save();
        start_.line = {frame_of(command), 0, {}};
    }

    /// The undisturbed command, in both machines: they must agree, and nothing be gained.
    void rehearse() {
        walk({});
        rehearsal_.restore(start_);
        const Stop stop = rehearsal_.run(blocks_max);
        blocks_ = rehearsal_.blocks();
        end_ = end_of(rehearsal_, image_, stop, start_.nvm);
        if (stop != Stop::idle || end_ != end_of(walker_, image_, Stop::idle, start_.nvm)) {
            throw std::runtime_error{scenario_.name + ": the machines do not agree"};
        }
        Trial trial{scenario_, rehearsal_, stop, secrets_, views_};
        if (!trial.answers(scenario_.undisturbed)) {
            throw std::runtime_error{scenario_.name + ": undisturbed, it answers otherwise"};
        }
        try {
            scenario_.judge(trial);
        } catch (const Gain& gain) {
            throw std::runtime_error{scenario_.name + ", undisturbed: " + gain.what()};
        }
    }

    void watch() {
        milestones_.emplace(image_, path_);
        for (const std::uint32_t address : milestones_->addresses()) {
            victim_.replace(address, [this](Machine& machine) {
                if (is_disturbed_ && milestones_->pass(state_of(machine, image_, start_.nvm, 0))) {
                    machine.halt();
                }
                return false;  // the function itself runs
            });
        }
    }

    void walk(std::function<void(std::uint32_t, bool)> visit) {
        walker_.restore(start_);
        it_ = ItFollower{image_};
        walker_.set_tracer([&](std::uint32_t address, std::uint32_t) {
            it_now_ = it_.before(address);
            if (!visit) return;
            const Function* function = image_.function_at(address);
            visit(address, function == nullptr || is_kernel(*function));
        });
        const Stop stop = walker_.run(blocks_max);
        walker_.set_tracer({});
        if (stop != Stop::idle) throw std::runtime_error{scenario_.name + ": mute undisturbed"};
    }

    /// No fault: taken over here, the victim ends as the rehearsal did. So the state that every
    /// fault begins with is right; IT blocks, of which the emulator does not tell, are all tried.
    void resume(std::uint32_t address) {
        constexpr std::uint64_t sample = 499;
        if (!it_now_.is_inside() && at_ % sample != 0) return;
        if (!resumed_.insert(address).second) return;
        Core now = walker_.core();
        now.r[15] = address;
        now.xpsr = it_now_.into(now.xpsr);
        victim_.restore(walker_, now);
        if (run_to_end() != end_) {
            broken_ =
                scenario_.name + ": resumed at " + image_.place(address) + ", it ends otherwise";
        }
    }

    /// The faults at this instruction, which the walker is about to run.
    void disturb(std::uint32_t address) {
        const Core now = walker_.core();
        const std::uint16_t instruction = thumb::half(image_.code(), address);
        const std::uint32_t next = address + thumb::size_at(image_.code(), address);
        const thumb::Flags flags{now.xpsr};
        const auto branch = thumb::branch_at(image_.code(), address, flags, now.r.data());
        if (branch && !branch->is_taken) {
            try_fault(Fault::inverted, address, now, branch->target, {});
            return;
        }
        try_fault(branch ? Fault::inverted : Fault::skipped, address, now, next,
                  thumb::is_it(instruction) ? thumb::ItState{} : it_now_.advanced());
        if (thumb::is_it(instruction)) {
            try_fault(Fault::inverted, address, now, next, it_.after().inverted());
        }
    }

    void try_fault(Fault fault, std::uint32_t address, Core core, std::uint32_t next,
                   thumb::ItState it) {
        core.r[15] = next;
        core.xpsr = it.into(core.xpsr);
        victim_.restore(walker_, core);
        const Verdict& found = verdicts_.at(run_to_end());
        if (!is_judging_) {
            answers_[{at_, fault}] = found.sent;
            return;
        }
        ++tally_.trials;
        count(answer_in(found.sent));
        if (!found.gain.empty()) {
            tell(fault, address, found.gain);
        } else if (found.is_suspect) {
            suspects_[{at_, fault}] = found.sent;
        }
    }

    /// The disturbed machine's end, which now has its verdict.
    [[nodiscard]] std::uint64_t run_to_end() {
        milestones_->set_out();
        is_disturbed_ = true;
        const Stop stop = victim_.run(blocks_ * patience + patience_least);
        is_disturbed_ = false;
        if (stop == Stop::halted) {
            milestones_->arrive(milestones_->end());
            return milestones_->end();
        }
        const std::uint64_t end = end_of(victim_, image_, stop, start_.nvm);
        milestones_->arrive(end);
        const auto [place, is_new] = verdicts_.try_emplace(end);
        if (is_new) place->second = verdict(stop);
        return end;
    }

    /// The right guess, and those next to it, with the faults of the suspects.
    void compare_guesses() {
        is_judging_ = false;
        const Guesses others = scenario_.guesses();
        const auto right = answers_of(others.right);
        std::vector<Answers> wrong;
        wrong.reserve(others.near_misses.size());
        for (const Command& miss : others.near_misses) wrong.push_back(answers_of(miss));
        for (const auto& [place, sent] : suspects_) {
            const auto [at, fault] = place;
            at_ = at;
            const auto of_right = right.find(place);
            if (of_right == right.end()) {
                // Disturbed behind the comparison, which has had its say.
                if (answer_in(sent)) tell_free_guess(fault, sent, "as ever");
                continue;
            }
            const bool is_told = std::ranges::all_of(wrong, [&](const Answers& answers) {
                const auto of_wrong = answers.find(place);
                return of_wrong == answers.end() || of_wrong->second == sent;
            });
            if (of_right->second != sent && is_told) {
                tell_free_guess(fault, sent, status_in(of_right->second));
            }
        }
    }

    /// What this command answers under each of the suspects' faults, as long as it takes the same
    /// way as the first one did.
    [[nodiscard]] Answers answers_of(const Command& command) {
        verdicts_.clear();
        milestones_->forget();
        answers_.clear();
        start_.line = {frame_of(command), 0, {}};
        at_ = 0;
        bool is_parted = false;
        auto next = suspects_.begin();
        walk([&](std::uint32_t address, bool) {
            is_parted = is_parted || at_ >= path_.size() || path_[at_] != address;
            if (!is_parted && next != suspects_.end() && next->first.first == at_) {
                disturb(address);
                while (next != suspects_.end() && next->first.first == at_) ++next;
            }
            ++at_;
        });
        return std::move(answers_);
    }

    void tell_free_guess(Fault fault, Bytes wrong, const std::string& right) {
        const std::uint32_t address = path_[at_];
        // The board's own loop reads frames, whose check byte differs: it knows no MAC.
        const Function* function = image_.function_at(address);
        if (function != nullptr && function->name == "card_main") return;
        tell(fault, address,
             "a guess that costs no try: wrong answers " + status_in(wrong) + ", right " + right);
    }
    /// An instruction counts once, whichever of its passages was disturbed.
    void tell(Fault fault, std::uint32_t address, const std::string& gain) {
        if (!told_.insert({address, fault, gain}).second) return;
        tally_.findings.push_back({fault, at_, address, gain});
    }

    void count(const std::optional<Answer>& answer) {
        if (!answer) {
            ++tally_.mute;
            return;
        }
        const unsigned first = static_cast<unsigned>(answer->status) >> 8;
        const bool is_right = answer->ok() || first == 0x61 || first == 0x62;
        ++(is_right ? tally_.right : tally_.refused);
    }

    [[nodiscard]] Verdict verdict(Stop stop) {
        Verdict out;
        out.sent = victim_.line().from_card;
        if (!is_judging_) return out;
        try {
            Trial trial{scenario_, victim_, stop, secrets_, views_};
            try {
                scenario_.judge(trial);
            } catch (const Mute&) {
                // The session ended: nothing more to be had from it.
            }
            out.is_suspect = trial.is_suspect();
        } catch (const Gain& gain) {
            out.gain = gain.what();
        } catch (const std::exception& broken) {
            broken_ = scenario_.name + ": " + broken.what();
        }
        return out;
    }

    const Image& image_;
    const Secrets& secrets_;
    const Scenario& scenario_;
    Machine& walker_;
    Machine& rehearsal_;  // takes the command undisturbed
    Machine victim_;      // takes the faults
    std::optional<Milestones> milestones_;
    bool is_disturbed_ = false;
    Plan plan_;
    Machine::State start_;
    std::uint64_t blocks_ = 0, at_ = 0;
    std::uint64_t end_ = 0;  // of the undisturbed command
    std::unordered_set<std::uint32_t> resumed_;
    std::string broken_;  // nothing is thrown through the emulator
    ItFollower it_;
    thumb::ItState it_now_;
    Views views_;
    std::unordered_map<std::uint64_t, Verdict> verdicts_;
    Answers suspects_, answers_;
    std::vector<std::uint32_t> path_;  // of the undisturbed command
    bool is_judging_ = true;
    std::set<std::tuple<std::uint32_t, Fault, std::string>> told_;
    Tally tally_;
};

}  // namespace

Bench::Bench(const Image& image, const Depth& depth, const Secrets& secrets)
    : image_{image}, depth_{depth}, secrets_{secrets}, walker_{image, true}, rehearsal_{image} {
    if (depth.is_native) compute_natively(rehearsal_, image);
}

Tally Bench::attack(const Scenario& scenario) {
    return Attack{image_, depth_, secrets_, scenario, walker_, rehearsal_}.run();
}

}  // namespace tests::glitch
