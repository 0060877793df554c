// SPDX-License-Identifier: BSD-3-Clause
// Policies as workers evaluate them: rows of fixed size, chosen by bits, compared in order.
#pragma once

#include "config/config.h"
#include "dataplane/batch.h"
#include "dataplane/flow/flow.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::dataplane {

inline constexpr std::uint32_t kPolicySlots = 4;
inline constexpr std::uint32_t kPolicyClasses = 64;
inline constexpr std::uint8_t kNoPolicy = 0xff;

inline constexpr std::uint8_t kNone = 0xff;

/// What a rule does to a packet.
struct RuleAction {
    config::RowAction kind = config::RowAction::pass;
    std::uint8_t dscp = 0;
    std::uint8_t pcp = kNone;       ///< 0…7 for the outermost VLAN tag
    std::uint8_t meter = kNone;     ///< index into PolicySet::meters
    std::uint8_t slot = kNone;      ///< whose class chose the row, for meters by class
    std::uint8_t redirect = kNone;  ///< the worker's port that the packet leaves by
    std::uint8_t policy = kNone;    ///< which row it is the action of; kNone: of none
    std::uint8_t row = kNone;
    bool inner = false;  ///< the mark goes into a tunnel's inner header as well
    bool mirror = false;
    bool observe = false;  ///< counted, not carried out
    bool exempt = false;   ///< an operator lets the flow pass: no limit holds for it

    /// Anything that the enforce stage must see to.
    [[nodiscard]] bool enforced() const noexcept {
        return kind == config::RowAction::reset || pcp != kNone || meter != kNone ||
               redirect != kNone || inner || mirror;
    }
};

/// A meter with rates as whole bytes in whole periods of nanoseconds, as rte_meter counts.
struct CompiledMeter {
    std::uint64_t id = 0;  ///< of its parameters: a bucket filled under another id starts anew
    std::uint64_t cbs = 0;
    std::uint64_t excess_burst = 0;
    std::uint64_t cir_period_ns = 1;
    std::uint64_t cir_bytes = 0;
    std::uint64_t excess_period_ns = 1;
    std::uint64_t excess_bytes = 0;
    config::MeterKind kind = config::MeterKind::srtcm;
    config::MeterScope per = config::MeterScope::meter;
    config::ColourAction yellow;
    config::ColourAction red;
};

/// Limits that hold whatever row matched.
struct PolicyLimits {
    std::uint64_t new_flow_gap_ns = 0;    ///< between a source's flows at its rate; 0: no limit
    std::uint64_t new_flow_slack_ns = 0;  ///< (burst − 1) gaps
    std::uint32_t budget_flows = 0;       ///< 0: no limit
    std::uint64_t budget_window_ns = 0;
    std::uint64_t budget_recover_ns = 0;
    std::uint8_t budget_meter = kNone;
    std::uint8_t budget_dscp = 0;
    std::uint8_t mirror_port = kNone;
    std::uint32_t mirror_one_in = 1;
    bool pcp_by_dscp = false;
};

/// An address of 16 bytes under a mask, as two words.
struct PrefixMatch {
    std::array<std::uint64_t, 2> value{};
    std::array<std::uint64_t, 2> mask{};

    [[nodiscard]] bool holds(const std::array<std::uint8_t, 16>& address) const noexcept;
};

/// What a row asks of a packet beside its flow's class, which chose the row.
struct PolicyRow {
    std::uint32_t min_packets = 0;
    std::uint32_t ports = 0xffffffffU;  ///< bit p: received on the worker's port p
    std::uint32_t prefix_begin = 0;     ///< in PolicySet::prefixes
    std::uint16_t prefix_count = 0;     ///< 0: any address
    std::uint16_t min_score = 0;        ///< of the verdict in `slot`
    std::uint16_t vlan = kAnyVlan;
    std::uint8_t slot = 0;     ///< < kPolicySlots where `verdict` is set
    std::uint8_t senders = 3;  ///< bit 0: the responder's packets, bit 1: the initiator's
    bool verdict = false;      ///< the row names a slot and classes
    RuleAction action;

    static constexpr std::uint16_t kAnyVlan = 0xffff;
};

/// Rows in order. A flow's candidates are one word: the rows that name no class, and those of its classes.
struct CompiledPolicy {
    std::string name;             ///< for who is told
    std::vector<PolicyRow> rows;  ///< ≤ 64
    std::uint64_t classless = 0;  ///< bit r: row r names no class
    std::array<std::array<std::uint64_t, kPolicyClasses>, kPolicySlots>
        by_class{};  ///< bit r: row r names this class of this slot
    config::PolicyDefault otherwise = config::PolicyDefault::class_rules;
};

/// All policies of a gateway. Immutable; part of a Snapshot.
struct PolicySet {
    bool observe_only = false;
    bool enforces = false;  ///< the enforce stage has work to do
    PolicyLimits limits;
    std::vector<CompiledMeter> meters;
    std::vector<CompiledPolicy> policies;
    std::array<std::uint8_t, 32> by_pair{};    ///< by FlowKey::pair
    std::array<std::uint8_t, 4096> by_vlan{};  ///< kNoPolicy: by pair
    std::vector<PrefixMatch> prefixes;         ///< of all rows
    std::vector<PrefixMatch> never_prefixes;
    std::uint64_t never_dscp = 0;    ///< bit d
    std::uint64_t trusted_dscp = 0;  ///< bit d
    std::uint32_t trusted_ports = 0;
};

/// A packet as rules see it.
struct PolicySubject {
    const FlowKey& key;
    const PacketHeader& header;
    const CachedVerdict* verdicts = nullptr;
    std::uint32_t slots = 0;
    std::uint64_t packets = 0;  ///< of the flow, this one included
    std::uint8_t rx_port = 0;
    bool from_initiator = false;
};

/// The row of the packet's policy that matches first: its action; else the policy's default as an action; nullptr where
/// the slots' class rules hold. Pure, bounded: at most 64 rows of at most 64 prefixes. Thread: a worker.
[[nodiscard]] const RuleAction* match_policy(
    const PolicySet& set, const PolicySubject& subject) noexcept;

/// Which policy holds for the flow: by VLAN, else by port pair; kNoPolicy: the class rules alone.
[[nodiscard]] std::uint8_t policy_of(const PolicySet& set, const FlowKey& key) noexcept;

/// True if no rule may change or drop the packet.
[[nodiscard]] bool never_touched(const PolicySet& set, const PolicySubject& subject) noexcept;

/// Nullptr if `config` names no policy and nothing that only a PolicySet can hold: then the slots' class rules are all
/// there is. Gives ids to class names (see class_id()); those without are reported. Thread: control.
[[nodiscard]] std::shared_ptr<const PolicySet> build_policy(
    const config::Config& config, std::vector<std::string>* warnings);

}  // namespace weir::dataplane
