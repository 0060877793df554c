// SPDX-License-Identifier: BSD-3-Clause
// Ensembles trained by XGBoost on made-up rows of 32 codes, quantized as weirlab does, scored by every variant, by
// XGBoost itself and, where no better peer is at hand, by compiled if-else C, all on the same rows. The peers take float
// rows, so they read the codes as floats, in place: no matrix is built and nothing is converted while the clock runs.
#include "control/lab/train_convert.h"
#include "kernels/forest/variants.h"
#include "perf/ifelse_forest.h"
#include "perf/kernels_cases.h"
#include "perf/xgboost_forest.h"
#if WEIR_WITH_ONNXRUNTIME
#include "perf/onnxruntime_forest.h"
#endif

#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <set>

namespace weir::perf {
namespace {

using kernels::Isa;

constexpr std::size_t kColumns = 32;
constexpr std::size_t kPool =
    16 * std::size_t{kernels::kMaxRows};  // rows that calls go through in turn
constexpr std::size_t kTrainingRows = 20000;
constexpr int kManyLeaves = 256;

struct Ensemble {
    const char* name;
    XgboostParameters parameters;
    int rounds;
    std::map<std::uint32_t, double> xgboost_goals;  // by batch, with 256 bins
    std::optional<double> ifelse_goal;              // at batch 256; no value: not compiled
    std::optional<double> onnxruntime_goal;         // at batch 256
};

const XgboostParameters kRegression = {
    {"objective", "reg:squarederror"}, {"base_score", "0"}, {"tree_method", "hist"}};

XgboostParameters with(XgboostParameters more) {
    more.insert(more.begin(), kRegression.begin(), kRegression.end());
    return more;
}

// 100 trees, each grown on 256 rows.
XgboostParameters isolation(int levels) {
    return with(
        {{"num_parallel_tree", "100"},
         {"max_depth", std::to_string(levels)},
         {"max_leaves", std::to_string(kManyLeaves)},
         {"grow_policy", "lossguide"},
         {"subsample", "0.0128"},
         {"colsample_bynode", "0.05"},
         {"lambda", "0"},
         {"eta", "1"}});
}

const Ensemble kEnsembles[] = {
    {"gbdt_100x6",
     with({{"max_depth", "6"}, {"min_child_weight", "0"}}),
     100,
     {{32, 12}, {256, 60}, {512, 100}},
     {},
     {}},
    {"gbdt_500x6",
     with({{"max_depth", "6"}, {"min_child_weight", "0"}}),
     500,
     {{32, 15}, {256, 75}, {512, 130}},
     {},
     {}},
    {"gbdt_100x6x8_classes",
     with(
         {{"objective", "multi:softprob"},
          {"num_class", "8"},
          {"max_depth", "6"},
          {"min_child_weight", "0"}}),
     100,
     {},
     {},
     {}},
    {"random_forest_50x10",
     with(
         {{"num_parallel_tree", "50"},
          {"max_depth", "10"},
          {"subsample", "0.63"},
          {"colsample_bynode", "0.3"},
          {"eta", "1"}}),
     1,
     {},
     12,
     20},
    // A height of at most log2(256), as Liu, Ting and Zhou define it and scikit-learn grows it.
    {"isolation_100x256", isolation(8), 1, {}, 25, 50},
    // The same without that limit, up to the kernels' sixteen levels.
    {"isolation_100x256_16_levels", isolation(16), 1, {}, {}, {}},
};

/// Rows of codes 0…bins−1 whose label takes many splits to learn.
struct Rows {
    std::vector<std::uint8_t> codes;
    std::vector<float> values;  // the same as floats
    std::vector<float> labels;

