// Any bytes as a sealed blob and as a module's public key: a named refusal, or parts that make up
// the bytes again.
#include <algorithm>

#include "crypto/keys/pkcs11/formats.hpp"

namespace {

using namespace crypto;
using namespace crypto::keys::pkcs11;

void require(bool holds) {
    if (!holds) __builtin_trap();
}

void check_blob(Bytes bytes) {
    const auto blob = parse_sealed_blob(bytes);
    if (!blob) {
        require(blob.error().refusal == Refusal::blob_malformed);
        return;
    }
    require(std::ranges::equal(seal_header(blob->mechanism, blob->size), blob->header));
    require(blob->header.size() + blob->nonce.size() + blob->sealed.size() == bytes.size());
    require(blob->sealed.size() > blob->size && blob->size <= sealed_secret_size_max);
    require(blob->sealed.data() + blob->sealed.size() == bytes.data() + bytes.size());
}

void check_point(Bytes bytes) {
    const auto point = parse_ec_point(bytes);
    if (!point) {
        require(point.error().refusal == Refusal::answer_malformed);
        return;
    }
    require(std::ranges::equal(*point, bytes.last(p256_point_size)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check_blob({data, size});
    check_point({data, size});
    return 0;
}
