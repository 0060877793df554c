// SPDX-License-Identifier: BSD-3-Clause
// What is checked before a model touches a worker, in order, with a bundle for each that fails there and nowhere before.
#include "kernels/model/sealed.h"
#include "registry_fixture.h"

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>

#include <sys/stat.h>

namespace weir::control::test {
namespace {

namespace fs = std::filesystem;

class VerifyOrderTest : public RegistryTest {
  protected:
    /// A good bundle, changed, then signed: the signature is no obstacle.
    [[nodiscard]] static kernels::Bytes changed(
        const std::function<void(kernels::Bundle&)>& change) {
        const kernels::Bytes good = make_bundle(BundleRecipe{}, operator_key());
        auto bundle = kernels::parse_bundle(good, "good");
        change(*bundle);
        return *kernels::sign_bundle(*bundle, operator_key().bytes());
    }
    /// Pushes, and expects a refusal that names `field`; nothing may have changed.
    void refused(const kernels::Bytes& bytes, const std::string& field, const std::string& word) {
        const auto generation = runtime_->publisher().current().generation;
        const auto pushed = push_bytes(bytes, {.activate = true});
        ASSERT_FALSE(pushed) << field;
        const auto& error = pushed.error().error;
        EXPECT_NE(error.field.find(field), std::string::npos) << error.line();
        EXPECT_NE(error.line().find(word), std::string::npos) << error.line();
        EXPECT_EQ(runtime_->publisher().current().generation, generation);
        EXPECT_EQ(registry_->list("anomaly")->size(), 1U);
    }
    void key_lines(const std::string& lines) const {
        const std::string path = dir_ / "keyring/operator.pub";
        write_text(path, lines + read_text(dir_ / "keys/operator.pub"));
    }
};

TEST_F(VerifyOrderTest, SizeThenParse) {
    start();
    refused(kernels::Bytes((1U << 20) + 1), "size", "at most");
    refused({}, "size", "empty");
    refused(kernels::Bytes(100, std::byte{0x42}), "", "fix");
    auto cut = make_bundle({}, operator_key());
    cut.resize(cut.size() / 2);
    refused(cut, "", "push");
}

TEST_F(VerifyOrderTest, SignatureByAKeyThatMayBeUsedNow) {
    start();
    refused(make_bundle({}, stranger_key()), "signatures", "no key of the keyring");
    key_lines("# valid-from: 2999-01-01\n");
    refused(make_bundle({}, operator_key()), "signatures", "is not valid yet");
    key_lines("# valid-until: 2020-01-01T00:00:00Z\n");
    refused(make_bundle({}, operator_key()), "signatures", "is valid no more");
    key_lines("# valid-until: soon\n");
    refused(make_bundle({}, operator_key()), "valid-until", "is no date");
    key_lines("# valid-from: 2020-01-01\n# valid-until: 2999-01-01\n");
    EXPECT_TRUE(push_bytes(make_bundle({}, operator_key())));
}

TEST_F(VerifyOrderTest, ARevokedKeyCountsForNothingNotEvenForWhatIsStored) {
    start();
    ASSERT_TRUE(push({.version = 1}));
    write_text(
        dir_ / "keyring/revoked", "# stolen\n" + operator_key().public_key().id + "  # operator\n");
    EXPECT_FALSE(push({.version = 2}));
    const auto done = registry_->activate({"anomaly", "scan-detector", 1}, actor_);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().error.line().find("is revoked"), std::string::npos);
    write_text(dir_ / "keyring/revoked", "not an id\n");
    EXPECT_FALSE(push({.version = 2})) << "a list that cannot be read is not passed over";
}

TEST_F(VerifyOrderTest, AnExpiredKeyKeepsWhatItAdmitted) {
    start();
    ASSERT_TRUE(push({.version = 1}));
    key_lines("# valid-until: 2020-01-01\n");
    EXPECT_TRUE(registry_->activate({"anomaly", "scan-detector", 1}, actor_));
    EXPECT_FALSE(push({.version = 2}));
}

TEST_F(VerifyOrderTest, CatalogVersionAndFeatures) {
    start();
    refused(changed([](auto& b) { b.catalog_version = 9999; }), "manifest.catalog_version", "9999");
    refused(changed([](auto& b) { b.inputs[1].feature = "no_such"; }), "feature", "no_such");
    refused(changed([](auto& b) { b.inputs[0].encoder = "other"; }), "encoder", "other");
}

TEST_F(VerifyOrderTest, ShapesNumbersAndBounds) {
    start();
    refused(changed([](auto& b) { b.classes.push_back("third"); }), "", "class");
    refused(
        changed([](auto& b) {
            b.thresholds = {0.0, std::numeric_limits<double>::quiet_NaN()};
        }),
        "thresholds",
        "");
    refused(
        changed([](auto& b) {
            b.thresholds = {0.0, std::numeric_limits<double>::infinity()};
        }),
        "thresholds",
        "");
    refused(changed([](auto& b) { b.thresholds = {0.0, 1.5}; }), "thresholds", "");
    refused(
        changed([](auto& b) { std::get<kernels::MlpSpec>(b.network).layers[0].in = 3; }), "", "");
}

TEST_F(VerifyOrderTest, CostAgainstTheSlotsBudget) {
    start();
    checker_->set_budgets({{"anomaly", 0.5}});
    refused(make_bundle({}, operator_key()), "mlp", "the slot's budget is");
    checker_->set_budgets({{"qos", 0.5}});
    EXPECT_TRUE(push({}));
    EXPECT_GT(registry_->list("anomaly")->at(0).measured_cycles, 0.0);
}

TEST_F(VerifyOrderTest, GoldenVectorsOnTheVariantThatWillRun) {
    start();
    refused(changed([](auto& b) { b.golden[0].raw[0] += 1; }), "golden", "");
}

/// Slower than any budget that its prediction meets.
class SlowClassifier final : public kernels::Classifier {
  public:
    [[nodiscard]] kernels::Isa isa() const noexcept override { return kernels::Isa::scalar; }
    [[nodiscard]] std::uint32_t inputs() const noexcept override { return 2; }
    [[nodiscard]] std::uint32_t outputs() const noexcept override { return 2; }
    [[nodiscard]] std::size_t scratch_bytes() const noexcept override { return 0; }
    void score(
        const std::uint8_t* codes,
        std::size_t /*stride*/,
        std::uint32_t n,
        std::int32_t* raw,
        std::byte* /*scratch*/) const noexcept override {
        volatile std::uint32_t sink = codes[0];
        for (std::uint32_t i = 0; i < n * 10'000; ++i) {
            sink = sink * 1664525U + 1013904223U;
        }
        raw[0] = static_cast<std::int32_t>(sink);
    }
};

TEST(MeasureCycles, FollowsWhatTheModelDoes) {
    EXPECT_GT(measure_cycles_per_row(SlowClassifier(), 2), 5'000.0);
}

class SealedTest : public VerifyOrderTest {
  protected:
    void SetUp() override {
        VerifyOrderTest::SetUp();
        fs::create_directories(dir_ / "sealing");
        config_.control.sealing_keys = dir_ / "sealing";
        ASSERT_TRUE(kernels::write_sealing_keys(dir_ / "sealing/one"));
    }
    [[nodiscard]] kernels::Bytes sealed(const BundleRecipe& recipe, const std::string& key) const {
        const auto pub = kernels::load_sealing_public_key(dir_ / ("sealing/" + key + ".sealpub"));
        return *kernels::seal(make_bundle(recipe, operator_key()), *pub);
    }
};

TEST_F(SealedTest, ASealedBundleIsTakenStoredSealedAndComesUpAgain) {
    start();
    const auto pushed = push_bytes(sealed({.version = 1}, "one"), {.activate = true});
    ASSERT_TRUE(pushed) << pushed.error().error.line();
    EXPECT_TRUE(pushed->model.sealed);
    const auto stored = read_text(dir_ / "state/models/anomaly@scan-detector@1.bundle");
    EXPECT_EQ(stored.find("scan-detector"), std::string::npos) << "not in the clear on disk";
    start();
    EXPECT_EQ(in_snapshot(0), "scan-detector@1");
}

TEST_F(SealedTest, KeysRotateWithoutARestart) {
    start();
    ASSERT_TRUE(kernels::write_sealing_keys(dir_ / "sealing/two"));
    EXPECT_TRUE(push_bytes(sealed({.version = 1}, "two")));
    EXPECT_TRUE(push_bytes(sealed({.version = 2}, "one"))) << "the old one still opens";
    const auto old = sealed({.version = 3}, "one");
    fs::remove(dir_ / "sealing/one.sealkey");
    const auto pushed = push_bytes(old);
    ASSERT_FALSE(pushed);
    EXPECT_EQ(pushed.error().error.field, "sealing");
}

TEST_F(SealedTest, EveryFlippedByteIsRefusedAndSoIsAKeyThatOthersMayRead) {
    start();
    const auto good = sealed({}, "one");
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const int mask : {1, 255}) {
            auto bad = good;
            bad[i] ^= std::byte(mask);
            ASSERT_FALSE(push_bytes(bad)) << "byte " << i << " xor " << mask;
        }
    }
    (void)::chmod((dir_ / "sealing/one.sealkey").c_str(), 0644);
    EXPECT_FALSE(push_bytes(good));
    (void)::chmod((dir_ / "sealing/one.sealkey").c_str(), 0600);
    EXPECT_TRUE(push_bytes(good));
}

TEST_F(SealedTest, ASealIsNoSignature) {
    start();
    const auto pub = kernels::load_sealing_public_key(dir_ / "sealing/one.sealpub");
    EXPECT_FALSE(push_bytes(*kernels::seal(make_bundle({}, stranger_key()), *pub)));
    config_.control.sealing_keys.clear();
    start();
    const auto pushed = push_bytes(sealed({}, "one"));
    ASSERT_FALSE(pushed);
    EXPECT_NE(pushed.error().error.what.find("has no sealing key"), std::string::npos);
}

}  // namespace
}  // namespace weir::control::test
