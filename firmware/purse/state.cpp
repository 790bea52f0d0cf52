#include "firmware/purse/state.hpp"

#include <bit>

namespace firmware::purse {

using protocol::ByteWriter;
using protocol::StatusWord;

namespace {

static_assert(sizeof(Proof) == 9 && alignof(Proof) == 1, "its bytes are stored as they are");
using ProofBytes = std::array<std::uint8_t, sizeof(Proof)>;

void put(ByteWriter& out, const Proof& proof) {
    out.put(std::bit_cast<ProofBytes>(proof));
}

[[nodiscard]] Proof read_proof(Bytes bytes) {
    ProofBytes last;
    std::ranges::copy(bytes.last(last.size()), last.begin());
    return std::bit_cast<Proof>(last);
}

/// An object of exactly this size.
[[nodiscard]] Outcome<void> load(const Store& store, std::uint8_t instance, std::uint8_t object,
                                 MutableBytes out) {
    ONECARD_TRY(size, store.read(objects::state(instance, object), out));
    if (size != out.size()) return protocol::fail(StatusWord::memory_failure);
    return {};
}

}  // namespace

Outcome<OfflineState> load_offline(const Store& store, std::uint8_t instance) {
    std::array<std::uint8_t, OfflineState::size> stored{};
    ONECARD_CHECK(load(store, instance, OfflineState::object, stored));
    const std::span<const std::uint8_t, OfflineState::size> bytes{stored};
    const auto balance = static_cast<std::uint32_t>(protocol::read_big_endian(bytes.first<4>()));
    return OfflineState{
        .balance = Money::from_fen(balance),
        .overdraft_used_fen =
            static_cast<std::uint32_t>(protocol::read_big_endian(bytes.subspan<4, 3>())),
        .counter = static_cast<std::uint16_t>(protocol::read_big_endian(bytes.subspan<7, 2>())),
        .proof = read_proof(bytes)};
}

Outcome<OnlineState> load_online(const Store& store, std::uint8_t instance) {
    std::array<std::uint8_t, OnlineState::size> stored{};
    ONECARD_CHECK(load(store, instance, OnlineState::object, stored));
    const std::span<const std::uint8_t, OnlineState::size> bytes{stored};
    return OnlineState{
        .counter = static_cast<std::uint16_t>(protocol::read_big_endian(bytes.first<2>())),
        .overdraft_limit_fen =
            static_cast<std::uint32_t>(protocol::read_big_endian(bytes.subspan<2, 3>())),
        .proof = read_proof(bytes)};
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
              std::int32_t fen, std::uint16_t numbers) {
    const auto id = objects::state(instance, OfflineState::object);
    const auto worth_of = [](Bytes bytes) {  // OfflineState: balance4 overdraftUsed3
        return static_cast<std::uint32_t>(protocol::read_big_endian(bytes.first<4>()) -
                                          protocol::read_big_endian(bytes.subspan<4, 3>()));
    };
    std::array<std::uint8_t, OfflineState::size> now{};
    const auto staged = change.staged(id);
    if (!staged || staged->size() != now.size() || !store.read(id, now)) return false;
    const auto number_of = [](Bytes bytes) {  // offlineSeq2
        return static_cast<std::uint32_t>(protocol::read_big_endian(bytes.subspan<7, 2>()));
    };
    return worth_of(*staged) - worth_of(now) == static_cast<std::uint32_t>(fen) &&
           number_of(*staged) - number_of(now) == numbers;
}

Outcome<void> stage_new(Transaction& change, std::uint8_t instance) {
    ONECARD_CHECK(stage(change, instance, OfflineState{}));
    return stage(change, instance, OnlineState{});
}

}  // namespace firmware::purse
