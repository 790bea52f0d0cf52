#include "crypto/keys/key_store.hpp"

#include "crypto/core/secret.hpp"

namespace crypto::keys {
namespace {

struct ErrorText {
    KeyError error;
    const char* name;
    const char* advice;
};
constexpr std::array texts{
    ErrorText{KeyError::file_unreadable, "file_unreadable",
              "The key store cannot be read: check the path and who may read it."},
    ErrorText{
        KeyError::file_unwritable, "file_unwritable",
        "The key store could not be written: check space and permissions. The old one stands."},
    ErrorText{KeyError::file_exists, "file_exists",
              "There is a file at this place already: choose another name, or move it away."},
    ErrorText{KeyError::changed_elsewhere, "changed_elsewhere",
              "Another program changed the key store meanwhile: open it again and repeat."},
    ErrorText{KeyError::truncated, "truncated",
              "The key store is cut short: restore it from its backup."},
    ErrorText{KeyError::wrong_magic, "wrong_magic", "This file is not a key store."},
    ErrorText{KeyError::unknown_version, "unknown_version",
              "A later program wrote this key store: use that program, or a newer one."},
    ErrorText{KeyError::limits_exceeded, "limits_exceeded",
              "The key store asks for more derivation work than this program accepts."},
    ErrorText{KeyError::damaged, "damaged",
              "Bytes of the key store have changed on disk: restore it from its backup."},
    ErrorText{
        KeyError::custodian_unknown, "custodian_unknown",
        "No custodian of this name opens this key store: `onecard-keys custodians` shows who do."},
    ErrorText{KeyError::custodian_repeated, "custodian_repeated",
              "The same custodian was given twice: another one must come."},
    ErrorText{KeyError::custodian_has_token, "custodian_has_token",
              "This custodian opens the key store with a PKCS#11 token: give NAME=token:LABEL."},
    ErrorText{KeyError::custodian_has_passphrase, "custodian_has_passphrase",
              "This custodian opens the key store with a passphrase: give NAME or NAME=FILE."},
    ErrorText{
        KeyError::token_other, "token_other",
        "This token is not the custodian's: `onecard-keys custodians` shows its serial number."},
    ErrorText{KeyError::share_refused, "share_refused",
              "The token does not open this custodian's share: someone altered the key store."},
    ErrorText{KeyError::wrong_passphrase, "wrong_passphrase",
              "The passphrase does not open this key store, or someone altered the store."},
    ErrorText{KeyError::quorum_missing, "quorum_missing",
              "More custodians are needed to open this key store: give a --custodian for each."},
    ErrorText{KeyError::signature_wrong, "signature_wrong",
              "The key store is not signed by its own audit key: restore it from its backup."},
    ErrorText{KeyError::malformed, "malformed",
              "The key store's content breaks its format: restore it from its backup."},
    ErrorText{
        KeyError::quorum_wrong, "quorum_wrong",
        "A store has 1 to 16 custodians, whose names are of a-z 0-9 . - _, and its quorum is not "
        "above their number."},
    ErrorText{KeyError::passphrase_repeated, "passphrase_repeated",
              "Two custodians chose the same passphrase: one person would be two."},
    ErrorText{KeyError::token_repeated, "token_repeated",
              "Two custodians named the same token: one person would be two."},
    ErrorText{KeyError::weak_passphrase, "weak_passphrase",
              "The passphrase is too short: a production store asks for 12 characters or more."},
    ErrorText{KeyError::weak_derivation, "weak_derivation",
              "A production store asks for at least 19 MiB of derivation memory."},
    ErrorText{KeyError::memory_not_lockable, "memory_not_lockable",
              "The system refuses to lock memory for keys: raise RLIMIT_MEMLOCK (ulimit -l)."},
    ErrorText{KeyError::memory_exhausted, "memory_exhausted",
              "There is not enough memory to derive the key: free some, then repeat."},
    ErrorText{KeyError::store_full, "store_full",
              "The key store is full: start another one for further keys."},
    ErrorText{KeyError::command_missing, "command_missing",
              "A key store is changed inside one command, which its log names."},
    ErrorText{KeyError::command_malformed, "command_malformed",
              "A command's log line holds printable text of at most 256 KiB."},
    ErrorText{KeyError::key_unknown, "key_unknown", "The key store holds no such key."},
    ErrorText{
        KeyError::key_exists, "key_exists",
        "The key store holds a key of this name and version: give the new one a new version."},
    ErrorText{KeyError::key_size_wrong, "key_size_wrong",
              "The secret's size does not fit its algorithm."},
    ErrorText{KeyError::key_value_wrong, "key_value_wrong",
              "The secret is no private key of its curve: generate another one."},
    ErrorText{KeyError::key_label_wrong, "key_label_wrong",
              "A key's label is 1 to 64 printable ASCII characters."},
    ErrorText{KeyError::key_state_forbids, "key_state_forbids",
              "The key's state does not allow this: states only move forwards, to destroyed."},
    ErrorText{KeyError::key_algorithm_wrong, "key_algorithm_wrong",
              "The operation is not defined for this key's algorithm."},
    ErrorText{KeyError::not_revealable, "not_revealable",
              "This key store never shows its secrets: ask it to compute instead."},
    ErrorText{KeyError::token_missing, "token_missing",
              "A PKCS#11 token is needed that is not there: plug it in and name its module."},
    ErrorText{KeyError::token_pin_wrong, "token_pin_wrong",
              "The token does not take this PIN, or took another one when it was changed: a few "
              "wrong ones lock it."},
    ErrorText{KeyError::token_pin_locked, "token_pin_locked",
              "The token has locked its PIN: its security officer must set a new one."},
    ErrorText{KeyError::token_gone, "token_gone",
              "The token went away in the middle: nothing has changed. Repeat when it is back."},
    ErrorText{KeyError::token_key_missing, "token_key_missing",
              "The token has no key that this store names, or would let it out: another token?"},
    ErrorText{KeyError::token_cannot, "token_cannot",
              "The token lacks a mechanism that this key needs: docs/pkcs11.md lists them."},
    ErrorText{KeyError::token_failed, "token_failed", "The token refused: its own log says why."},
};

constexpr const ErrorText* find_text(KeyError error) {
    for (const ErrorText& text : texts) {
        if (text.error == error) return &text;
    }
    return nullptr;
}
static_assert(texts.size() == static_cast<std::size_t>(KeyError::token_failed) + 1,
              "every KeyError has its text");

}  // namespace

const char* name(KeyUse use) {
    switch (use) {
        case KeyUse::purchase: return "purchase";
        case KeyUse::load: return "load";
        case KeyUse::transaction_certificate: return "transaction_certificate";
        case KeyUse::unload: return "unload";
        case KeyUse::overdraft: return "overdraft";
        case KeyUse::application_lock: return "application_lock";
        case KeyUse::application_unlock: return "application_unlock";
        case KeyUse::application_maintenance: return "application_maintenance";
        case KeyUse::card_maintenance: return "card_maintenance";
        case KeyUse::pin_unblock: return "pin_unblock";
        case KeyUse::pin_reload: return "pin_reload";
        case KeyUse::external_authentication: return "external_authentication";
        case KeyUse::internal_authentication: return "internal_authentication";
        case KeyUse::sam_transport: return "sam_transport";
        case KeyUse::batch_signature: return "batch_signature";
        case KeyUse::list_signature: return "list_signature";
        case KeyUse::day_signature: return "day_signature";
        case KeyUse::key_wrapping: return "key_wrapping";
        case KeyUse::tls_identity: return "tls_identity";
        case KeyUse::certificate_authority: return "certificate_authority";
        case KeyUse::card_transport: return "card_transport";
        case KeyUse::audit_signature: return "audit_signature";
        case KeyUse::token_pin: return "token_pin";
        case KeyUse::card_certificate_authority: return "card_certificate_authority";
        case KeyUse::application_cryptogram: return "application_cryptogram";
        case KeyUse::script_integrity: return "script_integrity";
        case KeyUse::script_confidentiality: return "script_confidentiality";
        case KeyUse::secure_channel: return "secure_channel";
    }
    return "unknown";
}

const char* name(KeyAlgorithm algorithm) {
    switch (algorithm) {
        case KeyAlgorithm::triple_des: return "3des";
        case KeyAlgorithm::sm4: return "sm4";
        case KeyAlgorithm::aes: return "aes";
        case KeyAlgorithm::sm2_private: return "sm2";
        case KeyAlgorithm::hmac_sm3: return "hmac_sm3";
        case KeyAlgorithm::p256_private: return "p256";
        case KeyAlgorithm::rsa_private: return "rsa";
        case KeyAlgorithm::passphrase: return "passphrase";
    }
    return "unknown";
}

const char* name(KeyState state) {
    switch (state) {
        case KeyState::planned: return "planned";
        case KeyState::active: return "active";
        case KeyState::verify_only: return "verify_only";
        case KeyState::retired: return "retired";
        case KeyState::destroyed: return "destroyed";
    }
    return "unknown";
}

std::string text(const KeyName& key) {
    return key.label + " " + name(key.use) + " " + name(key.algorithm) + " v" +
           std::to_string(key.version.value());
}

bool same_secret(const NewCustodian& a, const NewCustodian& b) {
    if (a.token != nullptr || b.token != nullptr) {
        return a.token != nullptr && b.token != nullptr && a.token->serial() == b.token->serial();
    }
    return equal_constant_time(a.passphrase, b.passphrase);
}

const char* name(KeyError error) {
    const ErrorText* const text = find_text(error);
    return text != nullptr ? text->name : "unknown";
}
const char* advice(KeyError error) {
    const ErrorText* const text = find_text(error);
    return text != nullptr ? text->advice : "Unknown error of the key store.";
}

}  // namespace crypto::keys
