// SPDX-License-Identifier: BSD-3-Clause
// The ports that have a code of their own in the `port` encoder.
#pragma once

#include <array>
#include <cstdint>

namespace weir::dataplane {

/// List 1, rising. Sources: IANA service names and port numbers; common use for games, mining, tunnels and malware.
/// A change makes a new list, hence a new encoder text.
inline constexpr std::array<std::uint16_t, 107> kWellKnownPorts{
    19,    20,    21,    22,    23,    25,    53,    67,    68,   69,   80,   88,    102,   110,
    111,   123,   135,   137,   138,   139,   143,   161,   162,  179,  389,  443,   445,   465,
    500,   502,   514,   515,   520,   548,   554,   587,   623,  631,  636,  853,   873,   993,
    995,   1080,  1194,  1433,  1434,  1521,  1701,  1723,  1812, 1883, 1900, 2049,  2152,  2222,
    2323,  3074,  3128,  3306,  3333,  3389,  3478,  4444,  4500, 4789, 5004, 5060,  5061,  5222,
    5223,  5228,  5353,  5355,  5432,  5555,  5672,  5683,  5900, 5938, 5985, 6379,  6443,  6667,
    6881,  7547,  8000,  8080,  8333,  8443,  8554,  8883,  8888, 9100, 9200, 11211, 17500, 19132,
    20000, 25565, 27015, 27017, 37215, 44818, 47808, 49152, 51820};

}  // namespace weir::dataplane
