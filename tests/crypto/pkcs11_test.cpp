// crypto/keys/pkcs11 against the real SoftHSM2: docs/pkcs11.md. Expected values come from
// standards, from OpenSSL, and from crypto/purse.
#include <dlfcn.h>
#include <link.h>

#include "tests/crypto/pkcs11_fixture.hpp"
#include "tests/crypto/pkcs11_openssl.hpp"

namespace {

using namespace tests;
using p11::Refusal;
using p11::Use;

std::string library_path(const char* name) {
    void* const library = dlopen(name, RTLD_NOW);
    REQUIRE(library != nullptr);
    link_map* map = nullptr;
    REQUIRE(dlinfo(library, RTLD_DI_LINKMAP, static_cast<void*>(&map)) == 0);
    std::string path = map->l_name;
    dlclose(library);
    return path;
}

const ByteVector wrapping_value =
    from_hex("603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4");

}  // namespace

TEST_CASE("Module: what is no module is refused by name") {
    const SoftHsm hsm;
    CHECK(why(p11::Module::load(hsm.directory() / "absent.so")) == Refusal::module_missing);
    std::ofstream{hsm.directory() / "text.so"} << "not a library\n";
    CHECK(why(p11::Module::load(hsm.directory() / "text.so")) == Refusal::module_refused);
    CHECK(why(p11::Module::load(hsm.directory())) == Refusal::module_refused);
    const auto other = p11::Module::load(library_path("libm.so.6"));
    CHECK(why(other) == Refusal::module_refused);
    CHECK(other.error().detail.find("no C_GetFunctionList") != std::string::npos);
}

TEST_CASE("Module: one a path however it is spelled and again after the last has gone") {
    const SoftHsm hsm;
    auto first = good(p11::Module::load(ONECARD_SOFTHSM2));
    std::filesystem::create_symlink(ONECARD_SOFTHSM2, hsm.directory() / "link.so");
    auto second = good(p11::Module::load(hsm.directory() / "link.so"));
    CHECK(first.get() == second.get());
    second.reset();
    CHECK(first->tokens().has_value());
    first.reset();
    CHECK(good(p11::Module::load(ONECARD_SOFTHSM2))->tokens().has_value());
}

TEST_CASE("Token: chosen by label or serial number and refused when there is not exactly one") {
    const SoftHsm hsm;
    const auto open = [](const p11::TokenSelection& selection) {
        return p11::Token::open(good(p11::Module::load(ONECARD_SOFTHSM2)), selection,
                                text(user_pin));
    };
    CHECK(why(open({})) == Refusal::token_uninitialised);
    CHECK(why(open({.label = "any", .serial = {}})) == Refusal::token_uninitialised);
    const auto serial = hsm.make_token("twin");
    CHECK(good(open({}))->info().serial == serial);
    CHECK(why(open({.label = "other", .serial = {}})) == Refusal::token_missing);
    CHECK(why(open({.label = "twin", .serial = "0"})) == Refusal::token_missing);
    const auto second = hsm.make_token("twin");
    CHECK(why(open({.label = "twin", .serial = {}})) == Refusal::token_ambiguous);
    CHECK(why(open({})) == Refusal::token_ambiguous);
    CHECK(good(open({.label = "twin", .serial = second}))->info().serial == second);
    CHECK(good(open({.label = {}, .serial = serial}))->info().label == "twin");
}

TEST_CASE("Token: a wrong PIN is refused with the tries that are left and appears in no text") {
    const SoftHsm hsm;
    hsm.make_token(token_label);
    const auto module = good(p11::Module::load(ONECARD_SOFTHSM2));
    const auto refused = p11::Token::open(module, {}, text("wrong 987654"));
    CHECK(why(refused) == Refusal::pin_wrong);
    CHECK(refused.error().tries == p11::PinTries::few);
    CHECK(refused.error().detail == "C_Login: CKR_PIN_INCORRECT");
    CHECK(why(p11::Token::open(module, {}, {})) == Refusal::pin_refused);
    // A refusal gives the token back.
    CHECK(p11::Token::open(module, {}, text(user_pin)).has_value());
}

