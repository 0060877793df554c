// SPDX-License-Identifier: BSD-3-Clause
// What weir.yaml says about the egress scheduler, as plain data.
#pragma once

#include "config/policy.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::config {

/// One queue of every subscriber. Queues stand in the order in which they are served.
struct ShapedQueue {
    std::string name;
    std::uint32_t weight = 0;          ///< 0: strict, before all later ones; else of the rest
    std::vector<std::string> classes;  ///< of Shaping::slot: flows decided so
    std::vector<std::uint8_t> dscp;    ///< what no class places: packets that leave with these
    double max_share = 1.0;  ///< of a rate, of the port's and of a subscriber's; strict queues only
    bool otherwise = false;  ///< what nothing else places; exactly one weighted queue
};

/// A port whose egress is scheduled.
struct ShapedPort {
    std::string port;
    std::uint32_t rate_kbps = 0;        ///< of whole frames, overhead included
    std::uint32_t burst_bytes = 20000;  ///< sent at once after a pause
};

/// A customer with queues and a rate of its own, on each shaped port.
struct Subscriber {
    std::string name;
    std::uint32_t rate_kbps = 0;
    std::vector<Prefix> prefixes;      ///< either end of the packet; the longest match wins
    std::vector<std::uint16_t> vlans;  ///< outermost id; before `prefixes`
};

/// Random early detection on the average length of a queue, in packets.
struct EarlyDetection {
    std::uint32_t min_packets = 0;  ///< 0: off
    std::uint32_t max_packets = 0;
    std::uint32_t one_in = 10;  ///< packets marked or dropped at max_packets: one of so many
    bool ecn = true;            ///< ECN-capable packets are marked (CE) rather than dropped
};

struct Shaping {
    std::vector<ShapedPort> ports;  ///< empty: nothing is shaped
    std::string slot = "qos";       ///< whose classes the queues name
    std::vector<ShapedQueue> queues;
    std::uint32_t queue_packets = 128;        ///< longest queue
    std::uint32_t max_packets = 8192;         ///< held for one port
    std::uint32_t frame_overhead_bytes = 24;  ///< counted beside each frame: preamble, FCS, gap
    EarlyDetection red;
    std::vector<Subscriber> subscribers;
};

inline constexpr std::size_t kMaxStrictQueues = 12;
inline constexpr std::size_t kMaxWeightedQueues = 4;
inline constexpr std::size_t kMaxSubscribers = 4095;

}  // namespace weir::config
