// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/forest/walk.h"

#include <algorithm>

namespace weir::kernels {
namespace {

constexpr std::uint32_t kLanes = 8;

// A leaf leads to itself, so lanes that are done may go on.
inline const ForestWalkNode* step(
    const ForestWalkNode* tree, const ForestWalkNode* at, const std::uint8_t* row) noexcept {
    return tree + at->child + (row[at->feature] > at->threshold ? 1 : 0);
}

}  // namespace

void walk_row(const ForestPacked& forest, const std::uint8_t* row, std::int32_t* out) noexcept {
    const std::span<const ForestWalkTree> trees = forest.row_walks();
    for (std::size_t first = 0; first < trees.size(); first += kLanes) {
        const std::uint32_t lanes =
            static_cast<std::uint32_t>(std::min<std::size_t>(kLanes, trees.size() - first));
        const ForestWalkNode* tree[kLanes];
        const ForestWalkNode* at[kLanes];
        std::uint32_t steps = 0;
        for (std::uint32_t i = 0; i < kLanes; ++i) {  // lanes without a tree repeat the first one
            const ForestWalkTree& mine = trees[first + (i < lanes ? i : 0)];
            tree[i] = at[i] = forest.walk_nodes() + mine.first;
            steps = std::max(steps, mine.steps);
        }
        for (std::uint32_t s = 0; s < steps; ++s) {
            for (std::uint32_t i = 0; i < kLanes; ++i) {
                at[i] = step(tree[i], at[i], row);
            }
        }
        for (std::uint32_t i = 0; i < lanes; ++i) {
            out[trees[first + i].output] += at[i]->leaf;
        }
    }
}

void walk_rows(
    const ForestPacked& forest,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::int32_t* out) noexcept {
    for (std::uint32_t r = 0; r < n; ++r) {
        std::int32_t* const raw = out + std::size_t{r} * forest.outputs();
        std::copy(forest.row_base().begin(), forest.row_base().end(), raw);
        walk_row(forest, rows + r * stride, raw);
    }
}

void walk_block(
    const ForestPacked& forest,
    const ForestWalkTree& tree,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::int32_t* sums) noexcept {
    const ForestWalkNode* const root = forest.walk_nodes() + tree.first;
    for (std::uint32_t first = 0; first < n; first += kLanes) {
        const std::uint32_t lanes = std::min(kLanes, n - first);
        const std::uint8_t* row[kLanes];
        const ForestWalkNode* at[kLanes];
        for (std::uint32_t i = 0; i < kLanes; ++i) {
            row[i] = rows + (first + (i < lanes ? i : 0)) * stride;
            at[i] = root;
        }
        for (std::uint32_t s = 0; s < tree.steps; ++s) {
            for (std::uint32_t i = 0; i < kLanes; ++i) {
                at[i] = step(root, at[i], row[i]);
            }
        }
        for (std::uint32_t i = 0; i < lanes; ++i) {
            sums[first + i] += at[i]->leaf;
        }
    }
}

}  // namespace weir::kernels
