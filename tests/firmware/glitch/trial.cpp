#include "tests/firmware/glitch/trial.hpp"

#include <algorithm>
#include <string_view>

#include "firmware/os/keys.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

/// A copy of the emulated NVM for the host's own build of the store.
class NvmFlash final : public firmware::Flash {
public:
    explicit NvmFlash(Bytes bytes) : bytes_(bytes.begin(), bytes.end()) {}
    [[nodiscard]] std::uint16_t page_count() const override {
        return static_cast<std::uint16_t>(bytes_.size() / firmware::flash_model::page_size);
    }
    void read(std::uint32_t address, protocol::MutableBytes out) const override {
        std::ranges::copy(Bytes{bytes_}.subspan(address, out.size()), out.begin());
    }
    [[nodiscard]] bool program(std::uint32_t address, const firmware::FlashUnit& unit) override {
        for (const std::uint8_t byte : unit) bytes_[address++] &= byte;
        return true;
    }
    [[nodiscard]] bool erase_page(std::uint16_t page) override {
        constexpr auto size = firmware::flash_model::page_size;
        std::fill_n(bytes_.begin() + page * static_cast<std::ptrdiff_t>(size), size,
                    firmware::flash_model::erased_byte);
        return true;
    }

private:
    std::vector<std::uint8_t> bytes_;
};

/// No command tells how many tries a MAC's key has left.
[[nodiscard]] unsigned tries_in(Bytes nvm, TriedKey wanted) {
    NvmFlash flash{nvm};
    firmware::Store store{flash};
    if (!store.mount()) return 0;
    const firmware::KeyRing keys{store};
    for (std::uint8_t owner = firmware::file_count_max; owner-- > 0;) {
        const auto slot = keys.find(firmware::FileHandle{owner}, wanted.usage, wanted.index);
        if (!slot) continue;
        const auto key = keys.load(*slot);
        if (!key) return 0;
        return keys.tries_left(*key).value_or(0);
    }
    return 0;
}

/// The host's build of the same card with this memory: it answers what the emulated one would, a
/// hundred times faster.
[[nodiscard]] View look(Bytes nvm, const Scenario& scenario) {
    View out;
    if (scenario.tried) out.tries = tries_in(nvm, *scenario.tried);
    NvmFlash flash{nvm};
    crypto::SeededRandom random{2, "after a loss of power"};
    firmware::Card card{flash, random};
    if (!card.reset()) {
        out.is_mute = true;
        return out;
    }
    for (const Command& command : scenario.looks) {
        std::array<std::uint8_t, protocol::short_response_size_max> response{};
        const std::size_t size = card.process(command, response);
        const auto parsed = protocol::ResponseApdu::parse(Bytes{response}.first(size));
        if (!parsed) throw std::logic_error{"a response of fewer than two bytes"};
        out.answers.push_back({{parsed->data().begin(), parsed->data().end()}, parsed->status()});
    }
    return out;
}

[[nodiscard]] std::uint64_t hash_of(Bytes bytes) {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

std::optional<std::uint32_t> View::number(std::size_t n, std::size_t at, std::size_t size) const {
    if (n >= answers.size() || answers[n].data.size() < at + size) return std::nullopt;
    std::uint32_t out = 0;
    for (std::size_t i = at; i < at + size; ++i) out = out << 8 | answers[n].data[i];
    return out;
}

std::optional<StatusWord> View::status(std::size_t n) const {
    if (n >= answers.size()) return std::nullopt;
    return answers[n].status;
}

bool holds(Bytes bytes, Bytes part) {
    return !std::ranges::search(bytes, part).empty();
}

void Secrets::add_key(Bytes key) {
    constexpr std::size_t telling = 8;
    for (std::size_t at = 0; at + telling <= key.size(); ++at) add(key.subspan(at, telling), false);
}

void Secrets::add(Bytes bytes, bool is_pin) {
    windows_.push_back({{bytes.begin(), bytes.end()}, is_pin});
    begins_[std::size_t{bytes[0]} << 8 | bytes[1]] = true;
}

bool Secrets::are_in(Bytes sent, bool pin_counts) const {
    for (std::size_t at = 0; at + 1 < sent.size(); ++at) {
        if (!begins_[std::size_t{sent[at]} << 8 | sent[at + 1]]) continue;
        const Bytes rest = sent.subspan(at);
        for (const auto& [bytes, is_pin] : windows_) {
            if (is_pin && !pin_counts) continue;
            if (rest.size() >= bytes.size() &&
                std::ranges::equal(rest.first(bytes.size()), bytes)) {
                return true;
            }
        }
    }
    return false;
}

void deny(bool condition, const std::string& gain) {
    if (condition) throw Gain{gain};
}

Trial::Trial(const Scenario& scenario, Machine& machine, Stop stop, const Secrets& secrets,
             Views& views)
    : scenario_{scenario},
      card_{machine},
      stop_{stop},
      secrets_{secrets},
      views_{views},
      after_{machine.save()},
      answer_{answer_in(after_.line.from_card)},
      may_ask_{is_live()} {
    deny(secrets_.are_in(sent(), !scenario_.knows_pin),
         "a secret leaves in " + std::to_string(sent().size()) + " bytes");
}

bool Trial::shows(Bytes value) const {
    return holds(sent(), value);
}

Answer Trial::ask(Bytes apdu) {
    if (!may_ask_) throw Mute{"the card does not listen"};
    Answer answer = card_.send(apdu);
    deny(secrets_.are_in(answer.data, !scenario_.knows_pin),
         "a secret leaves: " + to_hex(answer.data));
    return answer;
}

void Trial::go_back() {
    card_.machine().restore(after_);
    may_ask_ = is_live();
}

void Trial::power_cycle() {
    card_.machine().restore(after_);
    may_ask_ = false;
    card_.power_on(2);
    may_ask_ = true;
}

const View& Trial::view() {
    const auto [place, is_new] = views_.try_emplace(hash_of(after_.nvm));
    if (is_new) place->second = look(after_.nvm, scenario_);
    for (const Answer& answer : place->second.answers) {
        deny(secrets_.are_in(answer.data, !scenario_.knows_pin),
             "a secret leaves later: " + to_hex(answer.data));
    }
    return place->second;
}

}  // namespace tests::glitch
