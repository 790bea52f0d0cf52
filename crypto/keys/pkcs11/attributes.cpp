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

constexpr std::array<CK_ATTRIBUTE_TYPE, 18> attributes_read{CKA_CLASS,
                                                            CKA_ID,
                                                            CKA_LABEL,
                                                            CKA_KEY_TYPE,
                                                            CKA_VALUE_LEN,
                                                            CKA_EC_PARAMS,
                                                            CKA_ENCRYPT,
                                                            CKA_DECRYPT,
                                                            CKA_SIGN,
                                                            CKA_VERIFY,
                                                            CKA_WRAP,
                                                            CKA_UNWRAP,
                                                            CKA_DERIVE,
                                                            CKA_PRIVATE,
                                                            CKA_SENSITIVE,
                                                            CKA_EXTRACTABLE,
                                                            CKA_ALWAYS_SENSITIVE,
                                                            CKA_NEVER_EXTRACTABLE};

/// An object's attributes, read in one call: a module may be at the far end of a network.
class Attributes {
public:
    [[nodiscard]] Result<void> read(const CK_FUNCTION_LIST& call, CK_SESSION_HANDLE session,
                                    CK_OBJECT_HANDLE object) {
        for (std::size_t i = 0; i < attributes_read.size(); ++i) {
            list_[i] = {attributes_read[i], values_[i].data(), values_[i].size()};
        }
        const CK_RV rv = call.C_GetAttributeValue(session, object, list_.data(), list_.size());
        // Base 2.40, 5.7: these say that some were not there, or longer than any of ours; the
        // others have been read.
        const bool some = rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
                          rv == CKR_BUFFER_TOO_SMALL;
        if (rv != CKR_OK && !some) return refused("C_GetAttributeValue", rv);
        return {};
    }
    /// Empty when the object does not have it.
    [[nodiscard]] Bytes bytes(CK_ATTRIBUTE_TYPE type) const {
        const auto place = static_cast<std::size_t>(std::ranges::find(attributes_read, type) -
                                                    attributes_read.begin());
        const CK_ULONG size = list_[place].ulValueLen;
        return size > values_[place].size() ? Bytes{} : Bytes{values_[place]}.first(size);
    }
    [[nodiscard]] bool flag(CK_ATTRIBUTE_TYPE type) const {
        const Bytes value = bytes(type);
        return value.size() == sizeof(CK_BBOOL) && value[0] != CK_FALSE;
    }
    [[nodiscard]] std::optional<CK_ULONG> number(CK_ATTRIBUTE_TYPE type) const {
        const Bytes value = bytes(type);
        CK_ULONG out = 0;
        if (value.size() != sizeof out) return std::nullopt;
        std::ranges::copy(value, reinterpret_cast<std::uint8_t*>(&out));
        return out;
    }

private:
    std::array<std::array<std::uint8_t, 256>, attributes_read.size()> values_{};
    std::array<CK_ATTRIBUTE, attributes_read.size()> list_{};
};

ObjectClass class_of(CK_ULONG number) {
    if (number == CKO_SECRET_KEY) return ObjectClass::secret_key;
    if (number == CKO_PRIVATE_KEY) return ObjectClass::private_key;
    return number == CKO_PUBLIC_KEY ? ObjectClass::public_key : ObjectClass::any;
}

constexpr std::array<std::uint8_t, 10> p256_parameters{
    // secp256r1: RFC 5480, 2.1.1.1
    0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};

void read_type(const Attributes& read, ObjectDescription& out) {
    const CK_ULONG type = read.number(CKA_KEY_TYPE).value_or(CKK_VENDOR_DEFINED);
    if (type == CKK_AES) {
        out.algorithm = Algorithm::aes;
        out.size = read.number(CKA_VALUE_LEN).value_or(0);
    } else if (type == CKK_DES2 || type == CKK_DES3) {
        out.algorithm = Algorithm::triple_des;
        out.size = type == CKK_DES2 ? 16 : 24;
    } else if (type == CKK_EC && std::ranges::equal(read.bytes(CKA_EC_PARAMS), p256_parameters)) {
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
    Attributes read;
    ONECARD_CHECK(read.read(call, session, object));
    ObjectDescription out;
    out.object_class = class_of(read.number(CKA_CLASS).value_or(CKO_DATA));
    const Bytes id = read.bytes(CKA_ID), label = read.bytes(CKA_LABEL);
    out.name = {{id.begin(), id.end()}, {label.begin(), label.end()}};
    if (out.object_class == ObjectClass::any) return out;
    read_type(read, out);
    for (const UsageAttribute& one : usage_attributes) {
        if (read.flag(one.type)) out.usages |= one.bit;
    }
    if (out.object_class == ObjectClass::public_key) return out;
    // An attribute that is not there must not count as safe: extractable unless it says no.
    const bool stays = !read.bytes(CKA_EXTRACTABLE).empty() && !read.flag(CKA_EXTRACTABLE);
    out.kept_inside = stays && read.flag(CKA_PRIVATE) && read.flag(CKA_SENSITIVE);
    out.born_inside =
        out.kept_inside && read.flag(CKA_ALWAYS_SENSITIVE) && read.flag(CKA_NEVER_EXTRACTABLE);
    return out;
}

}  // namespace crypto::keys::pkcs11
