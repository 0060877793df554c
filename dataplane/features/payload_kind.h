// SPDX-License-Identifier: BSD-3-Clause
// What the beginning of a payload looks like: protocols told by the bytes that their specifications fix.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace weir::dataplane {

/// A payload as far as it is looked at. Not owned; every read is checked against `readable`.
struct PayloadView {
    /// Bytes that are looked at, at most: a TLS hello's extensions, a DNS name, an HTTP header's beginning.
    static constexpr std::uint32_t kMostReadable = 512;

    const std::uint8_t* data = nullptr;
    std::uint32_t readable = 0;  ///< bytes of `data` that may be read, at most kMostReadable
    std::uint32_t bytes = 0;     ///< the whole payload, ≥ readable

    /// Byte `i`; 0 beyond what may be read.
    [[nodiscard]] std::uint32_t u8(std::uint32_t i) const noexcept {
        return i < readable ? data[i] : 0U;
    }
    [[nodiscard]] std::uint32_t be16(std::uint32_t i) const noexcept {
        return u8(i) << 8U | u8(i + 1);
    }
    [[nodiscard]] std::uint32_t be24(std::uint32_t i) const noexcept {
        return be16(i) << 8U | u8(i + 2);
    }
    [[nodiscard]] std::uint32_t be32(std::uint32_t i) const noexcept {
        return be16(i) << 16U | be16(i + 2);
    }
    [[nodiscard]] std::uint32_t le16(std::uint32_t i) const noexcept {
        return u8(i + 1) << 8U | u8(i);
    }
    [[nodiscard]] std::uint32_t le32(std::uint32_t i) const noexcept {
        return le16(i + 2) << 16U | le16(i);
    }
    /// Does `text` stand at `i`, whole?
    [[nodiscard]] bool has(std::uint32_t i, std::string_view text) const noexcept {
        for (std::uint32_t k = 0; k < text.size(); ++k) {
            if (i + k >= readable || data[i + k] != static_cast<std::uint8_t>(text[k])) {
                return false;
            }
        }
        return true;
    }
    /// The payload from byte `i` on.
    [[nodiscard]] PayloadView from(std::uint32_t i) const noexcept {
        const std::uint32_t skip = i < readable ? i : readable;
        return {data + skip, readable - skip, bytes - skip};
    }
};

/// A protocol as a code: the upper four bits are what the protocol is for, by its specification, the lower four which
/// one. A split between two codes thus parts purposes before protocols. Codes are never given twice.
enum class PayloadKind : std::uint8_t {
    // nothing told
    none = 0x00,
    opaque = 0x02,
    binary = 0x04,
    text = 0x06,
    // names, addresses, directories, time
    dns_query = 0x10,
    dns_response = 0x11,
    netbios_name = 0x12,
    netbios_datagram = 0x13,
    ssdp = 0x14,
    dhcp = 0x15,
    ntp = 0x16,
    ntp_control = 0x17,
    slp = 0x18,
    nat_pmp = 0x19,
    ldap = 0x1a,
    kerberos = 0x1b,
    smb1 = 0x1c,
    dce_rpc = 0x1d,
    memcached = 0x1e,
    database = 0x1f,
    // web and what runs over it, chat
    http_get = 0x20,
    http_post = 0x21,
    http_other = 0x22,
    http2 = 0x23,
    http_response = 0x24,
    http_text = 0x25,
    http_image = 0x26,
    json_rpc = 0x28,
    chat = 0x2a,
    http_range = 0x2f,
    // encrypted, whatever is within
    tls_client_hello = 0x30,
    tls_server_hello = 0x31,
    tls_handshake = 0x32,
    tls_data = 0x33,
    quic_initial = 0x34,
    quic_long = 0x35,
    // media to look at and listen to
    http_media = 0x40,
    http_media_request = 0x41,
    rtsp = 0x42,
    rtmp = 0x43,
    transport_stream = 0x44,
    playlist = 0x45,
    // voice
    rtp_audio = 0x50,
    rtp = 0x51,
    rtcp = 0x52,
    iax = 0x53,
    // conversations with pictures, and how they get through
    rtp_video = 0x60,
    stun = 0x62,
    turn = 0x63,
    turn_data = 0x64,
    dtls = 0x65,
    // call control
    sip_request = 0x70,
    sip_response = 0x71,
    mgcp = 0x72,
    megaco = 0x73,
    q931 = 0x74,
    bfcp = 0x75,
    // games
    connectionless = 0x80,
    raknet = 0x81,
    steam = 0x82,
    // a person at a distant machine
    ssh = 0x90,
    telnet = 0x91,
    rfb = 0x92,
    rdp = 0x93,
    ica = 0x94,
    remote_desktop = 0x95,
    // machines that control and measure
    modbus = 0xa0,
    dnp3 = 0xa1,
    iec104 = 0xa2,
    s7 = 0xa3,
    opc_ua = 0xa4,
    bacnet = 0xa5,
    mqtt = 0xa6,
    coap = 0xa7,
    amqp = 0xa8,
    ethernet_ip = 0xa9,
    smart_home = 0xaa,
    // running a network
    snmp = 0xb0,
    syslog = 0xb1,
    flow_export = 0xb2,
    monitoring = 0xb3,
    radius = 0xb4,
    collectd = 0xb5,
    // files and mail
    ftp = 0xc0,
    smtp = 0xc1,
    pop3 = 0xc2,
    imap = 0xc3,
    smb2 = 0xc4,
    onc_rpc = 0xc5,
    tftp = 0xc6,
    rsync = 0xc7,
    http_file = 0xc8,
    // tunnels
    openvpn = 0xd0,
    ike = 0xd1,
    wireguard = 0xd3,
    pptp = 0xd4,
    l2tp = 0xd5,
    socks = 0xd6,
    http_connect = 0xd7,
    // peers sharing
    bittorrent = 0xe0,
    bittorrent_dht = 0xe1,
    utp = 0xe2,
    gnutella = 0xe3,
    edonkey = 0xe4,
    bittorrent_tracker = 0xe5
};

struct PayloadKindInfo {
    PayloadKind kind;
    std::string_view what;
};

/// All kinds by code, for the docs page.
[[nodiscard]] std::span<const PayloadKindInfo> payload_kinds() noexcept;

/// Is that the code of a protocol, rather than of bytes that tell none?
[[nodiscard]] constexpr bool is_protocol(std::uint8_t code) noexcept {
    return code >= static_cast<std::uint8_t>(PayloadKind::dns_query);
}

/// What the payload looks like by itself; `none` if nothing fits. `proto`: of the transport. `fresh`: no packet of the
/// flow has told a protocol yet, so that signs which random bytes show too (one in a few hundred) may count.
/// Reads at most PayloadView::kMostReadable bytes, each a bounded number of times. Sources: the specifications named
/// beside each test.
[[nodiscard]] PayloadKind recognise(
    const PayloadView& payload, std::uint8_t proto, bool fresh) noexcept;

// Its parts: `none` where nothing fits.
[[nodiscard]] PayloadKind recognise_text(const PayloadView& payload, bool udp) noexcept;
[[nodiscard]] PayloadKind recognise_datagram(const PayloadView& payload, bool fresh) noexcept;
[[nodiscard]] PayloadKind recognise_stream(const PayloadView& payload) noexcept;

}  // namespace weir::dataplane
