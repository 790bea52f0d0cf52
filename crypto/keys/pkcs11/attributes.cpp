#include "crypto/keys/pkcs11/attributes.hpp"

#include <algorithm>

namespace crypto::keys::pkcs11 {
namespace {

struct UsageAttribute {
    std::uint8_t bit;
    CK_ATTRIBUTE_TYPE type;
};
constexpr std::array<UsageAttribute, 7> usage_attributes{{{usage::encrypt, CKA_ENCRYPT},
                                                          {usage::decrypt, CKA_DECRYPT},
                                                          {usage::sign, CKA_SIGN},
                                                          {usage::verify, CKA_VERIFY},
                                                          {usage::wrap, CKA_WRAP},
                                                          {usage::unwrap, CKA_UNWRAP},
                                                          {usage::derive, CKA_DERIVE}}};

/// Base 2.40, 4.8, 4.9 and 4.10: which of them a class has.
constexpr std::uint8_t usages_of(ObjectClass object_class) {
    switch (object_class) {
        case ObjectClass::private_key:
            return usage::decrypt | usage::sign | usage::unwrap | usage::derive;
        case ObjectClass::public_key:
            return usage::encrypt | usage::verify | usage::wrap | usage::derive;
        case ObjectClass::secret_key:
        case ObjectClass::any: break;
    }
    return 0x7F;
}

/// An attribute with room for its value; empty when the object does not have it.
class Attribute {
public:
    explicit Attribute(CK_ATTRIBUTE_TYPE type) : type_{type} {}
    [[nodiscard]] CK_RV read(const CK_FUNCTION_LIST& call, CK_SESSION_HANDLE session,
                             CK_OBJECT_HANDLE object) {
        CK_ATTRIBUTE one{type_, value_.data(), value_.size()};
        const CK_RV rv = call.C_GetAttributeValue(session, object, &one, 1);
        if (rv == CKR_OK && one.ulValueLen <= value_.size()) size_ = one.ulValueLen;
        // Base 2.40, 5.7: the object has no such attribute, or one longer than any of ours.
        const bool absent = rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
                            rv == CKR_BUFFER_TOO_SMALL;
        return absent ? CKR_OK : rv;
    }
    [[nodiscard]] bool flag() const { return size_ == sizeof(CK_BBOOL) && value_[0] != CK_FALSE; }
    [[nodiscard]] std::optional<CK_ULONG> number() const {
        CK_ULONG out = 0;
        if (size_ != sizeof out) return std::nullopt;
        std::copy_n(value_.begin(), sizeof out, reinterpret_cast<std::uint8_t*>(&out));
        return out;
    }
    [[nodiscard]] Bytes bytes() const { return Bytes{value_}.first(size_); }

private:
    CK_ATTRIBUTE_TYPE type_;
    std::array<std::uint8_t, 256> value_{};
    std::size_t size_ = 0;
};

/// Reads one attribute after another; the first call that fails is remembered.
struct Reader {
    const CK_FUNCTION_LIST& call;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE object;
    CK_RV rv = CKR_OK;