TEST_CASE("Token: opened twice it would not look at the second PIN so it is refused") {
    OpenToken token;
    const auto again = p11::Token::open(token.module, {}, text("wrong 987654"));
    CHECK(why(again) == Refusal::token_in_use);
    CHECK(token->list().has_value());
    token.token.reset();
    CHECK(why(p11::Token::open(token.module, {}, text("wrong 987654"))) == Refusal::pin_wrong);
    // Other code of the process has logged in.
    CK_SESSION_HANDLE session = 0;
    const auto& call = token.module->call();
    const auto slot = good(token.module->choose({})).slot;
    REQUIRE(call.C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session) == CKR_OK);
    REQUIRE(call.C_Login(session, CKU_USER, SoftHsm::pin(user_pin), user_pin.size()) == CKR_OK);
    CHECK(why(p11::Token::open(token.module, {}, text("wrong 987654"))) == Refusal::token_in_use);
    REQUIRE(call.C_CloseSession(session) == CKR_OK);
    token.open();
}

TEST_CASE("Token: keys made inside are kept and typed by one use") {
    OpenToken token;
    const std::array specs{aes("blocks 16", Use::encrypt_blocks, 16),
                           aes("blocks 24", Use::encrypt_blocks, 24),
                           aes("blocks 32", Use::encrypt_blocks, 32),
                           aes("mac", Use::mac, 16),
                           aes("seal", Use::seal),
                           aes("unwrap", Use::unwrap),
                           des("two keys", Use::encrypt_blocks, 16),
                           des("three keys", Use::encrypt_blocks, 24),
                           des("des mac", Use::mac, 16),
                           pair("pair")};
    for (const auto& spec : specs) {
        CAPTURE(spec.name.label);
        good(token->generate(spec));
        const auto found = good(token->find(spec.name));
        CHECK(found.name == spec.name);
        CHECK(found.algorithm == spec.algorithm);
        CHECK(found.size == spec.size);
        CHECK(found.kept_inside);
        CHECK(found.born_inside);
        CHECK(p11::has_exactly(found, spec.use));
    }
    CHECK(good(token->list()).size() == specs.size() + 1);  // the pair is two
}

TEST_CASE("Token: a key does not come out by any call of the module") {
    OpenToken token;
    good(token->generate(aes("made", Use::encrypt_blocks)));
    good(token->import_key(des("brought", Use::encrypt_blocks),
                           from_hex("0123456789ABCDEFFEDCBA9876543210")));
    CHECK_FALSE(good(token->find(named("brought"))).born_inside);
    good(token->generate(pair("pair")));
    const auto session = token.raw_session();
    const auto& call = token.module->call();
    p11::Template thief;
    thief.number(CKA_CLASS, CKO_SECRET_KEY);
    thief.number(CKA_KEY_TYPE, CKK_AES);
    thief.number(CKA_VALUE_LEN, 32);
    thief.flag(CKA_WRAP, true);
    CK_MECHANISM generate{CKM_AES_KEY_GEN, nullptr, 0};
    CK_OBJECT_HANDLE wrapping = 0;
    REQUIRE(call.C_GenerateKey(session, &generate, thief.data(), thief.size(), &wrapping) ==
            CKR_OK);
    for (const auto* label : {"made", "brought", "pair"}) {
        CAPTURE(label);
        const bool secret = std::string_view{label} != "pair";
        const auto key =
            token.raw_handle(session, named(label), secret ? CKO_SECRET_KEY : CKO_PRIVATE_KEY);
        ByteVector value(200);
        CK_ATTRIBUTE read{CKA_VALUE, value.data(), value.size()};
        CHECK(call.C_GetAttributeValue(session, key, &read, 1) == CKR_ATTRIBUTE_SENSITIVE);
        CK_MECHANISM wrap{CKM_AES_KEY_WRAP_PAD, nullptr, 0};
        CK_ULONG size = value.size();
        CHECK(call.C_WrapKey(session, &wrap, wrapping, key, value.data(), &size) ==
              CKR_KEY_UNEXTRACTABLE);
        p11::Template weaker;
        weaker.flag(CKA_EXTRACTABLE, true);
        CHECK(call.C_SetAttributeValue(session, key, weaker.data(), weaker.size()) != CKR_OK);
        CK_OBJECT_HANDLE copy = 0;
        CHECK(call.C_CopyObject(session, key, weaker.data(), weaker.size(), &copy) != CKR_OK);
        CHECK(value == ByteVector(200));
    }
}

