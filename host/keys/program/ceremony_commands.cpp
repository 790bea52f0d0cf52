#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/keys/ceremony.hpp"
#include "host/keys/minutes.hpp"
#include "host/keys/program/commands.hpp"
#include "host/keys/program/context.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::SecretBuffer;
using std::filesystem::path;

constexpr const char* help =
    R"(A rehearsal with three custodians, of whom two open the nation's store later:
  onecard-keys ceremony begin --dir c --custodians first,second,third --quorum 2 --rehearsal --seed 1
  onecard-keys ceremony component --dir c --custodian first --generate --sheet first.sheet --rehearsal --seed 1
  onecard-keys ceremony component --dir c --custodian second --from second.sheet --rehearsal --seed 1
  onecard-keys ceremony component --dir c --custodian third --rehearsal --seed 1     (typed)
  onecard-keys ceremony status --dir c
  onecard-keys ceremony combine --dir c --out nation \
      --custodian first --custodian second --custodian third --rehearsal --seed 1
  onecard-keys ceremony verify-minutes c/minutes.txt --nation nation

A real one has no --rehearsal and no --seed, and each custodian comes alone. Each step may be on another day;
what was interrupted is called again. docs/ceremony.md is the manual.)";

struct Options {
    path directory;
    std::vector<std::string> invited;
    unsigned quorum = 2;
    path out;
    path nation;
    path minutes;
    std::string key;
    path from;
    std::optional<int> from_descriptor;
    bool generate = false;
    path sheet;
    bool again = false;
    path old_passphrase;
    KeySourceOptions source;
    CustodianOptions custodians;
    bool json = false;
};

// ---- begin, status

Result<void> run_begin(Options& options) {
    ONECARD_TRY(source, KeySource::make(options.source, "ceremony"));
    ONECARD_TRY(ceremony, begin_ceremony({options.directory, options.invited, options.quorum,
                                          options.source.mark()},
                                         source.random(), platform::SystemClock{}));
    print(options.json,
          fmt::format("began {} ceremony {} in {}: {} give components, {} of {} open the nation",
                      word(ceremony.mark), platform::to_hex(ceremony.id),
                      options.directory.string(), fmt::join(ceremony.custodians, ", "),
                      ceremony.quorum, ceremony.custodians.size()),
          invitation(ceremony));
    return {};
}

std::string next_step(const Ceremony& ceremony, const path& directory) {
    if (ceremony.finished) return "finished: the nation was founded in " + ceremony.nation;
    const std::string step = "next: onecard-keys ceremony ";
    const char* mark = ceremony.mark == Mark::rehearsal ? " --rehearsal --seed N" : "";
    for (const std::string& who : ceremony.custodians) {
        if (ceremony.given_by(who) != nullptr) continue;
        return step +
               fmt::format("component --dir {} --custodian {}{}", directory.string(), who, mark);
    }
    return step + fmt::format("combine --dir {} --out {} --custodian {}{}", directory.string(),
                              ceremony.nation.empty() ? "DIR" : ceremony.nation,
                              fmt::join(ceremony.custodians, " --custodian "), mark);
}

std::string status_text(const Ceremony& ceremony, const path& directory) {
    std::string out = fmt::format("{} ceremony {}, begun {}; {} of {} open the nation\n",
                                  word(ceremony.mark), platform::to_hex(ceremony.id),
                                  ceremony.begun_at, ceremony.quorum, ceremony.custodians.size());
    for (const std::string& who : ceremony.custodians) {
        if (ceremony.finished) break;
        const GivenComponents* given = ceremony.given_by(who);
        out += fmt::format("    {:<32} {}\n", who, given != nullptr ? given->at : "missing");
    }
    return out + next_step(ceremony, directory);
}

std::string status_json(const Ceremony& ceremony) {
    json::array custodians;
    for (const std::string& who : ceremony.custodians) {
        const GivenComponents* given = ceremony.given_by(who);
        json::object line{{"name", who}};
        line["given_at"] = given != nullptr ? json::value(given->at) : json::value();
        custodians.emplace_back(std::move(line));
    }
    return json::serialize(json::object{{"ceremony", platform::to_hex(ceremony.id)},
                                        {"mark", word(ceremony.mark)},
                                        {"begun_at", ceremony.begun_at},
                                        {"quorum", ceremony.quorum},
                                        {"custodians", std::move(custodians)},
                                        {"nation", ceremony.nation},
                                        {"finished", ceremony.finished}});
}

