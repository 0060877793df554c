// SPDX-License-Identifier: BSD-3-Clause
// IPFIX messages to a collector, over UDP or TCP.
#pragma once

#include "config/error.h"
#include "config/export.h"
#include "control/export/ipfix.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace weir::control {

/// Thread: one at a time.
class IpfixSink {
  public:
    using Clock = std::chrono::steady_clock;
    /// A collector that takes nothing for so long loses the messages meanwhile, and over TCP the connection.
    static constexpr std::chrono::milliseconds kPatience{500};
    static constexpr std::chrono::seconds kRetry{1};

    /// The collector's address must be one; that it answers is not needed.
    [[nodiscard]] static Result<std::unique_ptr<IpfixSink>> open(
        const config::Ipfix& ipfix, std::size_t slots);
    ~IpfixSink();
    IpfixSink(const IpfixSink&) = delete;
    IpfixSink& operator=(const IpfixSink&) = delete;

    /// Sends the events; returns how many were handed to the transport. `unix_s`: time of export.
    [[nodiscard]] std::size_t write(
        std::span<const FlowEvent> events, std::uint32_t unix_s, Clock::time_point now);
    /// Closes the session, to begin another.
    void reopen();

  private:
    IpfixSink(const config::Ipfix& ipfix, IpfixEncoder encoder)
        : ipfix_(ipfix), encoder_(encoder) {}
    [[nodiscard]] bool ready(std::uint32_t unix_s, Clock::time_point now);
    [[nodiscard]] bool connect_socket();
    [[nodiscard]] bool send(std::string_view message);
    void close();

    config::Ipfix ipfix_;
    IpfixEncoder encoder_;
    sockaddr_storage address_{};
    socklen_t address_bytes_ = 0;
    int fd_ = -1;
    Clock::time_point retry_{};      ///< not before
    Clock::time_point templates_{};  ///< when they were sent last
};

}  // namespace weir::control
