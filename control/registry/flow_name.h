// SPDX-License-Identifier: BSD-3-Clause
// Flows as people write and read them.
#pragma once

#include "config/error.h"
#include "dataplane/events.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::control {

/// A flow by protocol, ends and, where given, outermost VLAN; or by its id alone.
struct FlowName {
    dataplane::FlowKey key;  ///< canonical; VLAN, tunnel and port pair are not set
    std::optional<std::uint16_t> vlan{};
    std::optional<std::uint64_t> id{};
    std::string
        text{};  ///< "tcp 10.0.0.1:40000 > 192.0.2.1:443 vlan 5", the ends in the order given

    /// The flow's ends and protocol, whichever end began, and its VLAN if one is named. False for names by id.
    [[nodiscard]] bool matches(const dataplane::FlowKey& flow) const noexcept;
};

/// Reads "tcp 10.0.0.1:40000 > 192.0.2.1:443", "udp [2001:db8::1]:53 > [2001:db8::2]:5353 vlan 5", "ip47 10.0.0.1 >
/// 10.0.0.2", or a number: an id. '>' and ',' separate as blanks do. The Error says what is wrong and gives the form.
[[nodiscard]] Result<FlowName> parse_flow_name(std::string_view text);

/// "tcp", "icmp6", "ip47"
[[nodiscard]] std::string protocol_text(std::uint8_t protocol);
/// "192.0.2.1", "2001:db8::1"; `address` as a key has it
[[nodiscard]] std::string address_text(
    const std::array<std::uint8_t, 16>& address, std::uint8_t ip_version);
/// As weirctl prints flows: who began comes first.
[[nodiscard]] std::string flow_text(const dataplane::FlowRecord& record);

}  // namespace weir::control
