#pragma once
// What a key object is asked to be, and what it says it is. docs/pkcs11.md, "Objects".
#include <array>
#include <compare>
#include <optional>
#include <string>
#include <vector>

#include <p11-kit/pkcs11.h>

#include "crypto/core/secret.hpp"
#include "crypto/keys/pkcs11/error.hpp"

namespace crypto::keys::pkcs11 {

constexpr std::size_t name_size_max = 64;

/// CKA_ID and CKA_LABEL: each 1..name_size_max bytes; both together name a key.
struct ObjectName {
    std::vector<std::uint8_t> id;
    std::string label;
    friend auto operator<=>(const ObjectName&, const ObjectName&) = default;
};

enum class Algorithm : std::uint8_t { aes, triple_des, p256, other };
/// A key has one.
enum class Use : std::uint8_t {
    encrypt_blocks,  ///< AES, triple_des: ECB
    mac,             ///< AES, triple_des: CMAC
    sign,            ///< p256
    seal,            ///< AES of 32 bytes
    unwrap,          ///< AES: lets keys in, and none out
};
enum class ObjectClass : std::uint8_t { secret_key, private_key, public_key, any };
inline constexpr std::array<ObjectClass, 3> key_classes{
    ObjectClass::secret_key, ObjectClass::private_key, ObjectClass::public_key};

struct KeySpec {
    ObjectName name;
    Algorithm algorithm = Algorithm::aes;
    Use use = Use::encrypt_blocks;
    std::size_t size = 32;  ///< bytes: AES 16, 24, 32; triple_des 16 (two keys), 24; p256 32
};

/// One bit a CKA_ usage attribute.
namespace usage {
constexpr std::uint8_t encrypt = 1, decrypt = 2, sign = 4, verify = 8, wrap = 16, unwrap = 32,
                       derive = 64;
}

struct ObjectDescription {
    ObjectName name;
    ObjectClass object_class = ObjectClass::any;
    Algorithm algorithm = Algorithm::other;
    std::size_t size = 0;      ///< bytes of a secret key; 0 when the token does not say
    std::uint8_t usages = 0;   ///< bits of `usage`
    bool kept_inside = false;  ///< private, sensitive and not extractable
    bool born_inside = false;  ///< was so always: its value has never been outside
};

/// The bits an object of that class may have for a use; for `seal` one of two.
[[nodiscard]] bool has_exactly(const ObjectDescription& object, Use use);
/// attribute_refused: not kept inside, or not that one use. use_forbidden: not its algorithm.
[[nodiscard]] Result<void> check_use(const ObjectDescription& object, Use use);

/// A list of attributes for one call. Points into itself and into what the caller gave: neither may
/// move meanwhile. Copies no secret.
class Template {
public:
    Template() = default;
    Template(const Template&) = delete;
    Template& operator=(const Template&) = delete;

    void flag(CK_ATTRIBUTE_TYPE type, bool value);
    void number(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
    void bytes(CK_ATTRIBUTE_TYPE type, Bytes value);
    void name(const ObjectName& value);
    void name(ObjectName&&) = delete;  // it would be gone before the call
    /// Every usage attribute of the class, true where `usages` has its bit.
    void usages(ObjectClass object_class, std::uint8_t usages);
    /// On the token, private, sensitive, not extractable.
    void kept_inside();
    /// The template's last: SoftHSM2 2.6.1 takes nothing after it from an unwrapping template.
    void not_modifiable();

    /// PKCS#11 takes pointers to what it only reads.
    [[nodiscard]] CK_ATTRIBUTE* data() const { return attributes_.data(); }
    [[nodiscard]] CK_ULONG size() const { return count_; }

private:
    void add(CK_ATTRIBUTE_TYPE type, const void* value, std::size_t size);
    static constexpr std::size_t count_max = 24;
    mutable std::array<CK_ATTRIBUTE, count_max> attributes_{};
    std::array<CK_ULONG, count_max> numbers_{};
    std::size_t count_ = 0;
};

[[nodiscard]] CK_OBJECT_CLASS class_number(ObjectClass object_class);

/// Reads an object's public attributes. Attributes it does not have count as false and empty.
[[nodiscard]] Result<ObjectDescription> describe_object(const CK_FUNCTION_LIST& call,
                                                        CK_SESSION_HANDLE session,
                                                        CK_OBJECT_HANDLE object);

}  // namespace crypto::keys::pkcs11
