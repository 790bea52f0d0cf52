#include "host/keys/calc/calculation.hpp"

#include <iostream>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys::calc {
namespace {

constexpr const char* program_name = "onecard-keys";
constexpr std::size_t file_size_max = std::size_t{1} << 20;

Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};  // [basic.lval]/11
}

bool is_blank(std::uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
std::optional<std::uint8_t> digit_of(std::uint8_t c) {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    return std::nullopt;
}

Bytes trimmed(Bytes text) {
    while (!text.empty() && is_blank(text.front())) text = text.subspan(1);
    while (!text.empty() && is_blank(text.back())) text = text.first(text.size() - 1);
    return text;
}

std::optional<SecretBuffer> next_line() {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    SecretBuffer out{as_bytes(line)};
    crypto::wipe({reinterpret_cast<std::uint8_t*>(line.data()), line.size()});
    return out;
}

Answer<SecretBuffer> file_content(const std::string& name, const std::string& path) {
    auto content = platform::read_file(path, file_size_max);
    if (!content) return mistake(name + ": " + content.error().detail);
    SecretBuffer out{*content};
    crypto::wipe(*content);
    return out;
}

int complain(const CLI::App& command, const Complaint& complaint) {
    std::string path = command.get_name();
    for (const CLI::App* up = command.get_parent(); up && up->get_parent(); up = up->get_parent()) {
        path = up->get_name() + " " + path;
    }
    const bool usage = complaint.code == platform::ExitCode::usage;
    platform::complain(program_name, path + ": " + complaint.text + (usage ? " (see --help)" : ""));
    return platform::exit_status(complaint.code);
}

}  // namespace

std::unexpected<Complaint> mistake(std::string text) {
    return std::unexpected{Complaint{platform::ExitCode::usage, std::move(text)}};
}
std::unexpected<Complaint> refused(std::string text) {
    return std::unexpected{Complaint{platform::ExitCode::failed, std::move(text)}};
}

bool Sizes::allow(std::size_t size) const {
    if (low_ <= high_) return size >= low_ && size <= high_;
    return std::ranges::count(std::span{allowed_}.first(count_), size) > 0;
}

std::string Sizes::text() const {
    if (low_ <= high_) return std::to_string(low_) + " to " + std::to_string(high_) + " bytes";
    std::string out;
    for (std::size_t i = 0; i < count_; ++i) {
        if (i > 0) out += i + 1 < count_ ? ", " : " or ";
        out += std::to_string(allowed_[i]);
    }
    return out + (count_ == 1 && allowed_[0] == 1 ? " byte" : " bytes");
}

Command Command::add(const std::string& name, const std::string& help) const {
    return Command{*app_->add_subcommand(name, help)};
}

Command Command::group(const std::string& name, const std::string& help) const {
    Command out = add(name, help);
    out.app().require_subcommand(1);
    return out;
}

void Command::choice(const std::string& name, std::string& target,
                     const std::vector<std::string>& words, const std::string& help,
                     Need need) const {
    app_->add_option(name, target, help)
        ->required(need == Need::required)
        ->check(CLI::IsMember(words));
}

void Command::flag(const std::string& name, bool& target, const std::string& help) const {
    app_->add_flag(name, target, help);
}

void Command::list(const std::string& name, std::vector<std::string>& target,
                   const std::string& help, Need need) const {
    app_->add_option(name, target, help)
        ->required(need == Need::required)
        ->type_name("VALUE|@FILE|-")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
}

void Value::add_to(const Command& command, const std::string& name, const std::string& help,
                   Need need) {
    name_ = name.substr(0, name.find(','));
    option_ = command.app().add_option(name, text_, help)->type_name("VALUE|@FILE|-");
    option_->required(need == Need::required);
    option_->each([this](const std::string& text) {  // called in the order of the help
        if (text == "-") line_ = next_line();
    });
}

bool Value::given() const {
    return option_ != nullptr && option_->count() > 0;
}

Answer<SecretBuffer> resolve(const std::string& name, const std::string& text) {
    if (text == "-") {
        auto line = next_line();
        if (!line) return mistake(name + ": standard input has no more lines");
        return *std::move(line);
    }
    if (text.starts_with('@')) return file_content(name, text.substr(1));
    return SecretBuffer{as_bytes(text)};
}

