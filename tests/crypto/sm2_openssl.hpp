#pragma once
// OpenSSL 3's SM2 with our byte strings: r | s instead of DER, C1 | C3 | C2 instead of GM/T 0009's
// SEQUENCE. A reference for tests and benchmarks only.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

namespace tests::openssl {

using Bytes = std::span<const std::uint8_t>;
using ByteVector = std::vector<std::uint8_t>;

template <auto release>
struct Release {
    void operator()(auto* object) const { release(object); }
};
template <class T, auto release>
using Owned = std::unique_ptr<T, Release<release>>;
using Number = Owned<BIGNUM, BN_free>;
using MdContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;

inline void require(bool worked, const char* what) {
    if (!worked) throw std::runtime_error(std::string{"OpenSSL: "} + what);
}
inline void append(ByteVector& out, Bytes more) {
    out.insert(out.end(), more.begin(), more.end());
}

/// The parts of DER that SM2 needs: INTEGER, OCTET STRING, SEQUENCE. ISO/IEC
/// 8825-1:2021, 8.1.3, 8.3.
inline void put_object(ByteVector& out, std::uint8_t tag, Bytes value) {
    out.push_back(tag);
    if (value.size() >= 0x100) {
        append(out, std::array{std::uint8_t{0x82}, static_cast<std::uint8_t>(value.size() >> 8)});
    } else if (value.size() >= 0x80) {
        out.push_back(0x81);
    }
    out.push_back(static_cast<std::uint8_t>(value.size()));
    append(out, value);
}
inline void put_integer(ByteVector& out, Bytes value) {
    while (value.size() > 1 && value[0] == 0) value = value.subspan(1);
    ByteVector content;
    if (value[0] >= 0x80) content.push_back(0);
    append(content, value);
    put_object(out, 0x02, content);
}
[[nodiscard]] inline Bytes take_object(Bytes& in, std::uint8_t tag) {
    require(in.size() >= 2 && in[0] == tag, "unexpected DER");
    std::size_t length = in[1];
    std::size_t header = 2;
    if (length >= 0x80) {
        header += length - 0x80;
        length = 0;
        for (std::size_t i = 2; i < header; ++i) length = length << 8 | in[i];
    }
    const Bytes value = in.subspan(header, length);
    in = in.subspan(header + length);
    return value;
}
inline void append_integer(ByteVector& out, Bytes& in) {  // as 32 bytes
    Bytes value = take_object(in, 0x02);
    while (value.size() > 32) value = value.subspan(1);
    out.resize(out.size() + 32 - value.size());
    append(out, value);
}

/// An SM2 key; the private half may be absent.
class Sm2Key {
public:
    Sm2Key(Bytes x_y, Bytes d = {}) {
        ByteVector point{0x04};
        append(point, x_y);
        const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder{OSSL_PARAM_BLD_new()};
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "SM2", 0);
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size());
        const Number scalar{BN_bin2bn(d.data(), static_cast<int>(d.size()), nullptr)};
        if (!d.empty())
            OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar.get());
        const Owned<OSSL_PARAM, OSSL_PARAM_free> parameters{OSSL_PARAM_BLD_to_param(builder.get())};
        const KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, "SM2", nullptr)};
        EVP_PKEY* key = nullptr;
        require(EVP_PKEY_fromdata_init(context.get()) == 1 &&
                    EVP_PKEY_fromdata(context.get(), &key,
                                      d.empty() ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR,
                                      parameters.get()) == 1,
                "key refused");
        key_.reset(key);
    }

    [[nodiscard]] ByteVector sign(Bytes id, Bytes message) const {
        const KeyContext context = with_id(id);
        const MdContext md{EVP_MD_CTX_new()};
        EVP_MD_CTX_set_pkey_ctx(md.get(), context.get());
        ByteVector der(80);
        std::size_t size = der.size();
        require(
            EVP_DigestSignInit(md.get(), nullptr, EVP_sm3(), nullptr, key_.get()) == 1 &&
                EVP_DigestSign(md.get(), der.data(), &size, message.data(), message.size()) == 1,
            "sign");
        Bytes in = Bytes{der}.first(size);
        Bytes sequence = take_object(in, 0x30);
        ByteVector out;
        append_integer(out, sequence);
        append_integer(out, sequence);
        return out;
    }
    [[nodiscard]] bool verify(Bytes id, Bytes message, Bytes signature) const {
        ByteVector content, der;
        put_integer(content, signature.first(32));
        put_integer(content, signature.subspan(32));
        put_object(der, 0x30, content);
        const KeyContext context = with_id(id);
        const MdContext md{EVP_MD_CTX_new()};
        EVP_MD_CTX_set_pkey_ctx(md.get(), context.get());
        require(EVP_DigestVerifyInit(md.get(), nullptr, EVP_sm3(), nullptr, key_.get()) == 1,
                "verify");
        return EVP_DigestVerify(md.get(), der.data(), der.size(), message.data(), message.size()) ==
               1;
    }
    [[nodiscard]] ByteVector encrypt(Bytes plaintext) const {
        const KeyContext context{EVP_PKEY_CTX_new(key_.get(), nullptr)};
        std::size_t size = 0;
        require(EVP_PKEY_encrypt_init(context.get()) == 1 &&
                    EVP_PKEY_encrypt(context.get(), nullptr, &size, plaintext.data(),
                                     plaintext.size()) == 1,
                "encrypt");
        ByteVector der(size);
        require(EVP_PKEY_encrypt(context.get(), der.data(), &size, plaintext.data(),
                                 plaintext.size()) == 1,
                "encrypt");
        Bytes in = Bytes{der}.first(size);
        Bytes sequence = take_object(in, 0x30);  // GM/T 0009-2012, 7.2: x, y, hash, cipher text
        ByteVector out{0x04};
        append_integer(out, sequence);
        append_integer(out, sequence);
        append(out, take_object(sequence, 0x04));
        append(out, take_object(sequence, 0x04));
        return out;
    }
    /// Empty when OpenSSL refuses.
    [[nodiscard]] ByteVector decrypt(Bytes c1_c3_c2) const {
        ByteVector content, der;
        put_integer(content, c1_c3_c2.subspan(1, 32));
        put_integer(content, c1_c3_c2.subspan(33, 32));
        put_object(content, 0x04, c1_c3_c2.subspan(65, 32));
        put_object(content, 0x04, c1_c3_c2.subspan(97));
        put_object(der, 0x30, content);
        const KeyContext context{EVP_PKEY_CTX_new(key_.get(), nullptr)};
        ByteVector out(der.size());
        std::size_t size = out.size();
        require(EVP_PKEY_decrypt_init(context.get()) == 1, "decrypt");
        if (EVP_PKEY_decrypt(context.get(), out.data(), &size, der.data(), der.size()) != 1)
            return {};
        out.resize(size);
        return out;
    }

private:
    [[nodiscard]] KeyContext with_id(Bytes id) const {
        KeyContext context{EVP_PKEY_CTX_new(key_.get(), nullptr)};
        require(EVP_PKEY_CTX_set1_id(context.get(), id.data(), static_cast<int>(id.size())) == 1,
                "id");
        return context;
    }
    Owned<EVP_PKEY, EVP_PKEY_free> key_;
};

}  // namespace tests::openssl
