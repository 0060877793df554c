// SPDX-License-Identifier: BSD-3-Clause
// The gateway's configuration as plain data: what weir.yaml says, validated, with defaults filled in.
#pragma once

#include "config/policy.h"
#include "config/shaping.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::config {

/// What a fail policy may choose for packets that cannot be handled the normal way.
enum class FailAction : std::uint8_t { pass, drop };

/// When a slot scores a flow's packets.
enum class CadenceKind : std::uint8_t {
    every_packet,   ///< each packet
    powers_of_two,  ///< the flow's packets 1, 2, 4, 8, …
    interval        ///< first packet, then at the first packet after each `interval_ms`
};

struct Cadence {
    CadenceKind kind = CadenceKind::powers_of_two;
    std::uint32_t interval_ms = 0;  ///< only for `interval`; 1…60000
};

enum class Hugepages : std::uint8_t {
    automatic,  ///< use them if the machine has free ones, else --no-huge
    require,
    off
};

struct Eal {
    Hugepages hugepages = Hugepages::automatic;
    std::uint32_t memory_mb = 512;   ///< 64…1048576; the pool size with hugepages off
    std::uint32_t main_lcore = 0;    ///< CPU of EAL's main thread, never a worker's
    std::string file_prefix;         ///< empty: derived from the process id
    std::vector<std::string> extra;  ///< further EAL arguments, as given
};

struct FlowTable {
    std::uint32_t capacity = 1u << 20;      ///< flows per worker; rounded up to a power of two
    std::uint32_t tcp_established_s = 300;  ///< idle timeouts, seconds
    std::uint32_t tcp_opening_s = 30;
    std::uint32_t tcp_closed_s = 5;
    std::uint32_t udp_s = 60;
    std::uint32_t other_s = 30;
    std::uint32_t host_capacity = 1u << 16;  ///< hosts per worker; rounded up to a power of two
};

/// When a worker sheds inference, and when it takes it up again.
struct Overload {
    bool enabled = true;
    std::uint32_t queue_high_percent = 50;  ///< fill of a receive ring: shed from here on
    std::uint32_t queue_low_percent = 10;   ///< back below; less than high
    std::uint32_t burst_budget_us = 1000;   ///< a burst that takes longer is too dear; 0: none is
    std::uint32_t up_ms = 2;                ///< pressure that lasts so long sheds one step
    std::uint32_t down_ms = 500;            ///< calm that lasts so long takes one step back
    std::uint32_t early_packets = 16;       ///< of a flow, still scored in the step `early`
};

/// How a worker waits while nothing comes.
enum class IdleWait : std::uint8_t {
    automatic,  ///< by power monitor where CPU and ports have it, else as `sleep`
    sleep,      ///< the kernel's short sleeps
    interrupt   ///< until a receive interrupt, where every port has them; else as `automatic`
};

/// What a worker does while nothing comes.
struct Idle {
    bool sleep = true;  ///< else it spins
    IdleWait wait = IdleWait::automatic;
    std::uint32_t spin_us = 1000;   ///< without a packet before the first sleep
    std::uint32_t first_us = 5;     ///< of the first sleep; each further one is twice as long …
    std::uint32_t longest_us = 50;  ///< … up to this
};

/// Who spreads flows over several workers.
enum class Distribute : std::uint8_t {
    automatic,  ///< the ports, if all of them can by symmetric RSS; else the distributor
    rss,        ///< the ports, their own way where they cannot by symmetric RSS
    software    ///< the distributor
};

struct Workers {
    std::vector<std::uint32_t> lcores{1};  ///< one worker each
    Distribute distribute = Distribute::automatic;
    std::uint32_t distributor_lcore = 0;  ///< CPU of the distributor, if there is one
    std::uint32_t burst = 64;             ///< packets a receive call, 1…64
    std::uint32_t gather_us = 20;         ///< how long full bursts may join a batch; 0: not at all
    FlowTable flow_table;
    Overload overload;
    Idle idle;
};

/// What the gateway computes beyond headers, times and hosts.
struct Features {
    bool payload = false;  ///< the catalog's group `payload`
};

struct Port {
    std::string name;    ///< operator's name, [a-z0-9_-]{1,32}, unique
    std::string device;  ///< PCI address "0000:01:00.0" or vdev "net_af_packet0,iface=eth0"
    std::uint16_t mtu = 1500;
    bool promiscuous = true;
    std::uint16_t rx_descriptors = 1024;
    std::uint16_t tx_descriptors = 1024;
};

/// Two ports joined as a bump in the wire, by index into Config::ports.
struct Pair {
    std::uint32_t a = 0;
    std::uint32_t b = 0;
};

/// What to do with a flow of one class.
struct ClassRule {
    ActionKind action = ActionKind::pass;
    std::uint8_t dscp = 0;        ///< 0…63, for `mark`
    double min_confidence = 0.0;  ///< 0…1; below it the slot's default holds
};

