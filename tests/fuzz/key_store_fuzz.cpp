// Any bytes as a key store's file, and as each of its parts: a named refusal, or something that is
// written again as the same bytes. The first byte chooses the part. The digest of a mutated file is
// renewed, or no mutation would get past it.
#include "crypto/core/sm3.hpp"
#include "crypto/keys/sealed_format.hpp"

namespace {

using namespace crypto::keys;
using crypto::Bytes;
using FileBytes = std::vector<std::uint8_t>;

void require(bool holds) {
    if (!holds) __builtin_trap();
}
void append(FileBytes& out, Bytes bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

/// As many entries as there are; what was read is what would be written.
std::vector<LogEntry> read_log(Bytes log) {
    protocol::ByteReader in{log};
    std::vector<LogEntry> entries;
    FileBytes again;
    while (!in.empty()) {
        const auto entry = take_log_entry(in);
        if (!entry) {
            require(entry.error() == KeyError::truncated);
            break;
        }
        append_log_entry(again, *entry);
        entries.push_back(*entry);
    }
    require(again.size() <= log.size() && std::ranges::equal(again, log.first(again.size())));
    return entries;
}

void try_file(FileBytes file) {
    const auto shape = parse_sealed_shape(file);
    if (file.size() >= crypto::sm3_digest_size) {
        const auto digest = crypto::sm3(Bytes{file}.first(file.size() - crypto::sm3_digest_size));
        std::ranges::copy(digest, file.end() - crypto::sm3_digest_size);
    }
    const auto parts = parse_sealed(file);
    // Digest and custodians were all they differ in.
    require((shape && !shape->custodians_malformed) == parts.has_value());
    if (!parts) return;
    FileBytes again;
    append(again, parts->header.bytes());
    append(again, custodian_bytes(parts->custodians));
    append(again, parts->log);
    require(std::ranges::equal(again, parts->additional));
    append(again, parts->sealed);
    append(again, parts->tag);
    require(std::ranges::equal(again, parts->state));
    append(again, parts->signature);
    append(again, parts->digest);
    require(again == file);
    require(parts->sealed.size() == parts->header.sealed_size);
    require(parts->header.quorum >= 1 && parts->header.quorum <= parts->custodians.size());
    require(cost_accepted(parts->header.cost));
    (void)read_log(parts->log);
}

void try_entries(FileBytes opened) {
    const auto entries = parse_entries(opened);
    if (!entries) return;
    for (const Entry& entry : *entries) {
        require(label_fits(entry.name.label));
        require(entry.state == KeyState::destroyed
                    ? entry.secret.empty()
                    : secret_size_fits(entry.name.algorithm, entry.size));
    }
    FileBytes again(entries_size(*entries));
    write_entries(*entries, again);
    require(again == opened);
}

void try_custodians(const FileBytes& bytes) {
    const auto custodians = parse_custodians(bytes);
    if (!custodians) return;
    for (const CustodianSlot& slot : *custodians) require(custodian_name_fits(slot.name));
    require(custodian_bytes(*custodians) == bytes);
}

/// Whose log, by which key, and the log.
void try_log(const FileBytes& bytes) {
    protocol::ByteReader in{bytes};
    const auto owner = in.take_array<sizeof(LogOwner)>();
    const auto key_bytes = in.take_array<crypto::sm2::public_key_size>();
    if (!owner || !key_bytes) return;
    const auto log = read_log(*in.take(in.size()));
    const auto key = crypto::sm2::PublicKey::parse(*key_bytes);
    if (!key) return;
    LogVerifier verifier{*owner, *key};
    for (const LogEntry& entry : log) {
        const std::uint64_t place = verifier.count() + 1;
        const auto followed = verifier.next(entry);
        if (followed) {
            require(entry.line.starts_with(numbered(place)));
            continue;
        }
        require(followed.error().number == place && verifier.count() + 1 == place);
        return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const FileBytes rest(data + 1, data + size);
    switch (data[0] & 3) {
        case 0: try_file(rest); break;
        case 1: try_entries(rest); break;
        case 2: try_custodians(rest); break;
        default: try_log(rest); break;
    }
    return 0;
}
