// SPDX-License-Identifier: BSD-3-Clause
#include "perf/actions_cases.h"

namespace weir::perf {
namespace {

[[nodiscard]] std::string rows(const std::string& row, const std::string& more = "") {
    return "policy: {use: p" + more + "}\npolicies: {p: {rules: [{" + row + "}]}}\n";
}

[[nodiscard]] std::string metered(const std::string& per, const std::string& row = "police: m") {
    return rows(
        row,
        ", meters: {m: {algorithm: trtcm, cir_kbps: 400000000, excess_kbps: 400000000, "
        "cbs_bytes: 100000000, excess_bytes: 100000000, per: " +
            per + "}}");
}

}  // namespace

std::vector<Case> action_cases() {
    constexpr Look kEf{46, 0, false};
    std::vector<Case> out{
        {"v4.none", Traffic::v4, "", {}, {}},
        {"v4.mark", Traffic::v4, rows("dscp: EF"), {.marked = 1}, kEf},
        {"v4.police_rule", Traffic::v4, metered("meter"), {.metered = 1}, {}},
        {"v4.police_class",
         Traffic::v4,
         metered(
             "class",
             "slot: qos, class: [qos0, qos1, qos2, qos3, qos4, qos5, qos6, qos7], police: m"),
         {.metered = 1},
         {}},
        {"v4.police_flow", Traffic::v4, metered("flow"), {.metered = 1}, {}},
        {"v4.new_flow_limit",
         Traffic::v4,
         "policy: {new_flows: {per_source_per_s: 1000, burst: 1000}}\n",
         {},
         {}},
        {"v4.mirror",
         Traffic::v4,
         rows("mirror: true", ", mirror: {port: mon}"),
         {.mirrored = 1},
         {}},
        {"v4.mirror_1_in_100",
         Traffic::v4,
         rows("mirror: true", ", mirror: {port: mon, one_in: 100}"),
         {},
         {}},
        {"v4.redirect", Traffic::v4, rows("redirect: mon"), {.sent = 0, .redirected = 1}, {}},
        {"v4.drop", Traffic::v4, rows("action: drop"), {.sent = 0, .dropped = 1}, {}},
        {"v4.reset",
         Traffic::v4,
         rows("action: reset"),
         {.sent = 0, .dropped = 1, .resets = 2},
         {0, 0, true}},
        {"v4.shape", Traffic::v4, "", {}, {}, true},
        {"v6.none", Traffic::v6, "", {}, {}},
        {"v6.mark", Traffic::v6, rows("dscp: EF"), {.marked = 1}, kEf},
        {"vlan.none", Traffic::vlan, "", {}, {}},
        {"vlan.pcp", Traffic::vlan, rows("pcp: 5"), {.tagged = 1}, {0, 5, false}},
        {"vlan.mark_and_pcp",
         Traffic::vlan,
         rows("dscp: EF, pcp: 5"),
         {.marked = 1, .tagged = 1},
         {46, 5, false}},
        {"fresh.none", Traffic::fresh, "", {}, {}},
        {"fresh.new_flow_limit",
         Traffic::fresh,
         "policy: {new_flows: {per_source_per_s: 1000000, burst: 1000000}}\n",
         {},
         {}},
        {"fresh.drop", Traffic::fresh, rows("action: drop"), {.sent = 0, .dropped = 1}, {}},
    };
    return out;
}

}  // namespace weir::perf
