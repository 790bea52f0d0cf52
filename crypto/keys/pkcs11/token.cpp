#include "crypto/keys/pkcs11/token.hpp"

#include <algorithm>

#include "crypto/keys/pkcs11/calls.hpp"

namespace crypto::keys::pkcs11 {
namespace {

constexpr std::array<CK_MECHANISM_TYPE, 11> mechanisms_used{
    CKM_AES_KEY_GEN, CKM_DES2_KEY_GEN, CKM_DES3_KEY_GEN, CKM_EC_KEY_PAIR_GEN,
    CKM_AES_ECB,     CKM_DES3_ECB,     CKM_AES_CMAC,     CKM_DES3_CMAC,
    CKM_ECDSA,       CKM_AES_GCM,      CKM_AES_KEY_WRAP};

Result<std::vector<CK_OBJECT_HANDLE>> search(const Session& session, const Template& wanted) {
    ONECARD_CHECK(done("C_FindObjectsInit", session.call.C_FindObjectsInit(
                                                session.handle, wanted.data(), wanted.size())));
    std::vector<CK_OBJECT_HANDLE> out;
    std::array<CK_OBJECT_HANDLE, 64> some{};
    CK_RV rv = CKR_OK;
    for (CK_ULONG count = 1; rv == CKR_OK && count > 0;) {
        rv = session.call.C_FindObjects(session.handle, some.data(), some.size(), &count);
        if (rv == CKR_OK) out.insert(out.end(), some.begin(), some.begin() + count);
    }
    const CK_RV end = session.call.C_FindObjectsFinal(session.handle);
    ONECARD_CHECK(done("C_FindObjects", rv));
    ONECARD_CHECK(done("C_FindObjectsFinal", end));
    return out;
}

}  // namespace

Result<std::unique_ptr<Token>> Token::open(std::shared_ptr<Module> module,
                                           const TokenSelection& selection, Bytes pin,
                                           TokenOptions options) {
    ONECARD_TRY(pool, SessionPool::open(std::move(module), selection, pin, options.sessions));
    std::unique_ptr<Token> token{new Token{std::move(pool)}};
    ONECARD_CHECK(token->ask_mechanisms());
    return token;
}

Result<void> Token::ask_mechanisms() {
    return pool_->run(Beside::others, Repeat::once, [&](const Session& session) -> Result<void> {
        mechanisms_.clear();
        for (const CK_MECHANISM_TYPE mechanism : mechanisms_used) {
            CK_MECHANISM_INFO info{};
            const CK_RV rv = session.call.C_GetMechanismInfo(pool_->token().slot, mechanism, &info);
            if (rv == CKR_OK) mechanisms_.emplace(mechanism, info.flags);
            // Any other refusal is a way of saying that it has no such mechanism.
            if (is_connection_loss(rv)) return refused("C_GetMechanismInfo", rv);
        }
        return {};
    });
}

bool Token::has(CK_MECHANISM_TYPE mechanism, CK_FLAGS purpose) const {
    const auto known = mechanisms_.find(mechanism);
    return known != mechanisms_.end() && (known->second & purpose) == purpose;
}

Result<void> Token::need(CK_MECHANISM_TYPE mechanism, CK_FLAGS purpose, const char* name) const {
    if (has(mechanism, purpose)) return {};
    return refusal(Refusal::mechanism_missing, name);
}

Result<std::vector<CK_OBJECT_HANDLE>> Token::find_handles(const Session& session,
                                                          const ObjectName* name,
                                                          ObjectClass only) const {
    Template wanted;
    wanted.flag(CKA_TOKEN, true);
    if (only != ObjectClass::any) wanted.number(CKA_CLASS, class_number(only));
    if (name != nullptr) wanted.name(*name);
    ONECARD_TRY(found, search(session, wanted));
    if (found.empty() || name == nullptr) {
        ONECARD_CHECK(check_logged_in(session.call, session.handle));
    }
    return std::move(found);
}

std::optional<Token::Held> Token::cached(const Session& session, const CacheKey& key) {
    const std::lock_guard guard{cache_mutex_};
    const auto known = cache_.find(key);
    if (known == cache_.end() || known->second.connection != session.connection) return {};
    return Held{known->second.handle, known->second.description, true};
}

void Token::remember(const Session& session, CK_OBJECT_HANDLE handle,
                     const ObjectDescription& description) {
    const std::lock_guard guard{cache_mutex_};
    cache_.insert_or_assign(CacheKey{description.name, description.object_class},
                            Cached{session.connection, handle, description});
}

void Token::forget(const ObjectName& name) {
    const std::lock_guard guard{cache_mutex_};
    for (const auto object_class : key_classes) cache_.erase({name, object_class});
}

Result<Token::Held> Token::resolve(const Session& session, const ObjectName& name,
                                   ObjectClass object_class) {
    const CacheKey key{name, object_class};
    if (auto known = cached(session, key)) return std::move(*known);
    ONECARD_TRY(handles, find_handles(session, &name, object_class));
    if (handles.empty()) return refusal(Refusal::object_missing, "key \"" + name.label + '"');
    if (handles.size() > 1) {
        return refusal(Refusal::object_ambiguous, "key \"" + name.label + '"');
    }
    ONECARD_TRY(description, describe_object(session.call, session.handle, handles[0]));
    remember(session, handles[0], description);
    return Held{handles[0], description, false};
}

Result<std::vector<ObjectDescription>> Token::list() {
    using Answer = Result<std::vector<ObjectDescription>>;
    return pool_->run(Beside::others, Repeat::once, [&](const Session& session) -> Answer {
        ONECARD_TRY(handles, find_handles(session, nullptr, ObjectClass::any));
        std::vector<ObjectDescription> out;
        for (const CK_OBJECT_HANDLE handle : handles) {
            auto one = describe_object(session.call, session.handle, handle);
            if (!one && is_stale_handle(one.error().rv)) continue;  // destroyed meanwhile
            if (!one) return std::unexpected{one.error()};
            if (one->object_class != ObjectClass::any) out.push_back(std::move(*one));
        }
        return out;
    });
}

Result<ObjectDescription> Token::find(const ObjectName& key) {
    using Answer = Result<ObjectDescription>;
    return pool_->run(Beside::others, Repeat::once, [&](const Session& session) -> Answer {
        forget(key);  // who asks wants to know what is there now
        auto secret = resolve(session, key, ObjectClass::secret_key);
        auto pair = resolve(session, key, ObjectClass::private_key);
        if (secret && pair) return refusal(Refusal::object_ambiguous, "key \"" + key.label + '"');
        const bool no_secret = !secret && secret.error().refusal == Refusal::object_missing &&
                               secret.error().rv == CKR_OK;
        auto& found = no_secret ? pair : secret;
        if (!found) return std::unexpected{found.error()};
        return found->description;
    });
}

Result<void> Token::destroy(const ObjectName& key) {
    return pool_->run(Beside::nobody, Repeat::never, [&](const Session& session) -> Result<void> {
        forget(key);
        std::vector<CK_OBJECT_HANDLE> doomed;
        for (const auto object_class : key_classes) {
            ONECARD_TRY(handles, find_handles(session, &key, object_class));
            if (handles.size() > 1) {
                return refusal(Refusal::object_ambiguous, "key \"" + key.label + '"');
            }
            doomed.insert(doomed.end(), handles.begin(), handles.end());
        }
        if (doomed.empty()) return refusal(Refusal::object_missing, "key \"" + key.label + '"');
        for (const CK_OBJECT_HANDLE handle : doomed) {
            ONECARD_CHECK(
                done("C_DestroyObject", session.call.C_DestroyObject(session.handle, handle)));
        }
        return {};
    });
}

}  // namespace crypto::keys::pkcs11
