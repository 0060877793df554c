// SPDX-License-Identifier: BSD-3-Clause
// Isolation forest (Liu, Ting and Zhou, ICDM 2008): a strange row is told from benign ones by few random splits.
#include "control/lab/train_convert.h"
#include "control/lab/train_family.h"
#include "control/lab/train_one_class.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <utility>

#include <oneapi/tbb/parallel_for.h>

namespace weir::lab {
namespace {

constexpr double kEuler = 0.5772156649015329;
constexpr double kTwoTo53 = 9007199254740992.0;

/// Mean depth at which a search in a random binary tree of n rows ends.
double mean_depth(std::size_t n) {
    if (n <= 1) {
        return 0.0;
    }
    const auto m = static_cast<double>(n);
    return n == 2 ? 1.0 : 2.0 * (std::log(m - 1.0) + kEuler) - 2.0 * (m - 1.0) / m;
}

/// One tree on a draw of the rows; its leaves hold their depth, and what a full tree would add below them.
class IsolationTree {
  public:
    IsolationTree(const CodeMatrix& data, std::uint64_t seed) : data_(data), random_(seed) {}

    FloatTree build(std::vector<std::uint32_t> rows) {
        most_ =
            static_cast<std::uint32_t>(std::ceil(std::log2(std::max<std::size_t>(2, rows.size()))));
        most_ = std::min(most_, kernels::kForestMaxDepth);
        add(rows, 0);
        return std::move(tree_);
    }

  private:
    [[nodiscard]] std::uint8_t code(std::uint32_t row, std::uint32_t column) const {
        return data_.codes[std::size_t{row} * data_.columns + column];
    }

    std::int32_t leaf(std::size_t rows, std::uint32_t depth) {
        tree_.leaves.push_back(static_cast<float>(depth + mean_depth(rows)));
        return ~static_cast<std::int32_t>(tree_.leaves.size() - 1);
    }

    std::int32_t add(std::span<std::uint32_t> rows, std::uint32_t depth) {
        std::vector<std::array<std::uint32_t, 3>> open;  // column, least and largest code
        for (std::uint32_t c = 0; c < data_.columns; ++c) {
            const auto [low, high] = std::minmax_element(
                rows.begin(), rows.end(), [&](std::uint32_t a, std::uint32_t b) {
                    return code(a, c) < code(b, c);
                });
            if (code(*low, c) < code(*high, c)) {
                open.push_back({c, code(*low, c), code(*high, c)});
            }
        }
        if (depth >= most_ || open.empty()) {
            return leaf(rows.size(), depth);
        }
        const auto [column, low, high] = open[random_() % open.size()];
        const auto threshold = static_cast<std::uint8_t>(low + random_() % (high - low));
        const auto middle =
            std::stable_partition(rows.begin(), rows.end(), [&, c = column](std::uint32_t r) {
                return code(r, c) <= threshold;
            });
        const auto node = tree_.nodes.size();
        tree_.nodes.push_back({static_cast<std::uint8_t>(column), threshold, 0, 0});
        const auto left = add({rows.begin(), middle}, depth + 1);
        const auto right = add({middle, rows.end()}, depth + 1);
        tree_.nodes[node].left = left;
        tree_.nodes[node].right = right;
        return static_cast<std::int32_t>(node);
    }

    const CodeMatrix& data_;
    std::mt19937_64 random_;
    std::uint32_t most_ = 0;
    FloatTree tree_;
};

/// Rows drawn by weight, with replacement.
class Draw {
  public:
    explicit Draw(const CodeMatrix& data) {
        double sum = 0.0;
        for (const float w : data.weights) {
            sums_.push_back(sum += static_cast<double>(w));
        }
    }
    [[nodiscard]] std::vector<std::uint32_t> operator()(std::uint32_t n, std::uint64_t seed) const {
        std::mt19937_64 random(seed);
        std::vector<std::uint32_t> out;
        while (out.size() < n) {
            const double at = sums_.back() * (static_cast<double>(random() >> 11U) / kTwoTo53);
            const auto found = std::upper_bound(sums_.begin(), sums_.end() - 1, at);
            out.push_back(static_cast<std::uint32_t>(found - sums_.begin()));
        }
        return out;
    }

  private:
    std::vector<double> sums_;
};

class IsolationForest final : public Fitted {
  public:
    explicit IsolationForest(FloatForest forest) : forest_(std::move(forest)) {}

    [[nodiscard]] std::uint32_t stages() const noexcept override { return 1; }

    [[nodiscard]] Result<std::vector<float>> logits(
        const CodeMatrix& data, std::uint32_t stage) const override {
        return float_logits(data, stage);
    }
    [[nodiscard]] Result<std::vector<float>> float_logits(
        const CodeMatrix& data, std::uint32_t /*stage*/) const override {
        std::vector<float> out;
        for (std::uint32_t r = 0; r < data.rows(); ++r) {
            double logit = 0.0;
            lab::float_logits(forest_, data.codes.data() + std::size_t{r} * data.columns, &logit);
            out.push_back(0.0F);
            out.push_back(static_cast<float>(logit));
        }
        return out;
    }
    [[nodiscard]] Result<QuantizedNetwork> quantized(
        double temperature, std::uint32_t /*stage*/) const override {
        auto quantized = quantize(forest_, temperature);
        if (!quantized) {
            return tl::unexpected(quantized.error());
        }
        return QuantizedNetwork{
            std::move(quantized->spec),
            {kernels::HeadKind::sigmoid, quantized->scale_q16, {}},
            quantized->logit_per_raw,
            quantized->logit_error};
    }

  private:
    FloatForest forest_;
};

}  // namespace

Result<std::unique_ptr<Fitted>> fit_isolation_forest(
    const CodeMatrix& benign, const FamilyOptions& options) {
    FloatForest forest{benign.columns, 1, {0.0}, {}};
    forest.trees.resize(options.isolation_trees);
    const Draw draw(benign);
    const auto trees = std::uint32_t{options.isolation_trees};
    oneapi::tbb::parallel_for(std::uint32_t{0}, trees, [&](std::uint32_t t) {
        const std::uint64_t seed = options.boost.seed * 1000003 + t;
        forest.trees[t] = IsolationTree(benign, seed)
                              .build(draw(options.isolation_rows, seed ^ 0x9e3779b97f4a7c15U));
    });
    // Strangeness is how much shallower than anything a row ends: minus its mean depth.
    std::vector<std::pair<double, double>> strangeness;
    for (std::uint32_t r = 0; r < benign.rows(); ++r) {
        double depth = 0.0;
        float_logits(forest, benign.codes.data() + std::size_t{r} * benign.columns, &depth);
        strangeness.emplace_back(-depth / trees, static_cast<double>(benign.weights[r]));
    }
    const auto scale = scale_strangeness(std::move(strangeness));
    forest.base[0] = -scale.zero * scale.logit_per_unit;
    for (FloatTree& tree : forest.trees) {
        for (float& leaf : tree.leaves) {
            leaf = static_cast<float>(-static_cast<double>(leaf) * scale.logit_per_unit / trees);
        }
    }
    return std::make_unique<IsolationForest>(std::move(forest));
}

}  // namespace weir::lab
