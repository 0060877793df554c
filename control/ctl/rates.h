// SPDX-License-Identifier: BSD-3-Clause
// What happened between two statuses, per second.
#pragma once

#include "control/proto/control.pb.h"

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace weir::ctl {

/// Of the packets between the two statuses; 0 without any.
struct AddedLatency {
    double p50_us = 0.0;
    double p99_us = 0.0;
    double p999_us = 0.0;
    double max_us = 0.0;  ///< to its bucket's upper end
};

struct WorkerRates {
    std::string name;
    double rx_pps = 0.0;
    double cycles_per_packet = 0.0;
    double packets_per_burst = 0.0;
    double busy = 0.0;  ///< share of time spent with packets, 0…1
    std::uint64_t flows = 0;
    double created_per_s = 0.0;
    std::string overload_step;  ///< now
    double unscored_pps = 0.0;
    AddedLatency added;
};

struct ClassRates {
    std::string slot;
    std::string model;
    std::string name;
    double rows_per_s = 0.0;
    std::uint64_t rows = 0;
};

struct DropRates {
    std::string reason;
    double pps = 0.0;
    std::uint64_t packets = 0;
};

struct Rates {
    double seconds = 0.0;
    double rx_pps = 0.0;
    double rx_bps = 0.0;  ///< bits
    double tx_pps = 0.0;
    double tx_bps = 0.0;
    double dropped_pps = 0.0;
    double marked_pps = 0.0;
    std::vector<WorkerRates> workers;
    std::vector<ClassRates> classes;
    std::vector<DropRates> drops;  ///< reasons with any
};

/// A counter that fell (another process answers now) counts as 0.
[[nodiscard]] Rates rates_between(
    const control::v1::Status& before, const control::v1::Status& now);

[[nodiscard]] nlohmann::ordered_json rates_json(
    const control::v1::Status& before, const control::v1::Status& now);

}  // namespace weir::ctl