    Rows(std::size_t rows, std::uint32_t bins, std::uint32_t classes, std::uint32_t seed) {
        std::mt19937 random(seed);
        std::normal_distribution<float> noise(0, 1);
        for (std::size_t r = 0; r < rows; ++r) {
            double sum = 0;
            for (std::size_t c = 0; c < kColumns; ++c) {
                const auto code = static_cast<std::uint8_t>(random() % bins);
                codes.push_back(code);
                values.push_back(code);
                const double x = static_cast<double>(code) / bins;
                sum += std::sin(static_cast<double>(c + 1) * x) * (c % 2 == 0 ? 1 : -1);
            }
            const double target = sum + static_cast<double>(noise(random));
            labels.push_back(
                classes > 1
                    ? static_cast<float>(
                          std::abs(static_cast<int>(target * 4)) % static_cast<int>(classes))
                    : static_cast<float>(target));
        }
    }
};

std::uint32_t classes(const Ensemble& ensemble) {
    for (const auto& [name, value] : ensemble.parameters) {
        if (name == "num_class") {
            return static_cast<std::uint32_t>(std::stoul(value));
        }
    }
    return 1;
}

// 512-bit operations that a row takes at least when bit-sliced: each distinct threshold is compared once and each node
// selects once, for 512 rows; each tree looks up and adds two bytes of a leaf, for 64 rows.
double least_operations(const kernels::ForestSpec& spec) {
    constexpr double kBits = 512;
    constexpr double kBytes = 64;
    std::set<std::pair<int, int>> thresholds;
    std::size_t nodes = 0;
    for (const kernels::ForestTree& tree : spec.trees) {
        nodes += tree.nodes.size();
        for (const kernels::ForestNode& node : tree.nodes) {
            thresholds.emplace(node.feature, node.threshold);
        }
    }
    return static_cast<double>(thresholds.size() + nodes) / kBits +
           4 * static_cast<double>(spec.trees.size()) / kBytes;
}

/// A trained ensemble and its peers; made when first asked for.
class Model {
  public:
    Model(const Ensemble& ensemble, std::uint32_t bins)
        : ensemble_(ensemble), bins_(bins), rows_(kPool, bins, classes(ensemble), 7) {}

    [[nodiscard]] static Result<std::shared_ptr<Model>> make(
        const Ensemble& ensemble, std::uint32_t bins) {
        auto model = std::make_shared<Model>(ensemble, bins);
        return model->train().map([&] { return model; });
    }

    [[nodiscard]] Result<Contest> contest(
        const std::shared_ptr<Model>& self, Isa isa, bool best, std::uint32_t batch);

  private:
    struct Sides {
        std::shared_ptr<Model> model;
        std::unique_ptr<kernels::Classifier> classifier;
        std::unique_ptr<Scorer> ours;
        std::vector<std::int32_t> out;
    };

    Result<void> train() {
        const Rows training(kTrainingRows, bins_, classes(ensemble_), 1);
        XgboostParameters parameters = ensemble_.parameters;
        parameters.emplace_back("max_bin", std::to_string(bins_));
        xgboost_ = std::make_unique<XgboostForest>(
            parameters, ensemble_.rounds, training.values, kColumns, training.labels);
        auto quantized =
            lab::parse_xgboost_json(xgboost_->json()).and_then([](const lab::FloatForest& forest) {
                return lab::quantize(forest, 1.0);
            });
        if (!quantized) {
            return tl::unexpected(quantized.error());
        }
        quantized_ = std::move(*quantized);
        want_ = reference_answers(quantized_.spec, rows_.codes.data(), kPool);
        print_shape();
        if (ensemble_.ifelse_goal) {
            ifelse_ = std::make_unique<IfElseForest>(quantized_.spec);
        }
#if WEIR_WITH_ONNXRUNTIME
        onnx_ = std::make_unique<OnnxRuntimeForest>(quantized_.spec);
        if (!onnx_agrees()) {
            return fail(ensemble_.name, "answers", "differ from ONNX Runtime's");
        }
#endif
        return check_peers();
    }

    void print_shape() const {
        std::size_t leaves = 0;
        for (const auto& tree : quantized_.spec.trees) {
            leaves += tree.leaves.size();
        }
        const double trees = static_cast<double>(quantized_.spec.trees.size());
        std::printf(
            "%s, %u bins: %.0f trees, %.1f leaves a tree\n",
            ensemble_.name,
            bins_,
            trees,
            static_cast<double>(leaves) / trees);
    }

    // XGBoost within the quantization's bound, if-else C to the bit.
    Result<void> check_peers() {
        xgboost_->set_rows(rows_.values.data(), kPool, kColumns);
        const float* margins = xgboost_->predict();
        for (std::size_t i = 0; i < want_.size(); ++i) {
            const double ours = want_[i] * quantized_.logit_per_raw;
            const double theirs = static_cast<double>(margins[i]);
            if (std::abs(ours - theirs) > quantized_.logit_error + 1e-3 * (1 + std::abs(theirs))) {
                return fail(ensemble_.name, "answers", "differ from XGBoost's");
            }
        }
        if (ifelse_) {
            std::vector<std::int32_t> out(want_.size());
            ifelse_->score(rows_.values.data(), kPool, out.data());
            if (out != want_) {
                return fail(ensemble_.name, "answers", "differ from if-else C's");
            }
        }
        return {};
    }

#if WEIR_WITH_ONNXRUNTIME
    // Its sums are floats: to a part in a million, or to the unit.
    bool onnx_agrees() {
        onnx_->set_rows(rows_.values.data(), kPool);
        onnx_->run();
        for (std::size_t i = 0; i < want_.size(); ++i) {
            const double off = std::abs(static_cast<double>(onnx_->output()[i]) - want_[i]);
            if (off > 1 + 1e-6 * std::abs(static_cast<double>(want_[i]))) {
                return false;
            }
        }
        return true;
    }
    std::unique_ptr<OnnxRuntimeForest> onnx_;
#endif

