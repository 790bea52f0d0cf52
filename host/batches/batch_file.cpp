#include "host/batches/batch_file.hpp"

#include <fmt/format.h>

#include "crypto/core/sm3.hpp"

namespace host::batches {
namespace {
constexpr std::size_t amount_offset = 28;  // of a record: docs/batch_file.md, 2

std::unexpected<BatchRefusal> refuse(BatchDefect defect, std::string detail) {
    return std::unexpected{BatchRefusal{defect, std::move(detail)}};
}
}  // namespace

const char* name(BatchDefect defect) {
    switch (defect) {
        case BatchDefect::header_malformed: return "header_malformed";
        case BatchDefect::wrong_size: return "wrong_size";
        case BatchDefect::trailer_malformed: return "trailer_malformed";
        case BatchDefect::count_differs: return "count_differs";
        case BatchDefect::total_differs: return "total_differs";
        case BatchDefect::digest_mismatch: return "digest_mismatch";
    }
    return "unknown";
}

std::expected<BatchFile, BatchRefusal> BatchFile::parse(Bytes file) {
    using protocol::BatchHeader;
    using protocol::BatchTrailer;
    const auto header =
        BatchHeader::parse(file.first(std::min(file.size(), std::size_t{BatchHeader::size})));
    if (!header) return refuse(BatchDefect::header_malformed, protocol::name(header.error()));
    const std::size_t expected = protocol::batch_file_size(header->record_count);
    if (file.size() != expected) {
        return refuse(BatchDefect::wrong_size,
                      fmt::format("{} bytes, {} records make {}", file.size(), header->record_count,
                                  expected));
    }
    const auto trailer = BatchTrailer::parse(file.last(BatchTrailer::size));
    if (!trailer) return refuse(BatchDefect::trailer_malformed, protocol::name(trailer.error()));
    BatchFile out{file, *header, *trailer};
    ONECARD_CHECK(out.check_sums());
    return out;
}

std::expected<void, BatchRefusal> BatchFile::check_sums() const {
    if (trailer_.record_count != header_.record_count) {
        return refuse(
            BatchDefect::count_differs,
            fmt::format("header {}, trailer {}", header_.record_count, trailer_.record_count));
    }
    std::uint64_t total = 0;  // 100,000 amounts of four bytes fit
    for (std::uint32_t i = 0; i < size(); ++i) {
        total += protocol::read_big_endian(record_bytes(i).subspan<amount_offset, 4>());
    }
    if (trailer_.total_fen != total) {
        return refuse(BatchDefect::total_differs,
                      fmt::format("records {}, trailer {}", total, trailer_.total_fen));
    }
    const auto digest = crypto::sm3(file_.first(file_.size() - protocol::BatchTrailer::size));
    if (digest != trailer_.digest) {
        return refuse(BatchDefect::digest_mismatch, "SM3 of header and records differs");
    }
    return {};
}

}  // namespace host::batches