TEST_CASE("Token: wrong sizes and names and uses are refused before the token is asked") {
    OpenToken token;
    CHECK(why(token->generate(aes("a", Use::encrypt_blocks, 20))) == Refusal::size_wrong);
    CHECK(why(token->generate(aes("a", Use::seal, 16))) == Refusal::size_wrong);
    CHECK(why(token->generate(des("a", Use::mac, 8))) == Refusal::size_wrong);
    CHECK(why(token->generate(des("a", Use::seal, 16))) == Refusal::use_forbidden);
    CHECK(why(token->generate(aes("a", Use::sign))) == Refusal::use_forbidden);
    CHECK(why(token->generate(aes("", Use::mac))) == Refusal::name_wrong);
    CHECK(why(token->generate(aes(std::string(65, 'a'), Use::mac))) == Refusal::name_wrong);
    auto nameless = aes("a", Use::mac);
    nameless.name.id.clear();
    CHECK(why(token->generate(nameless)) == Refusal::name_wrong);
    CHECK(why(token->import_key(aes("a", Use::mac), wrapping_value.empty()
                                                        ? Bytes{}
                                                        : Bytes{wrapping_value}.first(16))) ==
          Refusal::size_wrong);
    CHECK(why(token->import_key(pair("a"), wrapping_value)) == Refusal::use_forbidden);
    CHECK(good(token->list()).empty());

    good(token->generate(aes("blocks", Use::encrypt_blocks)));
    ByteVector out(16), longer(17);
    CHECK(why(token->encrypt_blocks(named("blocks"), ByteVector{}, {})) == Refusal::size_wrong);
    CHECK(why(token->encrypt_blocks(named("blocks"), longer, longer)) == Refusal::size_wrong);
    CHECK(why(token->encrypt_blocks(named("blocks"), ByteVector(32), out)) == Refusal::size_wrong);
    CHECK(why(token->cmac(named("blocks"), text("x"), out)) == Refusal::attribute_refused);
    CHECK(why(token->seal(named("blocks"), out, {})) == Refusal::attribute_refused);
    CHECK(why(token->sign(named("blocks"), std::array<std::uint8_t, 32>{})) ==
          Refusal::object_missing);
    CHECK(why(token->diversify(named("blocks"), {})) == Refusal::size_wrong);
    const std::array factors{crypto::purse::Factor{{1, 2, 3, 4, 5, 6, 7, 8}}};
    CHECK(why(token->diversify(named("blocks"), factors)) == Refusal::use_forbidden);
}