Answer<SecretBuffer> bytes_of_hex(const std::string& name, Bytes text, const Sizes& sizes) {
    SecretBuffer digits{text.size()};
    std::size_t count = 0;
    for (const std::uint8_t c : text) {
        if (is_blank(c)) continue;
        const auto digit = digit_of(c);
        if (!digit) return mistake(name + ": hex digits expected");
        digits.bytes()[count++] = *digit;
    }
    if (count % 2 != 0) {
        return mistake(name + ": an even number of hex digits expected, " + std::to_string(count) +
                       " given");
    }
    if (!sizes.allow(count / 2)) {
        return mistake(name + ": " + sizes.text() + " expected, " + std::to_string(count / 2) +
                       " given");
    }
    SecretBuffer out{count / 2};
    for (std::size_t i = 0; i < out.size(); ++i) {
        out.bytes()[i] =
            static_cast<std::uint8_t>(digits.bytes()[2 * i] << 4 | digits.bytes()[2 * i + 1]);
    }
    return out;
}

Answer<SecretBuffer> Value::text() const {
    if (!given()) return mistake(name_ + " is needed here");
    if (text_ != "-") return resolve(name_, text_);
    if (!line_) return mistake(name_ + ": standard input has no more lines");
    return line_->duplicate();
}

Answer<SecretBuffer> Value::bytes(const Sizes& sizes) const {
    ONECARD_TRY(read, text());
    return bytes_of_hex(name_, std::as_const(read).bytes(), sizes);
}

Answer<std::optional<SecretBuffer>> Value::optional_bytes(const Sizes& sizes) const {
    if (!given()) return std::nullopt;
    ONECARD_TRY(read, bytes(sizes));
    return std::optional{std::move(read)};
}

std::string_view view(const SecretBuffer& characters) {
    const Bytes bytes = characters.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // [basic.lval]/11
}

Answer<SecretBuffer> Value::characters() const {
    ONECARD_TRY(read, text());
    return SecretBuffer{trimmed(std::as_const(read).bytes())};
}

Output& Output::add(std::string name, Bytes value) {
    return add_text(std::move(name), platform::to_hex(value));
}
Output& Output::add_text(std::string name, std::string value) {
    lines_.push_back({std::move(name), std::move(value)});
    return *this;
}
Output& Output::add_verdict(bool valid) {
    lines_.push_back({"result", valid ? "VALID" : "INVALID", true});
    return set_code(valid ? platform::ExitCode::ok : platform::ExitCode::failed);
}
Output& Output::set_document(std::string text, std::string json) {
    document_.emplace(std::move(text), std::move(json));
    return *this;
}
Output& Output::set_code(platform::ExitCode code) {
    code_ = code;
    return *this;
}

std::string Output::text() const {
    if (document_) return document_->first;
    std::string out;
    for (const Line& line : lines_) {
        out += (line.bare ? "" : line.name + ": ") + line.value + "\n";
    }
    return out;
}

std::string Output::json() const {
    if (document_) return document_->second + "\n";
    boost::json::object object;
    for (const Line& line : lines_) object[line.name] = line.value;
    return boost::json::serialize(object) + "\n";
}

void run_when_chosen(const Command& command, Run& run, std::function<Answer<Output>()> compute) {
    CLI::App& app = command.app();
    const auto json = std::make_shared<bool>(false);
    app.add_flag("--json", *json, "Print one JSON object");
    app.callback([&app, &run, json, compute = std::move(compute)] {
        run = [&app, json, compute] {
            const Answer<Output> answer = compute();
            if (!answer) return complain(app, answer.error());
            std::cout << (*json ? answer->json() : answer->text()) << std::flush;
            return platform::exit_status(answer->code());
        };
    });
}

Answer<crypto::Cipher> cipher_named(const std::string& name) {
    if (name == "des") return crypto::Cipher::des;
    if (name == "3des") return crypto::Cipher::triple_des;
    if (name == "sm4") return crypto::Cipher::sm4;
    if (name == "aes") return crypto::Cipher::aes;
    return mistake("cipher: 3des, des, sm4 or aes expected");
}

Answer<SecretBuffer> key_for(crypto::Cipher cipher, const Value& key) {
    switch (cipher) {
        case crypto::Cipher::des: return key.bytes({8});
        case crypto::Cipher::triple_des: return key.bytes({16, 24});
        case crypto::Cipher::sm4: return key.bytes({16});
        case crypto::Cipher::aes: return key.bytes({16, 24, 32});
    }
    return mistake("cipher: 3des, des, sm4 or aes expected");
}

}  // namespace host::keys::calc
