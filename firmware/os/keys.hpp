#pragma once
// Keys and PINs: where they lie, what they may be used for, and their tries. A key never leaves the
// card; a key of one usage is never found under another.
#include "crypto/core/secret.hpp"
#include "crypto/purse/keys.hpp"
#include "firmware/kernel/file_system.hpp"
#include "firmware/os/objects.hpp"
#include "protocol/personalisation.hpp"

namespace firmware {

using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::KeyVersion;
using protocol::StatusWord;

constexpr std::size_t key_value_size_max = 16;

/// Where a key lies. Slots are shared by all applications; each knows its owner.
using KeySlot = protocol::Strong<std::uint8_t, struct KeySlotName>;

struct Key {
    KeySlot slot{0xFF};   ///< of a loaded one
    FileHandle owner{0};  ///< the DF it belongs to
    KeyUsage usage = KeyUsage::pin;
    KeyIndex index{};
    KeyVersion version{};
    std::uint8_t suite = 0;      ///< a protocol::Suite; 00 for a PIN
    std::uint8_t tries_max = 0;  ///< 0: never compared with what an outsider sends
    std::uint8_t limit = 0;      ///< SAM: docs/card_commands.md, 8
    protocol::KeyUses uses = protocol::uses_unlimited;  ///< SAM, as written: 8, too
    std::uint8_t size = 0;                              ///< of the value: 16, or a PIN's 2..6
    crypto::SecretBytes<key_value_size_max> value;

    [[nodiscard]] Bytes bytes() const { return Bytes{value.bytes()}.first(size); }
    /// Only for keys of 16 bytes.
    [[nodiscard]] crypto::purse::PurseKey purse_key() const {
        return {static_cast<protocol::Suite>(suite), value.bytes()};
    }
};

class KeyRing {
public:
    explicit KeyRing(Store& store) : store_{&store} {}

    /// referenced_data_not_found unless `owner` has such a key.
    [[nodiscard]] Outcome<KeySlot> find(FileHandle owner, KeyUsage, KeyIndex) const;
    [[nodiscard]] Outcome<KeySlot> find(FileHandle owner, KeyUsage, KeyVersion,
                                        protocol::Suite) const;
    /// memory_failure when the stored key is damaged.
    [[nodiscard]] Outcome<Key> load(KeySlot) const;
    /// A new key, or in place of the one with the same owner, usage and index; all tries but `used`
    /// are free again.
    [[nodiscard]] Outcome<void> write(Transaction&, const Key&, std::uint8_t used = 0) const;

    [[nodiscard]] Outcome<std::uint8_t> tries_left(const Key&) const;
    /// Before a MAC, cryptogram or PIN is compared: takes one, durably. It is taken when the flash
    /// says so. authentication_blocked when none was left. give_back belongs into the commit of
    /// what success brings about.
    [[nodiscard]] Outcome<void> take_try(const Key&) const;
    [[nodiscard]] Outcome<void> give_back(Transaction&, KeySlot) const;

    /// Of a key whose uses are limited. memory_failure when they are more than were written.
    [[nodiscard]] Outcome<std::uint16_t> uses_left(KeySlot, protocol::KeyUses written) const;
    /// One less: it belongs into the commit before the answer. The caller has seen that one is
    /// left; no_precise_diagnosis when, looked at again, there is none.
    [[nodiscard]] Outcome<void> take_use(Transaction&, KeySlot, protocol::KeyUses written) const;

private:
    Store* store_;
};

}  // namespace firmware
