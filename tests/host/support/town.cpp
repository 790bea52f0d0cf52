#include "tests/host/support/town.hpp"

#include <stdexcept>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "crypto/core/sm3.hpp"
#include "platform/mask.hpp"

namespace host_test {
namespace {

constexpr std::uint64_t seed = 20260105;

template <std::size_t size>
std::array<std::uint8_t, size> digits(std::uint64_t number) {
    std::array<std::uint8_t, size> out{};
    protocol::write_bcd(out, number);
    return out;
}

crypto::purse::PurseKey draw(crypto::Random& random, Suite suite) {
    std::array<std::uint8_t, crypto::purse::key_size> bytes{};
    random.fill(bytes);
    return crypto::purse::PurseKey{suite, bytes};
}

std::array<std::uint8_t, 64> public_bytes(const crypto::sm2::PrivateKey& key) {
    std::array<std::uint8_t, 64> out{};
    std::ranges::copy(key.public_key().bytes(), out.begin());
    return out;
}

std::uint16_t bcd_city(std::uint16_t city) {
    std::array<std::uint8_t, 2> out{};
    protocol::write_bcd(out, city);
    return static_cast<std::uint16_t>(out[0] << 8 | out[1]);
}

}  // namespace

OperatorId operator_id(std::uint32_t number) {
    return OperatorId{digits<8>(number)};
}
DeviceId device_id(std::uint32_t number) {
    return DeviceId{digits<8>(number)};
}
TerminalNumber terminal_number(std::uint32_t number) {
    return TerminalNumber{digits<6>(number)};
}
CardNumber card_number(std::uint32_t number) {
    return CardNumber{digits<10>(310'480'000'000'000'000ULL + number)};
}
IssuerId issuer_id(std::uint16_t city) {
    return IssuerId{digits<8>(city * 1'000'000'000'000ULL)};
}
DateTime at(unsigned hour, unsigned minute, unsigned second) {
    return {*protocol::Date::make(2026, 1, 5), *protocol::Time::make(hour, minute, second)};
}

SeededKeys::SeededKeys(std::uint64_t from, CityCode city)
    : random_{from + city.value(), "keys"}, signing_{*crypto::sm2::PrivateKey::generate(random_)} {
    for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
        load_masters_.emplace(suite, draw(random_, suite));
        const auto& tac = tac_masters_.emplace(suite, draw(random_, suite)).first->second;
        std::array<std::uint8_t, 2> code{static_cast<std::uint8_t>(city.value() >> 8),
                                         static_cast<std::uint8_t>(city.value())};
        const auto decimal = *protocol::read_bcd(code);
        const auto added =
            table_.add({issuer_id(static_cast<std::uint16_t>(decimal)),
                        crypto::batch::KeyPurpose::tac, protocol::KeyVersion{1}, suite},
                       tac.value.bytes());
        if (!added) throw std::logic_error("key table");
    }
}
std::optional<crypto::purse::PurseKey> SeededKeys::card_key(
    const std::map<Suite, crypto::purse::PurseKey>& masters, const CardNumber& card, Suite suite,
    protocol::KeyVersion version) const {
    if (version != protocol::KeyVersion{1}) return std::nullopt;
    return crypto::purse::diversify(masters.at(suite), crypto::purse::factor_of(card));
}
std::optional<crypto::purse::PurseKey> SeededKeys::load_key(const CardNumber& card, Suite suite,
                                                            protocol::KeyVersion version) const {
    return card_key(load_masters_, card, suite, version);
}
std::vector<crypto::purse::PurseKey> SeededKeys::tac_keys(const CardNumber& card,
                                                          Suite suite) const {
    std::vector<crypto::purse::PurseKey> keys;
    keys.push_back(*card_key(tac_masters_, card, suite, protocol::KeyVersion{1}));
    return keys;
}
std::optional<protocol::Signature> SeededKeys::sign_list(Bytes message) const {
    const auto out = crypto::sm2::sign(signing_, crypto::sm2::default_id, message, random_);
    return out ? std::optional{*out} : std::nullopt;
}
std::optional<protocol::Signature> SeededKeys::sign_statement(Bytes message) const {
    return sign_list(message);
}

void TestCard::sign(BatchRecord& record) const {
    const auto own_keys = keys->tac_keys(number, suite);
    record.tac = crypto::purse::tac(
        own_keys.front(), protocol::purchase_tac_input(record.amount, record.type, record.terminal,
                                                       record.terminal_sequence, record.when));
}
BatchRecord TestCard::torn(TerminalNumber terminal, std::uint32_t sequence, std::uint32_t fen,
                           DateTime when, bool debited) {
    std::array<std::uint8_t, 2> code{static_cast<std::uint8_t>(city.value() >> 8),
                                     static_cast<std::uint8_t>(city.value())};
    BatchRecord record;
    record.kind = RecordKind::unresolved;
    record.suite = suite;
    record.key_version = protocol::KeyVersion{1};
    record.issuer = issuer_id(static_cast<std::uint16_t>(*protocol::read_bcd(code)));
    record.card = number;
    record.counter = protocol::OfflineCounter{offline_counter};
    record.balance_before = Money::from_fen(balance);
    record.amount = Money::from_fen(fen);
    record.terminal = terminal;
    record.terminal_sequence = protocol::TerminalSequence{sequence};
    record.when = when;
    record.card_city = city;
    record.city = city;
    record.full_fare = record.amount;
    record.entry_time = when;
    if (debited) {
        balance -= fen;
        ++offline_counter;
    }
    return record;
}
BatchRecord TestCard::prove(BatchRecord entry) const {
    entry.kind = RecordKind::proven;
    sign(entry);
    return entry;
}
BatchRecord TestCard::debit(TerminalNumber terminal, std::uint32_t sequence, std::uint32_t fen,
                            DateTime when) {
    BatchRecord record = torn(terminal, sequence, fen, when, true);
    record.kind = RecordKind::debit;
    sign(record);
    return record;
}
protocol::LoadRequest TestCard::initialise_load(DeviceId device, std::uint32_t sequence,
                                                std::uint32_t fen, DateTime when) const {
    std::array<std::uint8_t, 2> code{static_cast<std::uint8_t>(city.value() >> 8),
                                     static_cast<std::uint8_t>(city.value())};
    protocol::LoadRequest out;
    out.key = {device, protocol::LoadSequence{sequence}};
    out.issuer = issuer_id(static_cast<std::uint16_t>(*protocol::read_bcd(code)));
    out.card = number;
    out.amount = Money::from_fen(fen);
    out.terminal = terminal_number(9);
    out.when = when;
    auto& initialised = out.card_answer;
    initialised.balance = Money::from_fen(balance);
    initialised.counter = protocol::OnlineCounter{online_counter};
    initialised.key_version = protocol::KeyVersion{1};
    initialised.suite = suite;
    initialised.random = {0x11, 0x22, 0x33, static_cast<std::uint8_t>(sequence)};
    const auto key = keys->load_key(number, suite, protocol::KeyVersion{1});
    const auto process =
        crypto::purse::online_process_key(*key, initialised.random, initialised.counter);
    initialised.mac1 = crypto::purse::purse_mac(
        process,
        protocol::load_mac1_input(initialised.balance, out.amount, out.type, out.terminal));
    return out;
}
std::optional<protocol::Mac> TestCard::credit(const protocol::LoadRequest& request,
                                              const protocol::LoadAnswer& answer) {
    const auto& initialised = request.card_answer;
    const auto key = keys->load_key(number, suite, protocol::KeyVersion{1});
    const auto process =
        crypto::purse::online_process_key(*key, initialised.random, initialised.counter);
    const auto mac2 = crypto::purse::purse_mac(
        process,
        protocol::load_mac2_input(request.amount, request.type, request.terminal, answer.when));
    if (mac2 != answer.mac2 || initialised.counter.value() != online_counter) return std::nullopt;
    balance += request.amount.fen();
    const auto own_keys = keys->tac_keys(number, suite);
    const auto tac = crypto::purse::tac(
        own_keys.front(),
        protocol::load_tac_input(Money::from_fen(balance), initialised.counter, request.amount,
                                 request.type, request.terminal, answer.when));
    ++online_counter;
    return tac;
}

TestDevice::TestDevice(std::uint32_t number, OperatorId owned_by, CityCode in)
    : id{device_id(number)},
      owner{owned_by},
      city{in},
      terminal{terminal_number(number)},
      random_{seed, fmt::format("device {}", number)},
      key_{*crypto::sm2::PrivateKey::generate(random_)} {}
std::array<std::uint8_t, 64> TestDevice::public_key() const {
    return public_bytes(key_);
}
platform::PeerIdentity TestDevice::identity() const {
    return {platform::PeerRole::terminal, platform::to_hex(owner.value()),
            platform::to_hex(id.value()), fmt::format("{:04X}", city.value())};
}
void TestDevice::sign(std::vector<std::uint8_t>& file) const {
    const Bytes covered = Bytes{file}.first(file.size() - protocol::signature_size);
    const auto signature =
        crypto::sm2::sign(key_, crypto::sm2::default_id, covered, random_).value();
    std::ranges::copy(signature, file.end() - protocol::signature_size);
}
std::vector<std::uint8_t> TestDevice::batch(const std::vector<BatchRecord>& records,
                                            std::uint32_t sequence) const {
    std::vector<std::uint8_t> file;
    const auto append = [&](Bytes bytes) { file.insert(file.end(), bytes.begin(), bytes.end()); };
    append(protocol::BatchHeader{.mark = protocol::Mark::rehearsal,
                                 .operator_id = owner,
                                 .device = id,
                                 .city = city,
                                 .sequence = protocol::BatchSequence{sequence},
                                 .created = at(12),
                                 .record_count = static_cast<std::uint32_t>(records.size()),
                                 .hot_list = {}}
               .bytes());
    protocol::BatchTrailer trailer;
    trailer.record_count = static_cast<std::uint32_t>(records.size());
    for (const BatchRecord& record : records) {
        append(record.bytes());
        trailer.total_fen += record.amount.fen();
    }
    trailer.digest = crypto::sm3(file);
    append(trailer.bytes());
    sign(file);
    return file;
}

Town::Town(std::uint16_t code, std::vector<std::uint16_t> neighbours, std::filesystem::path file)
    : keys{seed, CityCode{bcd_city(code)}}, clock{at(12)}, path{std::move(file)} {
    city.code = CityCode{bcd_city(code)};
    city.issuer = issuer_id(code);
    city.mark = protocol::Mark::rehearsal;
    for (const std::uint16_t neighbour : neighbours) {
        const CityCode other{bcd_city(neighbour)};
        const SeededKeys theirs{seed, other};
        city.peers.push_back({other, issuer_id(neighbour), public_bytes(theirs.signing())});
    }
    reopen();
}
void Town::reopen() {
    host.reset();
    store.reset();
    auto opened = host::store::open_sqlite_store(path);
    if (!opened) throw std::runtime_error(opened.error().name + ": " + opened.error().text);
    store = std::move(*opened);
    auto made = host::Host::open(city, *store, keys, clock);
    if (!made) throw std::runtime_error(made.error().detail);
    host = std::move(*made);
}
void Town::register_device(const TestDevice& device) {
    const auto done = store->transact([&] {
        store->put_operator({device.owner, "operator"});
        store->put_device({device.id, device.owner, device.public_key()});
        store->put_sam({device.terminal, {}, device.owner, {}, std::nullopt});
        return host::store::End::commit;
    });
    if (!done) throw std::runtime_error(done.error().text);
}
void Town::issue(const TestCard& card) {
    const auto done = store->transact([&] {
        store->insert_card({card.number, city.issuer, {}});
        return host::store::End::commit;
    });
    if (!done) throw std::runtime_error(done.error().text);
}
TestCard Town::new_card(std::uint32_t number, Suite suite) {
    TestCard card{card_number(number), city.code, &keys, suite};
    issue(card);
    return card;
}
void Town::load(TestCard& card, const TestDevice& kiosk, std::uint32_t fen) {
    const auto request = card.initialise_load(kiosk.id, ++load_sequence_, fen, clock.now());
    const auto answer =
        protocol::LoadAnswer::parse(send(kiosk, "/v1/loads", request.bytes()).body_bytes());
    if (!answer) throw std::runtime_error("load answer");
    const auto tac = card.credit(request, *answer);
    if (!tac) throw std::runtime_error("MAC2");
    (void)send(kiosk, "/v1/loads/confirmations",
               protocol::LoadConfirmation{request.key, *tac}.bytes());
}
platform::HttpResponse Town::send(const TestDevice& device, std::string target, Bytes body) {
    platform::HttpRequest request;
    request.method = platform::HttpMethod::post;
    request.target = std::move(target);
    request.identity = device.identity();
    request.body.assign(body.begin(), body.end());
    return host->handle(request);
}
platform::HttpResponse Town::get(const TestDevice& device, std::string target) {
    platform::HttpRequest request;
    request.target = std::move(target);
    request.identity = device.identity();
    return host->handle(request);
}
platform::PeerIdentity Town::identity() const {
    const auto code = fmt::format("{:04X}", city.code.value());
    return {platform::PeerRole::city_host, code, "clearing", code};
}
platform::HttpResponse Town::admin(platform::HttpMethod method, std::string target,
                                   std::string body) {
    platform::HttpRequest request;
    request.method = method;
    request.target = std::move(target);
    request.body = std::move(body);
    request.identity = identity();
    return host->handle(request);
}
void Town::work() {
    while (host->work()) {
    }
}
std::vector<std::string> Town::outcomes(const TestDevice& device, std::uint32_t sequence) {
    const auto response = get(device, fmt::format("/v1/batches/{}/{}/result",
                                                  platform::to_hex(device.id.value()), sequence));
    std::vector<std::string> out;
    const auto value = boost::json::parse(response.body);
    for (const auto& record : value.at("records").as_array()) {
        std::string text{record.at("outcome").as_string()};
        const auto& detail = record.at("detail").as_string();
        if (!detail.empty()) text += "+" + std::string{detail};
        out.push_back(text);
    }
    return out;
}
std::vector<std::string> Town::clear(const TestDevice& device,
                                     const std::vector<BatchRecord>& records) {
    const std::uint32_t sequence = ++sequences_[device.id];
    const auto answer = send(device, "/v1/batches", device.batch(records, sequence));
    if (answer.status != 200) return {answer.body};
    work();
    return outcomes(device, sequence);
}
std::int64_t Town::balance(std::string_view account) {
    std::int64_t out = 0;
    const auto done = store->transact([&] {
        for (const auto& [known, totals] : store->all_totals()) {
            if (known.text() == account) out = totals.balance().value();
        }
        return host::store::End::commit;
    });
    if (!done) throw std::runtime_error(done.error().text);
    return out;
}
bool Town::ledger_is_whole() {
    return admin(platform::HttpMethod::get, "/v1/admin/ledger/verify").status == 200;
}

std::expected<platform::HttpResponse, platform::NetFailure> Wire::call(
    const platform::HttpRequest& request) {
    if (std::exchange(lose_request, false)) {
        return std::unexpected{platform::NetFailure{platform::NetError::timeout, "lost"}};
    }
    platform::HttpRequest arrived = request;
    arrived.identity = from_.identity();
    auto answer = to_.host->handle(arrived);
    if (std::exchange(lose_answer, false)) {
        return std::unexpected{platform::NetFailure{platform::NetError::closed, "lost"}};
    }
    return answer;
}
void exchange_all(Town& a, Town& b) {
    Wire there{a, b};
    Wire back{b, a};
    bool moved = true;
    while (moved) {
        a.work();
        b.work();
        const auto one = host::exchange_one(*a.host, b.city.code, there);
        const auto two = host::exchange_one(*b.host, a.city.code, back);
        moved = (one && host::asks_next(*one)) || (two && host::asks_next(*two));
    }
    a.work();
    b.work();
}

}  // namespace host_test