TEST_CASE("Token: a name is of one key") {
    OpenToken token;
    const auto spec = aes("city 3100", Use::encrypt_blocks);
    CHECK(why(token->find(spec.name)) == Refusal::object_missing);
    CHECK(why(token->destroy(spec.name)) == Refusal::object_missing);
    good(token->generate(spec));
    CHECK(why(token->generate(spec)) == Refusal::object_exists);
    CHECK(why(token->import_key(spec, wrapping_value)) == Refusal::object_exists);
    auto as_pair = pair("city 3100");
    CHECK(why(token->generate(as_pair)) == Refusal::object_exists);
    auto other_id = spec;
    other_id.name.id.back() = 9;
    good(token->generate(other_id));  // the same label, another id

    // Someone else makes a second one.
    const auto session = token.raw_session();
    p11::Template twin;
    twin.number(CKA_CLASS, CKO_SECRET_KEY);
    twin.number(CKA_KEY_TYPE, CKK_AES);
    twin.name(spec.name);
    twin.flag(CKA_TOKEN, true);
    twin.flag(CKA_ENCRYPT, true);
    twin.bytes(CKA_VALUE, wrapping_value);
    CK_OBJECT_HANDLE made = 0;
    const auto& call = token.module->call();
    REQUIRE(call.C_CreateObject(session, twin.data(), twin.size(), &made) == CKR_OK);
    CHECK(why(token->find(spec.name)) == Refusal::object_ambiguous);
    ByteVector block(16), out(16);
    CHECK(why(token->encrypt_blocks(spec.name, block, out)) == Refusal::object_ambiguous);
    CHECK(why(token->destroy(spec.name)) == Refusal::object_ambiguous);
    REQUIRE(call.C_DestroyObject(session, made) == CKR_OK);

    // A handle that the module no longer knows is looked for again.
    encrypted(*token.token, spec.name, block);
    REQUIRE(call.C_DestroyObject(session, token.raw_handle(session, spec.name, CKO_SECRET_KEY)) ==
            CKR_OK);
    CHECK(why(token->encrypt_blocks(spec.name, block, out)) == Refusal::object_missing);
    good(token->destroy(other_id.name));
    CHECK(good(token->list()).empty());
}

TEST_CASE("Token: keys of others that are exposed or have two uses are not used") {
    OpenToken token;
    const auto session = token.raw_session();
    const auto make = [&](const char* label, bool extractable, bool sensitive, bool also_decrypt) {
        const auto name = named(label);
        p11::Template key;
        key.number(CKA_CLASS, CKO_SECRET_KEY);
        key.number(CKA_KEY_TYPE, CKK_AES);
        key.name(name);
        key.flag(CKA_TOKEN, true);
        key.flag(CKA_PRIVATE, true);
        key.flag(CKA_SENSITIVE, sensitive);
        key.flag(CKA_EXTRACTABLE, extractable);
        key.usages(p11::ObjectClass::secret_key,
                   p11::usage::encrypt | (also_decrypt ? p11::usage::decrypt : 0));
        key.bytes(CKA_VALUE, wrapping_value);
        CK_OBJECT_HANDLE made = 0;
        REQUIRE(token.module->call().C_CreateObject(session, key.data(), key.size(), &made) ==
                CKR_OK);
        ByteVector block(16), out(16);
        return token->encrypt_blocks(named(label), block, out);
    };
    CHECK(make("kept", false, true, false).has_value());
    CHECK(why(make("extractable", true, true, false)) == Refusal::attribute_refused);
    CHECK(why(make("readable", false, false, false)) == Refusal::attribute_refused);
    CHECK(why(make("two uses", false, true, true)) == Refusal::attribute_refused);
}

TEST_CASE("Token: ECB gives the published blocks (FIPS 197 appendix C) and OpenSSL's") {
    OpenToken token;
    const auto key = from_hex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F");
    const auto plain = from_hex("00112233445566778899AABBCCDDEEFF");
    const std::array<std::pair<std::size_t, const char*>, 3> vectors{
        {{16, "69C4E0D86A7B0430D8CDB78070B4C55A"},
         {24, "DDA97CA4864CDFE06EAF70A0EC0D7191"},
         {32, "8EA2B7CA516745BFEAFC49904B496089"}}};
    for (const auto& [size, cipher] : vectors) {
        auto spec = aes("aes " + std::to_string(size), Use::encrypt_blocks, size);
        good(token->import_key(spec, Bytes{key}.first(size)));
        CHECK(encrypted(*token.token, spec.name, plain) == from_hex(cipher));
    }
    ByteVector many(16 * 65);
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::uint8_t>(i * 7);
    CHECK(encrypted(*token.token, named("aes 16"), many) ==
          openssl("AES-128-ECB", Bytes{key}.first(16), many));
    // Keys without parity compute the same.
    good(token->import_key(des("des 16", Use::encrypt_blocks), Bytes{key}.first(16)));
    CHECK(encrypted(*token.token, named("des 16"), many) ==
          openssl("DES-EDE-ECB", Bytes{key}.first(16), many));
    good(token->import_key(des("des 24", Use::encrypt_blocks, 24), Bytes{key}.first(24)));
    CHECK(encrypted(*token.token, named("des 24"), many) ==
          openssl("DES-EDE3-ECB", Bytes{key}.first(24), many));
}

