// SPDX-License-Identifier: BSD-3-Clause
// What holds where weir.yaml is silent.
#include "config/load.h"

namespace weir::config {

namespace {

ClassRule mark(const char* dscp, double min_confidence) {
    return {ActionKind::mark, parse_dscp(dscp).value_or(0), min_confidence};
}

/// Observe only: dropping is something an operator asks for, class by class.
Slot anomaly_slot() {
    Slot slot;
    slot.name = "anomaly";
    return slot;
}

/// RFC 4594 section 2.3, and RFC 8622 for what is worth less than the default.
Slot qos_slot() {
    // Marked up only on a verdict that is more likely right than wrong; marked down only on a better one.
    constexpr double kLikely = 0.5;
    constexpr double kSure = 0.8;
    Slot slot;
    slot.name = "qos";
    slot.default_rules = true;
    slot.rules = {
        {"telephony", mark("EF", kLikely)},
        {"signaling", mark("CS5", kLikely)},
        {"multimedia_conferencing", mark("AF41", kLikely)},
        {"realtime_interactive", mark("CS4", kLikely)},
        {"multimedia_streaming", mark("AF31", kLikely)},
        {"broadcast_video", mark("CS3", kLikely)},
        {"low_latency_data", mark("AF21", kLikely)},
        {"oam", mark("CS2", kLikely)},
        {"high_throughput_data", mark("AF11", kLikely)},
        {"standard", mark("DF", kLikely)},
        {"low_priority_data", mark("LE", kSure)},
    };
    return slot;
}

}  // namespace

Config defaults() {
    Config config;
    config.slots = {anomaly_slot(), qos_slot()};
    return config;
}

}  // namespace weir::config
