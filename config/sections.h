// SPDX-License-Identifier: BSD-3-Clause
// The sections of weir.yaml, and the keys whose form is their own.
#pragma once

#include "config/config.h"
#include "config/schema.h"

namespace weir::config {

inline constexpr std::uint32_t kMaxLcore = 127;  ///< DPDK's RTE_MAX_LCORE - 1
inline constexpr std::size_t kMaxPorts = 32;
inline constexpr std::size_t kMaxSlots = 4;
inline constexpr std::size_t kMaxRules = 64;
inline constexpr std::size_t kMaxPolicies = 32;
inline constexpr std::size_t kMaxPrefixes = 64;
inline constexpr std::size_t kMaxMeters = 16;

[[nodiscard]] const Section<Config>& config_section();
[[nodiscard]] const Section<Port>& port_section();
[[nodiscard]] const Section<Slot>& slots_section();
[[nodiscard]] const Section<Control>& control_section();
/// Sets the Context's.
[[nodiscard]] Key<Config> export_key();
/// The words of a FailAction.
[[nodiscard]] const std::vector<std::string_view>& fail_words();

/// What is wrong with a principal of control.operators and its like; empty: nothing.
[[nodiscard]] std::string check_principal(const std::string& text);

/// "default", "none", or a file resolved against the configuration's directory.
bool read_model(Context& context, const Node& node, const std::string& path, std::string& out);

bool read_prefix(Context& context, const Node& node, const std::string& path, Prefix& out);

[[nodiscard]] Key<Slot> score_key();
[[nodiscard]] Key<Slot> rules_key();
[[nodiscard]] Key<Config> ports_key();
/// Pairs and taps name ports: they are kept in the Context until all ports are known (see cross_check).
[[nodiscard]] Key<Config> pairs_key();
[[nodiscard]] Key<Config> taps_key();
[[nodiscard]] Key<Config> slots_key();
[[nodiscard]] Key<Log> log_level_key();
[[nodiscard]] Key<Config> policies_key();
[[nodiscard]] const Section<PolicyUse>& policy_section();
[[nodiscard]] const Section<Shaping>& shaping_section();
[[nodiscard]] Key<PolicyUse> meters_key();
[[nodiscard]] Key<PolicyUse> new_flows_key();
[[nodiscard]] Key<PolicyUse> mirror_key();
[[nodiscard]] Key<PolicyUse> budget_key();

/// What no key can check alone: references between keys, things used twice, contradictions. Resolves pairs and taps.
void cross_check(Context& context, Config& config);

/// The part of it for `workers`: CPUs, thresholds that contradict each other.
void check_workers(Context& context, const Config& config);

/// The part of it for `policy` and `policies`: names of ports, slots and policies; rows that no packet reaches.
void check_policies(Context& context, const Config& config);

/// The part of it for `shaping`.
void check_shaping(Context& context, const Config& config);
/// The part of it for `export`.
void check_export(Context& context);

}  // namespace weir::config
