// SPDX-License-Identifier: BSD-3-Clause
// MLP, linear, autoencoder and sequence networks against oneDNN int8, which runs the same layers with the same weights.
#include "perf/cpu_peak.h"
#include "perf/kernels_cases.h"
#include "perf/onednn_network.h"
#include "tests/kernels/family_cases.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace weir::perf {
namespace {

using kernels::Isa;
using kernels::Network;
using kernels::SequencePooling;
using testing::Values;

constexpr std::size_t kPoolRows = 4 * std::size_t{kernels::kMaxRows};

/// A network, its rows and what the reference says of them.
struct Model {
    std::string name;
    Network network;
    std::map<std::uint32_t, double> ratio_goals;  // by batch
    std::optional<double> peak_goal;              // at batch 256
    std::vector<std::uint8_t> rows;
    std::vector<std::int32_t> want;
};

// What a contest's functions use.
struct Sides {
    std::shared_ptr<const Model> model;
    std::unique_ptr<kernels::Classifier> classifier;
    std::unique_ptr<Scorer> ours;
    std::unique_ptr<OnednnNetwork> theirs;
};

double macs(const std::vector<kernels::MlpLayer>& layers) {
    double sum = 0;
    for (const kernels::MlpLayer& layer : layers) {
        sum += static_cast<double>(layer.in) * layer.out;
    }
    return sum;
}

struct Macs {
    double operator()(const kernels::MlpSpec& spec) const { return macs(spec.layers); }
    double operator()(const kernels::LinearSpec& spec) const { return macs({spec.layer}); }
    double operator()(const kernels::AutoencoderSpec& spec) const { return macs(spec.layers); }
    double operator()(const kernels::ForestSpec& /*spec*/) const { return 0; }
    double operator()(const kernels::OnednnSpec& spec) const {
        const auto* int8 = std::get_if<kernels::OnednnInt8>(&spec.network);
        return int8 == nullptr ? 0 : macs(int8->layers);
    }
    double operator()(const kernels::NormalizedSpec& spec) const {
        return std::visit(*this, spec.network);
    }
    double operator()(const kernels::SequenceSpec& spec) const {
        double sum = macs(spec.dense);
        std::uint32_t positions = spec.steps;
        for (const kernels::Convolution& layer : spec.convolutions) {
            sum += static_cast<double>(layer.convolved(positions)) * layer.out * layer.kernel *
                   layer.in;
            positions = layer.pooled(positions);
        }
        return sum;
    }
};

std::unique_ptr<OnednnNetwork> onednn(const Network& network, std::uint32_t rows) {
    if (const auto* mlp = std::get_if<kernels::MlpSpec>(&network)) {
        return std::make_unique<OnednnNetwork>(mlp->layers, rows);
    }
    if (const auto* linear = std::get_if<kernels::LinearSpec>(&network)) {
        return std::make_unique<OnednnNetwork>(std::span(&linear->layer, 1), rows);
    }
    if (const auto* autoencoder = std::get_if<kernels::AutoencoderSpec>(&network)) {
        return std::make_unique<OnednnNetwork>(*autoencoder, rows);
    }
    if (const auto* wide = std::get_if<kernels::OnednnSpec>(&network)) {
        return std::make_unique<OnednnNetwork>(
            std::get<kernels::OnednnInt8>(wide->network).layers, rows);
    }
    return std::make_unique<OnednnNetwork>(std::get<kernels::SequenceSpec>(network), rows);
}

// Theirs rounds where ours shifts: a unit a code, so a small share of the outputs' spread.
bool agree(const std::vector<std::int32_t>& ours, std::span<const float> theirs) {
    double most = 1;
    double off = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        most = std::max(most, std::abs(static_cast<double>(ours[i])));
        off = std::max(off, std::abs(ours[i] - static_cast<double>(theirs[i])));
    }
    return off <= 0.05 * most + 2;
}

std::shared_ptr<const Model> model(
    std::string name,
    Network network,
    std::map<std::uint32_t, double> ratio_goals = {},
    std::optional<double> peak_goal = std::nullopt) {
    Model made{std::move(name), std::move(network), std::move(ratio_goals), peak_goal, {}, {}};
    const std::uint32_t inputs = std::visit(
        [](const auto& spec) -> std::uint32_t {
            if constexpr (requires { spec.inputs(); }) {
                return spec.inputs();
            } else {
                return spec.inputs;
            }
        },
        made.network);
    std::mt19937 random(7);
    made.rows.resize(kPoolRows * inputs);
    std::generate(made.rows.begin(), made.rows.end(), [&] {
        return testing::make_code(Values::trained, random);
    });
    made.want = reference_answers(made.network, made.rows.data(), kPoolRows);
    return std::make_shared<const Model>(std::move(made));
}