    Attribute operator()(CK_ATTRIBUTE_TYPE type) {
        Attribute out{type};
        if (rv == CKR_OK) rv = out.read(call, session, object);
        return out;
    }
};

ObjectClass class_of(CK_ULONG number) {
    if (number == CKO_SECRET_KEY) return ObjectClass::secret_key;
    if (number == CKO_PRIVATE_KEY) return ObjectClass::private_key;
    return number == CKO_PUBLIC_KEY ? ObjectClass::public_key : ObjectClass::any;
}

constexpr std::array<std::uint8_t, 10> p256_parameters{
    // secp256r1: RFC 5480, 2.1.1.1
    0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};

void read_type(Reader& read, ObjectDescription& out) {
    const CK_ULONG type = read(CKA_KEY_TYPE).number().value_or(CKK_VENDOR_DEFINED);
    if (type == CKK_AES) {
        out.algorithm = Algorithm::aes;
        out.size = read(CKA_VALUE_LEN).number().value_or(0);
    } else if (type == CKK_DES2 || type == CKK_DES3) {
        out.algorithm = Algorithm::triple_des;
        out.size = type == CKK_DES2 ? 16 : 24;
    } else if (type == CKK_EC && std::ranges::equal(read(CKA_EC_PARAMS).bytes(), p256_parameters)) {
        out.algorithm = Algorithm::p256;
        out.size = 32;
    }
}

bool fits_algorithm(Algorithm algorithm, Use use) {
    switch (use) {
        case Use::encrypt_blocks:
        case Use::mac: return algorithm == Algorithm::aes || algorithm == Algorithm::triple_des;
        case Use::sign: return algorithm == Algorithm::p256;
        case Use::seal:
        case Use::unwrap: return algorithm == Algorithm::aes;
    }
    return false;
}

}  // namespace

bool has_exactly(const ObjectDescription& object, Use use) {
    switch (use) {
        case Use::encrypt_blocks: return object.usages == usage::encrypt;
        case Use::mac: return object.usages == usage::sign;
        case Use::sign:
            return object.usages ==
                   (object.object_class == ObjectClass::public_key ? usage::verify : usage::sign);
        case Use::seal:
            return object.usages == (usage::encrypt | usage::decrypt) ||
                   object.usages == (usage::wrap | usage::unwrap);
        case Use::unwrap: return object.usages == usage::unwrap;
    }
    return false;
}

Result<void> check_use(const ObjectDescription& object, Use use) {
    if (!object.kept_inside) {
        return refusal(Refusal::attribute_refused, "the key is not private, sensitive and kept");
    }
    if (!fits_algorithm(object.algorithm, use)) {
        return refusal(Refusal::use_forbidden, "the key is of another algorithm");
    }
    if (!has_exactly(object, use)) {
        return refusal(Refusal::attribute_refused, "the key has another use, or more than one");
    }
    return {};
}

void Template::add(CK_ATTRIBUTE_TYPE type, const void* value, std::size_t size) {
    if (count_ == count_max) __builtin_trap();  // our own templates are shorter
    attributes_[count_++] = {type, const_cast<void*>(value), size};  // only read: Base 2.40, 4.1
}

void Template::flag(CK_ATTRIBUTE_TYPE type, bool value) {
    static constexpr CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    add(type, value ? &yes : &no, sizeof(CK_BBOOL));
}

void Template::number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
    numbers_[count_ % count_max] = value;
    add(type, &numbers_[count_ % count_max], sizeof value);
}

void Template::bytes(CK_ATTRIBUTE_TYPE type, Bytes value) {
    add(type, value.data(), value.size());
}

void Template::name(const ObjectName& value) {
    bytes(CKA_ID, value.id);
    add(CKA_LABEL, value.label.data(), value.label.size());
}

void Template::usages(ObjectClass object_class, std::uint8_t usages) {
    for (const UsageAttribute& one : usage_attributes) {
        if ((usages_of(object_class) & one.bit) != 0) flag(one.type, (usages & one.bit) != 0);
    }
}

void Template::kept_inside() {
    flag(CKA_TOKEN, true);
    flag(CKA_PRIVATE, true);
    flag(CKA_SENSITIVE, true);
    flag(CKA_EXTRACTABLE, false);
}

void Template::not_modifiable() {
    flag(CKA_MODIFIABLE, false);
}

CK_OBJECT_CLASS class_number(ObjectClass object_class) {
    if (object_class == ObjectClass::private_key) return CKO_PRIVATE_KEY;
    return object_class == ObjectClass::public_key ? CKO_PUBLIC_KEY : CKO_SECRET_KEY;
}

Result<ObjectDescription> describe_object(const CK_FUNCTION_LIST& call, CK_SESSION_HANDLE session,
                                          CK_OBJECT_HANDLE object) {
    Reader read{call, session, object};
    ObjectDescription out;
    out.object_class = class_of(read(CKA_CLASS).number().value_or(CKO_DATA));
    const auto id = read(CKA_ID);
    const auto label = read(CKA_LABEL);
    out.name.id.assign(id.bytes().begin(), id.bytes().end());
    out.name.label.assign(label.bytes().begin(), label.bytes().end());
    if (out.object_class != ObjectClass::any) {
        read_type(read, out);
        for (const UsageAttribute& one : usage_attributes) {
            const bool allowed = (usages_of(out.object_class) & one.bit) != 0;
            if (allowed && read(one.type).flag()) out.usages |= one.bit;
        }
    }
    if (out.object_class == ObjectClass::secret_key ||
        out.object_class == ObjectClass::private_key) {
        // An attribute that is not there must not count as safe: extractable unless it says no.
        const auto extractable = read(CKA_EXTRACTABLE);
        const bool stays = !extractable.bytes().empty() && !extractable.flag();
        out.kept_inside = stays && read(CKA_PRIVATE).flag() && read(CKA_SENSITIVE).flag();
        out.born_inside = out.kept_inside && read(CKA_ALWAYS_SENSITIVE).flag() &&
                          read(CKA_NEVER_EXTRACTABLE).flag();
    }
    if (read.rv != CKR_OK) return refused("C_GetAttributeValue", read.rv);
    return out;
}

}  // namespace crypto::keys::pkcs11
