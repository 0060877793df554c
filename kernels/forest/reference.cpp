// SPDX-License-Identifier: BSD-3-Clause
// The definition of a forest's answer: plain scalar code, compiled without the vectorizer.
#include "kernels/forest/variants.h"

#include <algorithm>

namespace weir::kernels {
namespace {

std::int32_t reached_leaf(const ForestTree& tree, const std::uint8_t* row) noexcept {
    std::int32_t at = tree.nodes.empty() ? ~0 : 0;
    while (at >= 0) {
        const ForestNode& node = tree.nodes[static_cast<std::size_t>(at)];
        at = row[node.feature] > node.threshold ? node.right : node.left;
    }
    const std::int32_t leaf = ~at;
    return tree.leaves[static_cast<std::size_t>(leaf)];
}

class ReferenceForest final : public Classifier {
  public:
    explicit ReferenceForest(const ForestSpec& spec) : spec_(spec) {}

    [[nodiscard]] std::uint32_t inputs() const noexcept override { return spec_.inputs; }
    [[nodiscard]] std::uint32_t outputs() const noexcept override {
        return static_cast<std::uint32_t>(spec_.base.size());
    }
    [[nodiscard]] std::size_t scratch_bytes() const noexcept override { return 0; }
    [[nodiscard]] Isa isa() const noexcept override { return Isa::scalar; }

    void score(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* /*scratch*/) const noexcept override {
        for (std::uint32_t r = 0; r < n; ++r) {
            const std::uint8_t* row = rows + r * stride;
            std::int32_t* raw = out + std::size_t{r} * outputs();
            std::copy(spec_.base.begin(), spec_.base.end(), raw);
            for (const ForestTree& tree : spec_.trees) {
                raw[tree.output] += reached_leaf(tree, row);
            }
        }
    }

  private:
    ForestSpec spec_;
};

}  // namespace

std::unique_ptr<Classifier> make_forest_reference(const ForestSpec& spec) {
    return std::make_unique<ReferenceForest>(spec);
}

}  // namespace weir::kernels