/// When control rolls a model back by itself. Shares are 0…1; 1 (or 0 for the latency) is off.
struct Guardrails {
    std::uint32_t window_s = 10;    ///< what is judged: the last so many seconds
    std::uint32_t min_rows = 1000;  ///< rows scored within the window before anything is judged
    std::uint32_t probation_s =
        600;                      ///< a newly active model is judged for so long; trials always are
    double max_alarm_rate = 1.0;  ///< rows whose class is not benign
    double max_drop_share = 1.0;  ///< packets (of a shadow: rows) that the slot drops
    double max_class_shift = 1.0;   ///< total variation of the class mix against the other model
    double max_disagreement = 1.0;  ///< rows that a trial classes otherwise than the active model
    double max_saturation = 1.0;    ///< rows of confidence 99.9 % or more
    std::uint32_t max_added_p99_us =
        0;  ///< of added latency, against the time before the model came

    [[nodiscard]] bool any() const noexcept {
        return max_alarm_rate < 1.0 || max_drop_share < 1.0 || max_class_shift < 1.0 ||
               max_disagreement < 1.0 || max_saturation < 1.0 || max_added_p99_us != 0;
    }
    friend bool operator==(const Guardrails&, const Guardrails&) = default;
};

/// What a slot does when its model is past its time to live.
enum class StaleAction : std::uint8_t {
    last,  ///< go on with it, and say so
    pass,  ///< its verdicts act no more
    drop
};

struct Slot {
    std::string name;               ///< "anomaly", "qos", or the operator's own
    std::string model = "default";  ///< "default", "none", or a bundle file
    Cadence cadence;
    std::uint32_t hysteresis =
        2;  ///< consecutive equal verdicts needed to change a decided class, 1…16
    FailAction model_missing = FailAction::pass;
    std::uint32_t max_cycles_per_row =
        100'000;                    ///< budget of a model's predicted and measured cost
    std::uint32_t model_ttl_s = 0;  ///< the active model is stale so long after it came; 0: never
    StaleAction stale = StaleAction::last;
    Guardrails guardrails;
    std::map<std::string, ClassRule> rules;  ///< class name -> rule; classes not named pass
    bool default_rules = false;  ///< nobody wrote the rules: they name every class there could be
};

struct Fail {
    FailAction truncated = FailAction::pass;
    FailAction malformed = FailAction::pass;
    FailAction unsupported = FailAction::pass;
    FailAction flow_table_full = FailAction::pass;
};

/// The control API over TCP, with mutual TLS 1.3.
struct ControlTls {
    std::string listen;       ///< address:port; "" = off
    std::string certificate;  ///< PEM files, read anew when they change
    std::string key;
    std::string client_ca;
    std::string crl;  ///< of every authority in client_ca; "" = nothing is revoked
};

struct Control {
    std::string socket = "/run/weir/control.sock";
    std::string keyring = "/etc/weir/keyring";  ///< directory of *.pub (ed25519, one key a file)
    std::string state_dir = "/var/lib/weir";    ///< pushed bundles
    std::uint32_t max_bundle_mb = 64;
    std::string sealing_keys;          ///< directory of *.sealkey (X25519, 0600); "" = none
    std::string group;                 ///< of the socket; "" = the process's
    std::string run_as;                ///< user that a weir started by root becomes; "" = stays
    std::vector<std::string> viewers;  ///< "user:NAME", "group:NAME", "uid:N", "gid:N", "san:NAME"
    std::vector<std::string> operators;
    std::vector<std::string> admins;
    ControlTls tls;
    std::uint32_t requests_per_s = 50;  ///< of one connection
    std::uint32_t contact_ttl_s =
        0;  ///< slots are stale so long after the last operator's call; 0: never
    std::uint32_t audit_max_mb = 16;  ///< the audit log is rotated at this size
    std::uint32_t audit_keep = 8;     ///< rotated files that are kept
};

struct Metrics {
    std::string listen = "127.0.0.1:9464";  ///< "" = off
};

struct Log {
    std::string level = "info";
};

/// Everything weir.yaml says. Immutable after loading; thread: any.
struct Config {
    std::string file;  ///< where it was read from, for messages
    Eal eal;
    Workers workers;
    Features features;
    std::vector<Port> ports;
    std::vector<Pair> pairs;          ///< inline
    std::vector<std::uint32_t> taps;  ///< mirror ports: scored, never forwarded; index into ports
    std::vector<Slot> slots;          ///< at most 4
    std::vector<std::uint8_t> never_remark{48, 56};  ///< DSCP values left as they are (CS6, CS7)
    PolicyUse policy;
    std::map<std::string, Policy> policies;
    Shaping shaping;
    Fail fail;
    Control control;
    Metrics metrics;
    Log log;
};

}  // namespace weir::config
