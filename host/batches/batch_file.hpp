#pragma once
// A batch file taken apart: shape, counts, total and digest, in the order of docs/batch_file.md, 3.
// Pure.
#include <expected>
#include <string>

#include "protocol/batch.hpp"

namespace host::batches {

using protocol::Bytes;

enum class BatchDefect : std::uint8_t {  // In the order they are checked.
    header_malformed,                    ///< magic, version, mark, date, count limit
    wrong_size,                          ///< not header, records and trailer of its count
    trailer_malformed,
    count_differs,    ///< trailer and header disagree
    total_differs,    ///< the trailer's total is not the sum of the records' amounts
    digest_mismatch,  ///< the trailer's digest is not that of header and records
};
[[nodiscard]] const char* name(BatchDefect defect);

struct BatchRefusal {
    BatchDefect defect;
    std::string detail;  ///< what was found, where
};

/// Refers to the caller's bytes. Single records may still be malformed: that is their own outcome,
/// so that one of them does not hold up the rest.
class BatchFile {
public:
    [[nodiscard]] static std::expected<BatchFile, BatchRefusal> parse(Bytes file);
    [[nodiscard]] const protocol::BatchHeader& header() const { return header_; }
    [[nodiscard]] std::uint32_t size() const { return header_.record_count; }
    [[nodiscard]] protocol::Parsed<protocol::BatchRecord> record(std::uint32_t index) const {
        return protocol::BatchRecord::parse(record_bytes(index));
    }
    [[nodiscard]] Bytes signed_bytes() const {
        return file_.first(file_.size() - protocol::signature_size);
    }
    [[nodiscard]] const protocol::BatchTrailer& trailer() const { return trailer_; }

private:
    BatchFile(Bytes file, const protocol::BatchHeader& header,
              const protocol::BatchTrailer& trailer)
        : file_{file}, header_{header}, trailer_{trailer} {}
    [[nodiscard]] Bytes record_bytes(std::uint32_t index) const {
        return file_.subspan(
            protocol::BatchHeader::size + std::size_t{index} * protocol::BatchRecord::size,
            protocol::BatchRecord::size);
    }
    [[nodiscard]] std::expected<void, BatchRefusal> check_sums() const;
    Bytes file_;
    protocol::BatchHeader header_;
    protocol::BatchTrailer trailer_;
};

}  // namespace host::batches