    [[nodiscard]] std::optional<double> xgboost_goal(std::uint32_t batch) const {
        const auto goal = ensemble_.xgboost_goals.find(batch);
        const bool has = goal != ensemble_.xgboost_goals.end() && bins_ == 256;
        return has ? std::optional(goal->second) : std::nullopt;
    }

    const Ensemble& ensemble_;
    std::uint32_t bins_;
    Rows rows_;
    lab::QuantizedForest quantized_;
    std::vector<std::int32_t> want_;
    std::unique_ptr<XgboostForest> xgboost_;
    std::unique_ptr<IfElseForest> ifelse_;
};

Result<Contest> Model::contest(
    const std::shared_ptr<Model>& self, Isa isa, bool best, std::uint32_t batch) {
    auto sides = std::make_shared<Sides>();
    sides->model = self;
    sides->classifier = kernels::make_forest_classifier(quantized_.spec, isa);
    sides->ours = std::make_unique<Scorer>(*sides->classifier, rows_.codes.data(), kPool, batch);
    if (!sides->ours->equals(want_)) {
        return fail(ensemble_.name, "answers", "differ from the reference");
    }
    Contest made;
    made.model = std::string(ensemble_.name) + ".bins" + std::to_string(bins_);
    made.isa = isa;
    made.best = best;
    made.batch = batch;
    made.peak_row_dots = least_operations(quantized_.spec);
    if (batch == kPredictedBatch) {
        made.predicted_cycles = kernels::forest_cycles_per_row(quantized_.spec, isa);
    }
    made.ours = [raw = sides.get()] { raw->ours->run(); };
    made.keep = sides;
    if (!best) {
        return made;
    }
    xgboost_->set_rows(rows_.values.data(), batch, kColumns);
    made.peers.push_back({"xgboost", [this] { xgboost_->predict(); }, xgboost_goal(batch)});
    if (ifelse_) {
        sides->out.resize(std::size_t{batch} * quantized_.spec.base.size());
        made.peers.push_back(
            {"ifelse_c",
             [this, batch, raw = sides.get(), at = std::size_t{0}]() mutable {
                 ifelse_->score(rows_.values.data() + at * kColumns, batch, raw->out.data());
                 at = at + 2 * batch <= kPool ? at + batch : 0;
             },
             batch == 256 && bins_ == 256 ? ensemble_.ifelse_goal : std::nullopt});
    }
#if WEIR_WITH_ONNXRUNTIME
    onnx_->set_rows(rows_.values.data(), batch);
    made.peers.push_back(
        {"onnxruntime",
         [this] { onnx_->run(); },
         batch == 256 && bins_ == 256 ? ensemble_.onnxruntime_goal : std::nullopt});
#endif
    return made;
}

Isa best_isa() {
    Isa best = Isa::scalar;
    for (const Isa isa : kernels::forest_isas()) {
        best = kernels::isa_supported(isa) ? isa : best;
    }
    return best;
}

}  // namespace

std::vector<Entry> forest_entries() {
    std::vector<Entry> entries;
    for (const Ensemble& ensemble : kEnsembles) {
        for (const std::uint32_t bins : {256U, 64U}) {
            // Trained once for all its entries, and only if one of them runs.
            auto model = std::make_shared<Result<std::shared_ptr<Model>>>();
            for (const Isa isa : kernels::forest_isas()) {
                for (const std::uint32_t batch : kBatches) {
                    if (!kernels::isa_supported(isa)) {
                        continue;
                    }
                    const auto make = [model, &ensemble, bins, isa, batch]() -> Result<Contest> {
                        if (model->has_value() && model->value() == nullptr) {
                            *model = Model::make(ensemble, bins);
                        }
                        return model->and_then([&](const std::shared_ptr<Model>& trained) {
                            return trained->contest(trained, isa, isa == best_isa(), batch);
                        });
                    };
                    entries.push_back(
                        {std::string(ensemble.name) + ".bins" + std::to_string(bins) + "/" +
                             std::string(kernels::isa_name(isa)) + "/" + std::to_string(batch),
                         make});
                }
            }
        }
    }
    return entries;
}

}  // namespace weir::perf
