// SPDX-License-Identifier: BSD-3-Clause
// The list of kinds, and what tells them whatever the transport.
#include "dataplane/features/payload_kind.h"

#include "dataplane/features/payload_signs.h"
#include "dataplane/features/state.h"

#include <array>

namespace weir::dataplane {

namespace {

constexpr auto kKinds = std::to_array<PayloadKindInfo>({
    {PayloadKind::none, "no payload seen"},
    {PayloadKind::opaque, "no protocol told, bytes look random"},
    {PayloadKind::binary, "no protocol told, bytes look neither random nor like text"},
    {PayloadKind::text, "no protocol told, bytes are mostly printable"},
    {PayloadKind::dns_query, "DNS, mDNS or LLMNR query"},
    {PayloadKind::dns_response, "DNS, mDNS or LLMNR response"},
    {PayloadKind::netbios_name, "NetBIOS name service"},
    {PayloadKind::netbios_datagram, "NetBIOS datagram service"},
    {PayloadKind::ssdp, "SSDP, HTTP over UDP"},
    {PayloadKind::dhcp, "BOOTP and DHCP"},
    {PayloadKind::ntp, "NTP, time"},
    {PayloadKind::ntp_control, "NTP, control and private modes"},
    {PayloadKind::slp, "service location"},
    {PayloadKind::nat_pmp, "NAT port mapping"},
    {PayloadKind::ldap, "LDAP"},
    {PayloadKind::kerberos, "Kerberos"},
    {PayloadKind::smb1, "SMB, first version"},
    {PayloadKind::dce_rpc, "DCE RPC"},
    {PayloadKind::memcached, "memcached over UDP"},
    {PayloadKind::database, "TDS or PostgreSQL"},
    {PayloadKind::http_get, "HTTP GET"},
    {PayloadKind::http_post, "HTTP POST"},
    {PayloadKind::http_other, "HTTP, other methods"},
    {PayloadKind::http2, "HTTP/2 in clear"},
    {PayloadKind::http_response, "HTTP response, media type not told"},
    {PayloadKind::http_text, "HTTP response with text"},
    {PayloadKind::http_image, "HTTP response with a picture"},
    {PayloadKind::json_rpc, "JSON-RPC without HTTP"},
    {PayloadKind::chat, "XMPP, IRC, MSNP"},
    {PayloadKind::http_range, "HTTP GET of a part"},
    {PayloadKind::tls_client_hello, "TLS client hello"},
    {PayloadKind::tls_server_hello, "TLS server hello"},
    {PayloadKind::tls_handshake, "TLS, other handshake"},
    {PayloadKind::tls_data, "TLS, other records"},
    {PayloadKind::quic_initial, "QUIC initial packet, or Google's before it"},
    {PayloadKind::quic_long, "QUIC, other packets with a long header"},
    {PayloadKind::http_media, "HTTP response with sound or moving pictures"},
    {PayloadKind::http_media_request, "HTTP GET of a media file, by the path's suffix"},
    {PayloadKind::rtsp, "RTSP"},
    {PayloadKind::rtmp, "RTMP handshake"},
    {PayloadKind::transport_stream, "MPEG transport stream"},
    {PayloadKind::playlist, "M3U playlist"},
    {PayloadKind::rtp_audio, "RTP with a payload type assigned to sound"},
    {PayloadKind::rtp, "RTP with a dynamic payload type"},
    {PayloadKind::rtcp, "RTCP"},
    {PayloadKind::iax, "IAX2"},
    {PayloadKind::rtp_video, "RTP with a payload type assigned to pictures"},
    {PayloadKind::stun, "STUN binding"},
    {PayloadKind::turn, "TURN, other methods than binding"},
    {PayloadKind::turn_data, "TURN channel data"},
    {PayloadKind::dtls, "DTLS"},
    {PayloadKind::sip_request, "SIP request"},
    {PayloadKind::sip_response, "SIP response"},
    {PayloadKind::mgcp, "MGCP"},
    {PayloadKind::megaco, "Megaco, H.248 in text"},
    {PayloadKind::q931, "H.225 and H.245 call signalling"},
    {PayloadKind::bfcp, "BFCP"},
    {PayloadKind::connectionless, "four bytes of ones: queries of game servers"},
    {PayloadKind::raknet, "RakNet"},
    {PayloadKind::steam, "Steam"},
    {PayloadKind::ssh, "SSH"},
    {PayloadKind::telnet, "Telnet options"},
    {PayloadKind::rfb, "RFB (VNC)"},
    {PayloadKind::rdp, "RDP connection"},
    {PayloadKind::ica, "ICA"},
    {PayloadKind::remote_desktop, "other remote desktops"},
    {PayloadKind::modbus, "Modbus"},
    {PayloadKind::dnp3, "DNP3"},
    {PayloadKind::iec104, "IEC 60870-5-104"},
    {PayloadKind::s7, "ISO transport (S7, MMS)"},
    {PayloadKind::opc_ua, "OPC UA"},
    {PayloadKind::bacnet, "BACnet"},
    {PayloadKind::mqtt, "MQTT"},
    {PayloadKind::coap, "CoAP"},
    {PayloadKind::amqp, "AMQP"},
    {PayloadKind::ethernet_ip, "EtherNet/IP"},
    {PayloadKind::smart_home, "TP-Link's smart home protocol"},
    {PayloadKind::snmp, "SNMP"},
    {PayloadKind::syslog, "syslog"},
    {PayloadKind::flow_export, "NetFlow, IPFIX, sFlow"},
    {PayloadKind::monitoring, "Zabbix, Munin"},
    {PayloadKind::radius, "RADIUS"},
    {PayloadKind::collectd, "collectd"},
    {PayloadKind::ftp, "FTP control"},
    {PayloadKind::smtp, "SMTP"},
    {PayloadKind::pop3, "POP3"},
    {PayloadKind::imap, "IMAP"},
    {PayloadKind::smb2, "SMB, later versions"},
    {PayloadKind::onc_rpc, "ONC RPC (NFS)"},
    {PayloadKind::tftp, "TFTP"},
    {PayloadKind::rsync, "rsync"},
    {PayloadKind::http_file, "HTTP response with other data"},
    {PayloadKind::openvpn, "OpenVPN"},
    {PayloadKind::ike, "IKE"},
    {PayloadKind::wireguard, "WireGuard"},
    {PayloadKind::pptp, "PPTP"},
    {PayloadKind::l2tp, "L2TP"},
    {PayloadKind::socks, "SOCKS"},
    {PayloadKind::http_connect, "HTTP CONNECT"},
    {PayloadKind::bittorrent, "BitTorrent handshake"},
    {PayloadKind::bittorrent_dht, "BitTorrent DHT"},
    {PayloadKind::utp, "uTP"},
    {PayloadKind::gnutella, "Gnutella"},
    {PayloadKind::edonkey, "eDonkey"},
    {PayloadKind::bittorrent_tracker, "BitTorrent UDP tracker"},
});

}  // namespace

std::span<const PayloadKindInfo> payload_kinds() noexcept {
    return kKinds;
}

bool is_dns_name(const PayloadView& p, std::uint32_t& at) noexcept {
    constexpr std::uint32_t kMostName = 255;
    constexpr std::uint32_t kMostLabel = 63;
    const std::uint32_t begin = at;
    while (at < p.readable && at - begin < kMostName) {
        const std::uint32_t length = p.data[at];
        if (length == 0) {
            ++at;
            return true;
        }
        if (length > kMostLabel) {  // a pointer ends a name
            at += 2;
            return (length & 0xc0U) == 0xc0U && at <= p.readable;
        }
        at += length + 1;
    }
    return false;
}

bool is_dns(const PayloadView& p) noexcept {
    constexpr std::uint32_t kHeader = 12;
    constexpr std::uint32_t kMostSections = 64;
    const std::uint32_t questions = p.be16(4);
    const std::uint32_t answers = p.be16(6);
    const bool response = (p.u8(2) & 0x80U) != 0;
    if (p.bytes <= kHeader + 4 || (p.u8(2) >> 3U & 0xfU) > 5 || questions > 4 ||
        answers > kMostSections * 4 || p.be16(8) > kMostSections || p.be16(10) > kMostSections ||
        (questions == 0 && answers == 0)) {
        return false;
    }
    std::uint32_t at = kHeader;
    if ((questions == 0 && !response) || !is_dns_name(p, at)) {
        return false;
    }
    const std::uint32_t type = p.be16(at);
    const std::uint32_t cls = p.be16(at + 2) & 0x7fffU;  // mDNS: upper bit asks for unicast
    return type != 0 && (type <= 260 || type == 32769) && (cls == 1 || cls >= 254 || cls == 3);
}

bool is_ber(const PayloadView& p, std::uint32_t tag, std::uint32_t& content) noexcept {
    const std::uint32_t first = p.u8(1);
    if (p.u8(0) != tag || p.bytes < 2 || first == 0x80U || first > 0x84U) {
        return false;
    }
    if (first < 0x80U) {
        content = 2;
        return first == p.bytes - 2;
    }
    const std::uint32_t width = first - 0x80U;
    std::uint32_t length = 0;
    for (std::uint32_t i = 0; i < width; ++i) {
        length = length << 8U | p.u8(2 + i);
    }
    content = 2 + width;
    return p.bytes >= content && length == p.bytes - content;
}

// RFC 4511, 4.1.1: a message id, then an operation of the application class. SNMP (RFC 3416, 3; RFC 3412, 6) has a
// version there, then a community or a sequence.
PayloadKind recognise_ber(const PayloadView& p) noexcept {
    std::uint32_t at = 0;
    if (is_ber(p, 0x30, at)) {
        const std::uint32_t size = p.u8(at + 1);
        if (p.u8(at) != 0x02 || size == 0 || size > 4) {
            return PayloadKind::none;
        }
        const std::uint32_t next = p.u8(at + 2 + size);
        const bool version = size == 1 && p.u8(at + 2) <= 3;
        if (version && (next == 0x04 || next == 0x30)) {
            return PayloadKind::snmp;
        }
        return next >= 0x42 && next <= 0x79 ? PayloadKind::ldap : PayloadKind::none;
    }
    // RFC 4120, 5.4 to 5.9: application tags of its messages.
    const std::uint32_t tag = p.u8(0);
    const bool kerberos = (tag >= 0x6a && tag <= 0x6f) || tag == 0x74 || tag == 0x75 || tag == 0x7e;
    return kerberos && is_ber(p, tag, at) ? PayloadKind::kerberos : PayloadKind::none;
}

bool is_openvpn_reset(const PayloadView& p) noexcept {
    constexpr std::uint32_t kMost = 128;
    if (p.bytes < 14 || p.bytes > kMost) {
        return false;
    }
    if (p.u8(0) == 0x38) {
        return p.u8(p.bytes - 5) == 0 && p.be32(p.bytes - 4) == 0;
    }
    return p.u8(0) == 0x40 && p.be32(p.bytes - 4) == 0 && p.bytes >= 26;
}

bool is_bfcp(const PayloadView& p) noexcept {
    const std::uint32_t version = p.u8(0) >> 5U;
    return (version == 1 || version == 2) && (p.u8(0) & 7U) == 0 && p.u8(1) >= 1 && p.u8(1) <= 18 &&
           p.bytes >= 12 && p.be16(2) * 4 + 12 == p.bytes;
}

// RFC 5389, 6; RFC 3489, 11.1 has no cookie.
PayloadKind recognise_stun(const PayloadView& p) noexcept {
    constexpr std::uint32_t kHeader = 20;
    constexpr std::uint32_t kCookie = 0x2112a442;
    const std::uint32_t type = p.be16(0);
    if (p.bytes < kHeader || (type & 0xc000U) != 0 || p.be16(2) % 4 != 0 ||
        p.be16(2) + kHeader > p.bytes) {
        return PayloadKind::none;
    }
    const bool binding = (type & 0x3eefU) == 1;
    if (p.be32(4) == kCookie) {
        return binding ? PayloadKind::stun : PayloadKind::turn;
    }
    const bool classic = binding && p.be16(2) + kHeader == p.bytes;
    return classic ? PayloadKind::stun : PayloadKind::none;
}

PayloadKind recognise(const PayloadView& payload, std::uint8_t proto, bool fresh) noexcept {
    constexpr std::uint8_t kProtoUdpLite = 136;
    const bool udp = proto == kProtoUdp || proto == kProtoUdpLite;
    if (payload.readable == 0 || (!udp && proto != kProtoTcp)) {
        return PayloadKind::none;
    }
    const PayloadKind text = recognise_text(payload, udp);
    if (text != PayloadKind::none) {
        return text;
    }
    return udp ? recognise_datagram(payload, fresh) : recognise_stream(payload);
}

}  // namespace weir::dataplane
