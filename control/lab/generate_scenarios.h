// SPDX-License-Identifier: BSD-3-Clause
// The one table of scenarios: command line, list, labels, docs and tests all come from it.
#pragma once

#include "control/lab/generate.h"
#include "control/lab/generate_hosts.h"
#include "control/lab/generate_tcp.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::lab::synth {

class Session;

struct Scenario {
    std::string_view name;
    std::string_view anomaly;  ///< its class in slot anomaly (slot_classes())
    std::string_view qos;      ///< its RFC 4594 service class; empty: none, it is an attack
    unsigned weight;           ///< how often, among the benign or among the attacks
    std::string_view about;    ///< one line
    void (*start)(Session& session);

    [[nodiscard]] constexpr bool attack() const noexcept { return qos.empty(); }
};

/// All scenarios, the benign ones first.
[[nodiscard]] std::span<const Scenario> scenarios() noexcept;
[[nodiscard]] const Scenario* find_scenario(std::string_view name) noexcept;

/// What a scenario has at hand when one of its sessions begins. Copies are cheap and independent but for the ports;
/// what outlives start() keeps a copy. Thread: the generating one.
class Session {
  public:
    struct World {
        const GenerateOptions& options;
        Ports& ports;
        Nanos end;  ///< of the capture
    };
    Session(World world, std::size_t scenario, Nanos begin, std::uint64_t seed, Sink& sink);

    Rng rng;
    Nanos begin;
    bool v6;
    Sink* sink;

    [[nodiscard]] const GenerateOptions& options() const noexcept { return world_.options; }
    [[nodiscard]] Nanos end() const noexcept { return world_.end; }

    /// Ends of flows. A session keeps its client or attacker; its server and victim are drawn anew each time.
    [[nodiscard]] Address client() const noexcept { return client_address(v6, client_); }
    [[nodiscard]] Address attacker() const noexcept;
    [[nodiscard]] Address server() noexcept;  ///< of this scenario, which must be benign
    [[nodiscard]] Address victim() noexcept;  ///< any server
    /// `honest`, or with --lying-ports one that stands for something else.
    [[nodiscard]] std::uint16_t service(std::uint16_t honest) noexcept;

    /// Client to server of this scenario; attacker to `to`; client to attacker.
    [[nodiscard]] Tuple to_server(std::uint8_t proto, std::uint16_t port) noexcept;
    [[nodiscard]] Tuple attack_on(
        const Address& to, std::uint8_t proto, std::uint16_t port) noexcept;
    [[nodiscard]] Tuple call_home(std::uint8_t proto, std::uint16_t port) noexcept;
    [[nodiscard]] std::uint16_t client_port() noexcept;
    [[nodiscard]] std::uint16_t attacker_port() noexcept;

    /// A connection begun at `start` with stacks, delays and a loss rate drawn for it.
    [[nodiscard]] TcpPlan tcp(const Tuple& tuple, Nanos start) noexcept;
    void spawn(std::unique_ptr<Source> source) { sink->spawn(std::move(source)); }
    void spawn(TcpPlan plan) { spawn(make_tcp(std::move(plan), rng.next())); }
    void spawn(const Tuple& tuple, DatagramScript script) {
        spawn(make_datagrams(tuple, std::move(script), rng.next()));
    }

    /// An attack's gap: `base` by --intensity, --slow and --jitter; floods heed no --slow. At least 1 us.
    [[nodiscard]] Nanos pace(Nanos base) noexcept;
    [[nodiscard]] Nanos flood_pace(Nanos base) noexcept;
    /// Bytes that --padding adds to an attack's next message.
    [[nodiscard]] std::uint64_t padding() noexcept;

  private:
    World world_;
    std::size_t scenario_;  // in the table
    std::size_t family_;    // among the benign or among the attacks
    std::size_t client_;
    std::size_t attacker_;
};

// One file each: generate_*.cpp.
void start_rtp_voice(Session& session);
void start_sip(Session& session);
void start_video_call(Session& session);
void start_game(Session& session);
void start_video_tcp(Session& session);
void start_video_quic(Session& session);
void start_broadcast_video(Session& session);
void start_ssh(Session& session);
void start_web_transaction(Session& session);
void start_rpc(Session& session);
void start_dns(Session& session);
void start_browsing(Session& session);
void start_failed_connect(Session& session);
void start_ntp(Session& session);
void start_snmp(Session& session);
void start_ping(Session& session);
void start_syslog(Session& session);
void start_download(Session& session);
void start_upload(Session& session);
void start_p2p(Session& session);
void start_backup(Session& session);

void start_syn_flood(Session& session);
void start_syn_flood_spoofed(Session& session);
void start_udp_flood(Session& session);
void start_udp_flood_spoofed(Session& session);
void start_icmp_flood(Session& session);
void start_icmp_flood_spoofed(Session& session);
void start_backscatter(Session& session);
void start_dns_amplification(Session& session);
void start_ntp_amplification(Session& session);
void start_syn_sweep(Session& session);
void start_syn_port_scan(Session& session);
void start_connect_sweep(Session& session);
void start_connect_port_scan(Session& session);
void start_udp_sweep(Session& session);
void start_udp_port_scan(Session& session);
void start_slow_headers(Session& session);
void start_slow_body(Session& session);
void start_slow_read(Session& session);
void start_ssh_bruteforce(Session& session);
void start_http_bruteforce(Session& session);
void start_dns_tunnel(Session& session);
void start_beacon_https(Session& session);
void start_beacon_http(Session& session);
void start_beacon_udp(Session& session);
void start_exfiltration(Session& session);

}  // namespace weir::lab::synth
