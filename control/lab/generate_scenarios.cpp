// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_scenarios.h"

#include <algorithm>

namespace weir::lab::synth {
namespace {

// Labels are those that control/lab/labels_rules.cpp gives to recorded traffic of the kind.
// clang-format off
constexpr auto kScenarios = std::to_array<Scenario>({
    {"rtp_voice", "benign", "telephony", 6, "a call's two RTP streams: G.711, G.729 or Opus, with RTCP", start_rtp_voice},
    {"sip", "benign", "signaling", 6, "SIP over UDP: registrations, calls set up and cleared, keep-alives", start_sip},
    {"video_call", "benign", "multimedia_conferencing", 3, "camera and voice both ways in one UDP flow, frames paced", start_video_call},
    {"game", "benign", "realtime_interactive", 4, "a game's UDP: client ticks up, world snapshots down", start_game},
    {"video_tcp", "benign", "multimedia_streaming", 4, "adaptive video over HTTPS: a segment every few seconds", start_video_tcp},
    {"video_quic", "benign", "multimedia_streaming", 4, "adaptive video over QUIC-like UDP: bursts and acknowledgements", start_video_quic},
    {"broadcast_video", "benign", "broadcast_video", 1, "MPEG transport stream over RTP to a multicast group", start_broadcast_video},
    {"ssh", "benign", "low_latency_data", 4, "an interactive shell: keystrokes, echoes, screens of output", start_ssh},
    {"web_transaction", "benign", "low_latency_data", 6, "small HTTPS requests with a user waiting, one connection kept", start_web_transaction},
    {"rpc", "benign", "low_latency_data", 6, "remote procedure calls over a long-lived TLS connection", start_rpc},
    {"dns", "benign", "standard", 14, "look-ups over UDP, now and then asked twice or not answered", start_dns},
    {"browsing", "benign", "standard", 14, "a page: several HTTPS connections, then reading, then more", start_browsing},
    {"failed_connect", "benign", "standard", 1, "a service that is down: refused or silent, tried again", start_failed_connect},
    {"ntp", "benign", "standard", 3, "clock queries and answers", start_ntp},
    {"snmp", "benign", "oam", 4, "a poller reading counters", start_snmp},
    {"ping", "benign", "oam", 4, "ICMP echo, a second apart", start_ping},
    {"syslog", "benign", "oam", 3, "log lines one way over UDP", start_syslog},
    {"download", "benign", "high_throughput_data", 2, "a large file down, over TLS or HTTP", start_download},
    {"upload", "benign", "high_throughput_data", 2, "a large file up, over TLS or HTTP", start_upload},
    {"p2p", "benign", "low_priority_data", 3, "encrypted peer-to-peer blocks both ways on high ports", start_p2p},
    {"backup", "benign", "low_priority_data", 2, "a background backup trickling up", start_backup},

    {"syn_flood", "flood", "", 2, "SYNs from a few hosts, ports changing", start_syn_flood},
    {"syn_flood_spoofed", "flood", "", 2, "SYNs from random sources; the victim's SYN-ACKs in vain", start_syn_flood_spoofed},
    {"udp_flood", "flood", "", 2, "UDP from a few hosts at full rate, in one flow or a flow a packet", start_udp_flood},
    {"udp_flood_spoofed", "flood", "", 2, "UDP from random sources to random ports", start_udp_flood_spoofed},
    {"icmp_flood", "flood", "", 2, "echo requests from a few hosts, some answered", start_icmp_flood},
    {"icmp_flood_spoofed", "flood", "", 2, "echo requests from random sources", start_icmp_flood_spoofed},
    {"dns_amplification", "amplification", "", 2, "large DNS answers that nobody asked for", start_dns_amplification},
    {"ntp_amplification", "amplification", "", 2, "monlist answers that nobody asked for", start_ntp_amplification},
    {"backscatter", "amplification", "", 2, "SYN-ACKs and RSTs of victims whose attackers forged our addresses", start_backscatter},
    {"syn_sweep", "scan", "", 2, "one port of many hosts by SYN, answers reset", start_syn_sweep},
    {"syn_port_scan", "scan", "", 2, "many ports of one host by SYN, answers reset", start_syn_port_scan},
    {"connect_sweep", "scan", "", 1, "one port of many hosts by whole connections", start_connect_sweep},
    {"connect_port_scan", "scan", "", 1, "many ports of one host by whole connections", start_connect_port_scan},
    {"udp_sweep", "scan", "", 1, "one UDP port of many hosts", start_udp_sweep},
    {"udp_port_scan", "scan", "", 1, "many UDP ports of one host, some answered by ICMP", start_udp_port_scan},
    {"slow_headers", "slow_http", "", 2, "HTTP requests whose headers never end", start_slow_headers},
    {"slow_body", "slow_http", "", 2, "HTTP posts whose body comes by the byte", start_slow_body},
    {"slow_read", "slow_http", "", 2, "HTTP answers read through a tiny window", start_slow_read},
    {"ssh_bruteforce", "bruteforce", "", 2, "SSH log-ins, a few passwords a connection", start_ssh_bruteforce},
    {"http_bruteforce", "bruteforce", "", 2, "HTTP log-ins posted one after the other", start_http_bruteforce},
    {"dns_tunnel", "dns_tunnel", "", 3, "data in names asked for and in TXT answers", start_dns_tunnel},
    {"beacon_https", "malware_c2", "", 2, "an infected host calling home over TLS, again and again", start_beacon_https},
    {"beacon_http", "malware_c2", "", 2, "an infected host polling over HTTP", start_beacon_http},
    {"beacon_udp", "malware_c2", "", 2, "an infected host announcing itself to whole address blocks by UDP", start_beacon_udp},
    {"exfiltration", "malware_c2", "", 2, "an infected host sending files out", start_exfiltration},
});
// clang-format on

constexpr std::size_t count_benign() {
    std::size_t n = 0;
    for (const auto& scenario : kScenarios) {
        n += scenario.attack() ? 0 : 1;
    }
    return n;
}
constexpr std::size_t kBenign = count_benign();
static_assert(kBenign <= kMaxBenignScenarios);
static_assert(kScenarios.size() - kBenign <= kMaxAttackScenarios);

constexpr std::array<std::uint16_t, 8> kLies{443, 5060, 53, 80, 123, 22, 3478, 8080};

}  // namespace

std::span<const Scenario> scenarios() noexcept {
    return kScenarios;
}

const Scenario* find_scenario(std::string_view name) noexcept {
    const auto found = std::find_if(
        kScenarios.begin(), kScenarios.end(), [&](const auto& s) { return s.name == name; });
    return found != kScenarios.end() ? &*found : nullptr;
}

Session::Session(World world, std::size_t scenario, Nanos begin_at, std::uint64_t seed, Sink& to)
    : rng(seed),
      begin(begin_at),
      v6(rng.chance(world.options.ipv6_share)),
      sink(&to),
      world_(world),
      scenario_(scenario),
      family_(kScenarios[scenario].attack() ? scenario - kBenign : scenario),
      client_(rng.below(kClients)),
      attacker_(rng.below(kAttackersEach)) {}

Address Session::attacker() const noexcept {
    return attacker_address(v6, family_, attacker_);
}

Address Session::server() noexcept {
    return server_address(v6, family_, rng.below(kServersEach));
}

Address Session::victim() noexcept {
    const std::uint64_t scenario = rng.below(kBenign);
    return server_address(v6, scenario, rng.below(kServersEach));
}

std::uint16_t Session::service(std::uint16_t honest) noexcept {
    if (!options().lying_ports) {
        return honest;
    }
    const std::uint16_t lie = rng.pick(kLies);
    return lie != honest ? lie : static_cast<std::uint16_t>(8443);
}

std::uint16_t Session::client_port() noexcept {
    return world_.ports.next(scenario_, v6, client_);
}

std::uint16_t Session::attacker_port() noexcept {
    return world_.ports.next(scenario_, v6, attacker_);
}

Tuple Session::to_server(std::uint8_t proto, std::uint16_t port) noexcept {
    return {client(), server(), client_port(), service(port), proto};
}

Tuple Session::attack_on(const Address& to, std::uint8_t proto, std::uint16_t port) noexcept {
    return {attacker(), to, attacker_port(), port, proto};
}

Tuple Session::call_home(std::uint8_t proto, std::uint16_t port) noexcept {
    return {client(), attacker(), client_port(), service(port), proto};
}

TcpPlan Session::tcp(const Tuple& tuple, Nanos start) noexcept {
    TcpPlan plan;
    plan.tuple = tuple;
    plan.start = start;
    plan.near = 100 * kMicro + rng.exponential(800 * kMicro);
    plan.far = std::min(kMilli + rng.exponential(14 * kMilli), 200 * kMilli);
    // Links of 1 Gb/s down to 20 Mb/s.
    plan.ns_per_byte = {
        8.0 * static_cast<double>(rng.between(1, 20)),
        8.0 * static_cast<double>(rng.between(1, 50))};
    plan.stacks = {draw_stack(rng), draw_stack(rng)};
    plan.loss = rng.chance(0.3) ? 0.015 * rng.unit() : 0.0;
    return plan;
}

Nanos Session::flood_pace(Nanos base) noexcept {
    const double gap = static_cast<double>(base) / options().intensity;
    return std::max(kMicro, rng.around(static_cast<Nanos>(gap), options().jitter));
}

Nanos Session::pace(Nanos base) noexcept {
    return flood_pace(static_cast<Nanos>(static_cast<double>(base) * options().slow));
}

std::uint64_t Session::padding() noexcept {
    return options().padding == 0 ? 0 : rng.below(options().padding + 1);
}

}  // namespace weir::lab::synth
