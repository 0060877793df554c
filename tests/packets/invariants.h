// SPDX-License-Identifier: BSD-3-Clause
// What holds of every parsed frame, whatever its bytes.
#pragma once

#include "dataplane/parse.h"

#include <cstdint>
#include <cstring>
#include <tuple>

namespace weir::test {

[[nodiscard]] inline auto facts(const dataplane::PacketHeader& h) {
    return std::make_tuple(
        std::make_tuple(
            h.frame_bytes, h.ip_bytes, h.payload_bytes, h.tcp_seq, h.tcp_ack, h.l3_offset),
        std::make_tuple(
            h.outer_l3_offset, h.l4_offset, h.tcp_window, h.src_port, h.dst_port, h.ip_version),
        std::make_tuple(h.proto, h.ttl, h.tos, h.outer_tos, h.tcp_flags, h.icmp_type, h.icmp_code),
        std::make_tuple(h.vlan_tags, h.src_is_hi, h.fragment, h.later_fragment, h.ip_options));
}

/// Is the key in canonical order, with its parts in the ranges that they have?
[[nodiscard]] inline const char* broken_key(const dataplane::FlowKey& key) {
    const int order = std::memcmp(key.addr_lo.data(), key.addr_hi.data(), key.addr_lo.size());
    const auto port = [](std::uint16_t big_endian) { return __builtin_bswap16(big_endian); };
    if (order > 0 || (order == 0 && port(key.port_lo) > port(key.port_hi))) {
        return "key not canonical";
    }
    constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (key.ip_version == 4 && (std::memcmp(key.addr_lo.data(), kMapped, sizeof(kMapped)) != 0 ||
                                std::memcmp(key.addr_hi.data(), kMapped, sizeof(kMapped)) != 0)) {
        return "IPv4 address not mapped";
    }
    if ((key.ip_version != 4 && key.ip_version != 6) || key.vlan > 4095 || key.inner_vlan > 4095 ||
        key.pair != 0) {
        return "key out of range";
    }
    return nullptr;
}

/// nullptr, or what does not hold of a `flow`. `data`: the frame, of which at least `available` bytes are there.
[[nodiscard]] inline const char* broken_flow(
    const std::uint8_t* data,
    std::uint32_t available,
    const dataplane::FlowKey& key,
    const dataplane::PacketHeader& h) {
    if (const char* why = broken_key(key)) {
        return why;
    }
    const std::uint32_t ip_header = h.ip_version == 4 ? 20 : 40;
    if (h.ip_version != key.ip_version || h.proto != key.proto ||
        data[h.l3_offset] >> 4U != h.ip_version) {
        return "IP header is another";
    }
    if (h.outer_l3_offset > h.l3_offset || h.outer_l3_offset < 14 ||
        h.l3_offset + ip_header > available || h.l3_offset + h.ip_bytes > h.frame_bytes) {
        return "IP offset or length";
    }
    if (h.later_fragment != (h.l4_offset == 0) || (h.later_fragment && !h.fragment)) {
        return "later fragments have no transport header, all others do";
    }
    if (!h.later_fragment && (h.l4_offset < h.l3_offset + ip_header ||
                              h.l4_offset + h.payload_bytes > h.l3_offset + h.ip_bytes)) {
        return "transport offset or payload length";
    }
    const int outer = data[h.outer_l3_offset] >> 4U;
    const std::uint8_t* const ip = data + h.outer_l3_offset;
    const auto tos = static_cast<std::uint8_t>(outer == 4 ? ip[1] : ip[0] << 4U | ip[1] >> 4U);
    return (outer == 4 || outer == 6) && tos == h.outer_tos ? nullptr : "outer header";
}

}  // namespace weir::test
