// SPDX-License-Identifier: BSD-3-Clause
// Protocols over TCP, by what a segment begins with.
#include "dataplane/features/payload_signs.h"

namespace weir::dataplane {

namespace {

// RFC 8446, 5.1; the hello of version 2 that old clients send: RFC 5246, E.2.
[[nodiscard]] PayloadKind tls_kind(const PayloadView& p) noexcept {
    constexpr std::uint32_t kMostRecord = 16384 + 2048;
    if ((p.u8(0) & 0x80U) != 0 && p.u8(2) == 1 && p.u8(3) == 3 && p.u8(4) <= 3 &&
        (p.be16(0) & 0x7fffU) + 2 == p.bytes) {
        return PayloadKind::tls_client_hello;
    }
    if (p.u8(0) < 20 || p.u8(0) > 24 || p.u8(1) != 3 || p.u8(2) > 4 || p.be16(3) == 0 ||
        p.be16(3) > kMostRecord) {
        return PayloadKind::none;
    }
    if (p.u8(0) != 22) {
        return PayloadKind::tls_data;
    }
    return p.u8(5) == 1   ? PayloadKind::tls_client_hello
           : p.u8(5) == 2 ? PayloadKind::tls_server_hello
                          : PayloadKind::tls_handshake;
}

// TPKT (RFC 1006, 6) around H.225 (Q.931's discriminator), or around ISO transport (X.224, 13): RDP's connection has a
// cookie or a negotiation request, its conference BER or PER; S7 and MMS have their selectors.
[[nodiscard]] PayloadKind tpkt_kind(const PayloadView& p) noexcept {
    if (p.u8(0) != 3 || p.u8(1) != 0 || p.be16(2) != p.bytes || p.bytes < 7) {
        return PayloadKind::none;
    }
    const std::uint32_t type = p.u8(5);
    const bool transport = p.u8(4) + 5 <= p.bytes && (type == 0xe0 || type == 0xd0 || type == 0xf0);
    if (!transport) {
        return PayloadKind::q931;
    }
    if (type == 0xe0 || type == 0xd0) {
        const std::uint32_t parameter = p.u8(11);
        return parameter >= 0xc0 && parameter <= 0xc2 ? PayloadKind::s7 : PayloadKind::rdp;
    }
    return p.u8(7) == 0x7f || p.u8(7) == 0x64 || p.u8(7) == 0x68 || p.u8(7) == 0x04
               ? PayloadKind::rdp
               : PayloadKind::s7;
}

// Modbus: its guide for TCP, 3.1. DNP3: IEEE 1815, 9.2. IEC 60870-5-104, 5. MQTT: 3.1, 3.1.1 and 5, 2.1. EtherNet/IP: CIP
// volume 2, 2-3. OPC UA: part 6, 7.1.2.
[[nodiscard]] PayloadKind machine_kind(const PayloadView& p) noexcept {
    if (p.be16(2) == 0 && p.bytes >= 8 && p.be16(4) + 6 == p.bytes && p.bytes <= 260 &&
        (p.u8(7) & 0x7fU) >= 1 && (p.u8(7) & 0x7fU) <= 43) {
        return PayloadKind::modbus;
    }
    if (p.be16(0) == 0x0564 && p.u8(2) >= 5) {
        return PayloadKind::dnp3;
    }
    if (p.u8(0) == 0x68 && p.u8(1) >= 4 && p.u8(1) <= 253 && p.u8(1) + 2U <= p.bytes &&
        ((p.u8(2) & 1U) == 0 || (p.u8(2) & 3U) == 1 || p.bytes == 6)) {
        return PayloadKind::iec104;
    }
    if (p.u8(0) == 0x10 && (p.has(4, "MQTT") || p.has(4, "MQIsdp") || p.has(5, "MQTT"))) {
        return PayloadKind::mqtt;
    }
    const std::uint32_t type = p.u8(0) & 0xf0U;
    const bool ends = p.bytes >= 2 && p.u8(1) == p.bytes - 2 && p.bytes < 130;
    if (ends &&
        ((type == 0x20 && p.bytes == 4) || (type == 0x30 && p.be16(2) < 128) ||
         (p.u8(0) == 0x82 && p.bytes > 6) || (type == 0x90 && p.bytes == 5) ||
         (type == 0x40 && p.bytes == 4) || ((type == 0xc0 || type == 0xd0) && p.bytes == 2))) {
        return PayloadKind::mqtt;
    }
    const std::uint32_t command = p.le16(0);
    if (p.bytes >= 24 && p.le16(2) + 24 == p.bytes && p.be32(8) == 0 &&
        (command == 4 || command == 0x63 || command == 0x64 || command == 0x65 || command == 0x6f ||
         command == 0x70)) {
        return PayloadKind::ethernet_ip;
    }
    if (p.u8(0) >= 1 && p.u8(0) <= 8 && p.be32(3) + 8 == p.bytes &&
        (p.bytes > p.readable || p.u8(p.bytes - 1) == 0xce)) {
        return PayloadKind::amqp;  // AMQP 0-9-1, 4.2.3
    }
    if (p.be32(0) + 4 == p.bytes && p.be16(4) == 0xd0f2) {
        return PayloadKind::smart_home;
    }
    const bool opc = p.u8(3) == 'F' && p.le32(4) == p.bytes &&
                     (p.has(0, "ACK") || p.has(0, "MSG") || p.has(0, "ERR") || p.has(0, "CLO"));
    return opc ? PayloadKind::opc_ua : PayloadKind::none;
}

// SMB behind NetBIOS sessions (RFC 1002, 4.3.1) or directly; ONC RPC behind a record mark (RFC 5531, 11); DCE 1.1 RPC,
// 12.6; TDS; PostgreSQL's start-up.
[[nodiscard]] PayloadKind office_kind(const PayloadView& p) noexcept {
    if (p.u8(0) == 0 && p.be24(1) + 4 == p.bytes && p.has(5, "SMB")) {
        return p.u8(4) == 0xff ? PayloadKind::smb1 : PayloadKind::smb2;
    }
    const std::uint32_t record = p.be32(0) & 0x7fffffffU;
    const bool call = p.be32(8) == 0 && p.be32(12) == 2;
    if ((p.u8(0) & 0x80U) != 0 && p.bytes >= 28 && record + 4 >= p.bytes && record < 0x100000 &&
        (call || (p.be32(8) == 1 && p.be32(12) <= 1))) {
        return PayloadKind::onc_rpc;
    }
    if (p.u8(0) == 5 && p.u8(1) <= 1 && p.u8(2) <= 19 && p.le16(8) == p.bytes && p.bytes >= 16) {
        return PayloadKind::dce_rpc;
    }
    const std::uint32_t type = p.u8(0);
    const bool tds = (type <= 4 || type == 16 || type == 18) && type != 0 && p.u8(1) <= 1 &&
                     p.be16(2) == p.bytes && p.bytes >= 8 && p.be16(4) <= 64;
    const bool postgres = p.be32(0) == p.bytes && (p.be32(4) == 196608 || p.be32(4) == 80877103);
    return tds || postgres ? PayloadKind::database : PayloadKind::none;
}

// Telnet: RFC 854. TeamViewer's mark. RTMP 1.0, 5.2: version 3, a time, four zeroes, noise.
[[nodiscard]] PayloadKind screen_kind(const PayloadView& p) noexcept {
    if (p.u8(0) == 0xff && p.u8(1) >= 0xfa && p.u8(1) <= 0xfe) {
        return PayloadKind::telnet;
    }
    if (p.be16(0) == 0x1724 && p.bytes >= 4) {
        return PayloadKind::remote_desktop;
    }
    if (p.u8(0) == 3 && p.be32(5) == 0 && p.bytes >= 1200 && p.be32(9) != 0) {
        return PayloadKind::rtmp;
    }
    return PayloadKind::none;
}

// PPTP: RFC 2637, 2. SOCKS: RFC 1928, 3, and version 4. OpenVPN's resets behind a length. eDonkey: a mark and a length.
[[nodiscard]] PayloadKind tunnel_kind(const PayloadView& p) noexcept {
    if (p.be16(0) == p.bytes && p.be16(2) == 1 && p.be32(4) == 0x1a2b3c4d) {
        return PayloadKind::pptp;
    }
    if ((p.u8(0) == 5 && p.u8(1) >= 1 && p.u8(1) <= 4 && p.bytes == 2 + p.u8(1)) ||
        (p.u8(0) == 4 && (p.u8(1) == 1 || p.u8(1) == 2) && p.bytes >= 9 && p.bytes < 64 &&
         p.u8(p.bytes - 1) == 0)) {
        return PayloadKind::socks;
    }
    if (p.be16(0) + 2 == p.bytes && is_openvpn_reset(p.from(2))) {
        return PayloadKind::openvpn;
    }
    if ((p.u8(0) == 0xe3 || p.u8(0) == 0xc5 || p.u8(0) == 0xd4) && p.le32(1) + 5 == p.bytes) {
        return PayloadKind::edonkey;
    }
    return PayloadKind::none;
}

}  // namespace

PayloadKind recognise_stream(const PayloadView& p) noexcept {
    PayloadKind kind = tls_kind(p);
    kind = kind != PayloadKind::none ? kind : tpkt_kind(p);
    kind = kind != PayloadKind::none ? kind : recognise_ber(p);
    kind = kind != PayloadKind::none ? kind : office_kind(p);
    kind = kind != PayloadKind::none ? kind : machine_kind(p);
    kind = kind != PayloadKind::none ? kind : screen_kind(p);
    kind = kind != PayloadKind::none ? kind : tunnel_kind(p);
    if (kind == PayloadKind::none && p.bytes > 14 && p.be16(0) + 2 == p.bytes &&
        is_dns(p.from(2))) {
        const bool response = (p.u8(4) & 0x80U) != 0;
        kind = response ? PayloadKind::dns_response : PayloadKind::dns_query;
    }
    if (kind == PayloadKind::none && p.be32(0) + 4 == p.bytes) {
        kind = recognise_ber(p.from(4));  // Kerberos over TCP: RFC 4120, 7.2.2
    }
    if (kind == PayloadKind::none && is_bfcp(p)) {
        kind = PayloadKind::bfcp;
    }
    return kind != PayloadKind::none ? kind : recognise_stun(p);
}

}  // namespace weir::dataplane
