// SPDX-License-Identifier: BSD-3-Clause
// One packet as a frame: headers, options and checksums.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace weir::lab::synth {

using Bytes = std::span<const std::uint8_t>;

inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kIcmpV6 = 58;

/// An IPv4 address is in the last four bytes.
struct Address {
    std::array<std::uint8_t, 16> bytes{};
    bool v6 = false;

    [[nodiscard]] bool operator==(const Address&) const = default;
    [[nodiscard]] Bytes wire() const noexcept {
        return v6 ? Bytes(bytes) : Bytes(bytes).subspan(12);
    }
    [[nodiscard]] bool multicast() const noexcept {
        return v6 ? bytes[0] == 0xff : (bytes[12] & 0xf0U) == 0xe0;
    }
    [[nodiscard]] std::string text() const;
};

/// A flow: the initiator sends its first packet. Ports in host order; ICMP: the echo identifier in both, else 0.
struct Tuple {
    Address initiator;
    Address responder;
    std::uint16_t initiator_port = 0;
    std::uint16_t responder_port = 0;
    std::uint8_t proto = 0;
};

enum class Side : std::uint8_t { initiator = 0, responder = 1 };

[[nodiscard]] constexpr Side other(Side side) noexcept {
    return side == Side::initiator ? Side::responder : Side::initiator;
}
[[nodiscard]] constexpr std::size_t at(Side side) noexcept {
    return static_cast<std::size_t>(side);
}

enum TcpFlags : std::uint8_t {
    tcp_fin = 0x01,
    tcp_syn = 0x02,
    tcp_rst = 0x04,
    tcp_psh = 0x08,
    tcp_ack = 0x10
};

/// Options are written where their value is set: all four on a SYN, timestamps and one SACK block elsewhere.
struct TcpHeader {
    std::uint32_t seq = 0;
    std::uint32_t ack = 0;
    std::uint8_t flags = 0;
    std::uint16_t window = 0;
    std::uint16_t mss = 0;          ///< 0: no option
    std::uint8_t window_shift = 0;  ///< with mss
    bool sack_permitted = false;    ///< with mss
    bool timestamps = false;
    std::uint32_t ts_value = 0;
    std::uint32_t ts_echo = 0;
    std::uint32_t sack_from = 0;  ///< equal to sack_to: no block
    std::uint32_t sack_to = 0;
};

struct IcmpHeader {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t rest = 0;  ///< echo: identifier << 16 | sequence number
};

/// What one frame says. `tcp` or `icmp` counts by the tuple's protocol.
struct Packet {
    Tuple tuple;
    Side from = Side::initiator;
    std::uint8_t ttl = 64;
    std::uint16_t ip_id = 0;  ///< IPv4
    TcpHeader tcp;
    IcmpHeader icmp;
    Bytes payload;
};

inline constexpr std::size_t kMaxFrameBytes = 1514;
inline constexpr std::size_t kMaxIpBytes = 1500;

struct Frame {
    std::array<std::uint8_t, kMaxFrameBytes> bytes{};
    std::size_t size = 0;

    [[nodiscard]] Bytes view() const noexcept { return Bytes(bytes).first(size); }
};

/// Bytes of IP and transport header that `packet` will have.
[[nodiscard]] std::size_t header_bytes(const Packet& packet) noexcept;

/// Writes Ethernet, IP and transport with valid checksums; short frames are padded to 60 bytes. Payload and headers
/// together are at most kMaxIpBytes. Source: RFC 791, 8200, 9293, 768, 792, 4443.
void build_frame(const Packet& packet, Frame& frame) noexcept;

}  // namespace weir::lab::synth
