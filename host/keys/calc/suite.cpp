#include "host/keys/calc/suite.hpp"

#include <CLI/CLI.hpp>

namespace host::keys::calc {

void add_suite(CLI::App& command, std::string& suite, Need need) {
    command.add_option("--suite", suite, "3des: the installed base; sm4: new cards")
        ->required(need == Need::required)
        ->check(CLI::IsMember({"3des", "sm4"}));
}

crypto::purse::Suite suite_named(const std::string& name) {
    return name == "sm4" ? crypto::purse::Suite::sm4 : crypto::purse::Suite::triple_des;
}

Answer<crypto::purse::PurseKey> purse_key(const std::string& suite, const Value& value) {
    ONECARD_TRY(bytes, value.array<crypto::purse::key_size>());
    return crypto::purse::PurseKey{suite_named(suite), bytes.bytes()};
}

}  // namespace host::keys::calc
