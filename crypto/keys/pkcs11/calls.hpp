#pragma once
// The calls that come in twos: say what, then do it. Each answers with exactly `out.size()` bytes
// or with a refusal, and leaves zeros in `out` then.
#include "crypto/keys/pkcs11/session_pool.hpp"

namespace crypto::keys::pkcs11 {

/// PKCS#11 takes pointers to what it only reads.
[[nodiscard]] inline CK_BYTE* readable(Bytes bytes) {
    return const_cast<CK_BYTE*>(bytes.data());
}
[[nodiscard]] inline CK_MECHANISM plain_mechanism(CK_MECHANISM_TYPE type) {
    return {type, nullptr, 0};
}

[[nodiscard]] Result<void> encrypt(const Session& session, CK_MECHANISM mechanism,
                                   CK_OBJECT_HANDLE key, Bytes in, MutableBytes out);
[[nodiscard]] Result<void> sign(const Session& session, CK_MECHANISM mechanism,
                                CK_OBJECT_HANDLE key, Bytes in, MutableBytes out);

/// A call that answers only whether it was done.
[[nodiscard]] inline Result<void> done(const char* call, CK_RV rv) {
    if (rv == CKR_OK) return {};
    return refused(call, rv);
}

}  // namespace crypto::keys::pkcs11
