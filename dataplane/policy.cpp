// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/policy.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

namespace weir::dataplane {

namespace {

constexpr RuleAction kPass{};
constexpr RuleAction kDrop{.kind = config::RowAction::drop};

[[nodiscard]] bool any_holds(std::span<const PrefixMatch> prefixes, const FlowKey& key) noexcept {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](const PrefixMatch& prefix) {
        return prefix.holds(key.addr_lo) || prefix.holds(key.addr_hi);
    });
}

[[nodiscard]] bool row_holds(
    const PolicySet& set, const PolicyRow& row, const PolicySubject& subject) noexcept {
    if (row.verdict && subject.verdicts[row.slot].score < row.min_score) {
        return false;
    }
    const bool packet = subject.packets >= row.min_packets &&
                        (row.ports >> subject.rx_port & 1U) != 0 &&
                        (row.senders >> static_cast<unsigned>(subject.from_initiator) & 1U) != 0 &&
                        (row.vlan == PolicyRow::kAnyVlan || row.vlan == subject.key.vlan);
    return packet &&
           (row.prefix_count == 0 ||
            any_holds({set.prefixes.data() + row.prefix_begin, row.prefix_count}, subject.key));
}

}  // namespace

std::uint8_t policy_of(const PolicySet& set, const FlowKey& key) noexcept {
    const std::uint8_t by_vlan = set.by_vlan[key.vlan & 0xfffU];
    return by_vlan != kNoPolicy ? by_vlan : set.by_pair[key.pair % set.by_pair.size()];
}

bool PrefixMatch::holds(const std::array<std::uint8_t, 16>& address) const noexcept {
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), address.data(), sizeof(words));
    return (((words[0] ^ value[0]) & mask[0]) | ((words[1] ^ value[1]) & mask[1])) == 0;
}

const RuleAction* match_policy(const PolicySet& set, const PolicySubject& subject) noexcept {
    const std::uint8_t index = policy_of(set, subject.key);
    if (index == kNoPolicy) {
        return nullptr;
    }
    const CompiledPolicy& policy = set.policies[index];
    std::uint64_t candidates = policy.classless;
    for (std::uint32_t s = 0; s < subject.slots; ++s) {
        const std::uint8_t cls = subject.verdicts[s].cls;
        candidates |= cls < kPolicyClasses ? policy.by_class[s][cls] : 0;
    }
    for (; candidates != 0; candidates &= candidates - 1) {
        const PolicyRow& row = policy.rows[static_cast<std::size_t>(std::countr_zero(candidates))];
        if (row_holds(set, row, subject)) {
            return &row.action;
        }
    }
    switch (policy.otherwise) {
        case config::PolicyDefault::pass:
            return &kPass;
        case config::PolicyDefault::drop:
            return &kDrop;
        case config::PolicyDefault::class_rules:
            break;
    }
    return nullptr;
}

bool never_touched(const PolicySet& set, const PolicySubject& subject) noexcept {
    return carries_dscp(subject.header, set.never_dscp) ||
           ((set.trusted_ports >> subject.rx_port & 1U) != 0 &&
            carries_dscp(subject.header, set.trusted_dscp)) ||
           any_holds(set.never_prefixes, subject.key);
}

}  // namespace weir::dataplane
