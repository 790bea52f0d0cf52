#include "terminal/journal/batch_writer.hpp"

#include "crypto/core/sm3.hpp"

namespace terminal {

std::optional<protocol::Signature> Sm2Signer::sign(protocol::Bytes content) {
    const auto signature = crypto::sm2::sign(key_, crypto::sm2::default_id, content, random_);
    if (!signature) return std::nullopt;
    return *signature;
}

std::optional<BatchFile> write_batch(protocol::BatchHeader header,
                                     const std::vector<protocol::BatchRecord>& records,
                                     BatchSigner& signer) {
    BatchFile file;
    header.record_count = static_cast<std::uint32_t>(records.size());
    file.header = header;
    file.bytes.reserve(protocol::batch_file_size(header.record_count));
    const auto append = [&](protocol::Bytes more) {
        file.bytes.insert(file.bytes.end(), more.begin(), more.end());
    };
    protocol::BatchTrailer trailer;
    trailer.record_count = header.record_count;
    append(header.bytes());
    for (const auto& record : records) {
        append(record.bytes());
        trailer.total_fen += record.amount.fen();
    }
    trailer.digest = crypto::sm3(file.bytes);
    const auto unsigned_trailer = trailer.bytes();
    append(protocol::Bytes{unsigned_trailer}.first(protocol::BatchTrailer::signed_size));
    const auto signature = signer.sign(file.bytes);
    if (!signature) return std::nullopt;
    append(*signature);
    file.digest = crypto::sm3(file.bytes);
    return file;
}

}  // namespace terminal
