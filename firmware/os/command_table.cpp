#include "firmware/os/command_table.hpp"

#include "firmware/os/commands.hpp"
#include "firmware/purse/commands.hpp"
#include "firmware/sam/commands.hpp"

namespace firmware {
namespace {

using enum Where;
using enum Needs;
using enum Success;
using enum Urgency;
using Protection::always;
using Protection::either;
constexpr Protection plain = Protection::none;
constexpr KeyUsage no_key{};

// clang-format off: one command, one line.
constexpr Command commands_known[] = {  // not a deduced std::array: GCC 12 puts that into RAM
    //      cla   ins   protection where     needs             MAC key                     success contin. urgency   answer handler
    Command{0x00, 0x20, plain,  anywhere, active_directory, no_key,                      proof, false, tap,      0,  commands::verify_pin},
    Command{0x00, 0x82, plain,  anywhere, nothing,          no_key,                      proof, false, ordinary, 0,  commands::external_authenticate},
    Command{0x00, 0x84, plain,  anywhere, nothing,          no_key,                      any,   true,  ordinary, 0,  commands::get_challenge},
    Command{0x00, 0x88, plain,  anywhere, active_directory, no_key,                      any,   false, ordinary, 8,  commands::internal_authenticate},
    Command{0x00, 0xA4, plain,  anywhere, nothing,          no_key,                      any,   false, ordinary, 0,  commands::select},
    Command{0x00, 0xB0, plain,  anywhere, nothing,          no_key,                      any,   false, ordinary, 0,  commands::read_binary},
    Command{0x00, 0xB2, plain,  anywhere, nothing,          no_key,                      any,   false, ordinary, 0,  commands::read_record},
    Command{0x00, 0xD6, either, anywhere, active_directory, KeyUsage::maintenance,       any,   false, ordinary, 0,  commands::update_binary},
    Command{0x00, 0xDC, either, anywhere, active_directory, KeyUsage::maintenance,       any,   false, ordinary, 0,  commands::update_record},
    Command{0x00, 0xE2, either, anywhere, active_directory, KeyUsage::maintenance,       any,   false, ordinary, 0,  commands::append_record},
    Command{0x80, 0x0E, always, anywhere, session,          no_key,                      any,   false, ordinary, 0,  commands::erase},
    Command{0x80, 0x16, always, anywhere, nothing,          KeyUsage::application_lock,  deed,  false, ordinary, 0,  commands::block_card},
    Command{0x80, 0x18, always, anywhere, nothing,          KeyUsage::application_unlock, any,   false, ordinary, 0, commands::unblock_application},
    Command{0x80, 0x1A, plain,  sam,      active_directory, no_key,                      any,   false, tap,      0,  sam::prepare_delegated},
    Command{0x80, 0x1E, always, anywhere, nothing,          KeyUsage::application_lock,  deed,  false, ordinary, 0,  commands::block_application},
    Command{0x80, 0x24, always, anywhere, active_directory, KeyUsage::pin_unblock,       deed,  false, ordinary, 0,  commands::unblock_pin},
    Command{0x80, 0x44, always, anywhere, session,          no_key,                      any,   false, ordinary, 4,  commands::activate},
    Command{0x80, 0x50, plain,  purse,    active_directory, no_key,                      any,   false, tap,      0,  purse::initialise},
    Command{0x80, 0x52, plain,  purse,    active_directory, no_key,                      proof, true,  tap,      4,  purse::credit},
    Command{0x80, 0x54, plain,  purse,    active_directory, no_key,                      proof, true,  tap,      0,  purse::debit},
    Command{0x80, 0x58, plain,  purse,    active_directory, no_key,                      proof, true,  tap,      4,  purse::update_overdraft},
    Command{0x80, 0x5A, plain,  purse,    active_directory, no_key,                      any,   false, tap,      8,  purse::prove},
    Command{0x80, 0x5C, plain,  purse,    nothing,          no_key,                      any,   true,  tap,      4,  purse::get_balance},
    Command{0x80, 0x5E, plain,  anywhere, active_directory, no_key,                      deed,  false, ordinary, 0,  commands::change_or_reload_pin},
    Command{0x80, 0x70, plain,  sam,      active_directory, no_key,                      any,   false, tap,      8,  sam::initialise_purchase},
    Command{0x80, 0x72, plain,  sam,      active_directory, no_key,                      proof, true,  tap,      0,  sam::credit_purchase},
    Command{0x80, 0xCA, plain,  anywhere, nothing,          no_key,                      any,   true,  ordinary, 0,  commands::get_data},
    Command{0x80, 0xD4, always, anywhere, active_directory, KeyUsage::control,           deed,  false, ordinary, 0,  commands::write_key},
    Command{0x80, 0xDC, plain,  purse,    active_directory, no_key,                      any,   true,  tap,      0,  purse::update_capp_cache},
    Command{0x80, 0xE0, always, anywhere, session,          no_key,                      any,   false, ordinary, 0,  commands::create_file},
    Command{0x80, 0xFA, plain,  sam,      active_directory, no_key,                      any,   true,  tap,      0,  sam::compute_delegated},
    Command{0xE0, 0x44, plain,  sam,      active_directory, no_key,                      any,   true,  tap,      4,  sam::grey_debit},
    Command{0xE0, 0x7A, plain,  purse,    active_directory, no_key,                      any,   false, tap,      0,  purse::initialise_grey},
    Command{0xE0, 0x7C, plain,  purse,    active_directory, no_key,                      proof, true,  tap,      8,  purse::grey_lock},
    Command{0xE0, 0x7E, plain,  purse,    active_directory, no_key,                      proof, true,  tap,      4,  purse::grey_unlock},
    Command{0xE0, 0xCA, plain,  purse,    nothing,          no_key,                      any,   true,  tap,      17, purse::grey_proof},
};
// clang-format on

constexpr int cla_ins(const Command& command) {
    return command.cla << 8 | command.ins;
}
static_assert(std::ranges::adjacent_find(commands_known, std::ranges::greater_equal{}, cla_ins) ==
                  std::end(commands_known),
              "commands are sorted and unique");

}  // namespace

const Command* find_command(std::uint8_t cla, std::uint8_t ins) {
    for (const Command& command : commands_known) {
        if (command.cla == cla && command.ins == ins) return &command;
    }
    return nullptr;
}

}  // namespace firmware