TEST_CASE("Token: diversification inside is that of crypto/purse (domain.md 1.10)") {
    OpenToken token;
    const auto value = from_hex<16>("0123456789ABCDEFFEDCBA9876543210");
    good(token->import_key(des("national purchase", Use::encrypt_blocks), value));
    const crypto::purse::PurseKey master{protocol::Suite::triple_des, value};
    const crypto::purse::Factor city{{0x31, 0x00, 0x00, 0x01, 0xFF, 0xFF, 0xFF, 0xFF}};
    for (std::uint8_t n = 0; n < 20; ++n) {
        const std::array factors{city, crypto::purse::Factor{{0x31, 4, 5, 6, 7, 8, 9, n}}};
        const auto child = good(token->diversify(named("national purchase"), factors));
        const auto expected =
            crypto::purse::diversify(crypto::purse::diversify(master, factors[0]), factors[1]);
        CHECK(child.suite == protocol::Suite::triple_des);
        CHECK(std::ranges::equal(child.value.bytes(), expected.value.bytes()));
        const auto one =
            good(token->diversify(named("national purchase"), std::span{factors}.first(1)));
        CHECK(std::ranges::equal(one.value.bytes(),
                                 crypto::purse::diversify(master, city).value.bytes()));
    }
}

TEST_CASE("Token: CMAC gives the published values (NIST SP 800-38B examples)") {
    OpenToken token;
    good(token->import_key(aes("aes", Use::mac, 16), from_hex("2B7E151628AED2A6ABF7158809CF4F3C")));
    ByteVector mac(16), short_mac(8);
    const auto message = from_hex(
        "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E5130C81C46A35CE411");
    good(token->cmac(named("aes"), Bytes{message}.first(16), mac));
    CHECK(mac == from_hex("070A16B46B4D4144F79BDD9DD04A287C"));
    good(token->cmac(named("aes"), message, mac));
    CHECK(mac == from_hex("DFA66747DE9AE63030CA32611497C827"));
    CHECK(why(token->cmac(named("aes"), message, short_mac)) == Refusal::size_wrong);
    good(token->import_key(des("des", Use::mac), from_hex("4CF15134A2850DD58A3D10BA80570D38")));
    good(token->cmac(named("des"), Bytes{message}.first(8), short_mac));
    CHECK(short_mac == from_hex("4FF2AB813C53CE83"));
}

TEST_CASE("Token: ECDSA signatures verify in OpenSSL under the public half") {
    OpenToken token;
    good(token->generate(pair("tls")));
    good(token->generate(pair("other")));
    const auto point = good(token->public_key(named("tls")));
    std::array<std::uint8_t, 32> digest{};
    for (std::uint8_t n = 0; n < 10; ++n) {
        digest[31] = n;
        const auto signature = good(token->sign(named("tls"), digest));
        CHECK(openssl_verifies(point, digest, signature));
        auto other = digest;
        other[0] ^= 1;
        CHECK_FALSE(openssl_verifies(point, other, signature));
        CHECK_FALSE(openssl_verifies(good(token->public_key(named("other"))), digest, signature));
    }
    CHECK(why(token->public_key(named("absent"))) == Refusal::object_missing);
    good(token->destroy(named("tls")));
    CHECK(why(token->public_key(named("tls"))) == Refusal::object_missing);
}

