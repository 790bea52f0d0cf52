#pragma once
// The handlers of the operating system. Each is a row of the table in command_table.cpp.
#include "firmware/os/context.hpp"

namespace firmware::commands {

// file_commands.cpp. ISO/IEC 7816-4:2005, 7.1 to 7.3.
Outcome<void> select(Context&, const Request&);
Outcome<void> read_binary(Context&, const Request&);
Outcome<void> read_record(Context&, const Request&);
Outcome<void> update_binary(Context&, const Request&);
Outcome<void> update_record(Context&, const Request&);
Outcome<void> append_record(Context&, const Request&);

// security_commands.cpp. ISO/IEC 7816-4:2005, 7.5; PBOC: domain.md 1.1.
Outcome<void> get_challenge(Context&, const Request&);
Outcome<void> external_authenticate(Context&, const Request&);
Outcome<void> internal_authenticate(Context&, const Request&);
Outcome<void> verify_pin(Context&, const Request&);
Outcome<void> change_or_reload_pin(Context&, const Request&);
Outcome<void> unblock_pin(Context&, const Request&);
Outcome<void> block_application(Context&, const Request&);
Outcome<void> unblock_application(Context&, const Request&);
Outcome<void> block_card(Context&, const Request&);

// personalisation_commands.cpp. docs/card_commands.md, 2 and 3.
Outcome<void> get_data(Context&, const Request&);
Outcome<void> open_session(Context&, const Request&);
Outcome<void> erase(Context&, const Request&);
Outcome<void> create_file(Context&, const Request&);
Outcome<void> write_key(Context&, const Request&);
Outcome<void> activate(Context&, const Request&);

}  // namespace firmware::commands

namespace firmware {

[[nodiscard]] Outcome<protocol::ChipInfo> read_chip_info(const Store&);
[[nodiscard]] Outcome<void> stage_chip_info(Transaction&, const protocol::ChipInfo&);
/// Makes `directory` current and forgets what was proved in the one before. The MF at reset.
[[nodiscard]] Outcome<void> enter_directory(Context&, FileHandle directory);
/// EF description, messaging byte: UPDATE CAPP DATA CACHE may write this file. (Beside
/// messaging::*.)
constexpr std::uint8_t capp_permitted = 0x40;

}  // namespace firmware
