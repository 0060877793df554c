// SPDX-License-Identifier: BSD-3-Clause
// Flow events as IPFIX messages (RFC 7011), both directions in one record (RFC 5103).
#pragma once

#include "control/export/flow_event.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

/// Elements of our own, under the enterprise number that the operator configures. One group a slot, in the slots' order.
enum class VerdictElement : std::uint16_t {
    slot = 1,               ///< string, variable length
    class_name = 2,         ///< string; empty: undecided
    score = 3,              ///< unsigned16, of 65535
    model = 4,              ///< string
    version = 5,            ///< unsigned32
    decided_at_packet = 6,  ///< unsigned32
};

/// Template ids. Marked: with postIpClassOfService, of flows whose packets got a DSCP.
inline constexpr std::uint16_t kTemplateV4 = 256;
inline constexpr std::uint16_t kTemplateV4Marked = 257;
inline constexpr std::uint16_t kTemplateV6 = 258;
inline constexpr std::uint16_t kTemplateV6Marked = 259;

/// Makes messages of one transport session; its sequence number counts data records (RFC 7011 section 3.1).
/// Thread: one at a time.
class IpfixEncoder {
  public:
    /// Longer names are cut to so many bytes.
    static constexpr std::size_t kMostName = 64;

    struct Options {
        std::uint32_t domain = 1;
        std::uint32_t enterprise = 32473;
        std::size_t slots = 0;
        std::size_t message_bytes = 1400;  ///< at least 1024, at most 65535
    };

    explicit IpfixEncoder(Options options) : options_(options) {}

    /// Messages with all templates, to be sent before records: at a session's start, and over UDP again and again.
    [[nodiscard]] std::vector<std::string> templates(std::uint32_t unix_s) const;
    /// The events as messages, in order. Counts them as sent.
    [[nodiscard]] std::vector<std::string> records(
        std::span<const FlowEvent> events, std::uint32_t unix_s);
    /// A new session begins with sequence number 0.
    void restart() noexcept { sequence_ = 0; }
    [[nodiscard]] std::uint32_t sequence() const noexcept { return sequence_; }

  private:
    [[nodiscard]] std::string begin(std::uint32_t unix_s) const;
    [[nodiscard]] std::string template_record(std::uint16_t id) const;

    Options options_;
    std::uint32_t sequence_ = 0;
};

}  // namespace weir::control