TEST_CASE("Token: a sealed secret opens as it was and with its data only") {
    OpenToken token;
    good(token->generate(aes("seal", Use::seal)));
    good(token->generate(aes("other", Use::seal)));
    crypto::keys::LockedArena arena;
    for (const std::size_t size : {std::size_t{1}, std::size_t{16}, std::size_t{32},
                                   std::size_t{64}, p11::sealed_secret_size_max}) {
        ByteVector secret(size);
        good(token->random(secret));
        const auto blob = good(token->seal(named("seal"), secret, text("SM4 city/3100 v1")));
        CHECK(good(p11::Token::sealed_size(blob)) == size);
        const MutableBytes out = arena.allocate(size);
        good(token->open_sealed(named("seal"), blob, text("SM4 city/3100 v1"), out));
        CHECK(std::ranges::equal(out, secret));
        CHECK(good(token->seal(named("seal"), secret, text("SM4 city/3100 v1"))) != blob);
        CHECK(why(token->open_sealed(named("seal"), blob, text("SM4 city/3100 v2"), out)) ==
              Refusal::blob_refused);
        CHECK(std::ranges::all_of(out, [](auto byte) { return byte == 0; }));
        CHECK(why(token->open_sealed(named("other"), blob, text("SM4 city/3100 v1"), out)) ==
              Refusal::blob_refused);
    }
    CHECK(why(token->seal(named("seal"), {}, {})) == Refusal::size_wrong);
    CHECK(why(token->seal(named("seal"), ByteVector(p11::sealed_secret_size_max + 1), {})) ==
          Refusal::size_wrong);
}

TEST_CASE("Token: every byte of a sealed blob counts") {
    OpenToken token;
    good(token->generate(aes("seal", Use::seal)));
    const auto secret = from_hex("0123456789ABCDEFFEDCBA9876543210");
    const auto blob = good(token->seal(named("seal"), secret, text("data")));
    ByteVector out(16);
    for (std::size_t i = 0; i < blob.size(); ++i) {
        auto changed = blob;
        changed[i] ^= 0x01;
        CAPTURE(i);
        const auto refusal = why(token->open_sealed(named("seal"), changed, text("data"), out));
        // Magic, version, mechanism and size are refused for their form; what follows by the tag.
        CHECK(refusal ==
              (i < p11::seal_header_size ? Refusal::blob_malformed : Refusal::blob_refused));
        CHECK(why(token->open_sealed(named("seal"), Bytes{blob}.first(i), text("data"), out)) ==
              Refusal::blob_malformed);
        CHECK(out == ByteVector(16));
    }
    ByteVector longer = blob;
    longer.push_back(0);
    CHECK(why(token->open_sealed(named("seal"), longer, text("data"), out)) ==
          Refusal::blob_malformed);
    ByteVector small(15);
    CHECK(why(token->open_sealed(named("seal"), blob, text("data"), small)) == Refusal::size_wrong);
}

TEST_CASE("Token: OpenSSL opens a sealed blob under the same key") {
    OpenToken token;
    good(token->import_key(aes("seal", Use::seal), wrapping_value));
    const auto secret = from_hex("0123456789ABCDEFFEDCBA9876543210");
    const auto blob = good(token->seal(named("seal"), secret, text("data")));
    REQUIRE(blob.size() == 8 + 12 + 16 + 16);
    EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
    REQUIRE(EVP_DecryptInit(context, EVP_aes_256_gcm(), wrapping_value.data(), blob.data() + 8) ==
            1);
    int size = 0;
    ByteVector out(16);
    REQUIRE(EVP_DecryptUpdate(context, nullptr, &size, blob.data(), 8) == 1);
    REQUIRE(EVP_DecryptUpdate(context, nullptr, &size, text("data").data(), 4) == 1);
    REQUIRE(EVP_DecryptUpdate(context, out.data(), &size, blob.data() + 20, 16) == 1);
    auto tag = Bytes{blob}.last(16);
    REQUIRE(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16,
                                const_cast<std::uint8_t*>(tag.data())) == 1);
    CHECK(EVP_DecryptFinal(context, out.data(), &size) == 1);
    CHECK(out == secret);
    EVP_CIPHER_CTX_free(context);
}

