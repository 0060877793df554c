// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/features/catalog.h"

#include "dataplane/features/catalog_table.h"
#include "dataplane/features/encoders.h"
#include "dataplane/features/features.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

TEST(Catalog, NamesAreUniqueSnakeCaseAndFindable) {
    std::set<std::string_view> names;
    for (const FeatureInfo& feature : catalog()) {
        EXPECT_EQ(&feature, &catalog()[feature.id]);
        EXPECT_TRUE(names.insert(feature.name).second) << feature.name;
        EXPECT_EQ(
            feature.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
            std::string_view::npos);
        EXPECT_FALSE(feature.unit.empty()) << feature.name;
        EXPECT_FALSE(feature.description.empty()) << feature.name;
        EXPECT_EQ(find_feature(feature.name), feature.id);
        EXPECT_EQ(catalog_view().names[feature.id], feature.name);
        EXPECT_EQ(catalog_view().encoders[feature.id], feature.encoder_text);
    }
    EXPECT_EQ(find_feature("no_such_feature"), std::nullopt);
    EXPECT_EQ(catalog_view().version, kCatalogVersion);
    EXPECT_GE(feature_count(), 64U);
    EXPECT_LE(feature_count(), kMaxFeatures);
}

TEST(Catalog, EveryGroupHasFeatures) {
    for (std::uint32_t g = 0; g < kFeatureGroups; ++g) {
        EXPECT_TRUE(std::any_of(
            catalog().begin(),
            catalog().end(),
            [g](const FeatureInfo& feature) {
                return static_cast<std::uint32_t>(feature.group) == g;
            }))
            << group_name(static_cast<FeatureGroup>(g));
    }
}

TEST(Catalog, EncoderTextStatesKindAndParameter) {
    for (const FeatureInfo& feature : catalog()) {
        const std::string param = ":" + std::to_string(feature.param);
        std::string text;
        switch (feature.encoder) {
            case EncoderKind::log:
                text = "log" + param;
                break;
            case EncoderKind::identity:
                text = "identity";
                break;
            case EncoderKind::shift:
                text = "shift" + param;
                break;
            case EncoderKind::ratio:
                text = "ratio";
                break;
            case EncoderKind::signed_step:
                text = "signed" + param;
                break;
            case EncoderKind::port:
                text = "port" + param;
                break;
        }
        EXPECT_EQ(feature.encoder_text, text) << feature.name;
    }
}

// Raw values across a feature's range and beyond, rising.
std::vector<float> sweep(const FeatureInfo& feature) {
    std::vector<float> values;
    switch (feature.encoder) {
        case EncoderKind::log:
            for (float value = 1e-6F; value < 1e12F; value *= 1.003F) {
                values.push_back(value);
            }
            break;
        case EncoderKind::identity:
        case EncoderKind::shift:
            for (std::uint32_t value = 0; value < 70000; ++value) {
                values.push_back(static_cast<float>(value));
            }
            break;
        case EncoderKind::port:
            for (std::uint32_t value = 0; value < kPorts; ++value) {
                values.push_back(static_cast<float>(value));
            }
            break;
        case EncoderKind::ratio:
            for (std::uint32_t step = 0; step <= 100000; ++step) {
                values.push_back(static_cast<float>(step) / 100000.0F);
            }
            break;
        case EncoderKind::signed_step:
            for (std::int32_t value = -2000; value <= 2000; ++value) {
                values.push_back(static_cast<float>(value));
            }
            break;
    }
    return values;
}

TEST(Encoders, AreMonotoneOverWideSweepsForEveryFeature) {
    for (const FeatureInfo& feature : catalog()) {
        std::uint8_t last = 0;
        std::set<std::uint8_t> seen;
        for (const float value : sweep(feature)) {
            const std::uint8_t code = encode(feature, value);
            ASSERT_GE(code, last) << feature.name << " at " << value;
            last = code;
            seen.insert(code);
        }
        EXPECT_GT(seen.size(), 200U) << feature.name << ": the codes are not used";
    }
}

TEST(Encoders, SurviveValuesThatNoFeatureHas) {
    for (const FeatureInfo& feature : catalog()) {
        EXPECT_EQ(encode(feature, std::numeric_limits<float>::quiet_NaN()), 0) << feature.name;
        EXPECT_LE(encode(feature, -1e30F), encode(feature, 1e30F)) << feature.name;
        EXPECT_LE(
            encode(feature, -std::numeric_limits<float>::infinity()),
            encode(feature, std::numeric_limits<float>::infinity()));
    }
}

