// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/labels_rules.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace weir::lab {
namespace {

using std::string_view;

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

constexpr std::array<string_view, 10> kAnomalyClasses{
    "benign",
    "scan",
    "flood",
    "amplification",
    "bruteforce",
    "dns_tunnel",
    "malware_c2",
    "web_attack",
    "exploit",
    "slow_http"};

constexpr std::array<string_view, 10> kQosClasses{
    "standard",
    "telephony",
    "signaling",
    "multimedia_conferencing",
    "realtime_interactive",
    "multimedia_streaming",
    "low_latency_data",
    "oam",
    "high_throughput_data",
    "low_priority_data"};

/// True if one of the dot-separated parts of `proto` is `name`: "DNS.Google" has DNS and Google.
bool has_part(string_view proto, string_view name) noexcept {
    while (!proto.empty()) {
        const auto dot = std::min(proto.find('.'), proto.size());
        if (proto.substr(0, dot) == name) {
            return true;
        }
        proto.remove_prefix(std::min(dot + 1, proto.size()));
    }
    return false;
}

bool has_any_part(string_view proto, std::span<const string_view> names) noexcept {
    return std::any_of(
        names.begin(), names.end(), [&](string_view name) { return has_part(proto, name); });
}

/// Address assignment, name announcement and discovery: a host's own, whatever else runs on it.
constexpr std::array<string_view, 13> kChatter{
    "MDNS",
    "LLMNR",
    "SSDP",
    "DHCP",
    "DHCPV6",
    "NetBIOS",
    "WSD",
    "NTP",
    "IGMP",
    "ICMPV6",
    "WindowsUpdate",
    "Microsoft",
    "Microsoft365"};

constexpr std::array<std::uint16_t, 10> kChatterPorts{
    67, 68, 123, 137, 138, 546, 547, 1900, 5353, 5355};

/// Clouds and networks that serve attackers and ordinary users alike: the name does not say which.
constexpr std::array<string_view, 12> kAmbiguousHosting{
    "Google",
    "GoogleServices",
    "AmazonAWS",
    "Azure",
    "Cloudflare",
    "Github",
    "Apple",
    "GMail",
    "YouTube",
    "GoogleDocs",
    "GoogleMaps",
    "Wikipedia"};

bool is_chatter(const FlowFacts& f) noexcept {
    if (has_any_part(f.dpi_proto, kChatter)) {
        return !has_part(f.dpi_proto, "SMBv23");
    }
    return f.proto == kUdp &&
           std::find(kChatterPorts.begin(), kChatterPorts.end(), f.dport) != kChatterPorts.end();
}

bool is_dns(const FlowFacts& f) noexcept {
    return has_part(f.dpi_proto, "DNS") || f.dport == 53 || f.sport == 53;
}

/// Captures of single packets picked out of their connections (responses without requests, say): their flows are none
/// that a network carries, and in no class of any slot.
constexpr std::array<string_view, 1> kPickedPackets{"http_many_protocols"};

bool is_picked(const FlowFacts& f) noexcept {
    return f.family == "benign/web" &&
           std::find(kPickedPackets.begin(), kPickedPackets.end(), f.file_label) !=
               kPickedPackets.end();
}

/// Attack captures in which every flow is the attack.
string_view pure_attack(const FlowFacts& f) noexcept {
    if (f.family == "attack/ddos_synflood") {
        return f.file_label == "syn_backscatter" ? "amplification" : "flood";
    }
    if (f.family == "attack/flood_other") {
        return "flood";
    }
    if (f.family == "attack/ddos_amplification") {
        return "amplification";
    }
    if (f.family == "attack/scan") {
        // A sweep over TCP flags asks one port of one host, both ways, over and over: no second port, no second host.
        return f.file_label == "arp_scan" || f.file_label == "tcp_flag_sweep" ? "" : "scan";
    }
    if (f.family == "attack/slow_http") {
        return "slow_http";
    }
    if (f.family == "attack/dns_tunnel") {
        return is_dns(f) ? "dns_tunnel" : "";
    }
    return "";
}

string_view ics_attack(const FlowFacts& f) noexcept {
    if (!f.has_packet_labels) {
        return "";
    }
    return f.attack_packet ? "exploit" : "benign";
}

string_view malware(const FlowFacts& f) noexcept {
    if (f.file_label == "slips_malicious_mixed" || has_any_part(f.dpi_proto, kAmbiguousHosting)) {
        return "";
    }
    return f.proto == kTcp || f.proto == kUdp ? "malware_c2" : "";
}

/// Attack captures that hold a host's ordinary traffic too.
string_view mixed_attack(const FlowFacts& f) noexcept {
    if (is_chatter(f)) {
        return "benign";
    }
    if (is_dns(f) && f.file_label != "sigred_dos") {
        return "";
    }
    if (f.family == "attack/bruteforce") {
        const bool service = has_part(f.dpi_proto, "SSH") || has_part(f.dpi_proto, "Kerberos") ||
                             has_part(f.dpi_proto, "FTP_CONTROL");
        return service ? "bruteforce" : "";
    }
    if (f.family == "attack/web_attack") {
        return has_part(f.dpi_proto, "HTTP") || has_part(f.dpi_proto, "HTTP_Proxy") ? "web_attack"
                                                                                    : "";
    }
    if (f.family == "attack/exploit" || f.family == "attack/lateral_movement") {
        return f.dpi_proto.empty() || f.dpi_proto == "ICMP" ? "" : "exploit";
    }
    if (f.family == "attack/cryptomining") {
        return f.dpi_proto == "Mining" ? "malware_c2" : "";
    }
    return f.family == "attack/malware_c2" ? malware(f) : "";
}

struct QosRule {
    string_view part;    ///< part of the protocol name
    std::uint8_t proto;  ///< transport it must have; 0 = any
    string_view label;   ///< empty = left out
};

/// First match wins. Finer than the corpus's grouping, which knows no RFC 4594 class.
constexpr auto kQosRules = std::to_array<QosRule>({
    {"SkypeCall", kUdp, ""},  // mostly single probes of peers
    {"Skype_Teams", 0, ""},
    {"Skype", 0, ""},
    {"SMBv23", kTcp, "high_throughput_data"},
    {"DNS", 0, "standard"},
    {"MDNS", 0, "standard"},
    {"LLMNR", 0, "standard"},
    {"SSDP", 0, "standard"},
    {"DHCP", 0, "standard"},
    {"DHCPV6", 0, "standard"},
    {"NetBIOS", 0, "standard"},
    {"NTP", 0, "standard"},
    {"SIP", 0, "signaling"},
    {"H323", 0, "signaling"},
    {"MGCP", 0, "signaling"},
    {"Megaco", 0, "signaling"},
    {"BFCP", 0, "signaling"},
    {"SRTP", kUdp, "telephony"},
    {"RTP", kUdp, "telephony"},
    {"KakaoTalk_Voice", kUdp, "telephony"},
    {"IAX", kUdp, "telephony"},
    {"IMO", kUdp, "telephony"},
    {"WhatsAppCall", kUdp, "telephony"},
    {"Viber", kUdp, "telephony"},
    {"Mumble", kUdp, "telephony"},
    {"Discord", kUdp, "telephony"},
    {"Discord", kTcp, ""},
    {"SD-RTN", kUdp, "multimedia_conferencing"},
    {"GoogleCall", kUdp, "multimedia_conferencing"},
    {"GoogleHangoutDuo", kUdp, "multimedia_conferencing"},
    {"SnapchatCall", kUdp, "multimedia_conferencing"},
    {"Zoom", kUdp, "multimedia_conferencing"},
    {"Teams", kUdp, "multimedia_conferencing"},
    {"Zoom", kTcp, ""},
    {"Teams", kTcp, ""},
    {"GoogleMeet", 0, ""},
    {"AdobeConnect", 0, ""},
    {"SSH", 0, "low_latency_data"},
    {"Telnet", 0, "low_latency_data"},
    {"RDP", 0, "low_latency_data"},
    {"VNC", 0, "low_latency_data"},
    {"TeamViewer", 0, "low_latency_data"},
    {"AnyDesk", 0, "low_latency_data"},
    {"NoMachine", 0, "low_latency_data"},
    {"Citrix", 0, "low_latency_data"},
    {"Modbus", 0, "low_latency_data"},
    {"s7comm", 0, "low_latency_data"},
    {"EthernetIP", 0, "low_latency_data"},
    {"SNMP", 0, "oam"},
    {"Syslog", 0, "oam"},
    {"sFlow", 0, "oam"},
    {"collectd", 0, "oam"},
    {"Munin", 0, "oam"},
    {"Zabbix", 0, "oam"},
    {"ICMP", 0, "oam"},
    {"ICMPV6", 0, ""},
    {"IGMP", 0, ""},
    {"IMAP", 0, "high_throughput_data"},
    {"IMAPS", 0, "high_throughput_data"},
    {"POP3", 0, "high_throughput_data"},
    {"SMTP", 0, "high_throughput_data"},
    {"FTP_CONTROL", 0, ""},
    {"FTP_DATA", 0, "high_throughput_data"},
    {"BitTorrent", 0, "low_priority_data"},
    {"Gnutella", 0, "low_priority_data"},
    {"eDonkey", 0, "low_priority_data"},
    {"Kontiki", 0, ""},
    {"YouTubeUpload", 0, "high_throughput_data"},
    {"Spotify", kUdp, ""},
    {"WireGuard", 0, "high_throughput_data"},
    {"OpenVPN", 0, "high_throughput_data"},
    {"IPSec", 0, "high_throughput_data"},
    {"IPsec", 0, "high_throughput_data"},
});

struct Grouped {
    string_view service_class;
    string_view label;
};

constexpr auto kGroupLabels = std::to_array<Grouped>({
    {"video_streaming", "multimedia_streaming"},
    {"web", "standard"},
    {"background", "standard"},
    {"bulk_transfer", "high_throughput_data"},
    {"gaming", "realtime_interactive"},
    {"interactive", "standard"},  // remote access was told apart above; what is left is chat
    {"vpn", "high_throughput_data"},
    {"iot_ics", "low_latency_data"},
});

/// Captures of one application whose flows on the transport are that application.
struct FileRule {
    string_view file_label;
    std::uint8_t proto;
    string_view label;
};
constexpr auto kQosFileRules = std::to_array<FileRule>({
    {"firefall_online_shooter", kUdp, "realtime_interactive"},
    {"melsec", kTcp, "low_latency_data"},
    {"c37118_pmu", kTcp, "low_latency_data"},
    {"c37118_pmu", kUdp, "low_latency_data"},
    {"irc_dcc_file", kTcp, ""},
});

string_view reviewed_group_label(const FlowFacts& f) noexcept {
    if (f.service_class == "gaming" &&
        (has_part(f.dpi_proto, "TLS") || has_part(f.dpi_proto, "HTTP"))) {
        return "";  // stores and log-ins, not play
    }
    for (const auto& group : kGroupLabels) {
        if (group.service_class == f.service_class) {
            return group.label;
        }
    }
    return "";
}

constexpr std::array<string_view, 3> kWebTransports{"HTTP", "TLS", "QUIC"};

}  // namespace

