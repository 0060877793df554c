// SPDX-License-Identifier: BSD-3-Clause
#include "gateway_fixture.h"

#include "dataplane/features/catalog.h"

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace weir::control::test {

namespace fs = std::filesystem;

namespace {

kernels::SecretKey seeded(std::uint8_t seed) {
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(seed);
    return kernels::key_from_seed(bytes);
}

}  // namespace

TempDir::TempDir() {
    std::string pattern = (fs::temp_directory_path() / "weir-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw std::runtime_error("mkdtemp failed");
    }
    path_ = pattern;
}

TempDir::~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

const kernels::SecretKey& operator_key() {
    static const kernels::SecretKey key = seeded(1);
    return key;
}

const kernels::SecretKey& builtin_key() {
    static const kernels::SecretKey key = seeded(2);
    return key;
}

const kernels::SecretKey& stranger_key() {
    static const kernels::SecretKey key = seeded(3);
    return key;
}

kernels::Bytes make_bundle(const BundleRecipe& recipe, const kernels::SecretKey& key) {
    const auto catalog = dataplane::catalog_view();
    kernels::Bundle bundle;
    bundle.name = recipe.name;
    bundle.slot = recipe.slot;
    bundle.version = recipe.version;
    bundle.created_unix = 1'700'000'000;
    bundle.data_digest = std::string(64, 'a');
    bundle.description = "test model" + std::string(recipe.padding_bytes, '.');
    bundle.catalog_version = catalog.version;
    for (std::size_t i = 0; i < 2; ++i) {
        bundle.inputs.push_back({std::string(catalog.names[i]), std::string(catalog.encoders[i])});
    }
    bundle.classes = recipe.classes;
    const auto outputs = static_cast<std::uint32_t>(recipe.classes.size());
    kernels::MlpLayer layer;
    layer.in = 2;
    layer.out = outputs;
    for (std::uint32_t j = 0; j < outputs; ++j) {
        layer.weights.push_back(static_cast<std::int8_t>(j * 3 + 1));
        layer.weights.push_back(static_cast<std::int8_t>(5 - static_cast<int>(j)));
        layer.bias.push_back(recipe.bias + static_cast<int>(j));
        layer.multiplier.push_back(32767);
    }
    kernels::MlpSpec mlp;
    mlp.layers.push_back(std::move(layer));
    bundle.network = std::move(mlp);
    bundle.head.scale_q16 = 256;
    auto bytes = kernels::build_bundle(std::move(bundle), &key);
    if (!bytes) {
        throw std::runtime_error(bytes.error().line());
    }
    return std::move(*bytes);
}

GatewayDir::GatewayDir() {
    fs::create_directories(*this / "keyring");
    fs::create_directories(*this / "keys");
    if (auto written = kernels::write_key_files(operator_key(), *this / "keys/operator");
        !written) {
        throw std::runtime_error(written.error().line());
    }
    fs::copy_file(*this / "keys/operator.pub", *this / "keyring/operator.pub");
}

config::Config GatewayDir::config() const {
    config::Config config;
    config.file = *this / "weir.yaml";
    config.workers.lcores = {1, 2};
    config.ports = {
        {.name = "left", .device = "net_null0"}, {.name = "right", .device = "net_null1"}};
    config.pairs = {{0, 1}};
    config.slots = {{.name = "anomaly"}, {.name = "qos"}};
    config.control.socket = *this / "control.sock";
    config.control.keyring = *this / "keyring";
    config.control.state_dir = *this / "state";
    config.control.max_bundle_mb = 1;
    config.metrics.listen = "127.0.0.1:0";
    return config;
}

std::vector<std::string> GatewayDir::audit_lines() const {
    std::ifstream file(*this / "state/audit.log");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
}

void write_bytes(const std::string& path, const kernels::Bytes& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(
        reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace weir::control::test