TEST(Encoders, LogHasEightCodesAnOctaveFromOne) {
    EXPECT_EQ(log_code(0.0F, kLogUnit), 0);
    EXPECT_EQ(log_code(std::nextafter(1.0F, 0.0F), kLogUnit), 0);
    EXPECT_EQ(log_code(1.0F, kLogUnit), 1);
    EXPECT_EQ(log_code(std::nextafter(1.125F, 0.0F), kLogUnit), 1);
    EXPECT_EQ(log_code(1.125F, kLogUnit), 2);
    EXPECT_EQ(log_code(2.0F, kLogUnit), 9);
    EXPECT_EQ(log_code(1024.0F, kLogUnit), 81);
    EXPECT_EQ(log_code(3758096384.0F, kLogUnit), 255);
    EXPECT_EQ(log_code(std::nextafter(3758096384.0F, 0.0F), kLogUnit), 254);
    EXPECT_EQ(log_code(1.0F / 1024.0F, 935), 1);
    EXPECT_EQ(log_code(3670016.0F, 935), 255);
}

TEST(Encoders, LogDecodesToTheLeastValueOfACode) {
    for (std::uint32_t code = 0; code < 256; ++code) {
        const auto byte = static_cast<std::uint8_t>(code);
        const float least = log_decode(byte, kLogUnit);
        EXPECT_EQ(log_code(least, kLogUnit), byte);
        if (code > 0) {
            EXPECT_EQ(log_code(std::nextafter(least, 0.0F), kLogUnit), byte - 1);
        }
    }
}

TEST(Encoders, LinearBoundaries) {
    const auto ratio = linear_step(EncoderKind::ratio, 0);
    EXPECT_EQ(linear_code(1.0F, ratio), 255);
    EXPECT_EQ(linear_code(std::nextafter(1.0F, 0.0F), ratio), 254);
    EXPECT_EQ(linear_code(0.5F, ratio), 127);
    const auto shift = linear_step(EncoderKind::shift, 3);
    EXPECT_EQ(linear_code(7.0F, shift), 0);
    EXPECT_EQ(linear_code(8.0F, shift), 1);
    EXPECT_EQ(linear_code(2039.0F, shift), 254);
    EXPECT_EQ(linear_code(65535.0F, shift), 255);
}

TEST(Encoders, SequenceLengthsRoundAwayFromZeroAndSaturate) {
    const FeatureInfo& feature = catalog()[feature_id("seq_length_01_bytes")];
    const auto code = [&](std::uint32_t bytes, bool forward) {
        const std::uint8_t stored = sequence_length(bytes, forward);
        EXPECT_EQ(sequence_length_code(stored), encode(feature, sequence_length_raw(stored)));
        return sequence_length_code(stored);
    };
    EXPECT_EQ(code(0, true), 128);
    EXPECT_EQ(code(1, true), 129);
    EXPECT_EQ(code(12, true), 129);
    EXPECT_EQ(code(13, true), 130);
    EXPECT_EQ(code(1500, true), 253);
    EXPECT_EQ(code(1500, false), 3);
    EXPECT_EQ(code(65535, true), 255);
    EXPECT_EQ(code(0xffffffffU, true), 255);
    EXPECT_EQ(code(0xffffffffU, false), 1);
    for (std::uint32_t bytes = 0; bytes < 2000; ++bytes) {
        code(bytes, true);
        code(bytes, false);
    }
}

TEST(Encoders, WellKnownPortsHaveCodesOfTheirOwn) {
    EXPECT_TRUE(std::is_sorted(kWellKnownPorts.begin(), kWellKnownPorts.end()));
    for (const std::uint16_t port : kWellKnownPorts) {
        EXPECT_EQ(kPortCodes[port] % 2, 1) << port;
        EXPECT_NE(kPortCodes[port - 1], kPortCodes[port]);
        EXPECT_NE(kPortCodes[port + 1], kPortCodes[port]);
    }
    EXPECT_EQ(kPortCodes[0], 0);
    EXPECT_EQ(kPortCodes[1], 0);
    EXPECT_EQ(kPortCodes[19], 1);
    EXPECT_EQ(kPortCodes[60000], 2 * kWellKnownPorts.size());
}

TEST(Catalog, GroupsListLogThenLinearThenPortFeatures) {
    const auto rank = [](EncoderKind kind) {
        return kind == EncoderKind::log ? 0 : kind == EncoderKind::port ? 2 : 1;
    };
    for (std::uint32_t id = 1; id < kFeatureCount; ++id) {
        if (kCatalogRows[id].group == kCatalogRows[id - 1].group &&
            kCatalogRows[id].group != FeatureGroup::sequence) {
            EXPECT_GE(rank(kCatalogRows[id].encoder.kind), rank(kCatalogRows[id - 1].encoder.kind))
                << kCatalogRows[id].name;
        }
    }
}

TEST(Catalog, CommittedPageIsTheGeneratedOne) {
    std::ifstream page(std::string(WEIR_SOURCE_ROOT) + "/docs/features.md");
    ASSERT_TRUE(page) << "docs/features.md is missing: weir features --markdown > docs/features.md";
    std::stringstream text;
    text << page.rdbuf();
    EXPECT_EQ(text.str(), catalog_markdown())
        << "out of date: weir features --markdown > docs/features.md";
}

}  // namespace
}  // namespace weir::dataplane