string_view anomaly_label(const FlowFacts& f) noexcept {
    if (is_picked(f)) {
        return "";
    }
    if (f.family.starts_with("benign/")) {
        return "benign";
    }
    if (const auto label = pure_attack(f); !label.empty()) {
        return label;
    }
    return f.family == "attack/ics_attack" ? ics_attack(f) : mixed_attack(f);
}

string_view qos_label(const FlowFacts& f) noexcept {
    if (!f.family.starts_with("benign/") || is_picked(f)) {
        return "";
    }
    for (const auto& rule : kQosFileRules) {
        if (rule.file_label == f.file_label && rule.proto == f.proto) {
            return rule.label;
        }
    }
    for (const auto& rule : kQosRules) {
        if ((rule.proto == 0 || rule.proto == f.proto) && has_part(f.dpi_proto, rule.part)) {
            return rule.label;
        }
    }
    if (f.reviewed) {
        return reviewed_group_label(f);
    }
    const bool plain = f.family == "benign/web" || f.family == "benign/iot_setup" ||
                       f.family == "benign/background";
    return plain && has_any_part(f.dpi_proto, kWebTransports) ? "standard" : "";
}

std::string source_group(string_view repository, string_view file) {
    const auto slash = file.rfind('/');
    string_view stem = slash == string_view::npos ? file : file.substr(slash + 1);
    if (const auto mark = stem.find("__"); mark != string_view::npos) {
        stem.remove_prefix(mark + 2);
    }
    if (repository == "StopDDoS/packet-captures") {
        return "StopDDoS/" + std::string(stem.substr(0, stem.rfind(".pcap")));
    }
    if (repository.ends_with("/nDPI")) {
        // The first word of the file name is the application: quic-28 and quic_q46 share one origin.
        std::string word;
        const bool digits =
            !stem.empty() && std::isdigit(static_cast<unsigned char>(stem.front())) != 0;
        for (const char c : stem) {
            const auto u = static_cast<unsigned char>(c);
            if (digits ? std::isdigit(u) == 0 : std::isalpha(u) == 0) {
                break;
            }
            word += static_cast<char>(std::tolower(u));
        }
        return "nDPI/" + word;
    }
    const auto owner = std::min(repository.find('/'), repository.size());
    return std::string(repository.substr(0, owner));
}

std::span<const string_view> slot_classes(string_view slot) noexcept {
    if (slot == "anomaly") {
        return kAnomalyClasses;
    }
    if (slot == "qos") {
        return kQosClasses;
    }
    return {};
}

}  // namespace weir::lab
