#include "host/ledger/entry.hpp"

namespace host::ledger {
namespace {

bool participant_fits(const Account& account) {
    switch (account.purpose) {
        case Purpose::kiosk_cash:
        case Purpose::payable: return !account.participant.is_city();
        case Purpose::stored_value:
        case Purpose::load_pending:
        case Purpose::due_to:
        case Purpose::due_from:
        case Purpose::dispute:
        case Purpose::returned:
        case Purpose::netting:
        case Purpose::bank: return account.participant.is_city();
    }
    return false;
}

// docs/ledger.md, 2: which accounts an entry of each class may touch.
bool purpose_fits(EntryClass entry_class, Purpose purpose) {
    switch (entry_class) {
        case EntryClass::loading:
            return purpose == Purpose::kiosk_cash || purpose == Purpose::load_pending ||
                   purpose == Purpose::stored_value || purpose == Purpose::dispute ||
                   purpose == Purpose::returned;
        case EntryClass::clearing:
            return purpose == Purpose::stored_value || purpose == Purpose::dispute ||
                   purpose == Purpose::payable || purpose == Purpose::due_to ||
                   purpose == Purpose::due_from;
        case EntryClass::settlement:
            return purpose == Purpose::payable || purpose == Purpose::due_to ||
                   purpose == Purpose::due_from || purpose == Purpose::netting ||
                   purpose == Purpose::bank;
    }
    return false;
}

bool fits(EntryClass entry_class, const Account& account) {
    return participant_fits(account) && purpose_fits(entry_class, account.purpose);
}

std::expected<void, PostRefusal> check(EntryClass entry_class, const Posting& posting) {
    if (posting.amount <= Fen{0}) return std::unexpected{PostRefusal::amount_not_positive};
    if (posting.debit == posting.credit) return std::unexpected{PostRefusal::accounts_equal};
    if (!fits(entry_class, posting.debit) || !fits(entry_class, posting.credit)) {
        return std::unexpected{PostRefusal::account_not_allowed};
    }
    return {};
}

}  // namespace

std::string_view name(EntryClass entry_class) {
    switch (entry_class) {
        case EntryClass::loading: return "loading";
        case EntryClass::clearing: return "clearing";
        case EntryClass::settlement: return "settlement";
    }
    return "unknown";
}

std::string_view name(PostRefusal refusal) {
    switch (refusal) {
        case PostRefusal::entry_empty: return "entry_empty";
        case PostRefusal::amount_not_positive: return "amount_not_positive";
        case PostRefusal::accounts_equal: return "accounts_equal";
        case PostRefusal::account_not_allowed: return "account_not_allowed";
        case PostRefusal::total_overflows: return "total_overflows";
        case PostRefusal::pending_exceeded: return "pending_exceeded";
    }
    return "unknown";
}

std::expected<TotalsByAccount, PostRefusal> turnover(const Entry& entry) {
    if (entry.postings.empty()) return std::unexpected{PostRefusal::entry_empty};
    TotalsByAccount out;
    for (const Posting& posting : entry.postings) {
        ONECARD_CHECK(check(entry.entry_class, posting));
        Totals& from = out[posting.debit];
        const auto debits = add(from.debits, posting.amount);
        if (!debits) return std::unexpected{PostRefusal::total_overflows};
        from.debits = *debits;
        Totals& to = out[posting.credit];
        const auto credits = add(to.credits, posting.amount);
        if (!credits) return std::unexpected{PostRefusal::total_overflows};
        to.credits = *credits;
    }
    return out;
}

std::expected<Totals, PostRefusal> advance(const Account& account, const Totals& before,
                                           const Totals& added) {
    const auto debits = add(before.debits, added.debits);
    const auto credits = add(before.credits, added.credits);
    if (!debits || !credits) return std::unexpected{PostRefusal::total_overflows};
    if (account.purpose == Purpose::load_pending && *debits > *credits) {
        return std::unexpected{PostRefusal::pending_exceeded};
    }
    return Totals{*debits, *credits};
}

namespace {
template <std::size_t size>
void put_number(crypto::Sm3& sum, std::uint64_t value) {
    std::array<std::uint8_t, size> bytes{};
    for (std::size_t i = 0; i < size; ++i) {
        bytes[size - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
    sum.update(bytes);
}
void put_account(crypto::Sm3& sum, const Account& account) {
    put_number<1>(sum, static_cast<std::uint8_t>(account.purpose));
    put_number<1>(sum, static_cast<std::uint8_t>(account.participant.kind()));
    put_number<8>(sum, account.participant.digits());
}
}  // namespace

ChainDigest chain(const ChainDigest& previous, std::int64_t number, const Entry& entry) {
    crypto::Sm3 sum;
    sum.update(previous);
    put_number<8>(sum, static_cast<std::uint64_t>(number));
    put_number<1>(sum, static_cast<std::uint8_t>(entry.entry_class));
    sum.update(entry.business_date.bcd());
    put_number<4>(sum, entry.source.size());  // lengths first: no two entries share their bytes
    sum.update({reinterpret_cast<const std::uint8_t*>(entry.source.data()), entry.source.size()});
    put_number<4>(sum, entry.postings.size());
    for (const Posting& posting : entry.postings) {
        put_account(sum, posting.debit);
        put_account(sum, posting.credit);
        put_number<8>(sum, static_cast<std::uint64_t>(posting.amount.value()));
        put_number<4>(sum, posting.index);
        sum.update(posting.card.value());
    }
    return sum.finish();
}

}  // namespace host::ledger
