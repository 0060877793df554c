// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/import.h"
#include "control/lab/train_booster.h"
#include "kernels/classifier.h"
#include "kernels/model/build.h"
#include "tests/unit/control/lab_fixtures.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <xgboost/c_api.h>

namespace weir::lab {
namespace {

constexpr std::uint32_t kRows = 10000;
constexpr std::uint32_t kColumns = 4;
constexpr std::uint32_t kClasses = 3;

CodeMatrix made_rows() {
    std::mt19937_64 random(4);
    CodeMatrix data;
    data.columns = kColumns;
    for (std::uint32_t r = 0; r < kRows; ++r) {
        std::uint32_t sum = 0;
        for (std::uint32_t c = 0; c < kColumns; ++c) {
            data.codes.push_back(static_cast<std::uint8_t>(random() % 256));
            sum += c * data.codes.back();
        }
        data.labels.push_back((sum / 300 + (random() % 10 == 0 ? 1 : 0)) % kClasses);
    }
    return data;
}

Booster trained(const CodeMatrix& data) {
    BoostOptions options;
    options.classes = kClasses;
    options.rounds = 12;
    return Booster::train(data, options).value();
}

ImportOptions options_for_three() {
    ImportOptions options;
    options.slot = "anomaly";
    options.name = "mine";
    options.created_unix = 1;
    options.classes = {"benign", "scan", "flood"};
    options.features = {"fwd_packets_code", "bwd_packets", "fwd_bytes_code", "bwd_bytes"};
    return options;
}

Result<Imported> import_xgboost(const std::string& bytes, const ImportOptions& options) {
    const auto model = parse_model(bytes, options);
    return model ? import_model(*model, options) : tl::unexpected(model.error());
}

// The same model as the library itself writes it in binary.
std::string as_ubjson(const std::string& json) {
    BoosterHandle handle = nullptr;
    bst_ulong length = 0;
    const char* bytes = nullptr;
    EXPECT_EQ(XGBoosterCreate(nullptr, 0, &handle), 0);
    EXPECT_EQ(XGBoosterLoadModelFromBuffer(handle, json.data(), json.size()), 0)
        << XGBGetLastError();
    EXPECT_EQ(XGBoosterSaveModelToBuffer(handle, R"({"format":"ubj"})", &length, &bytes), 0);
    std::string out(bytes, length);
    XGBoosterFree(handle);
    return out;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Import, PredictsLikeTheLibraryWithinTheStatedBound) {
    const auto data = made_rows();
    const auto booster = trained(data);
    const auto json = booster.json().value();
    const auto imported = import_xgboost(json, options_for_three());
    ASSERT_TRUE(imported) << imported.error().line();
    const auto binary = import_xgboost(as_ubjson(json), options_for_three());
    ASSERT_TRUE(binary) << binary.error().line();
    EXPECT_EQ(
        kernels::build_bundle(binary->bundle, nullptr).value(),
        kernels::build_bundle(imported->bundle, nullptr).value());
    EXPECT_EQ(imported->bundle.inputs[0].feature, "fwd_packets");
    EXPECT_FALSE(imported->bundle.inputs[3].encoder.empty());
    const auto margins = booster.margins(data).value();
    const auto classifier = kernels::make_classifier(imported->bundle.network).value();
    std::vector<std::byte> memory(classifier->scratch_bytes() + 64);
    void* scratch = memory.data();
    std::size_t space = memory.size();
    ASSERT_NE(std::align(64, classifier->scratch_bytes(), scratch, space), nullptr);
    std::vector<std::int32_t> raw(kernels::kMaxRows * kClasses);
    // The library sums floats: its own rounding comes on top of the bound.
    const double bound = imported->logit_error + 1e-4;
    std::uint32_t decided = 0;
    for (std::uint32_t at = 0; at < kRows; at += kernels::kMaxRows) {
        const std::uint32_t n = std::min(kernels::kMaxRows, kRows - at);
        classifier->score(
            data.codes.data() + std::size_t{at} * kColumns,
            kColumns,
            n,
            raw.data(),
            static_cast<std::byte*>(scratch));
        for (std::uint32_t r = 0; r < n; ++r) {
            const float* theirs = margins.data() + std::size_t{at + r} * kClasses;
            const std::int32_t* ours = raw.data() + std::size_t{r} * kClasses;
            for (std::uint32_t c = 0; c < kClasses; ++c) {
                ASSERT_NEAR(ours[c] * imported->logit_per_raw, theirs[c], bound)
                    << "row " << at + r;
            }
            const auto top = std::max_element(theirs, theirs + kClasses) - theirs;
            decided += std::max_element(ours, ours + kClasses) - ours == top ? 1 : 0;
        }
    }
    EXPECT_GT(decided, kRows - kRows / 1000);
    EXPECT_LT(imported->logit_error, 1e-3);
}

// UBJSON can announce what it does not hold, or nest without end.
TEST(Import, BinaryBombsAreRefusedInTheirOwnSize) {
    const std::string count(
        "{i\x01"
        "a[$T#l\x7f\xff\xff\xff}",
        14);
    std::string deep(
        "{i\x01"
        "a",
        4);
    deep += std::string(1 << 20, '[');
    for (const std::string& bytes : {count, deep}) {
        const auto imported = import_xgboost(bytes, options_for_three());
        ASSERT_FALSE(imported);
        EXPECT_NE(imported.error().line().find("neither JSON nor UBJSON"), std::string::npos)
            << imported.error().line();
    }
    const auto whole = as_ubjson(trained(made_rows()).json().value());
    for (std::size_t length = 1; length < whole.size(); length += 997) {
        EXPECT_FALSE(import_xgboost(whole.substr(0, length), options_for_three()));
    }
}

TEST(Import, TakesTheNamesThatTheModelHolds) {
    const auto json = replaced(
        trained(made_rows()).json().value(),
        "\"feature_names\":[]",
        "\"feature_names\":[\"turns_code\",\"protocol_code\",\"duration_us\",\"fwd_bytes\"]");
    auto options = options_for_three();
    options.features.clear();
    const auto imported = import_xgboost(json, options);
    ASSERT_TRUE(imported) << imported.error().line();
    EXPECT_EQ(imported->bundle.inputs[0].feature, "turns");
    EXPECT_EQ(imported->bundle.inputs[2].feature, "duration_us");
}

TEST(Import, RefusesByName) {
    const auto json = trained(made_rows()).json().value();
    const auto refusal = [](const std::string& text, const ImportOptions& options) {
        const auto imported = import_xgboost(text, options);
        return imported ? std::string("taken") : imported.error().line();
    };
    const auto good = options_for_three();
    const auto has = [](const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    };
    auto options = good;
    options.features[1] = "colour";
    EXPECT_TRUE(has(refusal(json, options), "features[1]: 'colour' is not in the catalog"))
        << refusal(json, options);
    options.features[1] = "fwd_packets";
    EXPECT_TRUE(has(refusal(json, options), "'fwd_packets' is there twice"))
        << refusal(json, options);
    options.features.clear();
    EXPECT_TRUE(has(refusal(json, options), "feature_names")) << refusal(json, options);
    options = good;
    options.classes.pop_back();
    EXPECT_TRUE(has(refusal(json, options), "3 classes, but 4 features and 2 classes"))
        << refusal(json, options);
    EXPECT_TRUE(
        has(refusal(replaced(json, "multi:softprob", "rank:pairwise"), good), "rank:pairwise"));
    EXPECT_TRUE(has(refusal(replaced(json, "\"gbtree\"", "\"dart\""), good), "dart"));
    EXPECT_TRUE(has(refusal("{", good), "is not JSON"));
    EXPECT_TRUE(has(refusal("{}", good), "save the model as .json"));
    const auto at = json.find("\"split_conditions\":[");
    ASSERT_NE(at, std::string::npos);
    auto wide = json;
    wide.insert(at + std::string("\"split_conditions\":[").size(), "7E4,");
    EXPECT_TRUE(has(refusal(wide, good), "not on raw values")) << refusal(wide, good);
}

}  // namespace
}  // namespace weir::lab