// Shapes as one would deploy them, those with goals first.
std::vector<std::shared_ptr<const Model>> models() {
    std::mt19937 random(1);
    const auto mlp = [&](const std::vector<std::uint32_t>& widths) {
        return testing::make_spec(widths, Values::trained, random);
    };
    const auto sequence = [&](const testing::SequenceCase& shape) {
        return testing::make_sequence(shape, Values::trained, random);
    };
    const std::map<std::uint32_t, double> autoencoder_goals{{32, 7.0}, {64, 6.0}, {256, 3.0}};
    return {
        model("mlp_32_32_16_8", mlp({32, 32, 16, 8}), {{32, 5.0}, {64, 3.0}, {256, 2.0}}, 0.60),
        model("mlp_32_64_32_8", mlp({32, 64, 32, 8}), {{32, 3.0}, {64, 2.0}, {256, 1.5}}, 0.75),
        model("mlp_64_128_64_8", mlp({64, 128, 64, 8}), {{32, 1.7}, {64, 1.4}, {256, 1.1}}, 0.75),
        model(
            "autoencoder_32_16_8_16_32",
            testing::make_autoencoder({32, 16, 8, 16}, Values::trained, random),
            autoencoder_goals),
        // The autoencoder's layers alone, as an MLP with 32 raw outputs.
        model("mlp_32_16_8_16_32", mlp({32, 16, 8, 16, 32})),
        model(
            "autoencoder_64_32_16_32_64",
            testing::make_autoencoder({64, 32, 16, 32}, Values::trained, random)),
        // What is left to oneDNN, with our requantization, against oneDNN alone.
        model(
            "onednn_int8_256_512_512_16",
            kernels::OnednnSpec{kernels::OnednnInt8{mlp({256, 512, 512, 16}).layers}}),
        model("linear_32_2", testing::make_linear(32, 2, Values::trained, random)),
        model("linear_64_12", testing::make_linear(64, 12, Values::trained, random)),
        model(
            "sequence_16_c16k3p2_flat_12",
            sequence({16, {{16, 3, 1, 1, 2}}, SequencePooling::flatten, {12}})),
        model(
            "sequence_16_c16k5p2_c32k3p2_max_32_8",
            sequence({16, {{16, 5, 1, 2, 2}, {32, 3, 1, 1, 2}}, SequencePooling::max, {32, 8}})),
    };
}

Result<Contest> contest(const std::shared_ptr<const Model>& model, Isa isa, std::uint32_t batch) {
    auto sides = std::make_shared<Sides>();
    sides->model = model;
    auto classifier = kernels::make_classifier(model->network, isa);
    if (!classifier) {
        return tl::unexpected(classifier.error());
    }
    sides->classifier = std::move(*classifier);
    sides->ours =
        std::make_unique<Scorer>(*sides->classifier, model->rows.data(), kPoolRows, batch);
    if (!sides->ours->equals(model->want)) {
        return fail(model->name, "answers", "differ from the reference");
    }
    Contest made;
    made.model = model->name;
    made.isa = isa;
    made.best = isa == kernels::make_classifier(model->network).value()->isa();
    made.batch = batch;
    made.peak_row_dots = std::visit(Macs{}, model->network) / kMacsOfDot;
    made.peak_goal = batch == 256 ? model->peak_goal : std::nullopt;
    if (batch == kPredictedBatch) {
        made.predicted_cycles = kernels::predicted_cycles_per_row(model->network, isa);
    }
    made.ours = [raw = sides.get()] { raw->ours->run(); };
    made.keep = sides;
    if (!made.best) {
        return made;
    }
    sides->theirs = onednn(model->network, batch);
    sides->theirs->set_rows(model->rows.data());
    sides->theirs->run();
    Scorer first(*sides->classifier, model->rows.data(), batch, batch);
    first.run();
    if (!agree(first.out(), sides->theirs->output())) {
        return fail(model->name, "answers", "differ from oneDNN's");
    }
    const auto goal = model->ratio_goals.find(batch);
    made.peers.push_back(
        {"onednn_int8",
         [raw = sides.get()] { raw->theirs->run(); },
         goal == model->ratio_goals.end() ? std::nullopt : std::optional(goal->second)});
    return made;
}

}  // namespace

std::vector<Entry> dense_entries() {
    std::vector<Entry> entries;
    for (const auto& model : models()) {
        for (const Isa isa : kernels::supported_isas()) {
            if (!kernels::make_classifier(model->network, isa)) {
                continue;  // no such variant
            }
            for (const std::uint32_t batch : kBatches) {
                entries.push_back(
                    {model->name + "/" + std::string(kernels::isa_name(isa)) + "/" +
                         std::to_string(batch),
                     [model, isa, batch] { return contest(model, isa, batch); }});
            }
        }
    }
    return entries;
}

}  // namespace weir::perf
