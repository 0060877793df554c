// SPDX-License-Identifier: BSD-3-Clause
// Which inputs made a score: what each moved it by. Off the packet path.
#pragma once

#include "kernels/classifier.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace weir::kernels {

/// Counts of each code of one input over the rows that a model was trained on; empty (not known), or 256.
using CodeCounts = std::vector<std::uint64_t>;

enum class AttributionMethod : std::uint8_t {
    paths,      ///< forests
    errors,     ///< autoencoders
    occlusion,  ///< every other family
    count_
};
[[nodiscard]] std::string_view method_name(AttributionMethod method) noexcept;

/// Of the score Σ weights[o]·raw[o] of one row. Whole numbers, in units of 2^-shift of a raw unit.
struct Attribution {
    AttributionMethod method = AttributionMethod::occlusion;
    std::int64_t score = 0;
    std::int64_t bias = 0;               ///< the score of which nothing of the row is known
    std::vector<std::int64_t> by_input;  ///< what each input moved it by; > 0: up
    std::uint32_t shift = 0;

    /// bias + Σ by_input = score, to the last bit: true of paths and errors. Occlusion leaves a rest.
    [[nodiscard]] bool adds_up() const noexcept;
};

/// Of forests, along the paths that the row takes (Saabas 2014, "Interpreting random forests"). A node is worth what its
/// two sides are, by the share of training rows that go there: by the input's own counts between the bounds that the
/// path has set it, inputs taken as independent of one another; without counts, the mean of the two. A split's input
/// moves the score by the worth of the side taken less that of the node. As these differences telescope,
/// bias + Σ by_input = score exactly, however a worth is rounded.
/// `spec`: passed validate(). `row`: spec.inputs codes. `counts`: empty, or one an input. `weights`: one a raw output,
/// |weight| ≤ 2^7. Thread: any; allocates.
[[nodiscard]] Attribution attribute_paths(
    const ForestSpec& spec,
    std::span<const std::uint8_t> row,
    std::span<const CodeCounts> counts,
    std::span<const std::int32_t> weights);

/// Of autoencoders: each input's share of the reconstruction error, which is their sum. The raw output is the score's
/// floor. `weights`: one.
[[nodiscard]] Attribution attribute_errors(
    const AutoencoderSpec& spec,
    std::span<const std::uint8_t> row,
    std::span<const std::int32_t> weights);

/// Of any model, by occlusion (Zeiler and Fergus 2014), from both ends: the mean of what the score loses when one input
/// of the row becomes that of `reference`, and of what it gains when one input of `reference` becomes the row's: the last
/// and the first step of a Shapley value. Inputs that stand in for each other move little at one end alone.
/// bias is the reference's score. `row`, `reference`: inputs() codes. Thread: any; allocates; 2·inputs() + 2 rows are
/// scored.
[[nodiscard]] Attribution attribute_occlusion(
    const Classifier& classifier,
    std::span<const std::uint8_t> row,
    std::span<const std::uint8_t> reference,
    std::span<const std::int32_t> weights);

/// The median code of each of `inputs`; 0 where no counts are known.
[[nodiscard]] std::vector<std::uint8_t> reference_row(
    std::uint32_t inputs, std::span<const CodeCounts> counts);

/// By the method of the network's family; `classifier` is the network's.
[[nodiscard]] Attribution attribute(
    const Network& network,
    const Classifier& classifier,
    std::span<const std::uint8_t> row,
    std::span<const CodeCounts> counts,
    std::span<const std::int32_t> weights);

/// What explaining a model needs beside its classifier. Immutable.
struct ModelBasis {
    Network network;
    std::vector<CodeCounts> counts;  ///< empty, or one an input
};

/// The raw outputs of one row. Thread: any; allocates.
[[nodiscard]] std::vector<std::int32_t> raw_outputs(
    const Classifier& classifier, std::span<const std::uint8_t> row);

}  // namespace weir::kernels
