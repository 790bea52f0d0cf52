// The purse's and the SAM's part of docs/card_commands.md, 10.
#include "protocol/grey_lock.hpp"
#include "tests/firmware/os/status_words.hpp"

namespace tests::status_words {

using protocol::KeyIndex;
using protocol::TransactionType;

namespace {

[[nodiscard]] std::function<Data(Chip&)> fixed(std::string_view text) {
    return [command = hex(text)](Chip&) { return command; };
}
[[nodiscard]] std::function<Data(Chip&)> holding(Data data) {
    return [data = std::move(data)](Chip&) { return data; };
}
[[nodiscard]] Data data_of(const protocol::ShortCommand& command) {
    const Bytes bytes = command.bytes();
    return {bytes.begin() + 5, bytes.begin() + 5 + bytes[4]};
}
const Data one_fen = hex("01 00000001 000001000050");
const Data fortune = hex("01 7FFFFFFF 000001000050");
const Data other_key = hex("07 00000001 000001000050");

/// An INITIALIZE of the issuer's kind: the PIN guards it.
void add_online(Provokers& to, const char* name, std::uint8_t p1, unsigned size, KeyUsage usage) {
    const Good good{name,
                    ready_card,
                    {0x80, 0x50, p1, 0x02},
                    [](Chip& card) {
                        verify(card);
                        return one_fen;
                    },
                    size};
    add_common(to, good, "LPESD");
    to.add_damaged_key(good, usage);
    const auto at_once = [p1](Chip&) {
        return bytes_of(protocol::make_command(0x80, 0x50, p1, 0x02, one_fen));
    };
    to.add(
        good, "6A81", "application blocked", [](Chip& card) { block_application(card, 0); },
        at_once);
    to.add(
        good, "9303", "application blocked for good",
        [](Chip& card) { block_application(card, 1); }, at_once);
    const auto with = [good](const Data& data) {
        return [good, data](Chip& card) {
            return good.command(card, Form::right, [&](Data& body, auto&) { body = data; });
        };
    };
    to.add(good, "6982", "PIN not verified", nothing,
           [p1](Chip&) { return bytes_of(protocol::make_command(0x80, 0x50, p1, 0x02, one_fen)); });
    to.add(good, "9403", "no such key", nothing, with(other_key));
    to.add(good, "9402", "counter at its end", exhaust_counters, with(one_fen));
    if (usage != KeyUsage::overdraft) to.add(good, "9401", "amount", nothing, with(fortune));
}

void add_offline(Provokers& to, const char* name, std::uint8_t p1) {
    const Good good{name, ready_card, {0x80, 0x50, p1, 0x02}, holding(one_fen), 15};
    add_common(to, good, "LPESDBG");
    to.add_damaged_key(good, KeyUsage::purchase);
    const auto with = [good](const Data& data) {
        return [good, data](Chip& card) {
            return good.command(card, Form::right, [&](Data& body, auto&) { body = data; });
        };
    };
    to.add(good, "9403", "no such key", nothing, with(other_key));
    to.add(good, "9402", "counter at its end", exhaust_counters, with(one_fen));
    to.add(good, "9401", "amount", nothing, with(fortune));
}

/// What answers an INITIALIZE: wrong MAC, wrong state, and the last try.
void add_second(Provokers& to, const Good& good, KeyUsage usage) {
    add_common(to, good, "LPESDWBG");
    to.add_damaged_key(good, usage);
    const auto wrong = [good](Chip& card) {
        return good.command(card, Form::right, [](Data& data, auto&) { data.back() ^= 1; });
    };
    to.add(good, "9302", "MAC wrong", nothing, wrong);
    to.add(good, "6901", "not opened", nothing, [good](Chip& card) {
        const Data out = good.command(card);
        card.must(protocol::select_by_name(protocol::transit_aid));
        return out;
    });
    to.add(good, "6A80", "date", nothing, [good](Chip& card) {
        return good.command(card, Form::right,
                            [](Data& data, auto&) { data[data.size() - 9] = 0x13; });
    });
    const auto lose_all = [wrong](Chip& card) {
        for (int i = 0; i < 9; ++i) (void)card.send(wrong(card));
    };
    to.add(good, "9303", "MAC wrong for the last time", lose_all, wrong, true);
}

[[nodiscard]] Data pay(Chip& card) {
    return data_of(debit(open_purchase(card, terminal_sam(), 1, TransactionType::purchase)));
}

[[nodiscard]] Data unload_data(Chip& card) {
    verify(card);
    const auto opened = protocol::LoadInitialised::parse(
        card.must(protocol::initialise_for_unload(initialise_data(1))));
    const auto key = crypto::purse::online_process_key(card_key(KeyUsage::unload, Suite::sm4),
                                                       opened->random, opened->counter);
    return data_of(protocol::debit_for_unload(
        {noon(), crypto::purse::purse_mac(
                     key, protocol::load_mac2_input(protocol::Money::from_fen(1),
                                                    TransactionType::unload, terminal, noon()))}));
}

[[nodiscard]] Data limit_data(Chip& card, std::uint32_t fen) {
    verify(card);
    const auto answer = card.must(protocol::initialise_for_update(KeyIndex{1}, terminal));
    protocol::ByteReader in{answer};
    (void)in.take_u32();
    const protocol::OnlineCounter counter{in.take_u16().value()};
    (void)in.take(5);
    const auto key = crypto::purse::online_process_key(card_key(KeyUsage::overdraft, Suite::sm4),
                                                       in.take_array<4>().value(), counter);
    return data_of(protocol::update_overdraw_limit(
        {fen, noon(),
         crypto::purse::purse_mac(key, protocol::overdraft_mac2_input(fen, terminal, noon()))}));
}

void add_second_commands(Provokers& to) {
    const Good load_it{"CREDIT FOR LOAD",
                       ready_card,
                       {0x80, 0x52, 0, 0},
                       [](Chip& card) { return data_of(credit(card, 1)); },
                       4,
                       {},
                       {1, 2, 3},
                       true};
    add_second(to, load_it, KeyUsage::load);
    add_common(to, load_it, "F");
    const Good unload{"DEBIT FOR UNLOAD", ready_card, {0x80, 0x54, 3, 0}, unload_data, 4, {},
                      {1, 2, 3},          true};
    add_second(to, unload, KeyUsage::unload);
    add_common(to, unload, "F");
    const Good limit{"UPDATE OVERDRAW LIMIT",
                     ready_card,
                     {0x80, 0x58, 0, 0},
                     [](Chip& card) { return limit_data(card, 500); },
                     4,
                     {},
                     {1, 2, 3},
                     true};
    add_second(to, limit, KeyUsage::overdraft);
    add_common(to, limit, "F");
    to.add(
        limit, "6A80", "below what is owed",
        [limit](Chip& card) {
            card.must(limit.command(card));
            card.must(debit(open_purchase(card, terminal_sam(), 5'200, TransactionType::purchase)));
        },
        [](Chip& card) {
            return bytes_of(protocol::make_command(0x80, 0x58, 0, 0, limit_data(card, 199), 4));
        });
    const Good pays{"DEBIT", ready_card, {0x80, 0x54, 1, 0}, pay, 8};
    add_second(to, pays, KeyUsage::purchase);
    add_common(to, pays, "F");
}

void add_cache(Provokers& to) {
    const auto rail = journey(9);
    const auto open = [](Chip& card) {
        card.must(protocol::initialise_for_capp_purchase(initialise_data(0)));
    };
    const Good cache{
        "UPDATE CAPP DATA CACHE", ready_card, {0x80, 0xDC, 0x01, 0xD0}, [open, rail](Chip& card) {
            open(card);
            return Data{rail.begin(), rail.end()};
        }};
    add_common(to, cache, "SDBG");
    to.add_damaged(cache, "file damaged",
                   [](const Chip& chip) { return descriptions_of(chip, 0x001A); });
    const auto spoilt = [&](const char* word, const char* cause, std::uint8_t p1, std::uint8_t p2,
                            Data data) {
        to.add(cache, word, cause, nothing, [=](Chip& card) {
            return cache.command(card, Form::right, [&](Data& body, auto& head) {
                body = data, head[2] = p1, head[3] = p2;
            });
        });
    };
    spoilt("6700", "length", 1, 0xD0, {});
    spoilt("6A86", "P1-P2", 1, 0xD1, {1});
    spoilt("6A82", "no such file", 1, 0xC8, {1});
    spoilt("6982", "access", 0, 0xC0, Data(23));
    to.add(cache.name, "6981", "not a record file of its kind", rich_card, nothing,
           [cache](Chip& card) {
               return cache.command(card, Form::right, [](Data&, auto& head) { head[3] = 0xE0; });
           });
    spoilt("6A83", "no record with this id", 5, 0xD0, Data(128));
    spoilt("6A84", "record's length", 1, 0xD0, Data(127));
    spoilt("6A80", "another id in the record", 1, 0xD0, Data(128));
    to.add(cache, "6901", "not opened", nothing,
           [rail](Chip&) { return bytes_of(protocol::update_capp_data_cache(1, 0x1A, rail)); });
    to.add(
        cache, "9407", "record locked",
        [](Chip& card) {
            auto locked = journey(1);
            locked[5] = 1;
            card.must(protect(card, card_key(KeyUsage::maintenance, Suite::sm4),
                              {{0x04, 0xDC, 1, 0xD4}, locked}));
        },
        [cache](Chip& card) { return cache.command(card); });
}

void add_grey(Provokers& to) {
    const auto lock_it = [](Chip& card) { lock_grey(card, terminal_sam()); };
    const Data key_and_terminal = hex("01 000001000050");
    const Data other_and_terminal = hex("07 000001000050");
    const Good open{"INITIALIZE FOR GREY LOCK",
                    ready_card,
                    {0xE0, 0x7A, 0x08, 0x01},
                    holding(key_and_terminal),
                    15};
    add_common(to, open, "LPESDBG");
    to.add_damaged_key(open, KeyUsage::purchase);
    to.add(open, "9403", "no such key", nothing, fixed("E07A0801 07 07000001000050"));
    to.add(open, "9402", "counter at its end", exhaust_counters,
           fixed("E07A0801 07 01000001000050"));
    to.add(open, "9408", "grey-locked", lock_it, [open](Chip& card) { return open.command(card); });
    for (const char* name :
         {"INITIALIZE FOR LOAD", "INITIALIZE FOR UNLOAD", "INITIALIZE FOR UPDATE",
          "INITIALIZE FOR PURCHASE", "INITIALIZE FOR CAPP PURCHASE"}) {
        static const std::map<std::string, std::string> heads{
            {"INITIALIZE FOR LOAD", "80500002"},
            {"INITIALIZE FOR UNLOAD", "80500502"},
            {"INITIALIZE FOR UPDATE", "80500402"},
            {"INITIALIZE FOR PURCHASE", "80500102"},
            {"INITIALIZE FOR CAPP PURCHASE", "80500302"}};
        to.add(name, "9408", "grey-locked", ready_card, lock_it,
               fixed(heads.at(name) + "0B 01 00000001 000001000050"));
    }

    const Good locks{
        "GREY LOCK",
        ready_card,
        {0xE0, 0x7C, 0x08, 0x00},
        [](Chip& card) {
            const auto opened = open_grey(card, terminal_sam());
            return data_of(protocol::grey_lock({opened.sam.sequence, noon(), opened.sam.mac1}));
        },
        8};
    add_second(to, locks, KeyUsage::purchase);
    add_common(to, locks, "F");

    const Good by_station{"DEBIT FOR UNLOCK",
                          ready_card,
                          {0xE0, 0x7E, 0x08, 0x01},
                          [](Chip& card) {
                              lock_grey(card, terminal_sam());
                              protocol::Mac mac{};
                              const auto amount = protocol::Money::from_fen(1);
                              std::ranges::copy(
                                  terminal_sam().must(protocol::sam_grey_debit(amount, noon())),
                                  mac.begin());
                              return data_of(protocol::grey_debit({amount, noon(), mac}));
                          },
                          4};
    add_common(to, by_station, "LPESDWBG");
    to.add_damaged_key(by_station, KeyUsage::purchase);
    to.add(
        by_station, "6A84", "reserve used up",
        [lock_it](Chip& card) {
            lock_it(card);
            drain(card);
        },
        fixed("E07E0801 0F 00000001 20260501120000 00000000"));
    to.add(by_station, "6901", "not grey-locked", nothing,
           fixed("E07E0801 0F 00000001 20260501120000 00000000"));
    to.add(by_station, "6A80", "date", lock_it,
           fixed("E07E0801 0F 00000001 20261301120000 00000000"));
    const auto wrong = fixed("E07E0801 0F 00000001 20260501120000 00000000");
    to.add(by_station, "9302", "MAC wrong", lock_it, wrong);
    to.add(
        by_station, "9303", "MAC wrong for the last time",
        [lock_it, wrong](Chip& card) {
            lock_it(card);
            for (int i = 0; i < 9; ++i) (void)card.send(wrong(card));
        },
        wrong, true);
    to.add(by_station, "9401", "amount", nothing, [](Chip& card) {
        lock_grey(card, terminal_sam());
        const auto amount = protocol::Money::from_fen(1'000'000);
        protocol::Mac mac{};
        std::ranges::copy(terminal_sam().must(protocol::sam_grey_debit(amount, noon())),
                          mac.begin());
        return bytes_of(protocol::grey_debit({amount, noon(), mac}));
    });

    const Good open_unlock{"INITIALIZE FOR GREY UNLOCK",
                           ready_card,
                           {0xE0, 0x7A, 0x09, 0x01},
                           [lock_it, key_and_terminal](Chip& card) {
                               lock_it(card);
                               verify(card);
                               return key_and_terminal;
                           },
                           16};
    add_common(to, open_unlock, "LPESDBG");
    to.add_damaged_key(open_unlock, KeyUsage::unload);
    to.add(
        open_unlock, "9402", "counter at its end",
        [lock_it](Chip& card) {
            lock_it(card);
            exhaust_counters(card);
            verify(card);
        },
        fixed("E07A0901 07 01000001000050"));
    const auto at_once = fixed("E07A0901 07 01000001000050");
    to.add(open_unlock, "6985", "not grey-locked", nothing, at_once);
    to.add(open_unlock, "6982", "PIN not verified", lock_it, at_once);
    to.add(open_unlock, "9403", "no such key", lock_it, [other_and_terminal](Chip& card) {
        verify(card);
        return bytes_of(protocol::make_command(0xE0, 0x7A, 0x09, 0x01, other_and_terminal));
    });
    const Good unlocks{"GREY UNLOCK",
                       ready_card,
                       {0xE0, 0x7E, 0x09, 0x00},
                       [lock_it](Chip& card) {
                           if (card.must(protocol::get_grey_proof())[0] == 0) lock_it(card);
                           return data_of(issuer_unlock(card, 1));
                       },
                       4};
    add_second(to, unlocks, KeyUsage::unload);
    to.add(
        unlocks, "6A84", "reserve used up",
        [lock_it](Chip& card) {
            lock_it(card);
            drain_but_for_the_pin(card);
        },
        [unlocks](Chip& card) { return unlocks.command(card); });
    to.add(unlocks, "9401", "amount", lock_it,
           [](Chip& card) { return bytes_of(issuer_unlock(card, 1'000'000)); });

    const Good proof{
        "GET LOCK PROOF", ready_card, {0xE0, 0xCA, 0x00, 0x00}, {[](Chip&) { return Data{}; }}, 17};
    add_common(to, proof, "LPESD");
    to.add_damaged(
        proof, "lock damaged", [](const Chip&) { return Objects{firmware::objects::state(0, 2)}; },
        lock_it);

    const Good sums{"SAM GREY DEBIT",
                    ready_sam,
                    {0xE0, 0x44, 0x00, 0x00},
                    [](Chip& sam) {
                        Chip card = ready_card();
                        lock_grey(card, sam);
                        return hex("00000001 20260501120000");
                    },
                    4};
    add_common(to, sums, "LPESDBG");
    to.add(sums, "6901", "not opened", nothing, fixed("E0440000 0B 00000001 20260501120000"));
    to.add(sums, "6A80", "date", nothing, [sums](Chip& sam) {
        return sums.command(sam, Form::right, [](Data& data, auto&) { data[6] = 0x13; });
    });
}

}  // namespace

void add_purse(Provokers& to) {
    add_grey(to);
    const Good balance{
        "GET BALANCE", ready_card, {0x80, 0x5C, 0, 2}, {[](Chip&) { return Data{}; }}, 4};
    add_common(to, balance, "LPESD");
    const auto purse = [](const Chip&) { return Objects{firmware::objects::state(0, 0)}; };
    to.add_damaged(balance, "purse damaged", purse);
    add_online(to, "INITIALIZE FOR LOAD", 0x00, 16, KeyUsage::load);
    add_online(to, "INITIALIZE FOR UNLOAD", 0x05, 16, KeyUsage::unload);
    add_online(to, "INITIALIZE FOR UPDATE", 0x04, 19, KeyUsage::overdraft);
    add_offline(to, "INITIALIZE FOR PURCHASE", 0x01);
    add_offline(to, "INITIALIZE FOR CAPP PURCHASE", 0x03);
    add_second_commands(to);
    add_cache(to);
    const Good message{"GET MESSAGE",
                       ready_card,
                       {0x80, 0xCA, 0, 0},
                       [](Chip& card) {
                           card.must(protocol::initialise_for_purchase(initialise_data(0)));
                           return Data{};
                       },
                       9};
    add_common(to, message, "ES");
    to.add(message, "6A88", "another application", select_master, fixed("80CA000009"));
    to.add(message, "6901", "not opened", nothing, fixed("80CA000009"));
    const Good prove{
        "GET TRANSACTION PROVE", ready_card, {0x80, 0x5A, 0, 6}, holding(hex("0000")), 8};
    add_common(to, prove, "LPESDBG");
    to.add_damaged(prove, "purse damaged", purse);
    to.add(prove, "9406", "no such transaction", nothing, fixed("805A0006 02 0001 08"));
}

void add_sam(Provokers& to) {
    const Data init = data_of(protocol::init_sam_for_purchase({{1, 2, 3, 4},
                                                               protocol::OfflineCounter{7},
                                                               protocol::Money::from_fen(5),
                                                               TransactionType::purchase,
                                                               noon(),
                                                               key_version,
                                                               Suite::sm4,
                                                               protocol::card_factor(card_number),
                                                               issuer.value()}));
    const Good opens{"INIT SAM FOR PURCHASE", ready_sam, {0x80, 0x70, 0, 0}, holding(init), 8};
    add_common(to, opens, "LPESDWBGF");
    to.add_damaged_key(opens, KeyUsage::sam_purchase);
    const auto spoilt = [&](const char* word, const char* cause, std::size_t at,
                            std::uint8_t value) {
        to.add(opens, word, cause, nothing, [=](Chip& sam) {
            return opens.command(sam, Form::right, [&](Data& data, auto&) { data[at] = value; });
        });
    };
    spoilt("6A80", "date or type", 10, 0x03);
    spoilt("9403", "no such key", 18, 0x77);
    spoilt("6A80", "grey lock with a sum", 10, 0x91);
    to.add(opens, "9402", "numbers used up", exhaust_numbers,
           [opens](Chip& sam) { return opens.command(sam); });

    const Good credits{"CREDIT SAM FOR PURCHASE", ready_sam, {0x80, 0x72, 0, 0}, [init](Chip& sam) {
                           sam.must(protocol::make_command(0x80, 0x70, 0, 0, init, 8));
                           return Data{1, 2, 3, 4};
                       }};
    add_common(to, credits, "LPSDBG");
    to.add(credits, "9302", "MAC wrong", nothing,
           [credits](Chip& sam) { return credits.command(sam); });
    to.add(credits, "6901", "not opened", nothing, fixed("80720000 04 01020304"));

    const Data factors(16, 0x31);
    const Good prepares{"80 1A", ready_sam, {0x80, 0x1A, 0x45, 0x00}, holding(factors)};
    add_common(to, prepares, "LSDBG");
    to.add_damaged_key(prepares, KeyUsage::sam_delegated_mac);
    to.add(prepares, "6A86", "P1-P2", nothing, fixed("801A8500 04 00000000"));
    to.add(prepares, "9403", "no such key", nothing, [factors](Chip&) {
        return bytes_of(protocol::make_command(0x80, 0x1A, 0x45, 7, factors));
    });
    to.add(prepares, "6985", "not for this purpose", nothing, [factors](Chip&) {
        return bytes_of(protocol::make_command(0x80, 0x1A, 0x46, 0, factors));
    });

    const Good computes{"80 FA",
                        ready_sam,
                        {0x80, 0xFA, 0x05, 0x00},
                        [prepares](Chip& sam) {
                            sam.must(prepares.command(sam));
                            return hex("0102030405060708 841E000004800000");
                        },
                        4};
    add_common(to, computes, "PESDBG");
    to.add_damaged_key(computes, KeyUsage::sam_delegated_mac);
    to.add(computes, "6700", "length", nothing, [prepares](Chip& sam) {
        sam.must(bytes_of(protocol::make_command(0x80, 0x1A, 0x46, 2, Data(16, 0x31))));
        return hex("80FA0800 02 0102");
    });
    to.add(computes, "6985", "not for this purpose", nothing, [computes](Chip& sam) {
        return computes.command(sam, Form::right, [](Data& data, auto&) { data[9] = 0x18; });
    });
    const auto counted =
        bytes_of(protocol::make_command(0x80, 0x1A, 0x45, counted_lock_index(Suite::sm4), factors));
    Good counts = computes;
    counts.data = [counted](Chip& sam) {
        sam.must(counted);
        return hex("0102030405060708 841E000004800000");
    };
    add_common(to, counts, "WF");
    to.add(
        prepares, "9402", "uses used up",
        [counts](Chip& sam) {
            for (unsigned i = 0; i < counted_uses.value(); ++i) sam.must(counts.command(sam));
        },
        [counted](Chip&) { return counted; });
    to.add(computes, "6901", "no 80 1A before", nothing,
           fixed("80FA0500 10 0102030405060708841E000004800000"));
}

}  // namespace tests::status_words
