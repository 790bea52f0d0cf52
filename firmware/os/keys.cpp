#include "firmware/os/keys.hpp"

namespace firmware {

using protocol::fail;

namespace {

constexpr std::size_t header_size = 7;  // owner usage index version suite tries limit
// Behind the value of a delegated SAM key stand its uses.
constexpr std::size_t stored_size_max = header_size + key_value_size_max + protocol::key_uses_size;

[[nodiscard]] ObjectId object(KeySlot slot) {
    return ObjectId{static_cast<std::uint16_t>(objects::key_first + slot.value())};
}
[[nodiscard]] ObjectId counter(KeySlot slot) {
    return ObjectId{static_cast<std::uint16_t>(objects::key_tries_first + slot.value())};
}

[[nodiscard]] Outcome<void> stage_uses(Transaction& change, KeySlot slot, std::uint16_t left) {
    std::array<std::uint8_t, protocol::key_uses_size> bytes{};
    protocol::ByteWriter{bytes}.put_u16(left);
    return change.put(counter(slot), bytes);
}

template <class Wanted>
[[nodiscard]] Outcome<KeySlot> search(const Store& store, Wanted wanted) {
    auto absent = StatusWord::referenced_data_not_found;
    for (std::uint8_t i = 0; i < objects::key_slot_count; ++i) {
        if (!store.contains(object(KeySlot{i}))) continue;
        crypto::SecretBytes<stored_size_max> stored;
        const auto read = store.read(object(KeySlot{i}), stored.bytes());
        if (!read) absent = read.error();  // it may be the one: not found is not certain then
        if (read && wanted(Bytes{stored.bytes()}.first(header_size))) return KeySlot{i};
    }
    return fail(absent);
}

}  // namespace

Outcome<KeySlot> KeyRing::find(FileHandle owner, KeyUsage usage, KeyIndex index) const {
    return search(*store_, [&](Bytes header) {
        return header[0] == owner.value() && header[1] == static_cast<std::uint8_t>(usage) &&
               header[2] == index.value();
    });
}

Outcome<KeySlot> KeyRing::find(FileHandle owner, KeyUsage usage, KeyVersion version,
                               protocol::Suite suite) const {
    return search(*store_, [&](Bytes header) {
        return header[0] == owner.value() && header[1] == static_cast<std::uint8_t>(usage) &&
               header[3] == version.value() && header[4] == static_cast<std::uint8_t>(suite);
    });
}

Outcome<Key> KeyRing::load(KeySlot slot) const {
    crypto::SecretBytes<stored_size_max> stored;
    ONECARD_TRY(size, store_->read(object(slot), stored.bytes()));
    if (size < header_size) return fail(StatusWord::memory_failure);
    const auto from = stored.bytes();
    Key key;
    key.slot = slot;
    key.owner = FileHandle{from[0]};
    key.usage = static_cast<KeyUsage>(from[1]);
    key.index = KeyIndex{from[2]};
    key.version = KeyVersion{from[3]};
    key.suite = from[4];
    key.tries_max = from[5];
    key.limit = from[6];
    protocol::ByteReader rest{Bytes{from}.subspan(header_size, size - header_size)};
    const bool has_uses = key.usage == KeyUsage::sam_delegated_mac;
    const auto value = rest.take(has_uses ? key_value_size_max : size - header_size);
    if (!value || value->size() > key_value_size_max) return fail(StatusWord::memory_failure);
    key.size = static_cast<std::uint8_t>(value->size());
    std::ranges::copy(*value, key.value.bytes().begin());
    if (has_uses) {
        const auto uses = rest.take_u16();
        if (!uses) return fail(StatusWord::memory_failure);
        key.uses = protocol::KeyUses{*uses};
    }
    return key;
}

Outcome<void> KeyRing::write(Transaction& change, const Key& key, std::uint8_t used) const {
    auto slot = find(key.owner, key.usage, key.index);
    if (!slot && slot.error() != StatusWord::referenced_data_not_found) return fail(slot.error());
    for (std::uint8_t i = 0; !slot && i < objects::key_slot_count; ++i) {
        if (!store_->contains(object(KeySlot{i}))) slot = KeySlot{i};
    }
    if (!slot) return fail(StatusWord::not_enough_memory);
    crypto::SecretBytes<stored_size_max> stored;
    protocol::ByteWriter out{stored.bytes()};
    out.put_u8(key.owner.value())
        .put_u8(static_cast<std::uint8_t>(key.usage))
        .put_u8(key.index.value())
        .put_u8(key.version.value())
        .put_u8(key.suite)
        .put_u8(key.tries_max)
        .put_u8(key.limit)
        .put(key.bytes());
    if (key.usage == KeyUsage::sam_delegated_mac) out.put_u16(key.uses.value());
    ONECARD_CHECK(change.put_masked(object(*slot), out.written()));
    // A key with limited uses has them where another has its tries: it is never compared.
    if (key.uses != protocol::uses_unlimited) return stage_uses(change, *slot, key.uses.value());
    return change.reset_counter(counter(*slot), used);
}

Outcome<std::uint8_t> KeyRing::tries_left(const Key& key) const {
    if (key.slot.value() >= objects::key_slot_count) return fail(StatusWord::no_precise_diagnosis);
    ONECARD_TRY(used, store_->counter(counter(key.slot)));
    return static_cast<std::uint8_t>(used < key.tries_max ? key.tries_max - used : 0);
}

Outcome<void> KeyRing::take_try(const Key& key) const {
    ONECARD_TRY(left, tries_left(key));
    if (left == 0) return fail(StatusWord::authentication_blocked);
    // The tries that are counted are those of the key that is used: looked at again in the flash.
    ONECARD_TRY(stored, load(key.slot));
    if (stored.owner != key.owner || stored.usage != key.usage || stored.index != key.index ||
        stored.tries_max != key.tries_max) {
        return fail(StatusWord::no_precise_diagnosis);
    }
    ONECARD_CHECK(store_->tick(counter(key.slot)));
    return {};
}

Outcome<void> KeyRing::give_back(Transaction& change, KeySlot slot) const {
    return change.reset_counter(counter(slot));
}

Outcome<std::uint16_t> KeyRing::uses_left(KeySlot slot, protocol::KeyUses written) const {
    std::array<std::uint8_t, protocol::key_uses_size> bytes{};
    ONECARD_TRY(size, store_->read(counter(slot), bytes));
    const auto left = static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
    if (size != bytes.size() || left > written.value()) return fail(StatusWord::memory_failure);
    return left;
}

Outcome<void> KeyRing::take_use(Transaction& change, KeySlot slot,
                                protocol::KeyUses written) const {
    ONECARD_TRY(left, uses_left(slot, written));
    const auto after = static_cast<std::uint16_t>(left - 1);
    // The decision once more, in another form: one less is not more than there were.
    if (left == 0 || after >= written.value()) return fail(StatusWord::no_precise_diagnosis);
    return stage_uses(change, slot, after);
}

}  // namespace firmware
