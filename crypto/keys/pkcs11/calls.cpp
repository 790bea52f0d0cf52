#include "crypto/keys/pkcs11/calls.hpp"

namespace crypto::keys::pkcs11 {
namespace {

/// What a call of two answered: `rv`, and a size where `out.size()` bytes were asked for.
Result<void> judge(const char* call, CK_RV rv, CK_ULONG size, MutableBytes out) {
    if (rv == CKR_OK && size == out.size()) return {};
    wipe(out);
    // With room for too few, the operation would stay active: the size is wrong either way.
    if (rv == CKR_OK) return refusal(Refusal::answer_malformed, call);
    if (rv == CKR_BUFFER_TOO_SMALL) return refused_as(Refusal::answer_malformed, call, rv);
    return refused(call, rv);
}

}  // namespace

Result<void> encrypt(const Session& session, CK_MECHANISM mechanism, CK_OBJECT_HANDLE key, Bytes in,
                     MutableBytes out) {
    wipe(out);
    ONECARD_CHECK(
        done("C_EncryptInit", session.call.C_EncryptInit(session.handle, &mechanism, key)));
    CK_ULONG size = out.size();
    const CK_RV rv =
        session.call.C_Encrypt(session.handle, readable(in), in.size(), out.data(), &size);
    return judge("C_Encrypt", rv, size, out);
}

Result<void> sign(const Session& session, CK_MECHANISM mechanism, CK_OBJECT_HANDLE key, Bytes in,
                  MutableBytes out) {
    wipe(out);
    ONECARD_CHECK(done("C_SignInit", session.call.C_SignInit(session.handle, &mechanism, key)));
    CK_ULONG size = out.size();
    const CK_RV rv =
        session.call.C_Sign(session.handle, readable(in), in.size(), out.data(), &size);
    return judge("C_Sign", rv, size, out);
}

}  // namespace crypto::keys::pkcs11
