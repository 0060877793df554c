// SPDX-License-Identifier: BSD-3-Clause
// What this core could do at most, at this moment: the denominators of cycles and of "percent of peak". Timed beside
// each round, so that whatever a neighbour takes of the core is taken from both.
#pragma once

namespace weir::perf {

/// int8 multiply-adds of one 512-bit vpdpbusd.
inline constexpr double kMacsOfDot = 64;

/// This thread's CPU time in seconds: what neighbours take of a shared core is not ours to count.
[[nodiscard]] double thread_seconds();

/// Seconds a cycle, from a chain of dependent additions of about 40 µs. Thread: the pinned one.
[[nodiscard]] double seconds_of_cycle();

/// Independent 512-bit vpdpbusd a second, over about 35 µs; 0 without AVX-512 VNNI. Thread: the pinned one.
[[nodiscard]] double dots_per_second();

/// Independent scalar additions a second, over about 10 µs: a neighbour's integer work on the core's other thread halves
/// them, where vpdpbusd notices nothing. Thread: the pinned one.
[[nodiscard]] double additions_per_second();

/// How much of the core is ours at this moment: higher is freer; comparable on one machine only. Takes about 100 µs.
[[nodiscard]] double core_share();

/// Pins the calling thread to `cpu`; false if it may not run there.
bool pin_to(int cpu);

/// Of the CPUs that this process could run on at the first call, the one whose core is freest now; a millisecond each. Leaves the thread
/// pinned to it.
int pin_to_freest();

}  // namespace weir::perf
