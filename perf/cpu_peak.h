// SPDX-License-Identifier: BSD-3-Clause
// What this core could do at most, measured: the denominator of "percent of peak".
#pragma once

namespace weir::perf {

struct Peak {
    double ghz = 0;  ///< clock under load, from a chain of dependent additions
    double macs_per_cycle =
        0;  ///< int8 multiply-adds of independent vpdpbusd; 0 without AVX-512 VNNI
};

/// Takes about 20 ms. Thread: the pinned one that will be timed.
[[nodiscard]] Peak measure_peak();

/// int8 multiply-adds a nanosecond that this core does in independent vpdpbusd at this moment, over about 70 µs: the
/// peak to set beside something timed just before, whatever a neighbour takes of the core. 0 without AVX-512 VNNI.
[[nodiscard]] double macs_per_ns_now();

}  // namespace weir::perf
