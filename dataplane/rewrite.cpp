// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/rewrite.h"

#include "dataplane/byte_order.h"

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kMacBytes = 12;
constexpr std::uint32_t kIpv4Bytes = 20;
constexpr std::uint32_t kIpv6Bytes = 40;

// Bytes from a GRE header to the packet in it (RFC 2784, 2890); 0: not IP, or a checksum covers it.
[[nodiscard]] std::uint32_t gre_bytes(const std::uint8_t* gre) noexcept {
    constexpr std::uint32_t kChecksum = 0x8000;
    constexpr std::uint32_t kKey = 0x2000;
    constexpr std::uint32_t kSequence = 0x1000;
    constexpr std::uint32_t kOthers = 0x4fff;  // routing, version and reserved bits
    const std::uint32_t flags = get16(gre);
    const std::uint32_t type = get16(gre + 2);
    if ((flags & (kChecksum | kOthers)) != 0 || (type != 0x0800 && type != 0x86dd)) {
        return 0;
    }
    return 4 + ((flags & kKey) != 0 ? 4U : 0U) + ((flags & kSequence) != 0 ? 4U : 0U);
}

// Bytes from a UDP header to the IP packet in a VXLAN frame (RFC 7348); 0: something else, or summed.
[[nodiscard]] std::uint32_t vxlan_bytes(const std::uint8_t* udp) noexcept {
    constexpr std::uint32_t kPort = 4789;
    constexpr std::uint32_t kUdpVxlanEthernet = 8 + 8 + 14;
    const bool zero = get16(udp + 6) == 0;
    return get16(udp + 2) == kPort && zero ? kUdpVxlanEthernet : 0;
}

}  // namespace

std::uint8_t user_priority(std::uint8_t dscp) noexcept {
    switch (dscp) {
        case 46:  // EF
        case 44:  // VA
            return 6;
        case 40:  // CS5
            return 5;
        case 34:  // AF4x
        case 36:
        case 38:
        case 32:  // CS4
        case 26:  // AF3x
        case 28:
        case 30:
        case 24:  // CS3
            return 4;
        case 18:  // AF2x
        case 20:
        case 22:
            return 3;
        case 48:  // CS6
        case 56:  // CS7
            return 7;
        case 8:  // CS1
        case 1:  // LE
            return 1;
        default:
            return 0;
    }
}

bool rewrite_pcp(std::uint8_t* frame, std::uint32_t available, std::uint8_t pcp) noexcept {
    constexpr std::uint32_t kTagged = kMacBytes + 4;
    if (available < kTagged || pcp > 7) {
        return false;
    }
    const std::uint32_t type = get16(frame + kMacBytes);
    std::uint8_t& tci = frame[kMacBytes + 2];
    const auto after = static_cast<std::uint8_t>((tci & 0x1fU) | static_cast<unsigned>(pcp) << 5U);
    if ((type != 0x8100 && type != 0x88a8) || after == tci) {
        return false;
    }
    tci = after;
    return true;
}

std::uint32_t inner_header(
    const std::uint8_t* frame, std::uint32_t available, const PacketHeader& header) noexcept {
    constexpr std::uint32_t kProtoIpv4 = 4;
    constexpr std::uint32_t kProtoIpv6 = 41;
    constexpr std::uint32_t kProtoGre = 47;
    constexpr std::uint32_t kProtoUdp = 17;
    const std::uint32_t outer = header.outer_l3_offset;
    const std::uint32_t inner = header.l3_offset;
    if (inner <= outer || available < inner + kIpv4Bytes || available < outer + kIpv6Bytes) {
        return 0;
    }
    const bool v4 = frame[outer] >> 4U == 4;
    const std::uint32_t proto = v4 ? frame[outer + 9] : frame[outer + 6];
    const std::uint32_t l4 = outer + (v4 ? (frame[outer] & 0x0fU) * 4U : kIpv6Bytes);
    if (available < l4 + 8) {
        return 0;
    }
    std::uint32_t expected = 0;
    if (proto == kProtoIpv4 || proto == kProtoIpv6) {
        expected = l4;
    } else if (proto == kProtoGre) {
        const std::uint32_t bytes = gre_bytes(frame + l4);
        expected = bytes == 0 ? 0 : l4 + bytes;
    } else if (proto == kProtoUdp && v4) {
        const std::uint32_t bytes = vxlan_bytes(frame + l4);
        expected = bytes == 0 ? 0 : l4 + bytes;
    }
    const std::uint32_t bytes = frame[inner] >> 4U == 4 ? (frame[inner] & 0x0fU) * 4U : kIpv6Bytes;
    return expected == inner && available >= inner + bytes ? inner : 0;
}

}  // namespace weir::dataplane
