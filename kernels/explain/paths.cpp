// SPDX-License-Identifier: BSD-3-Clause
// Attribution along the paths of a forest.
#include "kernels/explain/attribution.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <utility>

namespace weir::kernels {

namespace {

constexpr std::uint32_t kShift = 16;
constexpr std::int64_t kOne = std::int64_t{1} << kShift;
constexpr int kLastCode = 255;

/// Training rows by code, summed up: rows with a code of at most c.
class Shares {
  public:
    Shares(std::uint32_t inputs, std::span<const CodeCounts> counts) : up_to_(inputs) {
        for (std::size_t i = 0; i < inputs && i < counts.size(); ++i) {
            double sum = 0.0;
            for (const std::uint64_t count : counts[i]) {
                up_to_[i].push_back(sum += static_cast<double>(count));
            }
        }
    }
    /// Of the rows with low < code ≤ high, those above `threshold`: in 1/kOne. One half where there are none.
    [[nodiscard]] std::int64_t above(std::uint8_t input, int threshold, int low, int high) const {
        const auto& sums = up_to_[input];
        if (sums.size() != std::size_t{kLastCode} + 1 || low >= high) {
            return kOne / 2;  // nothing is known, or no code gets here
        }
        const auto sum = [&](int code) {
            return code < 0 ? 0.0 : sums[static_cast<std::size_t>(code)];
        };
        const double all = sum(high) - sum(low);
        const double more = sum(high) - sum(std::clamp(threshold, low, high));
        const double share = all > 0.0 ? more / all : 0.5;
        return static_cast<std::int64_t>(share * static_cast<double>(kOne));
    }

  private:
    std::vector<std::vector<double>> up_to_;  ///< empty: not known
};

/// What each node is worth, in 2^-kShift raw. Children may come before their parents, so depth first.
class Worth {
  public:
    Worth(const ForestTree& tree, const Shares& shares)
        : tree_(tree), shares_(shares), nodes_(tree.nodes.size()) {
        low_.fill(-1);
        high_.fill(kLastCode);
        if (!nodes_.empty()) {
            (void)fill(0);
        }
    }
    [[nodiscard]] std::int64_t root() const { return nodes_.empty() ? leaf(0) : nodes_[0]; }
    [[nodiscard]] std::int64_t of(std::int32_t child) const {
        return child >= 0 ? nodes_[static_cast<std::size_t>(child)] : leaf(~child);
    }

  private:
    [[nodiscard]] std::int64_t leaf(std::int32_t index) const {
        return tree_.leaves[static_cast<std::size_t>(index)] * kOne;
    }
    // As deep as the tree, which validate() bounds by 16.
    std::int64_t fill(std::int32_t child) {  // NOLINT(misc-no-recursion)
        if (child < 0) {
            return leaf(~child);
        }
        const ForestNode& node = tree_.nodes[static_cast<std::size_t>(child)];
        int& low = low_[node.feature];
        int& high = high_[node.feature];
        const std::int64_t above = shares_.above(node.feature, node.threshold, low, high);
        const int high_before = std::exchange(high, std::min<int>(high, node.threshold));
        const std::int64_t left = fill(node.left);
        high = high_before;
        const int low_before = std::exchange(low, std::max<int>(low, node.threshold));
        const std::int64_t right = fill(node.right);
        low = low_before;
        // Both are below 2^32, the share at most 2^16.
        return nodes_[static_cast<std::size_t>(child)] = left + (right - left) * above / kOne;
    }

    const ForestTree& tree_;
    const Shares& shares_;
    std::vector<std::int64_t> nodes_;
    std::array<int, kForestMaxInputs> low_{};  ///< the path's bounds: low < code ≤ high
    std::array<int, kForestMaxInputs> high_{};
};

}  // namespace

Attribution attribute_paths(
    const ForestSpec& spec,
    std::span<const std::uint8_t> row,
    std::span<const CodeCounts> counts,
    std::span<const std::int32_t> weights) {
    assert(row.size() == spec.inputs && weights.size() == spec.base.size());
    const Shares shares(spec.inputs, counts);
    Attribution out;
    out.method = AttributionMethod::paths;
    out.shift = kShift;
    out.by_input.resize(spec.inputs);
    for (std::size_t o = 0; o < weights.size(); ++o) {
        out.bias += std::int64_t{weights[o]} * spec.base[o] * kOne;
    }
    out.score = out.bias;
    for (const ForestTree& tree : spec.trees) {
        const std::int64_t weight = weights[tree.output];
        if (weight == 0) {
            continue;
        }
        const Worth worth(tree, shares);
        std::int64_t here = worth.root();
        out.bias += weight * here;
        for (std::int32_t at = tree.nodes.empty() ? -1 : 0; at >= 0;) {
            const ForestNode& node = tree.nodes[static_cast<std::size_t>(at)];
            at = row[node.feature] > node.threshold ? node.right : node.left;
            out.by_input[node.feature] += weight * (worth.of(at) - here);
            here = worth.of(at);
        }
        out.score += weight * here;
    }
    return out;
}

}  // namespace weir::kernels
