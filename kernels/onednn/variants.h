// SPDX-License-Identifier: BSD-3-Clause
// How a network of the oneDNN family is run: by oneDNN, or by the reference where the build has no oneDNN.
#pragma once

#include "kernels/classifier.h"
#include "kernels/onednn/onednn.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace weir::kernels {

/// ISAs that this machine can run the network with: scalar, and the one that oneDNN uses.
[[nodiscard]] std::span<const Isa> onednn_isas(const OnednnSpec& spec) noexcept;

/// Builds primitives and reordered weights for every batch size that calls are cut into. Needs validate(spec).
/// An Error if `isa` is not among onednn_isas(), or oneDNN refuses. Thread: control; allocates.
///
/// score() runs on the calling thread alone and leaves its affinity as it is. Nothing of ours allocates in it; oneDNN 2.6
/// takes a few blocks of under 200 bytes for its argument table and gives them back before each primitive returns, so
/// the thread's own malloc cache serves them: no lock, no system call (tests/kernels/test_onednn.cpp counts both).
[[nodiscard]] Result<std::unique_ptr<Classifier>> make_onednn_classifier(
    const OnednnSpec& spec, Isa isa);

/// To be called once on each thread that will score: OpenMP keeps its settings a thread, and allocates them the first
/// time. A thread that was not prepared is served all the same, its first score() allocating.
void prepare_onednn_thread() noexcept;

/// Predicted cycles a row at batch 64.
[[nodiscard]] double onednn_cycles_per_row(const OnednnSpec& spec, Isa isa) noexcept;

/// How far a variant's raw outputs may be from the reference's for a row of codes, each: 0 for int8, the contract's bound
/// for f32. `reference`: the reference's raw outputs of that row. Needs validate(spec). Thread: control; allocates.
[[nodiscard]] std::vector<double> onednn_tolerance(
    const OnednnSpec& spec, const std::uint8_t* row, std::span<const std::int32_t> reference);

/// The reference: plain scalar code, f32 networks in double precision. Needs validate(spec).
[[nodiscard]] std::unique_ptr<Classifier> make_onednn_reference(const OnednnSpec& spec);

}  // namespace weir::kernels
