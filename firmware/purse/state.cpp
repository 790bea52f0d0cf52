#include "firmware/purse/state.hpp"

namespace firmware::purse {

using protocol::ByteReader;
using protocol::ByteWriter;
using protocol::StatusWord;

namespace {

constexpr std::size_t proof_size = 9;

void put(ByteWriter& out, const Proof& proof) {
    out.put_u8(proof.type).put(proof.mac).put(proof.tac);
}

[[nodiscard]] Proof read_proof(std::span<const std::uint8_t, proof_size> bytes) {
    Proof proof{.type = bytes[0]};
    std::ranges::copy(bytes.subspan<1, 4>(), proof.mac.begin());
    std::ranges::copy(bytes.subspan<5, 4>(), proof.tac.begin());
    return proof;
}

template <std::size_t size>
[[nodiscard]] Outcome<std::array<std::uint8_t, size>> load(const Store& store, ObjectId id) {
    std::array<std::uint8_t, size> bytes{};
    ONECARD_TRY(stored, store.read(id, bytes));
    if (stored != size) return protocol::fail(StatusWord::memory_failure);
    return bytes;
}

}  // namespace

Outcome<OfflineState> load_offline(const Store& store, std::uint8_t instance) {
    ONECARD_TRY(stored,
                load<OfflineState::size>(store, objects::state(instance, OfflineState::object)));
    const std::span<const std::uint8_t, OfflineState::size> bytes{stored};
    const auto balance = static_cast<std::uint32_t>(protocol::read_big_endian(bytes.first<4>()));
    return OfflineState{
        .balance = Money::from_fen(balance),
        .overdraft_used_fen =
            static_cast<std::uint32_t>(protocol::read_big_endian(bytes.subspan<4, 3>())),
        .counter = static_cast<std::uint16_t>(protocol::read_big_endian(bytes.subspan<7, 2>())),
        .proof = read_proof(bytes.last<proof_size>())};
}

Outcome<OnlineState> load_online(const Store& store, std::uint8_t instance) {
    ONECARD_TRY(stored,
                load<OnlineState::size>(store, objects::state(instance, OnlineState::object)));
    const std::span<const std::uint8_t, OnlineState::size> bytes{stored};
    return OnlineState{
        .counter = static_cast<std::uint16_t>(protocol::read_big_endian(bytes.first<2>())),
        .overdraft_limit_fen =
            static_cast<std::uint32_t>(protocol::read_big_endian(bytes.subspan<2, 3>())),
        .proof = read_proof(bytes.last<proof_size>())};
}

Outcome<void> stage(Transaction& change, std::uint8_t instance, const OfflineState& state) {
    std::array<std::uint8_t, OfflineState::size> bytes{};
    ByteWriter out{bytes};
    out.put_u32(state.balance.fen()).put_u24(state.overdraft_used_fen).put_u16(state.counter);
    put(out, state.proof);
    return change.put(objects::state(instance, OfflineState::object), bytes);
}

Outcome<void> stage(Transaction& change, std::uint8_t instance, const OnlineState& state) {
    std::array<std::uint8_t, OnlineState::size> bytes{};
    ByteWriter out{bytes};
    out.put_u16(state.counter).put_u24(state.overdraft_limit_fen);
    put(out, state.proof);
    return change.put(objects::state(instance, OnlineState::object), bytes);
}

Money available(const OfflineState& offline, const OnlineState& online) {
    const std::uint32_t left = online.overdraft_limit_fen > offline.overdraft_used_fen
                                   ? online.overdraft_limit_fen - offline.overdraft_used_fen
                                   : 0;
    // The balance is at most 7FFFFFFF and the limit three bytes: the sum fits.
    return Money::from_fen(offline.balance.fen() + left);
}

namespace {

/// What the card is worth: the second form of the sums below, in one signed number.
[[nodiscard]] std::int64_t worth(const OfflineState& offline) {
    return std::int64_t{offline.balance.fen()} - offline.overdraft_used_fen;
}

}  // namespace

Money spend(OfflineState& offline, Money limit, Money amount) {
    const std::int64_t before = worth(offline);
    if (amount <= limit) {
        const std::uint32_t from_balance = std::min(amount.fen(), offline.balance.fen());
        offline.balance = Money::from_fen(offline.balance.fen() - from_balance);
        offline.overdraft_used_fen += amount.fen() - from_balance;
    }
    return Money::from_fen(static_cast<std::uint32_t>(before - worth(offline)));
}

bool receive(OfflineState& offline, Money amount) {
    const std::int64_t before = worth(offline);
    const std::uint32_t repaid = std::min(amount.fen(), offline.overdraft_used_fen);
    const auto sum = add(offline.balance, Money::from_fen(amount.fen() - repaid));
    if (!sum || *sum > balance_max) return false;
    offline.balance = *sum;
    offline.overdraft_used_fen -= repaid;
    return worth(offline) - before == amount.fen();
}

bool moves_by(const Store& store, const Transaction& change, std::uint8_t instance,
              std::int32_t fen) {
    const auto id = objects::state(instance, OfflineState::object);
    const auto worth_of = [](Bytes bytes) {  // OfflineState: balance4 overdraftUsed3
        return static_cast<std::uint32_t>(protocol::read_big_endian(bytes.first<4>()) -
                                          protocol::read_big_endian(bytes.subspan<4, 3>()));
    };
    std::array<std::uint8_t, OfflineState::size> now{};
    const auto staged = change.staged(id);
    if (!staged || staged->size() != now.size() || !store.read(id, now)) return false;
    return worth_of(*staged) - worth_of(now) == static_cast<std::uint32_t>(fen);
}

Outcome<void> stage_new(Transaction& change, std::uint8_t instance) {
    ONECARD_CHECK(stage(change, instance, OfflineState{}));
    return stage(change, instance, OnlineState{});
}

}  // namespace firmware::purse