TEST_CASE("Token: a key that OpenSSL wrapped is unwrapped inside (RFC 3394)") {
    OpenToken token;
    good(token->import_key(aes("transport", Use::unwrap), wrapping_value));
    const auto value = from_hex("0123456789ABCDEFFEDCBA9876543210");
    auto wrapped = openssl("id-aes256-wrap", wrapping_value, value);
    REQUIRE(wrapped.size() == 24);
    good(token->unwrap_key(des("master", Use::encrypt_blocks), named("transport"), wrapped));
    const auto found = good(token->find(named("master")));
    CHECK(found.kept_inside);
    CHECK_FALSE(found.born_inside);
    CHECK(found.algorithm == p11::Algorithm::triple_des);
    const ByteVector block(16);
    CHECK(encrypted(*token.token, named("master"), block) == openssl("DES-EDE-ECB", value, block));
    good(token->unwrap_key(aes("aes", Use::encrypt_blocks, 16), named("transport"), wrapped));
    CHECK(encrypted(*token.token, named("aes"), block) == openssl("AES-128-ECB", value, block));
    for (std::size_t i = 0; i < wrapped.size(); ++i) {
        wrapped[i] ^= 0x80;
        CHECK(why(token->unwrap_key(aes("x", Use::mac, 16), named("transport"), wrapped)) ==
              Refusal::blob_refused);
        wrapped[i] ^= 0x80;
    }
    CHECK(why(token->unwrap_key(aes("x", Use::mac, 32), named("transport"), wrapped)) ==
          Refusal::size_wrong);
    CHECK(why(token->unwrap_key(aes("x", Use::mac, 16), named("absent"), wrapped)) ==
          Refusal::object_missing);
    CHECK(why(token->unwrap_key(aes("x", Use::mac, 16), named("aes"), wrapped)) ==
          Refusal::attribute_refused);
    CHECK(why(token->unwrap_key(aes("aes", Use::mac, 16), named("transport"), wrapped)) ==
          Refusal::object_exists);
    CHECK(good(token->list()).size() == 3);
}

TEST_CASE("Token: random bytes fill what is asked for") {
    OpenToken token;
    ByteVector first(64), second(64);
    good(token->random(first));
    good(token->random(second));
    CHECK(first != second);
    CHECK(first != ByteVector(64));
    good(token->random({}));
}

TEST_CASE("Formats: a public key in DER or bare and nothing else") {
    ByteVector bare(65, 0x11);
    bare[0] = 0x04;
    ByteVector der{0x04, 0x41};
    der.insert(der.end(), bare.begin(), bare.end());
    CHECK(Bytes{good(p11::parse_ec_point(der))}.size() == 65);
    CHECK(good(p11::parse_ec_point(der)) == good(p11::parse_ec_point(bare)));
    for (std::size_t i : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
        auto changed = der;
        changed[i] ^= 1;
        CHECK(why(p11::parse_ec_point(changed)) == Refusal::answer_malformed);
    }
    for (std::size_t size = 0; size < der.size(); ++size) {
        if (size == 65) continue;
        CHECK(why(p11::parse_ec_point(Bytes{der}.first(size))) == Refusal::answer_malformed);
    }
    auto compressed = Bytes{bare}.first(33);
    CHECK(why(p11::parse_ec_point(compressed)) == Refusal::answer_malformed);
}

TEST_CASE("Errors: every refusal and return value has a name") {
    for (int i = 0; i <= static_cast<int>(p11::refusal_last); ++i) {
        CHECK(std::string_view{p11::name(static_cast<Refusal>(i))} != "unknown");
    }
    CHECK(p11::return_value_name(CKR_OK) == "CKR_OK");
    CHECK(p11::return_value_name(CKR_PIN_LOCKED) == "CKR_PIN_LOCKED");
    CHECK(p11::return_value_name(CKR_FUNCTION_REJECTED) == "CKR_FUNCTION_REJECTED");
    CHECK(p11::return_value_name(0x80000123) == "CK_RV 0x80000123");
}
