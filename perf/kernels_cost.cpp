// SPDX-License-Identifier: BSD-3-Clause
// Predicted and measured cycles for shapes that no one tuned for; and what each way to lower a convolution
// takes.
#include "kernels/sequence/variants.h"
#include "perf/cpu_peak.h"
#include "perf/kernels_cases.h"
#include "tests/kernels/family_cases.h"
#include "tests/kernels/forest_cases.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

namespace weir::perf {
namespace {

using kernels::Isa;
using kernels::Lowering;
using kernels::Network;
using testing::Values;

constexpr std::size_t kMetersAPin = 16;

struct Shape {
    std::string family;
    std::string name;
    Network network;
};

std::string joined(const std::vector<std::uint32_t>& widths) {
    std::string text;
    for (const std::uint32_t width : widths) {
        text += (text.empty() ? "" : "_") + std::to_string(width);
    }
    return text;
}

std::string describe(const testing::SequenceCase& shape) {
    constexpr const char* kPoolings[] = {"flat", "max", "mean"};
    std::string text = std::to_string(shape.steps);
    for (const testing::Conv& conv : shape.convolutions) {
        text += "_c" + std::to_string(conv.out) + "k" + std::to_string(conv.kernel);
        text += conv.stride == 1 ? "" : "s" + std::to_string(conv.stride);
        text += conv.pool == 1 ? "" : "p" + std::to_string(conv.pool);
    }
    return text + "_" + kPoolings[static_cast<std::size_t>(shape.pooling)] + "_" +
           joined(shape.dense);
}

class ShapeMaker {
  public:
    std::vector<Shape> make(int count) {
        std::vector<Shape> shapes;
        for (int i = 0; i < count; ++i) {
            const std::uint32_t widest = i % 4 == 0 ? kernels::kMlpMaxWidth : 80;
            shapes.push_back(mlp(widest));
            shapes.push_back(linear());
            shapes.push_back(autoencoder(widest));
            shapes.push_back(sequence());
            shapes.push_back(forest());
        }
        return shapes;
    }

  private:
    std::uint32_t draw(std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random_);
    }

    Shape mlp(std::uint32_t widest) {
        std::vector<std::uint32_t> widths{draw(1, widest)};
        for (std::uint32_t hidden = draw(0, 4); hidden > 0; --hidden) {
            widths.push_back(draw(1, widest));
        }
        widths.push_back(draw(1, kernels::kMaxOutputs));
        return {"mlp", joined(widths), testing::make_spec(widths, Values::trained, random_)};
    }

    Shape linear() {
        const std::uint32_t in = draw(1, kernels::kMaxInputs);
        const std::uint32_t out = draw(1, kernels::kMaxOutputs);
        return {
            "linear", joined({in, out}), testing::make_linear(in, out, Values::trained, random_)};
    }

    Shape autoencoder(std::uint32_t widest) {
        std::vector<std::uint32_t> widths{draw(4, widest)};
        for (std::uint32_t layers = draw(0, 3); layers > 0; --layers) {
            widths.push_back(draw(2, widths.front()));
        }
        return {
            "autoencoder",
            joined(widths),
            testing::make_autoencoder(widths, Values::trained, random_)};
    }

    Shape sequence() {
        const testing::SequenceCase shape = testing::random_sequence_case(random_);
        return {
            "sequence", describe(shape), testing::make_sequence(shape, Values::trained, random_)};
    }

    Shape forest() {
        testing::ForestShape shape;
        shape.inputs = draw(2, 64);
        shape.outputs = draw(1, 4);
        shape.trees = draw(5, 300);
        shape.leaves = draw(8, 200);
        shape.depth = draw(4, 12);
        shape.growth = draw(0, 1) == 0 ? testing::Growth::level_wise : testing::Growth::leaf_wise;
        std::string name = std::to_string(shape.trees) + "x" + std::to_string(shape.leaves) +
                           "_depth" + std::to_string(shape.depth) + "_in" +
                           std::to_string(shape.inputs);
        return {"forest", std::move(name), testing::ForestMaker(random_).make(shape)};
    }

    std::mt19937 random_{20260103};
};

/// A variant of a shape, predicted and to be measured.
struct Prediction {
    const Shape* shape;
    Isa isa;
    double predicted;
    CycleMeter meter;
};

std::vector<Prediction> predictions(
    const std::vector<Shape>& shapes, const TimingOptions& options) {
    std::vector<Prediction> all;
    for (const Shape& shape : shapes) {
        for (const Isa isa : kernels::supported_isas()) {
            auto classifier = kernels::make_classifier(shape.network, isa);
            if (!classifier) {
                continue;  // no such variant
            }
            all.push_back(
                {&shape,
                 isa,
                 kernels::predicted_cycles_per_row(shape.network, isa),
                 CycleMeter(std::move(*classifier), options)});
        }
    }
    return all;
}

double print_error(const Prediction& prediction) {
    const double measured = prediction.meter.undisturbed();
    const double error = prediction.predicted / measured - 1;
    std::printf(
        "%-12s %-44s %-12s predicted %9.1f measured %9.1f cycles %+6.1f %%\n",
        prediction.shape->family.c_str(),
        prediction.shape->name.c_str(),
        kernels::isa_name(prediction.isa).data(),
        prediction.predicted,
        measured,
        100 * error);
    return std::abs(error);
}

}  // namespace

void bench_predictions(const TimingOptions& options, int random_shapes, Report& report) {
    const std::vector<Shape> shapes = ShapeMaker().make(random_shapes);
    std::vector<Prediction> all = predictions(shapes, options);
    // Rounds of one variant far apart: a neighbour that disturbs some leaves others alone.
    for (int round = 0; round < options.rounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (options.roam && i % kMetersAPin == 0) {
                (void)pin_to_freest();
            }
            all[i].meter.measure();
        }
    }
    std::map<std::string, std::vector<double>> errors;
    for (const Prediction& prediction : all) {
        const std::string variant =
            prediction.shape->family + "." + std::string(kernels::isa_name(prediction.isa));
        errors[variant].push_back(print_error(prediction));
    }
    for (const auto& [variant, off] : errors) {
        const double worst = *std::max_element(off.begin(), off.end());
        report.add({"kernels." + variant + ".predicted_error", worst, "x", kPredictionGoal, false});
        report.add(
            {"kernels." + variant + ".predicted_error_median",
             median(off),
             "x",
             kPredictionGoal,
             false});
    }
}

void bench_lowerings(const TimingOptions& options, int random_shapes) {
    for (const Shape& shape : ShapeMaker().make(random_shapes)) {
        const auto* spec = std::get_if<kernels::SequenceSpec>(&shape.network);
        for (const Isa isa : kernels::sequence_isas()) {
            if (spec == nullptr || isa == Isa::scalar || !kernels::isa_supported(isa)) {
                continue;
            }
            const auto cycles = [&](Lowering lowering) {
                CycleMeter meter(kernels::make_sequence_classifier(*spec, isa, lowering), options);
                for (int round = 0; round < options.rounds; ++round) {
                    meter.measure();
                }
                return meter.undisturbed();
            };
            const double direct = cycles(Lowering::direct);
            const double expanded = cycles(Lowering::expanded);
            std::printf(
                "%-44s %-12s direct %8.1f expanded %8.1f chosen %8.1f cycles\n",
                shape.name.c_str(),
                kernels::isa_name(isa).data(),
                direct,
                expanded,
                cycles(Lowering::cheaper));
        }
    }
}

}  // namespace weir::perf
