// SPDX-License-Identifier: BSD-3-Clause
// Protocols over UDP.
#include "dataplane/features/payload_signs.h"

namespace weir::dataplane {

namespace {

// RFC 3550, 5.1 and 6.4; RFC 3551, 6: payload types. By itself a header shows little: a padding bit, contributing
// sources and unassigned types are taken for something else.
[[nodiscard]] PayloadKind rtp_kind(const PayloadView& p, bool fresh) noexcept {
    constexpr std::uint32_t kHeader = 12;
    if ((p.u8(0) & 0xc0U) != 0x80U || p.bytes < 8) {
        return PayloadKind::none;
    }
    const std::uint32_t second = p.u8(1);
    if (second >= 200 && second <= 207) {
        return (p.be16(2) + 1) * 4 <= p.bytes ? PayloadKind::rtcp : PayloadKind::none;
    }
    if (!fresh || p.bytes < kHeader || (p.u8(0) & 0x2fU) != 0 || p.be32(8) == 0) {
        return PayloadKind::none;
    }
    const std::uint32_t type = second & 0x7fU;
    if (type <= 18) {
        return PayloadKind::rtp_audio;
    }
    if (type == 33) {
        return PayloadKind::transport_stream;
    }
    if (type == 25 || type == 26 || type == 28 || type == 31 || type == 32 || type == 34) {
        return PayloadKind::rtp_video;
    }
    return type >= 96 ? PayloadKind::rtp : PayloadKind::none;
}

// RFC 9000, 17.2; the versions before it, and Google's public header with its version in letters.
[[nodiscard]] PayloadKind quic_kind(const PayloadView& p) noexcept {
    constexpr std::uint32_t kLeast = 20;
    constexpr std::uint32_t kMostId = 20;
    if (p.bytes < kLeast) {
        return PayloadKind::none;
    }
    const auto is_letters = [&](std::uint32_t i) {
        return (p.u8(i) == 'Q' || p.u8(i) == 'T') && p.u8(i + 1) == '0' && p.u8(i + 2) >= '0' &&
               p.u8(i + 2) <= '9';
    };
    if ((p.u8(0) & 0x80U) != 0) {
        const std::uint32_t version = p.be32(1);
        const bool known = version == 1 || version == 0x6b3343cf || version >> 8U == 0xff0000 ||
                           version >> 4U == 0xfaceb00 || (version & 0x0f0f0f0fU) == 0x0a0a0a0a ||
                           is_letters(1);
        if (!known || (p.u8(5) > kMostId && !is_letters(1))) {
            return PayloadKind::none;
        }
        const std::uint32_t type = p.u8(0) >> 4U & 3U;
        const bool initial = version == 0x6b3343cf ? type == 1 : type == 0;
        return initial || is_letters(1) ? PayloadKind::quic_initial : PayloadKind::quic_long;
    }
    const bool google = (p.u8(0) & 0x09U) == 0x09U && is_letters(9);
    return google ? PayloadKind::quic_initial : PayloadKind::none;
}

// RFC 5905, 7.3; the control and private modes: RFC 9327.
[[nodiscard]] PayloadKind ntp_kind(const PayloadView& p) noexcept {
    const std::uint32_t version = p.u8(0) >> 3U & 7U;
    const std::uint32_t mode = p.u8(0) & 7U;
    if (version == 2 && mode == 7) {
        return p.bytes >= 8 && (p.u8(2) == 0 || p.u8(2) == 2 || p.u8(2) == 3) && p.u8(3) <= 45
                   ? PayloadKind::ntp_control
                   : PayloadKind::none;
    }
    const bool size = p.bytes == 48 || p.bytes == 52 || p.bytes == 68 || p.bytes == 72;
    const bool time = version >= 1 && version <= 4 && mode >= 1 && mode <= 5 && p.u8(1) <= 16;
    return size && time && p.u8(2) <= 17 ? PayloadKind::ntp : PayloadKind::none;
}

// Names, addresses and time.
[[nodiscard]] PayloadKind service_kind(const PayloadView& p) noexcept {
    constexpr std::uint32_t kDhcpCookieAt = 236;
    if (is_dns(p)) {
        // RFC 1001, 14: names of 32 letters from A to P.
        const bool netbios = p.u8(12) == 32 && p.u8(13) >= 'A' && p.u8(13) <= 'P' &&
                             p.u8(14) >= 'A' && p.u8(14) <= 'P' && p.u8(45) == 0;
        if (netbios) {
            return PayloadKind::netbios_name;
        }
        return (p.u8(2) & 0x80U) != 0 ? PayloadKind::dns_response : PayloadKind::dns_query;
    }
    if (p.be32(kDhcpCookieAt) == 0x63825363) {
        return PayloadKind::dhcp;
    }
    if ((p.u8(0) == 2 && p.be24(2) == p.bytes && p.u8(1) <= 11) ||
        (p.u8(0) == 1 && p.be16(2) == p.bytes && p.u8(1) >= 1 && p.u8(1) <= 11 &&
         p.u8(4) <= 0xf0)) {
        return p.u8(0) == 2 || p.u8(4) == 0 ? PayloadKind::slp : PayloadKind::none;  // RFC 2608, 8
    }
    const std::uint32_t map = p.u8(1);
    if (p.u8(0) == 0 &&
        ((p.bytes == 2 && map == 0) ||
         (p.bytes == 12 && (map == 1 || map == 2 || map == 0x80) && p.be16(2) == 0))) {
        return PayloadKind::nat_pmp;  // RFC 6886, 3
    }
    if (p.u8(0) >= 0x10 && p.u8(0) <= 0x16 && p.bytes > 14 && p.be16(10) + 14 == p.bytes) {
        return PayloadKind::netbios_datagram;  // RFC 1002, 4.4.1
    }
    if (p.be16(4) == 1 && p.be16(6) == 0 &&
        (p.has(8, "stat") || p.has(8, "STAT") || p.has(8, "get") || p.has(8, "VALUE"))) {
        return PayloadKind::memcached;
    }
    return ntp_kind(p);
}

// RFC 5415 is none of these: NetFlow 5 and 9 (RFC 3954), IPFIX (RFC 7011), sFlow 5; RADIUS (RFC 2865, 3); collectd's
// parts (a type, a length, a name that ends in 0).
[[nodiscard]] PayloadKind management_kind(const PayloadView& p) noexcept {
    const std::uint32_t version = p.be16(0);
    const std::uint32_t count = p.be16(2);
    if ((version == 5 && count >= 1 && count <= 30 && p.bytes == 24 + 48 * count) ||
        (version == 9 && count >= 1 && count <= 64 && p.bytes >= 24 && p.be16(20) <= 1024) ||
        (version == 10 && count == p.bytes && p.bytes >= 20) ||
        (p.be32(0) == 5 && (p.be32(4) == 1 || p.be32(4) == 2) && p.bytes >= 28)) {
        return PayloadKind::flow_export;
    }
    const std::uint32_t code = p.u8(0);
    if (p.be16(2) == p.bytes && p.bytes >= 20 && ((code >= 1 && code <= 5) || code == 11)) {
        return PayloadKind::radius;
    }
    if (version == 0 && count >= 6 && count <= 64 && count < p.bytes && p.u8(count - 1) == 0 &&
        p.u8(4) > ' ' && p.u8(4) < 0x7f) {
        return PayloadKind::collectd;
    }
    return recognise_ber(p);
}

// IKE: RFC 7296, 3.1, also behind four zeroes (RFC 3948). WireGuard: its paper, 5.4. OpenVPN: hard resets. L2TP: RFC
// 2661, 3.1.
[[nodiscard]] PayloadKind tunnel_kind(const PayloadView& p) noexcept {
    const std::uint32_t skip = p.be32(0) == 0 ? 4 : 0;
    const std::uint32_t version = p.u8(skip + 17);
    if (p.bytes >= skip + 28 && (version == 0x10 || version == 0x20) &&
        p.be32(skip + 24) == p.bytes - skip) {
        return PayloadKind::ike;
    }
    if (p.u8(0) >= 1 && p.u8(0) <= 4 && p.be24(1) == 0) {
        const std::uint32_t type = p.u8(0);
        const bool size = type == 1   ? p.bytes == 148
                          : type == 2 ? p.bytes == 92
                          : type == 3 ? p.bytes == 64
                                      : p.bytes >= 32 && p.bytes % 16 == 0 && p.be32(4) != 0;
        return size ? PayloadKind::wireguard : PayloadKind::none;
    }
    if (is_openvpn_reset(p)) {
        return PayloadKind::openvpn;
    }
    return (p.be16(0) & 0xf80fU) == 0xc802U && p.be16(2) == p.bytes ? PayloadKind::l2tp
                                                                    : PayloadKind::none;
}

// BEP 15 and 29; Gnutella's descriptor header: an id, a type, two hop counts, a length.
[[nodiscard]] PayloadKind sharing_kind(const PayloadView& p, bool fresh) noexcept {
    if (p.be32(0) == 0x417 && p.be32(4) == 0x27101980) {
        return PayloadKind::bittorrent_tracker;
    }
    const bool utp = (p.u8(0) & 0x0fU) == 1 && p.u8(0) <= 0x41 && p.u8(1) <= 2 && p.bytes >= 20;
    if (fresh && utp && (p.bytes == 20 || p.u8(1) == 2 || p.u8(0) == 1) && p.be32(12) != 0 &&
        p.be32(12) < 0x01000000) {
        return PayloadKind::utp;
    }
    const std::uint32_t type = p.u8(16);
    const bool known =
        type <= 2 || type == 0x30 || type == 0x31 || type == 0x40 || type == 0x80 || type == 0x81;
    return p.bytes >= 23 && known && p.u8(17) <= 8 && p.u8(18) <= 8 && p.le32(19) == p.bytes - 23
               ? PayloadKind::gnutella
               : PayloadKind::none;
}

[[nodiscard]] PayloadKind game_kind(const PayloadView& p) noexcept {
    constexpr std::string_view kMagic(
        "\0\xff\xff\0\xfe\xfe\xfe\xfe\xfd\xfd\xfd\xfd\x12\x34\x56\x78", 16);
    if (p.be32(0) == 0xffffffff && p.bytes > 4) {
        return PayloadKind::connectionless;
    }
    for (const std::uint32_t at : {1U, 9U, 17U}) {
        if (p.has(at, kMagic)) {
            return PayloadKind::raknet;
        }
    }
    return PayloadKind::none;
}

// RFC 1350, 5, and RFC 2347: a request ends a name, then a mode, with zeroes; data and acknowledgements have a block.
[[nodiscard]] bool is_tftp(const PayloadView& p) noexcept {
    const std::uint32_t operation = p.be16(0);
    if (operation > 2) {
        return (operation == 3 && p.bytes == 516) || (operation == 4 && p.bytes == 4) ||
               (operation == 6 && (p.has(2, "blksize") || p.has(2, "tsize")));
    }
    std::uint32_t mode = 2;
    while (mode < 130 && p.u8(mode) >= ' ' && p.u8(mode) < 0x7f) {
        ++mode;
    }
    return p.u8(mode) == 0 && (p.has(mode + 1, "octet") || p.has(mode + 1, "netascii") ||
                               p.has(mode + 1, "OCTET") || p.has(mode + 1, "NETASCII"));
}

[[nodiscard]] bool is_onc_rpc(const PayloadView& p) noexcept {
    const bool call = p.be32(4) == 0 && p.be32(8) == 2 && p.be32(16) <= 4;
    return p.bytes >= 24 && (call || (p.be32(4) == 1 && p.be32(8) <= 1 && p.be32(12) <= 6));
}

// BACnet: ASHRAE 135, annex J. CoAP: RFC 7252, 3.
[[nodiscard]] PayloadKind machine_kind(const PayloadView& p, bool fresh) noexcept {
    if (p.u8(0) == 0x81 && p.u8(1) <= 0x0b && p.be16(2) == p.bytes) {
        return PayloadKind::bacnet;
    }
    if (p.be16(0) == 0xd0f2 && p.bytes >= 16) {
        return PayloadKind::smart_home;  // {" under a running XOR that begins with 171
    }
    if (p.be16(0) >= 1 && p.be16(0) <= 6 && is_tftp(p)) {
        return PayloadKind::tftp;
    }
    if (is_bfcp(p)) {
        return PayloadKind::bfcp;
    }
    const std::uint32_t token = p.u8(0) & 0x0fU;
    const std::uint32_t code = p.u8(1);
    const bool codes =
        code <= 4 || (code >= 0x41 && code <= 0x45) || (code >= 0x80 && code <= 0x8f);
    const std::uint32_t option = p.u8(4 + token);
    const bool next = p.bytes == 4 + token || option == 0xff || (option >> 4U) <= 12;
    return fresh && p.u8(0) >> 6U == 1 && token <= 8 && codes && p.bytes >= 4 + token && next
               ? PayloadKind::coap
               : PayloadKind::none;
}

// Media beside RTP: TURN channels (RFC 8656, 12.4), DTLS (RFC 6347, 4.1), MPEG-TS (ISO 13818-1, 2.4.3), IAX (RFC 5456,
// 8.1.1).
[[nodiscard]] PayloadKind media_kind(const PayloadView& p) noexcept {
    constexpr std::uint32_t kCell = 188;
    const std::uint32_t second = p.be16(1);
    if (p.u8(0) >= 20 && p.u8(0) <= 23 && p.bytes >= 13 &&
        (second == 0xfeff || second == 0xfefd || second == 0xfefc || second == 0x0100) &&
        p.be16(11) + 13 <= p.bytes) {
        return PayloadKind::dtls;
    }
    if (p.u8(0) == 0x47 && p.bytes % kCell == 0 && (p.bytes == kCell || p.u8(kCell) == 0x47)) {
        return PayloadKind::transport_stream;
    }
    const std::uint32_t channel = p.be16(2) + 4;
    if (p.u8(0) >= 0x40 && p.u8(0) <= 0x4f && p.bytes >= 8 &&
        (channel == p.bytes || (channel + 3) / 4 * 4 == p.bytes)) {
        return PayloadKind::turn_data;
    }
    if ((p.u8(0) & 0x80U) != 0 && p.u8(10) == 6 && p.u8(11) >= 1 && p.u8(11) <= 40 &&
        (p.be16(2) & 0x7fffU) == 0 && p.bytes >= 12) {
        return PayloadKind::iax;
    }
    return recognise_stun(p);
}

}  // namespace

PayloadKind recognise_datagram(const PayloadView& p, bool fresh) noexcept {
    // From what random bytes never show to what they may.
    PayloadKind kind = media_kind(p);
    kind = kind != PayloadKind::none ? kind : quic_kind(p);
    kind = kind != PayloadKind::none ? kind : game_kind(p);
    kind = kind != PayloadKind::none ? kind : service_kind(p);
    kind = kind != PayloadKind::none ? kind : management_kind(p);
    if (kind == PayloadKind::none && is_onc_rpc(p)) {
        kind = PayloadKind::onc_rpc;  // RFC 5531, 9
    }
    kind = kind != PayloadKind::none ? kind : tunnel_kind(p);
    kind = kind != PayloadKind::none ? kind : sharing_kind(p, fresh);
    kind = kind != PayloadKind::none ? kind : machine_kind(p, fresh);
    return kind != PayloadKind::none ? kind : rtp_kind(p, fresh);
}

}  // namespace weir::dataplane
