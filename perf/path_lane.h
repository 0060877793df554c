// SPDX-License-Identifier: BSD-3-Clause
// One worker on the calling thread, measured in chunks of steady state whose medians shrug off what else the machine does.
#pragma once

#include <cstdint>
#include <string>

namespace weir::perf {

struct LaneOptions {
    std::uint32_t flows = 1U << 20;
    std::uint32_t capacity = 0;  ///< of the flow table; 0: twice the flows
    bool zipf = false;
    std::uint32_t hosts = 1U << 16;  ///< distinct hosts on the clients' side; 0: one a flow
    std::string pcap;                ///< this capture through net_pcap instead
    std::uint32_t gather_us = 20;    ///< as WorkerOptions
    bool huge = false;               ///< DPDK's memory on hugepages
    int rounds = 11;
    std::string only_case;  ///< measures this set of models alone; empty: all
    bool latency = false;   ///< delays of paced packets instead of rates
    bool flood = false;     ///< a flood of new flows onto a full table, beside the flows
    bool trials = false;    ///< the small models alone, without, after, and with models on trial
};

/// Measures source, io and each set of models in turns, or with `latency` the delays that the last set adds at shares of
/// its no-loss rate, and prints a line `row NAME VALUE UNIT` each. A process's first
/// and only use of EAL. Returns the exit code.
[[nodiscard]] int run_lane(const LaneOptions& options);

/// "row NAME VALUE UNIT", for the process that runs lanes.
void print_row(const std::string& name, double value, const char* unit);

}  // namespace weir::perf
