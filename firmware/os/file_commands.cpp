#include "firmware/os/commands.hpp"
#include "protocol/tlv.hpp"

namespace firmware {

using protocol::fail;

Outcome<void> enter_directory(Context& card, FileHandle directory) {
    ONECARD_TRY(description, card.files.describe(directory));
    Session& session = card.session;
    card.close_transactions();
    if (session.directory != directory) session.sam = {};  // the numbers it had reserved are burnt
    session.directory = directory;
    session.file.reset();
    session.application = static_cast<protocol::ApplicationKind>(description.application & 0x0F);
    session.instance = description.application >> 4;
    session.rights = {};
    return {};
}

namespace {

using protocol::ByteWriter;

constexpr std::uint8_t application_version = 1;
constexpr std::size_t issuer_data_max = 96;

/// What was proved, was proved to the current directory, and a MAC was under its key: for a file of
/// another one (the MF's, which applications read by short identifier) it counts nothing.
[[nodiscard]] firmware::Access access_of(const Context& card, const Request& request,
                                         FileHandle file) {
    const bool with_mac = request.with_mac && card.proof.is_still_right();
    if (card.session.personalisation && with_mac) return firmware::Access::internal();
    const auto parent = card.files.parent(file);
    if (!parent || *parent != card.session.directory) return {};
    return {.rights = card.session.rights.bits(), .with_mac = with_mac};
}

/// Behind what was done to the file, before it is kept or answered: was it permitted?
[[nodiscard, gnu::noinline]] Outcome<void> look_again(const Context& card, const Request& request,
                                                      FileHandle file, FileUse use) {
    const bool is_issuer = card.session.personalisation && card.proof.is_still_right();
    if (is_issuer) return {};
    return refuse_unless(card.files.permits(file, access_of(card, request, file), use),
                         StatusWord::security_status_not_satisfied);
}

/// File 15's image, so that a tap need not read the file. domain.md 1.8.
void put_issuer_data(const Context& card, FileHandle directory, ByteWriter& out) {
    const auto file =
        card.files.by_short_identifier(directory, ShortFileIdentifier{protocol::sfi_public_info});
    if (!file) return;
    std::array<std::uint8_t, issuer_data_max> image{};
    const auto size = card.files.read_binary(*file, {}, 0, image);
    const auto description = card.files.describe(*file);
    if (!size || !description || description->size > image.size()) return;
    protocol::put_tlv(out, protocol::tag_9F0C_issuer_data, Bytes{image}.first(*size));
}

/// 6F { 84 name, A5 { 9F08 version, 9F0C file 15 } }. ISO/IEC 7816-4:2005, 5.3.3.
[[nodiscard]] Outcome<void> put_control_information(Context& card, FileHandle directory) {
    ONECARD_TRY(description, card.files.describe(directory));
    std::array<std::uint8_t, issuer_data_max + 16> proprietary{};
    ByteWriter inner{proprietary};
    protocol::put_tlv(inner, 0x9F08, std::array{application_version});
    put_issuer_data(card, directory, inner);
    std::array<std::uint8_t, proprietary.size() + 32> body{};
    ByteWriter outer{body};
    protocol::put_tlv(outer, 0x84, Bytes{description.name}.first(description.name_size));
    protocol::put_tlv(outer, 0xA5, inner.written());
    protocol::put_tlv(card.answer, 0x6F, outer.written());
    return {};
}

[[nodiscard]] Outcome<FileHandle> find_selected(const Context& card, const Request& request) {
    constexpr std::uint8_t by_identifier = 0x00, by_name = 0x04;  // 7.1.1, table 39
    if (request.p2() != 0x00) return fail(StatusWord::incorrect_p1_p2);
    if (request.p1() == by_name) {
        ONECARD_CHECK(refuse_unless(request.data.size() >= 5 && request.data.size() <= 16,
                                    StatusWord::wrong_length));
        auto file = card.files.by_name(request.data, Occurrence::first, master_file);
        while (file) {  // whole names only; each turn is a later file
            ONECARD_TRY(found, card.files.describe(*file));
            if (found.name_size == request.data.size()) return file;
            file = card.files.by_name(request.data, Occurrence::next, *file);
        }
        return file;
    }
    if (request.p1() != by_identifier) return fail(StatusWord::incorrect_p1_p2);
    if (request.data.empty()) return master_file;  // 7.1.1: no identifier means the MF
    ONECARD_CHECK(refuse_unless(request.data.size() == 2, StatusWord::wrong_length));
    const auto identifier =
        static_cast<std::uint16_t>(protocol::read_big_endian(request.data.first<2>()));
    return card.files.select(card.session.directory, FileIdentifier{identifier});
}

enum class Purpose : std::uint8_t { reading, writing };

/// The file that P2's upper five bits name, or the current one. 7.3.1. Only reading finds the MF's
/// files from an application: its keys must not write there.
[[nodiscard]] Outcome<FileHandle> named_file(const Context& card, std::uint8_t sfi,
                                             Purpose purpose) {
    if (sfi != 0 && purpose == Purpose::writing) {
        return card.files.by_short_identifier(card.session.directory, ShortFileIdentifier{sfi});
    }
    if (sfi != 0) return card.short_file(sfi);
    if (!card.session.file) return fail(StatusWord::no_current_file);
    if (purpose == Purpose::writing) {  // reading may have made a file of the MF current
        ONECARD_TRY(parent, card.files.parent(*card.session.file));
        if (parent != card.session.directory) return fail(StatusWord::file_not_found);
    }
    return *card.session.file;
}

struct BinaryPlace {
    FileHandle file;
    std::size_t offset;
};
/// READ and UPDATE BINARY: bit 8 of P1 says whether a short identifier is given. 7.2.2.
[[nodiscard]] Outcome<BinaryPlace> binary_place(Context& card, const Request& request,
                                                Purpose purpose) {
    if ((request.p1() & 0x80) == 0) {
        ONECARD_TRY(current, named_file(card, 0, purpose));
        return BinaryPlace{current, static_cast<std::size_t>(request.p1() << 8 | request.p2())};
    }
    const auto sfi = static_cast<std::uint8_t>(request.p1() & 0x1F);
    if ((request.p1() & 0x60) != 0 || sfi == 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_TRY(file, named_file(card, sfi, purpose));
    return BinaryPlace{file, request.p2()};
}

/// P2 of READ and UPDATE RECORD: sfi, then 4 = P1 is a number. 7.3.1.
[[nodiscard]] Outcome<FileHandle> record_file(const Context& card, const Request& request,
                                              Purpose purpose) {
    if ((request.p2() & 0x07) != 0x04) return fail(StatusWord::incorrect_p1_p2);
    return named_file(card, request.p2() >> 3, purpose);
}

}  // namespace

namespace commands {

Outcome<void> select(Context& card, const Request& request) {
    ONECARD_TRY(file, find_selected(card, request));
    ONECARD_TRY(description, card.files.describe(file));
    if (description.type != FileType::dedicated) {
        card.session.file = file;
        return {};
    }
    ONECARD_CHECK(put_control_information(card, file));
    if (request.apdu.le() && *request.apdu.le() < card.answer.size()) {
        return fail(protocol::correct_le(static_cast<unsigned>(card.answer.size())));
    }
    ONECARD_TRY(state, card.files.state(file));
    ONECARD_CHECK(enter_directory(card, file));
    if (state != FileState::active) card.warning = StatusWord::file_invalidated;
    return {};
}

Outcome<void> read_binary(Context& card, const Request& request) {
    ONECARD_CHECK(refuse_unless(request.data.empty(), StatusWord::wrong_length));
    ONECARD_TRY(place, binary_place(card, request, Purpose::reading));
    std::array<std::uint8_t, 256> content{};
    const std::size_t wanted = request.apdu.le().value_or(256);
    ONECARD_TRY(size,
                card.files.read_binary(
                    place.file, access_of(card, request, place.file), place.offset,
                    MutableBytes{content}.first(std::min<std::size_t>(wanted, content.size()))));
    ONECARD_CHECK(look_again(card, request, place.file, FileUse::read));
    card.answer.put(Bytes{content}.first(size));
    if ((request.p1() & 0x80) != 0) card.session.file = place.file;
    return {};
}

Outcome<void> read_record(Context& card, const Request& request) {
    ONECARD_CHECK(refuse_unless(request.data.empty(), StatusWord::wrong_length));
    ONECARD_TRY(file, record_file(card, request, Purpose::reading));
    std::array<std::uint8_t, record_size_max> record{};
    ONECARD_TRY(size,
                card.files.read_record(file, access_of(card, request, file), request.p1(), record));
    if (request.apdu.le() && *request.apdu.le() < size) {
        return fail(protocol::correct_le(static_cast<unsigned>(size)));
    }
    ONECARD_CHECK(look_again(card, request, file, FileUse::read));
    card.answer.put(Bytes{record}.first(size));
    card.session.file = file;
    return {};
}

Outcome<void> update_binary(Context& card, const Request& request) {
    ONECARD_CHECK(refuse_unless(!request.data.empty(), StatusWord::wrong_length));
    ONECARD_TRY(place, binary_place(card, request, Purpose::writing));
    ONECARD_CHECK(card.files.update_binary(
        card.change, place.file, access_of(card, request, place.file), place.offset, request.data));
    return look_again(card, request, place.file, FileUse::update);
}

Outcome<void> update_record(Context& card, const Request& request) {
    ONECARD_CHECK(refuse_unless(!request.data.empty(), StatusWord::wrong_length));
    ONECARD_TRY(file, record_file(card, request, Purpose::writing));
    ONECARD_CHECK(card.files.update_record(card.change, file, access_of(card, request, file),
                                           request.p1(), request.data));
    return look_again(card, request, file, FileUse::update);
}

Outcome<void> append_record(Context& card, const Request& request) {
    ONECARD_CHECK(refuse_unless(!request.data.empty(), StatusWord::wrong_length));
    if (request.p1() != 0x00 || (request.p2() & 0x07) != 0x00) {
        return fail(StatusWord::incorrect_p1_p2);
    }
    ONECARD_TRY(file, named_file(card, request.p2() >> 3, Purpose::writing));
    ONECARD_CHECK(
        card.files.append_record(card.change, file, access_of(card, request, file), request.data));
    return look_again(card, request, file, FileUse::append);
}

}  // namespace commands
}  // namespace firmware
