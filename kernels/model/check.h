// SPDX-License-Identifier: BSD-3-Clause
// The checks of a parsed bundle, each to be made only after those before it passed.
#pragma once

#include "config/error.h"
#include "kernels/classifier.h"
#include "kernels/model/bundle.h"

#include <memory>
#include <string>

namespace weir::kernels {

/// Names, version numbers and digest, each by itself.
[[nodiscard]] Result<void> check_manifest(const Bundle& bundle, const std::string& where);

/// Classes, thresholds, network, head, histograms and golden vectors: shapes, bounds, and how they fit together.
[[nodiscard]] Result<void> check_shapes(const Bundle& bundle, const std::string& where);

/// Scores the golden vectors on `classifier`, as one batch and one by one (kernels may take different ways), and
/// compares every raw output: exactly, or for f32 networks within the contract's bound.
[[nodiscard]] Result<void> check_golden(
    const Bundle& bundle, const std::string& where, const Classifier& classifier);

/// make_classifier() for checked shapes, its error placed in the bundle.
[[nodiscard]] Result<std::unique_ptr<Classifier>> build_classifier(
    const Bundle& bundle, const std::string& where, std::optional<Isa> isa);

/// Raw outputs of a network.
[[nodiscard]] std::uint32_t network_outputs(const Network& network) noexcept;
/// Input codes of a network.
[[nodiscard]] std::uint32_t network_inputs(const Network& network) noexcept;
/// "mlp", "forest", "linear", "autoencoder", "sequence", "onednn" or "normalized": the network's field in the file.
[[nodiscard]] const char* network_family(const Network& network) noexcept;

}  // namespace weir::kernels
