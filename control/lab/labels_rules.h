// SPDX-License-Identifier: BSD-3-Clause
// What one flow of the labelled corpus is called, by slot. Pure rules; docs/models/labels.md states them in words.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::lab {

/// What the corpus says of one flow.
struct FlowFacts {
    std::string_view family;      ///< file label: "attack/scan", "benign/web"
    std::string_view file_label;  ///< finer file label: "syn_scan"
    std::uint8_t proto = 0;       ///< IP protocol
    std::uint16_t sport = 0;      ///< of the initiator
    std::uint16_t dport = 0;
    std::string_view dpi_proto;  ///< protocol name of this flow, "TLS.Google"; empty: not listed
    std::string_view
        service_class;      ///< the corpus's own grouping of (category, protocol); empty: none
    bool reviewed = false;  ///< dpi_* come from reviewed expected results, not from a guess
    bool has_packet_labels = false;  ///< the file is labelled packet by packet
    bool attack_packet = false;      ///< a packet of this flow is labelled attack
};

/// Class of the flow in slot `anomaly`; empty = unclear, left out.
[[nodiscard]] std::string_view anomaly_label(const FlowFacts& facts) noexcept;

/// Class of the flow in slot `qos` (RFC 4594 names); empty = unclear, left out.
[[nodiscard]] std::string_view qos_label(const FlowFacts& facts) noexcept;

/// The unit that is never split between training and test: the source repository, or, where a repository collects
/// captures of many origins, the origin as far as its file names tell.
[[nodiscard]] std::string source_group(std::string_view repository, std::string_view file);

/// The classes of a slot in model order, "benign" or "standard" first; empty for an unknown slot.
[[nodiscard]] std::span<const std::string_view> slot_classes(std::string_view slot) noexcept;

}  // namespace weir::lab
