// SPDX-License-Identifier: BSD-3-Clause
// Bytes that were changed, cut or made up: always an Error, never a crash, never memory beyond the limits.
#include "kernels/model/bundle.pb.h"
#include "kernels/model/envelope.h"
#include "kernels/model/file.h"
#include "kernels/model/wire_check.h"
#include "tests/unit/kernels/model_fixtures.h"

#include <functional>
#include <random>

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

namespace weir::kernels::test {
namespace {

namespace pb = model::v1;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string text_of(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

Result<void> check_bundle_wire(std::string_view payload) {
    return check_wire(bytes_of(payload), *pb::Bundle::descriptor(), "x");
}

std::string field_of(const Result<void>& result) {
    return result ? std::string("accepted") : result.error().field;
}

pb::Bundle message_of(const Bundle& bundle) {
    pb::Bundle message;
    EXPECT_TRUE(message.ParseFromString(payload_of(signed_bytes(bundle))));
    return message;
}

// A length-delimited field, its length below 128.
std::string delimited(int number, const std::string& body) {
    std::string out;
    const unsigned tag = static_cast<unsigned>(number) << 3 | 2U;
    if (tag >= 0x80) {
        out += static_cast<char>(tag | 0x80);
        out += static_cast<char>(tag >> 7);
    } else {
        out += static_cast<char>(tag);
    }
    EXPECT_LT(body.size(), 128U);
    out += static_cast<char>(body.size());
    return out + body;
}

TEST(HostileBytes, EveryFlippedByteIsRefused) {
    const Bytes good = signed_bytes(tiny_bundle());
    ASSERT_TRUE(verify_signed(good));
    const std::size_t payload_at = text_of(good).find(payload_of(good));
    const std::size_t payload_end = payload_at + payload_of(good).size();
    Bytes bad = good;
    for (std::size_t i = 0; i < good.size(); ++i) {
        // Outside the payload the reader decides, so all values; inside the signature does, so each bit.
        const bool payload = i >= payload_at && i < payload_end;
        for (int flip = 1; flip < 256; ++flip) {
            if (payload && (flip & (flip - 1)) != 0 && flip != 255) {
                continue;
            }
            bad[i] = good[i] ^ std::byte(flip);
            EXPECT_FALSE(verify_signed(bad)) << "byte " << i << " xor " << flip;
        }
        bad[i] = good[i];
    }
}

// What the program brings along: every byte once, each by a mask of the moment.
TEST(HostileBytes, EveryFlippedByteOfTheDefaultModelsIsRefused) {
    const std::string folder = WEIR_MODELS;
    const auto key = load_public_key(folder + "/weir-default.pub");
    ASSERT_TRUE(key) << key.error().line();
    Keyring ring;
    ring.add(*key);
    const auto seed = std::random_device()();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (const char* name : {"/anomaly.weir", "/qos.weir"}) {
        auto file = load_bundle_file(folder + name, kDefaultMaxBundleBytes);
        ASSERT_TRUE(file) << file.error().line();
        Bytes& bad = *file;
        ASSERT_GT(bad.size(), 10'000U);
        // The catalog of the tests is not theirs, which is found out behind a good signature only.
        const auto good = verify_bundle(bad, name, ring, test_catalog(), {});
        ASSERT_FALSE(good);
        ASSERT_EQ(good.error().field.find("signatures"), std::string::npos) << good.error().line();
        for (std::size_t i = 0; i < bad.size(); ++i) {
            const std::byte mask{static_cast<unsigned char>(1 + random() % 255)};
            bad[i] ^= mask;
            const auto verified = verify_bundle(bad, name, ring, test_catalog(), {});
            bad[i] ^= mask;
            ASSERT_FALSE(verified) << name << ": byte " << i << " xor " << int(mask);
            ASSERT_NE(verified.error().line(), good.error().line())
                << name << ": byte " << i << " xor " << int(mask);
        }
    }
}

TEST(HostileBytes, EveryTruncationIsRefused) {
    for (const Bundle& bundle : all_bundles()) {
        const Bytes good = signed_bytes(bundle);
        for (std::size_t n = 0; n < good.size(); ++n) {
            EXPECT_FALSE(verify_signed(Bytes(good.begin(), good.begin() + std::ptrdiff_t(n))));
        }
    }
}

TEST(HostileBytes, AnythingAppendedIsRefused) {
    const Bytes good = signed_bytes(tiny_bundle());
    for (int value = 0; value < 256; ++value) {
        Bytes bad = good;
        bad.push_back(std::byte(value));
        EXPECT_FALSE(verify_signed(bad)) << value;
    }
}

// A signer's mistake or malice: the same flips behind a good signature. Whatever comes of it, no crash, and what
// is accepted survives being written again.
TEST(HostileBytes, FlippedContentsNeverCrash) {
    for (const Bundle& bundle : all_bundles()) {
        const std::string good = payload_of(signed_bytes(bundle));
        std::size_t refused = 0;
        std::string bad = good;
        for (std::size_t i = 0; i < good.size(); ++i) {
            for (int bit = 0; bit < 8; ++bit) {
                bad[i] = static_cast<char>(good[i] ^ (1 << bit));
                auto parsed = parse_payload(bad, "flipped");
                const bool sound = parsed && check_bundle(*parsed, "flipped");
                refused += sound ? 0 : 1;
                if (sound) {
                    const auto again = parse_bundle(signed_bytes(*parsed), "again");
                    EXPECT_TRUE(again && check_bundle(*again, "again"));
                }
            }
            bad[i] = good[i];
        }
        EXPECT_GT(refused, good.size());
    }
}

// Cut between two golden vectors, what is left is a bundle with fewer of them; cut elsewhere, it is none.
TEST(HostileBytes, SignedTruncationsAreRefused) {
    const Bundle whole = forest_bundle();
    const std::string good = payload_of(signed_bytes(whole));
    std::size_t accepted = 0;
    for (std::size_t n = 1; n < good.size(); ++n) {
        const auto verified = verify_signed(signed_payload(good.substr(0, n)));
        if (verified) {
            ++accepted;
            EXPECT_EQ(verified->bundle.golden.size(), accepted) << n;
        }
    }
    EXPECT_EQ(accepted, whole.golden.size() - 1);
}

TEST(HostileBytes, NoiseIsRefused) {
    std::mt19937_64 random(4);
    for (int round = 0; round < 2000; ++round) {
        Bytes noise(1 + random() % 300);
        for (std::byte& b : noise) {
            b = std::byte(random() % 256);
        }
        EXPECT_FALSE(parse_bundle(noise, "noise"));
        EXPECT_FALSE(verify_signed(noise));
    }
}

// 16 MiB that would become a gigabyte of objects if they were parsed before they were counted.
TEST(HostileBytes, CountsAreLimitedBeforeAnythingIsBuilt) {
    std::string many;
    while (many.size() < (std::size_t{16} << 20)) {
        many += delimited(2, "");
    }
    const auto parsed = parse_bundle(bytes_of(many), "push");
    ASSERT_FALSE(parsed);
    // The first signature lacks its fields.
    EXPECT_EQ(parsed.error().field, "signatures[0].key_id");
    std::string golden;
    const std::string one = delimited(20, delimited(1, "a") + delimited(2, std::string(1, '\2')));
    for (int i = 0; i <= 1024; ++i) {
        golden += one;
    }
    const auto checked = check_bundle_wire(golden);
    EXPECT_EQ(field_of(checked), "golden[1024]");
    EXPECT_EQ(checked.error().what, "more than 1024 elements");
}

TEST(WireCheck, TakesWhatTheWriterWrites) {
    for (const Bundle& bundle : all_bundles()) {
        EXPECT_TRUE(check_bundle_wire(message_of(bundle).SerializeAsString()));
    }
}

TEST(WireCheck, RefusesUnknownFieldsAtEveryLevel) {
    const std::string good = message_of(mlp_bundle()).SerializeAsString();
    auto result = check_bundle_wire(good + delimited(15, "x"));
    EXPECT_EQ(result.error().what, "unknown field number 15");
    EXPECT_EQ(result.error().field, "");
    result = check_bundle_wire(delimited(2, delimited(9, "x")));
    EXPECT_EQ(field_of(result), "manifest");
    EXPECT_EQ(result.error().what, "unknown field number 9");
    EXPECT_FALSE(check_bundle_wire(good + std::string("\0\0", 2)));
}

TEST(WireCheck, NamesTheMissingField) {
    struct Case {
        const char* field;
        std::function<void(pb::Bundle&)> remove;
    };
    const std::vector<Case> cases{
        {"format", [](auto& b) { b.clear_format(); }},
        {"manifest", [](auto& b) { b.clear_manifest(); }},
        {"manifest.version", [](auto& b) { b.mutable_manifest()->clear_version(); }},
        {"manifest.slot", [](auto& b) { b.mutable_manifest()->clear_slot(); }},
        {"inputs", [](auto& b) { b.clear_inputs(); }},
        {"inputs[1].encoder", [](auto& b) { b.mutable_inputs(1)->clear_encoder(); }},
        {"network", [](auto& b) { b.clear_network(); }},
        {"mlp.layers", [](auto& b) { b.mutable_mlp()->clear_layers(); }},
        {"mlp.layers[1].shift", [](auto& b) { b.mutable_mlp()->mutable_layers(1)->clear_shift(); }},
        {"mlp.layers[0].bias", [](auto& b) { b.mutable_mlp()->mutable_layers(0)->clear_bias(); }},
        {"head", [](auto& b) { b.clear_head(); }},
        {"head.calibration[1].out",
         [](auto& b) { b.mutable_head()->mutable_calibration(1)->clear_out(); }},
        {"classes", [](auto& b) { b.clear_classes(); }},
        {"golden", [](auto& b) { b.clear_golden(); }},
        {"golden[2].raw", [](auto& b) { b.mutable_golden(2)->clear_raw(); }},
    };
    for (const Case& c : cases) {
        pb::Bundle message = message_of(mlp_bundle());
        c.remove(message);
        const auto verified = verify_signed(signed_payload(message.SerializeAsString()));
        ASSERT_FALSE(verified) << c.field;
        EXPECT_EQ(verified.error().field, c.field);
        EXPECT_EQ(verified.error().what, "missing");
    }
}

TEST(WireCheck, RefusesRepeatedSingularFieldsAndSecondNetworks) {
    const std::string good = message_of(mlp_bundle()).SerializeAsString();
    EXPECT_EQ(field_of(check_bundle_wire(good + std::string("\x08\x01", 2))), "format");
    EXPECT_EQ(field_of(check_bundle_wire(good + delimited(2, ""))), "manifest");
    EXPECT_EQ(field_of(check_bundle_wire(good + delimited(4, ""))), "mlp");
    EXPECT_EQ(field_of(check_bundle_wire(good + delimited(5, ""))), "forest");
    // Packed fields in two pieces are legal protobuf, but no writer of ours makes them.
    const std::string threshold = delimited(18, std::string(8, '\0'));
    EXPECT_EQ(field_of(check_bundle_wire(threshold + threshold)), "thresholds");
}

TEST(WireCheck, RefusesWrongWireTypesAndUnpackedNumbers) {
    EXPECT_EQ(field_of(check_bundle_wire(delimited(1, "x"))), "format");
    EXPECT_EQ(field_of(check_bundle_wire(std::string("\x10\x01", 2))), "manifest");
    // thresholds as one bare fixed64 (field 18, wire type 1)
    EXPECT_EQ(
        field_of(check_bundle_wire(std::string("\x91\x01", 2) + std::string(8, '\0'))),
        "thresholds");
    // A group (wire type 3) and its end.
    EXPECT_EQ(field_of(check_bundle_wire(std::string("\x0b\x0c", 2))), "format");
}

TEST(WireCheck, RefusesOverlongAndOversizedNumbers) {
    const auto format = [](const std::string& varint) {
        std::string bytes = "\x08";
        bytes += varint;
        return check_bundle_wire(bytes);
    };
    EXPECT_EQ(format(std::string("\x81\x00", 2)).error().what, "the encoding is broken (number)");
    EXPECT_EQ(format("\xff\xff\xff\xff\x1f").error().what, "number out of range");
    EXPECT_EQ(
        format(std::string(9, '\xff') + '\x02').error().what, "the encoding is broken (number)");
    EXPECT_EQ(format(std::string(11, '\xff')).error().what, "the encoding is broken (number)");
    EXPECT_EQ(format("\x80").error().what, "the encoding is broken (number)");
    // Overlong tag.
    EXPECT_EQ(
        check_bundle_wire(std::string("\x88\x00\x01", 3)).error().what,
        "the encoding is broken (field tag)");
}

TEST(WireCheck, RefusesLengthsBeyondTheLimits) {
    pb::Bundle message = message_of(mlp_bundle());
    message.mutable_manifest()->set_description(std::string(4097, 'x'));
    EXPECT_EQ(field_of(check_bundle_wire(message.SerializeAsString())), "manifest.description");
    message = message_of(mlp_bundle());
    message.mutable_mlp()->mutable_layers(0)->set_weights(std::string(65537, 'x'));
    EXPECT_EQ(field_of(check_bundle_wire(message.SerializeAsString())), "mlp.layers[0].weights");
    message = message_of(mlp_bundle());
    for (int i = 0; i < 257; ++i) {
        message.mutable_histograms(0)->add_counts(1);
    }
    EXPECT_EQ(field_of(check_bundle_wire(message.SerializeAsString())), "histograms[0].counts");
    message = message_of(mlp_bundle());
    for (int i = 0; i < 5; ++i) {
        *message.mutable_mlp()->add_layers() = message.mlp().layers(0);
    }
    EXPECT_EQ(field_of(check_bundle_wire(message.SerializeAsString())), "mlp.layers[6]");
    // A length that points past the end, and one that would wrap around.
    std::string past{'\x12', '\x7f', 'a', 'b', 'c'};
    EXPECT_EQ(field_of(check_bundle_wire(past)), "manifest");
    std::string wraps(11, '\xff');
    wraps.front() = '\x12';
    wraps.back() = '\x01';
    EXPECT_EQ(field_of(check_bundle_wire(wraps)), "manifest");
}

TEST(WireCheck, TextIsUtf8WithoutControls) {
    const auto accepts = [](const std::string& text) {
        std::string manifest = delimited(6, text);
        const auto result = check_bundle_wire(delimited(2, manifest));
        return field_of(result) != "manifest.description";
    };
    for (const char* good :
         {"plain", "line\nline\t", "ü", "€", "\xf0\x9f\x8c\x8a", "\xf4\x8f\xbf\xbf", "\xc2\xa0"}) {
        EXPECT_TRUE(accepts(good)) << good;
    }
    for (const char* bad :
         {"\x1b[2J",           // terminal escape
          "\r",                // overwrites a line
          "\x7f",              // DEL
          "\xc2\x9b",          // C1 control sequence introducer
          "\x80",              // continuation first
          "\xc3",              // cut short
          "\xc0\x80",          // overlong
          "\xe0\x80\x80",      // overlong
          "\xed\xa0\x80",      // surrogate
          "\xf4\x90\x80\x80",  // above U+10FFFF
          "\xf5\x80\x80\x80",
          "\xff",
          "\xe2\x28\xa1"}) {
        EXPECT_FALSE(accepts(bad));
    }
    EXPECT_FALSE(accepts(std::string(1, '\0')));
}

// The reader trusts the schema to state a limit wherever the bytes could ask for memory.
void expect_limits(const Descriptor& type) {
    EXPECT_LE(type.field_count(), 16) << type.full_name();
    for (int i = 0; i < type.field_count(); ++i) {
        const FieldDescriptor& field = *type.field(i);
        const bool sized = field.type() == FieldDescriptor::TYPE_STRING ||
                           field.type() == FieldDescriptor::TYPE_BYTES;
        EXPECT_EQ(field.options().GetExtension(pb::max_len) > 0, sized) << field.full_name();
        EXPECT_EQ(field.options().GetExtension(pb::max_count) > 0, field.is_repeated())
            << field.full_name();
        // int32 and int64 numbers would be cut silently or take ten bytes; int64 is fine, being whole.
        EXPECT_NE(field.type(), FieldDescriptor::TYPE_INT32) << field.full_name();
        EXPECT_NE(field.type(), FieldDescriptor::TYPE_GROUP) << field.full_name();
        if (field.type() == FieldDescriptor::TYPE_MESSAGE) {
            expect_limits(*field.message_type());
        }
    }
}

TEST(Schema, EveryFieldStatesItsLimit) {
    expect_limits(*pb::SignedBundle::descriptor());
    expect_limits(*pb::Bundle::descriptor());
}

}  // namespace
}  // namespace weir::kernels::test
