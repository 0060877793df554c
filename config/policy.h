// SPDX-License-Identifier: BSD-3-Clause
// What weir.yaml says about acting on verdicts beyond the slots' own class rules, as plain data.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::config {

enum class ActionKind : std::uint8_t { pass, mark, drop };

/// An address prefix. IPv4 is IPv4-mapped IPv6, so its lengths are 96…128. Bits beyond `length` are zero.
struct Prefix {
    std::array<std::uint8_t, 16> address{};
    std::uint8_t length = 0;
};

/// Whose packets of a flow a rule speaks of.
enum class Sender : std::uint8_t { any, initiator, responder };

/// What a row of a policy does with the packet itself.
enum class RowAction : std::uint8_t {
    pass,
    mark,
    drop,
    reset  ///< drop; a TCP flow's two ends are each sent a RST
};

enum class MeterKind : std::uint8_t {
    srtcm,     ///< RFC 2697
    trtcm,     ///< RFC 2698
    trtcm4115  ///< RFC 4115
};

/// What shares one bucket.
enum class MeterScope : std::uint8_t {
    meter,       ///< all rows that name the meter
    slot_class,  ///< each class of the row's slot
    flow
};

/// What a colour leads to.
struct ColourAction {
    ActionKind kind = ActionKind::pass;
    std::uint8_t dscp = 0;
};

/// Rates and bursts count IP bytes, and hold for each worker.
struct Meter {
    MeterKind algorithm = MeterKind::srtcm;
    MeterScope per = MeterScope::meter;
    std::uint32_t cir_kbps = 1000;       ///< committed rate
    std::uint32_t cbs_bytes = 15000;     ///< committed burst
    std::uint32_t excess_kbps = 0;       ///< trtcm: PIR, trtcm4115: EIR
    std::uint32_t excess_bytes = 15000;  ///< srtcm, trtcm4115: EBS; trtcm: PBS
    ColourAction yellow;
    ColourAction red{ActionKind::drop, 0};
};

/// One row of a policy. All that it names must hold; what it leaves open holds always.
struct PolicyRule {
    std::string slot;                  ///< empty: whatever the verdicts are
    std::vector<std::string> classes;  ///< of `slot`; not empty if that is given
    double min_confidence = 0.0;       ///< 0…1, of the slot's verdict
    std::uint32_t min_packets = 0;     ///< packets of the flow so far, this one included
    Sender sender = Sender::any;
    std::vector<std::string> ports;     ///< names of ports that the packet may have come in by
    std::optional<std::uint16_t> vlan;  ///< outermost VLAN id; 0: untagged
    std::vector<Prefix> prefixes;       ///< either end lies in one of them
    RowAction action = RowAction::pass;
    std::uint8_t dscp = 0;            ///< 0…63, for `mark`
    bool inner = false;               ///< marks the inner header of a tunnel as well
    std::optional<std::uint8_t> pcp;  ///< 0…7, into the outermost VLAN tag
    std::string police;               ///< a key of PolicyUse::meters; empty: none
    std::string redirect;             ///< port that the packet leaves by; empty: the peer's
    bool mirror = false;              ///< a copy goes to PolicyUse::mirror
    bool observe = false;             ///< counted, not carried out
};

/// What happens to packets that no row of a policy matches.
enum class PolicyDefault : std::uint8_t { class_rules, pass, drop };

/// Rows in order; the first that matches decides alone.
struct Policy {
    std::vector<PolicyRule> rules;
    PolicyDefault otherwise = PolicyDefault::class_rules;
};

/// Packets that no rule marks, drops or otherwise changes.
struct NeverTouch {
    std::vector<Prefix> prefixes;                 ///< either end lies in one of them
    std::vector<std::uint8_t> dscp;               ///< that carry one of these
    std::vector<std::string> trusted_ports;       ///< that come in here …
    std::vector<std::uint8_t> trusted_port_dscp;  ///< … with one of these
};

/// Most flows that one source may begin, at each worker.
struct NewFlows {
    std::uint32_t per_source_per_s = 0;  ///< 0: no limit
    std::uint32_t burst = 100;
};

struct Mirror {
    std::string port;                    ///< empty: none
    std::uint32_t one_in = 1;            ///< of the packets that rows mirror
    std::string file;                    ///< pcapng; empty: none
    std::uint32_t snap_bytes = 2048;     ///< of a packet that are kept in the file
    std::uint32_t queue_packets = 1024;  ///< of each worker that may wait for the file
    std::uint32_t rotate_mb = 100;       ///< 0: not by size
    std::uint32_t rotate_s = 0;          ///< 0: not by time
    std::uint32_t keep = 8;              ///< rotated files that are kept
};

/// How many flows a worker's rules may drop or reset before they step down: what was dropped goes through a meter, then
/// is only marked, then only observed. Each time the budget is spent within a window, one step.
struct Budget {
    std::uint32_t flows = 0;  ///< 0: no limit
    std::uint32_t window_s = 60;
    std::string police;             ///< meter of the first step; empty: straight to marking
    std::uint8_t dscp = 1;          ///< mark of the second: LE
    std::uint32_t recover_s = 600;  ///< one step up after so long without a window overspent
};

/// Which policy holds where. Names are keys of Config::policies.
struct PolicyUse {
    bool observe_only = false;                   ///< no rule of the gateway is carried out
    std::string use;                             ///< empty: the slots' class rules alone
    std::map<std::string, std::string> ports;    ///< by port: for its pair or tap, before `use`
    std::map<std::uint16_t, std::string> vlans;  ///< by outermost VLAN id, before `ports`
    NeverTouch never_touch;
    std::map<std::string, Meter> meters;
    NewFlows new_flows;
    Mirror mirror;
    Budget budget;
    bool pcp_by_dscp = false;  ///< what is marked gets RFC 8325's user priority as its PCP
};

}  // namespace weir::config
