// SPDX-License-Identifier: BSD-3-Clause
// A generated capture onto a network, packet by packet at its times.
#pragma once

#include "config/error.h"

#include <csignal>
#include <cstdint>
#include <string>

namespace weir::lab::synth {

struct SendOptions {
    std::string capture;    ///< as generate() writes it
    std::string interface;  ///< Ethernet; frames leave as they are in the capture
    double speed = 1.0;     ///< so many times as fast as the capture's clock; > 0
    /// Not zero: stop after the packet under way. Null: never.
    const volatile std::sig_atomic_t* stop = nullptr;
};

struct SendSummary {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t too_long = 0;  ///< left out: longer than the interface takes
    double seconds = 0.0;        ///< from the first packet to the last
    double latest_s = 0.0;       ///< how far behind its time the latest packet was
};

/// Whether frames can be sent: the interface is there and up, and this process may (CAP_NET_RAW).
[[nodiscard]] Result<void> may_send(const std::string& interface);

/// Sends all packets through an AF_PACKET socket. A full queue is waited for. Errors name interface or file. Thread: any;
/// blocks for the capture's length.
[[nodiscard]] Result<SendSummary> send(const SendOptions& options);

}  // namespace weir::lab::synth
