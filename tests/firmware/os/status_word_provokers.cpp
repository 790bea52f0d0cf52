#include "tests/firmware/os/status_words.hpp"

namespace tests::status_words {

namespace {

[[nodiscard]] std::function<Data(Chip&)> fixed(std::string_view text) {
    return [command = hex(text)](Chip&) { return command; };
}
[[nodiscard]] Data no_data(Chip&) {
    return {};
}
[[nodiscard]] std::function<Data(Chip&)> holding(Data data) {
    return [data = std::move(data)](Chip&) { return data; };
}
[[nodiscard]] std::function<Data(Chip&)> in_session(
    std::function<protocol::ShortCommand(crypto::purse::PersonalisationSession&)> make) {
    return [make = std::move(make)](Chip& chip) {
        auto session = open_session(chip);
        return bytes_of(make(session));
    };
}

void add_any(Provokers& to) {
    const auto add = [&](const char* word, const char* cause, std::function<void(Chip&)> arrange,
                         std::string_view command) {
        to.add("any command", word, cause, ready_card, std::move(arrange), fixed(command));
    };
    add("6700", "not a command, or an extended one", nothing, "00A40400 00 0008 A000000632010105");
    add("6881", "a logical channel", nothing, "01A40000 02 3F00");
    add("6E00", "class", nothing, "A0A40000 02 3F00");
    add("6D00", "instruction", nothing, "00FF0000");
    add("6A81", "card blocked", block_card, "00A40000 02 3F00");
    add("6581", "the chip's own entry is damaged", nothing, "00A40000 02 3F00");
    to.all.back().damage = [](const Chip&) { return Objects{firmware::objects::chip}; };
}

[[nodiscard]] std::function<Objects(const Chip&)> file_objects(std::uint16_t identifier) {
    return [identifier](const Chip& chip) { return descriptions_of(chip, identifier); };
}

void add_files(Provokers& to) {
    const Good select{
        "SELECT", ready_card, {0x00, 0xA4, 0x04, 0x00}, holding(hex("A000000632010105")), 256};
    add_common(to, select, "LPS");
    to.add(select, "6A82", "no such file", nothing, fixed("00A40000 02 3F77"));
    to.add(select, "6Cxx", "Le too small", nothing, fixed("00A40000 02 3F00 05"));
    to.add(
        select, "6283", "application blocked", [](Chip& chip) { block_application(chip, 0); },
        fixed("00A40400 08 A000000632010105"));

    // The application's description, or the image that its FCI carries.
    to.add_damaged(select, "file damaged", file_objects(0x3F01));

    const Good binary{"READ BINARY", ready_card, {0x00, 0xB0, 0x95, 0x00}, no_data, 30};
    add_common(to, binary, "LS");
    to.add(binary, "6A86", "P1-P2", nothing, fixed("00B0B50000"));
    to.add(binary, "6A82", "no such file", nothing, fixed("00B0990000"));
    to.add(binary, "6981", "not a transparent file", nothing, fixed("00B0980000"));
    to.add(binary, "6982", "access", nothing, fixed("00B0960000"));
    to.add(binary, "6986", "no current file", nothing, fixed("00B0000000"));
    to.add(binary, "6B00", "offset", nothing, fixed("00B0951E00"));
    to.add_damaged(binary, "file damaged", file_objects(0x0015));

    const Good record{"READ RECORD", ready_card, {0x00, 0xB2, 0x01, 0xC4}, no_data, 23};
    add_common(to, record, "LPSE");
    to.add(record, "6A82", "no such file", nothing, fixed("00B201CC00"));
    to.add(record, "6981", "not a record file", nothing, fixed("00B201AC00"));
    to.add(record, "6986", "no current file", nothing, fixed("00B2010400"));
    to.add(record, "6A83", "no such record", nothing, fixed("00B20BC400"));
    to.add(record.name, "6982", "access", rich_card, nothing, fixed("00B201DC00"));
    to.add_damaged(record, "file damaged", file_objects(0x0018));

    const Good update{"UPDATE BINARY",    ready_card, {0x04, 0xD6, 0x97, 0x05},
                      holding({1, 2, 3}), {},         KeyUsage::maintenance};
    add_common(to, update, "NCMTWKBGFX");
    const auto spoilt = [&](const Good& good, const char* word, const char* cause,
                            std::array<std::uint8_t, 4> header, Data data) {
        to.add(good, word, cause, nothing, [=](Chip& chip) {
            return good.command(chip, Form::right,
                                [&](Data& body, auto& head) { body = data, head = header; });
        });
    };
    spoilt(update, "6700", "length", {0x04, 0xD6, 0x97, 58}, {1, 2, 3});
    spoilt(update, "6A86", "P1-P2", {0x04, 0xD6, 0xF7, 5}, {1});
    spoilt(update, "6A82", "no such file", {0x04, 0xD6, 0x99, 5}, {1});
    spoilt(update, "6981", "not a transparent file", {0x04, 0xD6, 0x98, 5}, {1});
    spoilt(update, "6986", "no current file", {0x04, 0xD6, 0x00, 5}, {1});
    spoilt(update, "6B00", "offset", {0x04, 0xD6, 0x97, 60}, {1});
    to.add(update.name, "6982", "access", rich_card, nothing, [update](Chip& chip) {
        return update.command(chip, Form::right, [](Data&, auto& head) { head[2] = 0x99; });
    });

    const auto rail = journey(3);
    const Good rewrite{"UPDATE RECORD",
                       ready_card,
                       {0x04, 0xDC, 0x01, 0xD4},
                       holding({rail.begin(), rail.end()}),
                       {},
                       KeyUsage::maintenance};
    add_common(to, rewrite, "NCMTWKBGFX");
    spoilt(rewrite, "6700", "length", {0x04, 0xDC, 0x01, 0xD4}, {});
    spoilt(rewrite, "6A86", "P1-P2", {0x04, 0xDC, 0x01, 0xD5}, {1});
    spoilt(rewrite, "6A82", "no such file", {0x04, 0xDC, 0x01, 0xCC}, {1});
    spoilt(rewrite, "6981", "not a record file", {0x04, 0xDC, 0x01, 0xBC}, {1});
    spoilt(rewrite, "6982", "access", {0x04, 0xDC, 0x01, 0xC4}, Data(23));
    spoilt(rewrite, "6986", "no current file", {0x04, 0xDC, 0x01, 0x04}, {1});
    spoilt(rewrite, "6A83", "no such record", {0x04, 0xDC, 0x02, 0xD4}, Data(128));

    const Good append{"APPEND RECORD",
                      ready_card,
                      {0x04, 0xE2, 0x00, 0xD0},
                      holding({rail.begin(), rail.end()}),
                      {},
                      KeyUsage::maintenance};
    add_common(to, append, "NCMTWKPBGFX");
    spoilt(append, "6700", "length", {0x04, 0xE2, 0x00, 0xD0}, Data(129));
    spoilt(append, "6A82", "no such file", {0x04, 0xE2, 0x00, 0xC8}, {1});
    spoilt(append, "6981", "not a record file", {0x04, 0xE2, 0x00, 0xB8}, {1});
    spoilt(append, "6982", "access", {0x04, 0xE2, 0x00, 0xC0}, Data(23));
    spoilt(append, "6986", "no current file", {0x04, 0xE2, 0x00, 0x00}, {1});
    to.add(
        append, "6A84", "file full", [append](Chip& chip) { chip.must(append.command(chip)); },
        [append](Chip& chip) { return append.command(chip); });
}

void add_authentication(Provokers& to) {
    const Good challenge{"GET CHALLENGE", ready_card, {0x00, 0x84, 0x00, 0x00}, no_data, 8};
    add_common(to, challenge, "PLS");

    const Good external{
        "EXTERNAL AUTHENTICATE", ready_card, {0x00, 0x82, 0x00, 0x00}, [](Chip& card) {
            const auto cryptogram = crypto::purse::authentication_cryptogram(
                card_key(KeyUsage::control, Suite::sm4),
                crypto::purse::Challenge{challenge_of(card)});
            return Data{cryptogram.begin(), cryptogram.end()};
        }};
    add_common(to, external, "LPSWF");
    to.add_damaged_key(external, KeyUsage::control);
    const auto wrong_answer = [](Chip& card) {
        (void)challenge_of(card);
        return hex("00820000 08 0000000000000000");
    };
    to.add(external, "6984", "no challenge", nothing, fixed("00820000 08 0000000000000000"));
    to.add(
        external, "6A88", "no such key", [](Chip& card) { card.must(protocol::get_challenge_8()); },
        fixed("00820005 08 0000000000000000"));
    to.add(external, "63Cx", "cryptogram wrong", nothing, wrong_answer);
    to.add(
        external, "6983", "tries used up",
        [wrong_answer](Chip& card) {
            for (int i = 0; i < 10; ++i) (void)card.send(wrong_answer(card));
        },
        [external](Chip& card) { return external.command(card); });

    const Good internal{"INTERNAL AUTHENTICATE",
                        ready_card,
                        {0x00, 0x88, 0x00, 0x01},
                        holding({1, 2, 3, 4, 5, 6, 7, 8}),
                        8};
    add_common(to, internal, "LPESBG");
    to.add_damaged_key(internal, KeyUsage::internal_authentication);
    to.add(internal, "6A88", "no such key", nothing, fixed("00880009 08 0102030405060708"));
}

void add_pins(Provokers& to) {
    const auto with_pin = holding({first_pin.begin(), first_pin.end()});
    Good verifies{"VERIFY", ready_card, {0x00, 0x20, 0x00, 0x00}, with_pin};
    verifies.wrong_length = Data(9, 0x12);
    add_common(to, verifies, "LPSBGKWF");
    to.add_damaged_key(verifies, KeyUsage::pin);
    to.add(verifies, "63Cx", "another PIN", nothing, fixed("00200000 03 654321"));
    to.add(verifies, "6983", "tries used up", block_pin, fixed("00200000 03 123456"));

    const Good change{
        "CHANGE PIN", ready_card, {0x80, 0x5E, 0x01, 0x00}, holding(hex("123456FF9876"))};
    add_common(to, change, "SBGKWPF");
    to.add_damaged_key(change, KeyUsage::pin);
    to.add(change, "63Cx", "another PIN", nothing, fixed("805E0100 06 654321FF9876"));
    to.add(change, "6983", "tries used up", block_pin, fixed("805E0100 06 123456FF9876"));
    to.add(change, "6A80", "new PIN malformed", nothing, fixed("805E0100 06 123456FF9A76"));

    const auto reload_data = [](const Data& digits) {
        const auto mac =
            crypto::purse::reload_pin_mac(card_key(KeyUsage::pin_reload, Suite::sm4), digits);
        Data data = digits;
        data.insert(data.end(), mac.begin(), mac.end());
        return data;
    };
    Good reload{
        "RELOAD PIN", ready_card, {0x80, 0x5E, 0x00, 0x00}, holding(reload_data(hex("9876")))};
    add_common(to, reload, "LSBGKWPF");
    to.add_damaged_key(reload, KeyUsage::pin_reload);
    to.add(reload, "6988", "MAC wrong", nothing, fixed("805E0000 06 9876 00000000"));
    to.add(
        reload, "6983", "tries used up",
        [](Chip& card) {
            for (int i = 0; i < 10; ++i) (void)card.send(hex("805E0000 06 9876 00000000"));
        },
        [reload](Chip& card) { return reload.command(card); });
    to.add(reload, "6A80", "new PIN malformed", nothing, [=](Chip&) {
        return bytes_of(protocol::make_command(0x80, 0x5E, 0, 0, reload_data(hex("9A76"))));
    });

    const auto enciphered = [](Data plain) {
        Data out(32);
        out.resize(crypto::purse::encipher(card_key(KeyUsage::pin_unblock, Suite::sm4), plain, out)
                       .value());
        return out;
    };
    Good unblock{"PIN UNBLOCK",
                 ready_card,
                 {0x84, 0x24, 0x00, 0x00},
                 [enciphered](Chip& card) {
                     block_pin(card);
                     return enciphered(hex("9876"));
                 },
                 {},
                 KeyUsage::pin_unblock};
    unblock.wrong_length = Data(33);
    add_common(to, unblock, "LPNCMTKBGWX");
    Good at_once = unblock;
    at_once.data = holding(enciphered(hex("9876")));
    const auto send_at_once = [at_once](Chip& card) { return at_once.command(card); };
    to.add(unblock, "6985", "PIN not blocked", nothing, send_at_once);
    to.add(unblock, "6A84", "reserve used up", block_pin_and_drain, send_at_once);
    to.add(unblock, "6A80", "new PIN malformed", nothing, [=](Chip& card) {
        return unblock.command(card, Form::right,
                               [&](Data& data, auto&) { data = enciphered(hex("9A")); });
    });
}

[[nodiscard]] Data enciphered_key(std::string_view header) {
    Data plain = hex(header);
    plain.resize(plain.size() + 16, 0x5C);
    Data out(32);
    out.resize(
        crypto::purse::encipher(card_key(KeyUsage::control, Suite::sm4), plain, out).value());
    return out;
}

void add_management(Provokers& to) {
    Good write{"WRITE KEY",
               ready_card,
               {0x84, 0xD4, 0x07, 0x01},
               holding(enciphered_key("0204AA00")),
               {},
               KeyUsage::control};
    write.wrong_length = Data(33);
    add_common(to, write, "LNCMTKBGWFX");
    const auto spoilt = [&](const char* word, const char* cause, std::uint8_t index,
                            std::string_view header) {
        to.add(write, word, cause, nothing, [=](Chip& card) {
            return write.command(card, Form::right, [&](Data& data, auto& head) {
                data = enciphered_key(header), head[3] = index;
            });
        });
    };
    spoilt("6A80", "key malformed", 1, "0201AA00");
    spoilt("6985", "no such key to replace", 2, "0204AA00");
    to.add(write, "6A80", "a SAM usage that section 8 lacks", nothing, [=](Chip& card) {
        return write.command(card, Form::right, [](Data& data, auto& head) {
            data =
                enciphered_key("0104002700000000");  // with two bytes of uses; type 07, one level
            head[2] = 0x25;
        });
    });
    to.add(
        write.name, "6A84", "no room for another key", blank,
        [](Chip& chip) {
            auto session = open_session(chip);
            const PurseKey key = card_key(KeyUsage::purchase, Suite::sm4);
            for (std::uint8_t index = 0; index < firmware::objects::key_slot_count; ++index) {
                chip.must(session.write_key(KeyUsage::purchase, protocol::KeyIndex{index},
                                            protocol::KeyVersion{1}, key));
            }
        },
        in_session([](crypto::purse::PersonalisationSession& session) {
            return session.write_key(KeyUsage::load, protocol::KeyIndex{1}, protocol::KeyVersion{1},
                                     card_key(KeyUsage::load, Suite::sm4));
        }));

    const Good block{"APPLICATION BLOCK",       ready_card, {0x84, 0x1E, 0x00, 0x00}, no_data, {},
                     KeyUsage::application_lock};
    add_common(to, block, "LPNCMTWFX");
    to.add(
        block, "6985", "application blocked for good",
        [](Chip& chip) { block_application(chip, 1); },
        [block](Chip& chip) { return block.command(chip); });
    to.add(block.name, "6A88", "no such key", blank, nothing,
           [block](Chip& chip) { return block.command(chip); });
    to.add(block, "6985", "in the MF", select_master,
           [block](Chip& chip) { return block.command(chip); });

    const auto block_first = [](Chip& card) {
        block_application(card, 0);
        return Data{};
    };
    const Good unblock{"APPLICATION UNBLOCK", ready_card, {0x84, 0x18, 0x00, 0x00},
                       block_first,           {},         KeyUsage::application_unlock};
    add_common(to, unblock, "LPNCMTWX");
    Good at_once = unblock;
    at_once.data = no_data;
    const auto send_at_once = [at_once](Chip& chip) { return at_once.command(chip); };
    to.add(unblock, "6A88", "no such key", select_master, send_at_once);
    to.add(unblock, "6985", "not blocked", nothing, send_at_once);
    to.add(
        unblock, "6A84", "reserve used up",
        [](Chip& card) {
            drain(card);
            (void)card.send(protocol::select_by_name(protocol::transit_aid));
        },
        send_at_once);
    to.add(
        unblock, "9303", "application blocked for good",
        [](Chip& card) { block_application(card, 1); }, send_at_once);

    const Good card_block{"CARD BLOCK",
                          ready_card,
                          {0x84, 0x16, 0x00, 0x00},
                          [](Chip& card) {
                              select_master(card);
                              return Data{};
                          },
                          {},
                          KeyUsage::application_lock};
    add_common(to, card_block, "LPNCMTWFX");
    to.add(card_block.name, "6A88", "no such key", ready_sam, nothing,
           [card_block](Chip& chip) { return card_block.command(chip); });
    to.add(card_block, "6985", "MF not selected", nothing, [card_block](Chip& chip) {
        Good elsewhere = card_block;
        elsewhere.data = no_data;
        return elsewhere.command(chip);
    });

    const Good data{"GET DATA", ready_card, {0x80, 0xCA, 0xDF, 0x20}, no_data, 11};
    add_common(to, data, "ES");
    to.add(data, "6A88", "no such object", nothing, fixed("80CADF2100"));
}

void add_session(Provokers& to) {
    const auto wrong = [](Chip& chip) {
        (void)challenge_of(chip);
        return hex("00820000 08 0000000000000000");
    };
    const char* const open = "EXTERNAL AUTHENTICATE, blank chip";
    to.add(open, "6700", "length", blank, nothing, fixed("00820000 07 00000000000000"));
    to.add(open, "6A86", "P1-P2", blank, nothing, fixed("00820100 08 0000000000000000"));
    to.add(
        open, "6984", "no challenge of 8 bytes", blank,
        [](Chip& chip) { chip.must(protocol::get_challenge_4()); },
        fixed("00820000 08 0000000000000000"));
    to.add(open, "63Cx", "cryptogram wrong", blank, nothing, wrong);
    to.add(
        open, "6983", "tries used up", blank,
        [wrong](Chip& chip) {
            for (int i = 0; i < 10; ++i) (void)chip.send(wrong(chip));
        },
        wrong);

    to.add(open, "6581", "the memory fails", blank, nothing, wrong);
    to.add(open, "6581", "transport key damaged", blank, nothing, wrong);
    to.all.back().damage = [](const Chip&) { return Objects{firmware::objects::transport_key}; };
    to.add(open, "6882", "sent protected", blank, nothing, fixed("04820000 08 0000000000000000"));

    using Session = crypto::purse::PersonalisationSession;
    const auto add_common_of = [&](const char* name, std::string_view without_session,
                                   std::function<protocol::ShortCommand(Session&)> make) {
        to.add(name, "6982", "no session", blank, nothing, fixed(without_session));
        to.add(name, "6985", "card is active", ready_card, nothing, fixed(without_session));
        to.add(name, "6988", "MAC wrong", blank, nothing, in_session([make](Session& session) {
                   (void)session.protect(protocol::erase_command());  // a number left out
                   return make(session);
               }));
        to.add(name, "6581", "the memory fails", unfinished, nothing, in_session(make));
        Data plain = hex(without_session);
        plain[0] &= 0xFB;
        to.add(
            name, "6987", "sent plain", blank, [](Chip& chip) { (void)open_session(chip); },
            [plain](Chip&) { return plain; });
    };
    const auto protect_raw = [](std::array<std::uint8_t, 4> header, Data data,
                                std::optional<unsigned> le = {}) {
        return [=](Session& session) { return session.protect({header, data, le}); };
    };
    add_common_of("ERASE", "840E000004 00000000", protect_raw({0x84, 0x0E, 0, 0}, {}));
    to.add("ERASE", "6A86", "P1-P2", blank, nothing,
           in_session(protect_raw({0x84, 0x0E, 1, 0}, {})));
    to.add("ERASE", "6700", "length", blank, nothing,
           in_session(protect_raw({0x84, 0x0E, 0, 0}, {1})));
    add_common_of("ACTIVATE", "8444000004 00000000 04", protect_raw({0x84, 0x44, 0, 0}, {}, 4));
    to.add("ACTIVATE", "6A86", "P1-P2", blank, nothing,
           in_session(protect_raw({0x84, 0x44, 1, 0}, {}, 4)));
    to.add("ACTIVATE", "6700", "length", blank, nothing,
           in_session(protect_raw({0x84, 0x44, 0, 0}, {1}, 4)));
    to.add("ACTIVATE", "6Cxx", "Le too small", blank, nothing,
           in_session(protect_raw({0x84, 0x44, 0, 0}, {}, 3)));
    const Data file = hex("28 15 00 03 01 0010");
    add_common_of("CREATE FILE", "84E000150B 28150003010010 00000000",
                  protect_raw({0x84, 0xE0, 0, 0x15}, file));
    to.add("CREATE FILE", "6A80", "malformed", blank, nothing,
           in_session(protect_raw({0x84, 0xE0, 0, 0x15}, hex("28 1F 00 03 01 0010"))));
    to.add("CREATE FILE", "6A84", "no space", blank, nothing,
           in_session(protect_raw({0x84, 0xE0, 0, 0x15}, hex("28 15 00 03 01 7FFF"))));
    to.add(
        "CREATE FILE", "6A89", "file exists", blank,
        [](Chip& chip) {
            auto session = open_session(chip);
            const Data same = hex("28 15 00 03 01 0010");
            chip.must(session.protect({{0x84, 0xE0, 0, 0x15}, same}));
        },
        in_session(protect_raw({0x84, 0xE0, 0, 0x15}, file)));
}

}  // namespace

void add_purse(Provokers& to);
void add_sam(Provokers& to);

Provokers make_provokers() {
    Provokers out;
    add_any(out);
    add_files(out);
    add_authentication(out);
    add_pins(out);
    add_management(out);
    add_session(out);
    add_purse(out);
    add_sam(out);
    return out;
}

}  // namespace tests::status_words
