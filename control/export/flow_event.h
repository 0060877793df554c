// SPDX-License-Identifier: BSD-3-Clause
// A flow as it leaves the gateway: names instead of numbers, addresses perhaps pseudonyms, and no payload, as a flow
// record has none.
#pragma once

#include "control/export/crypto_pan.h"
#include "dataplane/events.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

struct EventModel {
    std::string name;
    std::uint32_t version = 0;
};

/// What a record's numbers stand for.
struct EventNames {
    std::vector<std::string> slots;
    std::map<std::uint16_t, EventModel> models;  ///< by Verdict::model_ref
};

struct EventVerdict {
    std::string slot;
    std::string cls;  ///< empty: undecided
    std::string model;
    std::uint32_t version = 0;
    std::uint16_t score = 0;  ///< of 65535
    std::uint32_t decided_at_packet = 0;
    bool alarm = false;  ///< of slot `anomaly`, and not benign
};

struct FlowEvent {
    std::uint64_t id = 0;  ///< below 2^53; made from what is exported, so it tells nothing more
    std::uint8_t ip_version = 4;
    std::array<std::uint8_t, 16> source{};  ///< the initiator; IPv4: the first four bytes
    std::array<std::uint8_t, 16> destination{};
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint8_t proto = 0;
    std::uint16_t vlan = 0;
    std::uint16_t inner_vlan = 0;
    std::uint32_t tunnel_id = 0;
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
    std::array<std::uint64_t, 2> bytes{};  ///< [0] from the initiator
    std::array<std::uint64_t, 2> packets{};
    dataplane::FlowEnd end = dataplane::FlowEnd::idle;
    std::optional<std::uint8_t> dscp;  ///< last written to its packets
    bool dropped = false;
    std::vector<EventVerdict> verdicts;  ///< one a slot, in their order

    [[nodiscard]] std::size_t address_bytes() const noexcept { return ip_version == 4 ? 4 : 16; }
    [[nodiscard]] bool has_ports() const noexcept;
    /// The verdict that alarms; null: none does.
    [[nodiscard]] const EventVerdict* alarm() const noexcept;
};

/// `pan` null: addresses as they are. None: a pseudonym could not be made, and then nothing may leave.
[[nodiscard]] std::optional<FlowEvent> make_event(
    const dataplane::FlowRecord& record, const EventNames& names, CryptoPan* pan);

/// The id that a record's event has where addresses are exported as they are.
[[nodiscard]] std::uint64_t flow_id(const dataplane::FlowRecord& record);

/// "192.0.2.1", "2001:db8::1"
[[nodiscard]] std::string event_address(
    const std::array<std::uint8_t, 16>& address, std::uint8_t ip_version);

}  // namespace weir::control
