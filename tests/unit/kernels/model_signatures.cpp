// SPDX-License-Identifier: BSD-3-Clause
// Who may vouch for a bundle.
#include "kernels/model/envelope.h"
#include "tests/unit/kernels/model_fixtures.h"

#include <gtest/gtest.h>

namespace weir::kernels::test {
namespace {

Result<VerifiedBundle> verify_with(const Bytes& file, const Keyring& ring) {
    return verify_bundle(file, "push", ring, test_catalog(), {});
}

Bytes also_signed(const Bytes& file, const SecretKey& key) {
    auto more = add_signature(file, "file", key.bytes());
    EXPECT_TRUE(more) << more.error().line();
    return more ? *more : Bytes{};
}

Bytes with_signatures(const Bytes& file, const std::vector<EnvelopeSignature>& signatures) {
    auto out = serialize_envelope({payload_of(file), signatures}, "file");
    EXPECT_TRUE(out);
    return *out;
}

TEST(Signature, RefusesAnEmptyKeyring) {
    const auto verified = verify_with(signed_bytes(tiny_bundle()), Keyring{});
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, "signatures");
    EXPECT_NE(verified.error().what.find("keyring is empty"), std::string::npos);
}

TEST(Signature, RefusesAnUnsignedBundle) {
    const auto plain = serialize_bundle(tiny_bundle());
    ASSERT_TRUE(plain);
    const auto verified = verify_with(*plain, ring_of(test_key()));
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, "signatures");
    EXPECT_EQ(verified.error().what, "not signed");
}

TEST(Signature, RefusesAKeyOutsideTheKeyringAndNamesIt) {
    const auto verified = verify_with(signed_bytes(tiny_bundle()), ring_of(test_key(2)));
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, "signatures");
    EXPECT_NE(verified.error().what.find(test_key().public_key().id), std::string::npos);
}

// A signature by another key under a trusted key's id.
TEST(Signature, RefusesAWrongKeyUnderATrustedId) {
    const Bytes file = signed_bytes(tiny_bundle());
    auto envelope = parse_envelope(file, "file", kHardMaxBundleBytes);
    ASSERT_TRUE(envelope);
    EnvelopeSignature forged = envelope->signatures[0];
    forged.key_id = test_key(2).public_key().id;
    const auto verified = verify_with(with_signatures(file, {forged}), ring_of(test_key(2)));
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, "signatures[0].signature");
}

TEST(Signature, OneTrustedOfTwoIsEnoughInEitherOrder) {
    const Bytes first = also_signed(signed_bytes(tiny_bundle()), test_key(2));
    for (const std::uint8_t seed : {1, 2}) {
        const auto verified = verify_with(first, ring_of(test_key(seed)));
        ASSERT_TRUE(verified) << verified.error().line();
        EXPECT_EQ(verified->signer, test_key(seed).public_key().id);
    }
    EXPECT_FALSE(verify_with(first, ring_of(test_key(3))));
}

// Whoever tampers with one trusted signature is noticed although another one holds.
TEST(Signature, ABrokenTrustedSignatureIsNotMadeGoodByAnother) {
    const Bytes file = also_signed(signed_bytes(tiny_bundle()), test_key(2));
    auto envelope = parse_envelope(file, "file", kHardMaxBundleBytes);
    ASSERT_TRUE(envelope);
    envelope->signatures[1].signature[5] ^= 1;
    Keyring both = ring_of(test_key());
    both.add(test_key(2).public_key());
    const Bytes broken = with_signatures(file, envelope->signatures);
    const auto verified = verify_with(broken, both);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().field, "signatures[1].signature");
    // To a gateway that does not know the second key it says nothing either way.
    EXPECT_TRUE(verify_with(broken, ring_of(test_key())));
}

TEST(Signature, SigningAgainReplacesOwnAndKeepsOthers) {
    const Bytes twice = also_signed(signed_bytes(tiny_bundle()), test_key(2));
    const Bytes again = also_signed(twice, test_key(1));
    const auto ids = bundle_signers(again, "file");
    ASSERT_TRUE(ids);
    EXPECT_EQ(
        *ids, (std::vector<std::string>{test_key(2).public_key().id, test_key(1).public_key().id}));
}

TEST(Signature, AtMostSixteen) {
    Bytes file = signed_bytes(tiny_bundle());
    for (std::uint8_t seed = 2; seed <= 16; ++seed) {
        file = also_signed(file, test_key(seed));
    }
    const auto one_more = add_signature(file, "file", test_key(17).bytes());
    ASSERT_FALSE(one_more);
    EXPECT_EQ(one_more.error().field, "signatures");
    EXPECT_TRUE(verify_with(file, ring_of(test_key(16))));
}

TEST(Signature, CoversThePayloadInItsDomainOnly) {
    // A signature over the bare payload, as some other tool might make, is none over a bundle.
    const Bytes file = signed_bytes(tiny_bundle());
    auto envelope = parse_envelope(file, "file", kHardMaxBundleBytes);
    ASSERT_TRUE(envelope);
    std::string unprefixed = envelope->payload;
    ASSERT_EQ(kSignatureDomain.back(), '\0');
    Envelope shifted{std::string(kSignatureDomain) + unprefixed, {}};
    ASSERT_TRUE(sign_envelope(shifted, "file", test_key().bytes()));
    EXPECT_FALSE(verify_with(with_signatures(file, shifted.signatures), ring_of(test_key())));
}

TEST(Signature, RefusesBadForm) {
    const Bytes file = signed_bytes(tiny_bundle());
    auto envelope = parse_envelope(file, "file", kHardMaxBundleBytes);
    ASSERT_TRUE(envelope);
    const EnvelopeSignature good = envelope->signatures[0];
    const auto field_of = [&](std::vector<EnvelopeSignature> signatures) {
        const auto verified = verify_with(with_signatures(file, signatures), ring_of(test_key()));
        return verified ? std::string("accepted") : verified.error().field;
    };
    EXPECT_EQ(field_of({good}), "accepted");
    EXPECT_EQ(field_of({{good.key_id.substr(1), good.signature}}), "signatures[0].key_id");
    EXPECT_EQ(field_of({{"GGGGGGGGGGGGGGGG", good.signature}}), "signatures[0].key_id");
    EXPECT_EQ(field_of({{good.key_id, good.signature.substr(1)}}), "signatures[0].signature");
    EXPECT_EQ(field_of({good, good}), "signatures[1].key_id");
}

}  // namespace
}  // namespace weir::kernels::test
