// SPDX-License-Identifier: BSD-3-Clause
// Token buckets of RFC 2697, 2698 and 4115, by rte_meter, on the packets' own time.
#pragma once

#include "dataplane/policy.h"

#include <cstdint>

namespace weir::dataplane {

enum class Colour : std::uint8_t { green, yellow, red };

/// One bucket. Zero-initialised: unused. Owner: a worker.
struct MeterState {
    std::uint64_t id = 0;
    std::array<std::uint64_t, 4> words{};  ///< rte_meter's: times and tokens
};

/// Rates become whole bytes in whole nanoseconds: 10 µs' worth, less where that is more than a sixteenth of the burst, one
/// byte at least. Up to 10 Gb/s with bursts of 15 kB that is within 0.1 % of what was asked. `index`: makes ids of equal
/// meters differ. Thread: control.
[[nodiscard]] CompiledMeter compile_meter(const config::Meter& meter, std::uint64_t index);

/// The colour of a packet of `bytes` at `now_ns`, colour-blind. A state of another `id` starts with full buckets. Time
/// that runs backwards counts as standing still. Thread: the state's owner.
[[nodiscard]] Colour meter_packet(
    const CompiledMeter& meter,
    std::uint64_t id,
    MeterState& state,
    std::uint64_t now_ns,
    std::uint32_t bytes) noexcept;

}  // namespace weir::dataplane
