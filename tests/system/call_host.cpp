// Calls a city's host with a terminal's certificate, and signs what a dishonest operator would
// sign.
//
//   call_host --deployment DIR --passphrase-file FILE --port PORT --get TARGET
//   call_host ... --post-file FILE                    a batch file as it is, to /v1/batches
//   call_host ... --post-records FILE --sequence N    hex lines of 96 bytes: a new batch, signed by
//                                                     this device, kept as FILE.batch
// Prints {"status": n, "body": ...} or {"failure": name}. Rehearsal stores only.
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "crypto/random/system_random.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "platform/http_client.hpp"
#include "platform/mask.hpp"
#include "terminal/journal/batch_writer.hpp"
#include "terminal/program/deployment.hpp"

namespace {

namespace json = boost::json;

struct Options {
    std::filesystem::path deployment, post_file, post_records;
    platform::PassphraseSource passphrase;
    std::string get;
    std::uint16_t port = 0;
    std::uint32_t sequence = 1;
};

int complain(const std::string& what) {
    std::cerr << "call_host: " << what << '\n';
    return 1;
}

std::expected<std::string, std::string> read(const std::filesystem::path& path) {
    auto text = platform::read_text_file(path, 64 * 1024 * 1024);
    if (!text) return std::unexpected{text.error().detail};
    return std::move(*text);
}

std::expected<std::vector<protocol::BatchRecord>, std::string> read_records(
    const std::filesystem::path& path) {
    ONECARD_TRY(text, read(path));
    std::vector<protocol::BatchRecord> records;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        const auto bytes = platform::from_hex<protocol::BatchRecord::size>(line);
        const auto record = bytes ? protocol::BatchRecord::parse(*bytes)
                                  : std::unexpected{protocol::ParseError::wrong_value};
        if (!record) return std::unexpected{path.string() + ": a record does not parse"};
        records.push_back(*record);
    }
    return records;
}

// The body of a batch made of these records by this device.
std::expected<std::string, std::string> signed_batch(const Options& options,
                                                     const terminal::OpenDeployment& deployment,
                                                     crypto::Random& random) {
    ONECARD_TRY(records, read_records(options.post_records));
    const auto device = platform::from_hex<8>(deployment.who.unit);
    const auto operator_id = platform::from_hex<8>(deployment.who.organisation);
    if (!device || !operator_id) return std::unexpected{std::string{"not a terminal"}};
    ONECARD_TRY(key, terminal::batch_key(deployment, protocol::DeviceId{*device}, random));
    terminal::Sm2Signer signer{key, random};
    protocol::BatchHeader header;
    header.mark = protocol::Mark::rehearsal;
    header.operator_id = protocol::OperatorId{*operator_id};
    header.device = protocol::DeviceId{*device};
    header.city = deployment.who.city;
    header.sequence = protocol::BatchSequence{options.sequence};
    header.created = platform::SystemClock{}.now();
    const auto file = terminal::write_batch(header, records, signer);
    if (!file) return std::unexpected{std::string{"signing failed"}};
    std::string body{file->bytes.begin(), file->bytes.end()};
    std::ofstream{options.post_records.string() + ".batch", std::ios::binary} << body;
    return body;
}

std::expected<platform::HttpRequest, std::string> make_request(
    const Options& options, const terminal::OpenDeployment& deployment, crypto::Random& random) {
    platform::HttpRequest request;
    if (!options.get.empty()) {
        request.target = options.get;
        return request;
    }
    request.method = platform::HttpMethod::post;
    request.target = "/v1/batches";
    ONECARD_TRY(body, options.post_file.empty() ? signed_batch(options, deployment, random)
                                                : read(options.post_file));
    request.body = body;
    return request;
}

std::expected<json::object, std::string> call(const Options& options, crypto::Random& random) {
    ONECARD_TRY(deployment,
                terminal::open_deployment(options.deployment, options.passphrase, true, random));
    ONECARD_TRY(request, make_request(options, deployment, random));
    platform::HttpClientOptions client;
    client.host = "127.0.0.1";
    client.port = options.port;
    platform::HttpClient host{client, *deployment.tls};
    const auto answer = host.call(request);
    if (!answer) {
        return json::object{{"failure", platform::name(answer.error().error)},
                            {"detail", answer.error().detail}};
    }
    boost::system::error_code error;
    json::value body = json::parse(answer->body, error);
    if (error) body = json::string{answer->body};
    return json::object{{"status", answer->status}, {"body", body}};
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"Calls a host with a terminal's certificate", "call_host"};
    app.add_option("--deployment", options.deployment)->required();
    app.add_option("--passphrase-file", options.passphrase.file)->required();
    app.add_option("--port", options.port)->required();
    app.add_option("--get", options.get);
    app.add_option("--post-file", options.post_file);
    app.add_option("--post-records", options.post_records);
    app.add_option("--sequence", options.sequence);
    CLI11_PARSE(app, argc, argv);
    auto random = crypto::SystemRandom::open();
    if (!random) return complain(crypto::name(random.error()));
    const auto answer = call(options, *random);
    if (!answer) return complain(answer.error());
    std::cout << json::serialize(*answer) << '\n';
    return 0;
}