Result<void> run_status(Options& options) {
    ONECARD_TRY(ceremony, read_ceremony(options.directory));
    print(options.json, status_text(ceremony, options.directory), status_json(ceremony));
    return {};
}

// ---- component

std::string_view view(crypto::Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::unexpected<Refusal> source_refusal(platform::PassphraseError error) {
    return refuse(RefusalKind::input_wrong,
                  std::string{"components: "} + platform::name(error) +
                      ": they come from --generate, from --from or --from-fd (private to its "
                      "owner, 64 lines at most), or are typed on a terminal");
}

Result<std::vector<Component>> read_components(const Options& options) {
    constexpr std::size_t line_count_max = 64;
    const auto lines = platform::read_secret_lines({.descriptor = options.from_descriptor,
                                                    .file = options.from,
                                                    .prompt = {},
                                                    .confirm = false},
                                                   line_count_max);
    if (!lines) return source_refusal(lines.error());
    std::vector<std::string_view> views;
    for (const platform::Passphrase& line : *lines) views.push_back(view(line.bytes()));
    return parse_components(views);
}

/// One line, hidden like a passphrase.
Result<platform::Passphrase> type_hidden(std::string prompt) {
    auto line = platform::read_passphrase(
        {.descriptor = {}, .file = {}, .prompt = std::move(prompt), .confirm = false});
    if (!line) return source_refusal(line.error());
    return *std::move(line);
}

/// A typing mistake is told and asked again.
Result<Component> type_component(const RootName& root) {
    constexpr int tries = 3;
    for (int attempt = 1;; ++attempt) {
        ONECARD_TRY(digits, type_hidden(text(root) + ", component (32 hex digits): "));
        ONECARD_TRY(check, type_hidden(text(root) + ", its check value (6): "));
        auto component = parse_component(root, view(digits.bytes()), view(check.bytes()));
        if (component || attempt == tries) return component;
        complain(component.error());
    }
}

Result<std::vector<Component>> obtain_components(const Options& options, crypto::Random& random) {
    if (options.generate) return draw_national_roots(random);
    if (!options.from.empty() || options.from_descriptor) return read_components(options);
    std::vector<Component> components;
    for (std::size_t i = 0; i < root_count; ++i) {
        ONECARD_TRY(component, type_component(root_at(i)));
        components.push_back(std::move(component));
    }
    return components;
}

/// The paper comes first: components that count and that their custodian never saw are lost.
Result<void> hand_out(const Options& options, const SecretBuffer& sheet) {
    if (options.sheet.empty()) {
        const auto shown = platform::show_on_terminal(sheet.bytes());
        if (shown) return {};
        return refuse(RefusalKind::input_wrong,
                      "no terminal to show the component sheet on: give --sheet FILE");
    }
    return write_new_file(options.sheet, view(sheet.bytes()));
}

Result<void> give(const Options& options, const Contribution& contribution,
                  const std::vector<Component>& components, crypto::Random& random) {
    const platform::SystemClock clock;
    if (!options.generate) return give_components(contribution, components, random, clock);
    ONECARD_TRY(ceremony, read_ceremony(options.directory));
    ONECARD_CHECK(
        hand_out(options, component_sheet(ceremony, contribution.custodian.name, components)));
    auto given = give_components(contribution, components, random, clock);
    if (!given && !options.sheet.empty()) (void)platform::erase_file(options.sheet);
    return given;
}

void print_check_values(const Options& options, const Contribution& contribution,
                        const std::vector<Component>& components) {
    std::string lines =
        fmt::format("{} components of {} are sealed; their check values:", word(contribution.mark),
                    contribution.custodian.name);
    json::array list;
    for (const Component& component : components) {
        const std::string root = text(RootName{component.use, component.suite});
        const std::string check = check_value_text(component);
        lines += fmt::format("\n    {:<24} {}", root, check);
        list.emplace_back(json::object{{"root", root}, {"check_value", check}});
    }
    print(options.json, lines,
          json::serialize(json::object{{"custodian", contribution.custodian.name},
                                       {"mark", word(contribution.mark)},
                                       {"check_values", std::move(list)}}));
}

Result<void> run_component(Options& options) {
    ONECARD_TRY(ceremony, read_ceremony(options.directory));
    const std::string who = options.custodians.name();
    ONECARD_TRY(source, KeySource::make(options.source, "ceremony/component/" + who));
    Contribution contribution{
        options.directory, {who, {}}, options.source.mark(), options.again, {}};
    ONECARD_CHECK(check_contribution(ceremony, contribution));
    platform::Passphrase old;
    if (options.again && ceremony.given_by(who) != nullptr && !options.custodians.with_token()) {
        ONECARD_TRY(words, passphrase({.descriptor = {},
                                       .file = options.old_passphrase,
                                       .prompt = who + ", passphrase so far: ",
                                       .confirm = false}));
        old = std::move(words);
        contribution.old_passphrase = old.bytes();
    }
    ONECARD_TRY(custodians, options.custodians.read());
    contribution.custodian = custodians.people.front();
    ONECARD_TRY(components, obtain_components(options, source.random()));
    ONECARD_CHECK(give(options, contribution, components, source.random()));
    print_check_values(options, contribution, components);
    return {};
}

// ---- combine, minutes

Result<void> run_combine(Options& options) {
    ONECARD_TRY(source, KeySource::make(options.source, "ceremony/combine"));
    ONECARD_TRY(custodians, options.custodians.read());
    ONECARD_CHECK(combine({options.directory, options.out, custodians.people, options.source.mark(),
                           custodians.token},
                          source.random(), platform::SystemClock{}));
    const std::string mark = word(options.source.mark());
    const std::string page = (options.directory / minutes_file).string();
    print(options.json,
          "founded a " + mark + " nation in " + options.out.string() +
              "; the component files are erased; print and sign " + page,
          json::serialize(json::object{
              {"directory", options.out.string()}, {"mark", mark}, {"minutes", page}}));
    return {};
}

Result<void> run_minutes(Options& options) {
    ONECARD_TRY(random, system_random());
    ONECARD_TRY(custodians, options.custodians.read());
    ONECARD_TRY(nation, open_nation(options.nation, custodians.people, random));
    ONECARD_TRY(minutes, sign_minutes(*nation.store));
    if (options.out.empty()) {
        print(options.json, minutes.substr(0, minutes.size() - 1),
              json::serialize(json::object{{"minutes", minutes}}));
        return {};
    }
    return write_new_file(options.out, minutes, platform::FileMode::everyone);
}

Result<MinutesVerdict> verdict_of(const Options& options) {
    if (options.key.empty() == options.nation.empty()) {
        return refuse(RefusalKind::input_wrong, "give one of --key and --nation");
    }
    const auto file = platform::read_text_file(options.minutes, 64 * 1024);
    if (!file) return refuse(RefusalKind::file_failed, file.error().detail);
    if (!options.nation.empty()) return verify_minutes(*file, options.nation);
    const auto key = platform::from_hex<64>(options.key);
    if (!key) return refuse(RefusalKind::input_wrong, "--key: 128 hex digits expected: x, then y");
    return verify_minutes(*file, *key);
}

int run_verify(Options& options) {
    const auto verdict = verdict_of(options);
    if (!verdict) return complain(verdict.error());
    const bool valid = *verdict == MinutesVerdict::valid;
    print(options.json,
          valid ? std::string{"VALID"}
                : fmt::format("INVALID: {}: {}", name(*verdict), advice(*verdict)),
          json::serialize(json::object{{"valid", valid}, {"reason", name(*verdict)}}));
    return platform::exit_status(valid ? platform::ExitCode::ok : platform::ExitCode::failed);
}

// ---- The command line

using Step = Result<void> (*)(Options&);

int run_step(Step step, Options& options) {
    return status_of(step(options));
}

template <class Function>
CLI::App* add_step(CLI::App& parent, Run& run, const std::shared_ptr<Options>& options,
                   const char* step_name, const char* text, Function function) {
    CLI::App* command = parent.add_subcommand(step_name, text);
    command->add_flag("--json", options->json, "Print JSON");
    command->callback(
        [options, &run, function] { run = [options, function] { return function(*options); }; });
    return command;
}

CLI::App* add_step(CLI::App& parent, Run& run, const std::shared_ptr<Options>& options,
                   const char* step_name, const char* text, Step step) {
    return add_step(parent, run, options, step_name, text,
                    [step](Options& given) { return run_step(step, given); });
}

void add_directory(CLI::App& command, Options& options) {
    command.add_option("--dir", options.directory, "The ceremony's directory")->required();
}

void add_begin(CLI::App& parent, Run& run) {
    const auto options = std::make_shared<Options>();
    CLI::App* command = add_step(parent, run, options, "begin",
                                 "Name the custodians; makes the ceremony's directory", run_begin);
    add_directory(*command, *options);
    command
        ->add_option("--custodians", options->invited, "Who gives components: first,second,third")
        ->required()
        ->delimiter(',');
    command
        ->add_option("--quorum", options->quorum, "How many of them open the nation's store later")
        ->check(CLI::Range(2, 16));
    options->source.add_to(*command);
}

void add_component(CLI::App& parent, Run& run) {
    const auto options = std::make_shared<Options>();
    CLI::App* command = add_step(parent, run, options, "component",
                                 "Give one custodian's components: typed, read or drawn; sealed "
                                 "into a file that their passphrase opens",
                                 run_component);
    add_directory(*command, *options);
    options->custodians.add_one_new_to(*command, "component and the nation");
    auto* from = command->add_option("--from", options->from,
                                     "Read them from a sheet: lines 'purchase sm4 HEX32 HEX6'");
    auto* descriptor = command->add_option("--from-fd", options->from_descriptor,
                                           "The same from an open file descriptor");
    auto* generate = command->add_flag("--generate", options->generate,
                                       "Draw them, and show the sheet that you take away");
    from->excludes(descriptor)->excludes(generate);
    descriptor->excludes(generate);
    command->add_option("--sheet", options->sheet, "With --generate: write the sheet to this file")
        ->needs(generate);
    auto* again = command->add_flag("--again", options->again, "Replace what you gave before");
    command
        ->add_option("--old-passphrase-file", options->old_passphrase,
                     "With --again: the passphrase so far; without it, asked for")
        ->needs(again);
    options->source.add_to(*command);
}

void add_combine(CLI::App& parent, Run& run) {
    const auto options = std::make_shared<Options>();
    CLI::App* command = add_step(parent, run, options, "combine",
                                 "Found the nation with the sums of everyone's components, write "
                                 "the minutes, erase the component files",
                                 run_combine);
    add_directory(*command, *options);
    command->add_option("--out", options->out, "The nation's directory, to be made")->required();
    options->custodians.add_to(*command, "component and the nation");
    options->custodians.add_token_to(*command);
    options->source.add_to(*command);
}

void add_minutes(CLI::App& parent, Run& run) {
    const auto options = std::make_shared<Options>();
    CLI::App* command =
        add_step(parent, run, options, "minutes",
                 "Make the signed minutes again from the nation's log", run_minutes);
    command->add_option("--nation", options->nation, "The nation's directory")->required();
    command->add_option("--out", options->out, "Write them to this file instead of printing");
    options->custodians.add_to(*command, "nation");
}

void add_verify(CLI::App& parent, Run& run) {
    const auto options = std::make_shared<Options>();
    CLI::App* command = add_step(parent, run, options, "verify-minutes",
                                 "Print VALID, or INVALID and why; exit status 0 or 1", run_verify);
    command->add_option("minutes", options->minutes, "The file")->required();
    command->add_option("--key", options->key,
                        "Public key of the nation's log, 128 hex digits, known from elsewhere");
    command->add_option("--nation", options->nation,
                        "The nation's directory: its key, and its log says the same");
}

}  // namespace

void add_ceremony_commands(CLI::App& app, Run& run) {
    CLI::App* parent = app.add_subcommand(
        "ceremony", "Make the nation's roots out of the components of several custodians");
    parent->require_subcommand(1);
    parent->footer(help);
    add_begin(*parent, run);
    add_component(*parent, run);
    add_combine(*parent, run);
    const auto options = std::make_shared<Options>();
    add_directory(
        *add_step(*parent, run, options, "status", "Who has come, and what is next", run_status),
        *options);
    add_minutes(*parent, run);
    add_verify(*parent, run);
}

}  // namespace host::keys
