#include "host/keys/calc/suite.hpp"

namespace host::keys::calc {

void add_suite(Command& command, std::string& suite, Need need) {
    command.choice("--suite", suite, {"3des", "sm4"}, "3des: the installed base; sm4: new cards",
                   need);
}

crypto::purse::Suite suite_named(const std::string& name) {
    return name == "sm4" ? crypto::purse::Suite::sm4 : crypto::purse::Suite::triple_des;
}

Answer<crypto::purse::PurseKey> purse_key(const std::string& suite, const Value& value) {
    ONECARD_TRY(bytes, value.array<crypto::purse::key_size>());
    return crypto::purse::PurseKey{suite_named(suite), bytes.bytes()};
}

}  // namespace host::keys::calc
