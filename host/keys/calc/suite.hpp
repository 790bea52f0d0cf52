#pragma once
// --suite and 16-byte keys of the purse.
#include "crypto/purse/keys.hpp"
#include "host/keys/calc/calculation.hpp"

namespace host::keys::calc {

/// Adds --suite: 3des or sm4.
void add_suite(Command& command, std::string& suite, Need need);
[[nodiscard]] crypto::purse::Suite suite_named(const std::string& name);
/// The option's 16 bytes as a key of that suite.
[[nodiscard]] Answer<crypto::purse::PurseKey> purse_key(const std::string& suite,
                                                        const Value& value);

}  // namespace host::keys::calc
