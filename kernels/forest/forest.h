// SPDX-License-Identifier: BSD-3-Clause
// Ensemble of decision trees on u8 codes: the contract. reference.cpp beside this file defines the answer.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <vector>

namespace weir::kernels {

inline constexpr std::uint32_t kForestMaxTrees = 4096;
inline constexpr std::uint32_t kForestMaxDepth = 16;
inline constexpr std::uint32_t kForestMaxInputs = 256;
inline constexpr std::uint32_t kForestMaxOutputs = 64;

/// An inner node sends a sample right if code[feature] > threshold, else left.
/// A child ≥ 0 is an index into ForestTree::nodes; a child < 0 is leaf ~child of ForestTree::leaves.
struct ForestNode {
    std::uint8_t feature = 0;
    std::uint8_t threshold = 0;
    std::int32_t left = -1;
    std::int32_t right = -1;
};

/// A tree of depth ≤ kForestMaxDepth. With no nodes it is the single leaf 0.
/// Leaf l adds leaves[l] to raw output `output`.
struct ForestTree {
    std::uint32_t output = 0;
    std::vector<ForestNode> nodes;  ///< nodes[0] is the root
    std::vector<std::int16_t> leaves;
};

/// raw[o] = base[o] + Σ over trees of that output of the reached leaf (s32; 4096·32767 + |base| < 2^31).
struct ForestSpec {
    std::uint32_t inputs = 0;
    std::vector<std::int32_t> base;  ///< one a raw output, |base| ≤ 2^30
    std::vector<ForestTree> trees;
};

/// Checks shapes, child indices (each node and leaf reached exactly once: no cycle, no sharing), depth and bounds.
[[nodiscard]] Result<void> validate(const ForestSpec& spec);

/// Inner nodes on the longest path of a valid tree.
[[nodiscard]] std::uint32_t tree_depth(const ForestTree& tree) noexcept;

}  // namespace weir::kernels
