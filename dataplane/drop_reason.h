// SPDX-License-Identifier: BSD-3-Clause
// Every way in which a received packet may not be sent. One table drives counters, metrics, docs and CLI.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::dataplane {

enum class DropReason : std::uint8_t {
    parse_truncated,
    parse_malformed,
    parse_unsupported,
    flow_table_full,
    model_missing,
    policy,
    police,
    new_flow_rate,
    override_block,
    shaper_full,
    shaper_red,
    tx_queue_full,
    tx_link_down,
    tap,
    distributor_full,
    count_
};

struct DropReasonInfo {
    DropReason reason;
    std::string_view name;
    std::string_view description;
};

inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(DropReason::count_);

inline constexpr std::array<DropReasonInfo, kDropReasons> kDropReasonTable{{
    {DropReason::parse_truncated,
     "parse_truncated",
     "the frame ends inside a header and fail.truncated is drop"},
    {DropReason::parse_malformed,
     "parse_malformed",
     "a header contradicts itself and fail.malformed is drop"},
    {DropReason::parse_unsupported,
     "parse_unsupported",
     "a protocol Weir does not parse and fail.unsupported is drop"},
    {DropReason::flow_table_full,
     "flow_table_full",
     "no flow could be evicted for a new one and fail.flow_table_full is drop"},
    {DropReason::model_missing,
     "model_missing",
     "a slot has no model and its model_missing policy is drop"},
    {DropReason::policy, "policy", "a verdict's rule says drop"},
    {DropReason::police, "police", "a meter that the packet's rule names says drop"},
    {DropReason::new_flow_rate,
     "new_flow_rate",
     "the source began more flows than policy.new_flows allows"},
    {DropReason::override_block, "override", "an operator blocks its flow or a prefix of its ends"},
    {DropReason::shaper_full,
     "shaper_full",
     "its queue at the shaped port was full, or the gateway stopped before its turn came"},
    {DropReason::shaper_red,
     "shaper_red",
     "random early detection chose it from a queue that grew long"},
    {DropReason::tx_queue_full,
     "tx_queue_full",
     "the peer port's queue stayed full beyond the retry budget"},
    {DropReason::tx_link_down,
     "tx_link_down",
     "the peer port's link is down and its queue took no more"},
    {DropReason::tap, "tap", "received on a mirror (tap) port, which never forwards"},
    {DropReason::distributor_full,
     "distributor_full",
     "the distributor found no room in the ring of its flow's worker"},
}};

[[nodiscard]] constexpr std::string_view drop_reason_name(DropReason reason) noexcept {
    return kDropReasonTable[static_cast<std::size_t>(reason)].name;
}

}  // namespace weir::dataplane
