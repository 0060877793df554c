// SPDX-License-Identifier: BSD-3-Clause
// What this core could do at most, at this moment: the denominators of cycles and of "percent of peak". Timed beside
// each round, so that whatever a neighbour takes of the core is taken from both.
#pragma once

namespace weir::perf {

/// int8 multiply-adds of one 512-bit vpdpbusd.
inline constexpr double kMacsOfDot = 64;

/// This thread's CPU time in seconds: what neighbours take of a shared core is not ours to count.
[[nodiscard]] double thread_seconds();

struct CoreProbe {
    double cycle = 0;  ///< seconds, from a chain of dependent additions
    double dots = 0;   ///< independent 512-bit vpdpbusd a second; 0 without AVX-512 VNNI
    /// How much of the core is ours: higher is freer; comparable on one machine only. Of dots and of independent
    /// additions a cycle: a neighbour's integer work on the core's other thread halves these, where dots notice nothing.
    double share = 0;
};

/// The core at this moment, over some 90 µs. Thread: the pinned one.
[[nodiscard]] CoreProbe probe_core();

/// Pins the calling thread to `cpu`; false if it may not run there.
bool pin_to(int cpu);

/// Of the CPUs that this process could run on at the first call, the one whose core is freest now; a millisecond each.
/// Leaves the thread pinned to it.
int pin_to_freest();

}  // namespace weir::perf
