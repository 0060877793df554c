// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/kernels/model_fixtures.h"

#include "kernels/model/build.h"
#include "kernels/model/envelope.h"

#include <cstdlib>
#include <fstream>

namespace weir::kernels::test {
namespace {

constexpr std::array<std::string_view, 8> kNames{
    "feature_0",
    "feature_1",
    "feature_2",
    "feature_3",
    "feature_4",
    "feature_5",
    "feature_6",
    "feature_7"};
constexpr std::array<std::string_view, 8> kEncoders{
    "log:924", "identity", "log:924", "identity", "log:924", "identity", "log:924", "identity"};

BundleInput input(std::size_t id) {
    return {std::string(kNames[id]), std::string(kEncoders[id])};
}

MlpLayer layer(std::uint32_t in, std::uint32_t out) {
    MlpLayer l;
    l.in = in;
    l.out = out;
    for (std::uint32_t i = 0; i < in * out; ++i) {
        l.weights.push_back(static_cast<std::int8_t>(static_cast<int>(i * 37 % 255) - 127));
    }
    for (std::uint32_t j = 0; j < out; ++j) {
        l.bias.push_back(static_cast<std::int32_t>(j * 1000) - 500);
        l.multiplier.push_back(static_cast<std::int16_t>(16000 + j));
    }
    l.shift = 3;
    return l;
}

Bundle manifest(const char* name, const char* slot) {
    Bundle b;
    b.name = name;
    b.slot = slot;
    b.version = 7;
    b.created_unix = 1'700'000'000;
    b.catalog_version = 2;
    return b;
}

void finish(Bundle& b, std::uint32_t random_rows) {
    const auto ok = compute_golden(b, {.random_rows = random_rows, .seed = 5});
    EXPECT_TRUE(ok) << ok.error().line();
}

}  // namespace

CatalogView test_catalog() {
    return {kTestCatalogVersion, kNames, kEncoders};
}

SecretKey test_key(std::uint8_t seed) {
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(seed);
    return key_from_seed(bytes);
}

Keyring ring_of(const SecretKey& key) {
    Keyring ring;
    ring.add(key.public_key("test"));
    return ring;
}

Bundle tiny_bundle() {
    Bundle b = manifest("t", "qos");
    b.inputs = {input(0), input(1)};
    b.classes = {"a", "b"};
    b.network = MlpSpec{{layer(2, 2)}};
    finish(b, 0);
    b.golden.resize(1);
    return b;
}

Bundle mlp_bundle() {
    Bundle b = manifest("flows-v1", "anomaly");
    b.data_digest = std::string(64, 'a');
    b.description = "three classes, für Tests\nsecond line";
    b.inputs = {input(0), input(3), input(2), input(5)};
    b.classes = {"benign", "scan", "flood"};
    b.thresholds = {0.0, 0.5, 1.0};
    b.network = MlpSpec{{layer(4, 5), layer(5, 3)}};
    b.head.calibration = {{0, 10}, {30000, 20000}, {65535, 65535}};
    b.histograms.resize(4);
    for (const std::size_t i : {0U, 1U, 3U}) {
        b.histograms[i].assign(256, 0);
        b.histograms[i][i] = 100 + i;
        b.histograms[i][255] = std::uint64_t{1} << 40;
    }
    finish(b, 8);
    return b;
}

Bundle forest_bundle() {
    Bundle b = manifest("trees.1", "anomaly");
    b.inputs = {input(1), input(2), input(3), input(4)};
    b.classes = {"benign", "attack"};
    ForestSpec spec;
    spec.inputs = 4;
    spec.base = {-1'000'000};
    spec.trees.push_back(
        {0, {{0, 10, 1, -1}, {3, 255, -2, 2}, {2, 0, -3, -4}}, {5, -32768, 32767, 7}});
    spec.trees.push_back({0, {}, {-12}});
    spec.trees.push_back({0, {{1, 127, -1, -2}}, {1, 2}});
    b.network = spec;
    b.head.kind = HeadKind::sigmoid;
    b.head.scale_q16 = 300;
    finish(b, 8);
    return b;
}

Bundle linear_bundle() {
    Bundle b = manifest("logistic-2", "anomaly");
    b.inputs = {input(6), input(1), input(0)};
    b.classes = {"benign", "attack"};
    b.network = LinearSpec{layer(3, 1)};
    b.head.kind = HeadKind::sigmoid;
    finish(b, 8);
    return b;
}

Bundle autoencoder_bundle() {
    Bundle b = manifest("baseline", "anomaly");
    b.inputs = {input(0), input(1), input(2), input(3)};
    b.classes = {"benign", "anomalous"};
    b.network = AutoencoderSpec{{layer(4, 2), layer(2, 4)}, {0, 1, 300, 65535}, 2, 1'000'000};
    b.head.kind = HeadKind::sigmoid;
    b.head.scale_q16 = 2;
    finish(b, 8);
    return b;
}

Bundle sequence_bundle() {
    const auto convolution = [](std::uint32_t in, std::uint32_t out, std::uint32_t kernel) {
        MlpLayer numbers = layer(in * kernel, out);
        Convolution c;
        c.in = in;
        c.out = out;
        c.kernel = kernel;
        c.padding = kernel / 2;
        c.weights = std::move(numbers.weights);
        c.bias = std::move(numbers.bias);
        c.shift = numbers.shift;
        c.multiplier = std::move(numbers.multiplier);
        return c;
    };
    Bundle b = manifest("first-four", "qos");
    b.inputs = {input(0), input(1), input(2), input(3), input(4), input(5), input(6)};
    b.classes = {"voice", "web", "bulk"};
    SequenceSpec spec;
    spec.steps = 4;
    spec.convolutions = {convolution(2, 3, 3), convolution(3, 2, 5)};
    spec.convolutions[1].pool = 2;
    spec.pooling = SequencePooling::flatten;
    spec.dense = {layer(4, 5), layer(5, 3)};
    b.network = spec;
    finish(b, 8);
    return b;
}

Bundle normalized_bundle() {
    Bundle b = manifest("shares", "qos");
    b.inputs = {input(0), input(1), input(2), input(3)};
    b.classes = {"voice", "web", "bulk"};
    NormalizedSpec spec;
    spec.norm = RowNorm::l1;
    spec.columns = {
        {1 << 21, 0, 255 << 8, 0},
        {-(1 << 22), 1 << 30, 1, -(1 << 21)},
        {0, -(1 << 30), 1 << 28, 1 << 21},
        {1000, 7, 12345, -3}};
    spec.network = MlpSpec{{layer(4, 5), layer(5, 3)}};
    b.network = spec;
    finish(b, 8);
    return b;
}

Bundle normalized_forest_bundle() {
    Bundle b = forest_bundle();
    b.name = "shares.trees";
    NormalizedSpec spec;
    spec.norm = RowNorm::max;
    spec.columns.assign(4, {1 << 21, 0, 255 << 8, 0});
    spec.network = std::get<ForestSpec>(b.network);
    b.network = spec;
    b.golden.clear();
    finish(b, 8);
    return b;
}

Bundle wide_bundle() {
    Bundle b = manifest("wide", "qos");
    b.inputs = {input(0), input(1), input(2), input(3)};
    b.classes = {"voice", "web", "bulk"};
    b.network = OnednnSpec{OnednnInt8{{layer(4, 300), layer(300, 3)}}};
    finish(b, 8);
    return b;
}

Bundle float_bundle() {
    const auto numbers = [](std::uint32_t in, std::uint32_t out) {
        OnednnF32Layer made{in, out, {}, {}};
        for (std::uint32_t i = 0; i < in * out; ++i) {
            made.weights.push_back(static_cast<float>(static_cast<int>(i * 37 % 64) - 31) / 64);
        }
        for (std::uint32_t j = 0; j < out; ++j) {
            made.bias.push_back(static_cast<float>(j) / 4);
        }
        return made;
    };
    Bundle b = manifest("floats", "qos");
    b.inputs = {input(0), input(1), input(2), input(3)};
    b.classes = {"voice", "web", "bulk"};
    b.network = OnednnSpec{OnednnF32{{numbers(4, 20), numbers(20, 3)}, 16.0F}};
    finish(b, 8);
    return b;
}

std::vector<Bundle> all_bundles() {
    return {
        tiny_bundle(),
        mlp_bundle(),
        forest_bundle(),
        linear_bundle(),
        autoencoder_bundle(),
        sequence_bundle(),
        normalized_bundle(),
        normalized_forest_bundle()};
}

Bytes signed_bytes(const Bundle& bundle) {
    auto file = sign_bundle(bundle, test_key().bytes());
    EXPECT_TRUE(file) << file.error().line();
    return file ? *file : Bytes{};
}

Result<VerifiedBundle> verify_signed(const Bytes& file, const VerifyOptions& options) {
    return verify_bundle(file, "push", ring_of(test_key()), test_catalog(), options);
}

Bytes signed_payload(std::string payload) {
    Envelope envelope{std::move(payload), {}};
    const auto ok = sign_envelope(envelope, "test", test_key().bytes());
    EXPECT_TRUE(ok);
    auto file = serialize_envelope(std::move(envelope), "test");
    EXPECT_TRUE(file);
    return *file;
}

std::string payload_of(const Bytes& file) {
    auto envelope = parse_envelope(file, "test", kHardMaxBundleBytes);
    EXPECT_TRUE(envelope);
    return envelope ? envelope->payload : std::string();
}

TempDir::TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
}

TempDir::~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::file(std::string_view name) const {
    return path_ + '/' + std::string(name);
}

void TempDir::write(std::string_view name, std::string_view text) const {
    std::ofstream out(file(name), std::ios::binary);
    out << text;
    EXPECT_TRUE(out.good());
}

}  // namespace weir::kernels::test
